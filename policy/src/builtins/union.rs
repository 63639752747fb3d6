//! `object.union_n`: the engine copies all that it has so far for each further object.

use std::collections::BTreeMap;

use regorus::Value;

use super::row::{Builtin, By};
use super::signatures::{LIST, OBJECT};
use super::{Fail, weigh};

pub(super) const ROWS: &[Builtin] = &[Builtin::new("object.union_n", &[LIST], OBJECT, By::Ours(union_n))];

const WANT: Fail = Fail::Argument("takes a list of objects");

/// The members of all objects of a list: of one name the last, and of objects in objects their members too.
fn union_n(args: &[Value]) -> Result<Value, Fail> {
    weigh::deep(args)?;
    let [Value::Array(objects)] = args else { return Err(WANT) };
    let mut all = Members::default();
    for object in objects.iter() {
        let Value::Object(members) = object else { return Err(WANT) };
        all.extend(members.iter());
    }
    Ok(all.value())
}

/// Members by name, objects among them open for more.
#[derive(Default)]
struct Members(BTreeMap<Value, Member>);

enum Member {
    Open(Members),
    Value(Value),
}

impl Members {
    fn extend<'a>(&mut self, members: impl Iterator<Item = (&'a Value, &'a Value)>) {
        for (name, value) in members {
            match (self.0.get_mut(name), value) {
                (Some(Member::Open(open)), Value::Object(members)) => open.extend(members.iter()),
                (_, Value::Object(members)) => {
                    let mut open = Self::default();
                    open.extend(members.iter());
                    self.0.insert(name.clone(), Member::Open(open));
                }
                _ => {
                    self.0.insert(name.clone(), Member::Value(value.clone()));
                }
            }
        }
    }

    fn value(self) -> Value {
        let value = |member| match member {
            Member::Open(open) => open.value(),
            Member::Value(value) => value,
        };
        Value::from(
            self.0.into_iter().map(|(name, member)| (name, value(member))).collect::<BTreeMap<_, _>>(),
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::builtins::turn;

    #[test]
    fn the_last_of_one_name_stays_and_objects_are_put_together() {
        turn::begin(None);
        let json = |text: &str| Value::from_json_str(text).unwrap();
        for (objects, wanted) in [
            ("[]", "{}"),
            (r#"[{"a": 1}, {"a": 2, "b": 3}]"#, r#"{"a": 2, "b": 3}"#),
            (
                r#"[{"a": {"b": 1, "c": {"x": 1}}}, {"a": {"c": {"y": 2}}}]"#,
                r#"{"a": {"b": 1, "c": {"x": 1, "y": 2}}}"#,
            ),
            (r#"[{"a": {"b": 1}}, {"a": 2}, {"a": {"c": 3}}]"#, r#"{"a": {"c": 3}}"#),
        ] {
            assert_eq!(union_n(&[json(objects)]), Ok(json(wanted)), "{objects}");
        }
        assert!(union_n(&[json("[1]")]).is_err() && union_n(&[json("{}")]).is_err());
    }
}
