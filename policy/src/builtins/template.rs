//! `internal.template_string`, which `$"…{x}…"` stands for.

use regorus::Value;

use super::row::{Builtin, By};
use super::signatures::{LIST, TEXT};
use super::{Fail, sprintf, weigh};

pub(super) const ROWS: &[Builtin] =
    &[Builtin::new("internal.template_string", &[LIST], TEXT, By::Added(template_string)).said("$\"…\"")];

/// Most bytes that come out.
const MOST: usize = 1024 * 1024;

/// The parts one after the other: text as it is, a set as its one member or as `<undefined>`.
fn template_string(args: &[Value]) -> Result<Value, Fail> {
    let [Value::Array(parts)] = args else { return Err(Fail::Argument("takes a list of parts")) };
    weigh::deep(args)?;
    let mut out = String::new();
    for part in parts.iter() {
        match part {
            Value::String(text) => out.push_str(text),
            Value::Set(values) if values.is_empty() => out.push_str("<undefined>"),
            Value::Set(values) => {
                let mut values = values.iter();
                match (values.next(), values.next()) {
                    (Some(value), None) => out.push_str(&sprintf::shown(value)),
                    _ => return Err(Fail::Argument("takes expressions with one value each")),
                }
            }
            _ => return Err(Fail::Argument("takes parts that are text or sets")),
        }
    }
    if out.len() > MOST {
        return Err(Fail::Limit("at most 1 MiB of text"));
    }
    weigh::pay(out.len())?;
    Ok(Value::from(out))
}
