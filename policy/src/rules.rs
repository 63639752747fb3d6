//! A loaded policy whose rules are asked by name, each in the way in which the entrypoint of a decision is asked.

use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

use regorus::{Engine, Value};

use crate::compile::load;
use crate::document::Document;
use crate::evaluate::Evaluator;
use crate::gate::Purpose;
use crate::problem::LoadError;
use crate::sources::Sources;
use crate::verdict::Cause;

/// Checked and prepared like a policy that goes live, but without an entrypoint of its own: any rule may be asked.
/// For comparing this engine with another, rule by rule.
pub struct Rules {
    engine: Engine,
    fuse: Duration,
    asked: BTreeMap<String, Evaluator>,
}

impl Rules {
    /// Passes the sources through the gate; `fuse` is the longest time of one answer.
    pub fn load(sources: &Sources, fuse: Duration) -> Result<Self, LoadError> {
        Ok(Self { engine: load(sources, Purpose::Queries)?.engine, fuse, asked: BTreeMap::new() })
    }

    /// The value of the rule `data.a.b` for one input, as JSON; none when it is undefined. `now` is the time in Unix
    /// seconds that the policy sees. The engine of a rule is kept from one input to the next, as a worker keeps it.
    pub fn ask(&mut self, rule: &str, input: Document, now: Option<u64>) -> Result<Option<String>, Cause> {
        let fresh = || Evaluator::new(&self.engine, rule, self.fuse);
        let evaluator = self.asked.entry(rule.to_owned()).or_insert_with(fresh);
        let value = evaluator.evaluate(input.into_value(), now)?;
        if value == Value::Undefined {
            return Ok(None);
        }
        let json = serde_json::to_string(&value);
        json.map(Some).map_err(|error| Cause::Error { detail: error.to_string() })
    }
}

impl fmt::Debug for Rules {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Rules").field("fuse", &self.fuse).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const FUSE: Duration = Duration::from_secs(1);

    #[test]
    fn each_rule_is_asked_by_its_name_with_one_input_after_the_other() {
        let text = "package a\nx := input.n + 1\ny contains input.n\nz := 1 / input.n";
        let mut rules = Rules::load(&Sources::from_modules([("a.rego", text)], []), FUSE).unwrap();
        let mut ask = |rule: &str, input: &str| rules.ask(rule, Document::json(input).unwrap(), None);

        assert_eq!(ask("data.a.x", r#"{"n": 1}"#), Ok(Some("2".to_owned())));
        assert_eq!(ask("data.a.x", r#"{"n": 2}"#), Ok(Some("3".to_owned())));
        assert_eq!(ask("data.a.x", "{}"), Ok(None));
        assert_eq!(ask("data.a.y", r#"{"n": 2}"#), Ok(Some("[2]".to_owned())));
        assert!(matches!(ask("data.a.z", r#"{"n": 0}"#), Err(Cause::Error { .. })));
        assert_eq!(ask("data.a.z", r#"{"n": 1}"#), Ok(Some("1".to_owned())));
    }
}
