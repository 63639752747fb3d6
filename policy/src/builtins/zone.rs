//! Times by the clock of a zone: what the engine knows of it as OPA does.

use regorus::Value;

use super::{Fail, weigh};

const LOCAL: Fail =
    Fail::Argument("takes a time zone by its name: the one of a machine is another each time");
const BEYOND: Fail = Fail::Argument("takes times before 2100, or in UTC: of no zone is more known");
/// The first moment of 2100: behind it the engine knows no summer time.
const END: i64 = 4_102_444_800_000_000_000;

/// Lets through times whose zone has a clock that is known then, each a number or a list of one and the zone's name.
pub(super) fn known(args: &[Value]) -> Result<(), Fail> {
    weigh::linear(args)?;
    for time in args {
        let Value::Array(parts) = time else { continue };
        let [time, Value::String(zone), ..] = parts.as_slice() else { continue };
        match zone.as_ref() {
            "" | "UTC" => {}
            "Local" => return Err(LOCAL),
            _ if time.as_i64().is_ok_and(|time| time >= END) => return Err(BEYOND),
            _ => {}
        }
    }
    Ok(())
}
