//! Data in a rule's place: the engine would mix the two, and who writes data could write decisions.

use regorus::Value;

use super::names::{Names, Path};
use crate::problem::{Problem, Problems};

/// Refuses data that stands where a rule does, or where a rule's package should be.
pub(super) fn check(data: &Value, names: &Names, problems: &mut Problems) {
    for rule in &names.rules {
        if let Some(place) = shadowed(data, rule) {
            let why = format!("is data, where the rule {} stands", rule.join("."));
            problems.push(Problem::of("", &place, why, "another name for the data or for the rule"));
        }
    }
}

/// The place on the way to the rule at which data stands that is no object, or stands at all.
fn shadowed(data: &Value, rule: &Path) -> Option<String> {
    let mut here = data;
    for (index, member) in rule.iter().enumerate().skip(1) {
        let Value::Object(members) = here else { return rule.get(..index).map(|path| path.join(".")) };
        here = members.get(&Value::from(member.as_str()))?;
    }
    Some(rule.join("."))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn data_beside_a_rule_is_let_in_and_data_in_its_place_is_not() {
        let rule: Path = ["data", "a", "b", "x"].map(str::to_owned).to_vec();
        let at = |json: &str| shadowed(&Value::from_json_str(json).unwrap(), &rule);

        assert_eq!(at("{}"), None);
        assert_eq!(at(r#"{"a": {"b": {"y": 1}, "c": 2}}"#), None);
        assert_eq!(at(r#"{"a": {"b": {"x": false}}}"#).as_deref(), Some("data.a.b.x"));
        assert_eq!(at(r#"{"a": {"b": 1}}"#).as_deref(), Some("data.a.b"));
        assert_eq!(at(r#"{"a": [1]}"#).as_deref(), Some("data.a"));
    }
}
