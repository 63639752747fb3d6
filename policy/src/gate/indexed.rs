//! Bodies that OPA's index of rules leaves out although they hold. Behind `x in data.xs` the index takes a name that is
//! set to no plain reference for all of `data.xs`: what is then asked of `x` it asks of the list. And it compares a
//! pattern of `glob.match` that stands for one text with the backslashes in it.

use std::collections::BTreeSet;

use regorus::unstable::{BoolOp, Expr, Literal, LiteralStmt, Module, Ref, Rule, RuleHead, Span};

use super::names::{self, Names};
use super::walk::{is_scalar, parts};
use crate::problem::{Problem, Problems};

/// Checks the bodies of every rule; in those of comprehensions, `every` and `not` OPA looks nothing up.
pub(super) fn check(modules: &[Ref<Module>], problems: &mut Problems) {
    let names = Names::of(modules);
    for module in modules {
        for rule in &module.policy {
            let Rule::Spec { head, bodies, .. } = rule.as_ref() else { continue };
            for (at, body) in bodies.iter().enumerate() {
                let mut index = Index::of(module, &names, head);
                for stmt in &body.query.stmts {
                    if stmt.with_mods.is_empty()
                        && let Literal::Expr { expr, .. } = &stmt.literal
                    {
                        problems.extend(index.left_out(stmt, expr));
                        index.learns(expr);
                    }
                }
                let assigned = body.assign.as_ref().map(|assign| &assign.value);
                for value in assigned.into_iter().chain(said(head).filter(|_| at == 0)) {
                    problems.extend(index.member_of(value).map(|taken| taken.problem(value.span())));
                }
            }
        }
    }
}

/// What a head says of the names of its first body.
fn said(head: &RuleHead) -> impl Iterator<Item = &Ref<Expr>> {
    let (refr, value) = match head {
        RuleHead::Compr { refr, assign, .. } | RuleHead::Func { refr, assign, .. } => {
            (refr, assign.as_ref().map(|assign| &assign.value))
        }
        RuleHead::Set { refr, key, .. } => (refr, key.as_ref()),
    };
    let mut keys = Vec::new();
    let mut rest = refr;
    while let Expr::RefDot { refr, .. } | Expr::RefBrack { refr, .. } = rest.as_ref() {
        if let Expr::RefBrack { index, .. } = rest.as_ref() {
            keys.push(index);
        }
        rest = refr;
    }
    value.into_iter().chain(keys)
}

/// What OPA's index knows of the names of a body, statement by statement.
struct Index<'a> {
    module: &'a Module,
    names: &'a Names,
    /// Names that stand for a plain reference, or for an argument.
    plain: BTreeSet<&'a str>,
    /// Those of the former that lead into the input or data.
    base: BTreeSet<&'a str>,
    /// Names with a value that is written out.
    written: BTreeSet<&'a str>,
    taken: Vec<Taken<'a>>,
}

/// A name that the index takes for the whole of a collection that holds it.
#[derive(Clone, Copy)]
struct Taken<'a> {
    name: &'a str,
    collection: &'a Expr,
}

impl Taken<'_> {
    fn problem(self, span: &Span) -> Problem {
        let all = text(self.collection);
        let why = format!(
            "is never reached in OPA, whose index of rules takes {} for all of {all} behind a statement that says it is in that",
            self.name
        );
        let construct = span.text().lines().next().unwrap_or_default();
        let instead = format!("`{all}[_] == {0}` for `{0} in {all}`", self.name);
        Problem::of(span.source.get_path(), construct, &why, &instead).at_span(span)
    }
}

impl<'a> Index<'a> {
    fn of(module: &'a Module, names: &'a Names, head: &'a RuleHead) -> Self {
        let args = if let RuleHead::Func { args, .. } = head { args.as_slice() } else { &[] };
        let plain = args.iter().filter_map(|arg| variable(arg)).collect();
        let (base, written) = (BTreeSet::new(), BTreeSet::new());
        Self { module, names, plain, base, written, taken: Vec::new() }
    }

    /// Whether this leads into the input or data by constant members alone.
    fn leads(&self, expr: &Expr) -> bool {
        let mut rest = expr;
        loop {
            match rest {
                Expr::RefDot { refr, .. } => rest = refr,
                Expr::RefBrack { refr, index, .. } => {
                    if !is_scalar(index) && !variable(index).is_some_and(|name| self.written.contains(name)) {
                        return false;
                    }
                    rest = refr;
                }
                Expr::Var { span, .. } if self.base.contains(span.text()) => return true,
                Expr::Var { .. } => break,
                _ => return false,
            }
        }
        let path = names::constant(expr);
        let path = names::through_imports(self.module, &path).unwrap_or(path);
        let begins = path.first().is_some_and(|root| root == "input" || root == "data");
        begins && self.names.read_by(&path).next().is_none()
    }

    fn taken(&self, name: &str) -> Option<Taken<'a>> {
        self.taken.iter().find(|taken| taken.name == name).copied()
    }

    /// What a statement says that the index asks of a collection instead of a member of it.
    fn left_out(&self, stmt: &LiteralStmt, expr: &Expr) -> Option<Problem> {
        let of = |expr: &Expr| variable(expr).and_then(|name| self.taken(name));
        let taken = match expr {
            Expr::AssignExpr { lhs, rhs, .. } | Expr::BoolExpr { op: BoolOp::Eq, lhs, rhs, .. } => {
                let one = of(lhs).filter(|_| is_compared(rhs));
                one.or_else(|| of(rhs).filter(|_| is_compared(lhs)))
            }
            Expr::Membership { key: None, value, collection, .. } => {
                let written = is_written(collection)
                    || variable(collection).is_some_and(|name| self.written.contains(name));
                of(value).filter(|_| written).or_else(|| of(collection))
            }
            Expr::Call { fcn, params, .. } if names::constant(fcn) == ["glob", "match"] => {
                if let Some(escaped) = escaped(params) {
                    return Some(escaped);
                }
                params.get(2).and_then(|matched| of(matched))
            }
            Expr::RefBrack { refr, index, .. } => of(index).filter(|_| self.leads(refr)),
            _ => None,
        };
        taken.or_else(|| self.member_of(expr)).map(|taken| taken.problem(&stmt.span))
    }

    /// A member of what is taken for another: a name in front of it, outside of what has statements of its own.
    fn member_of(&self, expr: &Expr) -> Option<Taken<'a>> {
        if let Expr::RefDot { .. } | Expr::RefBrack { .. } = expr
            && let Some(taken) = self.taken(names::begin(expr).text())
        {
            return Some(taken);
        }
        let mut found = None;
        parts(expr, &mut |part| found = found.or_else(|| self.member_of(part)));
        found
    }

    /// What the index takes names for behind a statement.
    fn learns(&mut self, expr: &'a Expr) {
        match expr {
            Expr::AssignExpr { lhs, rhs, .. } | Expr::BoolExpr { op: BoolOp::Eq, lhs, rhs, .. } => {
                self.equal(lhs, rhs);
                self.equal(rhs, lhs);
            }
            Expr::Membership { key: None, value, collection, .. } => {
                let Some(name) = variable(value) else { return };
                if is_written(collection) {
                    self.plain.remove(name);
                } else if self.leads(collection)
                    && !self.plain.contains(name)
                    && !self.written.contains(name)
                    && self.taken(name).is_none()
                {
                    self.taken.push(Taken { name, collection });
                }
            }
            // A pattern takes the place of what the name stood for.
            Expr::Call { params, .. } => {
                if let Some(name) = params.get(2).and_then(|matched| variable(matched)) {
                    self.plain.remove(name);
                }
            }
            _ => {}
        }
    }

    fn equal(&mut self, one: &'a Expr, other: &'a Expr) {
        let Some(name) = variable(one) else { return };
        if is_written(other) {
            self.written.insert(name);
        } else if self.leads(other) {
            self.plain.insert(name);
            self.base.insert(name);
        } else if let Some(of) = variable(other) {
            if self.plain.contains(of) {
                self.plain.insert(name);
            } else if let Some(taken) = self.taken(of)
                && !self.plain.contains(name)
            {
                self.taken.push(Taken { name, ..taken });
            }
        }
    }
}

fn variable(expr: &Expr) -> Option<&str> {
    let Expr::Var { span, .. } = expr else { return None };
    Some(span.text())
}

/// Whether a value stands here as it is, as far as the index reads one.
fn is_written(expr: &Expr) -> bool {
    let composed = matches!(expr, Expr::Array { .. } | Expr::Set { .. } | Expr::Object { .. });
    is_scalar(expr) || composed || matches!(expr, Expr::UnaryExpr { .. })
}

/// Whether the index compares what this is equal to; it leaves sets and objects alone.
fn is_compared(expr: &Expr) -> bool {
    is_written(expr) && !matches!(expr, Expr::Set { .. } | Expr::Object { .. })
}

/// A pattern with a backslash, which the index takes for a text with one.
fn escaped(params: &[Ref<Expr>]) -> Option<Problem> {
    let [pattern, delimiters, _] = params else { return None };
    let (Expr::String { span, value, .. } | Expr::RawString { span, value, .. }) = pattern.as_ref() else {
        return None;
    };
    let pattern = value.as_string().ok()?;
    let listed = matches!(delimiters.as_ref(), Expr::Array { .. });
    let looked_up = listed && pattern.contains('\\') && !pattern.contains(['[', '?', '{']);
    looked_up.then(|| {
        let why = "is never met in OPA, whose index of rules compares the backslash too";
        Problem::of(span.source.get_path(), span.text(), why, "brackets, `[*]` for `\\*`").at_span(span)
    })
}

/// A reference, as it is written.
fn text(expr: &Expr) -> String {
    match expr {
        Expr::RefDot { refr, field, .. } => format!("{}.{}", text(refr), field.0.text()),
        Expr::RefBrack { refr, index, .. } => format!("{}[{}]", text(refr), text(index)),
        _ => expr.span().text().to_owned(),
    }
}
