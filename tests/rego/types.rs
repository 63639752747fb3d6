//! What OPA's type checker refuses is refused: loaded, `not p == "a"` would hold in each request where `p` is a number.

use std::fs;
use std::process::Command;

use postern_policy::AskError;
use postern_tests::parts::program;

use crate::ours;

/// Modules, one on each line, without their package.
const MODULES: &str = include_str!("types.txt");

/// What OPA takes: comparisons within others, and what `every` goes through.
const STRICTER: [&str; 3] = [
    "p := 1\ny := (p == \"a\")",
    "z if count({1 == \"a\"}) == 1",
    "y if { every x in [\"a\"] { not x == 1 } }",
];

/// What OPA refuses: where a type is not followed.
const LAXER: [&str; 3] = [
    "y if not split(\"a\", \".\")[0] == 1",
    "y if { some i; [\"a\"][i]; not i == \"z\" }",
    "f(x) := 1 if x == \"a\"\ny if not f(1)",
];

/// Whether OPA finds a wrong type, and whether Postern does.
fn refused(line: &str) -> (bool, bool) {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let module = format!("package t\n{}\n", line.replace("\\n", "\n"));
    fs::write(folder.path().join("a.rego"), &module).expect("it can be written");
    let told = Command::new(program("opa")).current_dir(folder.path()).args(["check", "a.rego"]).output();
    let told = told.expect("opa runs");
    let said = String::from_utf8_lossy(&told.stderr);
    assert!(told.status.success() || said.contains("rego_type_error"), "{line}: {said}");
    let ours = match ours(&module, "data.t.zz") {
        Err(AskError::Refused(error)) => {
            let error = error.to_string();
            assert!(error.contains("never") || error.contains("takes"), "{line}: {error}");
            true
        }
        Ok(_) | Err(AskError::Failed(_)) => false,
    };
    (!told.status.success(), ours)
}

#[test]
fn wrong_types_are_refused_where_opa_refuses_them() {
    let mut times = [0, 0];
    for line in MODULES.lines() {
        let (theirs, ours) = refused(line);
        assert_eq!(ours, theirs, "{line}");
        times[usize::from(theirs)] += 1;
    }
    assert!(times.iter().all(|times| *times > 40), "{times:?}");
}

#[test]
fn a_pattern_with_a_member_that_is_not_there_is_refused_however_wide_it_is() {
    for (many, lacks) in [(50, 49), (150, 3), (150, 149), (150, 150)] {
        let members = |all: &mut dyn Iterator<Item = usize>, value: &str| {
            all.map(|at| format!("\"a{at}\": {value}{at}")).collect::<Vec<_>>().join(", ")
        };
        let (pattern, of) =
            (members(&mut (0..many), "v"), members(&mut (0..many).filter(|at| *at != lacks), ""));
        let expected = (lacks < many, lacks < many);
        assert_eq!(
            refused(&format!("y if {{ x := {{{of}}}; {{{pattern}}} = x }}")),
            expected,
            "{many} {lacks}"
        );
    }
}

#[test]
fn what_is_otherwise_is_told_on_the_page_of_differences() {
    for line in STRICTER {
        assert_eq!(refused(line), (false, true), "{line}");
    }
    for line in LAXER {
        assert_eq!(refused(line), (true, false), "{line}");
    }
}
