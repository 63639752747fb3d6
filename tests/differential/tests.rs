//! A short comparison, and everything that longer ones have found.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use postern_policy::{Conformity, run_cases};
use postern_tests::parts::present;
use serde_json::Value;

use crate::compare::{Allowed, Place, Theirs, Verdict};
use crate::conflict;
use crate::generate::{self, Case, Module};
use crate::opa::Opa;
use crate::run::{load, run_all, run_once};
use crate::tree::text;

/// How long it may go on; the first cases are asked in any case.
const SHORT: Duration = Duration::from_secs(12);
const LEAST: u64 = 40;
/// The longest time of one kept case, on a busy machine too.
const FUSE: Duration = Duration::from_secs(10);

fn cases() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("differential/cases")
}

#[test]
fn generated_policies_are_answered_as_the_real_opa_answers_them() {
    if !present("generated_policies_are_answered_as_the_real_opa_answers_them", &["opa"]) {
        return;
    }
    let mut opa = Opa::start();
    let (begun, mut all, mut values, mut unanswered) = (Instant::now(), 0, 0, 0);
    for seed in 0.. {
        if seed >= LEAST && begun.elapsed() > SHORT {
            break;
        }
        for (case, asked) in run_all(&mut opa, &generate::case(seed)) {
            for one in asked {
                all += 1;
                values += usize::from(one.verdict == Verdict::Same);
                unanswered += usize::from(matches!(one.verdict, Verdict::Stricter(_) | Verdict::Refused(_)));
                let modules: Vec<String> = case.modules.iter().map(|module| module.tree.written()).collect();
                let differs = matches!(one.verdict, Verdict::Differs(_));
                assert!(!differs, "`cargo x differential --seed {seed}`: {one:#?}\n{}", modules.join("\n"));
            }
        }
    }
    // What is refused or fails agrees with nothing: a gate that let nothing through would differ nowhere.
    assert!(values > 100 && values * 2 > all, "only {values} of {all} answers were the same");
    assert!(unanswered * 10 < all, "{unanswered} of {all} are not answered here, and are by OPA");
}

/// The kept cases that are marked as this, in the comparison's own form.
fn marked(as_what: &str) -> Vec<Case> {
    let mut all = Vec::new();
    for file in fs::read_dir(cases()).expect("the cases are there") {
        let json = fs::read_to_string(file.expect("a file").path()).expect("a case can be read");
        let json: Value = serde_json::from_str(&json).expect("it is JSON");
        for case in json["cases"].as_array().expect("a list of cases") {
            if case["allowed"].as_str() != Some(as_what) {
                continue;
            }
            let modules = case["modules"].as_array().expect("modules").iter().enumerate();
            let module = |(number, of): (usize, &Value)| Module {
                name: format!("m{number}.rego"),
                tree: text(of.as_str().expect("a text").to_owned()),
            };
            let rule = case["query"].as_str().and_then(|query| query.strip_suffix(" = x"));
            all.push(Case {
                modules: modules.map(module).collect(),
                data: text(case["data"]["d"].to_string()),
                inputs: vec![text(case["input"].to_string())],
                rules: vec![rule.expect("a query").to_owned()],
                shapes: BTreeMap::default(),
            });
        }
    }
    all
}

#[test]
fn a_conflict_in_a_function_that_opa_alone_comes_by_is_known_as_that() {
    if !present("a_conflict_in_a_function_that_opa_alone_comes_by_is_known_as_that", &["opa"]) {
        return;
    }
    let mut opa = Opa::start();
    let all = marked("a conflict in a function that OPA comes by and the engine does not");
    assert!(all.len() > 8, "only {} are kept", all.len());
    for case in all {
        for asked in run_once(&mut opa, &case) {
            let modules: Vec<String> = case.modules.iter().map(|module| module.tree.written()).collect();
            assert_eq!(
                asked.verdict,
                Verdict::Allowed(Allowed::Conflict),
                "{asked:#?}\n{}",
                modules.join("\n")
            );
        }
    }
}

#[test]
fn what_is_no_conflict_here_is_not_taken_for_one() {
    let module =
        "package fz.a\n\nf1(v1) := 1 if {\n\tcount({v2: v3 | v3 := 1; v2 := v1}) == 1\n}\n\nr1 := f1(2)\n";
    let texts = [("m0.rego", module.to_owned())];
    let asked = conflict::Asked { rule: "data.fz.a.r2", input: "{}", texts: &texts, data: "{}" };
    let theirs = |message: &str, row, column| Theirs::Error {
        code: "eval_conflict_error".to_owned(),
        message: message.to_owned(),
        place: Some(Place { module: "m0.rego".to_owned(), row, column }),
    };
    let said = [
        theirs("function data.fz.a.f1 produced conflicting values for the same inputs", 3, 1),
        theirs("rule data.fz.a.r1 produced conflicting values", 7, 1),
        theirs("object keys must be unique", 4, 9),
    ];
    for theirs in said {
        assert!(!conflict::is_here_too(&asked, &theirs, &mut load(&texts, "{}")), "{theirs:?}");
    }
}

#[test]
fn a_rule_that_fails_before_it_contradicts_itself_is_taken_for_contradicting_itself() {
    let theirs = Theirs::Error {
        code: "eval_conflict_error".to_owned(),
        message: "rule data.fz.a.r1 produced conflicting values".to_owned(),
        place: None,
    };
    let is_taken = |body: &str| {
        let texts = [("m0.rego", format!("package fz.a\n\nr1 := 1 if {{\n\t{body}\n}}\n\nr1 := 1\n"))];
        let asked = conflict::Asked { rule: "data.fz.a.r2", input: "{}", texts: &texts, data: "{}" };
        conflict::is_here_too(&asked, &theirs, &mut load(&texts, "{}"))
    };
    assert!(is_taken("not to_number(\"a\")"));
    assert!(!is_taken("to_number(\"1\")"), "a rule that has a value");
    assert!(!is_taken("to_number("), "a module that is no module");
}

#[test]
fn a_function_is_taken_for_contradicting_itself_by_its_own_conflict_alone() {
    let theirs = Theirs::Error {
        code: "eval_conflict_error".to_owned(),
        message: "function data.fz.a.f1 produced conflicting values for the same inputs".to_owned(),
        place: None,
    };
    let is_taken = |functions: &str, call: &str| {
        let module =
            format!("package fz.a\n\n{functions}\n\nr1 := 1 if {{\n\tsome v9 in [1]\n\t{call}\n}}\n");
        let texts = [("m0.rego", module)];
        let rules = load(&texts, "{}");
        assert!(rules.is_ok(), "{:?}", rules.err());
        let asked = conflict::Asked { rule: "data.fz.a.r2", input: "{}", texts: &texts, data: "{}" };
        conflict::is_here_too(&asked, &theirs, &mut load(&texts, "{}"))
    };
    let own = "f1(v1) := 1\n\nf1(v1) := v1";
    assert!(is_taken(own, "f1(2)"));
    assert!(is_taken(own, "f1(v9)"), "a stand-in");
    assert!(is_taken(&format!("{own}\n\nr3 := f1(2) if {{\n\ttrue\n}}"), "true"), "a rule's value");
    assert!(!is_taken(own, "f1(1)"));
    assert!(!is_taken(own, "[f1(1), f1(v9)]"), "a stand-in where a call is known");
    assert!(!is_taken(&format!("{own}\n\nxf1(v1) := v1"), "[xf1(2), f1(1)]"), "another name's end");
    let another = "f2(v1) := 1\n\nf2(v1) := v1\n\nf1(v1) := f2(v1)";
    assert!(!is_taken(another, "f1(2)"), "another function's conflict");
    assert!(!is_taken(another, "f1(data.fz.a.f2(2))"), "the conflict of an argument");
    let failing = "f2(v1) := to_number(v1)\n\nf1(v1) := f2(v1)";
    assert!(is_taken(failing, "f1(\"a\")"), "an error that the function comes by");
    assert!(!is_taken(failing, "f1(f2(\"a\"))"), "an error that its argument comes by");
    assert!(!is_taken("f1(v1) := v1", "f1(to_number(\"a\"))"), "an argument's error");
    // OPA goes on behind the error to a conflict, and the engine does not.
    let both = "f1(v1) := 1\n\nf1(v1) := 2 if {\n\tnot to_number(v1)\n}";
    assert!(is_taken(both, "f1(\"a\")"));
    assert!(!is_taken(both, "f1(v9)"), "an error of a stand-in");
}

#[test]
fn nothing_that_was_found_is_answered_otherwise_again() {
    let (mut many, mut allowed, mut found) = (0, 0, Vec::new());
    for file in fs::read_dir(cases()).expect("the cases are there") {
        let path = file.expect("a file").path();
        let text = fs::read_to_string(&path).expect("a case can be read");
        let json: Value = serde_json::from_str(&text).expect("it is JSON");
        let cases = json["cases"].as_array().expect("a list of cases");
        for (case, run) in cases.iter().zip(run_cases(&text, FUSE).expect("it is a file of cases")) {
            many += 1;
            // What the page of differences names goes on to differ, or its mark is to go.
            let differs = case.get("allowed").is_some();
            allowed += usize::from(differs);
            let broken = matches!(run.conformity, Conformity::Late | Conformity::Panicked);
            if broken || differs != (run.conformity == Conformity::Wrong) {
                found.push(format!("{}: {:?}: {}", path.display(), run.conformity, run.detail));
            }
        }
    }
    assert!(found.is_empty(), "{}", found.join("\n"));
    assert!(many > 80 && allowed > 10, "only {many} cases, {allowed} that may differ");
}
