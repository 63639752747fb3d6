//! Real Rego, real requests: each way a decision can fail to come about is a refusal with its own cause.
#![expect(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking, its helpers too")]

use std::sync::Arc;
use std::time::Duration;

use postern_policy::{Cause, Judge, PolicySet, Recorded, Refusal, Sources, Verdict};

const FUSE: Duration = Duration::from_millis(20);

fn judge(body: &str) -> Judge {
    let text = format!("package postern\ndefault decision := false\n{body}");
    let sources =
        Sources::from_modules([("main.rego", text.as_str())], [("roles", r#"{"clerk": ["post"]}"#)]);
    let policy =
        PolicySet::compile(&sources, "data.postern.decision", FUSE).unwrap_or_else(|error| panic!("{error}"));
    Judge::new(Arc::new(policy))
}

fn request() -> Recorded {
    Recorded::parse(r#"{"caller": {"id": "spiffe://a/b", "path": ["b"]}, "request": {"method": "GET"}, "now": 1795300123}"#)
        .unwrap()
}

#[track_caller]
fn cause(body: &str) -> Cause {
    match judge(body).judge(&request()) {
        Verdict::Deny(refusal) => refusal.cause,
        Verdict::Allow(_) => panic!("allowed: {body}"),
    }
}

/// The quickest of three: what is asked is what the refusal costs, not what else the machine does.
#[track_caller]
fn denied(body: &str) -> Refusal {
    let mut judge = judge(body);
    let refusals = (0..3).map(|_| match judge.judge(&request()) {
        Verdict::Deny(refusal) => refusal,
        Verdict::Allow(_) => panic!("allowed: {body}"),
    });
    refusals.min_by_key(|refusal| refusal.us).unwrap()
}

#[test]
fn a_rule_that_holds_allows_and_is_named() {
    let body = r#"decision := {"allow": true, "rule": "readers"} if {
        input.request.method == "GET"
        "post" in data.roles.clerk
    }"#;

    let verdict = judge(body).judge(&request());

    assert!(matches!(verdict, Verdict::Allow(yes) if yes.rule.as_deref() == Some("readers")));
}

#[test]
fn no_rule_that_holds_is_the_policys_no() {
    assert_eq!(cause(r#"decision := true if input.request.method == "POST""#), Cause::Policy);
}

#[test]
fn an_error_is_a_refusal_also_under_not() {
    assert!(matches!(cause("decision := true if to_number(\"zzz\") > 1"), Cause::Error { .. }));
    assert!(matches!(
        cause("bad if to_number(\"zzz\") > 1\ndecision := true if not bad"),
        Cause::Error { .. }
    ));
}

#[test]
fn two_rules_that_disagree_are_a_conflict() {
    let body = "decision := true if input.now > 1\ndecision := {\"allow\": true} if input.now > 2";
    assert!(matches!(cause(body), Cause::Conflict { .. }));
    let body = "f(x) := 1 if x > 1\nf(x) := 2 if x > 2\ndecision := true if f(input.now) == 1";
    assert!(matches!(cause(body), Cause::Conflict { .. }));
    let body = "decision := true if count({\"a\": x | some x in [input.now, 2]}) == 1";
    assert!(matches!(cause(body), Cause::Conflict { .. }));
}

#[test]
fn a_conflict_names_its_rule_and_line() {
    for (body, told) in [
        (
            "x := 1 if input.now > 1\nx := 2 if input.now > 2\ndecision if x",
            ":4: `x` conflicts with the rule at ",
        ),
        (
            "f(x) := 1 if x > 1\nf(x) := 2 if x > 2\ndecision if f(input.now) == 1",
            ":5: `f` gives different values for the same arguments",
        ),
        (
            "f(x) := y if some y in [x, 1]\ndecision if f(input.now) == 1",
            ":4: `f` gives several values for the same arguments: ",
        ),
        ("x := y if some y in [input.now, 1]\ndecision if x", ":3: `x` has several values"),
        (
            "x[k] := y if { some k in [\"a\"]; some y in [input.now, 1] }\ndecision if x.a",
            ":3: `x` has several values for one key",
        ),
        (
            "x[k] := 1 if k := input.request.method\nx[k] := 2 if k := input.request.method\ndecision if x",
            ":4: `x` conflicts with the rule at ",
        ),
    ] {
        let Cause::Conflict { detail } = cause(body) else { panic!("{body}") };
        assert!(detail.contains(told), "{body}: {detail}");
    }
}

#[test]
fn a_comprehension_where_the_engine_evaluates_none_is_told_in_our_words_by_its_line() {
    let Cause::Error { detail } = cause("decision if f([input.now])\nf([1 | true]) := 1") else { panic!() };
    assert!(detail.starts_with("main.rego:4: a comprehension among the arguments"), "{detail}");
}

#[test]
fn a_runaway_loop_is_stopped_by_the_fuse() {
    let body = "nines := [9, 9, 9, 9, 9, 9, 9, 9, 9]\ndecision := true if {
        some a in nines; some b in nines; some c in nines; some d in nines; some e in nines
        some f in nines; some g in nines; some h in nines; a + b + c + d + e + f + g + h == 1
    }";
    let refusal = denied(body);

    assert_eq!(refusal.cause, Cause::Late { fuse: FUSE });
    assert!(refusal.us < 1_000_000, "minutes unless stopped: {} us", refusal.us);
}

#[test]
fn what_one_call_could_cost_is_refused_by_the_builtins_name_and_at_once() {
    for (builtin, call) in [
        ("net.cidr_expand", "net.cidr_expand(concat(\"/\", [\"10.0.0.0\", \"8\"]))"),
        ("sprintf", "sprintf(\"%100000000d\", [input.now])"),
        ("numbers.range", "numbers.range(1, 5000000)"),
        ("net.cidr_merge", "net.cidr_merge(numbers.range(1, 5000))"),
    ] {
        for body in
            [format!("decision := true if {call}"), format!("bad if {call}\ndecision := true if not bad")]
        {
            let refusal = denied(&body);
            assert!(
                matches!(refusal.cause, Cause::Oversize { builtin: name, .. } if name == builtin),
                "{refusal:?}"
            );
            assert!(refusal.us < 100_000, "{builtin}: {} us", refusal.us);
        }
    }
}

#[test]
fn a_judge_goes_on_after_a_refusal_of_any_kind() {
    let mut judge = judge(
        r#"decision := true if input.now == 1
        decision := object.union({"allow": true}, {"no_such_member": 1}) if input.now == 2
        decision := true if { input.now == 3; to_number("x") == 1 }
        decision := true if { input.now == 4; some i in [1, 2]; with_other(i) }
        with_other(_) if input.now == 4 with input as {"now": to_number("x")}"#,
    );
    let at = |now: u32| Recorded::parse(&format!(r#"{{"now": {now}}}"#)).unwrap();
    for round in 0..3 {
        assert!(matches!(judge.judge(&at(1)), Verdict::Allow(_)), "round {round}");
        for now in 2..5 {
            assert!(matches!(judge.judge(&at(now)), Verdict::Deny(_)), "round {round}, case {now}");
        }
    }
}

#[test]
fn an_input_nested_too_deep_is_refused_unasked() {
    struct Deep;
    impl postern_policy::Facts for Deep {
        fn leaf(&self, _: postern_policy::LeafId) -> postern_policy::Leaf<'_> {
            postern_policy::Leaf::Absent
        }
        fn document(&self) -> postern_policy::Document {
            let leaf = postern_policy::Document::null();
            (0..100).fold(leaf, |inner, _| postern_policy::Document::list([inner]))
        }
    }
    let Verdict::Deny(refusal) = judge("decision := true").judge(&Deep) else { panic!("allowed") };

    assert_eq!(refusal.cause, Cause::Depth { depth: 100 });
}

#[test]
fn a_decision_of_rules_that_are_always_there_needs_no_default() {
    let compiled = |decision: &str| {
        let text = format!(
            "package postern\nimport data.lib\ndefault allow := false\nallow if input.now == 1\n\
             default name := \"none\"\nname := \"one\" if allow\nreasons contains \"late\" if input.now > 5\n\
             some_time if input.now > 3\n{decision}\n"
        );
        let lib = "package lib\ndefault allow := false\ndefault open := true\nallow if input.now == 2";
        let sources = Sources::from_modules([("main.rego", text.as_str()), ("lib.rego", lib)], []);
        PolicySet::compile(&sources, "data.postern.decision", FUSE)
    };
    for (decision, allows) in [
        (r#"decision := {"allow": allow}"#, 1),
        (r#"decision := {"allow": allow, "rule": name}"#, 1),
        (r#"decision := {"allow": lib.allow, "rule": data.postern.name}"#, 2),
        ("decision := allow", 1),
    ] {
        let policy = compiled(decision).unwrap_or_else(|error| panic!("{decision}: {error}"));
        let mut judge = Judge::new(Arc::new(policy));
        for now in 1..4 {
            let verdict = judge.judge(&Recorded::parse(&format!(r#"{{"now": {now}}}"#)).unwrap());
            assert_eq!(matches!(verdict, Verdict::Allow(_)), now == allows, "{decision} at {now}");
        }
    }
    for decision in [
        r#"decision := {"allow": allow} if input.now > 1"#,
        r#"decision := {"allow": allow, "rule": input.route}"#,
        r#"decision := {"allow": some_time}"#,
        r#"decision := {"allow": lib.open}"#,
        r#"decision := {"allow": true}"#,
        r#"decision := {"allow": allow == true}"#,
        r#"decision := {"rule": name}"#,
        r#"decision := {"allow": allow, "rule": lib.nothing}"#,
        "decision := not_there",
        "decision := {\"allow\": allow}\ndecision := {\"allow\": true} if input.now == 3",
    ] {
        let error = compiled(decision).expect_err(decision).to_string();
        assert!(error.contains("has no default"), "{decision}: {error}");
    }
}

#[test]
fn a_policy_without_a_default_that_refuses_is_not_loaded() {
    for (text, says) in [
        ("package postern\ndecision := true if input.now > 1", "has no default"),
        ("package postern\ndefault decision := true", "does not refuse"),
        ("package postern\ndefault decision := {\"allow\": true}", "does not refuse"),
        ("package postern\ndefault other := false", "is defined as a whole by no module"),
        ("package postern\ndefault decision := false\ndecision := true if {", "does not compile"),
    ] {
        let sources = Sources::from_modules([("main.rego", text)], []);
        let error = PolicySet::compile(&sources, "data.postern.decision", FUSE).unwrap_err().to_string();
        assert!(error.contains(says), "{error}");
    }
    for (text, why, instead) in [
        (
            "package authz\ndefault allow := false",
            "no `package postern`, but there is `authz`",
            "`data.authz.allow` as",
        ),
        (
            "package postern\ndefault allow := false",
            "`package postern` has `allow`",
            "`data.postern.allow` as",
        ),
        ("package postern\nfound := 1", "`package postern` has `found`", "the full name of another rule"),
        ("package postern", "`package postern` has no rule", "`default decision := {"),
    ] {
        let sources = Sources::from_modules([("main.rego", text)], []);
        let error = PolicySet::compile(&sources, "data.postern.decision", FUSE).unwrap_err();
        let told = &error.problems[0];
        assert!(told.why.contains(why) && told.instead.contains(instead), "{told}");
    }
    let sources =
        Sources::from_modules([("main.rego", "package postern\ndefault decision := {\"allow\": false}")], []);
    PolicySet::compile(&sources, "data.postern.decision", FUSE).unwrap();
}
