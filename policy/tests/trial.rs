//! Tests of a policy run as `opa test` runs them, on the engine that decides.

#![expect(clippy::panic, reason = "a test fails by panicking, its helpers too")]

use std::time::Duration;

use postern_policy::{Sources, Test, TestError, TestOutcome, TestReport, TestRun, run_tests};

const MAIN: &str = "package postern

default decision := false

decision := {\"allow\": true, \"rule\": \"clerks\"} if {
	input.caller.id == \"clerk\"
	inside(input.context.peer.ip)
}

inside(ip) if startswith(ip, \"10.\")
";

fn report(tests: &str, run: TestRun<'_>) -> TestReport {
    let sources = Sources::from_modules([("main.rego", MAIN), ("main_test.rego", tests)], []);
    run_tests(&sources, run).unwrap_or_else(|error| panic!("{error}"))
}

const ALL: TestRun<'_> = TestRun { only: None, fuse: Duration::from_secs(5), coverage: false };

fn run(tests: &str) -> Vec<Test> {
    report(tests, ALL).tests
}

#[track_caller]
fn outcomes(tests: &str, expected: &[(&str, TestOutcome)]) {
    let tests = run(tests);
    let given: Vec<(String, TestOutcome)> =
        tests.iter().map(|test| (test.full_name(), test.outcome.clone())).collect();
    let expected: Vec<(String, TestOutcome)> =
        expected.iter().map(|(name, outcome)| ((*name).to_owned(), outcome.clone())).collect();
    assert_eq!(given, expected);
}

#[test]
fn data_that_is_put_in_and_that_no_rule_reads_is_warned_of_once() {
    let policy = "package postern

import data.trading

default decision := false

decision if not data.trading.frozen

decision if input.caller.id in data.staff[input.direction].ids

decision if some name in object.get(data.limits, \"names\", [])

decision if trading.open

closed(x) if x == data.hours.to
";
    let tested = |with: &str| {
        let tests = format!(
            "package postern_test\nimport data.postern\nimport data.trading\ntest_a if not postern.decision {with}\n\
             test_b if not postern.decision {with}\n"
        );
        let sources = Sources::from_modules([("main.rego", policy), ("main_test.rego", &tests)], []);
        run_tests(&sources, ALL).unwrap_or_else(|error| panic!("{error}")).warnings
    };
    for (with, name, instead) in [
        ("with data.trading.frozn as true", "data.trading.frozn", "`data.trading.frozen`, which is read"),
        ("with trading.opne as true", "data.trading.opne", "`data.trading.open`, which is read"),
        ("with data.tradng.frozen as true", "data.tradng.frozen", "`data.trading`, which is read"),
        ("with data.zzz as true", "data.zzz", "the name of data that a rule reads"),
    ] {
        let warnings = tested(with);
        let [warning] = warnings.as_slice() else { panic!("{with}: {warnings:?}") };
        assert_eq!((warning.construct.as_str(), warning.instead.as_str()), (name, instead), "{warning}");
        assert_eq!((warning.file.as_str(), warning.line), ("main_test.rego", 4), "{warning}");
    }
    for with in [
        "with data.trading as {}",
        "with data.trading.frozen.why as 1",
        "with data.staff.us as {}",
        "with data.staff as {}",
        "with data.limits.names as []",
        "with trading.open as false",
        "with data.hours as {}",
        "with data.postern as {}",
        "with postern.decision as false",
        "with data.postern.closed as true",
        "with input.route as \"a\"",
    ] {
        assert_eq!(tested(with), [], "{with}");
    }
}

#[test]
fn a_test_passes_when_it_is_true_and_fails_otherwise() {
    outcomes(
        "package postern_test
import data.postern
clerk := {\"caller\": {\"id\": \"clerk\"}, \"context\": {\"peer\": {\"ip\": \"10.0.0.1\"}}}
test_allowed if postern.decision.allow with input as clerk
test_denied if postern.decision == false with input as clerk
test_undefined if input.route
test_one := 1
test_false := false
test_mocked if postern.decision.rule == \"none\" with postern.decision as {\"rule\": \"none\"}
todo_test_later if true
helper if true
",
        &[
            ("data.postern_test.test_allowed", TestOutcome::Passed),
            ("data.postern_test.test_denied", TestOutcome::Failed),
            ("data.postern_test.test_undefined", TestOutcome::Failed),
            ("data.postern_test.test_one", TestOutcome::Failed),
            ("data.postern_test.test_false", TestOutcome::Failed),
            ("data.postern_test.test_mocked", TestOutcome::Passed),
            ("data.postern_test.todo_test_later", TestOutcome::Skipped),
        ],
    );
}

#[test]
fn what_goes_by_the_clock_goes_by_the_now_of_the_input_that_a_test_puts_in() {
    // HS256 by the secret `s`: from 1795300100 until 1795300200.
    let token = "eyJhbGciOiJIUzI1NiJ9.eyJleHAiOjE3OTUzMDAyMDAsIm5iZiI6MTc5NTMwMDEwMCwic3ViIjoiYSJ9.\
                 5vjXABy0CZznj7UFkINti_dWBlsr-Tyw7BxIBYLeZmQ";
    let tests = format!(
        "package postern_test
held if io.jwt.decode_verify(\"{token}\", {{\"secret\": \"s\"}})[0]
stated if io.jwt.decode_verify(\"{token}\", {{\"secret\": \"s\", \"time\": 1795300123000000000}})[0]
test_in_time if held with input as {{\"now\": 1795300123}}
test_by_itself if held with input as {{\"now\": 1}} with input.now as 1795300199
test_late if not held with input as {{\"now\": 1795300200}}
test_early if not held with input as {{\"now\": 1795300099}}
test_stated if stated with input as {{}}
test_window if time.within(\"22:00-23:00\") with input as {{\"now\": 1795300123}}
test_no_window if not time.within(\"23:00-24:00\") with input as {{\"now\": 1795300123}}
test_none if held with input as {{\"route\": \"a\"}}
test_no_input if time.within(\"22:00-23:00\")
test_other_clock if held with time.now_ns as 1795300123000000000
test_ns if time.now_ns() > 1 with input as {{\"now\": 1795300123}}
"
    );
    let passed = ["in_time", "by_itself", "late", "early", "stated", "window", "no_window"];
    for test in run(&tests) {
        let name = test.name.trim_start_matches("test_");
        let expected = passed.contains(&name);
        assert_eq!(test.outcome == TestOutcome::Passed, expected, "{name}: {:?}", test.outcome);
        if !expected {
            let TestOutcome::Error(cause) = &test.outcome else { panic!("{name}: {:?}", test.outcome) };
            let words =
                if name == "ns" { "a test says `with time.now_ns as …`" } else { "the input needs `now`" };
            assert!(cause.to_string().contains(words), "{name}: {cause}");
        }
    }
}

#[test]
fn tests_of_one_name_are_run_one_by_one() {
    outcomes(
        "package postern\ntest_a if true\ntest_a if false\ntest_a if { true }\n",
        &[
            ("data.postern.test_a", TestOutcome::Passed),
            ("data.postern.test_a#01", TestOutcome::Failed),
            ("data.postern.test_a#02", TestOutcome::Passed),
        ],
    );
}

#[test]
fn functions_and_builtins_are_replaced_where_the_rule_calls_them() {
    outcomes(
        "package postern
outside(_) := true
elsewhere := {\"caller\": {\"id\": \"clerk\"}, \"context\": {\"peer\": {\"ip\": \"9.0.0.1\"}}}
test_as_it_is if not decision.allow with input as elsewhere
test_function if decision.allow with input as elsewhere with inside as outside
test_value if decision.allow with input as elsewhere with inside as true
test_builtin if decision.allow with input as elsewhere with startswith as true
test_clock if time.now_ns() == 5 with time.now_ns as 5
",
        &[
            ("data.postern.test_as_it_is", TestOutcome::Passed),
            ("data.postern.test_function", TestOutcome::Passed),
            ("data.postern.test_value", TestOutcome::Passed),
            ("data.postern.test_builtin", TestOutcome::Passed),
            ("data.postern.test_clock", TestOutcome::Passed),
        ],
    );
}

#[test]
fn what_would_deny_with_a_code_of_its_own_is_an_error() {
    let tests =
        run("package postern\ntest_a if to_number(\"z\") == 1\ntest_b := 1\ntest_c if time.now_ns() > 0\n");
    assert!(
        matches!(&tests[0].outcome, TestOutcome::Error(cause) if cause.to_string().contains("main_test.rego:2"))
    );
    assert!(
        matches!(&tests[2].outcome, TestOutcome::Error(cause) if cause.to_string().contains("with time.now_ns as"))
    );
    let endless = "package postern\ntest_a if { some x in numbers.range(1, 9000); some y in numbers.range(1, 9000); x + y < 0 }\n";
    let fuse = Duration::from_millis(20);
    let late = report(endless, TestRun { fuse, ..ALL });
    assert!(matches!(late.tests[0].outcome, TestOutcome::Error(_)), "{:?}", late.tests);
}

#[test]
fn what_is_printed_is_kept_up_to_a_limit_that_is_said() {
    let tests = run("package postern_test
xs := numbers.range(1, 9)
test_some if {
	print(\"one\", [1, {\"a\": {2}}], input.route, `\"raw\"`, set()) # a (comment)
	some x in xs
	print(
		x > 1, # not (closed
		\"two, (\", true == x,
	)
	print()
	x == 2
}
test_much if {
	line := concat(\"\", [\"a\" | some x in numbers.range(1, 1000); x > 0])
	every x in numbers.range(1, 3000) {
		print(x, line)
	}
}
test_behind if print(\"still\")
");
    let first = "one [1, {\"a\": {2}}] <undefined> \"raw\" set()";
    assert_eq!(tests[0].output, [first, "false two, ( false", "", "true two, ( false", ""]);
    assert_eq!(tests[2].output, ["still"]);

    let (last, kept) = tests[1].output.split_last().unwrap();
    let bytes: usize = kept.iter().map(String::len).sum();
    assert!(bytes < 1 << 20 && bytes > 900_000, "{bytes}");
    assert!(kept[0].starts_with("1 aaa") && kept[700].starts_with("701 aaa"), "another order");
    // Of three thousand, the last that is kept is not whole.
    let cut = 3_000 - kept.len() + 1;
    assert_eq!(last, &format!("… and {cut} times more was printed, which is not kept"));
}

#[test]
fn what_all_tests_print_has_a_limit_too() {
    let text: String = (0..20)
        .map(|n| {
            format!("test_{n} if {{\n\tevery x in numbers.range(1, 1200) {{\n\t\tprint(x, line)\n\t}}\n}}\n")
        })
        .collect();
    let line = "line := concat(\"\", [\"a\" | some x in numbers.range(1, 1000); x > 0])\n";
    let tests = run(&format!("package postern_test\n{line}{text}"));
    let kept: usize = tests.iter().flat_map(|test| &test.output).map(String::len).sum();
    assert!(kept > 14 << 20 && kept < 16 << 20, "{kept}");
    assert_eq!(tests[19].output, ["… and 1200 times more was printed, which is not kept"]);
}

#[test]
fn a_body_of_as_many_statements_as_there_may_be_may_be_that_of_a_test_with_cases() {
    let body = |count: usize| format!("\tsome note in [\"a\"]\n{}", "\ttrue\n".repeat(count - 1));
    let text = |count: usize| format!("package postern_test\ntest_it[note] if {{\n{}}}\n", body(count));
    let tests = run(&text(2_000));
    assert_eq!((tests[0].cases.len(), &tests[0].outcome), (1, &TestOutcome::Passed));
    let sources = Sources::from_modules([("main_test.rego", &*text(2_001))], []);
    assert!(matches!(run_tests(&sources, ALL), Err(TestError::Refused(_))));
}

#[test]
fn every_case_of_a_test_with_cases_is_told() {
    let tests = run("package postern
test_cases[note] if {
	some note, tc in {\"one\": {\"x\": 1, \"w\": 1}, \"two\": {\"x\": 1, \"w\": 2}}
	print(\"trying\", note)
	tc.x == tc.w
}
test_lines[note] if some note in [\"a\", \"b\"]
test_pairs[a][b] if {
	some a in [\"x\", \"y\"]
	some b in [1, 2] # the last
	a == \"x\"
}
test_named.first if {
	1 == 1
}
test_none[note] if {
	some note in []
}
");
    let told = |index: usize| -> Vec<(String, bool)> {
        tests[index].cases.iter().map(|case| (case.notes.join("/"), case.passed)).collect()
    };
    let expected = |cases: &[(&str, bool)]| -> Vec<(String, bool)> {
        cases.iter().map(|(name, passed)| ((*name).to_owned(), *passed)).collect()
    };
    assert_eq!(told(0), expected(&[("one", true), ("two", false)]));
    assert_eq!(tests[0].outcome, TestOutcome::Failed);
    assert_eq!(tests[0].output, ["trying one", "trying two"]);
    assert_eq!((told(1), &tests[1].outcome), (expected(&[("a", true), ("b", true)]), &TestOutcome::Passed));
    assert_eq!(told(2), expected(&[("x/1", true), ("x/2", true), ("y/1", false), ("y/2", false)]));
    assert!(matches!(tests[3].outcome, TestOutcome::Error(_)), "{:?}", tests[3].outcome);
    assert_eq!(tests[4].outcome, TestOutcome::Failed);
}

#[test]
fn what_is_called_as_a_test_and_is_none_does_not_pass() {
    let tests = run(
        "package a\n\ndefault test_a := false\n\ntest_b(x) if x == 1\n\ndefault test_c := false\n\ntest_c if true\n\ntodo_test_d(x) := x\n",
    );
    let told: Vec<_> = tests
        .iter()
        .map(|test| (test.name.as_str(), matches!(test.outcome, TestOutcome::Error(_)), test.line))
        .collect();
    assert_eq!(told, [("test_a", true, 3), ("test_b", true, 5), ("test_c", false, 9)]);
    assert_eq!(tests[2].outcome, TestOutcome::Passed);
}

#[test]
fn a_failed_test_that_moves_the_clock_or_replaces_a_function_is_told_with_its_values() {
    for with in ["time.now_ns as 5", "startswith as true"] {
        let tests = run(&format!(
            "package a\n\ntest_x if {{\n\tanswer := data.postern.decision with input as {{}} with {with}\n\tanswer != false\n}}\n"
        ));
        let stopped = tests[0].stopped.as_ref().unwrap();
        let values: Vec<_> =
            stopped.values.iter().map(|known| (known.name.as_str(), known.value.as_deref())).collect();
        assert_eq!((stopped.line, stopped.text.as_str()), (5, "answer != false"), "{with}");
        assert_eq!(values, [("answer", Some("false"))], "{with}");
    }
}

#[test]
fn a_case_is_told_by_a_key_that_is_computed_too() {
    let tables = r#"[{"note": "one", "v": 1}, {"note": "two", "v": 2}]"#;
    for key in ["tc.note", "tc[\"note\"]", "sprintf(\"%s\", [tc.note])", "{\"x.v\": tc.note}[\"x.v\"]"] {
        let tests =
            run(&format!("package a\n\ntest_x[{key}] if {{\n\tsome tc in {tables}\n\ttc.v != 1\n}}\n"));
        let told: Vec<_> = tests[0].cases.iter().map(|case| (case.notes.join("/"), case.passed)).collect();
        assert_eq!(told, [("one".to_owned(), false), ("two".to_owned(), true)], "{key}");
        assert_eq!(tests[0].outcome, TestOutcome::Failed, "{key}");
        let stopped = tests[0].cases[0].stopped.as_ref().unwrap();
        assert_eq!(stopped.line, 5, "{key}");
    }
}

#[test]
fn a_case_may_be_bound_by_a_statement_that_begins_or_ends_in_a_text() {
    let tests = run("package postern_test
test_ends[name] if { name := \"POST\"; name != \"GET\" }
test_raw[name] if { name := `POST`; name == \"GET\" }
test_ends_a_line[name] if {
	name := \"POST\"
	name == \"POST\"
}
test_alone[name] if name := \"POST\"
test_begins[name] if \"POST\" = name
test_with[name] if {
	name := input.route with input.route as \"POST\"
	name == \"POST\"
}
test_key[\"POST\"][name] if { name := \"POST\" }
");
    let told: Vec<_> = tests
        .iter()
        .map(|test| {
            let cases: Vec<_> = test.cases.iter().map(|case| (case.notes.join("/"), case.passed)).collect();
            (test.name.as_str(), cases)
        })
        .collect();
    let post = |passed| vec![("POST".to_owned(), passed)];
    assert_eq!(
        told,
        [
            ("test_ends", post(true)),
            ("test_raw", post(false)),
            ("test_ends_a_line", post(true)),
            ("test_alone", post(true)),
            ("test_begins", post(true)),
            ("test_with", post(true)),
            ("test_key", vec![("POST/POST".to_owned(), true)]),
        ]
    );
}

#[test]
fn tests_behind_an_interpolated_string_are_told_apart_as_well() {
    let tests = run("package postern
test_text if $\"{1} and {2}\" == \"1 and 2\"
test_cases[note] if {
	some note, n in {\"one\": 1, \"two\": 2}
	n == 1
}
test_text if false
");
    let names: Vec<_> = tests.iter().map(|test| (test.name.as_str(), &test.outcome)).collect();
    let expected = [
        ("test_text", &TestOutcome::Passed),
        ("test_cases", &TestOutcome::Failed),
        ("test_text#01", &TestOutcome::Failed),
    ];
    assert_eq!(names, expected);
    let cases: Vec<_> = tests[1].cases.iter().map(|case| (case.notes.join("/"), case.passed)).collect();
    assert_eq!(cases, [("one".to_owned(), true), ("two".to_owned(), false)]);
}

/// Line and text of the statement that did not hold.
fn stopped(test: &Test) -> Option<(u32, String)> {
    test.stopped.as_ref().map(|at| (at.line, at.text.clone()))
}

#[test]
fn a_failed_test_names_the_statement_that_did_not_hold() {
    let tests = run("package postern
test_a if {
	x := 1
	x == 2
	x == 3
}
");
    assert_eq!(stopped(&tests[0]), Some((4, "x == 2".to_owned())));
    assert_eq!((tests[0].line, tests[0].column), (2, 1));
}

#[test]
fn only_what_is_named_is_run() {
    let tests = "package postern\ntest_a if true\ntest_ab if true\n";
    assert_eq!(report(tests, TestRun { only: Some("postern.test_a$"), ..ALL }).tests.len(), 1);
    let sources = Sources::from_modules([("main.rego", MAIN)], []);
    assert!(run_tests(&sources, TestRun { only: Some("("), ..ALL }).is_err());
}

#[test]
fn lines_that_no_test_goes_through_are_told() {
    let tests =
        "package postern\ntest_a if not decision.allow with input as {\"caller\": {\"id\": \"other\"}}\n";
    let coverage = report(tests, TestRun { coverage: true, ..ALL }).coverage.unwrap();
    assert_eq!(coverage.files.len(), 1);
    assert_eq!(coverage.files[0].name, "main.rego");
    assert_eq!(coverage.files[0].covered, [3, 6]);
    assert_eq!(coverage.files[0].missed, [5, 7, 10]);
    assert_eq!(coverage.lines(), (2, 3));

    let untouched = report("package other\ntest_a if true\n", TestRun { coverage: true, ..ALL });
    assert_eq!(untouched.coverage.unwrap().lines(), (0, 5));
}

#[test]
fn a_value_on_several_lines_is_covered_when_it_is_made() {
    let main = "package postern\n\ndecision := {\n\t\"allow\": false,\n}\n\nroles(list) := {role |\n\tsome role in list\n}\n";
    let tests = "package postern\ntest_a if roles([1]) == {1}\n";
    let sources = Sources::from_modules([("main.rego", main), ("main_test.rego", tests)], []);
    let report =
        run_tests(&sources, TestRun { coverage: true, ..ALL }).unwrap_or_else(|error| panic!("{error}"));

    let file = &report.coverage.unwrap().files[0];

    assert_eq!((file.covered.as_slice(), file.missed.as_slice()), ([7].as_slice(), [3].as_slice()));
}

#[test]
fn what_the_value_of_a_with_reads_its_statement_reads_too() {
    let tests = "package postern_test
import data.postern
clerk := \"clerk\"
office := \"10.0.0.1\"
asked(id, ip) := {\"caller\": {\"id\": id}, \"context\": {\"peer\": {\"ip\": ip}}}
test_bare if [postern.decision.rule, clerk] == [\"clerks\", \"clerk\"] with input as asked(clerk, office)
test_lines if {
	[postern.decision.rule, office] == [\"clerks\", \"10.0.0.1\"] with input as asked(
		\"clerk\",
		office,
	) with data.other as clerk
	true
}
test_not if not postern.decision.rule == concat(\"\", [clerk, \"s\"]) with input as asked(clerk, office)
test_every if { every rule in [\"clerks\"] { [postern.decision.rule, clerk] == [rule, \"clerk\"] with input as asked(clerk, office) } }
test_compr if [clerk | clerk == input.caller.id with input as asked(clerk, office)] == [\"clerk\"]
test_else if { false } else := postern.decision.allow if clerk == input.caller.id with input as asked(clerk, office)
";
    outcomes(
        tests,
        &[
            ("data.postern_test.test_bare", TestOutcome::Passed),
            ("data.postern_test.test_lines", TestOutcome::Passed),
            // The engine alone would lose `clerk`, and the test would pass.
            ("data.postern_test.test_not", TestOutcome::Failed),
            ("data.postern_test.test_every", TestOutcome::Passed),
            ("data.postern_test.test_compr", TestOutcome::Passed),
            ("data.postern_test.test_else", TestOutcome::Failed),
        ],
    );
    let tests_run = run(tests);
    let failed = tests_run.iter().find(|test| test.full_name().ends_with("test_not")).and_then(stopped);
    assert_eq!(
        failed,
        tests.lines().nth(13).map(|line| (14, line.trim_start_matches("test_not if ").to_owned()))
    );
}

#[test]
fn a_with_may_end_in_a_text_where_its_statement_ends() {
    let tests = "package postern_test
import data.postern
clerk := {\"caller\": {\"id\": \"clerk\"}, \"context\": {\"peer\": {\"ip\": \"10.0.0.1\"}}}
test_bare if not postern.decision.allow with input as clerk with input.context.peer.ip as \"192.0.2.1\"
test_lines if {
	not postern.decision.allow with input as clerk with input.caller.id as `other`
	true
}
test_text_itself if [clerk.caller.id, \"clerk\"] == [data.other, \"clerk\"] with data.other as \"clerk\"
";
    let passed = ["test_bare", "test_lines", "test_text_itself"];
    let names = passed.map(|name| format!("data.postern_test.{name}"));
    let expected: Vec<_> = names.iter().map(|name| (name.as_str(), TestOutcome::Passed)).collect();
    outcomes(tests, &expected);
}

#[test]
fn a_value_over_several_lines_keeps_them_and_its_comments_before_its_statement() {
    let tests = "package postern_test
import data.postern
clerk := \"clerk\"
test_a if clerk == input.caller.id with input as {\"caller\": {\"id\": clerk}} # of no use
test_b if clerk == input.caller.id with input as {
	\"caller\": {\"id\": clerk}, # the clerk
}
test_c if clerk == input.caller.id with input as {\"caller\": {\"id\": [one | some one in [clerk]
	one != `
`][0]}}
test_d if not clerk == input.caller.id with input as {
	\"caller\": {\"id\": clerk}, # the clerk
}
test_f if \"a{\" == data.other.a with data.other.a as $\"{\"a\"}\\{\" with input as {\"caller\": clerk}
test_g if [\"a\", \"b\"] == data.other.a with data.other.a as split(\"a.b\", \".\") with input as {\"caller\": clerk}
";
    let passed =
        ["test_a", "test_b", "test_c", "test_f", "test_g"].map(|name| format!("data.postern_test.{name}"));
    let failed = "data.postern_test.test_d";
    let mut expected: Vec<_> = passed.iter().map(|name| (name.as_str(), TestOutcome::Passed)).collect();
    expected.insert(3, (failed, TestOutcome::Failed));
    outcomes(tests, &expected);
}

#[test]
fn an_else_is_covered_by_its_statements() {
    let main = "package postern\n\nx := 1 if {\n\tinput.v\n} else := 2 if {\n\tinput.now\n} else := 3 if {\n\tinput.route\n}\n";
    let tests = "package postern\ntest_a if x == 1 with input as {\"v\": 1}\ntest_b if x == 2 with input as {\"now\": 1}\n";
    let sources = Sources::from_modules([("main.rego", main), ("main_test.rego", tests)], []);
    let report =
        run_tests(&sources, TestRun { coverage: true, ..ALL }).unwrap_or_else(|error| panic!("{error}"));

    let file = &report.coverage.unwrap().files[0];

    assert_eq!((file.covered.as_slice(), file.missed.as_slice()), ([3, 4, 6].as_slice(), [8].as_slice()));
}

#[test]
fn a_test_that_is_written_anew_for_the_engine_is_still_told_apart_and_shown_as_written() {
    let tests = run("package postern
test_a[note] if {
	some note, n in {\"one\": 1, \"two\": 2}
	$\"{n}\" == \"1\"
}
test_b if $\"{1}\" == \"2\"
");
    let told: Vec<bool> = tests[0].cases.iter().map(|case| case.passed).collect();
    assert_eq!(told, [true, false]);
    assert_eq!(stopped(&tests[1]), Some((6, "$\"{1}\" == \"2\"".to_owned())));
}

#[test]
fn a_test_behind_what_is_written_anew_has_the_place_and_the_line_of_its_author() {
    let tests = run("package postern
x := $`{1}
` test_a if {
	crypto.sha256(\"a\", $\"{x}\") # never
}
");
    let author = "crypto.sha256(\"a\", $\"{x}\")";
    assert_eq!((tests[0].line, tests[0].column), (3, 3));
    assert_eq!(stopped(&tests[0]), Some((4, author.to_owned())));
}

#[test]
fn a_body_without_braces_may_end_in_the_text_of_a_with() {
    outcomes(
        "package postern
clerk := {\"caller\": {\"id\": \"clerk\"}}
test_inside if decision.allow with input as clerk with input.context.peer.ip as \"10.0.0.1\"
test_outside if not decision.allow with input as clerk with input.context.peer.ip as \"192.0.2.1\"
",
        &[
            ("data.postern.test_inside", TestOutcome::Passed),
            ("data.postern.test_outside", TestOutcome::Passed),
        ],
    );
}

#[test]
fn a_package_is_named_as_opa_names_it() {
    let package =
        run("package a[\"b-c\"][\"if\"].some.not_x[\"data\"]\ntest_ok if true\n")[0].package.clone();
    assert_eq!(package, "data.a[\"b-c\"][\"if\"][\"some\"].not_x.data");
}
