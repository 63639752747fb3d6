//! Patterns of objects that cannot be held to the members that they name: the engine lets an object have others.

use regorus::unstable::{Expr, Literal, LiteralStmt, Module, Rule, RuleHead};

use super::names::{self, Names};
use super::walk::{self, Seen};
use crate::problem::{Problem, Problems};
use crate::translate::patterns::{self, Met, takes_objects};

/// Checks the patterns of one module.
pub(super) fn check(module: &Module, names: &Names, problems: &mut Problems) {
    for rule in &module.policy {
        if let Rule::Spec { head: RuleHead::Func { args, .. }, .. } = rule.as_ref() {
            problems.extend(args.iter().filter_map(|arg| argument(arg)));
        }
        walk::rule(rule, &mut |seen| match seen {
            Seen::Opens(stmts) => {
                problems.extend(stmts.iter().flat_map(|stmt| statement(module, names, stmt)));
            }
            Seen::Ref(refr) => {
                let mut found = Vec::new();
                patterns::looked_through(refr, &mut found);
                problems.extend(found.into_iter().filter_map(|(refr, pattern)| looked_up(refr, pattern)));
            }
            _ => {}
        });
    }
}

fn problem(expr: &Expr, why: &str, instead: &str) -> Problem {
    let span = expr.span();
    let text = span.source.get_contents();
    let construct = if matches!(expr, Expr::Object { .. }) { "{…}" } else { span.text() };
    Problem::of(span.source.get_path(), construct, why, instead).at(span.line, span.col, text)
}

fn argument(arg: &Expr) -> Option<Problem> {
    if !takes_objects(arg) {
        return None;
    }
    if let Some(key) = computed(arg) {
        let why = "is no constant, and stands for a member in an argument that a function is defined with";
        return Some(problem(key, why, "a name for the argument, and its members in the body"));
    }
    let why = "is an argument that a function is defined with, on several lines with a comment or raw text";
    patterns::argument(arg.span().source.get_contents(), arg)
        .is_none()
        .then(|| problem(arg, why, "the argument on one line"))
}

/// What calls a member of a pattern and is no constant.
fn computed(pattern: &Expr) -> Option<&Expr> {
    match pattern {
        Expr::Array { items, .. } => items.iter().find_map(|item| computed(item)),
        Expr::Object { fields, .. } => {
            fields.iter().find_map(
                |(_, key, value)| {
                    if walk::is_scalar(key) { computed(value) } else { Some(key.as_ref()) }
                },
            )
        }
        _ => None,
    }
}

/// A pattern whose shape cannot be said.
fn unshaped(pattern: &Expr) -> Option<Problem> {
    let why = "calls a member of a pattern, and is more than a name, or stands beside other members";
    let instead = "`x := o[name]`, and `count(o) == 1` where the object has no others";
    let text = pattern.span().source.get_contents();
    patterns::shape(text, pattern).err().map(|key| problem(key, why, instead))
}

fn statement(module: &Module, names: &Names, stmt: &LiteralStmt) -> Vec<Problem> {
    match &stmt.literal {
        Literal::SomeIn { key, value, .. } => {
            let patterns = key.iter().chain([value]).filter(|pattern| takes_objects(pattern));
            patterns.filter_map(|pattern| unshaped(pattern)).collect()
        }
        Literal::Expr { expr, .. } | Literal::NotExpr { expr, .. } => {
            let result = names::result(names, module, expr).filter(|result| takes_objects(result)).map(|result| {
                let why = "is a pattern that takes the value of a call, and would fit objects with more members";
                let instead = "a name in its place, and `{…} = name` as the next statement";
                problem(result, why, instead)
            });
            let met = patterns::met(expr).into_iter().filter_map(|met| match met {
                Met::Value(pattern, _) => unshaped(pattern),
                Met::Unlike(one) => {
                    let why =
                        "is compared with an object whose members are not called the same, by constants";
                    Some(problem(one, why, "the values that are to be the same, one by one"))
                }
            });
            met.chain(result).collect()
        }
        Literal::SomeVars { .. } | Literal::Every { .. } => Vec::new(),
    }
}

/// `xs[{"a": x}]`, where `xs` is no name.
fn looked_up(refr: &Expr, pattern: &Expr) -> Option<Problem> {
    let mut begin = refr;
    while let Expr::RefDot { refr, .. } | Expr::RefBrack { refr, .. } = begin {
        begin = refr;
    }
    if matches!(begin, Expr::Var { .. }) {
        return unshaped(pattern);
    }
    let why = "is a pattern in brackets behind what is no name, and would fit objects with more members";
    Some(problem(pattern, why, "`xs := …` before it, and `xs[{…}]`"))
}
