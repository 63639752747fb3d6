//! `net.cidr_*`: networks and addresses as Go reads them, which is what OPA means; the engine has some of them, and
//! expands a network whose size a few digits choose.

use std::collections::BTreeSet;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use regorus::Value;

use super::row::{Builtin, By};
use super::signatures::{BOOL, LISTS, OBJECT, SET, TEXT, TEXTS};
use super::{Fail, text, weigh};

pub(super) const ROWS: &[Builtin] = &[
    Builtin::new("net.cidr_contains", &[TEXT, TEXT], BOOL, By::Ours(contains))
        .constants(&[(0, wrong_network), (1, wrong_inner)]),
    Builtin::new(
        "net.cidr_contains_matches",
        &[TEXTS.or(OBJECT), TEXTS.or(OBJECT)],
        SET,
        By::Added(contains_matches),
    )
    .constants(&[(0, wrong_network), (1, wrong_inner)]),
    Builtin::new("net.cidr_expand", &[TEXT], SET, By::Ours(expand)).constants(&[(0, wrong_expanded)]),
    Builtin::new("net.cidr_intersects", &[TEXT, TEXT], BOOL, By::Added(intersects))
        .constants(&[(0, wrong_network), (1, wrong_network)]),
    Builtin::new("net.cidr_is_valid", &[TEXT], BOOL, By::Ours(is_valid)),
    Builtin::new("net.cidr_merge", &[LISTS], SET, By::Added(merge)).constants(&[(0, wrong_merged)]),
];

/// Most host bits of a network that is expanded: 4,096 addresses.
const EXPANDED: u32 = 12;
/// Most networks and addresses that are merged.
const MERGED: usize = 4_096;
/// Most pairs that are compared.
const PAIRS: usize = 16_384;
/// What one pair or address that comes out counts, in bytes.
const RESULT: usize = 64;
/// What stands before a version 4 address that is written as a version 6 one.
const MAPPED: u128 = 0xffff_0000_0000;

/// An address; version 4 with its 96 bits before it, so that both versions are one line of numbers.
type Address = u128;

/// A network: its first address, and how many of the 128 bits are fixed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Network {
    first: Address,
    fixed: u32,
}

impl Network {
    const fn last(self) -> Address {
        self.first | !mask(self.fixed)
    }

    /// Addresses of another version are never inside.
    const fn contains(self, address: Address) -> bool {
        is_v4(self.first) == is_v4(address) && address & mask(self.fixed) == self.first
    }

    fn show(self) -> String {
        let prefix = if is_v4(self.first) { self.fixed.saturating_sub(96) } else { self.fixed };
        format!("{}/{prefix}", show(self.first))
    }
}

/// `net.cidr_contains(network, network or address)`.
fn contains(args: &[Value]) -> Result<Value, Fail> {
    let [network, inner] = args else { return Err(Fail::Argument("takes two networks")) };
    Ok(Value::Bool(holds(network_of(text(network)?)?, &inner_of(text(inner)?)?)))
}

/// `net.cidr_intersects(network, network)`.
fn intersects(args: &[Value]) -> Result<Value, Fail> {
    let [one, other] = args else { return Err(Fail::Argument("takes two networks")) };
    let (one, other) = (network_of(text(one)?)?, network_of(text(other)?)?);
    Ok(Value::Bool(one.contains(other.first) || other.contains(one.first)))
}

/// `net.cidr_is_valid(text)`; what is not text is not valid.
fn is_valid(args: &[Value]) -> Result<Value, Fail> {
    let [value] = args else { return Err(Fail::Argument("takes one network")) };
    Ok(Value::Bool(text(value).is_ok_and(|value| network_of(value).is_ok())))
}

/// `net.cidr_expand(network)`: all its addresses.
fn expand(args: &[Value]) -> Result<Value, Fail> {
    let [network] = args else { return Err(Fail::Argument("takes one network")) };
    let network = network_of(text(network)?).and_then(expandable)?;
    weigh::pay(RESULT << (128 - network.fixed))?;
    let addresses = (network.first..=network.last()).map(|address| Value::from(show(address)));
    Ok(Value::from(addresses.collect::<BTreeSet<_>>()))
}

const fn expandable(network: Network) -> Result<Network, Fail> {
    if 128 - network.fixed > EXPANDED {
        return Err(Fail::Limit("at most 4096 addresses: /20 or longer, or net.cidr_contains"));
    }
    Ok(network)
}

/// `net.cidr_contains_matches(networks, inner)`: the pairs of which one holds the other, named by place in a list,
/// by name in an object, else by themselves.
fn contains_matches(args: &[Value]) -> Result<Value, Fail> {
    let [networks, inner] = args else { return Err(Fail::Argument("takes networks and networks")) };
    let (networks, inner) = (named(networks)?, named(inner)?);
    let pairs = networks.len().saturating_mul(inner.len());
    if pairs > PAIRS {
        return Err(Fail::Limit("at most 16384 pairs"));
    }
    weigh::pay(pairs * RESULT)?;
    let mut found = BTreeSet::new();
    for (name, network) in &networks {
        let network = network_of(text(network)?)?;
        for (inner_name, inner) in &inner {
            if holds(network, &inner_of(text(inner)?)?) {
                found.insert(Value::from(vec![name.clone(), inner_name.clone()]));
            }
        }
    }
    Ok(Value::from(found))
}

/// `net.cidr_merge(networks and addresses)`: the fewest networks that hold exactly these. An address alone stands for
/// its class, as in OPA.
fn merge(args: &[Value]) -> Result<Value, Fail> {
    let [networks] = args else { return Err(Fail::Argument("takes a list or a set")) };
    let networks: Vec<&Value> = match networks {
        Value::Array(items) => items.iter().collect(),
        Value::Set(items) => items.iter().collect(),
        _ => return Err(Fail::Argument("takes a list or a set")),
    };
    if networks.len() > MERGED {
        return Err(Fail::Limit("at most 4096 networks"));
    }
    weigh::pay(networks.len() * RESULT)?;
    let ranges =
        networks.into_iter().map(|network| range_of(text(network)?)).collect::<Result<Vec<_>, _>>()?;
    let mut merged = BTreeSet::new();
    for range in joined(ranges) {
        match range.alone {
            Some(network) => {
                merged.insert(Value::from(network));
            }
            None => merged.extend(covering(range.first, range.last)?.into_iter().map(Value::from)),
        }
    }
    Ok(Value::from(merged))
}

const NETWORK: &str = "such as `10.0.0.0/8` or `fd00::/8`";
const INNER: &str = "such as `10.0.0.0/8` or `fd00::/8`, or an address alone";

/// What is wrong with a constant network, and what to write instead.
fn wrong_network(network: &str) -> Option<(Fail, &'static str)> {
    network_of(network).err().map(|fail| (fail, NETWORK))
}

/// What is wrong with a constant network or address, and what to write instead.
fn wrong_inner(inner: &str) -> Option<(Fail, &'static str)> {
    inner_of(inner).err().map(|fail| (fail, INNER))
}

/// What is wrong with a constant network that is expanded, and what to write instead.
fn wrong_expanded(network: &str) -> Option<(Fail, &'static str)> {
    network_of(network).and_then(expandable).err().map(|fail| (fail, NETWORK))
}

/// What is wrong with a constant that is merged, and what to write instead.
fn wrong_merged(network: &str) -> Option<(Fail, &'static str)> {
    range_of(network).err().map(|fail| (fail, NETWORK))
}

/// A run of addresses, with the network as it was written as long as nothing was joined to it.
struct Range {
    first: Address,
    last: Address,
    alone: Option<String>,
}

fn range_of(value: &str) -> Result<Range, Fail> {
    let Ok(address) = value.parse::<IpAddr>() else {
        let network = network_of(value)?;
        // OPA keeps these beside the version 4 ones that they touch.
        if is_v4(network.first) && value.contains(':') {
            return Err(Fail::Argument("takes version 4 networks without `::ffff:` before them"));
        }
        return Ok(Range { first: network.first, last: network.last(), alone: Some(network.show()) });
    };
    let address = number(address);
    if !is_v4(address) {
        return Err(Fail::Argument("takes a version 6 address with its prefix"));
    }
    // The class that the first bits name.
    let prefix = match address >> 28 & 0xf {
        0..=7 => 8,
        8..=11 => 16,
        12..=13 => 24,
        _ => return Err(Fail::Argument("takes an address above 223 with its prefix")),
    };
    let network = Network { first: address & mask(96 + prefix), fixed: 96 + prefix };
    let alone = Some(format!("{}/{prefix}", show(address)));
    Ok(Range { first: network.first, last: network.last(), alone })
}

/// Ranges that overlap or touch become one.
fn joined(mut ranges: Vec<Range>) -> Vec<Range> {
    ranges.sort_by_key(|range| (range.last, range.first));
    let mut joined: Vec<Range> = Vec::new();
    while let Some(mut range) = ranges.pop() {
        while ranges.last().is_some_and(|before| previous(range.first) <= before.last) {
            if let Some(before) = ranges.pop() {
                range = Range { first: range.first.min(before.first), last: range.last, alone: None };
            }
        }
        joined.push(range);
    }
    joined
}

/// The fewest networks that make up a run of addresses.
fn covering(first: Address, last: Address) -> Result<Vec<String>, Fail> {
    if is_v4(first) && !is_v4(last) {
        return Err(Fail::Argument("takes no version 6 networks that touch the version 4 ones"));
    }
    let mut networks = Vec::new();
    let mut next = first;
    loop {
        let left = last - next;
        let fits = if left == u128::MAX { 128 } else { (left + 1).ilog2() };
        let free = next.trailing_zeros().min(fits);
        let network = Network { first: next, fixed: 128 - free };
        networks.push(network.show());
        match network.last().checked_add(1) {
            Some(after) if after <= last => next = after,
            _ => return Ok(networks),
        }
    }
}

/// What a list, a set, an object or a text names: the name, and the text itself or the first of its list.
fn named(value: &Value) -> Result<Vec<(Value, Value)>, Fail> {
    const WANT: Fail = Fail::Argument("takes texts, or lists that begin with one");
    let first = |item: &Value| match item {
        Value::String(_) => Ok(item.clone()),
        Value::Array(items) => items.first().cloned().ok_or(WANT),
        _ => Err(WANT),
    };
    match value {
        Value::String(_) => Ok(vec![(value.clone(), value.clone())]),
        Value::Array(items) => {
            items.iter().enumerate().map(|(at, item)| Ok((Value::from(at), first(item)?))).collect()
        }
        Value::Set(items) => items.iter().map(|item| Ok((item.clone(), first(item)?))).collect(),
        Value::Object(members) => {
            members.iter().map(|(name, item)| Ok((name.clone(), first(item)?))).collect()
        }
        _ => Err(WANT),
    }
}

enum Inner {
    Address(Address),
    Network(Network),
}

fn inner_of(value: &str) -> Result<Inner, Fail> {
    match value.parse::<IpAddr>() {
        Ok(address) => Ok(Inner::Address(number(address))),
        Err(_) => network_of(value).map(Inner::Network),
    }
}

const fn holds(network: Network, inner: &Inner) -> bool {
    match inner {
        Inner::Address(address) => network.contains(*address),
        Inner::Network(inner) => network.contains(inner.first) && network.contains(inner.last()),
    }
}

fn network_of(value: &str) -> Result<Network, Fail> {
    const WANT: Fail = Fail::Argument("takes address/prefix");
    let (address, prefix) = value.split_once('/').ok_or(WANT)?;
    let address: IpAddr = address.parse().map_err(|_| WANT)?;
    if prefix.is_empty() || !prefix.bytes().all(|digit| digit.is_ascii_digit()) {
        return Err(WANT);
    }
    let prefix: u32 = prefix.parse().map_err(|_| WANT)?;
    let before = if address.is_ipv4() { 96 } else { 0 };
    let fixed = prefix.checked_add(before).filter(|fixed| *fixed <= 128).ok_or(WANT)?;
    Ok(Network { first: number(address) & mask(fixed), fixed })
}

fn number(address: IpAddr) -> Address {
    match address {
        IpAddr::V4(address) => MAPPED | Address::from(u32::from(address)),
        IpAddr::V6(address) => Address::from(address),
    }
}

const fn is_v4(address: Address) -> bool {
    address >> 32 == MAPPED >> 32
}

const fn mask(fixed: u32) -> Address {
    if fixed == 0 { 0 } else { Address::MAX << (128 - fixed) }
}

/// The address before; none stands before the first of its version.
const fn previous(address: Address) -> Address {
    if address == MAPPED { address } else { address.saturating_sub(1) }
}

fn show(address: Address) -> String {
    match u32::try_from(address ^ MAPPED) {
        Ok(address) => Ipv4Addr::from(address).to_string(),
        Err(_) => Ipv6Addr::from(address).to_string(),
    }
}
