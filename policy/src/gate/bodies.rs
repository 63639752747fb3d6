//! How many statements one body has: the engine puts them in order, and takes for that the square of their number. And
//! what stands where a body does and is none: a set, `if {a, b}`, or to OPA a comprehension.

use regorus::unstable::{BinOp, Expr, Literal, LiteralStmt, Module, Query, Ref, Rule, RuleHead, Span};

use super::walk::{self, Seen};
use crate::problem::{Problem, Problems};
use crate::translate::reach;

/// Most statements of one body, of a rule or of a comprehension.
pub(crate) const STATEMENTS: usize = 2_000;
/// Bodies of fewer statements are put in order in no time.
const FEW: usize = 200;
/// Most that all longer ones may take together: as long as four of the longest.
const SQUARES: usize = 4 * STATEMENTS * STATEMENTS;

/// What stands where a body does and is none, and bodies that are too long.
pub(super) fn check(modules: &[Ref<Module>], problems: &mut Problems) {
    for rule in modules.iter().flat_map(|module| &module.policy) {
        problems.extend(sets(rule));
        problems.extend(chained(rule));
        problems.extend(braced(rule));
        walk::rule(rule, &mut |seen| match seen {
            Seen::Opens(stmts) => problems.extend(stmts.first().and_then(union)),
            Seen::Compares(expr) => problems.extend(alone(expr, &[('[', ']'), ('{', '}')])),
            Seen::Object(Expr::Object { fields, .. }) => {
                if let [(_, _, value)] = fields.as_slice() {
                    problems.extend(alone(value, &[(':', '}')]));
                }
            }
            _ => {}
        });
    }
    long(modules, problems);
}

/// Names the first statement beyond the limit in each module, and the first body that is too long beside others.
pub(crate) fn long(modules: &[Ref<Module>], problems: &mut Problems) {
    let mut squares = 0_usize;
    for module in modules {
        let (mut first, mut beside) = (None, None);
        for rule in &module.policy {
            walk::rule(rule, &mut |seen| {
                let Seen::Opens(stmts) = seen else { return };
                if let Some(stmt) = stmts.get(STATEMENTS) {
                    first.get_or_insert(&stmt.span);
                } else if let (FEW.., Some(stmt)) = (stmts.len(), stmts.first()) {
                    squares = squares.saturating_add(stmts.len().pow(2));
                    if squares > SQUARES {
                        beside.get_or_insert(&stmt.span);
                    }
                }
            });
        }
        let mut say = |span: &Span, why: &str| {
            let problem = Problem::of(span.source.get_path(), "body", why, "several rules, or data");
            problems.push(problem.at_span(span));
        };
        if let Some(span) = first {
            say(span, &format!("has more than {STATEMENTS} statements"));
        } else if let Some(span) = beside {
            say(span, &format!("is one of too many with more than {FEW} statements"));
        }
    }
}

/// Bodies that are read as sets, for there are commas between their statements, which OPA refuses, or as comprehensions, in
/// which a `with` is meant for the body.
fn sets(rule: &Rule) -> impl Iterator<Item = Problem> {
    let bodies = if let Rule::Spec { bodies, .. } = rule { bodies.as_slice() } else { &[] };
    bodies.iter().filter_map(|body| set(&body.query)).map(|(span, construct, why)| {
        let instead = "`;` or a new line between statements, which must all hold; `{ {a, b} }` for a set";
        Problem::of(span.source.get_path(), construct, why, instead).at_span(span)
    })
}

/// Where such a set begins: a body has its braces around its statement.
fn set(query: &Query) -> Option<(&Span, &'static str, &'static str)> {
    let Literal::Expr { expr, .. } = &query.stmts.first()?.literal else { return None };
    let (construct, why) = match expr.as_ref() {
        Expr::Set { items, .. } if !items.is_empty() => {
            ("{…, …}", "is a set in the place of a body and always holds: OPA refuses the comma")
        }
        Expr::SetCompr { query, .. } | Expr::ObjectCompr { query, .. }
            if query.stmts.iter().any(|stmt| !stmt.with_mods.is_empty()) =>
        {
            ("{… | …}", "is a comprehension in the place of a body, and always holds")
        }
        _ => return None,
    };
    (expr.span().start == query.span.start).then_some((expr.span(), construct, why))
}

/// `else := 5 if {"a": x} = y`: to OPA a brace begins the body of an `else`, whatever follows.
fn braced(rule: &Rule) -> Option<Problem> {
    let Rule::Spec { bodies, .. } = rule else { return None };
    let found = bodies.iter().skip(1).find(|body| {
        let span = &body.query.span;
        let text = span.source.get_contents();
        body.query.stmts.first().is_some_and(|stmt| stmt.span.start == span.start)
            && text.get(span.start as usize..).is_some_and(|text| text.starts_with('{'))
            && set(&body.query).is_none()
    });
    let span = &found?.query.span;
    let why = "begins the statement of an `else`, where OPA takes it for the beginning of a body";
    Some(Problem::of(span.source.get_path(), "{", why, "braces around the statement").at_span(span))
}

/// `x := 5 if {…} {…}`: to the engine the second body gives `true`, to OPA the value of the head.
fn chained(rule: &Rule) -> Option<Problem> {
    let Rule::Spec { head, bodies, .. } = rule else { return None };
    let (RuleHead::Compr { assign: Some(_), .. } | RuleHead::Func { assign: Some(_), .. }) = head else {
        return None;
    };
    let span = bodies.iter().skip(1).find(|body| !body.is_else).map(|body| &body.query.span)?;
    let why = "is one body behind another, which the engine would give `true` to";
    Some(Problem::of(span.source.get_path(), "{", why, "a rule of its own with the same head").at_span(span))
}

/// `{a | b == c}` after `if`: to OPA a comprehension, which holds whatever `b == c` does.
fn union(stmt: &LiteralStmt) -> Option<Problem> {
    let Literal::Expr { expr, .. } = &stmt.literal else { return None };
    let text = expr.span().source.get_contents();
    let begin = reach(text, expr).0 as usize;
    if !text.get(..begin)?.trim_end().ends_with('{') {
        return None;
    }
    let span = leftmost(expr, &|operator| {
        let before = text.get(begin..operator.start as usize).unwrap_or_default();
        before.matches('(').count() > before.matches(')').count()
    })?;
    let why = "begins a body, which OPA takes for a comprehension";
    let problem = Problem::of(span.source.get_path(), "|", why, "`x := … | …` first, or `(… | …) == …`");
    Some(problem.at_span(span))
}

/// `{a: b | {1} | {2}}` and `[a | {1} | {2}]`, between these: to OPA a comprehension whose body is a union.
fn alone(expr: &Expr, between: &[(char, char)]) -> Option<Problem> {
    let Expr::BinExpr { op: BinOp::Union, span, .. } = expr else { return None };
    let text = span.source.get_contents();
    let (from, to) = reach(text, expr);
    let before = text.get(..from as usize)?.trim_end();
    let opening = before.chars().next_back()?;
    let closing = text.get(to as usize..)?.trim_start().chars().next()?;
    // Brackets behind a name hold the member that is meant.
    let of_name = before
        .strip_suffix('[')
        .is_some_and(|name| name.ends_with(|c: char| !c.is_whitespace() && !"([{,:=".contains(c)));
    if of_name || !between.contains(&(opening, closing)) {
        return None;
    }
    let why = "is the first of two here, with which OPA begins the body of a comprehension";
    let instead = "parentheses around it all, `(… | …)`; a comprehension's body `x := … | …`";
    Some(Problem::of(span.source.get_path(), "|", why, instead).at_span(span))
}

/// The `|` that stands next to the beginning of an expression, and not within parentheses.
fn leftmost<'a>(expr: &'a Expr, within: &dyn Fn(&Span) -> bool) -> Option<&'a Span> {
    match expr {
        Expr::BinExpr { op: BinOp::Union, span, lhs, .. } => {
            leftmost(lhs, within).or_else(|| (!within(span)).then_some(span))
        }
        Expr::BinExpr { lhs, .. }
        | Expr::BoolExpr { lhs, .. }
        | Expr::ArithExpr { lhs, .. }
        | Expr::AssignExpr { lhs, .. } => leftmost(lhs, within),
        Expr::Membership { key, value, .. } => leftmost(key.as_ref().unwrap_or(value), within),
        _ => None,
    }
}
