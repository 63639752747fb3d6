use std::path::PathBuf;

use clap::Args;
use postern_policy::{
    ADMISSION, Deadline, Pattern, PolicySet, Problem, Signed, Sources, Tests, misnamed, signed_otherwise,
};
use serde_json::json;

use super::terms::Admission;
use super::{Format, given, print};
use crate::command::{Exit, Outcome};

pub(super) const HELP: &str = "\
The same gate as at load: what does not compile, has no default that refuses, calls what the engine lacks, uses what \
the engine answers wrongly, or reads what `postern schema --of input` does not have is refused, each with file, line, \
column and, where something else does it, what to write instead. Its own tests must pass: `postern policy test` says more \
of them. It must stay within the fuse on its recorded inputs, inputs/*.json, or where there are none on the largest \
requests: `postern policy bench` says what a decision takes. All of it together must end within 30 s. With --config it \
is asked as the Postern of that configuration asks it, and several folders or archives are as many bundles, of which no two \
may own the same; the answer says by which limits. Without it all PATHs are read as one bundle.

Warnings keep no policy from being loaded: statements that hold whatever the request is, such as a set alone, arguments \
that seem swapped, comparisons that are never true, a rule nearly called as the decision that has only its default, loops through more than 1000 members of data in a decision, rules of \
more than 200 clauses, a name that stands twice in an object of data, members of .manifest that nobody knows, JSON or \
YAML that is not read because it is not called data.json or data.yaml (folders called schemas are not looked at), modules \
and data that OPA reads and that are not read for a name that begins with a dot, and a .signatures.json of other files.

Examples:
  postern policy check policy/
  postern policy check policy/ --entrypoint data.ledger.decision --format json
  postern policy check policy/ --skip-tests
  postern policy check policy/ --strict --fuse 5ms
  postern policy check policy/ --config postern.yaml

Exits with 0 when the policy would be loaded, with 4 when not or when --strict meets a warning, with 3 when a PATH or \
the configuration cannot be read.";

#[derive(Debug, Args)]
pub(in crate::command) struct Arguments {
    /// Folders, or single files *.rego and *.json
    #[arg(required = true, value_name = "PATH")]
    paths: Vec<PathBuf>,
    /// PATHs are roots of bundles; here they always are
    #[arg(long, short)]
    bundle: bool,
    #[command(flatten)]
    admission: Admission,
    /// Leave out files and folders of such a name, like drafts; may be repeated
    #[arg(long, value_name = "PATTERN", value_delimiter = ',')]
    ignore: Vec<Pattern>,
    /// Most problems that are told, 0 for all up to a hundred
    #[arg(long, short, value_name = "N", default_value_t = 0)]
    max_errors: usize,
    /// Let warnings fail
    #[arg(long, short = 'S')]
    strict: bool,
    /// How it is printed
    #[arg(long, short, value_enum, default_value_t = Format::Pretty)]
    format: Format,
}

pub(super) fn check(arguments: &Arguments) -> Outcome {
    let Arguments { paths, admission, format, .. } = arguments;
    let terms = match admission.terms() {
        Ok(terms) => terms,
        Err(why) => return print::unusable(&why, *format),
    };
    let sources = match arguments.sources() {
        Ok(sources) => sources,
        Err(outcome) => return outcome,
    };
    let doubts = || [sources.doubts(), misnamed(paths, &arguments.ignore), signed_otherwise(paths)].concat();
    let admitted = match PolicySet::admit(&sources, &terms, &Deadline::after(ADMISSION)) {
        Ok(admitted) => admitted,
        Err(error) => {
            let refused = print::first_problems(&error, *format, arguments.max_errors);
            // What a test lacks may stand in a file that is not read.
            let err = if *format == Format::Pretty { warned(&doubts()) + &refused.err } else { refused.err };
            return Outcome { err, ..refused };
        }
    };
    let warnings = &[admitted.policy.warnings().to_vec(), doubts()].concat();
    let fails = arguments.strict && !warnings.is_empty();
    let out = match format {
        Format::Pretty if fails => String::new(),
        Format::Pretty => {
            let (rule, modules) = (&terms.entrypoint, print::counted(sources.names().count(), "module"));
            let (revision, told) = (revision(paths, &admitted.policy), admission.told(&terms, &admitted));
            let passed = match admitted.passed {
                0 => String::new(),
                passed => format!(", {} passed", print::tests(passed, admitted.cases)),
            };
            format!("{rule}: {modules}{revision}{passed}, would be loaded\n{told}\n")
        }
        Format::Json => {
            let mut said = json!({"admitted": admission.members(&terms, &admitted)});
            if let Some(members) = said.as_object_mut().filter(|_| !warnings.is_empty()) {
                members.insert("warnings".to_owned(), warnings.iter().map(print::problem).collect());
            }
            print::lines(&said)
        }
    };
    let err = if *format == Format::Pretty { warned(warnings) } else { String::new() };
    Outcome { exit: if fails { Exit::Policy } else { Exit::Done }, out, err }
}

impl Arguments {
    /// The policy. For a configuration several folders or archives are as many bundles, as they are at a load.
    fn sources(&self) -> Result<Sources, Outcome> {
        let all = given::sources(&self.paths, Tests::Left, &self.ignore, self.format)?;
        let is_bundle = |path: &PathBuf| path.is_dir() || path.extension().is_some_and(|end| end == "gz");
        if self.admission.config.is_some() && self.paths.len() > 1 && self.paths.iter().all(is_bundle) {
            let each = self.paths.iter().map(|path| {
                Sources::read(path, Signed::Unchecked).map(|sources| (path.display().to_string(), sources))
            });
            each.collect::<Result<Vec<_>, _>>()
                .and_then(Sources::together)
                .map_err(|error| print::unreadable(&error, self.format))?;
        }
        Ok(all)
    }
}

/// Warnings for people, and how many they are.
pub(super) fn warned(warnings: &[Problem]) -> String {
    let mut said: String = warnings.iter().map(|warning| format!("warning: {warning}\n")).collect();
    if !warnings.is_empty() {
        said.push_str(&print::counted(print::found(warnings), "warning"));
        said.push('\n');
    }
    said
}

/// As records say it. Each bundle has its own: of several, or of single files, there is none to name.
fn revision(paths: &[PathBuf], policy: &PolicySet) -> String {
    let ends = |path: &PathBuf, end: &str| path.extension().is_some_and(|is| is == end);
    match paths {
        [one] if one.is_dir() || ends(one, "gz") || ends(one, "tgz") => {
            format!(", revision {}", policy.revision())
        }
        _ => String::new(),
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;
    use std::time::Duration;

    use super::*;
    use crate::authorize::load;

    const ENTRYPOINT: &str = "data.postern.decision";

    fn checks(path: PathBuf, skip_tests: bool, format: Format) -> Outcome {
        // Long enough for an engine that is compiled without optimisation.
        let fuse = Some(Duration::from_millis(200));
        let admission = Admission { fuse, skip_tests, ..Admission::default() };
        check(&Arguments { paths: vec![path], admission, format, ..plain() })
    }

    fn plain() -> Arguments {
        Arguments {
            paths: Vec::new(),
            bundle: false,
            admission: Admission { fuse: Some(Duration::from_secs(1)), ..Admission::default() },
            ignore: Vec::new(),
            max_errors: 0,
            strict: false,
            format: Format::Pretty,
        }
    }

    fn checked(text: &str, format: Format) -> Outcome {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("main.rego");
        std::fs::write(&file, text).unwrap();
        let mut outcome = checks(folder.path().to_owned(), false, format);
        let here = format!("{}/", folder.path().display());
        outcome.out = outcome.out.replace(&here, "");
        outcome.err = outcome.err.replace(&here, "");
        outcome
    }

    const WRONG: &str = "package postern\n\ndefault decision := false\n\ndecision if http.send({\"url\": \"x\"})\n\nx := uuid.rfc4122(\"a\")\n";

    #[test]
    fn problems_and_warnings_that_are_not_told_are_counted() {
        let wrong: String = (0..150).map(|n| format!("x{n} := missing(1)\n")).collect();
        let wrong = format!("package postern\n\ndefault decision := false\n\n{wrong}");
        let outcome = checked(&wrong, Format::Pretty);
        assert!(outcome.err.ends_with("\n150 problems: the policy would not be loaded\n"), "{}", outcome.err);
        let error = PolicySet::compile(
            &Sources::from_modules([("main.rego", wrong.as_str())], []),
            ENTRYPOINT,
            Duration::from_secs(1),
        );
        let said = warned(&error.unwrap_err().problems);
        assert!(said.ends_with("\n150 warnings\n"), "{said}");
    }

    #[test]
    fn a_policy_that_would_be_loaded_is_said_to_be() {
        let good = "package postern\n\ndefault decision := false\n";
        let outcome = checked(good, Format::Pretty);
        assert_eq!((outcome.exit, outcome.err.as_str()), (Exit::Done, ""));
        assert!(outcome.out.starts_with("data.postern.decision: 1 module, revision "), "{}", outcome.out);
        let limits = "within 200ms on the largest requests by default limits: head 32768 bytes, 100 headers, body 65536 bytes\n";
        assert!(outcome.out.ends_with(limits), "{}", outcome.out);
        let json: serde_json::Value = serde_json::from_str(&checked(good, Format::Json).out).unwrap();
        assert_eq!(
            (json["admitted"]["largest_request"]["headers"].as_u64(), json.get("warnings")),
            (Some(100), None)
        );
    }

    #[test]
    fn the_revision_is_that_of_records_and_inspect_wherever_the_policy_stands() {
        let folder = tempfile::tempdir().unwrap();
        let write = |name: &str, text: &str| std::fs::write(folder.path().join(name), text).unwrap();
        write("main.rego", "package postern\n\ndefault decision := false\n");
        write("main_test.rego", "package postern_test\n\ntest_it if true\n");
        write("data.json", r#"{"roles": {}}"#);
        let at_load = Sources::read(folder.path(), Signed::Unchecked).unwrap();
        let inspected = postern_policy::inspect(folder.path()).unwrap();
        assert_eq!(inspected.revision, at_load.revision());

        let entrypoint = ENTRYPOINT;
        let said = checks(folder.path().to_owned(), false, Format::Pretty).out;
        let revision = at_load.revision();
        let expected =
            format!("{entrypoint}: 1 module, revision {revision}, 1 test passed, would be loaded\n");
        assert!(said.starts_with(&expected), "{said}");
        for name in ["b.tar.gz", "b.tgz"] {
            let file = folder.path().join(name);
            let words = ["postern", "policy", "build", folder.path().to_str().unwrap(), "--output"];
            let words = words.map(Into::into).into_iter().chain([file.clone().into_os_string()]);
            let built = crate::command::main(words);
            assert_eq!(built.exit, Exit::Done, "{}", built.err);
            let revision = postern_policy::inspect(&file).unwrap().revision;
            let said = checks(file.clone(), true, Format::Pretty).out;
            std::fs::remove_file(file).unwrap();
            assert!(said.contains(&format!(": 1 module, revision {revision}, ")), "{said}");
        }
        // One file is no bundle that a record could name.
        let said = checks(folder.path().join("main.rego"), false, Format::Pretty).out;
        assert!(said.starts_with(&format!("{entrypoint}: 1 module, would be loaded\n")), "{said}");
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
    fn a_hyphen_in_a_name_without_quotes_is_one_problem_with_what_to_write() {
        for name in ["x-branch", "x-branch-id"] {
            let text = format!(
                "package postern\n\ndefault decision := false\n\ndecision if input.request.headers.{name}[0] == \"a\"\n\nx := nothing\n"
            );
            let outcome = checked(&text, Format::Pretty);
            let instead = format!("instead: `input.request.headers[\"{name}\"]`");
            assert!(outcome.err.contains(&instead), "{}", outcome.err);
            assert!(outcome.err.contains("main.rego:7:6: `nothing` is bound by nothing"), "{}", outcome.err);
            assert!(outcome.err.ends_with("2 problems: the policy would not be loaded\n"), "{}", outcome.err);
        }
    }

    #[test]
    fn files_may_be_left_out_and_no_more_than_so_many_problems_told() {
        let folder = tempfile::tempdir().unwrap();
        let write = |name: &str, text: &str| std::fs::write(folder.path().join(name), text).unwrap();
        write("main.rego", "package postern\n\ndefault decision := false\n");
        write("draft.rego", &WRONG.replace("package postern", "package draft"));
        let asked = |more: Arguments| check(&Arguments { paths: vec![folder.path().to_owned()], ..more });
        assert_eq!(asked(plain()).exit, Exit::Policy);
        let ignore = vec!["draft*".parse().unwrap()];
        assert_eq!(asked(Arguments { ignore, ..plain() }).exit, Exit::Done);
        for format in [Format::Pretty, Format::Json] {
            let first = asked(Arguments { max_errors: 1, format, ..plain() });
            let said = format!("{}{}", first.out, first.err);
            assert!(said.contains("http.send") && !said.contains("uuid"), "{said}");
            assert_eq!(first.exit, Exit::Policy);
            assert!(
                format == Format::Json || said.contains("2 problems, of which the first 1 are told"),
                "{said}"
            );
        }
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
        let empty = checks(folder.path().to_owned(), false, Format::Pretty);
        assert_eq!(empty.exit, Exit::Policy, "{}", empty.err);
        for format in [Format::Pretty, Format::Json] {
            let nowhere = checks(PathBuf::from("/nonexistent"), false, format);
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
        let checked = |tests: bool, format: Format| checks(folder.path().to_owned(), !tests, format);
        let passed = checked(true, Format::Pretty);
        assert!(passed.out.contains(", 1 test passed, would be loaded\n"), "{}", passed.out);

        write("main_test.rego", "package postern\n\ntest_open if decision\n");
        let failed = checked(true, Format::Pretty);
        assert_eq!(failed.exit, Exit::Policy);
        for words in [
            "main_test.rego:3:1: `data.postern.test_open` failed: this did not hold",
            "1 problem: the policy would",
        ] {
            assert!(failed.err.contains(words), "`{words}` is not in:\n{}", failed.err);
        }
        let said: serde_json::Value = serde_json::from_str(&checked(true, Format::Json).out).unwrap();
        assert_eq!(said["errors"][0]["construct"], "data.postern.test_open");
        assert_eq!(checked(false, Format::Pretty).exit, Exit::Done);
    }

    #[test]
    fn what_is_dear_is_warned_of_and_fails_where_that_is_asked_for() {
        let folder = tempfile::tempdir().unwrap();
        let write = |name: &str, text: &str| std::fs::write(folder.path().join(name), text).unwrap();
        write(
            "main.rego",
            "package postern\n\ndefault decision := false\n\ndecision if data.ids[_] == input.caller.id\n",
        );
        write("data.json", &json!({"ids": (0..1001).map(|n| n.to_string()).collect::<Vec<_>>()}).to_string());

        let pretty = checks(folder.path().to_owned(), false, Format::Pretty);
        assert_eq!(pretty.exit, Exit::Done);
        for words in [
            "warning: ",
            "main.rego:5:13: `data.ids` goes through 1001",
            "`data.ids[input.caller.id]`",
            "1 warning",
        ] {
            assert!(pretty.err.contains(words), "`{words}` is not in:\n{}", pretty.err);
        }
        let said: serde_json::Value =
            serde_json::from_str(&checks(folder.path().to_owned(), false, Format::Json).out).unwrap();
        assert_eq!(said["warnings"][0]["location"]["row"], 5);
        let strict = Arguments { paths: vec![folder.path().to_owned()], strict: true, ..plain() };
        let strict = check(&strict);
        assert_eq!((strict.exit, strict.out.as_str()), (Exit::Policy, ""));
    }

    /// A configuration whose listener inspects bodies, or none, and a policy that goes through a body's pairs.
    fn configured(folder: &Path, route: &str) -> PathBuf {
        let pairs = "some a in input.request.body.value\n\tsome b in input.request.body.value\n\ta + b == -1";
        let text = format!("package ledger\n\ndefault decision := false\n\ndecision if {{\n\t{pairs}\n}}\n");
        std::fs::create_dir_all(folder.join("policy")).unwrap();
        std::fs::write(folder.join("policy/main.rego"), text).unwrap();
        let config = format!(
            "version: 1\nstate: state\nidentity: {{ workload_api: 'unix:///run/a.sock', trust: [td] }}\n\
             upstreams: {{ app: {{ address: 'app:80' }} }}\n\
             policy: {{ bundles: {{ main: {{ path: policy }} }}, entrypoint: data.ledger.decision, fuse: 300ms }}\n\
             listeners: {{ front: {{ bind: '127.0.0.1:1', protocol: http, limits: {{ headers: 40, head_size: 16KiB }}, \
             routes: {{ all: {{ upstream: app{route} }} }} }} }}\n"
        );
        std::fs::write(folder.join("postern.yaml"), config).unwrap();
        folder.join("postern.yaml")
    }

    #[test]
    fn by_a_configuration_it_is_judged_as_that_postern_loads_it() {
        let folder = tempfile::tempdir().unwrap();
        for (route, taken) in [("", true), (", body: { inspect: 64KiB }", false)] {
            let config = configured(folder.path(), route);
            let admission = Admission { config: Some(config.clone()), ..Admission::default() };
            let paths = vec![folder.path().join("policy")];
            let checked = check(&Arguments { paths, admission, ..plain() });
            let config = crate::config::load(&config).unwrap();
            let loaded = load::load(&config.policy, load::Bundles::new());
            assert_eq!(
                (checked.exit == Exit::Done, loaded.is_ok()),
                (taken, taken),
                "{checked:?} {loaded:?}"
            );
            if taken {
                let limits = "on the largest requests by the limits of ";
                let figures = "postern.yaml: head 16384 bytes, 40 headers, body 0 bytes\n";
                assert!(
                    checked.out.starts_with("data.ledger.decision: 1 module, revision "),
                    "{}",
                    checked.out
                );
                assert!(checked.out.contains(limits) && checked.out.ends_with(figures), "{}", checked.out);
            } else {
                let why = "a request with a body of 65536 bytes, a list of numbers` takes ";
                assert!(checked.err.contains(why), "{}", checked.err);
            }
        }
        let nowhere = Admission { config: Some(folder.path().join("none.yaml")), ..Admission::default() };
        let paths = vec![folder.path().join("policy")];
        assert_eq!(check(&Arguments { paths, admission: nowhere, ..plain() }).exit, Exit::Configuration);
    }

    #[test]
    fn what_passes_and_was_not_meant_is_a_warning_of_check_and_build() {
        let folder = tempfile::tempdir().unwrap();
        let path = |name: &str| folder.path().join(name);
        std::fs::create_dir(path("roles")).unwrap();
        std::fs::write(path("main.rego"), "package postern\n\ndefault decision := false\n").unwrap();
        std::fs::write(path("data.json"), "{\n  \"a\": 1,\n  \"a\": 2\n}").unwrap();
        std::fs::write(path(".manifest"), "{\"root\": [\"postern\"]}").unwrap();
        std::fs::write(path("roles/rolls.json"), "{}").unwrap();
        let run = |words: &[&str]| {
            let words = [&["postern", "policy"], words, &["--fuse", "200ms"]].concat();
            crate::command::main(words.iter().map(std::ffi::OsString::from))
        };
        let (here, out) = (folder.path().display().to_string(), path("b.tar.gz").display().to_string());
        for words in [&["check", &here][..], &["build", &here, "-o", &out, "--ignore", "*.gz"]] {
            let outcome = run(words);
            assert_eq!(outcome.exit, Exit::Done, "{words:?}: {}", outcome.err);
            for said in ["`root` is no member", "/data.json:3:", "rolls.json` is not read", "3 warnings\n"] {
                assert!(outcome.err.contains(said), "{words:?}: `{said}` is not in:\n{}", outcome.err);
            }
        }
        assert_eq!(run(&["check", &here, "--strict"]).exit, Exit::Policy);
        std::fs::write(path("main_test.rego"), "package postern\n\ntest_a if data.rolls.a\n").unwrap();
        let outcome = run(&["check", &here]);
        assert_eq!(outcome.exit, Exit::Policy, "{}", outcome.err);
        for said in ["rolls.json` is not read", "test_a", "1 problem: the policy would not be loaded\n"] {
            assert!(outcome.err.contains(said), "`{said}` is not in:\n{}", outcome.err);
        }
        std::fs::write(path("data.json"), "{\n  \"a\" 1\n}").unwrap();
        let refused = run(&["check", &here, "--format", "json"]);
        let said: serde_json::Value = serde_json::from_str(&refused.out).unwrap();
        let error = &said["errors"][0];
        assert_eq!((&error["location"]["row"], &error["location"]["col"]), (&json!(2), &json!(7)), "{error}");
    }

    #[test]
    fn who_only_reads_a_configuration_need_not_say_where_svids_come_from() {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name).display().to_string();
        let text = std::fs::read_to_string(configured(folder.path(), "")).unwrap();
        std::fs::write(at("postern.yaml"), text.replace("workload_api: 'unix:///run/a.sock', ", "")).unwrap();
        for (words, exit) in [
            (&["policy", "check", &at("policy")][..], Exit::Done),
            (&["policy", "build", &at("policy"), "-o", &at("b.tar.gz")], Exit::Done),
            (&["why", "--as", "spiffe://td/a", "GET", "/"], Exit::DENIED),
        ] {
            let config = at("postern.yaml");
            let words = [&["postern"], words, &["--config", &config]].concat();
            let outcome = crate::command::main(words.iter().map(std::ffi::OsString::from));
            assert_eq!(outcome.exit, exit, "{words:?}: {}", outcome.err);
        }
    }

    #[test]
    fn for_a_configuration_folders_are_bundles_of_their_own_and_without_one_they_are_one() {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        for (name, text) in [
            (
                "mine/main.rego",
                "package postern\n\nimport data.library.yes\n\ndefault decision := false\n\ndecision if yes.x\n",
            ),
            ("library/yes.rego", "package library.yes\n\nx := false\n"),
            ("library/.manifest", "{\"roots\": [\"library\"]}"),
            (
                "postern.yaml",
                "version: 1\nstate: s\nidentity: { workload_api: 'unix:///run/a.sock', trust: [td] }\n\
              upstreams: { app: { address: 'app:80' } }\npolicy: { fuse: 1s, bundles: { main: { path: mine }, library: { path: library } } }\n\
              listeners: { front: { bind: '127.0.0.1:1', protocol: http, routes: { all: { upstream: app } } } }\n",
            ),
        ] {
            std::fs::create_dir_all(at(name).parent().unwrap()).unwrap();
            std::fs::write(at(name), text).unwrap();
        }
        let check = |config: bool| {
            let config = config.then(|| at("postern.yaml"));
            let admission = Admission { config, ..plain().admission };
            check(&Arguments { paths: vec![at("mine"), at("library")], admission, ..plain() })
        };
        let loaded = || {
            let config = crate::config::load(&at("postern.yaml")).unwrap();
            load::load(&config.policy, load::Bundles::new()).map_err(|error| error.to_string())
        };
        // A bundle that names no roots owns everything.
        assert_eq!(check(false).exit, Exit::Done);
        let refused = check(true);
        assert_eq!(refused.exit, Exit::Policy, "{}{}", refused.out, refused.err);
        assert!(
            refused.err.contains("both own") && loaded().unwrap_err().contains("both own"),
            "{}",
            refused.err
        );

        std::fs::write(at("mine/.manifest"), "{\"roots\": [\"postern\"]}").unwrap();
        let taken = check(true);
        assert_eq!(taken.exit, Exit::Done, "{}{}", taken.out, taken.err);
        assert!(loaded().is_ok());
    }

    #[test]
    fn a_recorded_input_above_the_fuse_or_unreadable_refuses_the_policy_with_its_name() {
        let folder = tempfile::tempdir().unwrap();
        let write = |name: &str, text: &str| std::fs::write(folder.path().join(name), text).unwrap();
        let pairs = "some a in input.request.segments\n\tsome b in input.request.segments\n\ta == concat(b, [\"x\", \"y\"])";
        write(
            "main.rego",
            &format!("package postern\n\ndefault decision := false\n\ndecision if {{\n\t{pairs}\n}}\n"),
        );
        std::fs::create_dir(folder.path().join("inputs")).unwrap();
        let input = |segments: &[String]| {
            json!({
                "v": 1, "now": 7, "listener": "front", "direction": "inbound", "route": "all",
                "caller": {"id": "spiffe://td/a", "kind": "workload", "trust_domain": "td", "path": ["a"]},
                "upstream": {"name": "app"},
                "request": {"protocol": "http/1.1", "method": "GET", "path": "/a", "segments": segments},
            })
        };
        write("inputs/short.json", &input(&["a".to_owned()]).to_string());
        let short = checks(folder.path().to_owned(), false, Format::Pretty);
        assert_eq!(short.exit, Exit::Done);
        assert!(short.out.ends_with("\nwithin 200ms on 1 recorded input\n"), "{}", short.out);

        let segments: Vec<String> = (0..6_000).map(|n| n.to_string()).collect();
        write("inputs/long.json", &input(&segments).to_string());
        let long = checks(folder.path().to_owned(), false, Format::Pretty);
        assert_eq!(long.exit, Exit::Policy);
        for words in [
            "inputs/long.json` takes ",
            "`policy.fuse` is 200ms",
            "main.rego:7 goes through 36000000 members",
        ] {
            assert!(long.err.contains(words), "`{words}` is not in:\n{}", long.err);
        }
        write("inputs/long.json", "{");
        let broken = checks(folder.path().to_owned(), false, Format::Pretty);
        assert!(
            broken.exit == Exit::Policy && broken.err.contains("inputs/long.json:1:1: `input`"),
            "{}",
            broken.err
        );
        write("inputs/long.json", r#"{"caler": 1}"#);
        let other = checks(folder.path().to_owned(), false, Format::Pretty);
        assert_eq!(other.exit, Exit::Policy);
        assert!(other.err.contains("inputs/long.json: `input.caler` is never in the input"), "{}", other.err);
    }
}
