//! What a statement gives names to: told here, and nowhere else.

use std::collections::BTreeSet;

use regorus::unstable::{AssignOp, Expr, Literal, LiteralStmt, Ref, Span};

use super::walk;

/// A name, or a pattern of names, and what it stands for.
#[derive(Clone, Copy)]
pub(crate) enum Binds<'a> {
    /// `some x`: a name without a value.
    Declared(&'a Span),
    /// `pattern := value`.
    Value(&'a Ref<Expr>, &'a Ref<Expr>),
    /// The first of two patterns before `in`.
    Key(&'a Ref<Expr>),
    /// `some pattern in collection`.
    Member(&'a Ref<Expr>, &'a Ref<Expr>),
}

/// What a statement declares for the query that it stands in. What `every` binds ends with it.
pub(crate) fn of<'a>(stmt: &'a LiteralStmt, visit: &mut dyn FnMut(Binds<'a>)) {
    match &stmt.literal {
        Literal::SomeVars { vars, .. } => vars.iter().for_each(|var| visit(Binds::Declared(var))),
        Literal::SomeIn { key, value, collection, .. } => {
            if let Some(key) = key {
                visit(Binds::Key(key));
            }
            visit(Binds::Member(value, collection));
        }
        Literal::Expr { expr, .. } => {
            if let Expr::AssignExpr { op: AssignOp::ColEq, lhs, rhs, .. } = expr.as_ref() {
                visit(Binds::Value(lhs, rhs));
            }
        }
        Literal::NotExpr { .. } | Literal::Every { .. } => {}
    }
}

/// What a query gives names to, also before the statement that does.
pub(crate) fn declared(stmts: &[LiteralStmt]) -> BTreeSet<&str> {
    let mut names = BTreeSet::new();
    for stmt in stmts {
        of(stmt, &mut |binds| {
            binds.names(&mut |name| {
                names.insert(name.text());
            });
        });
    }
    names
}

impl<'a> Binds<'a> {
    /// Each name in it.
    pub(crate) fn names(self, visit: &mut dyn FnMut(&'a Span)) {
        match self {
            Self::Declared(name) => visit(name),
            Self::Value(pattern, _) => variables(pattern, visit),
            Self::Key(pattern) | Self::Member(pattern, _) => {
                variables(pattern, visit);
                in_calls(pattern, false, visit);
            }
        }
    }
}

/// The variables of a pattern: all but those in keys and references.
pub(crate) fn variables<'a>(pattern: &'a Expr, visit: &mut dyn FnMut(&'a Span)) {
    match pattern {
        Expr::Var { span, .. } => visit(span),
        Expr::Array { items, .. } => items.iter().for_each(|item| variables(item, visit)),
        Expr::Object { fields, .. } => fields.iter().for_each(|(_, _, value)| variables(value, visit)),
        _ => {}
    }
}

/// What stands in calls and in brackets before `in`, which OPA declares there too, but not what a reference begins with.
fn in_calls<'a>(term: &'a Expr, called: bool, visit: &mut dyn FnMut(&'a Span)) {
    match term {
        Expr::Var { span, .. } if called => visit(span),
        Expr::RefDot { refr, .. } | Expr::RefBrack { refr, .. } => {
            if let Expr::RefBrack { index, .. } = term {
                in_calls(index, true, visit);
            }
            if matches!(refr.as_ref(), Expr::RefDot { .. } | Expr::RefBrack { .. }) {
                in_calls(refr, called, visit);
            }
        }
        Expr::Object { fields, .. } => {
            for (_, _, value) in fields {
                in_calls(value, called, visit);
            }
        }
        Expr::ArrayCompr { .. } | Expr::SetCompr { .. } | Expr::ObjectCompr { .. } => {}
        _ => walk::parts(term, &mut |part| in_calls(part, called || walk::is_call(term), visit)),
    }
}

/// The variables that have a value once a statement holds; `some x` alone gives it none.
pub(crate) fn given(stmt: &LiteralStmt, names: &mut Vec<String>) {
    of(stmt, &mut |binds| match binds {
        Binds::Declared(_) => {}
        binds => binds.names(&mut |name| note(name, names)),
    });
}

/// The names of a pattern's variables.
pub(crate) fn named(pattern: &Expr, names: &mut Vec<String>) {
    variables(pattern, &mut |name| note(name, names));
}

fn note(name: &Span, names: &mut Vec<String>) {
    if name.text() != "_" {
        names.push(name.text().to_owned());
    }
}
