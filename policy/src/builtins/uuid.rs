//! `uuid.parse`: OPA calls reserved what the engine calls by the name of an old system, and knows other times.

use std::collections::BTreeMap;

use regorus::Value;

use super::row::{Builtin, By};
use super::signatures::{OBJECT, TEXT};
use super::{Fail, engines};

pub(super) const ROWS: &[Builtin] = &[Builtin::new("uuid.parse", &[TEXT], OBJECT, By::Ours(parse))];

/// The parts of a UUID; the time of versions 1 and 2 alone, in 64 bits with a sign.
fn parse(args: &[Value]) -> Result<Value, Fail> {
    let parsed = engines("uuid.parse", args).ok_or(Fail::Argument("takes a UUID"))?;
    let members = parsed.as_object().map_err(|_| Fail::Argument("takes a UUID"))?;
    let [variant, time, version] = ["variant", "time", "version"].map(Value::from);
    let timed = members.get(&version).is_some_and(|version| matches!(version.as_u64(), Ok(1 | 2)));
    let member = |(name, value): (&Value, &Value)| {
        let value = if *name == variant && *value == Value::from("NCS") {
            Value::from("Reserved")
        } else if *name == time {
            Value::from(value.as_u64().ok().filter(|_| timed)?.cast_signed())
        } else {
            value.clone()
        };
        Some((name.clone(), value))
    };
    Ok(Value::from(members.iter().filter_map(member).collect::<BTreeMap<_, _>>()))
}
