use std::path::PathBuf;
use std::time::Duration;

use postern_policy::{PolicySet, Sources, Tests, prove};
use serde_json::json;

use super::{Format, print};
use crate::command::Outcome;

pub(super) fn check(paths: &[PathBuf], entrypoint: &str, tests: bool, format: Format) -> Outcome {
    let sources = match Sources::read_paths(paths, Tests::Left) {
        Ok(sources) => sources,
        Err(error) => return print::unreadable(&error, format),
    };
    // Nothing is asked of it here, so that the fuse is none of its concern.
    let policy = match PolicySet::compile(&sources, entrypoint, Duration::MAX) {
        Ok(policy) => policy,
        Err(error) => return print::problems(&error, format),
    };
    let passed = match if tests { prove(&sources) } else { Ok(0) } {
        Ok(passed) => passed,
        Err(error) => return print::problems(&error, format),
    };
    Outcome::said(match format {
        Format::Pretty => {
            let modules = counted(sources.names().count(), "module");
            let passed =
                if passed == 0 { String::new() } else { format!(", {} passed", counted(passed, "test")) };
            format!("{entrypoint}: {modules}{}{passed}, would be loaded\n", revision(paths, &policy))
        }
        Format::Json => print::lines(&json!({})),
    })
}

fn counted(count: usize, what: &str) -> String {
    format!("{count} {what}{}", if count == 1 { "" } else { "s" })
}

/// As records say it. Each bundle has its own: of several, or of single files, there is none to name.
fn revision(paths: &[PathBuf], policy: &PolicySet) -> String {
    let ends = |path: &PathBuf, end: &str| path.extension().is_some_and(|is| is == end);
    match paths {
        [one] if one.is_dir() || ends(one, "gz") => format!(", revision {}", policy.revision()),
        _ => String::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::command::Exit;

    fn checked(text: &str, format: Format) -> Outcome {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("main.rego");
        std::fs::write(&file, text).unwrap();
        let mut outcome = check(&[folder.path().to_owned()], "data.postern.decision", true, format);
        let here = format!("{}/", folder.path().display());
        outcome.out = outcome.out.replace(&here, "");
        outcome.err = outcome.err.replace(&here, "");
        outcome
    }

    const WRONG: &str = "package postern\n\ndefault decision := false\n\ndecision if http.send({\"url\": \"x\"})\n\nx := uuid.rfc4122(\"a\")\n";

    #[test]
    fn a_policy_that_would_be_loaded_is_said_to_be() {
        let good = "package postern\n\ndefault decision := false\n";
        let outcome = checked(good, Format::Pretty);
        assert_eq!((outcome.exit, outcome.err.as_str()), (Exit::Done, ""));
        assert!(outcome.out.starts_with("data.postern.decision: 1 module, revision "), "{}", outcome.out);
        assert_eq!(checked(good, Format::Json).out, "{}\n");
    }

    #[test]
    fn the_revision_is_that_of_records_and_inspect_wherever_the_policy_stands() {
        let folder = tempfile::tempdir().unwrap();
        let write = |name: &str, text: &str| std::fs::write(folder.path().join(name), text).unwrap();
        write("main.rego", "package postern\n\ndefault decision := false\n");
        write("main_test.rego", "package postern_test\n\ntest_it if true\n");
        write("data.json", r#"{"roles": {}}"#);
        let at_load = Sources::read(folder.path(), postern_policy::Signed::Unchecked).unwrap();
        let inspected = postern_policy::inspect(folder.path()).unwrap();
        assert_eq!(inspected.revision, at_load.revision());

        let entrypoint = "data.postern.decision";
        let said = check(&[folder.path().to_owned()], entrypoint, true, Format::Pretty).out;
        let revision = at_load.revision();
        let expected =
            format!("{entrypoint}: 1 module, revision {revision}, 1 test passed, would be loaded\n");
        assert_eq!(said, expected);
        // One file is no bundle that a record could name.
        let said = check(&[folder.path().join("main.rego")], entrypoint, true, Format::Pretty).out;
        assert_eq!(said, format!("{entrypoint}: 1 module, would be loaded\n"));
    }

    #[test]
    fn every_problem_is_told_at_once_with_its_place_and_what_to_write_instead() {
        let outcome = checked(WRONG, Format::Pretty);
        assert_eq!((outcome.exit, outcome.out.as_str()), (Exit::Policy, ""));
        for words in [
            "main.rego:5:13: `http.send`",
            " 5 | decision if http.send({\"url\": \"x\"})\n   |             ^",
            "main.rego:7:6: `uuid.rfc4122`",
            "instead: ",
            "2 problems: the policy would not be loaded",
        ] {
            assert!(outcome.err.contains(words), "`{words}` is not in:\n{}", outcome.err);
        }
    }

    #[test]
    fn a_member_that_no_input_has_is_told_with_the_one_that_was_meant() {
        let text =
            "package postern\n\ndefault decision := false\n\ndecision if not input.reqest.headers.denied\n";
        let outcome = checked(text, Format::Pretty);
        assert_eq!((outcome.exit, outcome.out.as_str()), (Exit::Policy, ""));
        let place = "main.rego:5:23: `input.reqest` is never in the input";
        assert!(outcome.err.contains(place), "{}", outcome.err);
        assert!(outcome.err.contains("instead: `input.request`: input has v, caller,"), "{}", outcome.err);
    }

    #[test]
    fn problems_as_json_have_the_members_of_opa_and_go_to_standard_output() {
        let outcome = checked(WRONG, Format::Json);
        assert_eq!((outcome.exit, outcome.err.as_str()), (Exit::Policy, ""));
        let said: serde_json::Value = serde_json::from_str(&outcome.out).unwrap();
        assert_eq!(said["errors"][0]["location"], json!({"file": "main.rego", "row": 5, "col": 13}));
        assert_eq!(said["errors"][0]["code"], "rego_compile_error");
        assert_eq!(said["errors"][1]["construct"], "uuid.rfc4122");
    }

    #[test]
    fn a_folder_without_a_policy_is_refused_and_one_that_is_not_there_is_no_policy() {
        let folder = tempfile::tempdir().unwrap();
        let empty = check(&[folder.path().to_owned()], "data.postern.decision", true, Format::Pretty);
        assert_eq!(empty.exit, Exit::Policy, "{}", empty.err);
        for format in [Format::Pretty, Format::Json] {
            let nowhere = check(&[PathBuf::from("/nonexistent")], "data.postern.decision", true, format);
            assert_eq!(nowhere.exit, Exit::Configuration);
            let said = format!("{}{}", nowhere.out, nowhere.err);
            assert!(said.contains("/nonexistent"), "{said}");
        }
    }

    #[test]
    fn its_own_tests_must_pass_unless_they_are_skipped() {
        let folder = tempfile::tempdir().unwrap();
        let write = |name: &str, text: &str| std::fs::write(folder.path().join(name), text).unwrap();
        write("main.rego", "package postern\n\ndefault decision := false\n");
        write("main_test.rego", "package postern\n\ntest_closed if not decision\n");
        let checked = |tests: bool, format: Format| {
            check(&[folder.path().to_owned()], "data.postern.decision", tests, format)
        };
        let passed = checked(true, Format::Pretty);
        assert!(passed.out.ends_with(", 1 test passed, would be loaded\n"), "{}", passed.out);

        write("main_test.rego", "package postern\n\ntest_open if decision\n");
        let failed = checked(true, Format::Pretty);
        assert_eq!(failed.exit, Exit::Policy);
        for words in
            ["main_test.rego:3:1: `data.postern.test_open` failed: line 3", "1 problem: the policy would"]
        {
            assert!(failed.err.contains(words), "`{words}` is not in:\n{}", failed.err);
        }
        let said: serde_json::Value = serde_json::from_str(&checked(true, Format::Json).out).unwrap();
        assert_eq!(said["errors"][0]["construct"], "data.postern.test_open");
        assert_eq!(checked(false, Format::Pretty).exit, Exit::Done);
    }
}
