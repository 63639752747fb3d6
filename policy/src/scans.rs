//! What a decision goes through: loops over data, and rules of very many clauses. The engine has no index of rules or
//! members, so that each costs with every member; what is keyed by what is asked for costs the same with one and with
//! ten thousand. Estimated from the text and the data at hand, rule by rule; nothing is evaluated.

mod clauses;
mod places;
mod rewrite;

use std::collections::BTreeMap;

use regorus::Value;
use regorus::unstable::{
    AssignOp, BoolOp, Expr, Literal, LiteralStmt, Module, Query, Ref, Rule, RuleHead, Span,
};

use crate::gate::names::{self, Names};
use crate::gate::{binds, walk};
use crate::problem::Problem;
use crate::translate::{awaited, collections};
use places::{Aliases, Place, Sizes};

/// Members that one loop of a decision may go through before it is reported: one or two milliseconds.
pub(crate) const MEMBERS: u64 = 1_000;
/// Clauses that one rule may have before it is reported.
pub(crate) const CLAUSES: usize = 200;
/// Deeper nesting than this is refused by the gate.
const GIVE_UP: usize = 500;

/// A loop, and how often its body is gone through with all loops around it.
pub(crate) struct Scan<'a> {
    place: &'a Span,
    collection: String,
    pub(crate) members: u64,
    before: u64,
    /// What each member is called.
    member: Option<&'a str>,
    instead: Option<String>,
}

/// What is above the budget, as warnings: each with its place and the rewrite.
pub(crate) fn warnings(modules: &[Ref<Module>], data: &Value) -> Vec<Problem> {
    let nothing = Value::Undefined;
    let scans = scans(modules, data, &nothing);
    // A loop inside one that is reported adds nothing that its author does not know by then.
    let dear = scans.into_iter().filter(|scan| scan.members > MEMBERS && scan.before <= MEMBERS);
    let mut found: Vec<Problem> = dear.map(|scan| scan.warning()).collect();
    clauses::check(modules, &mut found);
    found
}

/// The dearest loop of a decision over this input, in words; none where all are short.
pub(crate) fn dearest(modules: &[Ref<Module>], data: &Value, input: &Value) -> Option<String> {
    let scan = scans(modules, data, input).into_iter().max_by_key(|scan| scan.members)?;
    let (file, line) = (scan.place.source.get_path(), scan.place.line);
    (scan.members > 1)
        .then(|| format!("{file}:{line} goes through {} members of {}", scan.members, scan.collection))
}

fn scans<'a>(modules: &'a [Ref<Module>], data: &'a Value, input: &'a Value) -> Vec<Scan<'a>> {
    let names = Names::of(modules);
    let aliases = Aliases::of(modules);
    let mut found = Vec::new();
    for module in modules {
        for rule in &module.policy {
            let Rule::Spec { head, bodies, .. } = rule.as_ref() else { continue };
            let sizes = Sizes { data, input };
            let mut walk = Walk {
                module,
                names: &names,
                aliases: &aliases,
                sizes,
                bound: BTreeMap::new(),
                times: 1,
                depth: 0,
                found: &mut found,
            };
            if let RuleHead::Func { args, .. } = head {
                for arg in args {
                    walk.bind(arg, None);
                }
            }
            for body in bodies {
                walk.scope(|walk| walk.query(&body.query));
            }
        }
    }
    found
}

/// What a name means at some point of a body.
#[derive(Clone)]
enum Name {
    /// Declared by `some`, not bound yet.
    Open,
    /// Bound, to what stands there where that is known.
    Bound(Option<Place>),
}

struct Walk<'a, 'f> {
    module: &'a Module,
    names: &'f Names,
    aliases: &'f Aliases,
    sizes: Sizes<'a>,
    bound: BTreeMap<String, Name>,
    /// How often the statement at hand is gone through.
    times: u64,
    depth: usize,
    found: &'f mut Vec<Scan<'a>>,
}

impl<'a> Walk<'a, '_> {
    /// What is bound inside is not bound outside, and a loop inside ends there.
    fn scope(&mut self, inside: impl FnOnce(&mut Self)) {
        let (bound, times) = (self.bound.clone(), self.times);
        inside(self);
        (self.bound, self.times) = (bound, times);
    }

    fn query(&mut self, query: &'a Query) {
        query.stmts.iter().for_each(|stmt| self.statement(stmt));
    }

    fn statement(&mut self, stmt: &'a LiteralStmt) {
        match &stmt.literal {
            Literal::SomeVars { vars, .. } => {
                for var in vars {
                    self.bound.insert(var.text().to_owned(), Name::Open);
                }
            }
            Literal::SomeIn { key, value, collection, .. } => {
                let collection = collections::gone_through(collection);
                self.expr(collection);
                let place = self.place(collection);
                self.looped(collection, place.clone(), variable(value));
                if let Some(key) = key {
                    self.bind(key, None);
                }
                self.bind(value, place.map(|place| places::member(place, None)).as_ref());
            }
            Literal::Expr { expr, .. } => match expr.as_ref() {
                Expr::AssignExpr { op: AssignOp::ColEq, lhs, rhs, .. } => {
                    let before = self.found.len();
                    self.expr(rhs);
                    if let Some(scan) = self.found.get_mut(before..).and_then(<[Scan<'_>]>::last_mut) {
                        scan.member = variable(lhs);
                    }
                    self.bind(lhs, self.place(rhs).as_ref());
                }
                Expr::AssignExpr { op: AssignOp::Eq, lhs, rhs, .. }
                | Expr::BoolExpr { op: BoolOp::Eq, lhs, rhs, .. } => self.equals(lhs, rhs),
                _ => self.expr(expr),
            },
            Literal::NotExpr { expr, .. } => self.scope(|walk| walk.expr(expr)),
            Literal::Every { key, value, domain, query, .. } => {
                let domain = awaited::gone_through(domain);
                self.expr(domain);
                self.scope(|walk| {
                    let place = walk.place(domain);
                    walk.looped(domain, place.clone(), Some(value.text()));
                    for name in key.iter().chain([value]) {
                        walk.bound.insert(name.text().to_owned(), Name::Bound(None));
                    }
                    walk.query(query);
                });
            }
        }
    }

    /// An equality picks one member: what comes after it is not gone through for all of them.
    fn equals(&mut self, lhs: &'a Ref<Expr>, rhs: &'a Ref<Expr>) {
        let before = self.found.len();
        self.expr(lhs);
        self.expr(rhs);
        for (side, other) in [(lhs, rhs), (rhs, lhs)] {
            let Some((begins, field)) = rewrite::picked(side) else { continue };
            let chosen = self.found.iter_mut().enumerate().rev().find(|(index, scan)| {
                let inside = *index >= before && begins.is_none();
                inside || (begins.is_some() && scan.member == begins)
            });
            let Some((_, scan)) = chosen.filter(|(_, scan)| !rewrite::mentions(other, scan.member)) else {
                continue;
            };
            if scan.instead.is_none() {
                scan.instead =
                    Some(rewrite::keyed(&scan.collection, scan.member, field, &rewrite::text(other)));
            }
            self.times = (self.times / (scan.members / scan.before).max(1)).max(1);
            return;
        }
    }

    fn looped(&mut self, collection: &'a Expr, place: Option<Place>, member: Option<&'a str>) {
        let Some(size) = place.and_then(|place| self.sizes.most(&place)) else { return };
        let before = self.times;
        self.times = self.times.saturating_mul(size.max(1));
        self.found.push(Scan {
            place: names::begin(collection),
            collection: rewrite::text(collection),
            members: self.times,
            before,
            member,
            instead: None,
        });
    }

    fn bind(&mut self, pattern: &'a Expr, place: Option<&Place>) {
        let place = place.filter(|place| variable(pattern).is_some() && place.len() <= places::DEEPEST);
        binds::variables(pattern, &mut |name| {
            self.bound.insert(name.text().to_owned(), Name::Bound(place.cloned()));
        });
    }

    fn expr(&mut self, expr: &'a Expr) {
        self.depth += 1;
        if self.depth < GIVE_UP {
            self.node(expr);
        }
        self.depth -= 1;
    }

    fn node(&mut self, expr: &'a Expr) {
        match expr {
            Expr::RefBrack { refr, index, .. } => {
                self.expr(refr);
                self.expr(index);
                if self.open(index) {
                    let place = self.place(refr);
                    self.looped(refr, place, None);
                    self.bind(index, None);
                }
            }
            Expr::ArrayCompr { term, query, .. } | Expr::SetCompr { term, query, .. } => {
                self.scope(|walk| {
                    walk.query(query);
                    walk.expr(term);
                });
            }
            Expr::ObjectCompr { key, value, query, .. } => self.scope(|walk| {
                walk.query(query);
                walk.expr(key);
                walk.expr(value);
            }),
            // What `in` looks for is found by the engine itself, a hundred times as fast as by a loop of the policy.
            _ => walk::parts(expr, &mut |part| self.expr(part)),
        }
    }

    /// Whether an index is a variable that nothing has bound: the engine tries every member for it.
    fn open(&self, index: &Expr) -> bool {
        let Some(name) = variable(index) else { return false };
        if let Some(bound) = self.bound.get(name) {
            return matches!(bound, Name::Open);
        }
        let full = names::resolve(self.module, &[name.to_owned()]);
        !matches!(name, "input" | "data")
            && self.names.read_by(&full).next().is_none()
            && names::through_imports(self.module, &[name.to_owned()]).is_none()
    }

    /// Where below `data` or `input` the value of an expression stands, where that can be told.
    fn place(&self, expr: &Expr) -> Option<Place> {
        match expr {
            Expr::Var { span, .. } => match self.bound.get(span.text()) {
                Some(Name::Bound(place)) => place.clone(),
                Some(Name::Open) => None,
                None => Some(self.aliases.resolve(self.module, span.text())),
            },
            Expr::RefDot { refr, field, .. } => {
                let name = field.1.as_string().ok()?.to_string();
                Some(self.aliases.follow(places::member(self.place(refr)?, Some(name))))
            }
            Expr::RefBrack { refr, index, .. } => {
                let name = match index.as_ref() {
                    Expr::String { value, .. } | Expr::RawString { value, .. } => {
                        Some(value.as_string().ok()?.to_string())
                    }
                    _ => None,
                };
                Some(self.aliases.follow(places::member(self.place(refr)?, name)))
            }
            _ => None,
        }
    }
}

fn variable(expr: &Expr) -> Option<&str> {
    match expr {
        Expr::Var { span, .. } => Some(span.text()),
        _ => None,
    }
}

impl Scan<'_> {
    fn warning(&self) -> Problem {
        let collection = &self.collection;
        let inside = if self.before > 1 { " with the loops around it" } else { "" };
        let why = format!(
            "goes through {} members{inside}, above the {MEMBERS} of the budget: each costs one or two microseconds \
             in every decision",
            self.members
        );
        let otherwise = || {
            format!(
                "data keyed by what is asked for: `{collection}[KEY]` costs the same with one and with ten thousand"
            )
        };
        let instead = self.instead.clone().unwrap_or_else(otherwise);
        Problem::of(self.place.source.get_path(), collection, why, instead).at_span(self.place)
    }
}

#[cfg(test)]
mod tests;
