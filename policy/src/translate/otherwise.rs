//! Functions with `else`: where a body holds and its value is missing, OPA goes on to the `else`, and the engine says
//! that there is no value. As the body's last statement the value is part of what must hold.

use regorus::unstable::{Module, Rule, RuleHead};

use super::negation::Scan;
use super::{Edit, Translated, end, reach};
use crate::gate::names::Names;

/// Writes `f(x) := input.a if { b } else := 1` as `f(x) := v if { b; v := input.a } else := 1`; none where there is no
/// such function.
pub(crate) fn values(module: &Module, names: &Names, translated: &Translated) -> Option<Translated> {
    let scan = Scan::of(module, names, translated);
    let mut edits = Vec::new();
    for rule in &module.policy {
        let Rule::Spec { head: RuleHead::Func { assign, .. }, bodies, .. } = rule.as_ref() else { continue };
        // The last one has nothing behind it.
        let Some((_, others)) = bodies.split_last() else { continue };
        for (index, body) in others.iter().enumerate() {
            let value =
                if index == 0 { assign.as_ref() } else { body.assign.as_ref() }.map(|assign| &assign.value);
            let Some((value, last)) = value.zip(body.query.stmts.last()) else { continue };
            if !scan.may_miss(value) {
                continue;
            }
            let (from, to) = reach(&translated.text, value);
            let name = format!("else{from}__");
            let (begin, end) = (body.query.span.start, end(&translated.text, last.span.end));
            let bare = body.query.stmts.first().is_some_and(|first| first.span.start == begin);
            if bare {
                edits.push(Edit { from: begin, to: begin, text: "{ ".to_owned() });
            }
            let close = if bare { " }" } else { "" };
            let statement =
                format!("; {name} := {}{close}", translated.text.get(from as usize..to as usize)?);
            edits.push(Edit { from: end, to: end, text: statement });
            edits.push(Edit { from, to, text: name });
        }
    }
    translated.edited(edits)
}

#[cfg(test)]
mod tests {
    use super::*;
    use regorus::Engine;

    #[test]
    fn a_value_that_may_be_missing_becomes_the_last_statement() {
        for (author, wanted) in [
            (
                "f(x) := input.a if { x == 1; x } else := data.b if x == 2 else := input.c",
                "f(x) := else18__ if { x == 1; x; else18__ := input.a } else := else51__ if { x == 2; else51__ := data.b } else := input.c",
            ),
            (
                "f(x) := input.a if x == \"b\" else := 2",
                "f(x) := else18__ if { x == \"b\"; else18__ := input.a } else := 2",
            ),
            ("f(x) := x if { x == 1 } else := 2", "f(x) := x if { x == 1 } else := 2"),
            ("f(x) := input.a if x == 1", "f(x) := input.a if x == 1"),
        ] {
            let author = format!("package a\n{author}\n");
            let mut engine = Engine::new();
            engine.add_policy("a.rego".to_owned(), author.clone()).unwrap();
            let modules = engine.get_modules();
            let translated = Translated { text: author.clone(), ..Translated::default() };
            let written = values(&modules[0], &Names::of(modules), &translated);
            assert_eq!(written.map_or(author, |written| written.text), format!("package a\n{wanted}\n"));
        }
    }
}
