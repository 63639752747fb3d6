use std::process::Command;

use postern_policy::{decision_schema, input_schema};
use postern_tests::parts::{present, program};

use super::folder;

/// Whether `opa check` takes a rule of this body, where the package names our schemas.
fn taken(body: &str) -> bool {
    let text = format!(
        "# METADATA\n# scope: package\n# schemas:\n#   - input: schema.input\n#   - data.decided: schema.decision\n\
         package postern\n\nx if {body}\n"
    );
    let (input, decision) = (input_schema().to_string(), decision_schema().to_string());
    let files = [
        ("policy/main.rego", text.as_str()),
        ("schemas/input.json", input.as_str()),
        ("schemas/decision.json", decision.as_str()),
    ];
    let folder = folder(&files);
    let mut opa = Command::new(program("opa"));
    let check = ["check", "--schema", "schemas", "policy"];
    opa.current_dir(folder.path()).args(check).output().expect("opa runs").status.success()
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
