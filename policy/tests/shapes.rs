//! A policy is checked against the input and the decision that it is written for.

#![expect(clippy::panic, reason = "a test fails by panicking, its helpers too")]

use std::time::Duration;

use postern_policy::{Document, PolicySet, Problem, Question, Sources, TestError, TestRun, ask, run_tests};

fn sources(body: &str, others: &[(&str, &str)]) -> Sources {
    let main = format!("package postern\n\n{body}\n\ndefault decision := false\n");
    Sources::from_modules(std::iter::once(("main.rego", main.as_str())).chain(others.iter().copied()), [])
}

fn load(body: &str, others: &[(&str, &str)]) -> Result<PolicySet, Vec<Problem>> {
    PolicySet::compile(&sources(body, others), "data.postern.decision", Duration::from_secs(1))
        .map_err(|error| error.problems)
}

/// The only problem of a policy: its line and column, and what it says.
#[track_caller]
fn refused(body: &str) -> (u32, u32, Problem) {
    let problems = load(body, &[]).err().unwrap_or_else(|| panic!("loaded: {body}"));
    let [problem] = problems.as_slice() else { panic!("{body}: {problems:?}") };
    assert!(!problem.instead.is_empty(), "{problem}");
    (problem.line, problem.column, problem.clone())
}

#[track_caller]
fn loaded(body: &str) {
    let problems = load(body, &[]).err().unwrap_or_default();
    assert_eq!(problems, [], "{body}");
}

/// What is wrong with the tests that stand beside a policy.
fn tested(tests: &str) -> Option<Problem> {
    let sources = sources("decision if input.route == \"a\"", &[("main_test.rego", tests)]);
    match run_tests(&sources, TestRun { only: None, fuse: Duration::from_secs(5), coverage: false }) {
        Err(TestError::Refused(error)) => error.problems.first().cloned(),
        Err(error) => panic!("{error}"),
        Ok(_) => None,
    }
}

#[test]
fn a_member_that_no_input_has_is_refused_wherever_it_is_read() {
    for (body, name, instead) in [
        ("decision if not input.reqest.denied", "input.reqest", "`input.request`: input has v, caller,"),
        ("decision if input.request.methud == \"GET\"", "input.request.methud", "`input.request.method`"),
        ("decision if input.request[\"methud\"]", "input.request.methud", "`input.request.method`"),
        ("x := input.caller.x509.seriel", "input.caller.x509.seriel", "`input.caller.x509.serial`"),
        ("x := input.request.body.stat", "input.request.body.stat", "state, bytes, value"),
        ("x := input.credentials.app.age", "input.credentials.app.age", "issued_at, expires_at"),
        ("x := input.credentials[data.c].age", "input.credentials[data.c].age", "issued_at"),
        ("x := input.method == \"GET\"", "input.method", "`input.request.method`: input has"),
        ("x := input.path", "input.path", "`input.request.path`"),
        ("x := input.id", "input.id", "`input.caller.id`"),
        ("x := input.labels", "input.labels", "`input.context.labels`"),
        ("x := input.user", "input.user", "`input.caller.id`"),
        ("x := input.parsed_path[0]", "input.parsed_path", "`input.request.segments`"),
        (
            "x := input.attributes",
            "input.attributes",
            "`input.request.method` for `attributes.request.http.method`",
        ),
        ("x := input.zzz", "input.zzz", "input has v, caller, listener"),
        ("import input.reqest as r", "input.reqest", "`input.request`"),
        ("import input.request as r\nx if r.methud", "input.request.methud", "`input.request.method`"),
        ("import input.request\nx if request.methud", "input.request.methud", "`input.request.method`"),
        ("x if { r := input.request; r.methud }", "input.request.methud", "`input.request.method`"),
        ("x if { r.methud; r = input.request }", "input.request.methud", "`input.request.method`"),
        ("x := r.methud if r := input.request", "input.request.methud", "`input.request.method`"),
        ("x := [p | r := input.request; p := r.paht]", "input.request.paht", "`input.request.path`"),
        ("x if every s in input.request.segments { s == input.rute }", "input.rute", "`input.route`"),
        ("x contains input.rute", "input.rute", "`input.route`"),
        ("x[input.rute] := 1", "input.rute", "`input.route`"),
        ("f(x) := input.rute if x", "input.rute", "`input.route`"),
        ("x := 1 if false else := input.rute", "input.rute", "`input.route`"),
        ("x := $\"{input.rute}\"", "input.rute", "`input.route`"),
        ("x := data.roles[input.caller.ID]", "input.caller.ID", "`input.caller.id`"),
        (
            "x := object.get(input.request, \"methud\", \"\")",
            "input.request.methud",
            "`input.request.method`",
        ),
        (
            "x := object.get(input, [\"request\", \"methud\"], 1)",
            "input.request.methud",
            "`input.request.method`",
        ),
        ("x if input.route with input.rute as \"a\"", "input.rute", "`input.route`"),
        ("x if input.route with input as {\"rute\": \"a\"}", "input.rute", "`input.route`"),
    ] {
        let (line, at, problem) = refused(body);
        let last = body.lines().last().unwrap();
        let member = name.rsplit('.').next().unwrap();
        let place = (body.lines().count() + 2, last.rfind(member).unwrap() + 1);
        assert_eq!(
            (line as usize, at as usize, problem.construct.as_str()),
            (place.0, place.1, name),
            "{problem}"
        );
        assert!(problem.why.contains("never in the input"), "{problem}");
        assert!(problem.instead.contains(instead), "{problem}");
    }
}

#[test]
fn a_text_that_is_read_as_a_list_of_segments_is_told_with_the_list() {
    for (read, instead) in [
        (
            "input.request.path[0]",
            "`input.request.segments`, the list of its segments; or `input.request.path`",
        ),
        ("input.caller.id[_]", "`input.caller.path`, the list of its segments; or `input.caller.id`"),
        ("input.route[0]", "`input.route`"),
    ] {
        let (_, _, problem) = refused(&format!("decision if {read} == \"a\""));
        assert_eq!(problem.construct, read, "{problem}");
        assert!(problem.instead.starts_with(instead), "{problem}");
    }
}

#[test]
fn a_name_with_a_hyphen_behind_a_dot_is_told_how_to_be_written() {
    for (name, instead) in [
        ("request.headers.x-branch[0]", "`input.request.headers[\"x-branch\"]`"),
        ("request.headers.x-request-id", "`input.request.headers[\"x-request-id\"]`"),
        ("context.labels.cost-centre", "`input.context.labels[\"cost-centre\"]`"),
    ] {
        let problems = load(&format!("x if input.{name} == \"a\""), &[]).err().unwrap_or_default();
        let problem = problems.first().unwrap_or_else(|| panic!("loaded: {name}"));
        assert_eq!((problem.line, problem.column, problem.construct.as_str()), (3, 6, "-"), "{problem}");
        assert_eq!(problem.instead, instead, "{problem}");
    }
    let (_, _, problem) = refused("x := input.route - 1");
    assert_eq!(problem.instead, "what computes with this kind", "{problem}");
}

#[test]
fn what_has_no_members_is_not_asked_for_one() {
    for (body, name, why) in [
        ("x := input.request.method.foo", "input.request.method.foo", "input.request.method is text"),
        ("x := input.request.method[_]", "input.request.method[_]", "is text"),
        ("x := input.now.seconds", "input.now.seconds", "input.now is a whole number"),
        ("x := input.request.segments.first", "input.request.segments.first", "is a list of texts"),
        ("x := input.request.segments[0].a", "input.request.segments[0].a", "is text"),
        ("x := input.request.query.dry[0].a", "input.request.query.dry[0].a", "is text"),
        ("x if { some s in input.request.segments; s.a }", "input.request.segments[_].a", "is text"),
    ] {
        let (_, _, problem) = refused(body);
        assert_eq!(problem.construct, name, "{problem}");
        assert!(problem.why.contains(why), "{problem}");
    }
}

#[test]
fn a_header_that_policy_never_sees_is_refused_with_what_to_write() {
    for (body, instead) in [
        ("x := input.request.headers[\"X-Branch\"]", "`input.request.headers[\"x-branch\"]`"),
        ("x := input.request.headers.Accept[0]", "`input.request.headers.accept`"),
        ("x := object.get(input.request.headers, \"X-Branch\", [])", "`input.request.headers[\"x-branch\"]`"),
        ("x := input.request.headers.authorization", "`input.caller`"),
        ("x := input.request.headers.cookie", "`input.caller`"),
        ("x := input.request.headers[\"x-forwarded-for\"]", "`x-forwarded-…`"),
        ("x := input.request.headers[\"X-Spiffe-ID\"]", "`x-spiffe-…`"),
        ("x := input.request.headers.connection", "of one connection"),
        ("x := input.request.headers.x_role", "no `_` in its name"),
    ] {
        let (_, _, problem) = refused(body);
        assert!(problem.instead.contains(instead), "{problem}");
    }
}

#[test]
fn what_the_input_has_and_what_is_left_free_loads() {
    for body in [
        "x := input",
        "x := input.request[input.route]",
        "x if some k, v in input.request.headers",
        "x := input.request.headers[\"x-branch\"][0]",
        "x := input.request.headers[lower(input.route)]",
        "x := input.request.query.AnyThing[_]",
        "x := input.context.labels.Site",
        "x := input.context.peer.ip",
        "x := input.caller.process.uid",
        "x := input.caller.actors[0].id",
        "x := input.caller.jwt.audience",
        "x := input.request.body.value.lines[0].amount",
        "x := input.request.statement.relations[_].name",
        "x := input.credentials[\"ledger-post\"].issued_at",
        "x := object.get(input.request, \"method\", \"\")",
        "x := object.get(input.request.query, [\"dry\", 0], \"\")",
        "input_request := input.request\nx := input_request.method",
        // The same name for something else.
        "import input.request as r\nf(r) := r.anything",
        "x := [r.anything | some r in data.rs]\ny if { r := input.request; r.method }",
        "f(input_) := input_.anything",
        "x := {\"reqest\": 1}.reqest",
        "x := data.input.reqest",
        "x if object.get({\"a\": 1}, \"b\", 2)",
    ] {
        loaded(body);
    }
}

#[test]
fn a_package_that_opa_asks_with_an_input_of_its_own_is_left_alone() {
    let mask = ("mask.rego", "package system.log\n\nmask contains \"/input/x\" if input.input.x");
    load("decision if input.route == \"a\"", &[mask]).unwrap();
    let other = ("other.rego", "package other\n\nx if input.input.x");
    load("decision if input.route == \"a\"", &[other]).unwrap_err();
}

#[test]
fn a_mock_that_no_request_can_be_is_refused() {
    for (with, name, written) in [
        ("input.reqest.path as \"/\"", "input.reqest", "reqest"),
        ("input as {\"caler\": {}}", "input.caler", "caler"),
        ("input as {\"request\": {\"methud\": \"GET\"}}", "input.request.methud", "methud"),
        ("input.request as {\"methud\": \"GET\"}", "input.request.methud", "methud"),
        ("input.request.headers as {\"X-A\": [\"1\"]}", "input.request.headers[\"X-A\"]", "X-A"),
        ("input as object.union({}, {\"caler\": {}})", "input.caler", "caler"),
    ] {
        let line = format!("test_x if decision with {with}");
        let problem =
            tested(&format!("package postern\n\n{line}")).unwrap_or_else(|| panic!("loaded: {with}"));
        let at = (problem.line, problem.column as usize, problem.construct.as_str());
        assert_eq!(at, (3, line.find(written).unwrap() + 1, name), "{problem}");
    }
    let local = "package postern\n\ntest_x if { clerk := {\"caler\": {}}; decision with input as clerk }";
    assert_eq!(tested(local).unwrap().construct, "input.caler");
    let named = "package postern\n\nclerk := {\"caler\": {}}\ntest_x if decision with input as clerk\n\
                 test_y if decision with input as clerk";
    let problem = tested(named).unwrap();
    assert_eq!((problem.line, problem.construct.as_str()), (3, "input.caler"), "{problem}");
}

#[test]
fn a_mock_that_is_a_request_or_is_not_written_out_is_let_be() {
    for test in [
        "test_x if decision with input as {\"route\": \"a\"}",
        "test_x if decision with input.context.labels as {\"Any\": \"1\"} with input.route as \"a\"",
        "clerk := {\"route\": \"a\"}\ntest_x if decision with input as clerk",
        "test_x if decision with input as object.union({\"route\": \"b\"}, {\"route\": \"a\"})",
        "test_x[note] if {\n\tsome note, case in {\"a\": {\"rute\": \"a\", \"route\": \"a\"}}\n\tdecision with input as case\n}",
        "test_x if not decision with input as {}",
        "test_x if not decision with data.reqest as 1",
    ] {
        assert_eq!(tested(&format!("package postern\n\n{test}")), None, "{test}");
    }
}

#[test]
fn a_query_of_the_workbench_brings_an_input_of_any_shape() {
    let sources = sources("x := input.reqest", &[]);
    let input = Some(Document::json(r#"{"reqest": 7}"#).unwrap());
    let fuse = Duration::from_secs(5);
    let question = Question { query: "data.postern.x", input, now: None, fuse, lines: false };
    assert_eq!(ask(&sources, question).unwrap().rows[0].expressions[0].value, 7);
}

#[test]
fn a_comparison_that_no_request_decides_is_refused_with_what_to_write() {
    for (body, instead) in [
        ("x if input.request.query.dry == \"1\"", "`\"1\" in input.request.query.dry`"),
        ("x if \"1\" == input.request.query.dry", "`\"1\" in input.request.query.dry`"),
        ("x if input.request.headers[\"x-a\"] != \"1\"", "`\"1\" in input.request.headers[\"x-a\"]`"),
        ("x if input.request.query.dry = \"1\"", "`\"1\" in input.request.query.dry`"),
        ("x if { dry := input.request.query.dry; dry == \"1\" }", "`\"1\" in input.request.query.dry`"),
        (
            "x if input.request.segments == \"a\"",
            "`input.request.segments[0]`, one segment of it, or the list",
        ),
        ("x if input.caller.path != \"a\"", "`input.caller.path[0]`"),
        ("x if input.now == \"x\"", "a whole number"),
        ("x if input.now == 1.5", "a whole number"),
        ("x if input.request.method == null", "text"),
        ("x if input.request.method == 3", "text"),
        ("x if input.caller.path == {\"a\"}", "a list of texts"),
        ("x if input.caller.kind == \"worklod\"", "`\"workload\"`: it is one of workload, process, person"),
        ("x if not input.caller.proof == \"x509\"", "one of x509_svid, jwt_svid"),
        ("x if input.request.body.state in {\"parsed\", \"emty\"}", "one of not_inspected, absent"),
        ("x if 3 in input.caller.path", "text"),
        ("x if \"G\" in input.request.method", "`contains(input.request.method, …)`"),
    ] {
        let (_, _, problem) = refused(body);
        assert!(problem.instead.contains(instead), "{problem}");
    }
    for body in [
        "x if input.request.query.dry == [\"1\"]",
        "x if input.request.query.dry[_] == \"1\"",
        "x if \"1\" in input.request.query.dry",
        "x if input.caller.x509 == null",
        "x if input.context.peer.ip == null",
        "x if input.request.body.value == 1.5",
        "x if input.caller.kind in {\"workload\", data.kind}",
        "x if input.caller.kind == data.kind",
        "x if input.request == {}",
        "x if input.now > 1.5",
    ] {
        loaded(body);
    }
}

#[test]
fn a_decision_that_would_deny_for_its_form_is_refused() {
    for (value, name, why) in [
        ("{\"alow\": true}", "decision.alow", "no member of a decision"),
        ("{\"allow\": \"yes\"}", "decision.allow", "must be true or false"),
        ("{\"allow\": true, \"max_age\": -1.5}", "decision.max_age", "must be a whole number"),
        ("{\"allow\": true, \"headers\": {\"sett\": {}}}", "decision.headers.sett", "no member"),
        ("{\"allow\": true, \"headers\": {\"remove\": \"x\"}}", "decision.headers.remove", "a list of texts"),
        ("{\"allow\": false, \"deny\": {\"status\": \"403\"}}", "decision.deny.status", "a whole number"),
        ("{\"allow\": true, \"deny\": {}}", "decision", "allows and has `deny`"),
        ("{\"rule\": \"a\"}", "decision", "no member `allow`"),
        ("\"yes\"", "decision", "true, false or an object"),
        ("{true}", "decision", "true, false or an object"),
    ] {
        let bodies = [
            format!("decision := {value} if input.route == \"a\""),
            format!("decision if {{ false }} else := {value}"),
        ];
        for body in bodies {
            let (line, _, problem) = refused(&body);
            assert_eq!((line, problem.construct.as_str()), (3, name), "{problem}");
            assert!(problem.why.contains(why), "{problem}");
        }
    }
    for value in [
        "{\"allow\": true, \"credential\": \"a\", \"max_age\": 3600, \"until\": 1, \"rule\": \"r\", \"reason\": \"w\", \
         \"headers\": {\"set\": {\"X-Branch\": [\"042\"]}, \"remove\": [\"x-debug\"]}, \"record\": {\"change\": 1}}",
        "{\"allow\": false, \"deny\": {\"status\": 403, \"headers\": {}, \"body\": \"closed\"}}",
        "{\"allow\": input.now > 3, \"rule\": data.rule}",
        "object.union({\"allow\": true}, data.more)",
        "{k: true | some k in [\"allow\"]}",
        "true",
    ] {
        loaded(&format!("decision := {value} if input.route == \"a\""));
    }
}

#[test]
fn an_argument_that_a_builtin_never_takes_is_refused_with_the_signature() {
    for (body, column, name, why, instead) in [
        (
            "x if startswith(input.route, 3)",
            30,
            "startswith",
            "string in this place, and is given number",
            "startswith(string, string) boolean",
        ),
        (
            "x := upper(input.request.segments)",
            12,
            "upper",
            "string in this place, and is given array",
            "upper(string) string",
        ),
        (
            "x := count(input.now)",
            12,
            "count",
            "string|array|object|set in this place",
            "count(string|array|object|set) number",
        ),
        ("x := count(abs(input.now))", 12, "count", "given number", "count("),
        ("x if { r := input.request; upper(r.segments) }", 34, "upper", "given array", "upper("),
        (
            "x if { some s in input.request.segments; sum(s) }",
            46,
            "sum",
            "given string",
            "sum(array|set) number",
        ),
        (
            "x := [y | y := sprintf(\"%s\", input.route)]",
            30,
            "sprintf",
            "given string",
            "sprintf(string, array) string",
        ),
        ("n := 3 if input.route\nx if startswith(n, \"a\")", 17, "startswith", "given number", "startswith("),
        ("n := 3\nx if startswith(n, \"a\")", 17, "startswith", "given number", "startswith("),
        ("x := input.route + \"-a\"", 6, "+", "takes number in this place, and is given string", "`concat("),
        ("x := 1 - input.route", 10, "-", "takes number|set in this place", "what computes"),
        (
            "x := {1} | input.request.segments",
            12,
            "a set operator",
            "takes set in this place",
            "what computes",
        ),
    ] {
        let (line, at, problem) = refused(body);
        assert_eq!((line as usize, at), (body.lines().count() + 2, column), "{problem}");
        assert_eq!(problem.construct, name, "{problem}");
        assert!(problem.why.contains(why), "{problem}");
        assert!(problem.instead.contains(instead), "{problem}");
    }
    for body in [
        "count(x) := x\ny := count(5)",
        "n := 3 if input.route\nn := \"a\" if not input.route\nx if startswith(n, \"a\")",
        "n := 3\nf(n) if startswith(n, \"a\")",
        "x if startswith(input.context.peer.ip, \"10.\")",
        "x if startswith(input.request.body.value, \"a\")",
    ] {
        loaded(body);
    }
}

#[test]
fn what_is_put_in_order_with_another_kind_is_refused() {
    for (body, name, why, instead) in [
        (
            "x if input.now > \"2026\"",
            "input.now",
            "a whole number in every request, and is put in order with string",
            "`time.parse_rfc3339_ns(…) / 1000000000`",
        ),
        (
            "x if \"3\" <= input.request.body.bytes",
            "input.request.body.bytes",
            "with string",
            "`to_number(…)`",
        ),
        ("x if input.request.segments > 3", "input.request.segments", "with number", "`count(…)`"),
        (
            "x if input.now < time.parse_rfc3339_ns(\"2026-11-20T00:00:00Z\")",
            "input.now",
            "nanoseconds",
            "`input.now * 1000000000`",
        ),
        (
            "x if { t := time.now_ns(); t <= input.now }",
            "input.now",
            "nanoseconds",
            "`input.now * 1000000000`",
        ),
        ("x if input.route < 3", "input.route", "with number", "the same kind"),
        ("x if input.now < input.route", "input.now", "with string", "a number"),
        ("x if input.now >= lower(input.route)", "input.now", "with string", "a number"),
    ] {
        let (_, _, problem) = refused(body);
        assert_eq!(problem.construct, name, "{problem}");
        assert!(problem.why.contains(why), "{problem}");
        assert!(problem.instead.contains(instead), "{problem}");
    }
    for body in [
        "x if input.now > -1.5",
        "x if count(input.request.segments) > 3",
        "x if input.route < \"b\"",
        "x if input.now < data.until",
        "x if input.context.peer.ip > null",
        "x if input.request.body.value.amount > \"a\"",
    ] {
        loaded(body);
    }
}

#[test]
fn a_name_of_the_package_for_a_part_of_the_input_is_seen_through() {
    for body in [
        "req := input.request\nx if req.methud == \"GET\"",
        "x if req.methud == \"GET\"\nreq := input.request",
        "import input.request as q\nreq := input.request\nx if req.methud == \"GET\"",
    ] {
        let (_, _, problem) = refused(body);
        assert_eq!(problem.construct, "input.request.methud", "{problem}");
        assert!(problem.instead.contains("`input.request.method`"), "{problem}");
    }
    let lib = ("lib.rego", "package lib\n\nreq := input.request\n");
    let problems = load("import data.lib.req\nx if not req.methud", &[lib]).unwrap_err();
    assert_eq!(problems[0].construct, "input.request.methud", "{problems:?}");
    for body in [
        "req := input.request\nx if req.method == \"GET\"",
        "req := data.lib\nx if req.methud == \"GET\"",
        "req := input.request if input.route\nreq := data.b if not input.route\nx if req.methud",
        "req := input.request\nx if every req in data.requests { req.methud }",
        "req := input.request\nf(req) := req.methud",
        "req[1] := input.request\nx if req[2].methud",
    ] {
        loaded(body);
    }
}

#[test]
fn a_part_of_the_input_is_followed_to_where_it_is_read() {
    let method = "input.request.methd";
    for (body, construct, written) in [
        // Into functions, through functions, by pattern and by `=`.
        ("f(r) if r.methd\nx if not f(input.request)", method, "methd"),
        ("f(r) if r.methd\ng(r) if f(r.request)\nx if not g(input)", method, "methd"),
        ("f(r) if r.methd\nx if { r := input.request; not f(r) }", method, "methd"),
        (
            "f(r) if r.methd\nx if not f(input.request)\ny if not f(input.caller)",
            "input.caller.methd",
            "methd",
        ),
        ("f({\"request\": r}) if r.methd\nx if f(input)", method, "methd"),
        ("f(r) := 1 if false else := 2 if r.methd\nx if f(input.request)", method, "methd"),
        ("f(r) := [y | y := r.methd]\nx if f(input.request)", method, "methd"),
        ("f(r) if every s in [1] { r.methd == s }\nx if f(input.request)", method, "methd"),
        ("f(r) if r.method\nf(r) if r.methd\nx if f(input.request)", method, "methd"),
        ("f(c) if c.kind == \"worklod\"\nx if f(input.caller)", "input.caller.kind", "worklod"),
        ("x if { r = input.request; not r.methd }", method, "methd"),
        ("x if { input.request = r; not r.methd }", method, "methd"),
        ("x if { not r.methd; r = input.request }", method, "methd"),
        ("x if { [r, _] := [input.request, 1]; not r.methd }", method, "methd"),
        ("x if { {\"request\": r} := input; not r.methd }", method, "methd"),
        ("x if { not b.methd; b := a; a := input.request }", method, "methd"),
        // Through rules.
        ("req := input.request if input.now > 3\nx if not req.methd", method, "methd"),
        ("req := r if r := input.request\nx if not req.methd", method, "methd"),
        ("req := input.request if input.now > 3 else := input.caller\nx if not req.methd", method, "methd"),
        ("default req := {}\nreq := input.request if input.now > 3\nx if not req.methd", method, "methd"),
        ("one := input\ntwo := one.request\nx if not two.methd", method, "methd"),
        ("req := input.request\nx if not data.postern.req.methd", method, "methd"),
        ("import data.postern as p\nreq := input.request\nx if not p.req.methd", method, "methd"),
        ("req := input.request\nf(r) if r.methd\nx if not f(req)", method, "methd"),
        // In what is written out.
        ("x if { c := {\"r\": input.request}; not c.r.methd }", method, "methd"),
        ("c := {\"a\": {\"r\": [input.request]}}\nx if { some r in c.a.r; not r.methd }", method, "methd"),
        ("x if { some r in [input.request, input.caller]; not r.methd }", method, "methd"),
        // By computed names.
        ("x if { k := \"methd\"; not input.request[k] }", method, "methd"),
        ("k := \"methd\"\nx if not input.request[k]", method, "methd"),
        ("x if { some k in [\"method\", \"methd\"]; not input.request[k] }", method, "methd"),
        ("x if every k in {\"method\", \"methd\"} { not input.request[k] }", method, "methd"),
        (
            "has(o, k) if o[k]\nx if has(input.request, \"method\")\ny if not has(input.request, \"methd\")",
            method,
            "methd",
        ),
        ("x if { p := [\"request\", \"methd\"]; object.get(input, p, 1) == 1 }", method, "methd"),
        ("p := [\"request\", \"methd\"]\nx if object.get(input, p, 1) == 1", method, "methd"),
        ("get(o, p) := object.get(o, p, 1)\nx if get(input, [\"request\", \"methd\"]) == 1", method, "methd"),
        // Inside collections.
        ("x if { some c in input.credentials; not c.stte }", "input.credentials[_].stte", "stte"),
        ("x if every c in input.credentials { not c.stte }", "input.credentials[_].stte", "stte"),
        ("x if { some h in input.request.headers; not h.nme }", "input.request.headers[_].nme", "nme"),
        ("x if { c := input.credentials[_]; not c.stte }", "input.credentials[_].stte", "stte"),
        (
            "f(c) if c.stte\nx if { some c in input.credentials; not f(c) }",
            "input.credentials[_].stte",
            "stte",
        ),
    ] {
        let problems = load(body, &[]).err().unwrap_or_else(|| panic!("loaded: {body}"));
        let problem = &problems[0];
        let (index, line) =
            body.lines().enumerate().filter(|(_, line)| line.contains(written)).last().unwrap();
        let column = line.rfind(written).unwrap() + 1;
        let place = (problem.line as usize, problem.column as usize, problem.construct.as_str());
        assert_eq!(place, (index + 3, column, construct), "{body}\n{problem}");
        assert!(!problem.instead.is_empty(), "{problem}");
    }
}

#[test]
fn what_a_function_is_given_by_one_of_its_callers_is_not_wrong_for_all() {
    for body in [
        "f(r) if r.method\nx if f(input.request)\ny if f(input.caller)",
        "f(r) if r.methd\nx if f(input.request)\ny if f(data.r)",
        "f(r) if r.methd",
        "f(r) if r.methd\nx if { some r in data.rs; f(r) }\ny if f(input.request)",
        "f(r) if r.methd\nx if f(input.request.body.value)",
        // Written for several kinds, and called with one of them.
        "n(x) := concat(\"/\", x) if is_array(x)\nn(x) := x if is_string(x)\ny := n(input.request.path)",
        "has(x, v) if x == v\nhas(x, v) if v in x\ny if has(input.request.segments, \"a\")",
        "first(x) := x[0] if is_array(x)\nfirst(x) := x if is_string(x)\ny := first(input.request.path)",
        // Options that are left out.
        "f(o) := 1 if o.strict else := 2\nx := f({})\ny := f({\"loose\": true})",
        "has(o, k) if o[k]\nx if has(input.request, \"method\")\ny if has(data.a, \"methd\")",
        "x if { k := data.k; input.request[k] }",
        "x if { some k in data.ks; input.request[k] }",
        "x if { r = input.request; r.method; r = data.r }",
        "x if { some k in [\"method\", \"path\"]; input.request[k] }",
        "req := input.request if input.now > 3 else := data.r\nx if req.methd",
        "req[1] := input.request\nx if req[2].methd",
        "req contains input.request\nx if req.methd",
        "x if { some c in input.credentials; c.state == \"live\" }",
        "x if { some r in [input.request, data.r]; r.methd }",
        "x if { c := {\"r\": input.request, \"d\": data.d}; c.r.method; c.d.methd }",
        "c := {\"r\": input.request} if input.now > 3 else := data.c\nx if c.r.methd",
        "x if { walk(input.request, [p, v]); v.anything; p[0] == 1 }",
    ] {
        loaded(body);
    }
    let lib = ("lib.rego", "package lib\n\nf(r) if r.methd\n");
    load("import data.lib\nx if lib.f(data.r)", &[lib]).unwrap();
    let problems = load("import data.lib\nx if not lib.f(input.request)", &[lib]).unwrap_err();
    assert_eq!((problems[0].file.as_str(), problems[0].line), ("lib.rego", 3), "{problems:?}");
}

#[test]
fn what_tests_call_a_function_with_hides_nothing() {
    let main = "f(r) if r.methd\ndecision if not f(input.request)";
    let sources = sources(main, &[("main_test.rego", "package postern\n\ntest_f if f({\"methd\": 1})")]);
    let run = TestRun { only: None, fuse: Duration::from_secs(5), coverage: false };
    let Err(TestError::Refused(error)) = run_tests(&sources, run) else { panic!("ran") };
    assert_eq!(error.problems[0].construct, "input.request.methd");
    assert_eq!(tested("package postern\n\nf(r) if r.methd\ntest_f if f({\"methd\": 1})"), None);
}

#[test]
fn a_mock_that_is_moved_is_still_seen() {
    // The value reads what its statement reads, and is written on a line of its own for the engine.
    for (with, construct) in [
        ("input.reqest as base", "input.reqest"),
        ("input as object.union(base, {\"caler\": {}})", "input.caler"),
        ("input as {\"rute\": base.route}", "input.rute"),
    ] {
        let line = format!("test_x if decision == base with {with}");
        let tests = format!("package postern\n\nbase := {{\"route\": r}} if r := input.route\n{line}");
        let problem = tested(&tests).unwrap_or_else(|| panic!("loaded: {with}"));
        assert_eq!((problem.line, problem.construct.as_str()), (4, construct), "{problem}");
    }
}

#[test]
fn a_member_that_a_written_value_has_not_is_refused_as_opa_refuses_it() {
    for (body, construct, instead) in [
        (
            "levels := {\"admin\": 1}\nx if not levels.admn",
            "data.postern.levels.admn",
            "`data.postern.levels.admin`",
        ),
        ("x if { l := {\"admin\": 1}; not l.admn }", "l.admn", "`l.admin`"),
        (
            "default l := {}\nl := {\"admin\": 1} if input.now > 3\nx if not l.admn",
            "data.postern.l.admn",
            "`data.postern.l.admin`",
        ),
        ("l := {\"a\": {\"b\": 1}}\nx if not l.a.c", "data.postern.l.a.c", "data.postern.l.a has b"),
        ("l := [\"a\"]\nx if not l[5]", "data.postern.l[5]", "below"),
        ("l := [\"a\"]\nx if not l.foo", "data.postern.l.foo", "data.postern.l"),
        ("l := [\"a\"]\nx if { some q in l; not q.foo }", "data.postern.l[_].foo", "data.postern.l[_]"),
        ("l := \"a\"\nx if not l == 1", "==", "one kind"),
        ("x if not count(input.request.segments) == \"1\"", "==", "one kind"),
    ] {
        let (_, _, problem) = refused(body);
        assert_eq!(problem.construct, construct, "{problem}");
        assert!(problem.instead.contains(instead), "{problem}");
    }
    for body in [
        "l := {\"admin\": 1}\nx if l.admin",
        "l := {\"admin\": 1, input.route: 2}\nx if l.admn",
        "l := {\"admin\": data.a}\nx if l.admin.b",
        "l := [\"a\", \"b\"]\nx := l[1]",
        "l contains \"a\"\nx if l.foo",
        "l := {\"a\"}\nx if l.foo",
        "l.a := 1\nx if l.b",
        "l := {\"admin\": 1}\nx := l[input.route]",
        "l := {\"a\": 1} if input.now > 3\nl := {\"b\": 1} if not input.now > 3\nx if l.b",
        "l := {\"admin\": 1}\nx := object.get(l, \"admn\", 0)",
        "l := 1 if input.now > 3\nl := \"a\" if not input.now > 3\nx if l == 1",
    ] {
        loaded(body);
    }
}

#[test]
fn a_text_in_a_form_that_the_input_never_has_is_refused_with_what_to_write() {
    for (condition, why, instead) in [
        (
            "input.request.method == \"post\"",
            "is in upper case in every request, and never \"post\"",
            "`\"POST\"`",
        ),
        ("input.request.method in {\"GET\", \"Head\"}", "never \"Head\"", "`\"HEAD\"`"),
        ("not input.request.method == \"TRACE\"", "which are refused before", "another method"),
        ("{ m := input.request.method; m != \"delete\" }", "never \"delete\"", "`\"DELETE\"`"),
        ("input.request.path == \"ledger/7\"", "begins with `/` in every request", "`\"/ledger/7\"`"),
        (
            "input.request.path == \"/ledger?x=1\"",
            "is without the query",
            "`\"/ledger\"`, and `input.request.query`",
        ),
        ("input.request.path == \"/a b\"", "all but visible ASCII as `%…`", "`input.request.segments`"),
        ("startswith(input.request.path, \"ledger/\")", "begins with `/`", "`\"/ledger/\"`"),
        ("input.request.host == \"Ledger.example\"", "is in lower case", "`\"ledger.example\"`"),
        ("input.request.host == \"ledger.example:8443\"", "is without a port", "`\"ledger.example\"`"),
        (
            "input.caller.id == \"spiffe://td.example/ns/*\"",
            "is a SPIFFE ID in every request",
            "`spiffe.matches(\"spiffe://td.example/ns/*\", input.caller.id)`",
        ),
        ("input.caller.id in [\"spiffe://td.example/a/\"]", "is a SPIFFE ID", "no segment empty"),
        ("input.caller.id == \"spiffe://TD.example/a\"", "is a SPIFFE ID", "in lower case"),
        ("startswith(input.caller.id, \"spiffe://td.example/ns/*\")", "is a SPIFFE ID", "`spiffe.matches("),
        ("input.caller.trust_domain == \"spiffe://td.example\"", "without `spiffe://`", "`\"td.example\"`"),
        ("input.caller.path[1] == \"*\"", "is a segment of letters", "`spiffe.matches("),
        ("\"ns/a\" in input.caller.path", "is a segment of letters", "one segment"),
        ("clerks[input.route] == input.request.method", "never \"get\"", "`\"GET\"`"),
    ] {
        let (_, _, problem) = refused(&format!("decision if {condition}\n\nclerks := {{\"a\": \"get\"}}"));
        assert!(problem.why.contains(why), "{condition}: {problem}");
        assert!(problem.instead.contains(instead), "{condition}: {problem}");
    }
}

#[test]
fn a_text_in_a_form_that_the_input_may_have_is_let_through() {
    for condition in [
        "input.request.method == \"M-SEARCH\"",
        "input.request.method in {\"GET\", x} with input.now as 1",
        "input.request.path == \"/ledger/*\"",
        "input.request.path == \"/a%20b/\"",
        "startswith(input.request.path, \"\")",
        "startswith(input.request.path, \"/ledger\")",
        "input.request.host == \"[::1]\"",
        "input.caller.id == \"uid:*\"",
        "input.caller.id == \"spiffe://td.example/ns/A_b.c-9\"",
        "startswith(input.caller.id, \"spiffe://td.example/ns/\")",
        "input.caller.trust_domain == \"td.example\"",
        "input.caller.path[0] == \"Ns\"",
        "input.request.segments[0] == \"a/*\"",
        "posts(input.request.method)",
        "lower(input.request.method) == \"post\"",
        "posting with input.request as object.union(input.request, {\"method\": \"post\"})",
    ] {
        // Nothing else may put in what no request has.
        let more =
            if condition.starts_with("posting") { "posting if input.request.method == \"post\"" } else { "" };
        loaded(&format!(
            "decision if {condition}\n\nx := \"POST\"\n\nposts(m) if m == \"post\"\n\nposts(m) if m == \"POST\"\n\n{more}"
        ));
    }
}

#[test]
fn a_decision_that_is_out_of_bounds_as_it_is_written_is_refused_at_its_place() {
    for (members, at, name, why) in [
        (
            "\"allow\": false, \"deny\": {\"body\": r, \"status\": 200}",
            "200",
            "deny.status",
            "must be 400 to 599",
        ),
        (
            "\"allow\": true, \"headers\": {\"set\": {\"host\": [r]}}",
            "[r]",
            "headers.set.host",
            "not the policy's to change",
        ),
        (
            "\"allow\": true, \"headers\": {\"remove\": [\"x-forwarded-for\"]}",
            "[\"x-forwarded-for\"]",
            "headers.remove.x-forwarded-for",
            "not the policy's to change",
        ),
        (
            "\"allow\": false, \"deny\": {\"headers\": {\"a b\": [r]}}",
            "{\"a b\"",
            "deny.headers",
            "header names of letters",
        ),
        (
            "\"allow\": true, \"headers\": {\"set\": {\"X-A\": [r, \" a\"]}}",
            "[r, ",
            "headers.set.x-a",
            "visible ASCII",
        ),
        (
            "\"allow\": true, \"headers\": {\"set\": {\"a\": [r], \"A\": [r]}}",
            "[r], \"A\"",
            "headers.set.a",
            "named once",
        ),
        (
            "\"allow\": true, \"headers\": {\"remove\": [r, \"a:\"]}",
            "[r, ",
            "headers.remove",
            "header names of letters",
        ),
        ("\"allow\": r == \"a\", \"until\": 1795301000000000000", "1795", "until", "before the year 10000"),
        (
            "\"allow\": true, \"until\": time.now_ns() + 3600000000000",
            "time",
            "until",
            "is given nanoseconds",
        ),
        (
            "\"allow\": true, \"until\": time.add_date(time.now_ns(), 0, 0, 1)",
            "time.add_date",
            "until",
            "is given nanoseconds",
        ),
        ("\"allow\": true, \"until\": later", "later", "until", "is given nanoseconds"),
        (
            "\"allow\": true, \"max_age\": time.parse_duration_ns(\"1h\")",
            "time",
            "max_age",
            "is given nanoseconds",
        ),
        (
            "\"allow\": true, \"headers\": {\"set\": {\"x-now\": [r, input.now]}}",
            "input.now",
            "headers.set[\"x-now\"][_]",
            "must be text",
        ),
        (
            "\"allow\": true, \"headers\": {\"set\": {\"x-n\": [count(r)]}}",
            "count",
            "headers.set[\"x-n\"][_]",
            "must be text",
        ),
        (
            "\"allow\": true, \"headers\": {\"set\": {\"x-p\": input.caller.id}}",
            "input.caller",
            "headers.set[\"x-p\"]",
            "a list of texts",
        ),
        ("\"allow\": true, \"reason\": input.caller.path", "input", "reason", "must be text"),
        ("\"allow\": true, \"rule\": n", "n}", "rule", "must be text"),
    ] {
        let body = format!(
            "decision := {{{members}}} if {{ r := input.route; n := count(r) }}\n\nlater := time.now_ns() + 5"
        );
        let (line, column, problem) = refused(&body);
        let column = usize::try_from(column).unwrap() - 1;
        let place = body.lines().next().unwrap().get(column..).unwrap();
        assert_eq!((line, problem.construct.as_str()), (3, format!("decision.{name}").as_str()), "{problem}");
        assert!(place.starts_with(at) || format!("{place}}}").starts_with(at), "{problem}");
        assert!(problem.why.contains(why), "{problem}");
    }
}

#[test]
fn a_decision_that_is_never_one_is_refused() {
    for (decision, why) in [("input.route", "string"), ("count(input.route)", "number"), ("named", "array")] {
        let (line, column, problem) =
            refused(&format!("decision := {decision} if input.route\n\nnamed := [1]"));
        assert_eq!((line, column, problem.construct.as_str()), (3, 13, "decision"));
        assert!(problem.why.ends_with(why), "{problem}");
    }
    for decision in ["input.route == \"a\"", "count(input.route) > 1", "named", "input.caller.process"] {
        loaded(&format!("decision := {decision} if input.route\n\nnamed := {{\"allow\": true}}"));
    }
}

#[test]
fn a_decision_that_another_rule_or_a_function_gives_is_read_there() {
    let lib = "package lib\n\nanswer(why) := {\"allow\": true, \"resaon\": why} if why";
    let whole = "other := {\"alow\": true} if input.now\n\nother := {\"allow\": true} if input.route";
    for (body, name, place) in [
        ("import data.lib\n\ndecision := lib.answer(\"a\")".to_owned(), "resaon", ("lib.rego", 3)),
        ("decision := data.lib.answer(input.route) if input.now".to_owned(), "resaon", ("lib.rego", 3)),
        ("decision := false if input.now else := data.lib.answer(1)".to_owned(), "resaon", ("lib.rego", 3)),
        (format!("decision := other if input.now\n\n{whole}"), "alow", ("main.rego", 5)),
        (format!("decision := f(1)\n\nf(x) := other if x\n\n{whole}"), "alow", ("main.rego", 7)),
    ] {
        let problems = load(&body, &[("lib.rego", lib)]).err().unwrap_or_else(|| panic!("loaded: {body}"));
        let [problem] = problems.as_slice() else { panic!("{body}: {problems:?}") };
        assert_eq!(problem.construct, format!("decision.{name}"), "{problem}");
        assert_eq!((problem.file.as_str(), problem.line), place, "{problem}");
    }
    for body in [
        "decision := x if x := {\"allow\": true}\n\nx := {\"alow\": true}",
        "decision := f({\"allow\": true})\n\nf(x) := x\n\nx := {\"alow\": true}",
        "decision := object.union(x, {\"allow\": true})\n\nx := {\"reason\": \"a\"}",
        "decision := {\"allow\": x.alow}\n\nx := {\"alow\": true}",
        "decision := x.a\n\nx[k] := {\"alow\": true} if k := input.route",
        "decision := f(1)\n\nf(x) := g(x)\n\ng(x) := {\"allow\": x == 1}",
    ] {
        loaded(body);
    }
}

#[test]
fn a_decision_that_may_be_in_bounds_is_let_through() {
    for members in [
        "\"allow\": false, \"deny\": {\"status\": 599, \"headers\": {\"X-A\": [r, \"a b\"]}, \"body\": r}",
        "\"allow\": false, \"deny\": {\"status\": to_number(r)}",
        "\"allow\": true, \"until\": input.now + 3600, \"max_age\": 5",
        "\"allow\": true, \"until\": floor(time.now_ns() / 1000000000) + 60",
        "\"allow\": true, \"until\": (time.now_ns() + 5000000000) / 1000000000",
        "\"allow\": true, \"headers\": {\"set\": {\"x-n\": [sprintf(\"%d\", [input.now])], r: [r]}, \"remove\": [r]}",
        "\"allow\": true, \"headers\": {\"set\": {\"x-p\": input.caller.path, \"x-q\": input.request.query.q}}",
        "\"allow\": r == \"a\", \"reason\": input.request.body.value.a, \"record\": {\"a\": [input.now]}",
    ] {
        loaded(&format!("decision := {{{members}}} if r := input.route"));
    }
}

/// What is told of a policy of one decision: the construct of each problem, and what to write instead.
#[track_caller]
fn told(body: &str) -> Vec<(String, String)> {
    let problems = load(body, &[]).err().unwrap_or_else(|| panic!("loaded: {body}"));
    problems.into_iter().map(|problem| (problem.construct, problem.instead)).collect()
}

#[test]
fn every_mistake_of_a_decision_is_told_at_once() {
    let members = "\"reson\": \"a\", \"reason\": [1], \"until\": \"x\", \"headers\": {\"remov\": []}";
    let told = told(&format!("decision := {{\"allow\": true, {members}}} if input.route"));
    let constructs: Vec<&str> = told.iter().map(|(construct, _)| construct.as_str()).collect();
    let wanted = ["decision.reson", "decision.reason", "decision.until", "decision.headers.remov"];
    assert_eq!(constructs, wanted);
}

#[test]
fn what_is_of_another_kind_is_told_with_how_one_of_the_right_kind_is_made() {
    let members =
        "\"allow\": s, \"reason\": n, \"until\": s, \"headers\": {\"remove\": s, \"set\": {\"x-a\": set}}";
    let told = told(&format!(
        "decision := {{{members}}} if input.route\n\ns := \"a\"\n\nn := 1\n\nset := {{\"a\"}}"
    ));
    for (name, said) in [
        ("allow", "`x == 1`"),
        ("reason", "`sprintf("),
        ("until", "`input.now + 3600`"),
        ("headers.remove", "`[x]`"),
        ("headers.set[\"x-a\"]", "`[x | some x in …]`"),
    ] {
        let of = told.iter().find(|(construct, _)| *construct == format!("decision.{name}"));
        assert!(of.is_some_and(|(_, instead)| instead.contains(said)), "{name}: {told:?}");
    }
    assert_eq!(told.len(), 5, "{told:?}");
}
