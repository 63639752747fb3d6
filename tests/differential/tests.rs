//! A short comparison, and everything that longer ones have found.

use std::fs;
use std::path::Path;
use std::time::{Duration, Instant};

use postern_policy::{Conformity, run_cases};
use postern_tests::parts::present;
use serde_json::Value;

use crate::compare::Verdict;
use crate::generate;
use crate::opa::Opa;
use crate::run::run_all;

/// How long it may go on; the first cases are asked in any case.
const SHORT: Duration = Duration::from_secs(12);
const LEAST: u64 = 40;
/// The longest time of one kept case, on a busy machine too.
const FUSE: Duration = Duration::from_secs(10);

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

#[test]
fn nothing_that_was_found_is_answered_otherwise_again() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("differential/cases");
    let (mut many, mut allowed, mut found) = (0, 0, Vec::new());
    for file in fs::read_dir(folder).expect("the cases are there") {
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
