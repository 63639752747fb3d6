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
    let small = r#"{"request": {"query": {"a": ["1", "2"]}}, "now": 7}"#;
    assert_eq!(judged(PAIRS, &[("inputs/small.json", small)], FUSE.saturating_mul(10)), Ok(()));

    let many: Vec<String> = (0..4_000).map(|n| n.to_string()).collect();
    let large = serde_json::json!({"request": {"query": {"a": many}}}).to_string();
    let problems =
        judged(PAIRS, &[("inputs/a.json", small), ("inputs/large.json", &large)], FUSE).unwrap_err();
    assert_eq!(problems.last().unwrap().construct, "inputs/large.json");
}

#[test]
fn an_input_that_ends_in_an_error_counts_for_the_time_until_then() {
    let stops = "decision if to_number(input.route) == 1";
    let fuse = FUSE.saturating_mul(10);
    assert_eq!(judged(stops, &[("inputs/stops.json", r#"{"route": "x"}"#)], fuse), Ok(()));

    // What it took before the error is not forgiven.
    let late = "decision if {\n\tcount([1 | some a in numbers.range(1, 9000); some b in numbers.range(1, 9000); a == b + 7]) > 9\n\t\
                to_number(input.route) == 1\n}";
    let problems = judged(late, &[("inputs/late.json", r#"{"route": "x"}"#)], FUSE).unwrap_err();
    assert_eq!(problems[0].construct, "inputs/late.json");
}

#[test]
fn an_input_that_is_no_document_is_refused_with_its_name() {
    for wrong in ["{", "", &"[".repeat(100), &format!("[{}1]", "1,".repeat(200_000))] {
        let problems = judged("", &[("inputs/wrong.json", wrong)], FUSE).unwrap_err();
        assert_eq!(problems[0].file, "inputs/wrong.json", "{}", problems[0]);
    }
}

#[test]
fn a_runaway_on_every_input_is_told_three_times_and_not_more() {
    let forever = "decision if count([1 | some a in numbers.range(1, 9000); some b in numbers.range(1, 9000); a == b + 7]) > 9";
    let inputs: Vec<(String, &str)> = (0..MAX).map(|n| (format!("inputs/{n}.json"), "{}")).collect();
    let inputs: Vec<(&str, &str)> = inputs.iter().map(|(name, text)| (name.as_str(), *text)).collect();
    assert_eq!(judged(forever, &inputs, Duration::from_millis(1)).unwrap_err().len(), MOST);
}

const MAX: usize = crate::bundle::MAX_INPUTS;
