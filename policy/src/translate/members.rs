//! `{input.k: 1, "z": 2}`, where `input.k` turns out to be `"z"` too: which of the two values OPA takes follows from how it
//! compiles the object, the engine takes the last. Such objects are made by a builtin of ours, which fails then.

use std::collections::BTreeSet;

use regorus::unstable::{AssignOp, Expr, Module, Ref};

use super::{Edit, Translated, each, reach, sign};
use crate::gate::walk::{self, Seen};

/// The texts of all modules with `internal.object([[k, v], …])` for objects with a computed member beside others; none
/// where there is none.
pub(crate) fn told_apart(modules: &[Ref<Module>], texts: &[Translated]) -> Option<Vec<Translated>> {
    each(modules, texts, |module, text| {
        let (mut patterns, mut edits) = (BTreeSet::new(), Vec::new());
        for rule in &module.policy {
            walk::rule(rule, &mut |seen| match seen {
                Seen::Compares(Expr::AssignExpr { op: AssignOp::Eq, lhs, rhs, .. }) => {
                    compared(lhs, &mut patterns);
                    compared(rhs, &mut patterns);
                }
                Seen::Object(object) if !patterns.contains(&std::ptr::from_ref(object)) => {
                    edits.extend(edit(&text.text, object).into_iter().flatten());
                }
                _ => {}
            });
        }
        edits
    })
}

/// The objects that `=` compares member by member, and that may bind names.
fn compared(side: &Expr, patterns: &mut BTreeSet<*const Expr>) {
    if matches!(side, Expr::Array { .. } | Expr::Object { .. }) {
        patterns.insert(side);
        walk::parts(side, &mut |part| compared(part, patterns));
    }
}

fn edit(text: &str, object: &Expr) -> Option<Vec<Edit>> {
    let Expr::Object { fields, .. } = object else { return None };
    if fields.len() < 2 || fields.iter().all(|(_, key, _)| walk::is_scalar(key)) {
        return None;
    }
    let begin = reach(text, object).0;
    let mut edits = vec![Edit::new(begin, begin + 1, "internal.object([[")];
    for (index, (_, key, value)) in fields.iter().enumerate() {
        let colon = sign(text, reach(text, key).1, ":")?;
        edits.push(Edit::new(colon, colon + 1, ","));
        let end = reach(text, value).1;
        if index + 1 < fields.len() {
            let comma = sign(text, end, ",")?;
            edits.push(Edit::new(comma, comma + 1, "], ["));
        } else {
            let last = sign(text, end, ",").map_or(end, |comma| comma + 1);
            let brace = sign(text, last, "}")?;
            edits.extend((last > end).then(|| Edit::new(last - 1, last, "")));
            edits.push(Edit::new(brace, brace + 1, "]])"));
        }
    }
    Some(edits)
}

#[cfg(test)]
mod tests {
    use super::*;
    use regorus::Engine;

    #[test]
    fn computed_members_beside_others_are_told_apart() {
        for (author, wanted) in [
            ("{a.k: 1, \"z\": 2}", "internal.object([[a.k, 1], [ \"z\", 2]])"),
            ("{\"z\": 2, (a.k): (1), # }\n}", "internal.object([[\"z\", 2], [ (a.k), (1) # }\n]])"),
            ("{a.k: 1}", "{a.k: 1}"),
            ("{\"a\": 1, `b`: {2: a}}", "{\"a\": 1, `b`: {2: a}}"),
            (
                "{a.k: {a.l: \"}\", \"y\": 3}, 1: \"b\"}",
                "internal.object([[a.k, internal.object([[a.l, \"}\"], [ \"y\", 3]])], [ 1, \"b\"]])",
            ),
            (
                "[1 | {a.k: 1, \"z\": x} = {\"z\": 1, \"y\": x}]",
                "[1 | {a.k: 1, \"z\": x} = {\"z\": 1, \"y\": x}]",
            ),
        ] {
            let module = |object: &str| format!("package a\na := 1\ny := {object}\n");
            let mut engine = Engine::new();
            engine.add_policy("a.rego".to_owned(), module(author)).unwrap();
            let texts = [Translated { text: module(author), ..Translated::default() }];
            let written = told_apart(engine.get_modules(), &texts);
            let text = written.map_or_else(|| module(author), |mut written| written.remove(0).text);
            assert_eq!(text, module(wanted));
        }
    }
}
