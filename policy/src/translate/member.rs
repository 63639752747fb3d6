//! `x in xs` as a value, and not as a statement of its own: written as the call that OPA takes it for.

use std::collections::BTreeSet;

use regorus::unstable::{Expr, Literal, Module};

use super::{Edit, Translated, reach, sign};
use crate::gate::walk::{self, Seen};

/// Writes `internal.member_2(x, xs)` for it, the inner ones in a later pass; none where there is none.
pub(crate) fn calls(module: &Module, translated: &Translated) -> Option<Translated> {
    let (mut alone, mut found) = (BTreeSet::new(), Vec::new());
    for rule in &module.policy {
        walk::rule(rule, &mut |seen| match seen {
            Seen::Opens(stmts) => {
                alone.extend(stmts.iter().filter_map(|stmt| match &stmt.literal {
                    Literal::Expr { expr, .. } | Literal::NotExpr { expr, .. } => {
                        Some(std::ptr::from_ref::<Expr>(expr))
                    }
                    _ => None,
                }));
            }
            Seen::Member(member) => found.push(member),
            _ => {}
        });
    }
    // With a key the engine holds what is undefined for the same on both sides.
    let keyed = |member: &Expr| matches!(member, Expr::Membership { key: Some(_), .. });
    found.retain(|member| keyed(member) || !alone.contains(&std::ptr::from_ref::<Expr>(member)));
    found.sort_by_key(|member| (member.span().start, std::cmp::Reverse(member.span().end)));
    let mut reached = 0;
    let mut edits = Vec::new();
    for member in found {
        if member.span().start >= reached {
            reached = member.span().end;
            edits.extend(edit(&translated.text, member).into_iter().flatten());
        }
    }
    translated.edited(edits)
}

/// The edits for one such expression.
pub(crate) fn edit(text: &str, member: &Expr) -> Option<[Edit; 3]> {
    let Expr::Membership { key, value, .. } = member else { return None };
    let word = sign(text, reach(text, value).1, "in")?;
    let name = if key.is_some() { "internal.member_3(" } else { "internal.member_2(" };
    let (begin, end) = reach(text, member);
    Some([Edit::new(begin, begin, name), Edit::new(word, word + 2, ","), Edit::new(end, end, ")")])
}

#[cfg(test)]
mod tests {
    use super::*;
    use regorus::Engine;

    #[test]
    fn a_value_becomes_a_call_and_a_statement_stays() {
        for (author, wanted) in [
            ("x := 1 in input.a", "x := internal.member_2(1 , input.a)"),
            ("x := (\"in\", (2) in (input.in_a))", "x := (internal.member_3(\"in\", (2) , (input.in_a)))"),
            ("x if { 1 in input.a; not 2 in input.a }", "x if { 1 in input.a; not 2 in input.a }"),
            ("x if 0, 1 in input.a", "x if internal.member_3(0, 1 , input.a)"),
            (
                "x := \"c\" in {\"admin\": \"z\", \"b\": \"c\"}",
                "x := internal.member_2(\"c\" , {\"admin\": \"z\", \"b\": \"c\"})",
            ),
            ("x := (`in`) # in it\n in [1]", "x := internal.member_2((`in`) # in it\n , [1])"),
            ("x := (1 + 2) in input.a", "x := internal.member_2((1 + 2) , input.a)"),
            ("x := f(\"in\" in [\"in\"], 2)", "x := f(internal.member_2(\"in\" , [\"in\"]), 2)"),
            (
                "x := [y | y := 1 in input.a; 2 in y]",
                "x := [y | y := internal.member_2(1 , input.a); 2 in y]",
            ),
        ] {
            let author = format!("package a\n{author}\n");
            let mut engine = Engine::new();
            engine.add_policy("a.rego".to_owned(), author.clone()).unwrap();
            let translated = Translated { text: author.clone(), ..Translated::default() };
            let written = calls(&engine.get_modules()[0], &translated).map_or(author, |written| written.text);
            assert_eq!(written, format!("package a\n{wanted}\n"));
        }
    }
}
