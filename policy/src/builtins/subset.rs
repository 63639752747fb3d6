//! `object.subset`: the engine panics on an empty list, and has another answer for a list and a set.

use regorus::Value;

use super::row::{Builtin, By};
use super::signatures::{BOOL, GROUPS};
use super::{Fail, weigh};

pub(super) const ROWS: &[Builtin] =
    &[Builtin::new("object.subset", &[GROUPS, GROUPS], BOOL, By::Ours(subset))];

/// Whether the second value is in the first one: an object's members, a set's values, a list's part in its order, or
/// the values of a set in a list. Undefined, as in OPA, for two others.
fn subset(args: &[Value]) -> Result<Value, Fail> {
    let [of, part] = args else { return Err(Fail::Argument("takes two values")) };
    weigh::product(args)?;
    weigh::deep(args)?;
    match (of, part) {
        (Value::Object(_), Value::Object(_))
        | (Value::Set(_), Value::Set(_))
        | (Value::Array(_), Value::Array(_)) => Ok(Value::from(within(of, part))),
        // Not as members of others: a set is in no list there.
        (Value::Array(of), Value::Set(part)) => {
            let met = of.iter().filter(|item| part.contains(item)).count();
            // OPA counts a value as often as it stands in the list, and has nothing in an empty one.
            Ok(Value::from(!of.is_empty() && met >= part.len()))
        }
        (
            Value::Object(_) | Value::Set(_) | Value::Array(_),
            Value::Object(_) | Value::Set(_) | Value::Array(_),
        ) => Ok(Value::Undefined),
        _ => Err(Fail::Argument("takes two objects, sets or lists, or a list and a set")),
    }
}

fn within(of: &Value, part: &Value) -> bool {
    match (of, part) {
        (Value::Object(of), Value::Object(part)) => {
            part.iter().all(|(name, part)| of.get(name).is_some_and(|of| within(of, part)))
        }
        (Value::Set(of), Value::Set(part)) => part.iter().all(|item| of.contains(item)),
        (Value::Array(of), Value::Array(part)) => {
            part.is_empty() || of.as_slice().windows(part.len()).any(|window| window == part.as_slice())
        }
        _ => of == part,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::builtins::turn;

    #[test]
    fn the_values_of_a_set_are_in_a_list_as_a_whole_and_not_as_a_member() {
        turn::begin(None);
        let list = Value::from_json_str("[2, 1, 3]").unwrap();
        let set = Value::from(std::collections::BTreeSet::from([Value::from(1_u64), Value::from(2_u64)]));
        let member = |value: &Value| {
            Value::from(std::collections::BTreeMap::from([(Value::from("a"), value.clone())]))
        };
        assert_eq!(subset(&[list.clone(), set.clone()]), Ok(Value::from(true)));
        assert_eq!(subset(&[member(&list), member(&set)]), Ok(Value::from(false)));
        assert_eq!(subset(&[set, list]), Ok(Value::Undefined));
    }

    #[test]
    fn an_empty_list_is_part_of_any() {
        turn::begin(None);
        let json = |text: &str| Value::from_json_str(text).unwrap();
        let asked = |of: &str, part: &str| subset(&[json(of), json(part)]);
        for (of, part, wanted) in [
            ("[1, 2]", "[]", true),
            ("[]", "[]", true),
            ("[1, 2, 3]", "[2, 3]", true),
            ("[1, 2, 3]", "[1, 3]", false),
            ("[]", "[1]", false),
            (r#"{"a": {"b": [1]}}"#, r#"{"a": {"b": []}}"#, true),
            (r#"{"a": {"b": 1}}"#, r#"{"a": {"c": 1}}"#, false),
        ] {
            assert_eq!(asked(of, part), Ok(Value::from(wanted)), "{of} {part}");
        }
        assert!(asked("1", "[]").is_err());
    }
}
