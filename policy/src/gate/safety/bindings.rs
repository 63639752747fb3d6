//! What a statement binds once others are bound.

use std::collections::{BTreeMap, BTreeSet};

use regorus::unstable::{AssignOp, Expr, Literal, LiteralStmt, Span, WithModifier};

use super::super::walk::{is_call, is_scalar, parts};
use super::super::{binds, names};
use super::Scope;
use super::terms::{self, Closure, Own, Statement, Var, local};
use crate::builtins::{self, Known};
use crate::translate::negation;

type Vars = BTreeSet<Var>;

impl Scope<'_> {
    /// The variables that a statement binds, given those that are safe.
    pub(super) fn outputs(&self, statement: Statement<'_>, safe: &Vars) -> Vars {
        let mut given = Vars::new();
        match statement {
            Statement::Term(term) => self.indexes(term, safe, &mut given),
            Statement::Part(part) => {
                if self.known_with(part.with, safe) {
                    self.indexes_within(part.expr, safe, &mut given);
                    given.insert(local(part.expr));
                }
            }
            Statement::Literal(stmt) => {
                if !self.known_with(&stmt.with_mods, safe) {
                    return given;
                }
                match &stmt.literal {
                    Literal::SomeVars { .. } | Literal::NotExpr { .. } | Literal::Every { .. } => {}
                    Literal::SomeIn { key, value, collection, .. } => {
                        self.indexes(collection, safe, &mut given);
                        if self.known(collection, &[safe, &given]) {
                            key.iter().chain([value]).for_each(|part| self.pattern(part, &mut given));
                        }
                    }
                    Literal::Expr { expr, .. } => self.expression(expr, safe, &mut given),
                }
            }
        }
        given
    }

    /// Whether OPA never comes to a statement because its comprehensions take just what it gives itself, `m[i] == [v | v =
    /// m[i][_]]`. Of what is compared by `==` or called it says so too where the name has its value from elsewhere.
    pub(super) fn takes_itself(statement: Statement<'_>, taken: &Vars, outputs: &Vars, safe: &Vars) -> bool {
        let Statement::Literal(stmt) = statement else { return false };
        let gives = match &stmt.literal {
            Literal::Expr { expr, .. } if !matches!(expr.as_ref(), Expr::AssignExpr { .. }) => {
                outputs.clone()
            }
            Literal::Expr { .. } => outputs.difference(safe).cloned().collect(),
            Literal::SomeIn { collection, .. }
                if matches!(collection.as_ref(), Expr::RefDot { .. } | Expr::RefBrack { .. }) =>
            {
                return false;
            }
            // OPA makes a statement of what else is gone through, before the one that gives the names.
            Literal::SomeIn { .. } => {
                return taken.iter().any(|name| outputs.contains(name) && !safe.contains(name));
            }
            Literal::SomeVars { .. } | Literal::NotExpr { .. } | Literal::Every { .. } => return false,
        };
        !taken.is_empty() && *taken == gives
    }

    fn expression(&self, expr: &Expr, safe: &Vars, given: &mut Vars) {
        if let Some((name, value)) = negation::taken(expr) {
            if self.known(value, &[safe, given]) {
                given.insert(terms::var(name));
            }
            return;
        }
        // What is printed must be there: nothing is looked for in `print(data.users[i])`.
        if terms::is_print(expr) {
            return;
        }
        self.indexes_within(expr, safe, given);
        match expr {
            // What it gives a name to gives nothing back.
            Expr::AssignExpr { op: AssignOp::ColEq, rhs, .. } if !self.known(rhs, &[safe, given]) => {}
            Expr::AssignExpr { op, lhs, rhs, .. } => {
                let keys = if *op == AssignOp::ColEq { terms::key_begins(lhs) } else { Vec::new() };
                let mut unifier = Unifier {
                    scope: self,
                    without: keys.into_iter().map(Span::text).collect(),
                    safe: [safe, given],
                    unified: Vars::new(),
                    waiting: BTreeMap::new(),
                };
                unifier.unify(lhs, rhs);
                let bound = unifier.unified;
                given.extend(bound);
            }
            Expr::Call { fcn, params, .. } => {
                let arity = names::path(fcn).and_then(|called| self.arity(&called)).unwrap_or(usize::MAX);
                let Some((inputs, results)) = params.split_at_checked(arity) else { return };
                if inputs.iter().all(|input| self.known(input, &[safe, given])) {
                    for result in results {
                        self.pattern(result, given);
                    }
                }
            }
            _ => {}
        }
    }

    /// The document that a global name is a part of.
    fn document(&self, name: &str) -> &'static str {
        let imported = names::through_imports(self.module, &[name.to_owned()]);
        let first = imported.as_ref().and_then(|path| path.first()).map_or(name, String::as_str);
        if first == "input" { "input" } else { "data" }
    }

    fn arity(&self, called: &[String]) -> Option<usize> {
        if let Some((_, arities)) = self.names.function(self.module, called) {
            return arities.last().copied();
        }
        match builtins::known(&called.join("."))? {
            // The engine lets it stand alone with the pattern of what is walked.
            _ if called == ["walk"] => Some(1),
            Known::Engines(arity) | Known::Added(arity) => Some(usize::from(arity)),
            Known::Refused(_) => None,
        }
    }

    /// Whether all variables of an expression are safe, by one of these or another.
    fn known(&self, expr: &Expr, safe: &[&Vars]) -> bool {
        let mut vars = Vec::new();
        self.expr_vars(expr, &mut vars);
        vars.iter().all(|(name, _)| safe.iter().any(|safe| safe.contains(name)))
    }

    fn known_with(&self, with: &[WithModifier], safe: &Vars) -> bool {
        let mut vars = Vec::new();
        self.with_vars(with, &mut vars);
        vars.iter().all(|(name, _)| safe.contains(name))
    }

    /// The members of references that are tried one by one, where the reference begins with what is safe. None of what
    /// stands in parts of their own.
    fn indexes(&self, expr: &Expr, safe: &Vars, given: &mut Vars) {
        if !is_call(expr) {
            self.indexes_within(expr, safe, given);
        }
    }

    /// The same of what is no such part.
    fn indexes_within(&self, expr: &Expr, safe: &Vars, given: &mut Vars) {
        if matches!(expr, Expr::RefDot { .. } | Expr::RefBrack { .. }) {
            let (begin, indexes) = steps(expr);
            if !self.known(begin, &[safe]) {
                return;
            }
            self.indexes(begin, safe, given);
            for index in indexes {
                self.members(index, given);
                self.indexes(index, safe, given);
            }
        } else {
            parts(expr, &mut |part| self.indexes(part, safe, given));
        }
    }

    /// The variables of a computed member, and what calls within it give; of a reference in it, again its members.
    fn members(&self, index: &Expr, given: &mut Vars) {
        match index {
            Expr::Var { span, .. } if !self.is_global(span.text()) => drop(given.insert(terms::var(span))),
            Expr::RefDot { .. } | Expr::RefBrack { .. } => {
                steps(index).1.into_iter().for_each(|index| self.members(index, given));
            }
            Expr::Array { .. } | Expr::Set { .. } | Expr::Object { .. } => {
                parts(index, &mut |part| {
                    if is_call(part) {
                        given.insert(local(part));
                    }
                    self.members(part, given);
                });
            }
            _ => {
                if let Some(closure) = terms::closure(index) {
                    self.within(&closure, given);
                }
            }
        }
    }

    /// The names in a comprehension that is a member, which OPA takes for names of the reference. Those that are
    /// another's outside, and OPA's own, are none of the query's.
    fn within(&self, closure: &Closure<'_>, given: &mut Vars) {
        let declared = terms::declared(closure.stmts);
        let said = closure.said.iter().map(|term| Statement::Term(term));
        let (mut statements, mut inner) = (Vec::new(), Vec::new());
        for statement in closure.stmts.iter().map(Statement::Literal).chain(said) {
            statement.apart(&mut statements);
        }
        for statement in statements {
            let (mut heads, mut vars) = (BTreeSet::new(), Vec::new());
            statement.each_own(&mut |own| match own {
                Own::Part(part) => drop(given.insert(local(part))),
                Own::Expr(Expr::Var { span, .. }) => vars.push(span),
                Own::Expr(expr @ (Expr::RefDot { .. } | Expr::RefBrack { .. })) => {
                    heads.insert(steps(expr).0.span().start);
                }
                Own::Expr(_) => {}
            });
            for span in vars.into_iter().filter(|span| !heads.contains(&span.start)) {
                if declared.contains(span.text()) || closure.names.contains(span.text()) {
                    given.insert(format!("@{}", span.text()));
                } else if !self.is_global(span.text()) {
                    given.insert(terms::var(span));
                }
            }
            if let Statement::Literal(LiteralStmt {
                literal: Literal::SomeIn { key: None, value, .. }, ..
            }) = statement
            {
                given.insert(local(value));
            }
            if let Statement::Term(term) = statement
                && terms::is_evaluated(term)
            {
                given.insert(local(term));
            }
            statement.own_closures(&mut inner);
        }
        for closure in &inner {
            self.within(closure, given);
        }
    }

    /// The variables of a pattern, and what its calls give: OPA has a name for each, which is one of the pattern's.
    fn pattern(&self, pattern: &Expr, given: &mut Vars) {
        self.all(pattern, given);
        match pattern {
            call if is_call(call) => drop(given.insert(local(call))),
            Expr::Array { items, .. } => items.iter().for_each(|item| self.pattern(item, given)),
            Expr::Object { fields, .. } => {
                for (_, _, value) in fields {
                    self.pattern(value, given);
                }
            }
            _ => {}
        }
    }

    /// The variables of a pattern.
    fn all(&self, pattern: &Expr, given: &mut Vars) {
        binds::variables(pattern, &mut |name| {
            if !self.is_global(name.text()) {
                given.insert(terms::var(name));
            }
        });
    }
}

/// Whether two keys are written alike: a name is no text of these letters.
fn is_same(key: &Expr, other: &Expr) -> bool {
    key.span().text() == other.span().text() && is_scalar(key) == is_scalar(other)
}

/// What a reference begins with, and its computed members.
fn steps(expr: &Expr) -> (&Expr, Vec<&Expr>) {
    let (mut rest, mut indexes) = (expr, Vec::new());
    loop {
        match rest {
            Expr::RefDot { refr, .. } => rest = refr,
            Expr::RefBrack { refr, index, .. } => {
                indexes.push(index.as_ref());
                rest = refr;
            }
            _ => return (rest, indexes),
        }
    }
}

/// Both sides of `=` and `:=`, part by part.
struct Unifier<'s, 'a> {
    scope: &'s Scope<'a>,
    /// The documents that are read before `:=`, for a member's name: behind it OPA takes them for unknown.
    without: BTreeSet<&'s str>,
    safe: [&'s Vars; 2],
    unified: Vars,
    /// What becomes safe with each.
    waiting: BTreeMap<Var, Vars>,
}

/// A side of a unification.
enum Side<'e> {
    Var(Var),
    Array(&'e [regorus::unstable::Ref<Expr>]),
    Object(Vec<(&'e Expr, &'e Expr)>),
    /// A reference; whether it is known.
    Value(bool),
    /// A comprehension.
    Closure,
    /// Constants and sets.
    Other,
}

impl Unifier<'_, '_> {
    fn known(&self, expr: &Expr) -> bool {
        let [around, given] = self.safe;
        self.scope.known(expr, &[around, given, &self.unified])
    }

    fn side<'e>(&self, expr: &'e Expr) -> Side<'e> {
        match expr {
            Expr::Var { span, .. } if self.scope.is_global(span.text()) => {
                Side::Value(self.is_readable(span))
            }
            Expr::Var { span, .. } => Side::Var(terms::var(span)),
            call if is_call(call) => Side::Var(local(call)),
            Expr::Array { items, .. } => Side::Array(items),
            Expr::Object { fields, .. } => {
                Side::Object(fields.iter().map(|(_, key, value)| (key.as_ref(), value.as_ref())).collect())
            }
            Expr::RefDot { .. } | Expr::RefBrack { .. } => {
                let begin = steps(expr).0;
                let readable = !matches!(begin, Expr::Var { span, .. } if !self.is_readable(span));
                Side::Value(readable && self.known(begin))
            }
            Expr::ArrayCompr { .. } | Expr::SetCompr { .. } | Expr::ObjectCompr { .. } => Side::Closure,
            Expr::Set { .. }
            | Expr::String { .. }
            | Expr::RawString { .. }
            | Expr::Number { .. }
            | Expr::Bool { .. }
            | Expr::Null { .. } => Side::Other,
            _ => Side::Value(self.known(expr)),
        }
    }

    /// Whether a reference that begins so reads none of the documents that are taken for unknown.
    fn is_readable(&self, begin: &Span) -> bool {
        self.without.is_empty()
            || !self.scope.is_global(begin.text())
            || !self.without.contains(self.scope.document(begin.text()))
    }

    fn unify(&mut self, one: &Expr, other: &Expr) {
        match (self.side(one), self.side(other)) {
            (Side::Var(a), Side::Var(b)) => {
                if self.is_safe(&b) {
                    self.mark(a);
                } else if self.is_safe(&a) {
                    self.mark(b);
                } else {
                    self.waiting.entry(a.clone()).or_default().insert(b.clone());
                    self.waiting.entry(b).or_default().insert(a);
                }
            }
            (Side::Var(name), Side::Array(_) | Side::Object(_)) => self.with_all(name, other),
            (Side::Array(_) | Side::Object(_), Side::Var(name)) => self.with_all(name, one),
            (Side::Var(name), Side::Value(true) | Side::Closure | Side::Other)
            | (Side::Value(true) | Side::Closure | Side::Other, Side::Var(name)) => self.mark(name),
            (Side::Array(_) | Side::Object(_), Side::Value(true) | Side::Closure) => self.mark_all(one),
            (Side::Value(true) | Side::Closure, Side::Array(_) | Side::Object(_)) => self.mark_all(other),
            (Side::Array(a), Side::Array(b)) if a.len() == b.len() => {
                a.iter().zip(b).for_each(|(a, b)| self.unify(a, b));
            }
            (Side::Object(a), Side::Object(b)) if a.len() == b.len() => {
                for (key, value) in a {
                    let same = b.iter().find(|(other, _)| is_same(key, other));
                    if let Some((_, other)) = same {
                        self.unify(value, other);
                    }
                }
            }
            _ => {}
        }
    }

    fn is_safe(&self, name: &str) -> bool {
        self.safe.iter().any(|safe| safe.contains(name)) || self.unified.contains(name)
    }

    fn mark(&mut self, name: Var) {
        let mut next = self.waiting.remove(&name).unwrap_or_default();
        // And what was known but for this.
        for (other, open) in &mut self.waiting {
            if open.remove(&name) && open.is_empty() {
                next.insert(other.clone());
            }
        }
        self.unified.insert(name);
        for name in next {
            self.mark(name);
        }
    }

    fn pattern(&self, pattern: &Expr) -> Vars {
        let mut names = Vars::new();
        self.scope.pattern(pattern, &mut names);
        names
    }

    fn mark_all(&mut self, pattern: &Expr) {
        for name in self.pattern(pattern) {
            self.mark(name);
        }
    }

    /// A variable beside a list or an object: each makes the other safe.
    fn with_all(&mut self, name: Var, pattern: &Expr) {
        if self.is_safe(&name) {
            return self.mark_all(pattern);
        }
        let open: Vars = self.pattern(pattern).into_iter().filter(|part| !self.is_safe(part)).collect();
        if open.is_empty() {
            return self.mark(name);
        }
        self.waiting.entry(name).or_default().extend(open);
    }
}
