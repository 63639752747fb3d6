//! The variables of an expression, and the closures in it: comprehensions, and the body of `every`.

use std::collections::BTreeSet;

use regorus::unstable::{Expr, Literal, LiteralStmt, RuleHead, Span};

use super::super::binds::{self, Binds};
use super::super::walk::parts;
use super::Scope;
use crate::translate::negation;

/// The name of a variable; of `_`, which is another one each time, with its place.
pub(super) type Var = String;

/// What is put in order: a statement of a query, or a term that is said by its names.
#[derive(Clone, Copy)]
pub(super) enum Statement<'a> {
    Literal(&'a LiteralStmt),
    Term(&'a Expr),
}

/// A query inside an expression.
pub(super) struct Closure<'a> {
    pub(super) span: &'a Span,
    /// Bound by `every`.
    pub(super) names: BTreeSet<Var>,
    pub(super) stmts: &'a [LiteralStmt],
    /// The terms of a comprehension.
    pub(super) said: Vec<&'a Expr>,
}

pub(super) fn var(span: &Span) -> Var {
    if span.text() == "_" { format!("_{}", span.start) } else { span.text().to_owned() }
}

impl<'a> Statement<'a> {
    /// Every expression in it that is no closure.
    pub(super) fn each_expr(self, visit: &mut dyn FnMut(&'a Expr)) {
        match self {
            Self::Term(term) => visit(term),
            Self::Literal(stmt) => {
                match &stmt.literal {
                    Literal::SomeVars { .. } => {}
                    Literal::SomeIn { key, value, collection, .. } => {
                        key.iter().chain([value, collection]).for_each(|expr| visit(expr));
                    }
                    Literal::Expr { expr, .. } | Literal::NotExpr { expr, .. } => visit(expr),
                    Literal::Every { domain, .. } => visit(domain),
                }
                stmt.with_mods.iter().for_each(|with| visit(&with.r#as));
            }
        }
    }

    /// Whether it gives no value to names outside of it: a negation, what was taken out of one, `every`.
    pub(super) fn is_closed(self) -> bool {
        match self {
            Self::Term(_) => false,
            Self::Literal(stmt) => match &stmt.literal {
                Literal::NotExpr { .. } | Literal::Every { .. } => true,
                Literal::Expr { expr, .. } => negation::taken(expr).is_some(),
                Literal::SomeVars { .. } | Literal::SomeIn { .. } => false,
            },
        }
    }

    pub(super) fn closures(self, found: &mut Vec<Closure<'a>>) {
        self.each_expr(&mut |expr| closures(expr, found));
        if let Self::Literal(stmt) = self
            && let Literal::Every { span, key, value, query, .. } = &stmt.literal
        {
            let names = key.iter().chain([value]).map(var).collect();
            found.push(Closure { span, names, stmts: &query.stmts, said: Vec::new() });
        }
    }
}

/// What a rule says in its head: keys and value.
pub(super) fn said_by(head: &RuleHead) -> Vec<&Expr> {
    let (refr, value) = match head {
        RuleHead::Compr { refr, assign, .. } | RuleHead::Func { refr, assign, .. } => {
            (refr, assign.as_ref().map(|assign| &assign.value))
        }
        RuleHead::Set { refr, key, .. } => (refr, key.as_ref()),
    };
    let mut said: Vec<&Expr> = value.map(AsRef::as_ref).into_iter().collect();
    let mut rest = refr.as_ref();
    loop {
        match rest {
            Expr::RefDot { refr, .. } => rest = refr,
            Expr::RefBrack { refr, index, .. } => {
                said.push(index);
                rest = refr;
            }
            _ => return said,
        }
    }
}

/// What the statements of a query declare: it hides the same name outside.
pub(super) fn declared(stmts: &[LiteralStmt]) -> BTreeSet<Var> {
    let mut names = BTreeSet::new();
    for stmt in stmts {
        binds::of(stmt, &mut |binds| {
            binds.names(&mut |name| {
                names.insert(var(name));
            });
        });
    }
    names
}

/// What the names that a statement declares are given by.
pub(super) fn given(stmt: &LiteralStmt) -> Option<&Expr> {
    let mut found = None;
    binds::of(stmt, &mut |binds| {
        if let Binds::Value(_, value) | Binds::Member(_, value) = binds {
            found = Some(value.as_ref());
        }
    });
    found
}

/// All names that stand in a query or in what is said by it, in closures too.
pub(super) fn read(stmts: &[LiteralStmt], said: &[&Expr], found: &mut BTreeSet<String>) {
    let (mut vars, mut inner) = (Vec::new(), Vec::new());
    let said = said.iter().map(|term| Statement::Term(term));
    for statement in stmts.iter().map(Statement::Literal).chain(said) {
        statement.each_expr(&mut |expr| names(expr, &mut vars));
        statement.closures(&mut inner);
    }
    found.extend(vars.into_iter().map(|name| name.text().to_owned()));
    for closure in inner {
        read(closure.stmts, &closure.said, found);
    }
}

/// Every name outside closures.
pub(super) fn names<'a>(expr: &'a Expr, found: &mut Vec<&'a Span>) {
    match expr {
        Expr::Var { span, .. } => found.push(span),
        _ => parts(expr, &mut |part| names(part, found)),
    }
}

fn closures<'a>(expr: &'a Expr, found: &mut Vec<Closure<'a>>) {
    let (span, query, said) = match expr {
        Expr::ArrayCompr { span, term, query, .. } | Expr::SetCompr { span, term, query, .. } => {
            (span, query, vec![term.as_ref()])
        }
        Expr::ObjectCompr { span, key, value, query, .. } => {
            (span, query, vec![key.as_ref(), value.as_ref()])
        }
        _ => return parts(expr, &mut |part| closures(part, found)),
    };
    found.push(Closure { span, names: BTreeSet::new(), stmts: &query.stmts, said });
}

impl Scope<'_> {
    /// The variables outside closures, those that references begin with among them.
    pub(super) fn vars<'a>(&self, expr: &'a Expr, found: &mut Vec<(Var, &'a Span)>) {
        match expr {
            Expr::Var { span, .. } if !self.is_global(span.text()) => found.push((var(span), span)),
            _ => parts(expr, &mut |part| self.vars(part, found)),
        }
    }

    /// What a closure may take from the query around it: its variables that it does not declare.
    pub(super) fn taken(&self, closure: &Closure<'_>, found: &mut BTreeSet<Var>) {
        let (mut vars, mut inner, mut names) = (Vec::new(), Vec::new(), BTreeSet::new());
        let said = closure.said.iter().map(|term| Statement::Term(term));
        for statement in closure.stmts.iter().map(Statement::Literal).chain(said) {
            statement.each_expr(&mut |expr| self.vars(expr, &mut vars));
            statement.closures(&mut inner);
        }
        names.extend(vars.into_iter().map(|(name, _)| name));
        for closure in &inner {
            self.taken(closure, &mut names);
        }
        let declared = declared(closure.stmts);
        found.extend(
            names.into_iter().filter(|name| !declared.contains(name) && !closure.names.contains(name)),
        );
    }
}
