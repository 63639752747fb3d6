//! What an explanation says is what the engine answers, and what its author reads in the file.

use super::*;

const POLICY: &str = r#"package postern

import data.org.roles

default decision := {"allow": false, "reason": "no rule allows this"}

decision := {"allow": true, "rule": "clerks"} if {
	clerk
	input.request.method in {"GET", "HEAD"}
	inside(input.context.peer.ip)
}

decision := {"allow": true, "rule": "batch"} if {
	input.request.segments[_] == "batch"
	some role in roles[input.caller.id]
	role == "writer"
}

clerk if startswith(input.caller.id, "spiffe://example.org/clerk")

inside(ip) if net.cidr_contains("10.0.0.0/8", ip)

inside("127.0.0.1") if input.caller.jwt.key_id
"#;

const DATA: &str = r#"{"roles": {"spiffe://example.org/clerk/7": ["reader", "auditor"]}}"#;

fn input(method: &str, ip: &str) -> Document {
    Document::json(&format!(
        r#"{{"caller": {{"id": "spiffe://example.org/clerk/7", "jwt": null}}, "context": {{"peer": {{"ip": "{ip}"}}}},
            "request": {{"method": "{method}", "segments": ["batch", "eod"]}}}}"#
    ))
    .unwrap()
}

fn told(policy: &str, data: &str, input: Document) -> Explanation {
    let sources = Sources::from_modules([("main.rego", policy)], [("org", data)]);
    explain(&sources, "data.postern.decision", input, Some(7), Duration::from_secs(5)).unwrap()
}

fn stops(explanation: &Explanation, rule: &str) -> Vec<(u32, String, Vec<String>)> {
    let rules = explanation.rules.iter().filter(|told| told.name == rule);
    let clauses = rules.flat_map(|rule| &rule.clauses);
    clauses
        .filter_map(|clause| match &clause.how {
            How::Stopped(at) => {
                let value = |known: &Known| {
                    format!("{} {}", known.name, known.value.as_deref().unwrap_or("undefined"))
                };
                Some((at.line, at.text.clone(), at.values.iter().map(value).collect()))
            }
            _ => None,
        })
        .collect()
}

fn line(policy: &str, text: &str) -> u32 {
    u32::try_from(policy.lines().position(|line| line.contains(text)).unwrap() + 1).unwrap()
}

#[test]
fn each_clause_names_the_statement_it_stopped_at_and_what_that_read() {
    let explanation = told(POLICY, DATA, input("POST", "10.0.0.1"));

    assert!(explanation.whole);
    assert_eq!(
        stops(&explanation, "data.postern.decision"),
        [
            (
                line(POLICY, "HEAD"),
                r#"input.request.method in {"GET", "HEAD"}"#.to_owned(),
                vec![r#"input.request.method "POST""#.to_owned()]
            ),
            (line(POLICY, "writer"), r#"role == "writer""#.to_owned(), vec![r#"role "reader""#.to_owned()]),
        ]
    );
    let default = &explanation.rules[0].clauses[0];
    assert_eq!((default.line, &default.how), (line(POLICY, "default"), &How::Default { counts: true }));
}

#[test]
fn a_function_is_told_with_its_arguments_and_its_patterns() {
    let explanation = told(POLICY, DATA, input("GET", "127.0.0.1"));

    assert_eq!(
        stops(&explanation, "data.postern.decision")[0],
        (
            line(POLICY, "inside(input"),
            "inside(input.context.peer.ip)".to_owned(),
            vec![r#"input.context.peer.ip "127.0.0.1""#.to_owned()]
        )
    );
    let inside = explanation.rules.iter().find(|rule| rule.name == "data.postern.inside").unwrap();
    let arguments = inside.arguments.as_ref().unwrap();
    assert_eq!(arguments[0].value.as_deref(), Some(r#""127.0.0.1""#));
    assert_eq!(
        stops(&explanation, "data.postern.inside"),
        [
            (
                line(POLICY, "inside(ip)"),
                r#"net.cidr_contains("10.0.0.0/8", ip)"#.to_owned(),
                vec![r#"ip "127.0.0.1""#.to_owned()]
            ),
            (
                line(POLICY, "jwt.key_id"),
                "input.caller.jwt.key_id".to_owned(),
                vec!["input.caller.jwt.key_id undefined".to_owned()]
            ),
        ]
    );
    let elsewhere = told(POLICY, DATA, input("GET", "192.0.2.1"));
    assert_eq!(stops(&elsewhere, "data.postern.inside")[1].1, r#""127.0.0.1""#);
}

#[test]
fn an_allowed_request_says_which_clause_held_and_on_what() {
    let explanation = told(POLICY, DATA, input("GET", "10.0.0.1"));

    assert!(matches!(explanation.verdict, Verdict::Allow(_)));
    let hows: Vec<_> = explanation.rules[0].clauses.iter().map(|clause| &clause.how).collect();
    assert_eq!(hows[..2], [&How::Default { counts: false }, &How::Held]);
    for rule in ["data.postern.clerk", "data.postern.inside"] {
        let told = explanation.rules.iter().find(|told| told.name == rule).unwrap();
        assert_eq!(told.clauses[0].how, How::Held, "{rule}");
    }
}

/// What the engine reads is not what stands here: templates, rules and statements that begin with a keyword,
/// and a value of `with` that is evaluated before its statement.
const TRANSLATED: &str = r#"package postern

default decision := false

desk := "ledger"

decision if {
	startswith(input.caller.id, $"spiffe://{input.context.labels.domain}/desk/")
	name := input.caller.id
	$"{name}/{input.request.method}" == $"spiffe://example.org/desk/{desk}/GET"
}

decision if {
	[_, _, _, _, desk_name] = split(input.caller.id, "/")
	desk_name == `auditor`
}

decision if {
	input.now < 10
	if.reads
}

decision if in.hours(input.now)

decision if desk == path with input.request.path as $"/{desk}"

in.hours(now) if now > 100

if.reads if {
	input.request.method != "GET"; input.request.method in {"HEAD", "OPTIONS"}
}

path := input.request.path
"#;

#[test]
fn what_is_translated_for_the_engine_is_told_in_its_authors_words() {
    let input = Document::json(
        r#"{"caller": {"id": "spiffe://example.org/desk/ledger"}, "context": {"labels": {"domain": "example.org"}},
            "now": 7, "request": {"method": "PUT"}}"#,
    );

    let explanation = told(TRANSLATED, DATA, input.unwrap());

    assert!(explanation.whole);
    assert_eq!(
        stops(&explanation, "data.postern.decision"),
        [
            (
                line(TRANSLATED, "/GET"),
                r#"$"{name}/{input.request.method}" == $"spiffe://example.org/desk/{desk}/GET""#.to_owned(),
                vec![
                    r#"name "spiffe://example.org/desk/ledger""#.to_owned(),
                    r#"input.request.method "PUT""#.to_owned(),
                    r#"desk "ledger""#.to_owned(),
                    r#"$"{name}/{input.request.method}" "spiffe://example.org/desk/ledger/PUT""#.to_owned(),
                    r#"$"spiffe://example.org/desk/{desk}/GET" "spiffe://example.org/desk/ledger/GET""#
                        .to_owned(),
                ]
            ),
            (
                line(TRANSLATED, "auditor"),
                "desk_name == `auditor`".to_owned(),
                vec![r#"desk_name "ledger""#.to_owned()]
            ),
            (
                line(TRANSLATED, "\tif.reads"),
                "if.reads".to_owned(),
                // By its full name.
                vec!["data.postern.if.reads undefined".to_owned()]
            ),
            (
                line(TRANSLATED, "decision if in"),
                "in.hours(input.now)".to_owned(),
                vec!["input.now 7".to_owned()]
            ),
            (
                line(TRANSLATED, "with input"),
                r#"desk == path with input.request.path as $"/{desk}""#.to_owned(),
                // As they are under it.
                vec![
                    r#"$"/{desk}" "/ledger""#.to_owned(),
                    r#"desk "ledger""#.to_owned(),
                    r#"path "/ledger""#.to_owned()
                ]
            ),
        ]
    );
    assert_eq!(
        stops(&explanation, "data.postern.in.hours"),
        [(line(TRANSLATED, "now > 100"), "now > 100".to_owned(), vec!["now 7".to_owned()])]
    );
    assert_eq!(
        stops(&explanation, "data.postern.if.reads"),
        [(
            line(TRANSLATED, "HEAD"),
            r#"input.request.method in {"HEAD", "OPTIONS"}"#.to_owned(),
            vec![r#"input.request.method "PUT""#.to_owned()]
        )]
    );
}

/// Values that stand in no reference alone: in loops, in comprehensions, under `with`, behind a call's last argument.
const INNER: &str = r#"package postern

default decision := false

decision if {
	split(input.caller.id, "/", parts)
	parts[3] == "batch"
}

decision if input.request.segments[_] == "none"

decision if {
	some i
	input.request.body.value.lines[i].account == input.request.body.value.accounts[i]
}

decision if {
	every line in input.request.body.value.lines {
		limit := data.org.limits[line.account]
		line.amount <= limit
	}
}

decision if count([line | some line in input.request.body.value.lines; line.amount > input.now]) > 2

decision if lower(input.request.method) in {"get", "head"}

decision if small with input.request.body.value.lines as [{"amount": 700}]

small if input.request.body.value.lines[0].amount < 500
"#;

#[test]
fn values_in_loops_and_comprehensions_under_with_and_from_last_arguments_are_told() {
    let input = Document::json(
        r#"{"caller": {"id": "spiffe://example.org/clerk/7"}, "now": 100,
            "request": {"method": "PUT", "segments": ["ledger", "7"], "body": {"value": {"accounts": ["x", "y"], "lines":
             [{"account": "a", "amount": 120}, {"account": "b", "amount": 90}, {"account": "c", "amount": 1}]}}}}"#,
    );
    let explanation = told(INNER, r#"{"limits": {"a": 100, "b": 100}}"#, input.unwrap());
    let stops = stops(&explanation, "data.postern.decision");
    let known = |text: &str| {
        let (.., values) =
            stops.iter().find(|(at, ..)| *at == line(INNER, text)).unwrap_or_else(|| panic!("{text}"));
        values.clone()
    };
    assert_eq!(known("parts[3]"), [r#"parts[3] "clerk""#]);
    assert_eq!(known("[_] =="), [r#"input.request.segments[_] "ledger""#]);
    assert_eq!(
        known("lines[i]"),
        [r#"input.request.body.value.lines[i].account "a""#, r#"input.request.body.value.accounts[i] "x""#]
    );
    // The first that is above its limit; the other has none.
    assert!(
        known("every").contains(&r#"line {"account":"a","amount":120}"#.to_owned()),
        "{:?}",
        known("every")
    );
    let counted = "count([line | some line in input.request.body.value.lines; line.amount > input.now]) 1";
    assert!(known("count([").contains(&counted.to_owned()), "{:?}", known("count(["));
    assert!(
        known("lower(").contains(&r#"lower(input.request.method) "put""#.to_owned()),
        "{:?}",
        known("lower(")
    );
    assert_eq!(known("decision if small"), ["small undefined"]);
    let others = |text: &str| {
        let clauses = &explanation.rules[0].clauses;
        let how = clauses.iter().find(|clause| clause.line == line(INNER, text)).map(|clause| &clause.how);
        let Some(How::Stopped(at)) = how else { panic!("{text}") };
        at.values.iter().map(|known| known.others).max()
    };
    assert_eq!(others("[_] =="), Some(1));
    // What holds without the `with` says nothing of why it does not with it.
    assert!(explanation.rules.iter().all(|rule| rule.name != "data.postern.small"), "{explanation:?}");
}

#[test]
fn all_that_is_asked_and_loaded_for_an_explanation_ends_by_one_deadline() {
    let forever = "package postern

default decision := false

decision if {
	xs := numbers.range(1, 9000)
	some a in xs
	some b in xs
	a + b < 0
	input.route == \"go\"
}
";
    let sources = Sources::from_modules([("main.rego", forever)], []);
    let explained = |within: Duration, over: bool| {
        let asked = (Document::json("{}").unwrap(), None);
        let deadline = Deadline::after(within);
        while over && !deadline.is_over() {
            std::thread::yield_now();
        }
        explain_by(deadline, &sources, "data.postern.decision", asked, Duration::from_hours(1))
    };
    let late = explained(Duration::from_secs(3), false).unwrap();
    assert!(
        matches!(&late.verdict, Verdict::Deny(Refusal { cause: Cause::Late { .. }, .. })),
        "{:?}",
        late.verdict
    );
    assert!(!late.whole);
    // What was cut off by the deadline did not stop there.
    let stopped = |clause: &Clause| matches!(clause.how, How::Stopped(_));
    assert!(!late.rules.iter().flat_map(|rule| &rule.clauses).any(stopped), "{:?}", late.rules);

    // Its own length is told, not what is left of it.
    let refused = explained(Duration::from_millis(100), true).unwrap_err().to_string();
    assert!(refused.contains("did not begin: what came before it took all of 100ms"), "{refused}");
}

#[test]
fn what_is_asked_before_its_time_is_told_where_it_is_written_and_its_error_in_its_own_words() {
    let policy = "package postern\n\ndefault decision := false\n\ndecision if {\n\tnot startswith(json.unmarshal(input.route), \"a\")\n}\n\n\
                  decision if f(\"x\")\n\nf(x) := json.unmarshal(x) if x == \"x\" else := false\n";
    let input = Document::json(r#"{"route": "b"}"#).unwrap();
    let explanation = told(policy, "{}", input);
    let rules = explanation.rules.iter().filter(|rule| rule.name != "data.postern");
    let stopped: Vec<_> = rules
        .flat_map(|rule| &rule.clauses)
        .filter_map(|clause| if let How::Stopped(at) = &clause.how { Some(at) } else { None })
        .map(|at| (at.line, at.column, at.text.as_str(), at.error.as_ref().map(ToString::to_string)))
        .collect();
    let error = |place: &str| Some(format!("evaluation failed: {place}json.unmarshal: takes JSON"));
    assert_eq!(
        stopped,
        [
            (6, 17, "json.unmarshal(input.route)", error("")),
            (9, 13, "f(\"x\")", error("main.rego:11: ")),
            (11, 9, "json.unmarshal(x)", error("")),
        ]
    );
}

#[test]
fn a_name_of_the_author_that_looks_like_one_of_ours_is_told_where_it_stands() {
    let policy = r#"package postern

default decision := {"allow": false, "reason": "no"}

decision := {"allow": true, "rule": "a"} if {
	y__ := to_number(input.request.method)
	y__ > 1
}

decision := {"allow": true, "rule": "b"} if {
	z__ := input.request.method
	z__ == "PUT"
}
"#;
    let told = told(policy, "{}", input("POST", "10.0.0.1"));
    let stops = stops(&told, "data.postern.decision");
    let stopped: Vec<_> =
        stops.iter().map(|(line, text, values)| (*line, text.as_str(), values.as_slice())).collect();
    let method = |name: &str| vec![format!("{name} \"POST\"")];
    assert_eq!(
        stopped,
        [
            (6, "y__ := to_number(input.request.method)", method("input.request.method").as_slice()),
            (12, "z__ == \"PUT\"", method("z__").as_slice()),
        ]
    );
}
