//! Each reference, comparison and `in` of a rule.

use regorus::unstable::{AssignOp, BoolOp, Expr, Literal, LiteralStmt, Module, Rule, RuleHead};

use super::super::names;
use super::super::walk::parts;
use super::rules::Rules;
use super::scope::{Nowhere, Scope};
use super::{ANYTHING, NAMES, Type, alone, listed, never, swapped};
use crate::problem::Problem;

/// Deeper than this nothing is looked at: the depth alone is reason enough to refuse.
const GIVE_UP: usize = 2_000;

/// What is wrong in one rule, and what is doubted.
pub(super) fn rule<'a>(
    module: &'a Module,
    rule: &'a Rule,
    rules: &Rules<'a>,
) -> (Vec<Problem>, Vec<Problem>) {
    let scope = Scope::new(module, rules);
    let mut check = Check { scope, depth: 0, found: Vec::new(), doubts: Vec::new() };
    check.scope.arguments(rule);
    match rule {
        Rule::Default { value, .. } => check.expr(value),
        Rule::Spec { head, bodies, .. } => {
            let first = bodies.first().map_or(&[][..], |body| body.query.stmts.as_slice());
            check.query(first, |check| match head {
                RuleHead::Compr { refr, assign, .. } | RuleHead::Func { refr, assign, .. } => {
                    check.head(refr);
                    if let Some(assign) = assign {
                        check.expr(&assign.value);
                    }
                }
                RuleHead::Set { refr, key, .. } => {
                    check.head(refr);
                    if let Some(key) = key {
                        check.expr(key);
                    }
                }
            });
            for body in bodies.iter().skip(1) {
                check.query(&body.query.stmts, |check| {
                    if let Some(assign) = &body.assign {
                        check.expr(&assign.value);
                    }
                });
            }
        }
    }
    (check.found, check.doubts)
}

struct Check<'a, 'r> {
    scope: Scope<'a, 'r>,
    depth: usize,
    found: Vec<Problem>,
    doubts: Vec<Problem>,
}

impl<'a> Check<'a, '_> {
    /// The statements of a query, and what is said by their names.
    fn query(&mut self, stmts: &'a [LiteralStmt], said: impl FnOnce(&mut Self)) {
        self.scope.open(stmts);
        for stmt in stmts {
            stmt.with_mods.iter().for_each(|with| self.expr(&with.r#as));
            self.statement(stmt);
            self.scope.learn(stmt);
        }
        said(self);
        self.scope.close();
    }

    fn statement(&mut self, stmt: &'a LiteralStmt) {
        self.scope.replace(stmt);
        if let Literal::Expr { expr, .. } | Literal::NotExpr { expr, .. } = &stmt.literal {
            self.alone(expr);
        }
        self.literal(stmt);
        self.scope.restore();
    }

    fn literal(&mut self, stmt: &'a LiteralStmt) {
        self.doubts.extend(alone::check(&mut self.scope, stmt));
        match &stmt.literal {
            Literal::SomeVars { .. } => {}
            Literal::SomeIn { key, value, collection, .. } => {
                key.iter().chain([value, collection]).for_each(|expr| self.expr(expr));
            }
            Literal::Expr { expr, .. } | Literal::NotExpr { expr, .. } => self.expr(expr),
            Literal::Every { key, value, domain, query, .. } => {
                self.expr(domain);
                self.scope.open(&[]);
                key.iter().chain([value]).for_each(|name| self.scope.bind(name, ANYTHING));
                self.scope.open(&query.stmts);
                for stmt in &query.stmts {
                    stmt.with_mods.iter().for_each(|with| self.expr(&with.r#as));
                    // To OPA no `with` in here changes what a reference leads to.
                    if stmt.with_mods.is_empty() {
                        self.statement(stmt);
                    } else {
                        self.literal(stmt);
                    }
                    self.scope.learn(stmt);
                }
                self.scope.close();
                self.scope.close();
            }
        }
    }

    /// A comparison that is a statement of its own; within another expression OPA lets it be false.
    fn alone(&mut self, expr: &'a Expr) {
        if let Expr::BoolExpr { op: BoolOp::Eq, lhs, rhs, .. } | Expr::AssignExpr { lhs, rhs, .. } = expr {
            let named = matches!(expr, Expr::AssignExpr { op: AssignOp::ColEq, .. })
                && matches!(lhs.as_ref(), Expr::Var { .. });
            if !named {
                let (one, other) = (self.scope.of(lhs), self.scope.of(rhs));
                self.meet("==", lhs, &one, &other);
            }
        }
    }

    fn meet(&mut self, what: &str, at: &Expr, one: &Type, other: &Type) {
        if one.meets(other) {
            return;
        }
        let many = |is: &Type| matches!(is, Type::Set(_) | Type::Object(..));
        let instead = if one.kind() == other.kind() {
            "two values of one form"
        } else if many(one) || many(other) {
            "two values of one kind; of a set or an object its members: `x in p`, `p[x]`, `count(p) == 0`"
        } else {
            "two values of one kind"
        };
        let (one, other) = (one.told(), other.told());
        let why = format!("is never true: {one} stands in this place, and {other} in the other");
        let at = names::begin(at);
        self.found.push(Problem::of(at.source.get_path(), what, why, instead).at_span(at));
    }

    /// The name of a head is no reference, the members in its brackets may be.
    fn head(&mut self, refr: &'a Expr) {
        let mut rest = refr;
        while let Expr::RefDot { refr, .. } | Expr::RefBrack { refr, .. } = rest {
            if let Expr::RefBrack { index, .. } = rest {
                self.expr(index);
            }
            rest = refr;
        }
    }

    fn expr(&mut self, expr: &'a Expr) {
        if self.depth >= GIVE_UP {
            return;
        }
        self.depth += 1;
        self.node(expr);
        self.depth -= 1;
    }

    fn node(&mut self, expr: &'a Expr) {
        self.doubts.extend(never::check(&mut self.scope, expr));
        match expr {
            Expr::Var { .. } | Expr::RefDot { .. } | Expr::RefBrack { .. } => {
                if let Err(nowhere) = self.scope.reference(expr) {
                    self.found.push(told(expr, &nowhere));
                }
                let mut rest = expr;
                while let Expr::RefDot { refr, .. } | Expr::RefBrack { refr, .. } = rest {
                    if let Expr::RefBrack { index, .. } = rest {
                        self.doubts.extend(listed::check(&mut self.scope, refr, index));
                        self.expr(index);
                    }
                    rest = refr;
                }
                if !matches!(rest, Expr::Var { .. }) {
                    self.expr(rest);
                }
            }
            Expr::ArrayCompr { term, query, .. } | Expr::SetCompr { term, query, .. } => {
                self.query(&query.stmts, |check| check.expr(term));
            }
            Expr::ObjectCompr { key, value, query, .. } => self.query(&query.stmts, |check| {
                check.expr(key);
                check.expr(value);
            }),
            Expr::Membership { key, value, collection, .. } => {
                let of = self.scope.of(collection);
                let named = key.as_ref().and_then(|key| Some((key, of.keys()?)));
                for (one, all) in named.into_iter().chain(of.values().map(|values| (value, values))) {
                    let is = self.scope.of(one);
                    self.meet("in", one, &is, &all);
                }
                key.iter().chain([value, collection]).for_each(|part| self.expr(part));
            }
            _ => {
                self.doubts.extend(swapped::check(&self.scope, expr));
                let mut inside = Vec::new();
                parts(expr, &mut |part| inside.push(part));
                for part in inside {
                    self.expr(part);
                }
            }
        }
    }
}

/// A reference that leads nowhere.
fn told(expr: &Expr, nowhere: &Nowhere<'_>) -> Problem {
    let begin = names::begin(expr);
    let (at, close) = match nowhere.link {
        Expr::RefDot { field, .. } => (&field.0, ""),
        Expr::RefBrack { index, .. } => (names::begin(index), "]"),
        other => (other.span(), ""),
    };
    let end = nowhere.link.span().end.max(at.end) as usize;
    let text = begin.source.get_contents().get(begin.start as usize..end).unwrap_or_default();
    let close = if text.ends_with(close) { "" } else { close };
    let first = text.lines().next().unwrap_or_default();
    let from = nowhere.from.told();
    let why = format!("is never there, which OPA calls an undefined reference: it is asked of {from}");
    let instead = match &nowhere.from {
        Type::Object(members, None) if !members.is_empty() && members.len() <= NAMES => {
            let names: Vec<String> = members.iter().map(|(name, _)| name.to_string()).collect();
            format!("a member that it has: {}", names.join(", "))
        }
        _ => "a reference into what has such a member".to_owned(),
    };
    Problem::of(begin.source.get_path(), &format!("{first}{close}"), why, instead).at_span(at)
}
