//! What may not be loaded is refused with its place, its name and what to write instead.

#![expect(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking, its helpers too")]

use std::sync::Arc;
use std::time::Duration;

use postern_policy::{Judge, LeafId, LeafSet, PolicySet, Problem, Recorded, Sources, Verdict};

fn load(body: &str, others: &[(&str, &str)]) -> Result<PolicySet, Vec<Problem>> {
    let main = format!("package postern\nimport rego.v1\n\n{body}\ndefault decision := false");
    let modules = std::iter::once(("main.rego", main.as_str())).chain(others.iter().copied());
    let sources = Sources::from_modules(modules, []);
    PolicySet::compile(&sources, "data.postern.decision", Duration::from_secs(1))
        .map_err(|error| error.problems)
}

#[track_caller]
fn refused(body: &str, line: u32, construct: &str) -> Problem {
    let problems = load(body, &[]).err().unwrap_or_else(|| panic!("loaded: {body}"));
    let problem = problems.first().unwrap().clone();
    assert_eq!((problem.line, problem.construct.as_str()), (line, construct), "{problem}");
    problem
}

#[test]
fn a_call_of_what_the_engine_lacks_is_found_wherever_it_hides() {
    for body in [
        "decision if crypto.md5(\"a\") == \"b\"",
        "x := [y | y := [z | z := {crypto.md5(\"a\")}]]",
        "x := {\"a\": 1 | not crypto.md5(\"a\")}",
        "decision if false else := crypto.md5(\"a\")",
        "f(x) := y if { every z in [1] { y := {crypto.md5(z): 1} } }",
        "x if input.route with input.v as crypto.md5(\"a\")",
        "x contains crypto.md5(\"a\")",
        "x[crypto.md5(\"a\")] := 1",
        "x if some y in input[crypto.md5(\"a\")]",
        "x if -1 < abs(crypto.md5(\"a\"))",
        "x if crypto.md5(\"a\", y)",
    ] {
        refused(body, 4, "crypto.md5");
    }
}

#[test]
fn a_body_has_a_limit_of_statements_wherever_it_stands() {
    let lines = |count: usize| "\tinput.now > 1\n".repeat(count);
    let chain: String = (0..2_000).map(|n| format!("\tx{n} = x{}\n", n + 1)).collect();
    for (body, line) in [
        (format!("x if {{\n{}}}", lines(2_001)), 2_005),
        (format!("x if {{\n\tx2000 := 1\n{chain}}}"), 2_005),
        (format!("x if false else := 1 if {{\n{}}}", lines(2_001)), 2_005),
        (format!("x := [1 |\n{}]", lines(2_001)), 2_005),
        (format!("x if every _ in [1] {{\n{}}}", lines(2_001)), 2_005),
        (format!("f(x) if {{\n{}}}", lines(19_000)), 2_005),
    ] {
        let problem = refused(&body, line, "body");
        assert!(problem.file == "main.rego" && problem.why.contains("2000"), "{problem}");
    }
    let ten: String = (0..9).map(|n| format!("x{n} if {{\n{}}}\n", lines(2_000))).collect();
    let problem = refused(&ten, 4 + 4 * 2_002 + 1, "body");
    assert!(problem.why.contains("too many"), "{problem}");
    load(&format!("x if {{\n{}}}", lines(2_000)), &[]).unwrap();
}

#[test]
fn a_stub_or_an_unbounded_builtin_names_what_to_write_instead() {
    for name in [
        "http.send",
        "opa.runtime",
        "uuid.rfc4122",
        "crypto.x509.parse_keypair",
        "net.lookup_ip_addr",
        "crypto.parse_private_keys",
        "re_match",
    ] {
        let problem = refused(&format!("x if {name}(input.route)"), 4, name);
        assert!(!problem.instead.is_empty(), "{problem}");
    }
}

#[test]
fn problems_are_told_from_the_top_with_a_tab_as_one_column_and_what_was_meant() {
    let problems =
        load("decision if {\n\tinput.reqest\n\t\tstart_with(input.route, \"a\")\n}", &[]).err().unwrap();
    let places: Vec<_> =
        problems.iter().map(|problem| (problem.line, problem.column, problem.construct.as_str())).collect();
    assert_eq!(places, [(5, 8, "input.reqest"), (6, 3, "start_with")]);
    assert_eq!(problems.last().unwrap().instead, "`startswith`");
}

#[test]
fn what_the_engine_reads_elsewhere_is_told_where_its_author_wrote_it() {
    for (body, line, column) in [
        ("decision := input.reqest if {\n\tsome x in [1]\n\tx == 1\n}", 4, 19),
        ("f(x) := input.reqest if {\n\tx == 1\n\tx > 0\n} else := 1\ndecision if f(1)", 4, 15),
        ("decision if 1 in [input.reqest[_] | true;\n1 == 1]", 4, 25),
        ("decision if not\nstartswith(input.reqest, \"a\")", 5, 18),
    ] {
        let problem = refused(body, line, "input.reqest");
        assert_eq!(problem.column, column, "{problem}");
    }
}

#[test]
fn what_a_module_that_does_not_parse_may_define_is_not_missed() {
    let problems =
        load("import data.lib\ndecision if lib.ok(\"a\")", &[("lib.rego", "package lib\nok(\"a\")\n")])
            .err()
            .unwrap();
    let [problem] = problems.as_slice() else { panic!("{problems:?}") };
    assert_eq!((problem.file.as_str(), problem.line), ("lib.rego", 2));
    assert!(problem.instead.contains(":= true"), "{problem}");
}

#[test]
fn a_missing_default_is_told_at_the_first_rule_that_lacks_it() {
    let modules = [("a.rego", "package postern\n\nx := 1\n\ndecision if input.now > 1\n")];
    let error = PolicySet::compile(
        &Sources::from_modules(modules, []),
        "data.postern.decision",
        Duration::from_secs(1),
    );
    let problem = error.unwrap_err().problems.remove(0);
    assert_eq!((problem.file.as_str(), problem.line, problem.column), ("a.rego", 5, 1), "{problem}");
}

#[test]
fn a_package_that_is_not_loaded_is_told_once_where_it_is_imported() {
    let body = "import data.library.http\nimport data.other as roles\ndecision if http.header(input.request, \"x\") == \"y\"\n\
                decision if { http.query(input.request, \"x\") == \"y\"; http.header(input.request, \"z\") == \"y\" }\n\
                decision if data.third.f(1)\ndecision if { data.third.f(2); roles.some_call(3) }\n";
    let problems = load(body, &[("other.rego", "package other.deeper\nf(x) := x\n")]).err().unwrap();
    let told: Vec<_> = problems.iter().map(|problem| (problem.line, problem.construct.as_str())).collect();
    assert_eq!(told, [(4, "data.library.http"), (8, "data.third"), (9, "roles.some_call")]);
    assert!(problems[0].why.ends_with("called of it: `header`, `query`"), "{}", problems[0]);
    assert_eq!(problems[0].column, 8);
}

#[test]
fn functions_are_found_across_packages_and_imports() {
    let lib = (
        "lib.rego",
        "package lib.net\nimport rego.v1\ninside(ip) if startswith(ip, \"10.\")\ndefault f(_) := 1",
    );
    for body in [
        "import data.lib.net\ndecision if net.inside(input.context.peer.ip)",
        "import data.lib.net as n\ndecision if n.inside(input.context.peer.ip)",
        "import data.lib.net.inside\ndecision if inside(input.context.peer.ip)",
        "decision if data.lib.net.inside(input.context.peer.ip)",
        "decision if data.lib.net.f(input.context.peer.ip) == 1",
        "g(x) := x\ndecision if g(input.context.peer.ip)",
    ] {
        load(body, &[lib]).unwrap_or_else(|problems| panic!("{body}: {problems:?}"));
    }
    assert!(load("decision if net.inside(input.context.peer.ip)", &[lib]).is_err());
    assert!(load("decision if data.lib.net.outside(input.context.peer.ip)", &[lib]).is_err());
    assert!(load("decision if data.lib.net.inside(1, 2, 3)", &[lib]).is_err());
}

#[test]
fn what_the_engine_answers_with_silence_is_refused() {
    refused("x if [p, v] := walk(input)", 4, "walk");
    refused("x if [[p], v] = walk(input)", 4, "walk");
    refused("x := count(walk(input))", 4, "walk");
    load("x contains v if walk(input, [_, v])", &[]).unwrap();
    refused("x if y := f(1)\nf($\"{input.route}\") := 1", 5, "$\"…\"");
    load("x if input.route with input.v as 1", &[]).unwrap();
}

#[test]
fn an_import_that_was_forgotten_is_told() {
    let roles = ("roles.rego", "package library.roles\n\nhas(x) if x == \"a\"\n\nones := 1\n");
    for (body, import) in [
        ("x if roles.has(\"a\")", "`import data.library.roles` at the top"),
        ("x if library.roles.has(\"a\")", "`import data.library` at the top"),
        ("x if roles.ones == 1", "`import data.library.roles` at the top; or a statement that binds it"),
    ] {
        let problems = load(body, &[roles]).unwrap_err();
        let [problem] = problems.as_slice() else { panic!("{problems:?}") };
        assert!(problem.instead.starts_with(import), "{problem}");
        let (package, _) = import.trim_start_matches('`').split_once('`').unwrap();
        load(&format!("{package}\n{body}"), &[roles]).unwrap();
    }
    // Where it has no such function, the import would mend nothing.
    let others = ("others.rego", "package other.roles\n\nmay(x) if x == \"a\"\n");
    let odd = ("odd.rego", "package library[\"b-c\"].rights\n\nhas(x) if x == \"a\"\n");
    for body in [
        "x if roles.had(\"a\")",
        "import data.other.roles\nx if roles.has(\"a\")",
        "roles := {\"a\": 1}\nx if roles.has(\"a\")",
        "x if rights.has(\"a\")",
    ] {
        let problem = load(body, &[roles, others, odd]).unwrap_err().remove(0);
        assert!(!problem.instead.contains("import"), "{problem}");
    }
}

#[test]
fn an_import_that_the_engine_would_take_for_another_is_refused() {
    let other = |text: &'static str| [("other.rego", text), ("u.rego", "package u\nz := 4")];
    refused("import data.u.z\nz := 3", 4, "z");
    for text in ["package postern\nimport data.v.z", "package postern\nz := 5"] {
        assert!(load("import data.u.z\ndecision if z == 4", &other(text)).is_err(), "{text}");
    }
    load("import data.u.z\ndecision if z == 4", &other("package postern\nimport data.u.z")).unwrap();
    load("import data.u.z\ndecision if z == 4", &other("package postern.z\nx := 1")).unwrap_err();
}

#[test]
fn a_package_of_several_modules_is_not_read_as_a_whole_where_the_engine_would_miss_some_of_it() {
    let more = |text: &'static str| [("a.rego", "package t\nx := 1"), ("b.rego", text)];
    for text in [
        "package t\ny := x",
        "package t\nimport data.u\ny if u.z",
        "package t.v\ny := data.t.x",
        "package t\ny := f(1)\nf(v) := data.t.x",
    ] {
        for body in ["decision if count(data.t) == 2", "decision if { some k; data.t[k] == 1 }"] {
            let problems = load(body, &more(text)).err().unwrap_or_else(|| panic!("loaded: {text}"));
            assert_eq!(
                problems.first().map(|problem| problem.construct.as_str()),
                Some("data.t"),
                "{problems:?}"
            );
        }
        load("decision if data.t.x == 1", &more(text)).unwrap();
    }
    load("decision if count(data.t) == 2", &more("package t\ny := 2")).unwrap();
    load("decision if count(data.t) == 2", &more("package v\nimport data.t.x\ny := x")).unwrap();
}

#[test]
fn a_constant_pattern_that_is_none_is_refused_and_one_that_is_works() {
    for (call, name, why, instead) in [
        ("regex.match(`[`, input.route)", "regex.match", "brackets", "RE2"),
        ("regex.match(`a(?=b)`, input.route)", "regex.match", "RE2", "no look-around"),
        ("regex.match(`(a)\\1`, input.route)", "regex.match", "RE2", "no back-reference"),
        ("regex.replace(input.route, `(?x)a`, ``)", "regex.replace", "flags", "i, m, s and U"),
        ("path.matches(\"/a*\", input.route)", "path.matches", "segments", "`/postings/*/lines`"),
        (
            "spiffe.matches(\"spiffe://*/a\", input.route)",
            "spiffe.matches",
            "TRUST_DOMAIN",
            "spiffe://bank.example/",
        ),
        ("time.within(\"08:00\")", "time.within", "windows", "`22:00-06:00`"),
        ("time.within(\"08:00-09:00 Europe/Nowhere\")", "time.within", "zone", "`Europe/Berlin`"),
        ("time.within([\"08:00-09:00\", \"8-9\"])", "time.within", "windows", "`22:00-06:00`"),
        ("time.within({\"8-9\"})", "time.within", "windows", "`22:00-06:00`"),
        ("time.within(h) if { some h in [\"8-9\"] }", "time.within", "windows", "`22:00-06:00`"),
        ("spiffe.parse(\"bank.example\")", "spiffe.parse", "SPIFFE ID", "`spiffe://bank.example/"),
        ("glob.match(\"[a\", null, input.route)", "glob.match", "bracket", "closed brackets"),
        (
            "glob.match(\"a\", [\".\", \"::\"], input.route)",
            "glob.match",
            "single characters",
            "each of them",
        ),
        (
            "net.cidr_contains(\"10.0.0/8\", input.context.peer.ip)",
            "net.cidr_contains",
            "prefix",
            "`10.0.0.0/8`",
        ),
        ("net.cidr_contains(data.a, \"10.0.0\")", "net.cidr_contains", "prefix", "an address alone"),
        (
            "net.cidr_contains_matches({\"a\": \"10.0.0.0/33\"}, [\"10.0.0.1\"])",
            "net.cidr_contains_matches",
            "prefix",
            "`10.0.0.0/8`",
        ),
        ("net.cidr_intersects(data.a, \"10.0.0.1\")", "net.cidr_intersects", "prefix", "`10.0.0.0/8`"),
        ("net.cidr_expand(\"10.0.0.0/8\")", "net.cidr_expand", "4096", "`10.0.0.0/8`"),
        ("net.cidr_merge([\"10.0.0.0/8\", \"::1\"])", "net.cidr_merge", "prefix", "`10.0.0.0/8`"),
    ] {
        let problem = refused(&format!("x := {call}"), 4, name);
        assert!(problem.why.contains(why), "{problem}");
        assert!(problem.instead.contains(instead), "{problem}");
    }
    for constant in ["[\"08:00-09:00\", \"8-9\"]", "\"8-9\""] {
        let problem = refused(&format!("hours := {constant}\nx if time.within(hours)"), 4, "time.within");
        assert_eq!(
            problem.column as usize,
            "hours := ".len() + constant.find("8-9").unwrap() + 1,
            "{problem}"
        );
    }
    for right in [
        "time.within([\"08:00-09:00\", \"2026-11-21T00:00:00Z/2026-11-22T00:00:00Z\"])",
        "net.cidr_contains(\"10.0.0.0/8\", \"10.0.0.1\")",
        "net.cidr_contains_matches({\"a\": \"10.0.0.0/8\"}, [\"10.0.0.1\"])",
        "net.cidr_is_valid(\"10\")",
        "net.cidr_expand(\"10.0.0.0/24\")",
        "glob.match(\"{a,b}[a-c]\", [\".\", \"/\"], input.route)",
        "spiffe.matches(\"spiffe://bank.example/**\", \"alice\")",
        "time.within(hours) if { some hours in data.hours }",
    ] {
        load(&format!("x := {right}"), &[]).unwrap_or_else(|problems| panic!("{right}: {problems:?}"));
    }
    load("x if regex.match(`^\\d+\\b(?i)[[:alpha:]]\\pL$`, input.route)", &[]).unwrap();
}

#[test]
fn data_in_a_rules_place_is_refused() {
    let main = "package postern\ndefault decision := false";
    for (path, json) in [("postern", r#"{"decision": true}"#), ("", r#"{"postern": 1}"#)] {
        let sources = Sources::from_modules([("main.rego", main)], [(path, json)]);
        let error =
            PolicySet::compile(&sources, "data.postern.decision", Duration::from_secs(1)).unwrap_err();
        assert!(error.to_string().contains("is data"), "{error}");
    }
}

#[test]
fn a_variable_that_nothing_binds_is_refused_with_what_was_probably_meant() {
    for (body, name, column, instead) in [
        ("decision := {\"allow\": tru}", "tru", 23, "`true`"),
        ("x if y > 1", "y", 6, "a statement that binds it"),
        ("x if not data.denied[_]", "_", 22, "a rule that looks for it"),
        ("x contains rolez if input.route\nroles := 1", "rolez", 12, "`roles`"),
        ("f(a) := 1 if a else := b", "b", 24, "a statement that binds it"),
        ("x if { every a in [1] { a == b } }", "b", 30, "a statement that binds it"),
        ("x if input.route with input.route as y", "y", 38, "a statement that binds it"),
        ("x := $\"{y}\"", "y", 9, "a statement that binds it"),
    ] {
        let problem = refused(body, 4, name);
        assert_eq!(problem.column, column, "{problem}");
        assert!(problem.instead.contains(instead), "{problem}");
        assert!(problem.why.contains("OPA calls it unsafe"), "{problem}");
    }
    for value in ["data.x", "y", "[input.route]", "count([1])"] {
        let problem = load(&format!("default x := {value}"), &[]).err().unwrap().remove(0);
        assert!(problem.why.contains("a default, which is a constant"), "{problem}");
    }
    load("default x := [{\"a\": [y | y := 1]}]", &[]).unwrap();
}

#[test]
fn nesting_is_refused_before_the_parser_sees_it() {
    let problem = refused(&format!("x := {}1{}", "[".repeat(200), "]".repeat(200)), 4, "[ {");
    assert_eq!(problem.column, 16);
}

#[test]
fn recursion_is_refused_with_its_circle() {
    let problem = refused("f(x) := f(x - 1)\ng if f(1)", 4, "data.postern.f");
    assert!(problem.why.contains("data.postern.f → data.postern.f"));
    refused("a if b\nb if not c\nc if data.postern.a", 4, "data.postern.a");
    refused("f(x) := r if x\nr := f(1)", 4, "data.postern.f");
    refused("t if data.postern[input.listener]", 4, "data.postern.t");
    // A variable of its own may have a rule's name.
    load("path := p if { p := input.request.path; valid(p) }\nvalid(path) if path != \"\"", &[]).unwrap();
}

#[test]
fn chains_that_would_exhaust_a_stack_are_refused() {
    let sum = format!("x := 0{}", "\n + 1".repeat(5_000));
    refused(&sum, 4, "data.postern.x");
    let calls: Vec<_> = (0..1_000).map(|n| format!("f{n}(x) := f{}(x)", n + 1)).collect();
    assert!(load(&format!("{}\nf1000(x) := x", calls.join("\n")), &[]).is_err());
    let rules: Vec<_> = (0..1_000).map(|n| format!("r{n} := r{}", n + 1)).collect();
    assert!(load(&format!("{}\nr1000 := 1", rules.join("\n")), &[]).is_err());
}

#[test]
fn the_deepest_that_loads_is_answered_on_half_a_workers_stack() {
    type Kind = (&'static str, fn(usize) -> String);
    let kinds: &[Kind] = &[
        ("sum", |n| format!("x := 0{}", "\n + 1".repeat(n))),
        ("else", |n| format!("x := 0 if false{}", "\nelse := 1 if input.route".repeat(n))),
        ("calls", |n| chain(n, |i, next| format!("f{i}(v) := f{next}(v)"), "f{n}(v) := v\nx := f0(1)")),
        ("comprehensions", |n| {
            chain(
                n,
                |i, next| format!("f{i}(v) := [y | some z in [v]; y := f{next}(z)][0]"),
                "f{n}(v) := v\nx := f0(1)",
            )
        }),
        ("every", |n| {
            chain(
                n,
                |i, next| format!("f{i}(v) if {{ every z in [v] {{ every w in [z] {{ f{next}(w) }} }} }}"),
                "f{n}(v) := v\nx := f0(1)",
            )
        }),
        ("with", |n| {
            chain(n, |i, next| format!("r{i} if r{next} with input.v as {i}"), "r{n} := 1\nx := r0")
        }),
        ("replaced", |n| {
            let end = "r{n} if is_array(count([]))\nf0(v) := f1(v)\nf1(v) := v\nx := r0";
            chain(n, |i, next| format!("r{i} if r{next} with count as f0"), end)
        }),
        ("sets", |n| {
            chain(n, |i, next| format!("r{i} contains y if some y in r{next}"), "r{n} contains 1\nx := r0")
        }),
        ("objects", |n| {
            chain(n, |i, next| format!("r{i}[k] := v if some k, v in r{next}"), "r{n}[1] := 1\nx := r0")
        }),
    ];
    for (name, text) in kinds {
        // Only a test may replace a function.
        let test = *name == "replaced";
        let loads = |n: usize| {
            let (main, test) = if test { (String::new(), text(n)) } else { (text(n), String::new()) };
            let test = format!("package postern\n{test}");
            load(&format!("{main}\ndecision if x == x"), &[("main_test.rego", &test)]).ok()
        };
        let (mut loaded, mut refused) = (4, 1_000);
        while refused - loaded > 1 {
            let middle = usize::midpoint(loaded, refused);
            if loads(middle).is_some() { loaded = middle } else { refused = middle }
        }
        let mut judge = Judge::new(Arc::new(loads(loaded).unwrap()));
        let judge = move || judge.judge(&Recorded::parse("{}").unwrap());
        let verdict =
            std::thread::Builder::new().stack_size(1024 * 1024).spawn(judge).unwrap().join().unwrap();
        let undefined = *name == "else";
        assert!(undefined || matches!(verdict, Verdict::Allow(_)), "{name} of {loaded}: {verdict:?}");
    }
}

fn chain(n: usize, link: fn(usize, usize) -> String, end: &str) -> String {
    let links: Vec<_> = (0..n).map(|i| link(i, i + 1)).collect();
    format!("{}\n{}", links.join("\n"), end.replace("{n}", &n.to_string()))
}

#[test]
fn a_sum_of_a_quarter_million_terms_is_refused_without_harm() {
    let terms = "+1".repeat(4_000);
    let sum = vec![format!("0{terms}"); 60].join("\n+");
    refused(&format!("x := {sum}"), 4, "data.postern.x");
}

#[test]
fn every_problem_is_told_at_once() {
    let problems = load("x if http.send({})\ny if nope(1)\nz := walk(1)", &[("b.rego", "package b\nx if {")])
        .unwrap_err();
    let places: Vec<_> = problems.iter().map(|p| (p.file.as_str(), p.line)).collect();
    assert_eq!(places, [("b.rego", 2), ("main.rego", 4), ("main.rego", 5), ("main.rego", 6)]);
}

#[test]
fn the_leaves_that_a_policy_reads_are_known() {
    let leaves = |body: &str| load(body, &[]).unwrap().leaves().clone();
    let only = |ids: &[LeafId]| LeafSet::Only(ids.iter().copied().collect());
    assert_eq!(leaves("decision if input.caller.id == \"a\""), only(&[LeafId::CallerId]));
    assert_eq!(
        leaves(
            "import input.caller as c\ndecision if { c.kind; input.request.headers[\"x-a\"][_] == \"1\"; time.now_ns() > 1 }"
        ),
        only(&[
            LeafId::CallerId,
            LeafId::CallerKind,
            LeafId::CallerTrustDomain,
            LeafId::CallerPath,
            LeafId::CallerProof,
            LeafId::CallerExpiresAt,
            LeafId::CallerX509,
            LeafId::CallerJwt,
            LeafId::CallerProcess,
            LeafId::CallerActors,
            LeafId::RequestHeaders,
            LeafId::Now,
        ])
    );
    assert_eq!(leaves("decision if input[input.listener]"), LeafSet::Whole);
    assert_eq!(leaves("decision if { x := input; x.now }"), LeafSet::Whole);
    assert!(leaves("decision if input.request[_] == 1").reads(LeafId::RequestPath));
}

#[test]
fn what_with_puts_in_counts_as_read() {
    let test = ("main_test.rego", "package postern\nf(_) := 1 if q with count as f\nx if f(1)");
    let problems = load("q if count([1]) == 1", &[test]).unwrap_err();
    assert_eq!(problems[0].construct, "data.postern.f");
    assert!(problems[0].why.contains("reads itself"), "{problems:?}");
}

#[test]
fn an_interpolated_string_is_answered_and_its_mistakes_have_the_authors_place() {
    let text = "x := $\"a {input.caller.path} {input.route}\"\ndecision := {\"allow\": true, \"reason\": x} if input.caller.path";
    let mut judge = Judge::new(Arc::new(load(text, &[]).unwrap()));
    let verdict = judge.judge(&Recorded::parse(r#"{"caller": {"path": [1, "2"]}}"#).unwrap());
    let Verdict::Allow(allowance) = verdict else { panic!("{verdict:?}") };
    assert_eq!(allowance.reason.as_deref(), Some("a [1, \"2\"] <undefined>"));

    let problem = refused("x := [$\"{input.v}\", crypto.md5(\"a\")]", 4, "crypto.md5");
    assert_eq!((problem.column, problem.excerpt.as_str()), (21, "x := [$\"{input.v}\", crypto.md5(\"a\")]"));
    let problem = refused("x := 1\ny := $\"{}\"", 5, "$\"…\"");
    assert_eq!(problem.column, 9);
    let problem = refused("x := $\"{crypto.md5(`a`)}\"", 4, "crypto.md5");
    assert_eq!(problem.column, 9);
}

#[test]
fn a_builtin_of_ours_may_take_its_result_as_last_argument() {
    let text =
        "h := x if crypto.sha256(\n\tinput.route,\n\tx,\n)\ndecision := {\"allow\": true, \"reason\": h}";
    let mut judge = Judge::new(Arc::new(load(text, &[]).unwrap()));
    let verdict = judge.judge(&Recorded::parse(r#"{"route": "abc"}"#).unwrap());
    let Verdict::Allow(allowance) = verdict else { panic!("{verdict:?}") };
    assert!(allowance.reason.is_some_and(|reason| reason.starts_with("ba7816bf")), "the digest of abc");

    let problem = refused("x if { crypto.sha256(input.v, y); crypto.md5(y) }", 4, "crypto.md5");
    assert_eq!(problem.column, 35);
    refused("x if not crypto.sha256(input.route, \"a\")", 4, "crypto.sha256");
    // Its lines are part of what it says.
    refused("x if array.flatten(input.caller.path, [`1\n2`])", 4, "array.flatten");
}

const ROLES: &str =
    "package lib.roles\nimport rego.v1\nknown(id) if id == \"a\"\nlisted if known(input.caller.id)";

fn tested(test: &str, others: &[(&str, &str)]) -> Option<Problem> {
    let test = ("main_test.rego", test);
    load(
        "inside(ip) if startswith(ip, \"10.\")\ndecision if inside(input.context.peer.ip)",
        &[&[test], others].concat(),
    )
    .err()
    .map(|problems| problems.first().unwrap().clone())
}

#[test]
fn a_test_may_replace_what_the_engine_replaces_everywhere() {
    for test in [
        "package postern\nmock(_) := true\ntest_a if decision with input as {} with inside as mock",
        "package postern\ntest_a if decision with input as {\"context\": {\"peer\": {\"ip\": \"1\"}}} with inside as true",
        "package a\nimport data.postern as p\ntest_a if p.decision with p.fallback as 3",
        "package a\ntest_a if data.postern.decision with startswith as true with input as {\"context\": {\"peer\": {\"ip\": \"1\"}}}",
        "package a\nimport data.lib.roles\nmock(_) := true\ntest_a if roles.known(1) with data.lib.roles.known as mock",
    ] {
        let only = ("roles.rego", "package lib.roles\nimport rego.v1\nknown(id) if id == \"a\"");
        assert_eq!(tested(test, &[only]), None, "{test}");
    }
}

#[test]
fn what_opa_replaces_by_another_name_is_replaced_too() {
    for test in [
        "package a\nmock(_) := true\ntest_a if data.postern.decision with data.postern.inside as mock with input as {\"context\": {\"peer\": {\"ip\": \"1\"}}}",
        "package a\ntest_a if data.lib.roles.listed with data.lib.roles.known as true with input as {\"caller\": {\"id\": \"b\"}}",
        "package postern\ntest_a if decision with decision as true",
        "package postern\ntest_a if crypto.sha256(\"a\") == \"b\" with crypto.sha256 as \"b\"",
        "package postern\ntest_a if not decision with startswith as crypto.hmac.equal with input as {\"context\": {\"peer\": {\"ip\": \"1\"}}}",
        "package postern\ntest_a if lower(\"A\") == \"A\" with lower as upper",
    ] {
        assert_eq!(tested(test, &[("roles.rego", ROLES)]), None, "{test}");
    }
}

#[test]
fn what_opa_replaces_nowhere_or_the_engine_here_and_not_there_is_refused() {
    for (test, construct) in [
        (
            "package postern\nmock(_, _) := true\ntest_a if decision with inside as mock",
            "data.postern.inside",
        ),
        ("package postern\ntest_a if decision with walk as true", "walk"),
        ("package postern\ntest_a if decision with decided as true", "decided"),
        ("package postern\ntest_a if decision with rego.metadata.rule as true", "rego.metadata.rule"),
    ] {
        let problem = tested(test, &[("roles.rego", ROLES)]).unwrap_or_else(|| panic!("loaded: {test}"));
        assert_eq!(problem.construct, construct, "{problem}");
    }
    let called_so = ("other.rego", "package lib.other\nstartswith(_, _) := false\nx if startswith(1, 2)");
    let problem = tested("package a\ntest_a if data.postern.decision with startswith as true", &[called_so]);
    assert_eq!(problem.unwrap().construct, "startswith");
}

#[test]
fn a_builtin_that_is_refused_stands_in_for_no_other() {
    let replaced_by = |with: &str| {
        let test = format!("package postern\ntest_a if decision with {with}");
        tested(&test, &[]).unwrap_or_else(|| panic!("loaded: {with}"))
    };
    // The last takes as many arguments as what it would replace.
    for (with, name) in [
        ("startswith as http.send", "http.send"),
        ("inside as http.send", "http.send"),
        ("time.now_ns as opa.runtime", "opa.runtime"),
    ] {
        let refused = replaced_by(with);
        assert_eq!(
            (refused.construct.as_str(), refused.why.as_str()),
            (name, "is not let through"),
            "{refused}"
        );
        assert!(!refused.instead.is_empty(), "{refused}");
    }
    assert!(!replaced_by("http.send as true").instead.is_empty());
}

#[test]
fn a_thousand_of_anything_is_judged_long_before_loading_is_given_up() {
    let many = |line: &dyn Fn(usize) -> String| (0..1_000).map(line).collect::<String>();
    let decision = "decision if input.route == \"a\"\n";
    let mocked = many(&|n| {
        format!("m{n} := {{\"route\": \"a\"}}\ntest_{n} if data.postern.decision with input as m{n}\n")
    });
    let constants = many(&|n| format!("x{n} := {n}\n"));
    let whole = many(&|n| format!("y{n} if data.a\n"));
    for (body, others) in [
        (decision.to_owned(), vec![("a_test.rego".to_owned(), format!("package postern_test\n{mocked}"))]),
        (whole, vec![("a.rego".to_owned(), format!("package a\n{constants}"))]),
        (
            decision.to_owned(),
            (0..1_000)
                .map(|n| (format!("{n}.rego"), format!("package p{}\nx{n} := 1\ny{n} if x{n}\n", n / 2)))
                .collect(),
        ),
    ] {
        let others: Vec<_> = others.iter().map(|(name, text)| (name.as_str(), text.as_str())).collect();
        let refused = load(&body, &others).err();
        assert!(refused.is_none(), "{}", refused.unwrap().first().unwrap());
    }
    // What is wrong is told, and not that there was no time for it.
    let problems = load(&many(&|n| format!("x{n} := y{n}\n")), &[]).unwrap_err();
    assert!(problems[100].why.contains("900 more"), "{}", problems[100]);
    let problems = load(&"# METADATA\n# {}\n\n".repeat(6_000), &[]).err();
    assert_eq!(problems, None);
}

#[test]
fn a_rule_in_the_place_of_another_is_refused_as_opa_refuses_it() {
    for (body, line, construct) in [
        ("decision.allow := true", 4, "data.postern.decision"),
        ("x := {\"a\": 1}\nx.b := 2", 5, "data.postern.x"),
        ("x contains 1\nx.b := 2", 5, "data.postern.x"),
        ("x.y contains 1\nx.y[\"z\"] := 2", 5, "data.postern.x.y"),
        ("x(_) := 1\nx := 2", 4, "data.postern.x"),
        ("x(_) := 1\nx(_, _) := 2", 4, "data.postern.x"),
        ("x contains 1\nx[y] := 3 if some y in [2]", 4, "data.postern.x"),
        ("default x := 1\nx[y] := 3 if some y in [2]", 4, "data.postern.x"),
        ("default x := 1\ndefault x := 1", 5, "data.postern.x"),
    ] {
        refused(body, line, construct);
    }
    for body in [
        "x.a := 1\nx.b := 2",
        "x.a := 1\nx[y] := 3 if some y in [2]",
        "x[y] := 3 if some y in [2]\nx.a := 1",
        "default f(_) := 1\nf(x) := x",
        "x := 1 if input.route\nx := 2 if not input.route",
    ] {
        load(body, &[]).unwrap_or_else(|problems| panic!("{body}: {problems:?}"));
    }
}

#[test]
fn a_package_cannot_allow_in_the_place_of_the_decision() {
    for package in ["postern.decision", "postern[\"decision\"].deep"] {
        let text = format!("package {package}\nallow := true");
        let problems = load("", &[("other.rego", &text)]).unwrap_err();
        let problem = problems.first().unwrap();
        assert_eq!(problem.construct, "data.postern.decision", "{problem}");
        assert_eq!(problem.file, "other.rego");
        assert!(problem.why.contains("main.rego"), "{problem}");
    }
}

#[test]
fn nothing_is_called_as_the_documents_are() {
    for (import, name) in
        [("data.input", "input"), ("data.x as input", "input"), ("input.request as data", "data")]
    {
        let sources = Sources::from_modules(
            [("main.rego", format!("package postern\nimport {import}\ndefault decision := false").as_str())],
            [],
        );
        let error =
            PolicySet::compile(&sources, "data.postern.decision", Duration::from_secs(1)).unwrap_err();
        let problem = error.problems.first().unwrap();
        assert_eq!((problem.line, problem.construct.as_str()), (2, name), "{problem}");
    }
    refused("f(input) := input.x", 4, "input");
    refused("f([_, {\"a\": data}]) := data", 4, "data");
}

#[test]
fn a_module_of_many_rules_is_kept_in_memory_once_and_not_for_each_rule() {
    let most = || {
        let status = std::fs::read_to_string("/proc/self/status").unwrap();
        let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
        line.trim().trim_end_matches(" kB").parse::<u64>().unwrap() / 1024
    };
    let rules: String = (0..1_000).map(|n| format!("rule_{n} if true\n")).collect();
    let comment = format!("# {}\n", "x".repeat(4_000)).repeat(220);
    load(&format!("{comment}{rules}"), &[]).unwrap();

    assert!(most() < 512, "{} MiB", most());
}

#[test]
fn what_is_never_done_with_being_written_anew_is_refused() {
    let nested = |times| {
        let within = format!("{}1 in input.context{}", "(".repeat(times), " in [true])".repeat(times));
        let mut all = "[]".to_owned();
        for _ in 0..times.min(8) {
            all = format!("[input.context[i] |\nsome i in {all}]");
        }
        format!("m := {within}\nc := {all}\ndecision if {{ m; c; not startswith(input.route, \"guest\") }}")
    };
    assert!(load(&nested(8), &[]).is_ok());
    let problems = load(&nested(28), &[]).err().unwrap();
    assert_eq!(problems[0].file, "main.rego");
    assert!(problems[0].why.contains("more in one another"), "{problems:?}");
}

#[test]
fn what_the_engine_would_answer_otherwise_is_refused_in_heads_and_statements() {
    for (body, name, why) in [
        ("x[input.route].a contains 1 if input.now > 1", "x[input.route]", "would be there although"),
        ("x.a.b := 1 if input.now > 1\nx[k].c := 2 if some k in [\"d\"]", "x.a.b", "stands beside"),
        ("x := input.route if { z := [1][y] with input as {}; z > y }", "with", "goes through many values"),
        ("x if { walk(input.context, [y, _]); every z in [1] { y = z } }", "y", "is given a value"),
        ("x if { some y in 1 }", "1", "has no members"),
        ("x if { [\"a\", y] := input.request.segments; y }", "a", "where OPA takes names alone"),
        ("x if { {\"a\": [y, input.now]} := {\"a\": [1, 2]}; y }", "input", "where OPA takes names alone"),
        ("f([y, data.z]) := y", "data", "in an argument of a function"),
        ("f([y, count([1])]) := y", "count", "in an argument of a function"),
        ("x if { {\"a\": y} = {k: 1 | some k in [\"a\"]}; y }", "y", "calls unsafe"),
        ("x := [1 | some y, _ in \"a\"; y]", "a", "has no members"),
        ("y := 1\nx if { every z in [2] { some y; y = z } }", "y", "is a rule or an import too"),
        ("x := {\"a\": input.route, \"a\": 1}", "a", "stands twice"),
        ("x if {\n\t1 | input.now\n\t2 > 1\n}", "|", "begins a body"),
        ("x if {\n\tsome y\n\t-1 = y\n}", "-", "begins a line after `some`"),
        ("y := 1\nx if { every z in [2] { [y, _] := [z, 1]; y }; y == 1 }", "y", "behind `every`"),
        ("f(a) := a\nx if { not f(y); some y in [1] }", "y", "before the statement that declares it"),
        ("y := 1\nx if { [y, z] := [1, y]; z }", "y", "before the statement that declares it"),
        ("f(a) := a\nx if { f(1); f := 1 }", "f", "before the statement that declares it"),
        (
            "x := [b | walk(input.context, [_, a]); a > 1; some b in [1, 2]]",
            "some b in [1, 2]",
            "goes through values after `walk`",
        ),
        (
            "x := [b | walk(input.context, [_, _]); some b, c; input.request[b] = c]",
            "input.request[b] = c",
            "goes through values after `walk`",
        ),
        ("f(y, y) := y\nx := f(1, 2)", "y", "stands for two values"),
        ("f([_, y], _, {\"a\": y}) := y\nx := f([1, 2], 1, {})", "y", "stands for two values"),
        ("x if { some y, y in [1] }", "y", "stands for two values"),
        ("y := 1\nx if { some y, [_, y] in [[1, 2]] }", "y", "stands for two values"),
        ("x if { print(data.postern.y[i]) }\ny := [1]", "i", "OPA calls it unsafe"),
    ] {
        let problems = load(body, &[]).err().unwrap_or_else(|| panic!("loaded: {body}"));
        let found = problems.iter().find(|problem| problem.why.contains(why));
        let found = found.unwrap_or_else(|| panic!("{body}: {problems:?}"));
        assert_eq!(found.construct, name, "{found}");
    }
    for body in [
        "x if { some y\n\t[-1][_] = y\n}",
        "x if { walk(input.context, [y, z]); y = [\"a\"]; every a in [1] { a == z } }",
        "x if { every z in [1] { walk(input.context, [y, _]); y = [1]; z == 1 } }",
        "y := 1\nx if { some y; y = 2 }",
        "f([y, y], _, _) := y\nx if { some _, [y, y, _] in input.request.query; f([1, y], 1, 2) }",
        "x if { y := 1; z := [a | some a in [y]]; print(y, z) }",
        "x if { z := [y | some y in [2]]; some y in z }",
        "x := [b | walk(input.context, [_, a]); some b in a; some c in [b]; c > 1]",
        "x := {b | walk(input.context, [_, a]); a > 1; some b in [1, 2]}",
        "x := [[a, b] | some b in [1, 2]; walk(input.context, [_, a]); b == data.postern.y]\ny := 1",
        "f(y) if { z := y + 1; every y in [z] { y > 1 } }",
    ] {
        load(body, &[]).unwrap();
    }
}

#[test]
fn of_very_many_problems_a_hundred_are_told_and_the_others_counted() {
    let lines = |line: fn(usize) -> String| (0..3_000).map(line).collect::<Vec<_>>().join("\n");
    for (body, found) in [
        (lines(|n| format!("x{n} := input.reqest")), 3_000),
        (lines(|n| format!("x{n} := missing(1)")), 3_000),
        (lines(|n| format!("x{n} := y")), 3_000),
        (format!("x if {{\n{}\n}}", "input.reqest\n".repeat(1_900)), 1_900),
        (format!("x := [{}]", "input.reqest,\n".repeat(3_000)), 3_000),
    ] {
        let problems = load(&body, &[]).unwrap_err();
        assert_eq!(problems.len(), 101, "{}", problems[0]);
        let more = &problems[100];
        assert_eq!((more.file.as_str(), more.line, more.construct.as_str()), ("", 0, "policy"), "{more}");
        assert_eq!(more.why, format!("has {} more problems, which are not told", found - 100));
        assert!(problems[..100].windows(2).all(|two| two[0].line <= two[1].line));
    }
    let some = lines(|n| if n < 100 { format!("x{n} := input.reqest") } else { String::new() });
    assert_eq!(load(&some, &[]).unwrap_err().len(), 100);
}

/// OPA has no builtin of this name: it is written in the place of `rego.metadata.rule()` alone.
#[test]
fn the_builtin_that_stands_for_annotations_is_not_an_authors() {
    let problem = refused("x := internal.metadata(\"{}\")", 4, "internal.metadata");
    assert_eq!(problem.why, "is neither a function of this policy nor a builtin");
    refused("x := y if internal.metadata(\"{}\", y)", 4, "internal.metadata");
    // A function of the policy may be called so.
    let own = "package internal\n\nmetadata(x) := x\n";
    load("x := data.internal.metadata(1)", &[("own.rego", own)]).unwrap();
    load("import data.internal\nx := internal.metadata(1)", &[("own.rego", own)]).unwrap();
    load("x := rego.metadata.rule()", &[]).unwrap();
}

#[test]
fn a_function_that_would_answer_for_what_postern_writes_is_refused() {
    let lib = |function: &str| format!("package lib.internal\nx := 1\n{function} := \"mine\"");
    let main = "import data.lib.internal\n\nx if $\"{internal.x}\" == \"1\"\ny := rego.metadata.rule()\nz if {\n\tprint(y)\n\t\
                time.within(\"08:00-18:00\")\n}";
    for (function, name, of) in [
        ("template_string(_)", "internal.template_string", "`$\"…\"`"),
        ("metadata(_)", "internal.metadata", "`rego.metadata`"),
        ("print(_, _)", "internal.print", "`print`"),
        ("collection(_)", "internal.collection", "`in`"),
        ("now.within(_, _)", "internal.now.within", "`time.within`"),
    ] {
        let problems = load(main, &[("lib.rego", &lib(function))]).unwrap_err();
        let [problem] = problems.as_slice() else { panic!("{problems:?}") };
        assert_eq!((problem.line, problem.construct.as_str()), (4, name), "{problem}");
        assert!(problem.why.contains(of), "{problem}");
    }
    load("internal.metadata(_) := 1\ny := rego.metadata.rule()", &[]).unwrap_err();
    load(main, &[("lib.rego", &lib("other(_)"))]).unwrap();
}

#[test]
fn one_argument_more_is_the_result_of_a_statement_of_its_own_alone() {
    const MORE: &str = "f(x) := 1 if x\ng(x) if x == \"a\"\ny := true\n";
    for (body, construct) in [
        ("decision if not startswith(input.route, \"/admin\", \"x\")", "startswith"),
        ("decision if not g(input.route, input.request.method)", "g"),
        ("decision if startswith(input.route, \"/admin\", true) == true", "startswith"),
        ("decision if f(1, 2) == 1", "f"),
        ("decision if count([f(1, 1)]) == 1", "f"),
        ("decision if { z := f(1, 2); z }", "f"),
        ("decision if { some z in f(1, 1); z }", "f"),
        ("decision if y == true with input.route as f(1, \"a\")", "f"),
        ("x := f(1, 1)", "f"),
        ("x contains count([1], 1)", "count"),
        ("x := [f(1, 1) | y]", "f"),
        ("x := {z: count([1], 1) | z := 1}", "count"),
        // Of another kind than the result, which OPA calls a type error.
        ("decision if startswith(input.route, \"/admin\", \"x\")", "startswith"),
        ("decision if count([1], \"x\")", "count"),
        ("decision if count([1], [1])", "count"),
        ("decision if split(\"a.b\", \".\", {\"b\"})", "split"),
        ("decision if f(1, \"x\")", "f"),
        ("decision if g(\"a\", 1)", "g"),
        ("x := [1 | g(\"a\", 1)]", "g"),
    ] {
        let problem = refused(&format!("{MORE}{body}"), 7, construct);
        assert!(problem.why.starts_with("has one argument more than it takes"), "{problem}");
    }
    let problem = refused(&format!("{MORE}decision if f(1, 2, 3)"), 7, "f");
    assert_eq!(problem.why, "takes 1 arguments, not 3");
    // What OPA gives for each.
    for (body, holds) in [
        ("not startswith(input.route, \"/b\", true)", true),
        ("not startswith(input.route, \"/ad\", true)", false),
        ("not startswith(input.route, \"/ad\", false)", true),
        ("not startswith(input.direction, \"/b\", true)", false),
        ("not data.postern.g(\"a\", true)", false),
        ("not data.postern.g(\"b\", true)", true),
        ("startswith(input.route, \"/ad\", true)", true),
        ("startswith(input.route, \"/ad\", false)", false),
        ("startswith(input.route, \"/b\", false)", true),
        ("startswith(input.route, \"/ad\", y)", true),
        ("{ startswith(input.route, \"/b\", z); z == false }", true),
        ("count([1], 1)", true),
        ("count([1], 2)", false),
        ("f(1, 1)", true),
        ("f(1, 2)", false),
        ("g(\"a\", true)", true),
        ("{ f(1, z); z == 1 }", true),
        ("(f(1, 1))", true),
        ("data.postern.f(1, 1)", true),
        ("every z in [1] { f(z, 1) }", true),
        ("count([z | f(1, z)]) == 1", true),
        ("split(\"a.b\", \".\", [z, \"b\"])", true),
        ("crypto.sha256(\"a\", z)", true),
    ] {
        let policy = load(&format!("{MORE}decision if {body}"), &[]);
        let policy = policy.unwrap_or_else(|problems| panic!("{body}: {problems:?}"));
        let input = Recorded::parse(r#"{"route": "/admin"}"#).unwrap();
        let verdict = Judge::new(Arc::new(policy)).judge(&input);
        assert_eq!(matches!(verdict, Verdict::Allow(_)), holds, "{body}: {verdict:?}");
    }
}

#[test]
fn what_would_be_too_long_for_the_engine_is_refused_where_it_stands() {
    let lines = |count: usize, line: &str| vec![line; count].join(",\n");
    let names = (0..400).map(|n| format!("a{n}")).collect::<Vec<_>>().join(",\n");
    let text = format!("\"{}\"", "x".repeat(100));
    let body = |texts: usize| {
        let (given, with) = (lines(400, "input.route"), lines(texts, &text));
        format!("f({names}) if a0 == \"b\"\nx if {{\n\tnot f({given}) with input.caller.path as [{with}]\n}}")
    };
    let problem = refused(&body(400), 4 + 400 + 1, "not");
    assert_eq!(problem.column, 2, "{problem}");
    assert!(problem.why.contains("4 MiB") && problem.instead.contains("`with … as x`"), "{problem}");
    load(&body(2), &[]).unwrap();
}

#[test]
fn a_name_that_is_declared_again_is_told_once_wherever_it_stands() {
    for (body, name, column) in [
        ("x if { some y in [1]; some y in [2]; y }", "y", 28),
        ("x if { every z in [1] { some y in [z]; some y in [2]; y } }", "y", 45),
        ("x if { every z in [1] { some z in [2]; z } }", "z", 30),
        ("f(y) if { some y in [2]; y }", "y", 16),
    ] {
        let problems = load(body, &[]).err().unwrap();
        assert_eq!(problems.len(), 1, "{problems:?}");
        assert_eq!((problems[0].construct.as_str(), problems[0].column), (name, column), "{body}");
    }
}

#[test]
fn a_pattern_that_would_fit_objects_with_more_members_is_refused() {
    for (body, line, construct) in [
        ("f({k: x}, k) := x", 4, "k"),
        ("f({\"r\": [{k: x}]}, k) := x", 4, "k"),
        ("f({\n\"a\": x, # so\n}) := x", 4, "{…}"),
        ("y if { k := \"a\"; {k: x, \"b\": 1} = input.o }", 4, "k"),
        ("y if { {lower(\"A\"): x} = input.o }", 4, "lower(\"A\")"),
        ("y if { k := \"a\"; some {k: x, \"b\": 1} in input.o }", 4, "k"),
        ("y if { k := \"a\"; s[{k: x, \"b\": 1}] }\ns := set()", 4, "k"),
        ("y if { {{\"a\": 1}}[{\"a\": x}] }", 4, "{…}"),
        ("y if { k := \"a\"; {\"b\": x, k: 1} = {\"b\": 1, k: 1} }", 4, "{…}"),
        ("y if { walk(input.o, [path, {\"a\": x}]) }", 4, "[path, {\"a\": x}]"),
        ("y if { g(1, {\"a\": x}) }\ng(x) := {\"a\": x}", 4, "{…}"),
    ] {
        let problems = load(body, &[]).err().unwrap_or_else(|| panic!("loaded: {body}"));
        let found = problems.iter().find(|problem| {
            problem.line == line && problem.construct == construct && !problem.instead.is_empty()
        });
        assert!(found.is_some(), "{body}: {problems:#?}");
    }
}

#[test]
fn every_body_without_if_is_told_with_its_place_and_no_more_of_many() {
    let places = |body: &str| -> Vec<(u32, u32)> {
        let problems = load(body, &[]).err().unwrap();
        assert!(
            problems.iter().all(|problem| problem.why.contains("`if` keyword is required")),
            "{problems:?}"
        );
        problems.iter().map(|problem| (problem.line, problem.column)).collect()
    };
    let several = "decision { true }\n\nok if true\n\na { true } else = 2 { true }\ndeny[x] { x := 1 }";
    assert_eq!(places(several), [(4, 10), (8, 3), (8, 21), (9, 9)]);
    let many: String = (0..50).map(|n| format!("x{n} {{ true }}\n")).collect();
    assert_eq!(places(&many).len(), 20);
    let other = "decision { true }\nx if {\n\t1 &&& 2\n}";
    assert_eq!(places(other), [(4, 10)]);
}

#[test]
fn each_default_but_the_first_names_the_first() {
    let problems =
        load("x := 1", &[("other.rego", "package postern\n\ndefault decision := false\n")]).err().unwrap();
    let [problem] = problems.as_slice() else { panic!("{problems:?}") };
    assert_eq!(problem.why, "has more than one default: that of main.rego:5 too");
    assert_eq!((problem.file.as_str(), problem.line), ("other.rego", 3));
}

#[test]
fn keywords_of_the_future_change_nothing_where_names_alone_are_negated() {
    for import in ["future.keywords", "future.keywords.not"] {
        for body in ["decision if not input.request.headers.x", "no if false\ndecision if not no"] {
            load(&format!("import {import}\n{body}"), &[]).unwrap();
        }
        for body in ["decision if not startswith(input.route, \"a\")", "decision if not input.route == \"a\""]
        {
            let construct = format!("import {import}");
            refused(&format!("import {import}\n{body}"), 4, &construct);
        }
    }
}

#[test]
fn what_is_called_otherwise_elsewhere_is_told_by_its_name_here() {
    for (body, instead) in [
        ("x if input.caller == \"spiffe://a/b\"", "`input.caller.id`"),
        ("x if input.request.path == [\"a\"]", "`input.request.segments`"),
        ("x if input.request.method == [\"GET\", \"PUT\"]", "`input.request.method in [\"GET\", \"PUT\"]`"),
        ("x if input.caller.claims.role == \"a\"", "a JWT-SVID has no other claims"),
        ("x if \"a\" in input.caller.roles", "`data.roles[input.caller.id]`"),
        ("x if input.request.protocol == \"http\"", "`input.request.scheme`"),
        ("x := strings.lower(input.route)", "`lower`"),
        ("x := len(input.request.segments)", "`count`"),
        ("decision.allow := true if input.now > 1", "the whole value, `decision := {…} if …`"),
        ("decision[\"allow\"] := true if input.now > 1", "the whole value, `decision := {…} if …`"),
        (
            "decision := {\"allow\": false, \"deny\": {\"status\": 200}}",
            "`postern policy schema --of decision`",
        ),
    ] {
        let problems = load(body, &[]).err().unwrap_or_else(|| panic!("loaded: {body}"));
        assert!(problems.iter().any(|problem| problem.instead.contains(instead)), "{body}: {problems:?}");
    }
}
