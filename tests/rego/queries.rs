//! `urlquery.encode` and `urlquery.encode_object`, and numbers that are read from text.

use serde_json::json;

use crate::{opa, ours, same};

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
}
