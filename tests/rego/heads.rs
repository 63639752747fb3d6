//! A constant member beside a computed one of the same object: what reads it by its name asks both rules.

use postern_policy::AskError;

use crate::{opa_of, ours_of};

const COMPUTED: &str = "package a\ndenied[u] if some u in input.us\nroles[u] := \"user\" if some u in input.us\n\
                        p.q[u] := 1 if some u in input.us\n";

/// A rule beside those, and what is asked.
const RULES: [(&str, &str); 12] = [
    ("denied.root if input.x", "y if not denied.root"),
    ("denied[\"root\"] if input.x", "y := denied"),
    ("denied[ `root` ] if input.x", "y if denied[\"root\"]"),
    ("denied.root := true", "y if denied.root"),
    ("denied.root if input.x", "y if not data.a.denied[\"root\"]"),
    ("roles.root := \"user\" if input.x", "y := roles.root"),
    ("roles.root := \"user\"", "y := [1 | roles.root == \"user\"]"),
    ("roles.root := \"user\"", "y if not roles.root == \"user\""),
    ("roles[\"root\"] = \"user\" if input.x", "y := roles.root"),
    ("roles.bob := \"user\"", "y := roles.bob"),
    ("p.q.root := 1 if input.x", "y := p.q.root"),
    ("p[\"q\"].root := 1", "y if count(p.q) == 1"),
];

const INPUTS: [&str; 4] = [
    "{\"us\": [\"root\"]}",
    "{\"us\": [\"bob\"]}",
    "{\"us\": [], \"x\": 1}",
    "{\"us\": [\"root\"], \"x\": 1}",
];

#[test]
fn a_constant_member_is_asked_for_together_with_the_computed_ones() {
    for (rule, asked) in RULES {
        let rest = INPUTS.map(|input| format!("z contains v if v := y with input as {input}\n"));
        for with in rest {
            let asked = format!("{asked}\n{with}");
            let one = format!("{COMPUTED}{rule}\n{asked}");
            assert_eq!(
                ours_of(&[("a.rego", &one)], "data.a.z").unwrap(),
                opa_of(&[("a.rego", &one)], "data.a.z"),
                "{one}"
            );
        }
    }
    let modules = [
        ("a.rego", &*format!("{COMPUTED}y if not denied.root with input as {{\"us\": [\"root\"]}}\n")),
        ("b.rego", "package a\ndenied.root if input.x\n"),
    ];
    assert_eq!(ours_of(&modules, "data.a.y").unwrap(), opa_of(&modules, "data.a.y"));
}

#[test]
fn two_values_of_one_member_contradict_one_another() {
    // OPA ends with an error, as does Postern.
    let module = format!(
        "{COMPUTED}roles.root := \"admin\"\ny if roles.root == \"admin\" with input as {{\"us\": [\"root\"]}}\n"
    );
    let error = ours_of(&[("a.rego", &module)], "data.a.y").unwrap_err().to_string();
    assert!(error.contains("the policy contradicts itself"), "{error}");
}

#[test]
fn what_cannot_be_asked_for_together_is_refused() {
    for rule in [
        "default denied.root := false",
        "default roles.alice := \"user\"",
        "roles.alice.x := 1",
        "roles.alice contains 1",
        "denied.root(x) := x",
    ] {
        let module = format!("{COMPUTED}{rule}\n");
        let error = ours_of(&[("a.rego", &module)], "data.a.denied").unwrap_err().to_string();
        assert!(error.contains("whose member is computed there"), "{rule}: {error}");
    }
    let below = [("a.rego", COMPUTED), ("b.rego", "package a.denied\nroot if input.x\n")];
    assert!(ours_of(&below, "data.a.denied").is_err());
}

#[test]
fn what_the_computed_members_are_asked_for_by_the_constant_one_is_refused() {
    for rules in [
        "roles.root := \"a\" if roles.bob",
        "roles.root := \"a\" if q\nq if roles[\"bob\"]",
        "p.q.root := 1 if count(p) > 7",
        "denied.root if not denied.bob",
    ] {
        let module = format!("{COMPUTED}{rules}\n");
        let error = ours_of(&[("a.rego", &module)], "data.a.denied").unwrap_err();
        let AskError::Refused(_) = error else { panic!("{rules}: {error}") };
    }
    let module = format!("{COMPUTED}roles.root := \"a\" if roles.bob\n");
    opa_of(&[("a.rego", &module)], "data.a.roles");
    let error = ours_of(&[("a.rego", &module)], "data.a.roles").unwrap_err().to_string();
    assert!(error.contains("is asked for with the computed members of data.a.roles"), "{error}");
}
