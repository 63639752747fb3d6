//! Bodies that OPA's index of rules leaves out although they hold. Behind `x in data.xs` the index takes a name that is
//! set to no plain reference for all of `data.xs`: what is then asked of `x` it asks of the list. And it compares a
//! pattern of `glob.match` that stands for one text with the backslashes in it.

use std::collections::{BTreeMap, BTreeSet};

use regorus::Value;
use regorus::unstable::{BoolOp, Expr, Literal, LiteralStmt, Module, Ref, Rule, RuleHead, Span};

use super::names::{self, Names, Path};
use super::safety::said_by;
use super::walk::{constant, is_scalar, parts};
use crate::problem::{Problem, Problems};
use crate::translate::reach;

/// Checks the bodies of every rule; in those of comprehensions, `every` and `not` OPA looks nothing up.
pub(super) fn check(modules: &[Ref<Module>], problems: &mut Problems) {
    let names = Names::of(modules);
    let stopping = stopping(modules);
    for module in modules {
        for rule in &module.policy {
            let Rule::Spec { head, bodies, .. } = rule.as_ref() else { continue };
            for (at, body) in bodies.iter().enumerate() {
                let mut index = Index::of(module, &names, head);
                index.stops = stopping.contains(&names::rule_path(&names::package(module), rule));
                for stmt in &body.query.stmts {
                    problems.extend(index.left_out(stmt));
                    if stmt.with_mods.is_empty()
                        && let Literal::Expr { expr, .. } = &stmt.literal
                    {
                        index.learns(expr);
                    }
                }
                let said = if at == 0 {
                    said_by(head)
                } else {
                    body.assign.iter().map(|assign| assign.value.as_ref()).collect()
                };
                for value in said {
                    let taken = index.member_of(value);
                    problems.extend(taken.map(|taken| taken.problem(names::begin(value), as_written(value))));
                }
            }
        }
    }
}

/// Rules with one value, written out, which OPA takes from the first body that holds: it asks no collection for them.
fn stopping(modules: &[Ref<Module>]) -> BTreeSet<Path> {
    let mut values = BTreeMap::<Path, BTreeSet<Option<Value>>>::new();
    for module in modules {
        let package = names::package(module);
        for rule in &module.policy {
            let Rule::Spec { head, bodies, .. } = rule.as_ref() else { continue };
            let values = values.entry(names::rule_path(&package, rule)).or_default();
            let (RuleHead::Compr { refr, assign, .. } | RuleHead::Func { refr, assign, .. }) = head else {
                values.insert(None);
                continue;
            };
            let fixed = names::members(refr).is_some_and(|members| members.iter().all(Option::is_some));
            let others = bodies.iter().skip(1).map(|body| &body.assign);
            for assign in [assign].into_iter().chain(others) {
                let value = match assign {
                    Some(assign) => constant(&assign.value).cloned(),
                    None => Some(Value::Bool(true)),
                };
                values.insert(value.filter(|_| fixed));
            }
        }
    }
    let one = |values: &BTreeSet<_>| values.len() == 1 && !values.contains(&None);
    values.into_iter().filter(|(_, values)| one(values)).map(|(path, _)| path).collect()
}

/// What OPA's index knows of the names of a body, statement by statement.
struct Index<'a> {
    module: &'a Module,
    names: &'a Names,
    /// Whether OPA stops at the first body of the rule that holds.
    stops: bool,
    args: BTreeSet<&'a str>,
    /// Names that stand for a plain reference.
    plain: BTreeSet<&'a str>,
    /// Those of the former that lead into the input or data.
    base: BTreeSet<&'a str>,
    /// Names with a value that is written out.
    written: BTreeMap<&'a str, &'a Expr>,
    taken: Vec<Taken<'a>>,
}

/// A name that the index takes for the whole of a collection that holds it.
#[derive(Clone, Copy)]
struct Taken<'a> {
    name: &'a str,
    collection: &'a Expr,
}

impl Taken<'_> {
    /// Of what is written in a place.
    fn problem(self, span: &Span, written: &str) -> Problem {
        let all = as_written(self.collection);
        let why = format!(
            "is never reached in OPA, whose index of rules takes {} for all of {all} behind a statement that says it is in that",
            self.name
        );
        let construct = written.lines().next().unwrap_or_default();
        let instead = format!("`{all}[_] == {0}` for `{0} in {all}`", self.name);
        Problem::of(span.source.get_path(), construct, &why, &instead).at_span(span)
    }
}

impl<'a> Index<'a> {
    fn of(module: &'a Module, names: &'a Names, head: &'a RuleHead) -> Self {
        let args = if let RuleHead::Func { args, .. } = head { args.as_slice() } else { &[] };
        let args = args.iter().filter_map(|arg| variable(arg)).collect();
        let (plain, base, written) = (BTreeSet::new(), BTreeSet::new(), BTreeMap::new());
        Self { module, names, stops: false, args, plain, base, written, taken: Vec::new() }
    }

    fn is_plain(&self, name: &str) -> bool {
        self.args.contains(name) || self.plain.contains(name)
    }

    /// What stands here, or what the name that stands here has for its value.
    fn written<'b>(&self, expr: &'b Expr) -> &'b Expr
    where
        'a: 'b,
    {
        variable(expr).and_then(|name| self.written.get(name).copied()).unwrap_or(expr)
    }

    /// Whether text, a number or the like stands here.
    fn is_known(&self, expr: &Expr) -> bool {
        let written = self.written(expr);
        is_scalar(written) || matches!(written, Expr::UnaryExpr { .. })
    }

    /// Whether this leads into the input or data by constant members alone.
    fn leads(&self, expr: &Expr) -> bool {
        let mut rest = expr;
        loop {
            match rest {
                Expr::RefDot { refr, .. } => rest = refr,
                Expr::RefBrack { refr, index, .. } => {
                    if !self.is_known(index) {
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
    fn left_out(&self, stmt: &LiteralStmt) -> Option<Problem> {
        let replaced = stmt.with_mods.iter().find_map(|with| self.member_of(&with.r#as));
        let said = || match &stmt.literal {
            Literal::Expr { expr, .. } => self.asked(expr),
            Literal::NotExpr { expr, .. } => self.denied(expr),
            Literal::SomeIn { key, value, collection, .. } => {
                let key = key.as_deref();
                let part = key.into_iter().chain([value.as_ref()]).find_map(|part| self.member_of(part));
                part.or_else(|| self.some_in(key, value, collection))
            }
            Literal::Every { domain, .. } => self.member_of(domain),
            Literal::SomeVars { .. } => None,
        };
        if stmt.with_mods.is_empty()
            && let Literal::Expr { expr, .. } = &stmt.literal
            && let Some(escaped) = escaped(expr)
        {
            return Some(escaped);
        }
        let taken = replaced.or_else(|| stmt.with_mods.is_empty().then(said)?);
        let written = match &stmt.literal {
            Literal::Expr { expr, .. } => as_written(expr),
            _ => stmt.span.text(),
        };
        taken.map(|taken| taken.problem(&stmt.span, written))
    }

    fn asked(&self, expr: &Expr) -> Option<Taken<'a>> {
        let of = |expr: &Expr| variable(expr).and_then(|name| self.taken(name));
        let taken = match expr {
            Expr::AssignExpr { lhs, rhs, .. } | Expr::BoolExpr { op: BoolOp::Eq, lhs, rhs, .. } => {
                let one = of(lhs).filter(|_| is_compared(rhs)).or_else(|| self.any_member(lhs, rhs));
                one.or_else(|| of(rhs).filter(|_| is_compared(lhs)).or_else(|| self.any_member(rhs, lhs)))
            }
            Expr::Membership { key: None, value, collection, .. } => {
                of(value).filter(|_| is_listed(self.written(collection))).or_else(|| of(collection))
            }
            Expr::Call { fcn, params, .. } if names::constant(fcn) == ["glob", "match"] => {
                params.get(2).and_then(|matched| of(matched)).filter(|_| is_split(params))
            }
            Expr::RefBrack { refr, index, .. } => {
                let begin = names::begin(refr).text();
                let path = [begin.to_owned()];
                let path = names::through_imports(self.module, &path).unwrap_or(path.into());
                let of_data = path.first().is_some_and(|root| root == "data") && !self.base.contains(begin);
                of(index).filter(|_| of_data && !self.stops && self.leads(refr))
            }
            _ => None,
        };
        taken.or_else(|| if self.is_of_two(expr) { self.denied(expr) } else { self.member_of(expr) })
    }

    /// Whether a member is asked to be another one of the input or data, which the index leaves to the body.
    fn is_of_two(&self, expr: &Expr) -> bool {
        let (Expr::AssignExpr { lhs, rhs, .. } | Expr::BoolExpr { op: BoolOp::Eq, lhs, rhs, .. }) = expr
        else {
            return false;
        };
        let is_member = |side: &Expr| matches!(side, Expr::RefDot { .. } | Expr::RefBrack { .. });
        is_member(lhs) && is_member(rhs) && (self.leads(lhs) || self.leads(rhs))
    }

    /// What OPA reads in front of a `not`, or of what the index leaves to the body: all but the sides of an equation and
    /// the reference itself.
    fn denied(&self, expr: &Expr) -> Option<Taken<'a>> {
        match expr {
            Expr::AssignExpr { lhs, rhs, .. } | Expr::BoolExpr { op: BoolOp::Eq, lhs, rhs, .. } => {
                self.members_in(lhs).or_else(|| self.members_in(rhs))
            }
            _ => self.members_in(expr),
        }
    }

    /// `some key, value in collection`, which is `value = collection[key]`.
    fn some_in(&self, key: Option<&Expr>, value: &Expr, collection: &Expr) -> Option<Taken<'a>> {
        let fixed = key.is_some_and(is_scalar) || is_scalar(value);
        let of = self.begins(collection).filter(|_| fixed && self.is_ground(collection));
        of.or_else(|| self.members_in(collection))
    }

    /// `x[_] == "value"`, where a name is set to nothing but that value.
    fn any_member(&self, refr: &Expr, value: &Expr) -> Option<Taken<'a>> {
        let Expr::RefBrack { refr, index, .. } = refr else { return None };
        let found = self.begins(refr)?;
        let any = variable(index).is_some() && !self.is_known(index) && self.is_ground(refr);
        (any && self.is_known(value)).then_some(found)
    }

    /// What a reference begins with, or a name alone.
    fn begins(&self, refr: &Expr) -> Option<Taken<'a>> {
        let is_reference = matches!(refr, Expr::Var { .. } | Expr::RefDot { .. } | Expr::RefBrack { .. });
        is_reference.then(|| self.taken(names::begin(refr).text()))?
    }

    /// Whether all members of a reference are known.
    fn is_ground(&self, refr: &Expr) -> bool {
        match refr {
            Expr::RefDot { refr, .. } => self.is_ground(refr),
            Expr::RefBrack { refr, index, .. } => self.is_known(index) && self.is_ground(refr),
            _ => true,
        }
    }

    /// A known member of what is taken for another: a name in front of it, outside of what has statements of its own.
    fn member_of(&self, expr: &Expr) -> Option<Taken<'a>> {
        if let Expr::RefDot { .. } | Expr::RefBrack { .. } = expr
            && let Some(taken) = self.begins(expr)
            && self.is_ground(expr)
        {
            return Some(taken);
        }
        self.members_in(expr)
    }

    /// The same of what stands in an expression.
    fn members_in(&self, expr: &Expr) -> Option<Taken<'a>> {
        match expr {
            Expr::RefDot { refr, .. } => self.members_in(refr),
            Expr::RefBrack { refr, index, .. } => self.member_of(index).or_else(|| self.members_in(refr)),
            _ => {
                let mut found = None;
                parts(expr, &mut |part| found = found.or_else(|| self.member_of(part)));
                found
            }
        }
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
                if is_listed(self.written(collection)) {
                    self.plain.remove(name);
                } else if self.leads(collection)
                    && !self.is_plain(name)
                    && !self.written.contains_key(name)
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
        if is_constant(other) {
            self.written.insert(name, other);
        } else if self.leads(other) {
            self.plain.insert(name);
            self.base.insert(name);
        } else if let Some(of) = variable(other) {
            if self.is_plain(of) {
                self.plain.insert(name);
            } else if let Some(taken) = self.taken(of)
                && !self.is_plain(name)
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

/// Whether a value stands here that has no name and no call in it.
fn is_constant(expr: &Expr) -> bool {
    let mut constant = is_written(expr);
    parts(expr, &mut |part| constant = constant && is_constant(part));
    constant
}

/// Whether the index reads the members of a list: each is written out.
fn is_listed(expr: &Expr) -> bool {
    match expr {
        Expr::Array { items, .. } | Expr::Set { items, .. } => items.iter().all(|item| is_written(item)),
        Expr::Object { fields, .. } => fields.iter().all(|(_, _, value)| is_written(value)),
        _ => false,
    }
}

/// Whether the index takes a pattern apart: what stands between its delimiters is a star, or has none.
fn is_split(params: &[Ref<Expr>]) -> bool {
    let [pattern, delimiters, _] = params else { return true };
    let text = |expr: &Expr| constant(expr).and_then(|value| value.as_string().ok().cloned());
    let (Some(pattern), Expr::Array { items, .. }) = (text(pattern), delimiters.as_ref()) else {
        return true;
    };
    let mut delimiters: String =
        items.iter().filter_map(|item| text(item)).map(|item| item.to_string()).collect();
    if items.is_empty() {
        delimiters.push('.');
    }
    let mut parts = pattern.split(|c| delimiters.contains(c));
    pattern.contains('\\') || parts.all(|part| part == "*" || !part.contains(['[', '?', '{', '*']))
}

/// A pattern with a backslash, which the index takes for a text with one.
fn escaped(expr: &Expr) -> Option<Problem> {
    let Expr::Call { fcn, params, .. } = expr else { return None };
    let [pattern, delimiters, _] = params.as_slice() else { return None };
    if names::constant(fcn) != ["glob", "match"] {
        return None;
    }
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

/// An expression, as it is written.
fn as_written(expr: &Expr) -> &str {
    let text = expr.span().source.get_contents();
    let (from, to) = reach(text, expr);
    text.get(from as usize..to as usize).unwrap_or_default()
}
