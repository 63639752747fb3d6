//! `y := x`, a second name for a variable: the engine does not see that what reads `y` in brackets, `d[y]`, has to come
//! after it, and refuses the body. `y := [x][0]` is the same to everybody.

use regorus::unstable::{AssignOp, Expr, Literal, LiteralStmt, Module, Ref};

use super::{Edit, Translated, each};
use crate::gate::walk::{self, Seen};

/// The texts of all modules with each such statement in that form; none where there is none.
pub(crate) fn through_lists(modules: &[Ref<Module>], texts: &[Translated]) -> Option<Vec<Translated>> {
    each(modules, texts, |module, _| {
        let mut edits = Vec::new();
        for rule in &module.policy {
            walk::rule(rule, &mut |seen| {
                if let Seen::Opens(stmts) = seen {
                    edits.extend(stmts.iter().filter_map(alias));
                }
            });
        }
        edits
    })
}

fn alias(stmt: &LiteralStmt) -> Option<Edit> {
    let Literal::Expr { expr, .. } = &stmt.literal else { return None };
    let Expr::AssignExpr { op: AssignOp::ColEq, lhs, rhs, .. } = expr.as_ref() else { return None };
    let (Expr::Var { .. }, Expr::Var { span, .. }) = (lhs.as_ref(), rhs.as_ref()) else { return None };
    let name = span.text();
    (name != "_").then(|| Edit::new(span.start, span.end, format!("[{name}][0]")))
}

#[cfg(test)]
mod tests {
    use super::*;
    use regorus::Engine;

    #[test]
    fn a_second_name_is_the_member_of_a_list() {
        for (author, wanted) in [
            (
                "y := z if { some q in [1]; z := q; z == 1 }",
                "y := z if { some q in [1]; z := [q][0]; z == 1 }",
            ),
            ("y := [z | z := input with input as 1]", "y := [z | z := [input][0] with input as 1]"),
            ("y := x if { z = x; q := x.a; p := _ }", "y := x if { z = x; q := x.a; p := _ }"),
        ] {
            let author = format!("package a\nx := 5\n{author}\n");
            let mut engine = Engine::new();
            engine.add_policy("a.rego".to_owned(), author.clone()).unwrap();
            let texts = [Translated { text: author.clone(), ..Translated::default() }];
            let written = through_lists(engine.get_modules(), &texts);
            let written = written.map_or(author, |mut written| written.remove(0).text);
            assert_eq!(written, format!("package a\nx := 5\n{wanted}\n"));
        }
    }
}
