//! Statements that hold whatever the request is: a set, a list, an object, a text or a number alone is no condition, for only
//! `false` and what is undefined do not hold. OPA takes them, and `allow if grounds` lets everyone in where `grounds` is a set.

use regorus::unstable::{Expr, Literal, LiteralStmt, Span};

use super::super::names;
use super::Type;
use super::scope::Scope;
use crate::builtins;
use crate::problem::Problem;

/// Longest statement that is named in full, in characters.
const LONGEST: usize = 60;
/// What gives whether a token is good in a list.
const VERIFIES: &str = "io.jwt.decode_verify";
/// What fails where its argument is no such text: to call it alone asks for that.
const ASKING: [&str; 4] = ["parse", "decode", "to_number", "unmarshal"];

pub(super) fn check<'a>(scope: &mut Scope<'a, '_>, stmt: &'a LiteralStmt) -> Option<Problem> {
    let (expr, negated) = match &stmt.literal {
        Literal::Expr { expr, .. } => (expr.as_ref(), false),
        Literal::NotExpr { expr, .. } => (expr.as_ref(), true),
        _ => return None,
    };
    // What another rule or function is put in the place of may be anything.
    if !stmt.with_mods.iter().all(|with| names::is_of_input(&with.refr)) {
        return None;
    }
    let is = scope.of(expr);
    if !is.holds() || !always(scope, expr) {
        return None;
    }
    let (at, text) = (begin(expr), text(expr));
    let (holds, many) = if negated { ("never", "== 0") } else { ("always", "> 0") };
    let (what, instead) = match (&is, expr) {
        (_, Expr::Set { .. }) => (
            "a set, which holds whatever is in it",
            "the statement without braces; for several a rule of its own".to_owned(),
        ),
        _ if called(expr).as_deref() == Some(VERIFIES) => (
            "a list, which holds with false in it too",
            "`[valid, _, claims] := io.jwt.decode_verify(…)`, and `valid`".to_owned(),
        ),
        (Type::Set(_), _) => ("a set, which holds with nothing in it too", format!("`count({text}) {many}`")),
        (Type::List(..), _) => {
            ("a list, which holds with nothing in it too", format!("`count({text}) {many}`"))
        }
        (Type::Object(..), _) => {
            ("an object, which holds with nothing in it too", format!("`count({text}) {many}`"))
        }
        (Type::Text, _) => ("text, which holds whatever it says", format!("a comparison, `{text} == \"…\"`")),
        (Type::Number, _) => {
            let instead = match called(expr).as_deref() {
                Some("count") => format!("`{text} {many}`"),
                Some("indexof") => "`contains(…)`".to_owned(),
                _ => "a comparison of it".to_owned(),
            };
            ("a number, which holds as 0 too", instead)
        }
        _ => ("no condition: only false does not hold", "a comparison of it".to_owned()),
    };
    let why = format!("{holds} holds as a statement: it is {what}");
    let construct = if negated { format!("not {text}") } else { text };
    Some(Problem::of(at.source.get_path(), &construct, why, instead).at_span(at))
}

/// Whether it holds where its parts are there.
fn always<'a>(scope: &Scope<'a, '_>, expr: &'a Expr) -> bool {
    match expr {
        Expr::Var { span, .. } if scope.binds(span.text()) => true,
        Expr::Var { .. } | Expr::RefDot { .. } | Expr::RefBrack { .. } => {
            let root = names::begin(expr).text();
            let path = names::path(expr).filter(|_| !scope.binds(root));
            path.is_some_and(|path| scope.rules.always(&names::resolve(scope.module, &path)))
        }
        Expr::Call { fcn, .. } => {
            let called = names::path(fcn).unwrap_or_default();
            // With one argument more it is an equality.
            if names::result(scope.rules.names, scope.module, expr).is_some() {
                return false;
            }
            if let Some((path, _)) = scope.rules.names.function(scope.module, &called) {
                return scope.rules.always(&path);
            }
            let name = called.join(".");
            let asks = ASKING.iter().any(|asking| name.contains(asking)) && name != VERIFIES;
            builtins::known(&name).is_some() && !asks
        }
        _ => true,
    }
}

fn called(expr: &Expr) -> Option<String> {
    let Expr::Call { fcn, .. } = expr else { return None };
    Some(names::path(fcn)?.join("."))
}

fn begin(expr: &Expr) -> &Span {
    let mut first = expr;
    while let Expr::BinExpr { lhs, .. } | Expr::ArithExpr { lhs, .. } = first {
        first = lhs;
    }
    match first {
        Expr::Call { fcn, .. } => names::begin(fcn),
        _ => names::begin(first),
    }
}

fn text(expr: &Expr) -> String {
    let (from, to) = (begin(expr), expr.span());
    let text = from.source.get_contents().get(from.start as usize..to.end.max(from.end) as usize);
    let first = text.unwrap_or_default().lines().next().unwrap_or_default();
    if text.is_some_and(|text| text.chars().count() <= LONGEST && text == first) {
        return first.to_owned();
    }
    let short: String = first.chars().take(LONGEST).collect();
    format!("{} …", short.trim_end())
}
