use super::*;

const FUSE: Duration = Duration::from_millis(20);

fn judged(rules: &str, inputs: &[(&str, &str)], fuse: Duration) -> Result<(), Vec<Problem>> {
    let text = format!("package postern\n\ndefault decision := false\n\n{rules}\n");
    let mut sources = Sources::from_modules([("main.rego", text.as_str())], []);
    sources.inputs = inputs.iter().map(|(name, text)| ((*name).to_owned(), (*text).to_owned())).collect();
    let policy =
        PolicySet::compile(&sources, "data.postern.decision", fuse).unwrap_or_else(|error| panic!("{error}"));
    let deadline = Deadline::after(Duration::from_mins(1));
    endure(&policy, &sources, Largest::default(), &deadline).map_err(|error| error.problems)
}

/// A whole input, with these members of its request or in their place.
fn input(request: &serde_json::Value) -> String {
    let mut input = serde_json::json!({
        "v": 1,
        "now": 7,
        "listener": "front",
        "direction": "inbound",
        "route": "x",
        "caller": {"id": "spiffe://td/a", "kind": "workload", "trust_domain": "td", "path": ["a"]},
        "upstream": {"name": "app"},
        "request": {"protocol": "http/1.1", "method": "GET", "path": "/", "segments": [""]},
    });
    for (name, value) in request.as_object().unwrap() {
        input["request"][name] = value.clone();
    }
    input.to_string()
}

/// Every pair of values of one parameter.
const PAIRS: &str = "decision if {\n\tsome a in input.request.query.a\n\tsome b in input.request.query.a\n\ta == concat(b, [\"x\", \"y\"])\n}";

#[test]
fn what_looks_up_stays_within_the_fuse_on_the_largest_requests() {
    // Long enough for an engine that is compiled without optimisation.
    let fuse = Duration::from_millis(500);
    let plain = "decision if {\n\tinput.request.method == \"GET\"\n\tinput.request.segments[0] == \"\"\n\tinput.request.headers.accept[0] == \"text/csv\"\n}";
    assert_eq!(judged(plain, &[], fuse), Ok(()));
}

#[test]
fn the_shape_that_is_above_the_fuse_is_named_with_its_time_and_the_loop() {
    let problems = judged(PAIRS, &[], FUSE).unwrap_err();

    assert_eq!(problems.len(), 1, "{problems:?}");
    let said = problems[0].to_string();
    for words in [
        "`a request with one query parameter 8192 times` takes ",
        "`policy.fuse` is 20ms",
        "main.rego:",
        " members of input.request.query.a",
    ] {
        assert!(said.contains(words), "`{words}` is not in: {said}");
    }
}

#[test]
fn recorded_inputs_take_the_place_of_generated_ones() {
    let small = input(&serde_json::json!({"query": {"a": ["1", "2"]}}));
    assert_eq!(judged(PAIRS, &[("inputs/small.json", &small)], FUSE.saturating_mul(10)), Ok(()));

    let many: Vec<String> = (0..4_000).map(|n| n.to_string()).collect();
    let large = input(&serde_json::json!({"query": {"a": many}}));
    let problems =
        judged(PAIRS, &[("inputs/a.json", &small), ("inputs/large.json", &large)], FUSE).unwrap_err();
    assert_eq!(problems.last().unwrap().construct, "inputs/large.json");
}

#[test]
fn an_input_that_ends_in_an_error_counts_for_the_time_until_then() {
    let stops = "decision if to_number(input.route) == 1";
    let fuse = FUSE.saturating_mul(10);
    let one = input(&serde_json::json!({}));
    assert_eq!(judged(stops, &[("inputs/stops.json", &one)], fuse), Ok(()));

    // What it took before the error is not forgiven.
    let late = "decision if {\n\tcount([1 | some a in numbers.range(1, 9000); some b in numbers.range(1, 9000); a == b + 7]) > 9\n\t\
                to_number(input.route) == 1\n}";
    let problems = judged(late, &[("inputs/late.json", &one)], FUSE).unwrap_err();
    assert_eq!(problems[0].construct, "inputs/late.json");
}

#[test]
fn an_input_that_is_no_document_is_refused_with_its_name() {
    for wrong in ["{", "", &"[".repeat(100), &format!("[{}1]", "1,".repeat(200_000))] {
        let problems = judged("", &[("inputs/wrong.json", wrong)], FUSE).unwrap_err();
        assert_eq!(problems[0].file, "inputs/wrong.json", "{}", problems[0]);
    }
}

/// Each of which is cheap to judge, and would take the place of the largest requests.
#[test]
fn an_input_that_no_request_has_is_refused_by_what_is_wrong_with_it() {
    let whole: serde_json::Value = serde_json::from_str(&input(&serde_json::json!({}))).unwrap();
    let with = |pointer: &str, value: serde_json::Value| {
        let (above, name) = pointer.rsplit_once('/').unwrap();
        let mut input = whole.clone();
        input.pointer_mut(above).unwrap()[name] = value;
        input.to_string()
    };
    for (text, construct, said) in [
        ("{}".to_owned(), "input", "lacks what every input has: v, caller.id, "),
        ("[]".to_owned(), "input", "is an object in every input"),
        ("1".to_owned(), "input", "is an object in every input"),
        (with("/caler", 1.into()), "input.caler", "is never in the input"),
        (with("/method", "GET".into()), "input.method", "is never in the input"),
        (with("/request/methud", "GET".into()), "input.request.methud", "is never in the input"),
        (with("/request/method", 1.into()), "input.request.method", "is text in every input"),
        (with("/request/segments", "a".into()), "input.request.segments", "is a list of texts"),
        (with("/request/segments", [1, 2].as_slice().into()), "input.request.segments[_]", "is text"),
        (with("/request/headers", serde_json::json!({"a": "b"})), "input.request.headers.a", "is a list"),
        (with("/request/headers", serde_json::json!({"A": []})), "input.request.headers.A", "lower case"),
        (
            with("/request/headers", serde_json::json!({"cookie": []})),
            "input.request.headers.cookie",
            "never in",
        ),
        (with("/direction", "up".into()), "input.direction", "is one of inbound, outbound in every input"),
        (with("/now", (-1).into()), "input.now", "is a whole number in every input"),
        (with("/caller", serde_json::Value::Null), "input.caller", "is an object in every input"),
    ] {
        let problems = judged(PAIRS, &[("inputs/a.json", &text)], FUSE).unwrap_err();
        let problem = problems.first().unwrap();
        assert_eq!(
            (problem.file.as_str(), problem.construct.as_str()),
            ("inputs/a.json", construct),
            "{problem}"
        );
        assert!(problem.why.contains(said) && !problem.instead.is_empty(), "{problem}");
    }
    let lacks =
        judged("", &[("inputs/a.json", "{\"request\": {\"protocol\": \"http/2\"}}")], FUSE).unwrap_err();
    assert!(lacks[0].why.ends_with("now, request.method, request.path, request.segments"), "{}", lacks[0]);

    // What a record keeps of an input, and what is judged where none is recorded.
    let fuse = FUSE.saturating_mul(10);
    let sample = worst::requests(Largest::default()).remove(0);
    for text in [with("/caller/jwt", serde_json::Value::Null), sample.input.to_json_str().unwrap()] {
        assert_eq!(judged("", &[("inputs/a.json", &text)], fuse), Ok(()), "{text}");
    }
}

#[test]
fn a_runaway_on_every_input_is_told_three_times_and_not_more() {
    let forever = "decision if count([1 | some a in numbers.range(1, 9000); some b in numbers.range(1, 9000); a == b + 7]) > 9";
    let one = input(&serde_json::json!({}));
    let inputs: Vec<(String, &str)> = (0..MAX).map(|n| (format!("inputs/{n}.json"), one.as_str())).collect();
    let inputs: Vec<(&str, &str)> = inputs.iter().map(|(name, text)| (name.as_str(), *text)).collect();
    assert_eq!(judged(forever, &inputs, Duration::from_millis(1)).unwrap_err().len(), MOST);
}

const MAX: usize = crate::bundle::MAX_INPUTS;
