//! One character wrong in a policy that is right: what would allow for it in silence is refused at load, by its place and
//! with what to write instead. What cannot be told from what an author may mean loads, as with OPA.

use std::time::Duration;

use postern_policy::{PolicySet, Problem, Sources};

/// Policies that are refused, and behind `====` those that load.
const TYPOS: &str = include_str!("typos.txt");

const DATA: &str = r#"{
    "roles": {"spiffe://a/b": ["admin"]}, "limits": {"small": 10}, "denied": ["x"], "maintenance": false,
    "teams": {"team_a": {}, "team_b": {}}
}"#;

const LIB: &str = r#"package lib

req := input.request

blocked if input.caller.id in data.denied

has_role(id, role) if role in data.roles[id]

owner(c) := c.id

levels := {"admin": 3, "clerk": 1}

friends contains "a"

level[name] := n if some name, n in levels
"#;

fn load(body: &str, before: &str) -> Vec<Problem> {
    let main =
        format!("package postern\n\nimport data.lib\n{before}\n\ndefault decision := false\n\n{body}\n");
    let sources = Sources::from_modules([("main.rego", main.as_str()), ("lib.rego", LIB)], [("", DATA)]);
    let loaded = PolicySet::compile(&sources, "data.postern.decision", Duration::from_secs(1));
    loaded.err().map(|error| error.problems).unwrap_or_default()
}

/// Imports stand before what they are used in.
fn parts(policy: &str) -> (&str, &str) {
    match policy.split_once("\n\n") {
        Some((import, rest)) if import.starts_with("import ") => (rest, import),
        _ => (policy, ""),
    }
}

#[test]
fn a_slip_that_would_allow_is_refused_by_its_place_with_what_to_write() {
    let (refused, _) = TYPOS.split_once("\n====\n").unwrap();
    assert!(refused.split("\n----\n").count() > 60);
    for policy in refused.split("\n----\n") {
        let (body, import) = parts(policy);
        let problems = load(body, import);
        assert!(!problems.is_empty(), "loaded: {policy}");
        for problem in problems {
            assert!(problem.line > 0 && problem.column > 0, "{policy}\n{problem}");
            assert!(!problem.instead.is_empty() && !problem.why.contains("compile"), "{policy}\n{problem}");
        }
    }
}

#[test]
fn what_an_author_may_mean_loads() {
    let (_, free) = TYPOS.split_once("\n====\n").unwrap();
    for policy in free.split("\n----\n") {
        let (body, import) = parts(policy);
        assert_eq!(load(body, import), [], "{policy}");
    }
}

#[test]
fn data_that_is_not_there_is_no_slip_where_it_is_like_nothing_or_put_in() {
    for body in [
        "decision if data.overrides[input.caller.id]",
        "decision if not data.teams.team_c",
        "decision if data.teams[\"team_c\"]",
        "decision if data.denied",
        "decision if data.teams.team_a.x",
        "decision if { some denid in data.denied; denid == \"x\" }",
        "decision if lib.blocked with data.overrides as {}",
        "decision if x with data.denied2 as [\"x\"]\nx if input.caller.id in data.denied2",
    ] {
        assert_eq!(load(body, ""), [], "{body}");
    }
    let problems = load("decision if not data.lib.zzz", "");
    assert!(problems[0].instead.contains("blocked, friends"), "{problems:?}");
}

#[test]
fn a_slip_in_an_import_is_told_there_and_not_again_where_it_is_used() {
    let uses = "decision if limts.small > 3\n\ndecision if not limts.other\n\ndecision if lib.blockd";
    let problems = load(uses, "import data.limts");
    let told: Vec<_> = problems.iter().map(|problem| (problem.line, problem.construct.as_str())).collect();
    assert_eq!(told, [(4, "data.limts"), (12, "data.lib.blockd")]);
}
