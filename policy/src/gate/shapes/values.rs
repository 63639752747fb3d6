//! What rules give, as far as it can be told without evaluating them.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};

use regorus::unstable::{Expr, LiteralStmt, Module, Ref, Rule, RuleHead};

use super::super::names::{self, Path};
use super::super::walk::{self, Seen};
use super::place::Place;
use super::scopes::{Known, Scopes, either};
use crate::sources::is_test;

/// Rules that are followed one from the other: a chain that is longer ends in what may be anything.
const DEEPEST: usize = 100;

/// All rules that have a name of their own, and what was found of them.
pub(in crate::gate) struct Values<'a> {
    /// None for what is no value: a function, a set, an object made of its members.
    rules: BTreeMap<Path, Option<Vec<(&'a Module, &'a Rule)>>>,
    /// Whether the input of a module is a request.
    requests: &'a dyn Fn(&Module) -> bool,
    /// What of the input a policy puts in itself by `with`; its tests do not count, for no request comes by them.
    replaced: BTreeSet<Path>,
    found: RefCell<Found<'a>>,
}

#[derive(Default)]
struct Found<'a> {
    known: BTreeMap<Path, Known<'a>>,
    open: usize,
}

impl<'a> Values<'a> {
    pub(super) fn of(modules: &'a [Ref<Module>], requests: &'a dyn Fn(&Module) -> bool) -> Self {
        let mut rules: BTreeMap<Path, Option<Vec<(&'a Module, &'a Rule)>>> = BTreeMap::new();
        let mut replaced = BTreeSet::new();
        for module in modules {
            let package = names::package(module);
            let test = is_test(module.package.span.source.get_path());
            for rule in &module.policy {
                if !test {
                    walk::rule(rule, &mut |seen| {
                        if let Seen::With(with) = seen {
                            replaced.insert(names::resolve(module, &names::constant(&with.refr)));
                        }
                    });
                }
                let all = rules.entry(names::rule_path(&package, rule)).or_insert_with(|| Some(Vec::new()));
                match all {
                    Some(all) if whole(rule) => all.push((module, rule)),
                    all => *all = None,
                }
            }
        }
        Self { rules, requests, replaced, found: RefCell::default() }
    }

    /// Whether the policy itself may put in what stands at this place of the input.
    pub(super) fn replaces(&self, place: &str) -> bool {
        self.replaced.iter().any(|path| {
            let rest = place.strip_prefix(&path.join("."));
            rest.is_some_and(|rest| rest.is_empty() || rest.starts_with(['.', '[']))
        })
    }

    /// Whether there is a rule of this full name.
    pub(super) fn defines(&self, path: &[String]) -> bool {
        self.rules.contains_key(path)
    }

    /// What the rule of this full name gives.
    pub(super) fn get(&self, path: &[String]) -> Known<'a> {
        let Some((path, Some(definitions))) = self.rules.get_key_value(path) else { return Known::default() };
        {
            let mut found = self.found.borrow_mut();
            if let Some(known) = found.known.get(path) {
                return known.clone();
            }
            if found.open >= DEEPEST {
                return Known::default();
            }
            found.open += 1;
            // What reads itself is refused elsewhere.
            found.known.insert(path.clone(), Known::default());
        }
        let mut all = Vec::new();
        for (module, rule) in definitions {
            self.definition(module, rule, &mut all);
        }
        let name = path.join(".");
        let known = either(all.into_iter());
        let known: Known<'a> = known.into_iter().map(|place| place.called(&name)).collect();
        let mut found = self.found.borrow_mut();
        found.open -= 1;
        found.known.insert(path.clone(), known.clone());
        known
    }

    /// What each body of a rule gives.
    fn definition(&self, module: &'a Module, rule: &'a Rule, all: &mut Vec<Known<'a>>) {
        let mut value = |stmts: &'a [LiteralStmt], value: Option<&'a Ref<Expr>>| {
            let mut scopes = Scopes::new(module, self, (self.requests)(module));
            scopes.open(stmts);
            let known = value.map(|value| scopes.known(value)).unwrap_or_default();
            all.push(if known.iter().any(Place::is_call) { Vec::new() } else { known });
        };
        match rule {
            Rule::Default { value: default, .. } => value(&[], Some(default)),
            Rule::Spec { head, bodies, .. } => {
                let said = match head {
                    RuleHead::Compr { assign, .. } => assign.as_ref().map(|assign| &assign.value),
                    _ => None,
                };
                let (first, others) = bodies.split_first().unzip();
                value(first.map_or(&[][..], |body| body.query.stmts.as_slice()), said);
                for body in others.unwrap_or_default() {
                    value(&body.query.stmts, body.assign.as_ref().map(|assign| &assign.value));
                }
            }
        }
    }
}

/// Whether a rule gives the value of its name, and not a member of it.
fn whole(rule: &Rule) -> bool {
    match rule {
        Rule::Spec { head: RuleHead::Compr { refr, .. }, .. } => names::path(refr).is_some(),
        Rule::Spec { .. } => false,
        Rule::Default { args, .. } => args.is_empty(),
    }
}
