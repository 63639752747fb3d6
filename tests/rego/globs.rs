//! `regex.globs_match`: never another answer than OPA's.

use std::fmt::Write as _;

use serde_json::Value;

use crate::{differ, opa, ours};

/// What globs are made of.
const PARTS: [&str; 9] = ["a", "b", "c", ".", "[ab]", "[a-c]", "\\*", "1", "[0-9]"];

#[test]
fn what_is_answered_at_all_is_answered_as_opa_does() {
    // A generator of its own, so that every run asks the same.
    let mut state = 7_u64;
    let mut next = |below: usize| {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        usize::try_from(state >> 33).expect("31 bits") % below
    };
    let mut glob = || {
        let mut glob = String::new();
        for _ in 0..next(6) {
            glob.push_str(PARTS[next(PARTS.len())]);
            glob.push_str(["", "", "*", "+"][next(4)]);
        }
        glob
    };
    let pairs: Vec<(String, String)> = (0..400).map(|_| (glob(), glob())).collect();
    let mut module = String::from("package a\n");
    for (at, (one, other)) in pairs.iter().enumerate() {
        let _written = writeln!(module, "x{at} := regex.globs_match(`{one}`, `{other}`)");
    }
    let theirs = opa(&module, "data.a").expect("a value");
    let mut answered = 0;
    for (at, (one, other)) in pairs.iter().enumerate() {
        // An error denies, and is no other answer.
        let alone = format!("package a\nx := regex.globs_match(`{one}`, `{other}`)\n");
        if let Ok(Some(ours)) = ours(&alone, "data.a.x") {
            differ(&ours, theirs.get(format!("x{at}")).unwrap_or(&Value::Null), &format!("{one} {other}"));
            answered += 1;
        }
    }
    assert!(answered > 300, "{answered}");
}
