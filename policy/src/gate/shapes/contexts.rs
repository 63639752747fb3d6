//! What functions are called with: each is looked at once for each way in which it is called, after all its callers.

use std::collections::{BTreeMap, BTreeSet};

use regorus::unstable::{Expr, Module, Ref, Rule, RuleHead};

use super::super::depth::Node;
use super::super::names::{self, Names, Path};
use super::place::Place;
use super::scopes::{Known, Scopes};
use crate::sources::is_test;

/// Most ways in which one function is looked at. Where it is called in more, its arguments may be anything.
const MOST: usize = 16;

/// The arguments of one call; one that is empty may be anything.
type Arguments<'a> = Vec<Known<'a>>;

/// The calls of one function, each way of calling it once.
#[derive(Default)]
struct Calls<'a> {
    by_rules: BTreeMap<String, Arguments<'a>>,
    /// Asked for where no rule calls it.
    by_tests: BTreeMap<String, Arguments<'a>>,
    /// Stands in the place of another function, which is called with anything.
    replaces: bool,
}

/// All calls that were met so far.
#[derive(Default)]
pub(super) struct Contexts<'a>(BTreeMap<Path, Calls<'a>>);

impl<'a> Contexts<'a> {
    /// A call in a rule.
    pub(super) fn call(
        &mut self,
        scopes: &Scopes<'a, '_>,
        names: &Names,
        rule: &Rule,
        fcn: &Expr,
        params: &'a [Ref<Expr>],
    ) {
        let Some((path, arities)) =
            names::path(fcn).and_then(|called| names.function(scopes.module(), &called))
        else {
            return;
        };
        let arity = arities.last().copied().unwrap_or_default();
        let given: Arguments<'a> =
            params.iter().take(arity).map(|param| passed(scopes.known(param))).collect();
        let key: Vec<String> = given.iter().map(key).collect();
        let calls = self.0.entry(path).or_default();
        let calls = if of_a_test(rule) { &mut calls.by_tests } else { &mut calls.by_rules };
        if calls.len() <= MOST {
            calls.insert(key.join("\n"), given);
        }
    }

    /// A function in the place of another.
    pub(super) fn replaces(&mut self, module: &Module, names: &Names, value: &Expr) {
        if let Some((path, _)) = names::path(value).and_then(|called| names.function(module, &called)) {
            self.0.entry(path).or_default().replaces = true;
        }
    }

    /// The ways in which a rule is to be looked at: one without arguments, if it is no function or nothing is known.
    pub(super) fn of(&self, path: &[String]) -> Vec<Arguments<'a>> {
        let Some(calls) = self.0.get(path).filter(|calls| !calls.replaces) else { return vec![Vec::new()] };
        let calls = if calls.by_rules.is_empty() { &calls.by_tests } else { &calls.by_rules };
        if calls.is_empty() || calls.len() > MOST {
            vec![Vec::new()]
        } else {
            calls.values().cloned().collect()
        }
    }
}

fn of_a_test(rule: &Rule) -> bool {
    let refr = match rule {
        Rule::Spec { head, .. } => names::head_name(head),
        Rule::Default { refr, .. } => refr,
    };
    let name = names::begin(refr).text();
    is_test(rule.span().source.get_path()) || name.starts_with("test_") || name.starts_with("todo_test_")
}

/// What is known of an argument in the function.
fn passed(known: Known<'_>) -> Known<'_> {
    known.into_iter().map(Place::handed).collect::<Option<Known<'_>>>().unwrap_or_default()
}

fn key(known: &Known<'_>) -> String {
    let words = known.iter().map(|place| match place.said_here() {
        Some(value) => regorus::Value::from(value.span().text()).to_string(),
        None => place.path().to_owned(),
    });
    words.collect::<Vec<_>>().join("|")
}

/// The arguments that a function is defined with.
pub(super) fn arguments(rule: &Rule) -> &[Ref<Expr>] {
    match rule {
        Rule::Spec { head: RuleHead::Func { args, .. }, .. } | Rule::Default { args, .. } => args,
        Rule::Spec { .. } => &[],
    }
}

/// All rules, by name, each after those that call it.
pub(super) fn callers_first<'a>(nodes: &'a BTreeMap<Path, Node>) -> Vec<&'a Path> {
    let (mut known, mut order): (BTreeSet<&'a Path>, Vec<&'a Path>) = (BTreeSet::new(), Vec::new());
    for path in nodes.keys() {
        // Each with those of its calls that are not looked at yet.
        let mut open: Vec<(&'a Path, Vec<&'a Path>)> = Vec::new();
        let enter = |path: &'a Path, open: &mut Vec<_>, known: &mut BTreeSet<&'a Path>| {
            if known.insert(path) {
                let calls = nodes.get(path).map(|node| node.calls.iter().collect()).unwrap_or_default();
                open.push((path, calls));
            }
        };
        enter(path, &mut open, &mut known);
        while let Some((path, calls)) = open.last_mut() {
            if let Some(call) = calls.pop() {
                enter(call, &mut open, &mut known);
            } else {
                order.push(*path);
                open.pop();
            }
        }
    }
    order.reverse();
    order
}
