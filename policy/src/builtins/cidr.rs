//! `net.cidr_expand`: capped, since a few digits choose how many addresses come out.

use regorus::Value;

use super::{Fail, text};

/// Most address bits that are expanded: 4,096 addresses.
const BITS: u32 = 12;

/// Lets through what has at most twelve host bits.
pub(super) fn few_addresses(args: &[Value]) -> Result<(), Fail> {
    let [network] = args else { return Err(Fail::Argument("takes one network")) };
    let (address, prefix) = text(network)?.split_once('/').ok_or(Fail::Argument("takes address/prefix"))?;
    let prefix: u32 = prefix.parse().map_err(|_| Fail::Argument("takes address/prefix"))?;
    let bits = if address.contains(':') { 128 } else { 32_u32 };
    match bits.checked_sub(prefix) {
        Some(0..=BITS) => Ok(()),
        Some(_) => Err(Fail::Limit("at most 4096 addresses: /20 or longer, or net.cidr_contains")),
        None => Err(Fail::Argument("takes address/prefix")),
    }
}
