//! What the names in a rule mean: the input, a part of it, or something else.

use std::collections::BTreeMap;

use regorus::unstable::{AssignOp, Expr, Literal, LiteralStmt, Module};

use super::super::names;
use super::{Constants, Place};
use crate::problem::Problem;

/// Longest path that a name is known by, in bytes: one name after another could each stand deeper than the one before.
const LONGEST: usize = 1_000;

/// The names that are bound around an expression.
pub(in crate::gate) struct Scopes<'a> {
    module: &'a Module,
    constants: &'a Constants<'a>,
    /// Whether the input is a request, whose parts are known.
    requests: bool,
    /// The innermost last; a name that stands for no part of the input is there too, since it hides another.
    open: Vec<BTreeMap<String, Option<Place>>>,
}

impl<'a> Scopes<'a> {
    pub(super) const fn new(module: &'a Module, constants: &'a Constants<'a>, requests: bool) -> Self {
        Self { module, constants, requests, open: Vec::new() }
    }

    pub(super) const fn module(&self) -> &'a Module {
        self.module
    }

    /// Opens a scope with all that its statements bind, in whatever order.
    pub(super) fn open(&mut self, stmts: &[LiteralStmt]) {
        self.open.push(BTreeMap::new());
        for stmt in stmts {
            match &stmt.literal {
                Literal::SomeVars { vars, .. } => {
                    for var in vars {
                        self.bind(var.text().to_owned());
                    }
                }
                Literal::SomeIn { key, value, .. } => {
                    key.iter().chain([value]).for_each(|pattern| self.bind_all(pattern));
                }
                Literal::Expr { expr, .. } => {
                    if let Expr::AssignExpr { op: AssignOp::ColEq, lhs, .. } = expr.as_ref() {
                        self.bind_all(lhs);
                    }
                }
                Literal::NotExpr { .. } | Literal::Every { .. } => {}
            }
        }
        for stmt in stmts {
            self.learn(stmt);
        }
    }

    pub(super) fn close(&mut self) {
        self.open.pop();
    }

    /// A name that is bound, unless it is known here already.
    pub(super) fn bind(&mut self, name: String) {
        if let Some(innermost) = self.open.last_mut() {
            innermost.entry(name).or_insert(None);
        }
    }

    /// The value of the constant that a reference names.
    pub(super) fn constant(&self, refr: &Expr) -> Option<&'a Expr> {
        let name = names::path(refr)?;
        let bound = self.open.iter().any(|scope| name.first().is_some_and(|first| scope.contains_key(first)));
        if bound { None } else { self.constants.get(&names::resolve(self.module, &name)) }
    }

    fn bind_all(&mut self, pattern: &Expr) {
        match pattern {
            Expr::Var { span, .. } => self.bind(span.text().to_owned()),
            Expr::Array { items, .. } => items.iter().for_each(|item| self.bind_all(item)),
            Expr::Object { fields, .. } => fields.iter().for_each(|(_, _, value)| self.bind_all(value)),
            _ => {}
        }
    }

    /// `x := input.request` and `some x in input.request.segments` say what `x` is.
    fn learn(&mut self, stmt: &LiteralStmt) {
        let (name, place) = match &stmt.literal {
            Literal::Expr { expr, .. } => match expr.as_ref() {
                Expr::AssignExpr { op: AssignOp::ColEq, lhs, rhs, .. } => {
                    (lhs, self.place(rhs).ok().flatten())
                }
                _ => return,
            },
            Literal::SomeIn { value, collection, .. } => {
                let collection = self.place(collection).ok().flatten();
                (value, collection.and_then(|collection| collection.any()))
            }
            _ => return,
        };
        let near = place.filter(|place| place.path.len() <= LONGEST);
        if let (Expr::Var { span, .. }, Some(place), Some(innermost)) =
            (name.as_ref(), near, self.open.last_mut())
        {
            innermost.insert(span.text().to_owned(), Some(place));
        }
    }

    /// The part of the input that an expression is, if it is one; a problem where the input has no such part.
    pub(super) fn place(&self, expr: &Expr) -> Result<Option<Place>, Box<Problem>> {
        steps(expr, &|root| self.root(root))
    }

    fn root(&self, name: &str) -> Option<Place> {
        if let Some(bound) = self.open.iter().rev().find_map(|scope| scope.get(name)) {
            return bound.clone();
        }
        if !self.requests {
            return None;
        }
        if name == "input" {
            return Some(Place::input());
        }
        let path = names::resolve(self.module, &[name.to_owned()]);
        if let Some(alias) = self.constants.get(&path) {
            // `req := input.request` of a package; what is wrong with it is told there.
            return steps(alias, &|root| (root == "input").then(Place::input)).ok().flatten();
        }
        let (root, members) = path.split_first()?;
        let kind = members.iter().try_fold(Place::input().kind, |kind, member| kind.member(member));
        (root == "input")
            .then(|| Some(Place { path: path.join("."), kind: kind.ok()?, decides: false }))
            .flatten()
    }
}

/// Follows a reference from what its first name stands for.
pub(super) fn steps(
    expr: &Expr,
    root: &dyn Fn(&str) -> Option<Place>,
) -> Result<Option<Place>, Box<Problem>> {
    let mut chain = Vec::new();
    let mut rest = expr;
    let place = loop {
        match rest {
            Expr::Var { span, .. } => break root(span.text()),
            Expr::RefDot { refr, .. } | Expr::RefBrack { refr, .. } => {
                chain.push(rest);
                rest = refr;
            }
            _ => break None,
        }
    };
    let Some(place) = place else { return Ok(None) };
    let step = |place: Place, link: &&Expr| match link {
        Expr::RefDot { field, .. } => match field.1.as_string() {
            Ok(name) => place.member(name, &field.0),
            Err(_) => Ok(place),
        },
        Expr::RefBrack { index, .. } => step(&place, index),
        _ => Ok(place),
    };
    chain.iter().rev().try_fold(place, step).map(Some)
}

/// One step in brackets.
pub(super) fn step(place: &Place, index: &Expr) -> Result<Place, Box<Problem>> {
    match index {
        Expr::String { span, value, .. } | Expr::RawString { span, value, .. } => match value.as_string() {
            Ok(name) => place.member(name, span),
            Err(_) => place.element(index),
        },
        _ => place.element(index),
    }
}
