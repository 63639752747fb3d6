//! `{"owner": x, "editor": x} = input.doc`, where a name stands twice: the engine takes the members in the order of their
//! names, and gives the name its value at the first that is written. Each but the first has a name of its own,
//! `{"owner": x, "editor": same9__} = input.doc; same9__ == x`.

use std::collections::BTreeSet;

use regorus::unstable::{AssignOp, Expr, Literal, LiteralStmt, Module, Ref};

use super::hoist::bare;
use super::patterns::takes_objects;
use super::{Edit, Translated, begin, each, end};
use crate::gate::binds;
use crate::gate::walk::{self, Seen};

/// The texts of all modules with such names told apart, but within others; none where there is none.
pub(crate) fn apart(modules: &[Ref<Module>], texts: &[Translated]) -> Option<Vec<Translated>> {
    each(modules, texts, |module, text| {
        let (mut edits, mut reached) = (Vec::new(), 0);
        for rule in &module.policy {
            let bare = bare(rule);
            walk::rule(rule, &mut |seen| {
                let Seen::Opens(stmts) = seen else { return };
                for stmt in stmts {
                    let apart = statement(&text.text, stmt, bare.contains(&stmt.span.start));
                    if !apart.is_empty() && stmt.span.start >= reached {
                        reached = stmt.span.end;
                        edits.extend(apart);
                    }
                }
            });
        }
        edits
    })
}

/// The edits for one statement.
fn statement(text: &str, stmt: &LiteralStmt, bare: bool) -> Vec<Edit> {
    let Literal::Expr { expr, .. } = &stmt.literal else { return Vec::new() };
    let (mut edits, mut same) = (Vec::new(), String::new());
    patterns(expr, &mut |pattern| {
        let mut names = BTreeSet::new();
        binds::variables(pattern, &mut |name| {
            if name.text() != "_" && takes_objects(pattern) && !names.insert(name.text()) {
                let own = format!("same{}__", name.start);
                same = format!("{same}; {own} == {}", name.text());
                edits.push(Edit::new(name.start, name.end, own));
            }
        });
    });
    if edits.is_empty() {
        return edits;
    }
    let (from, to) = (begin(text, stmt), end(text, stmt.span.end));
    edits.push(Edit::new(to, to, if bare { same + " }" } else { same }));
    edits.extend(bare.then(|| Edit::new(from, from, "{ ")));
    edits
}

/// The sides of `=`, and what is looked for in brackets.
fn patterns<'a>(expr: &'a Expr, visit: &mut dyn FnMut(&'a Expr)) {
    match expr {
        Expr::AssignExpr { op: AssignOp::Eq, lhs, rhs, .. } => {
            visit(lhs);
            visit(rhs);
        }
        Expr::RefBrack { index, .. } => visit(index),
        _ => {}
    }
    walk::parts(expr, &mut |part| patterns(part, visit));
}

#[cfg(test)]
mod tests {
    use super::*;
    use regorus::Engine;

    #[test]
    fn a_name_that_stands_twice_in_a_pattern_is_compared() {
        for (body, wanted) in [
            ("{ {\"b\": x, \"a\": x} = o }", "{ {\"b\": x, \"a\": same__} = o; same__ == x }"),
            ("o = {\"b\": x, \"a\": [x]}", "{ o = {\"b\": x, \"a\": [same__]}; same__ == x }"),
            (
                "{ {\"b\": x, \"a\": x} = o with input as 1\nx }",
                "{ {\"b\": x, \"a\": same__} = o with input as 1; same__ == x\nx }",
            ),
            ("{ s[{\"b\": x, \"a\": x}] }", "{ s[{\"b\": x, \"a\": same__}]; same__ == x }"),
            ("{ [x, x] = o }", "{ [x, x] = o }"),
            ("{ {\"b\": _, \"a\": _} = o }", "{ {\"b\": _, \"a\": _} = o }"),
            ("{ {\"b\": x, \"a\": y} = o }", "{ {\"b\": x, \"a\": y} = o }"),
        ] {
            let author = format!("package a\nr if {body}\n");
            let mut engine = Engine::new();
            engine.add_policy("a.rego".to_owned(), author.clone()).unwrap();
            let texts = [Translated { text: author.clone(), ..Translated::default() }];
            let written = apart(engine.get_modules(), &texts);
            let written = written.map_or(author, |mut written| written.remove(0).text);
            let unnumbered: String = written.chars().filter(|c| !c.is_ascii_digit()).collect();
            let wanted: String = wanted.chars().filter(|c| !c.is_ascii_digit()).collect();
            assert_eq!(unnumbered, format!("package a\nr if {wanted}\n"));
        }
    }
}
