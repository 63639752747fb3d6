use std::ffi::OsString;
use std::process::{Command, Output};

use postern::command;
use postern_tests::parts::{present, program};

use super::folder;

/// What `postern policy schema` prints.
pub(super) fn printed(words: &[&str]) -> String {
    let words = ["postern", "policy", "schema"].iter().chain(words).map(OsString::from);
    let outcome = command::main(words);
    assert_eq!((outcome.exit, outcome.err.as_str()), (command::Exit::Done, ""));
    outcome.out
}

/// What a verb of `opa` makes of a rule of this body, where the package names the schemas that are printed.
fn told(verb: &[&str], body: &str) -> Output {
    let text = format!(
        "# METADATA\n# scope: package\n# schemas:\n#   - input: schema.input\n#   - data.decided: schema.decision\n\
         package postern\n\nx if {body}\n"
    );
    let (input, decision) = (printed(&[]), printed(&["--of", "decision", "--format", "json"]));
    let files = [
        ("policy/main.rego", text.as_str()),
        ("schemas/input.json", input.as_str()),
        ("schemas/decision.json", decision.as_str()),
    ];
    let folder = folder(&files);
    let mut opa = Command::new(program("opa"));
    opa.current_dir(folder.path()).args(verb).output().expect("opa runs")
}

/// Whether `opa check` takes it, and `opa eval` says the same.
fn taken(body: &str) -> bool {
    let check = told(&["check", "--schema", "schemas", "policy"], body);
    let eval = told(&["eval", "--schema", "schemas", "--data", "policy", "data.postern.x"], body);
    let said = String::from_utf8_lossy(&[check.stdout, check.stderr].concat()).into_owned();
    assert_eq!(check.status.success(), eval.status.success(), "{body}: {said}");
    assert!(check.status.success() || said.contains("policy/main.rego:8: rego_type_error"), "{body}: {said}");
    check.status.success()
}

#[test]
fn opa_checks_an_annotated_policy_by_the_schemas_that_we_print() {
    if !present("opa_checks_an_annotated_policy_by_the_schemas_that_we_print", &["opa"]) {
        return;
    }
    for body in [
        "input.request.method == \"GET\"",
        "input.request.headers[\"x-a\"][0] == \"b\"",
        "input.caller.x509.serial == \"5f\"",
        "input.credentials.app.state == \"live\"",
        "input.request.body.value.lines[0].amount > 3",
        "data.decided.allow",
    ] {
        assert!(taken(body), "{body}");
    }
    for body in [
        "input.reqest.method == \"GET\"",
        "input.request.methud == \"GET\"",
        "input.caller.x509.serial == 3",
        "data.decided.alow",
    ] {
        assert!(!taken(body), "{body}");
    }
}
