//! `urlquery.encode` and `urlquery.encode_object`, and numbers that are read from text.

use serde_json::json;

use crate::{differ, opa, opa_of, ours, ours_of, same};

#[test]
fn queries_are_written_as_opa_writes_them() {
    let module = r##"package a
ascii := " !\"#$%&'()*+,-./0123456789:;<=>?@ABCXYZ[\\]^_`abcxyz{|}~\u007f\u0001é€😀"
encoded := urlquery.encode(ascii)
empty := urlquery.encode("")
object := urlquery.encode_object({"~*": "~*", "b": ["2", "1", ""], "a b": {"y", "x"}, "none": [], "": "é&="})
nothing := urlquery.encode_object({})
"##;
    same(module, "data.a");
}

#[test]
fn a_number_that_would_be_kept_as_another_is_refused() {
    for (call, theirs) in [
        ("18446744073709551617 == 18446744073709551616", false),
        (r#"to_number("18446744073709551617") == to_number("18446744073709551616")"#, false),
        (r#"json.unmarshal("[18446744073709551617]") == json.unmarshal("[18446744073709551616]")"#, false),
        (r#"to_number("18446744073709551615") == to_number("18446744073709551614")"#, false),
    ] {
        let module = format!("package a\nx := {call}\n");
        assert_eq!(opa(&module, "data.a.x"), Some(json!(theirs)), "{call}");
        assert!(!matches!(ours(&module, "data.a.x"), Ok(Some(value)) if value != json!(theirs)), "{call}");
    }
    let error = ours("package a\nx := to_number(\"18446744073709551617\")\n", "data.a.x");
    assert!(error.expect_err("too long").to_string().contains("64 bits"));
    // OPA keeps 64 bits of a number that it rounds, be it whole or not.
    for function in ["floor", "ceil", "round"] {
        let module = format!("package a\nx := {function}(100000000000000000001) == 100000000000000000001\n");
        assert_eq!(opa(&module, "data.a.x"), Some(json!(false)), "{function}");
        ours(&module, "data.a.x").expect_err("more bits");
    }
    let kept = "package a\nns := [18446744073709551615, -18446744073709551615, 1e20, 1e23, 36893488147419103232, -9223372036854775809]\n\
                x := [[floor(n) == n, ceil(n) == n] | some n in ns]\n";
    assert_eq!(same(kept, "data.a.x"), json!(vec![[true, true]; 6]));
}

/// With a point or an exponent; whole ones of digits alone are kept in full.
#[test]
fn a_number_that_a_policy_writes_and_that_would_be_kept_as_another_is_refused() {
    for (one, other) in [
        ("9007199254740993.0", "9007199254740992"),
        ("-9007199254740993.0", "-9007199254740992"),
        ("1e-400", "0"),
        ("0.1234567890123456789", "0.12345678901234568"),
        ("123456789012345678901.5", "123456789012345678901"),
    ] {
        let compared = format!("package a\nx := {one} == {other}\n");
        assert_eq!(opa(&compared, "data.a.x"), Some(json!(false)), "{compared}");
        for rules in [
            format!("x := [y | some n in [{{{one}}}, {other}]; y := n]"),
            format!("p[{one}] := true\nx := false if p[{other}]"),
            format!("f({one}) := true\nx := f({other})"),
            format!("f([_, {{\"a\": {one}}}]) := true"),
            format!("default x := {one}"),
            format!("x := true if {other} == input with input as {one}"),
            format!("x := true if false\nelse := {one}"),
            format!("x contains {one} if not {one}"),
            format!("x := $\"{{{one}}}\""),
            format!("x if every n in {{{other}}} {{ n < 2 - {one} }}"),
        ] {
            let module = format!("package a\n{rules}\n");
            let error = ours(&module, "data.a.x").expect_err(&module).to_string();
            assert!(error.contains(&format!("`{one}`")) && error.contains("kept"), "{module}{error}");
        }
    }
    for (number, instead) in [
        ("9007199254740993.0", "all its digits"),
        ("1.2345678901234567e18", "all its digits"),
        ("12345678901234567.5", "`12345678901234568`"),
        ("123456789012345678e-1", "`12345678901234568`"),
        ("0.1234567890123456789", "`0.12345678901234568`"),
        ("1e-400", "5e-324"),
        ("1e400", "1.7976931348623157e308"),
    ] {
        let error = ours(&format!("package a\nx := {number}\n"), "data.a.x").expect_err(number).to_string();
        let told = error.split_once("instead: ").map_or("", |(_, told)| told);
        assert!(told.contains(instead), "{number}: {error}");
    }
    let kept = "package a\nns := [123456789012345678901, -123456789012345678901, 1e20, 1.5e300, 0.1, 1.50, 1e-300]\n\
                x := [[n + 1 > n, n == ns[i]] | some i, n in ns]\n";
    same(kept, "data.a.x");
}

#[test]
fn a_large_whole_number_that_is_read_is_computed_with_in_full() {
    let data = r#"{"n": 1e20, "m": 1e300, "k": 1e23, "least": -3e19, "p": 18446744073709552000}"#;
    // What is written as text shows every digit, which an answer of numbers does not.
    let module = r#"package a
next := n + 1 > n
same := n == 100000000000000000000
largest := m + 1 > m
written := 1e300 == m
computed := k == 1e22 * 10
less := least - 1 < least
text := sprintf("%d %d %d", [k + 1, k * 3, p + 1])
rest := n % 7
shared := bits.and(n, 3)
base := format_int(n, 16)
size := abs(least) == 3e19
most := max([n, n + 1]) == n + 1
added := sprintf("%d", [sum([n, 1])])
grown := sprintf("%d", [product([n, 3])])
order := sort([k, n + 1, n, m, 2, n - 1]) == [2, n - 1, n, n + 1, k, m]
member := n in {100000000000000000000}
found := {100000000000000000000: "x"}[n]
marshalled := json.marshal([n + 1, k + 1])
quotient := n / 1e10 == 1e10
token := io.jwt.decode("eyJhbGciOiJub25lIn0.eyJuIjogMWUyMH0.")[1].n + 1 > n
number := to_number("1e20") + 1 > n

# METADATA
# custom:
#   m: 1e20
noted if { m := rego.metadata.rule().custom.m; m + 1 > m; m == n }
"#;
    let read = format!(
        "{module}d := json.unmarshal(`{data}`)\nn := d.n\nm := d.m\nk := d.k\nleast := d.least\np := d.p\n"
    );
    let given = format!(
        "{module}n := data.d.n\nm := data.d.m\nk := data.d.k\nleast := data.d.least\np := data.d.p\n"
    );
    let theirs = same(&read, "data.a");
    assert_eq!(
        theirs["text"],
        json!("100000000000000000000001 300000000000000000000000 18446744073709552001")
    );
    let files = [("a.rego", given.as_str()), ("data.json", &format!("{{\"d\": {data}}}"))];
    let (theirs, ours) = (opa_of(&files, "data.a"), ours_of(&files, "data.a").expect("it answers"));
    differ(&ours.expect("a value"), &theirs.expect("a value"), "data.a");
}

#[test]
fn a_number_that_is_multiplied_by_itself_again_and_again_ends_at_ten_thousand_digits() {
    let squares = |last: usize| {
        let steps: String = (0..last).map(|step| format!("\tx{} := x{step} * x{step}\n", step + 1)).collect();
        format!("package a\ny := count(sprintf(\"%d\", [x{last}])) if {{\n\tx0 := 3\n{steps}}}\n")
    };
    assert_eq!(same(&squares(14), "data.a.y"), json!(7_818));
    let error = ours(&squares(15), "data.a.y").expect_err("15,635 digits").to_string();
    assert!(error.contains("*: whole numbers of at most 10000 digits"), "{error}");
    // It ends there, and not after the hours that a number of as many digits as this takes.
    ours(&squares(60), "data.a.y").expect_err("more digits than there is memory");
    let product = "package a\ny := product([x | some _ in numbers.range(1, 100); x := 1e300])\n";
    let error = ours(product, "data.a.y").expect_err("30,001 digits").to_string();
    assert!(error.contains("at most 10000 digits") || error.contains("factors"), "{error}");
}
