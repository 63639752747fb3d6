//! What `sprintf` writes of what is no number, beside the real `opa`.

#[test]
fn what_is_no_number_is_text_as_rego_writes_it() {
    let values = r#"null, true, [1, "a"], {"a": 1}, {1, "b"}, set(), "q", "é\n", [1.5, "\n"], [], {}"#;
    let verbs = r#""%q", "%x", "%X", "%10q", "%-10x|", "%.3q", "%05q", "%12v", "%.2s""#;
    let module = format!(
        "package a\nx := [sprintf(verb, [value]) | some verb in [{verbs}]; some value in [{values}]]\n"
    );
    crate::same(&module, "data.a.x");
}
