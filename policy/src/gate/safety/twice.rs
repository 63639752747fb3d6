//! Statements that OPA takes for one another.

use std::collections::BTreeSet;

use regorus::Value;
use regorus::unstable::{AssignOp, Expr, Literal, LiteralStmt};

use super::super::names;
use super::super::walk::{constant, parts};
use super::terms::{self, Statement};

/// Whether OPA takes them for the same.
pub(super) fn is_same(one: Statement<'_>, other: Statement<'_>) -> bool {
    let (Statement::Literal(one), Statement::Literal(other)) = (one, other) else { return false };
    statement(one).is_some_and(|one| Some(one) == statement(other))
}

/// What a statement says, however it is written; none where OPA gives a part of it a name of its own.
fn statement(stmt: &LiteralStmt) -> Option<Value> {
    let (kind, expr) = match &stmt.literal {
        Literal::Expr { expr, .. } => ("", expr),
        Literal::NotExpr { expr, .. } => ("not", expr),
        Literal::SomeVars { .. } | Literal::SomeIn { .. } | Literal::Every { .. } => return None,
    };
    let mut said = vec![kind.into(), own(expr)?];
    for with in &stmt.with_mods {
        if terms::is_evaluated(&with.r#as) {
            return None;
        }
        said.extend([said_of(&with.refr)?, said_of(&with.r#as)?]);
    }
    Some(said.into())
}

/// The same of what stands alone, which may be a call.
fn own(expr: &Expr) -> Option<Value> {
    let operator = match expr {
        Expr::Call { fcn, .. } => names::path(fcn)?.join("."),
        Expr::BinExpr { op, .. } => format!("{op:?}"),
        Expr::BoolExpr { op, .. } => format!("{op:?}"),
        Expr::ArithExpr { op, .. } => format!("{op:?}"),
        Expr::AssignExpr { op: AssignOp::Eq, .. } => "=".to_owned(),
        Expr::Membership { .. } => "in".to_owned(),
        Expr::AssignExpr { .. } | Expr::UnaryExpr { .. } => return None,
        _ => return said_of(expr),
    };
    let mut operands = Vec::new();
    parts(expr, &mut |part| operands.push(part));
    of(&operator, operands.into_iter())
}

/// The same of a part.
fn said_of(expr: &Expr) -> Option<Value> {
    if let Some(value) = constant(expr) {
        return Some(vec!["".into(), value.clone()].into());
    }
    let unordered = |kind: &str, said: Option<BTreeSet<Value>>| Some(vec![kind.into(), said?.into()].into());
    match expr {
        Expr::Var { span, .. } => {
            (span.text() != "_").then(|| vec!["name".into(), span.text().into()].into())
        }
        Expr::RefDot { .. } | Expr::RefBrack { .. } => reference(expr),
        Expr::Array { items, .. } => of("[]", items.iter().map(AsRef::as_ref)),
        Expr::Set { items, .. } => unordered("{}", items.iter().map(|item| said_of(item)).collect()),
        Expr::Object { fields, .. } => {
            let field = |key, value| of(":", [key, value].into_iter());
            unordered("{:}", fields.iter().map(|(_, key, value)| field(key, value)).collect())
        }
        Expr::ArrayCompr { term, query, .. } => comprehension("[|]", &[term], &query.stmts),
        Expr::SetCompr { term, query, .. } => comprehension("{|}", &[term], &query.stmts),
        Expr::ObjectCompr { key, value, query, .. } => comprehension("{:|}", &[key, value], &query.stmts),
        _ => None,
    }
}

/// A reference, whose members may be written with a dot or in brackets.
fn reference(expr: &Expr) -> Option<Value> {
    let (mut rest, mut said) = (expr, Vec::new());
    loop {
        match rest {
            Expr::RefDot { refr, field, .. } => {
                said.push(vec!["".into(), field.1.clone()].into());
                rest = refr;
            }
            Expr::RefBrack { refr, index, .. } => {
                said.push(said_of(index)?);
                rest = refr;
            }
            _ => {
                said.extend([said_of(rest)?, "ref".into()]);
                return Some(said.into());
            }
        }
    }
}

fn of<'a>(kind: &str, parts: impl Iterator<Item = &'a Expr>) -> Option<Value> {
    let said: Option<Vec<Value>> = parts.map(said_of).collect();
    Some(vec![kind.into(), said?.into()].into())
}

/// One that declares a name, or whose terms are read in a statement of their own, is like no other.
fn comprehension(kind: &str, said: &[&Expr], stmts: &[LiteralStmt]) -> Option<Value> {
    if !terms::declared(stmts).is_empty() || said.iter().any(|term| terms::is_evaluated(term)) {
        return None;
    }
    let body: Option<Vec<Value>> = stmts.iter().map(statement).collect();
    Some(vec![of(kind, said.iter().copied())?, body?.into()].into())
}
