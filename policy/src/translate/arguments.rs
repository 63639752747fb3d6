//! `f($"{x} {y}") := 1 if { … }`: a function whose argument is an interpolated text. OPA compares the two behind the
//! body, which may give its variables their values: `f(arg9__) := 1 if { …; arg9__ == $"{x} {y}" }`.

use regorus::unstable::{Expr, Module, Rule, RuleHead};

use super::{Edit, Translated, begin, end, reach};
use crate::gate::names;

/// Writes such arguments as comparisons; none where there is none.
pub(crate) fn compared(module: &Module, translated: &Translated) -> Option<Translated> {
    let text = &translated.text;
    let mut edits = Vec::new();
    for rule in &module.policy {
        let Rule::Spec { head: RuleHead::Func { args, .. }, bodies, .. } = rule.as_ref() else { continue };
        let (mut arguments, mut behind) = (Vec::new(), String::new());
        for arg in args.iter().filter(|arg| interpolated(arg)) {
            let (from, to) = reach(text, arg);
            let Some(written) = text.get(from as usize..to as usize) else { continue };
            // What is written on one line now: a raw text would lose its lines.
            if written.contains('\n') {
                continue;
            }
            let name = format!("arg{from}__");
            behind.extend(["; ", &name, " == ", written]);
            arguments.push(Edit::new(from, to, name));
        }
        // Without a body there is nothing to write it behind: the gate says so.
        let ends = bodies.iter().map(|body| Some((body, body.query.stmts.last()?)));
        let Some(ends) = ends.collect::<Option<Vec<_>>>().filter(|ends| !ends.is_empty()) else { continue };
        if arguments.is_empty() {
            continue;
        }
        edits.append(&mut arguments);
        for (body, last) in ends {
            let to = end(text, last.span.end);
            let bare = body.query.stmts.first().filter(|first| first.span.start == body.query.span.start);
            edits.extend(bare.map(|first| Edit::new(begin(text, first), begin(text, first), "{ ")));
            let close = if bare.is_some() { " }" } else { "" };
            edits.push(Edit::new(to, to, format!("{behind}{close}")));
        }
    }
    translated.edited(edits)
}

fn interpolated(arg: &Expr) -> bool {
    let Expr::Call { fcn, .. } = arg else { return false };
    names::path(fcn).is_some_and(|called| called == ["internal", "template_string"])
}

#[cfg(test)]
mod tests {
    use super::*;
    use regorus::Engine;

    #[test]
    fn an_argument_is_compared_behind_each_body() {
        let call = "internal.template_string([\"a\", {part1__ | part1__ := x}, \"\"])";
        for (author, wanted) in [
            ("f(C) := 1 if x = 2", "f(A) := 1 if { x = 2; A == C }"),
            (
                "f(y, C) := 1 if { x = y } else := 2 if { x = 3 }",
                "f(y, A) := 1 if { x = y; A == C } else := 2 if { x = 3; A == C }",
            ),
            ("f(y) := C if x = 2", "f(y) := C if x = 2"),
        ] {
            let author = format!("package a\n{}\n", author.replace('C', call));
            let name = author.find(call).map(|at| format!("arg{at}__")).unwrap();
            let mut engine = Engine::new();
            engine.add_policy("a.rego".to_owned(), author.clone()).unwrap();
            let translated = Translated { text: author.clone(), ..Translated::default() };
            let written = compared(&engine.get_modules()[0], &translated);
            let written = written.map_or(author, |written| written.text);
            let wanted = wanted.replace('A', &name).replace('C', call);
            assert_eq!(written, format!("package a\n{wanted}\n"));
        }
    }
}
