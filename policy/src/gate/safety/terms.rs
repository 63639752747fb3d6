//! The variables of an expression, and the closures in it: comprehensions, and the body of `every`.

use std::collections::BTreeSet;

use regorus::unstable::{AssignOp, BoolOp, Expr, Literal, LiteralStmt, RuleHead, Span, WithModifier};

use super::super::binds::{self, Binds};
use super::super::names;
use super::super::walk::{is_call, parts};
use super::Scope;
use crate::translate::negation;

/// The name of a variable; of `_`, which is another one each time, with its place.
pub(super) type Var = String;

/// What is put in order: a statement of a query, a term that is said by its names, or a part of either.
#[derive(Clone, Copy)]
pub(super) enum Statement<'a> {
    Literal(&'a LiteralStmt),
    Term(&'a Expr),
    Part(Part<'a>),
}

/// What OPA makes a statement of its own, before the one that it is written in: a call within another expression, the
/// value of a `with`, what `every` goes through. The other one takes it by a name, [`local`].
#[derive(Clone, Copy)]
pub(super) struct Part<'a> {
    pub(super) expr: &'a Expr,
    /// Those of the statement, which hold here too.
    pub(super) with: &'a [WithModifier],
    /// Whether it was taken out of a negation.
    negated: bool,
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

/// The name by which a statement takes one of its parts; no author's is like it.
pub(super) fn local(part: &Expr) -> Var {
    format!("@{:x}", std::ptr::from_ref(part).addr())
}

/// Whether the value of a `with`, or a term that is said, is a part of its own.
pub(super) fn is_evaluated(value: &Expr) -> bool {
    let mut found = matches!(
        value,
        Expr::RefDot { .. }
            | Expr::RefBrack { .. }
            | Expr::ArrayCompr { .. }
            | Expr::SetCompr { .. }
            | Expr::ObjectCompr { .. }
    );
    parts(value, &mut |part| found = found || is_evaluated(part));
    found
}

/// The parts of an expression that are statements of their own, each before what it is a part of.
fn apart<'a>(of: Part<'a>, found: &mut Vec<Statement<'a>>) {
    parts(of.expr, &mut |expr| apart(Part { expr, ..of }, found));
    if is_call(of.expr) {
        found.push(Statement::Part(of));
    }
}

/// What stands in a statement itself.
#[derive(Clone, Copy)]
pub(super) enum Own<'a> {
    Expr(&'a Expr),
    /// What is one of its parts, of which it takes the value.
    Part(&'a Expr),
}

fn own<'a>(expr: &'a Expr, visit: &mut dyn FnMut(Own<'a>)) {
    if is_call(expr) { visit(Own::Part(expr)) } else { own_parts(expr, visit) }
}

/// The same of what is itself no part.
fn own_parts<'a>(expr: &'a Expr, visit: &mut dyn FnMut(Own<'a>)) {
    visit(Own::Expr(expr));
    parts(expr, &mut |part| own(part, visit));
}

/// The same of what has no parts.
fn whole<'a>(expr: &'a Expr, visit: &mut dyn FnMut(Own<'a>)) {
    visit(Own::Expr(expr));
    parts(expr, &mut |part| whole(part, visit));
}

fn with_values<'a>(with: &'a [WithModifier], visit: &mut dyn FnMut(Own<'a>)) {
    for with in with {
        if is_evaluated(&with.r#as) { visit(Own::Part(&with.r#as)) } else { own(&with.r#as, visit) }
    }
}

fn keys<'a>(side: &'a Expr, found: &mut Vec<(Var, &'a Span)>) {
    match side {
        Expr::Array { items, .. } => items.iter().for_each(|item| keys(item, found)),
        Expr::Object { fields, .. } => fields.iter().for_each(|(_, key, value)| {
            if let Expr::Var { span, .. } = key.as_ref() {
                found.push((var(span), span));
            }
            keys(value, found);
        }),
        _ => {}
    }
}

/// What the names of the members begin with that a pattern takes, where they are read.
pub(super) fn key_begins(pattern: &Expr) -> Vec<&Span> {
    let mut found = Vec::new();
    match pattern {
        Expr::Array { items, .. } => items.iter().for_each(|item| found.extend(key_begins(item))),
        Expr::Object { fields, .. } => {
            for (_, key, value) in fields {
                if matches!(key.as_ref(), Expr::Var { .. } | Expr::RefDot { .. } | Expr::RefBrack { .. }) {
                    found.push(names::begin(key));
                }
                found.extend(key_begins(value));
            }
        }
        _ => {}
    }
    found
}

pub(super) fn is_print(expr: &Expr) -> bool {
    matches!(expr, Expr::Call { fcn, .. } if names::constant(fcn) == ["print"])
}

impl<'a> Statement<'a> {
    /// The statements that OPA makes of it.
    pub(super) fn apart(self, found: &mut Vec<Self>) {
        let part = |expr, with, negated| Part { expr, with, negated };
        match self {
            Self::Part(_) => {}
            Self::Term(term) => apart(part(term, &[], false), found),
            Self::Literal(stmt) => {
                for with in &stmt.with_mods {
                    let value = part(&with.r#as, &[], false);
                    apart(value, found);
                    if !is_call(&with.r#as) && is_evaluated(&with.r#as) {
                        found.push(Self::Part(value));
                    }
                }
                let with = stmt.with_mods.as_slice();
                match &stmt.literal {
                    Literal::SomeVars { .. } => {}
                    Literal::SomeIn { key, value, collection, .. } => {
                        for expr in key.iter().chain([value, collection]) {
                            apart(part(expr, with, false), found);
                        }
                    }
                    // It stays one where it is printed.
                    Literal::Expr { expr, .. } if is_print(expr) => {}
                    Literal::Expr { expr, .. } => {
                        let negated = negation::taken(expr).is_some();
                        parts(expr, &mut |expr| apart(part(expr, with, negated), found));
                    }
                    Literal::NotExpr { expr, .. } => {
                        parts(expr, &mut |expr| apart(part(expr, with, true), found));
                    }
                    Literal::Every { domain, .. } => {
                        let domain = part(domain, with, false);
                        parts(domain.expr, &mut |expr| apart(Part { expr, ..domain }, found));
                        found.push(Self::Part(domain));
                    }
                }
            }
        }
        found.push(self);
    }

    /// What stands in it and in none of its parts.
    pub(super) fn each_own(self, visit: &mut dyn FnMut(Own<'a>)) {
        match self {
            Self::Term(term) => own(term, visit),
            Self::Part(part) => {
                own_parts(part.expr, visit);
                with_values(part.with, visit);
            }
            Self::Literal(stmt) => {
                match &stmt.literal {
                    Literal::SomeVars { .. } => {}
                    Literal::SomeIn { key, value, collection, .. } => {
                        key.iter().chain([value, collection]).for_each(|expr| own(expr, visit));
                    }
                    Literal::Expr { expr, .. } if is_print(expr) => whole(expr, visit),
                    Literal::Expr { expr, .. } | Literal::NotExpr { expr, .. } => own_parts(expr, visit),
                    Literal::Every { domain, .. } => visit(Own::Part(domain)),
                }
                with_values(&stmt.with_mods, visit);
            }
        }
    }

    /// Every expression in it that is no closure.
    pub(super) fn each_expr(self, visit: &mut dyn FnMut(&'a Expr)) {
        match self {
            Self::Term(term) => visit(term),
            Self::Part(part) => visit(part.expr),
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

    /// Whether OPA makes a statement of it.
    pub(super) fn is_one(self) -> bool {
        match self {
            Self::Part(_) => true,
            Self::Term(term) => !is_call(term) && is_evaluated(term),
            Self::Literal(stmt) => !matches!(stmt.literal, Literal::SomeVars { .. }),
        }
    }

    pub(super) const fn is_every(self) -> bool {
        matches!(self, Self::Literal(LiteralStmt { literal: Literal::Every { .. }, .. }))
    }

    /// Whether it gives no value to names outside of it: a negation, what was taken out of one, `every`.
    pub(super) fn is_closed(self) -> bool {
        match self {
            Self::Term(_) => false,
            Self::Part(part) => part.negated,
            Self::Literal(stmt) => match &stmt.literal {
                Literal::NotExpr { .. } | Literal::Every { .. } => true,
                Literal::Expr { expr, .. } => negation::taken(expr).is_some(),
                Literal::SomeVars { .. } | Literal::SomeIn { .. } => false,
            },
        }
    }

    /// The names that call members of the objects on the sides of its `=`.
    pub(super) fn keys(self) -> Vec<(Var, &'a Span)> {
        let mut found = Vec::new();
        if let Self::Literal(stmt) = self
            && let Literal::Expr { expr, .. } = &stmt.literal
            && let Expr::AssignExpr { op: AssignOp::Eq, lhs, rhs, .. } = expr.as_ref()
        {
            keys(lhs, &mut found);
            keys(rhs, &mut found);
        }
        found
    }

    /// The names that its `=` gives values to by a pattern, or by another name alone, and what a call gives.
    pub(super) fn gives_by_patterns(self) -> BTreeSet<Var> {
        let Self::Literal(LiteralStmt { literal: Literal::Expr { expr, .. }, .. }) = self else {
            return BTreeSet::new();
        };
        match expr.as_ref() {
            Expr::Call { params, .. } => params.iter().flat_map(|param| variables(param)).collect(),
            Expr::AssignExpr { op: AssignOp::Eq, lhs, rhs, .. } => {
                let (one, other) = (variables(lhs), variables(rhs));
                let is_pattern = |side: &Expr| matches!(side, Expr::Array { .. } | Expr::Object { .. });
                let by_name = !one.is_empty() && !other.is_empty();
                let weakly = by_name || is_pattern(lhs) || is_pattern(rhs);
                one.into_iter().chain(other).filter(|_| weakly).collect()
            }
            _ => BTreeSet::new(),
        }
    }

    /// The names that stand on the sides of an `=` in it.
    pub(super) fn matched(self) -> BTreeSet<Var> {
        let mut found = BTreeSet::new();
        if let Self::Literal(stmt) = self {
            matched(stmt, &mut found);
        }
        found
    }

    /// The closures in it and in its parts.
    pub(super) fn closures(self, found: &mut Vec<Closure<'a>>) {
        self.each_expr(&mut |expr| closures(expr, found));
        self.of_every(found);
    }

    /// Those in none of its parts.
    pub(super) fn own_closures(self, found: &mut Vec<Closure<'a>>) {
        self.each_own(&mut |own| {
            if let Own::Expr(expr) = own {
                found.extend(closure(expr));
            }
        });
        self.of_every(found);
    }

    fn of_every(self, found: &mut Vec<Closure<'a>>) {
        if let Self::Literal(stmt) = self
            && let Literal::Every { span, key, value, query, .. } = &stmt.literal
        {
            let names = key.iter().chain([value]).map(var).collect();
            found.push(Closure { span, names, stmts: &query.stmts, said: Vec::new() });
        }
    }
}

fn variables(pattern: &Expr) -> BTreeSet<Var> {
    let mut names = BTreeSet::new();
    binds::variables(pattern, &mut |name| {
        names.insert(var(name));
    });
    names
}

fn matched(stmt: &LiteralStmt, found: &mut BTreeSet<Var>) {
    let mut inner = Vec::new();
    Statement::Literal(stmt).each_expr(&mut |expr| sides(expr, found));
    Statement::Literal(stmt).closures(&mut inner);
    for stmt in inner.iter().flat_map(|closure| closure.stmts) {
        matched(stmt, found);
    }
}

fn sides(expr: &Expr, found: &mut BTreeSet<Var>) {
    if let Expr::AssignExpr { op: AssignOp::Eq, lhs, rhs, .. } = expr {
        found.extend([lhs, rhs].into_iter().flat_map(|side| variables(side)));
    }
    parts(expr, &mut |part| sides(part, found));
}

/// What a rule says in its head: keys and value.
pub(in crate::gate) fn said_by(head: &RuleHead) -> Vec<&Expr> {
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
        let mut within = BTreeSet::new();
        read(closure.stmts, &closure.said, &mut within);
        let declared = declared(closure.stmts);
        // What it declares is another name.
        found.extend(
            within.into_iter().filter(|name| !declared.contains(name) && !closure.names.contains(name)),
        );
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
    found.extend(closure(expr));
    parts(expr, &mut |part| closures(part, found));
}

/// A comprehension.
pub(super) fn closure(expr: &Expr) -> Option<Closure<'_>> {
    let (span, query, said) = match expr {
        Expr::ArrayCompr { span, term, query, .. } | Expr::SetCompr { span, term, query, .. } => {
            (span, query, vec![term.as_ref()])
        }
        Expr::ObjectCompr { span, key, value, query, .. } => {
            (span, query, vec![key.as_ref(), value.as_ref()])
        }
        _ => return None,
    };
    Some(Closure { span, names: BTreeSet::new(), stmts: &query.stmts, said })
}

impl Scope<'_> {
    /// The variables outside closures, those that references begin with among them.
    pub(super) fn vars<'a>(&self, expr: &'a Expr, found: &mut Vec<(Var, &'a Span)>) {
        match expr {
            Expr::Var { span, .. } if !self.is_global(span.text()) => found.push((var(span), span)),
            _ => parts(expr, &mut |part| self.vars(part, found)),
        }
    }

    /// The variables of a statement itself, and the names by which it takes its parts.
    pub(super) fn own_vars<'a>(&self, statement: Statement<'a>, found: &mut Vec<(Var, &'a Span)>) {
        statement.each_own(&mut |own| found.extend(self.own_var(own)));
    }

    fn own_var<'a>(&self, own: Own<'a>) -> Option<(Var, &'a Span)> {
        match own {
            Own::Part(part) => Some((local(part), part.span())),
            Own::Expr(Expr::Var { span, .. }) => (!self.is_global(span.text())).then(|| (var(span), span)),
            Own::Expr(_) => None,
        }
    }

    pub(super) fn with_vars<'a>(&self, with: &'a [WithModifier], found: &mut Vec<(Var, &'a Span)>) {
        with_values(with, &mut |own| found.extend(self.own_var(own)));
    }

    /// The same of an expression.
    pub(super) fn expr_vars<'a>(&self, expr: &'a Expr, found: &mut Vec<(Var, &'a Span)>) {
        own(expr, &mut |own| found.extend(self.own_var(own)));
    }

    /// The variables without which a statement comes out otherwise; not those that stand on the sides of an equation as they
    /// are, or in its lists and objects: to OPA they get their values later, too.
    pub(super) fn asked<'a>(&self, statement: Statement<'a>) -> Vec<(Var, &'a Span)> {
        let mut found = Vec::new();
        let expr = match statement {
            Statement::Literal(LiteralStmt { literal: Literal::Expr { expr, .. }, .. }) => {
                Some(expr.as_ref())
            }
            _ => None,
        };
        match (expr, statement) {
            (
                Some(Expr::AssignExpr { lhs, rhs, .. } | Expr::BoolExpr { op: BoolOp::Eq, lhs, rhs, .. }),
                Statement::Literal(stmt),
            ) => {
                self.with_vars(&stmt.with_mods, &mut found);
                self.side(lhs, &mut found);
                self.side(rhs, &mut found);
            }
            _ => self.own_vars(statement, &mut found),
        }
        found
    }

    fn side<'a>(&self, side: &'a Expr, found: &mut Vec<(Var, &'a Span)>) {
        match side {
            Expr::Var { .. } => {}
            Expr::Array { items, .. } => items.iter().for_each(|item| self.side(item, found)),
            Expr::Object { fields, .. } => fields.iter().for_each(|(_, key, value)| {
                self.expr_vars(key, found);
                self.side(value, found);
            }),
            // It is a statement of its own, and stands here by a name.
            _ if is_call(side) => {}
            _ => self.expr_vars(side, found),
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
