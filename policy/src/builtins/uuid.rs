//! `uuid.parse`: OPA calls reserved what the engine calls by the name of an old system.

use std::collections::BTreeMap;

use regorus::Value;

use super::row::{Builtin, By};
use super::signatures::{OBJECT, TEXT};
use super::{Fail, engines};

pub(super) const ROWS: &[Builtin] = &[Builtin::new("uuid.parse", &[TEXT], OBJECT, By::Ours(parse))];

/// The parts of a UUID.
fn parse(args: &[Value]) -> Result<Value, Fail> {
    let parsed = engines("uuid.parse", args).ok_or(Fail::Argument("takes a UUID"))?;
    let members = parsed.as_object().map_err(|_| Fail::Argument("takes a UUID"))?;
    let (variant, old) = (Value::from("variant"), Value::from("NCS"));
    let member = |(name, value): (&Value, &Value)| {
        let reserved = *name == variant && *value == old;
        (name.clone(), if reserved { Value::from("Reserved") } else { value.clone() })
    };
    Ok(Value::from(members.iter().map(member).collect::<BTreeMap<_, _>>()))
}
