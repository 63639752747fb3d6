//! Ten times the data: what a policy would be asked next year.

use std::collections::BTreeSet;

use serde_json::{Map, Value};

use crate::kind::written;
use crate::sources::Sources;

const TIMES: usize = 10;
/// From so many members on an object is a collection, whatever they are.
const MANY: usize = 8;

/// The sources with ten times the members in each collection of their data, and where those stand. Copies come behind
/// what is there, under names of their own, so that what was found before is found again.
pub(super) fn tenfold(sources: &Sources) -> Result<(Sources, Vec<String>), &'static str> {
    if sources.data.is_empty() {
        return Err("the policy has no data");
    }
    let (mut large, mut grown) = (sources.clone(), Vec::new());
    for file in &mut large.data {
        // What is not JSON is refused with the policy.
        let Ok(mut value) = serde_json::from_str(&file.text) else { continue };
        let at: String = file.path.iter().map(|name| written(name)).collect();
        grow(&mut value, &format!("data{at}"), &mut grown);
        file.text = value.to_string();
    }
    grown.sort();
    if grown.is_empty() { Err("its data has no list and no collection") } else { Ok((large, grown)) }
}

fn grow(value: &mut Value, at: &str, grown: &mut Vec<String>) {
    match value {
        Value::Array(items) if !items.is_empty() => {
            let one = items.clone();
            for _ in 1..TIMES {
                items.extend(one.iter().cloned());
            }
            grown.push(at.to_owned());
        }
        Value::Object(members) if is_collection(members) => {
            for (name, value) in members.clone() {
                for copy in 2..=TIMES {
                    members.insert(format!("{name}~{copy}"), value.clone());
                }
            }
            grown.push(at.to_owned());
        }
        Value::Object(members) => {
            let inside = |name: &str| format!("{at}{}", written(name));
            members.iter_mut().for_each(|(name, value)| grow(value, &inside(name), grown));
        }
        _ => {}
    }
}

/// Whether an object's members are all of one kind, rather than each of its own.
fn is_collection(members: &Map<String, Value>) -> bool {
    let names =
        |value: &Value| value.as_object().map(|object| object.keys().cloned().collect::<BTreeSet<_>>());
    let mut values = members.values();
    let Some(first) = values.next().and_then(names) else { return members.len() >= MANY };
    let alike = members.len() > 1 && values.all(|value| names(value).as_ref() == Some(&first));
    alike || members.len() >= MANY
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn collections_are_grown_once_and_what_describes_something_is_not() {
        let data = serde_json::json!({
            "roles": {"a": {"may": ["x"]}, "b": {"may": ["y", "z"]}},
            "hours": {"from": 8, "to": 18},
            "teams": ["blue", "red"],
            "none": [],
            "by-site": {"a.b": ["x"]},
        });
        let sources =
            Sources::from_modules([("a.rego", "package a")], [("estate/9z", data.to_string().as_str())]);

        let (large, grown) = tenfold(&sources).unwrap();

        assert_eq!(
            grown,
            [
                r#"data.estate["9z"].roles"#,
                r#"data.estate["9z"].teams"#,
                r#"data.estate["9z"]["by-site"]["a.b"]"#
            ]
        );
        let large: Value = serde_json::from_str(&large.data[0].text).unwrap();
        assert_eq!(large["roles"].as_object().unwrap().len(), 20);
        assert_eq!(
            (&large["roles"]["b~10"]["may"], &large["hours"]),
            (&data["roles"]["b"]["may"], &data["hours"])
        );
        assert_eq!(large["teams"].as_array().unwrap().len(), 20);
    }
}
