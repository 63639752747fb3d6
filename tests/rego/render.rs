//! `strings.render_template`: what is rendered at all is rendered as OPA renders it.

use std::fmt::Write as _;

use serde_json::Value;

use crate::{differ, opa, ours};

const PARTS: [&str; 30] = [
    "{{.a}}",
    "{{ .b }}",
    "{{.a.b}}",
    "{{.a.c}}",
    "{{.}}",
    "{{$.l}}",
    "{{$}}",
    "{{$k}}",
    "{{$v}}",
    "{{$v.b}}",
    "{{.c.d}}",
    "{{.n}}",
    "{{- .b}}",
    "{{.z -}}",
    " \n ",
    "<no value>",
    "{{if .a}}",
    "{{if not .z}}",
    "{{if .n}}",
    "{{if len .l}}",
    "{{range .l}}",
    "{{range $v := .a}}",
    "{{range $k, $v := .l}}",
    "{{range $k,$v := $.a}}",
    "{{with .a}}",
    "{{else}}",
    "{{else if .b}}",
    "{{end}}",
    "{{end}}",
    "{{len .l}}",
];
const VALUES: &str = r#"{"a": {"b": {"b": 1}, "c": null, "a": "<no value>"}, "b": "é<", "l": [0, null, {"b": "x"}, [], "", true], "n": null, "z": 0}"#;

#[test]
fn what_is_rendered_at_all_is_rendered_as_opa_does() {
    // A generator of its own, so that every run asks the same.
    let mut state = 11_u64;
    let mut next = |below: usize| {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        usize::try_from(state >> 33).expect("31 bits") % below
    };
    let templates: Vec<String> = (0..1_500)
        .map(|_| {
            let parts: Vec<&str> = (0..=next(7)).map(|_| PARTS[next(PARTS.len())]).collect();
            let opened = parts
                .iter()
                .filter(|part| ["{{if", "{{ra", "{{wi"].iter().any(|word| part.starts_with(word)));
            let open = opened.count().saturating_sub(parts.iter().filter(|part| **part == "{{end}}").count());
            format!("{}{}", parts.join(""), "{{end}}".repeat(open))
        })
        .collect();
    let mut module = format!("package a\nvalues := {VALUES}\n");
    for (at, template) in templates.iter().enumerate() {
        let _written = writeln!(module, "x{at} := strings.render_template(`{template}`, values)");
    }
    let theirs = opa(&module, "data.a").expect("a value");
    let mut answered = 0;
    for (at, template) in templates.iter().enumerate() {
        // An error denies, and is no other answer.
        let alone = format!("package a\nx := strings.render_template(`{template}`, {VALUES})\n");
        if let Ok(Some(ours)) = ours(&alone, "data.a.x") {
            differ(&ours, theirs.get(format!("x{at}")).unwrap_or(&Value::Null), template);
            answered += 1;
        }
    }
    assert!(answered > 300, "{answered}");
}
