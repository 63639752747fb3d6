//! `some x` behind a statement that goes through many values, written at the beginning of its body: the engine declares
//! `x` once for each of the values, and fails at the second.

use std::collections::BTreeSet;

use regorus::unstable::{Literal, LiteralStmt, Module};

use super::{Edit, Translated};
use crate::gate::loops::iterates;
use crate::gate::names;
use crate::gate::walk::{self, Seen};

/// Writes `u := users[_]; some i; …` as `some i; u := users[_]; …`; none where there is none.
pub(crate) fn first(module: &Module, translated: &Translated) -> Option<Translated> {
    let mut edits = Vec::new();
    for rule in &module.policy {
        walk::rule(rule, &mut |seen| {
            if let Seen::Opens(stmts) = seen {
                edits.extend(moved(&translated.text, stmts).into_iter().flatten());
            }
        });
    }
    translated.edited(edits)
}

/// The edits of one body.
fn moved(text: &str, stmts: &[LiteralStmt]) -> Option<Vec<Edit>> {
    let mut edits = Vec::new();
    let mut names: Vec<&str> = Vec::new();
    let (mut loops, mut named) = (false, BTreeSet::new());
    for (index, stmt) in stmts.iter().enumerate() {
        if let Literal::SomeVars { vars, .. } = &stmt.literal {
            // What the name means before this statement is another one.
            let known = vars.iter().any(|var| named.contains(var.text()));
            if loops && !known {
                let (from, to) = (begin(text, stmt), begin(text, stmts.get(index + 1)?));
                let lines = text.get(from as usize..to as usize)?.matches('\n').count();
                edits.push(Edit::new(from, to, "\n".repeat(lines)));
                names.extend(vars.iter().map(regorus::unstable::Span::text));
            }
        } else {
            loops |= matches!(stmt.literal, Literal::Expr { .. }) && iterates(stmt, &BTreeSet::new());
        }
        walk::statement(stmt, &mut |seen| match seen {
            Seen::Ref(refr) => named.extend(names::constant(refr).into_iter().next()),
            Seen::Binds(name, _) => drop(named.insert(name.text().to_owned())),
            _ => {}
        });
    }
    let at = begin(text, stmts.first()?);
    let first = format!("some {}; ", names.join(", "));
    (!names.is_empty()).then(|| edits.push(Edit::new(at, at, first)));
    Some(edits)
}

/// Where a statement begins: to the engine, text begins behind its quote.
fn begin(text: &str, stmt: &LiteralStmt) -> u32 {
    let at = stmt.span.start;
    let quote = text.get(..at as usize).is_some_and(|before| before.ends_with(['"', '`']));
    at - u32::from(quote)
}

#[cfg(test)]
mod tests {
    use super::*;
    use regorus::Engine;

    #[test]
    fn what_is_declared_behind_a_loop_is_declared_before_it_and_lines_stay() {
        for (body, wanted) in [
            ("u := input.u[_]; some i; u[i] > 1", "some i; u := input.u[_]; u[i] > 1"),
            (
                "\"a\" == input.u[_]\n some i, j # of u\n some k\n \"b\" == u[i][j][k]",
                "some i, j, k; \"a\" == input.u[_]\n \n\n\"b\" == u[i][j][k]",
            ),
            ("u := input.u; some i; u[i] > 1", "u := input.u; some i; u[i] > 1"),
            ("some u in input.u; some i; u[i] > 1", "some u in input.u; some i; u[i] > 1"),
            ("some i; u := input.u[_]; u[i] > 1", "some i; u := input.u[_]; u[i] > 1"),
        ] {
            let author = format!("package a\nx if {{ {body} }}\n");
            let mut engine = Engine::new();
            engine.add_policy("a.rego".to_owned(), author.clone()).unwrap();
            let translated = Translated { text: author.clone(), ..Translated::default() };
            let written = first(&engine.get_modules()[0], &translated).map_or(author, |written| written.text);
            assert_eq!(written, format!("package a\nx if {{ {wanted} }}\n"));
        }
    }
}
