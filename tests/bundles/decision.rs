//! The page about decisions says what a running Postern does with each of them.

use std::fs;

use postern_tests::parts::present;
use serde_json::{Map, Value};

use super::schema::printed;
use super::site::{Site, place};
use super::{folder, opa};

const PAGE: &str = include_str!("../../proxy/docs/decision.md");

/// Each decision that stands in it, so that one which no policy may write is asked about too.
const POLICY: &str =
    "package postern\n\ndefault decision := false\n\ndecision := data.said[input.request.segments[0]]\n";

/// The page's examples: what they are answered with, and the decision.
fn examples() -> Vec<(&'static str, Value)> {
    let blocks = PAGE.split("```json ").skip(1).filter_map(|block| block.split("```").next());
    let example = |block: &'static str| {
        let (answer, decision) = block.split_once('\n').expect("an answer and a decision");
        (answer, serde_json::from_str(decision).expect("a decision is JSON"))
    };
    blocks.map(example).collect()
}

#[test]
fn every_decision_on_the_page_is_answered_as_it_says() {
    if !present("every_decision_on_the_page_is_answered_as_it_says", &["curl"]) {
        return;
    }
    let examples = examples();
    assert_eq!(examples.len(), PAGE.matches("```").count() / 2, "a block that nothing runs");
    let said: Map<String, Value> =
        examples.iter().enumerate().map(|(at, (_, decision))| (at.to_string(), decision.clone())).collect();
    let folder = place();
    fs::create_dir_all(folder.path().join("main/said")).unwrap();
    fs::write(folder.path().join("main/main.rego"), POLICY).unwrap();
    fs::write(folder.path().join("main/said/data.json"), Value::Object(said).to_string()).unwrap();
    let site = Site::start(folder, "main: { path: main }");

    for (at, (answer, decision)) in examples.iter().enumerate() {
        let (status, body, record) = site.request_for(&format!("/{at}"));

        let (want, code) = answer.split_once(' ').unwrap_or((answer, ""));
        assert_eq!(
            (status.to_string().as_str(), record["code"].as_str().unwrap_or_default()),
            (want, code),
            "{decision}: {record}"
        );
        if code.is_empty() || code == "PST-AZ-010" {
            for member in ["rule", "reason", "record"] {
                let told = record["decision"].get(member).unwrap_or(&Value::Null);
                assert_eq!(told, decision.get(member).unwrap_or(&Value::Null), "{member} of {decision}");
                assert!(told.is_null() || !body.contains(&told.to_string()), "the caller hears {told}");
            }
        }
        if let Some(detail) = decision.pointer("/deny/body") {
            let body: Value = serde_json::from_str(&body).unwrap();
            assert_eq!(body["detail"], *detail);
        }
        if let Some(credential) = decision.get("credential").filter(|_| code.is_empty()) {
            assert_eq!(record["credential"]["name"], *credential);
        }
    }
}

/// What has the form of a decision and says what none may say.
const FORM_ALONE: [&str; 2] = [
    r#"{"allow":true,"headers":{"set":{"authorization":["Basic eDp5"]}}}"#,
    r#"{"allow":true,"deny":{"status":403}}"#,
];

#[test]
fn every_decision_on_the_page_is_what_the_printed_schema_says_of_it() {
    if !present("every_decision_on_the_page_is_what_the_printed_schema_says_of_it", &["opa"]) {
        return;
    }
    let mut schema: Value = serde_json::from_str(&printed(&["--of", "decision"])).unwrap();
    // OPA's own validator knows no draft as new as this one, and reads all of it that is used here.
    schema.as_object_mut().unwrap().remove("$schema");
    let examples = examples();
    let decisions: Vec<&Value> = examples.iter().map(|(_, decision)| decision).collect();
    // Nor does it take what is no object.
    let schema = serde_json::json!({"properties": {"decision": schema}});
    let input = serde_json::json!({"schema": schema, "decisions": decisions}).to_string();
    let folder = folder(&[("input.json", input.as_str())]);
    let query = "[valid | some decision in input.decisions; \
                 [valid, _] := json.match_schema({\"decision\": decision}, input.schema)]";
    let said = opa(folder.path(), &["eval", "--input", "input.json", "--format", "raw", query]);
    let valid: Vec<bool> = serde_json::from_str(said.trim()).unwrap();

    assert_eq!(valid.len(), examples.len());
    for ((answer, decision), valid) in examples.iter().zip(valid) {
        let formed = !answer.ends_with("PST-AZ-015") || FORM_ALONE.contains(&decision.to_string().as_str());
        assert_eq!(valid, formed, "{decision}: {answer}");
    }
}
