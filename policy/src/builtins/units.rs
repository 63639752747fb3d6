//! `units.parse` and `units.parse_bytes`: the engine writes out a number of as many digits as the exponent says.

use regorus::Value;

use super::{Fail, text};

/// Longest quantity, in bytes.
const LONGEST: usize = 64;
/// Most digits of an exponent.
const EXPONENT: usize = 2;

/// Lets through a quantity with an exponent of at most two digits. The suffix E, for exa, has none.
pub(super) fn small_exponent(args: &[Value]) -> Result<(), Fail> {
    let [quantity] = args else { return Err(Fail::Argument("takes one quantity")) };
    let quantity = text(quantity)?;
    if quantity.len() > LONGEST {
        return Err(Fail::Limit("a quantity of at most 64 bytes"));
    }
    for (at, _) in quantity.match_indices(['e', 'E']) {
        let exponent = quantity.get(at + 1..).unwrap_or_default().trim_start_matches(['+', '-']);
        if exponent.chars().take_while(char::is_ascii_digit).count() > EXPONENT {
            return Err(Fail::Limit("an exponent of at most two digits"));
        }
    }
    Ok(())
}
