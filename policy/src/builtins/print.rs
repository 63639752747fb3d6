//! `internal.print` and `internal.test_case`, which OPA has for `print` and for the cases of a test too: what they say is
//! kept beside the evaluation, as much of it as that may say.

use regorus::Value;

use super::row::{Builtin, By};
use super::signatures::ANY;
use super::{Fail, sprintf, turn};

pub(super) const ROWS: &[Builtin] = &[
    Builtin::new("internal.print", &[ANY, ANY], ANY, By::Within(print, "print")),
    Builtin::new("internal.test_case", &[ANY], ANY, By::Within(test_case, "print")),
];

/// The place of the call, and the values of each argument; none where it is undefined.
fn print(args: &[Value]) -> Result<Value, Fail> {
    let [Value::String(place), Value::Array(arguments)] = args else {
        return Err(Fail::Argument("takes a place and a list of sets"));
    };
    let (mut line, mut whole) = (String::new(), true);
    for (index, argument) in arguments.iter().enumerate() {
        // What would not be kept is not made into text.
        whole = turn::may_print(line.len());
        if !whole {
            break;
        }
        line.push_str(if index == 0 { "" } else { " " });
        // Of several values the gate knows none: a name in an argument has one.
        match argument.as_set().ok().and_then(|values| values.iter().next()) {
            Some(value) => line.push_str(&sprintf::shown(value)),
            None => line.push_str("<undefined>"),
        }
    }
    turn::print(place, line, whole);
    Ok(Value::Bool(true))
}

/// The keys of a case that is tried.
fn test_case(args: &[Value]) -> Result<Value, Fail> {
    let [Value::Array(keys)] = args else { return Err(Fail::Argument("takes a list of keys")) };
    if turn::try_case(keys.to_vec()) {
        Ok(Value::Bool(true))
    } else {
        Err(Fail::Limit("at most 100,000 cases of one test"))
    }
}
