//! Times by the clock of a zone: what the engine knows of it as OPA does.

use regorus::Value;

use super::{Fail, engines, weigh};

const LOCAL: Fail =
    Fail::Argument("takes a time zone by its name: the one of a machine is another each time");
const BEYOND: Fail = Fail::Argument("takes times before 2100, or in a zone without summer time, as UTC");
/// The first moment of 2100: behind it the engine knows no summer time.
const END: i64 = 4_102_444_800_000_000_000;

/// Noon in the winter and in the summer before it.
const SEASONS: [i64; 2] = [4_070_952_000_000_000_000, 4_086_590_400_000_000_000];

/// Lets through times whose zone has a clock that is known then, each a number or a list of one and the zone's name.
pub(super) fn known(args: &[Value]) -> Result<(), Fail> {
    weigh::linear(args)?;
    for time in args {
        let Value::Array(parts) = time else { continue };
        let [time, Value::String(zone), ..] = parts.as_slice() else { continue };
        match zone.as_ref() {
            "" | "UTC" => {}
            "Local" => return Err(LOCAL),
            zone if time.as_i64().is_ok_and(|time| time >= END) && has_summer(zone) => return Err(BEYOND),
            _ => {}
        }
    }
    Ok(())
}

/// Whether the zone's clock was another in the last summer that is known: of the others the engine knows all to come.
fn has_summer(zone: &str) -> bool {
    let [winter, summer] =
        SEASONS.map(|time| engines("time.clock", &[Value::from(vec![Value::from(time), Value::from(zone)])]));
    winter != summer
}
