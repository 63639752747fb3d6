//! Quantities, durations, delimiters and parts of lists are read as OPA reads them, or not at all.

use serde_json::{Value, json};

use crate::{opa, ours};

const QUANTITIES: [&str; 50] = [
    "1_000",
    "1h",
    "1c",
    "1d",
    "1da",
    "1n",
    "1Y",
    "1Z",
    "1R",
    "1Q",
    "1Zi",
    "1z",
    "1.k",
    "0.",
    "1\"",
    "\"1\"K",
    "1 k",
    "1",
    "+1",
    "-1.5",
    ".5",
    "-.5k",
    "1k",
    "1K",
    "1m",
    "1M",
    "1mi",
    "1MI",
    "1MiB",
    "1mb",
    "1e3",
    "1e",
    "1E",
    "1Ek",
    "1e-3k",
    "1e+",
    "0x1",
    "1/2",
    "",
    "k",
    "1Kİ",
    "1\u{212a}",
    "1..2",
    "1-2",
    "0.00000000005",
    "1.23456789012345",
    "1.001K",
    "1.1K",
    "0.29Ki",
    "1b",
];

const DURATIONS: [&str; 40] = [
    "1é",
    "1µ",
    "1sµ",
    "1µs",
    "1μs",
    "1us",
    "1h1hµ",
    "-1.5hµ",
    "1d",
    "1w",
    "1y",
    "1mo",
    "-1.5d",
    ".5w",
    "1dns",
    "1d1μs",
    "1d1µs",
    "400.357d",
    "2ns35613ns39396.41d",
    "106751d",
    "106752d",
    "9223372036854775807ns",
    "9223372036854775808ns",
    "-9223372036854775808ns",
    "0",
    "+0",
    "-0",
    "",
    "1",
    "s",
    ".s",
    "1.s",
    "1h 1m",
    "1e3s",
    "1H",
    "1h-1m",
    "0.3333333333333333333333h",
    "1_0s",
    "1.5.5s",
    "2562047h47m16.854775807s",
];

/// The values of a call for each text, by both.
fn alike(call: &str, texts: &[&str]) {
    let list = json!(texts);
    let module = format!("package a\ny[s] := {call} if some s in {list}\n");
    let theirs = opa(&module, "data.a.y").expect("an object");
    for text in texts {
        let module = format!("package a\ny := {call} if {{ s := {} }}\n", json!(text));
        // What has no value in OPA is an error, and denies.
        let ours = ours(&module, "data.a.y").ok().flatten().map(|value| value.as_f64());
        assert_eq!(ours, theirs.get(*text).map(Value::as_f64), "{call} of {text}");
    }
}

#[test]
fn quantities_have_the_units_and_digits_that_opa_reads() {
    alike("units.parse(s)", &QUANTITIES);
    alike("units.parse_bytes(s)", &QUANTITIES);
}

#[test]
fn durations_are_read_as_by_opa() {
    alike("time.parse_duration_ns(s)", &DURATIONS);
}

#[test]
fn a_delimiter_of_several_bytes_is_an_error() {
    for (open, close) in [("<", "é"), ("é", ">"), ("é", "é")] {
        let module =
            format!("package a\ny if not regex.template_match(\"{{a\", \"a\", \"{open}\", \"{close}\")\n");
        assert!(ours(&module, "data.a.y").is_err());
        let module =
            format!("package a\ny := regex.template_match(\"{{a\", \"a\", \"{open}\", \"{close}\")\n");
        assert_eq!(opa(&module, "data.a.y"), None);
    }
}

#[test]
fn a_set_is_part_of_a_list_as_opa_counts() {
    for (list, set) in
        [("[]", "set()"), ("[1]", "set()"), ("[1, 1]", "{1, 2}"), ("[1, 3]", "{1, 2}"), ("[2, 1]", "{1, 2}")]
    {
        let module = format!("package a\ny := object.subset({list}, {set})\n");
        assert_eq!(ours(&module, "data.a.y").unwrap(), opa(&module, "data.a.y"), "{list} {set}");
    }
}
