//! `[x, y] = [y, 3]`, whose sides give each other names: the engine takes names from one side alone. Each pair is a
//! statement of its own, `x = y; y = 3`.

use std::collections::{BTreeMap, BTreeSet};

use regorus::unstable::{AssignOp, Expr, Literal, LiteralStmt, Module, Ref};

use super::{Edit, Translated, each_statement, end, reach};
use crate::gate::binds;
use crate::gate::loops::loops;
use crate::gate::walk::is_scalar;

/// The texts of all modules with such statements taken apart, but those within others; none where there is none.
pub(crate) fn apart(modules: &[Ref<Module>], texts: &[Translated]) -> Option<Vec<Translated>> {
    each_statement(modules, texts, statement)
}

/// The edits for one statement.
fn statement(text: &str, stmt: &LiteralStmt, bare: bool) -> Vec<Edit> {
    let mut pairs = Vec::new();
    let expr = match &stmt.literal {
        Literal::Expr { expr, .. } => Some(expr),
        _ => None,
    };
    if let Some(Expr::AssignExpr { op: AssignOp::Eq, lhs, rhs, .. }) = expr.map(AsRef::as_ref) {
        of(lhs, rhs, &mut pairs);
    }
    let Some((from, to)) = pairs.get(1).and(expr).map(|expr| reach(text, expr)) else { return Vec::new() };
    let lines = |(from, to): (u32, u32)| {
        text.get(from as usize..to as usize).map_or(0, |written| written.matches('\n').count())
    };
    let kept: usize =
        pairs.iter().flat_map(|(one, other)| [one, other]).map(|side| lines(reach(text, side))).sum();
    // Behind it each line stays where it is.
    let between = match lines((from, to)).saturating_sub(kept) {
        0 => "; ".to_owned(),
        lines => "\n".repeat(lines),
    };
    let with = stmt.with_mods.first().map(|with| (with.span.start, end(text, stmt.span.end)));
    let ours = |said: &str| Edit::new(to, to, said);
    let copy = |(from_there, to_there)| Edit::copy(to, from_there, to_there);
    let mut edits = vec![Edit::new(from, to, if bare { "{ " } else { "" })];
    for (index, (one, other)) in pairs.iter().enumerate() {
        if index > 0 {
            // The last one has those of the statement.
            edits.extend(with.into_iter().flat_map(|with| [ours(" "), copy(with)]));
            edits.push(ours(if index == 1 { &between } else { "; " }));
        }
        // A minus at the beginning would go on with the line before.
        let minus =
            |side: &Expr| text.get(reach(text, side).0 as usize..).is_some_and(|it| it.starts_with('-'));
        let (one, other) = if minus(one) { (other, one) } else { (one, other) };
        // The engine reads no operator on the left of `=` without parentheses.
        let (open, equal) = if is_operator(one) || minus(one) { ("(", ") = ") } else { ("", " = ") };
        edits.extend([ours(open), copy(reach(text, one)), ours(equal), copy(reach(text, other))]);
    }
    if bare {
        let end = end(text, stmt.span.end);
        edits.push(Edit::new(end, end, " }"));
    }
    edits
}

fn is_operator(side: &Expr) -> bool {
    matches!(
        side,
        Expr::BinExpr { .. } | Expr::BoolExpr { .. } | Expr::ArithExpr { .. } | Expr::Membership { .. }
    )
}

/// Whether a side gives names, in brackets too.
fn gives(side: &Expr) -> bool {
    let mut found = loops(side, &BTreeSet::new());
    binds::variables(side, &mut |_| found = true);
    found
}

/// The pairs of what stands in the same places of two lists or objects, where both give names.
fn of<'a>(one: &'a Ref<Expr>, other: &'a Ref<Expr>, pairs: &mut Vec<(&'a Ref<Expr>, &'a Ref<Expr>)>) {
    match (one.as_ref(), other.as_ref()) {
        _ if !gives(one) || !gives(other) => pairs.push((one, other)),
        (Expr::Array { items: a, .. }, Expr::Array { items: b, .. }) if a.len() == b.len() => {
            a.iter().zip(b).for_each(|(a, b)| of(a, b, pairs));
        }
        (Expr::Object { fields: a, .. }, Expr::Object { fields: b, .. }) if a.len() == b.len() => {
            let scalars = b.iter().rev().filter(|(_, key, _)| is_scalar(key));
            let others: BTreeMap<&str, &Ref<Expr>> =
                scalars.map(|(_, key, value)| (key.span().text(), value)).collect();
            let same = |key: &Expr| others.get(key.span().text()).filter(|_| is_scalar(key)).copied();
            let found: Option<Vec<_>> = a.iter().map(|(_, key, value)| Some((value, same(key)?))).collect();
            match found {
                Some(found) => found.into_iter().for_each(|(a, b)| of(a, b, pairs)),
                None => pairs.push((one, other)),
            }
        }
        _ => pairs.push((one, other)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use regorus::Engine;

    #[test]
    fn what_gives_names_to_both_sides_is_taken_apart() {
        for (body, wanted) in [
            ("{ [x, z] = [z, 3] }", "{ x = z; z = 3 }"),
            ("[x, [\"a\", z]] = [1, [z, \"b\"]]", "{ x = 1; \"a\" = z; z = \"b\" }"),
            ("{ {\"a\": x, \"b\": 1} = {\"b\": z, \"a\": z} }", "{ x = z; 1 = z }"),
            (
                "{ [x, z] = [z, input] with input as [3] }",
                "{ x = z with input as [3]; z = input with input as [3] }",
            ),
            ("{ [x, -1] = [1, z] }", "{ x = 1; z = -1 }"),
            ("{ [x, (1 - 1)] = [1, z] }", "{ x = 1; (1 - 1) = z }"),
            ("{ [x, z] =\n[z, # of it\n3] }", "{ x = z\n\nz = 3 }"),
            ("{ [x, 1] = [{y | [y, 2] = [3, q]}, z] }", "{ x = {y | [y, 2] = [3, q]}; 1 = z }"),
            ("{ [x, z] = [1, 3] }", "{ [x, z] = [1, 3] }"),
            ("{ [x, z] = y }", "{ [x, z] = y }"),
        ] {
            let author = format!("package a\nr if {body}\n");
            let mut engine = Engine::new();
            engine.add_policy("a.rego".to_owned(), author.clone()).unwrap();
            let texts = [Translated { text: author.clone(), ..Translated::default() }];
            let written = apart(engine.get_modules(), &texts);
            let written = written.map_or(author, |mut written| written.remove(0).text);
            assert_eq!(written, format!("package a\nr if {wanted}\n"));
        }
    }
}
