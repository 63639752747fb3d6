//! `some x in xs`, where `xs` is a text, a number or the like: OPA finds nothing in it, to the engine it is an error. What
//! may be anything goes through a builtin of ours, which lets collections through and has nothing else to give.

use regorus::unstable::{Expr, Literal, LiteralStmt, Module, Ref};

use super::{Edit, Translated, each, reach};
use crate::gate::names;
use crate::gate::walk::{self, Seen};

/// The texts of all modules with what is gone through in that form; none where there is none.
pub(crate) fn alone(modules: &[Ref<Module>], texts: &[Translated]) -> Option<Vec<Translated>> {
    each(modules, texts, |module, text| {
        let mut edits = Vec::new();
        for rule in &module.policy {
            walk::rule(rule, &mut |seen| {
                if let Seen::Opens(stmts) = seen {
                    edits.extend(stmts.iter().filter_map(|stmt| edit(&text.text, stmt)).flatten());
                }
            });
        }
        edits
    })
}

/// What a statement goes through, in its author's words.
pub(crate) fn gone_through(collection: &Ref<Expr>) -> &Ref<Expr> {
    match collection.as_ref() {
        Expr::Call { fcn, params, .. } if ours(fcn) => params.first().map_or(collection, gone_through),
        _ => collection,
    }
}

fn ours(called: &Expr) -> bool {
    let called = names::constant(called);
    called == ["internal", "collection"] || called == ["internal", "shaped_members"]
}

fn edit(text: &str, stmt: &LiteralStmt) -> Option<[Edit; 2]> {
    let Literal::SomeIn { collection, .. } = &stmt.literal else { return None };
    let written = matches!(
        collection.as_ref(),
        Expr::Array { .. }
            | Expr::Set { .. }
            | Expr::Object { .. }
            | Expr::ArrayCompr { .. }
            | Expr::SetCompr { .. }
            | Expr::ObjectCompr { .. }
    );
    let (from, to) = reach(text, collection);
    let edit = |at, text: &str| Edit::new(at, at, text.to_owned());
    (!written).then(|| [edit(from, "internal.collection("), edit(to, ")")])
}

#[cfg(test)]
mod tests {
    use super::*;
    use regorus::Engine;

    #[test]
    fn what_may_be_no_collection_goes_through_the_builtin() {
        for (author, wanted) in [
            ("y if some x in input.xs", "y if some x in internal.collection(input.xs)"),
            (
                "y := [x | some k, x in f((\"a\")); some v in x with input as 1]",
                "y := [x | some k, x in internal.collection(f((\"a\"))); some v in internal.collection(x) with input as 1]",
            ),
            ("y if some x in [input.a]", "y if some x in [input.a]"),
            ("y if some x in {z | some z in a}", "y if some x in {z | some z in internal.collection(a)}"),
        ] {
            let author = format!("package a\n{author}\n");
            let mut engine = Engine::new();
            engine.add_policy("a.rego".to_owned(), author.clone()).unwrap();
            let texts = [Translated { text: author.clone(), ..Translated::default() }];
            let written = alone(engine.get_modules(), &texts);
            let written = written.map_or(author, |mut written| written.remove(0).text);
            assert_eq!(written, format!("package a\n{wanted}\n"));
        }
    }
}
