//! Heads of several members, `users[id].name := …`: what the engine leaves behind when their body does not hold.
//!
//! OPA then has nothing but the object that stands before the first computed member. The engine evaluates the members
//! without the body: one that is no variable of the body gives an empty object of that name.

use std::collections::BTreeSet;

use regorus::unstable::{Expr, Module, Ref, Rule, RuleHead};

use super::names::{self, Names, Path};
use crate::problem::{Problem, Problems};

const BIND: &str = "a variable that the body binds: `NAME[k] contains x if { k := …; … }`";

/// Checks the heads of all modules.
pub(super) fn check(modules: &[Ref<Module>], names: &Names, problems: &mut Problems) {
    let rules = || modules.iter().flat_map(|module| &module.policy);
    problems.extend(rules().filter_map(|rule| bare(rule)));
    problems.extend(rules().filter_map(|rule| empty(rule)));
    refused_beside(modules, problems);
    for module in modules {
        one(module, names, problems);
    }
}

/// `denied["x"]` alone: OPA wants `contains`, or a value.
fn bare(rule: &Rule) -> Option<Problem> {
    let Rule::Spec { span, head: RuleHead::Set { refr, key: Some(key), .. }, bodies } = rule else {
        return None;
    };
    let begin = names::begin(key).start as usize;
    let before = span.source.get_contents().get(span.start as usize..begin)?;
    // The span of a text begins behind its quote.
    let bracket = before.trim_end_matches(['"', '`']).trim_end().ends_with('[');
    if !bodies.is_empty() || !bracket || before.split_whitespace().any(|word| word == "contains") {
        return None;
    }
    let name = names::constant(refr).join(".");
    let why = "is a head without a value, which OPA lets no member of a set have";
    let instead = format!("`{name} contains …`, or `{name}[…] := …` for an object");
    Some(Problem::of(span.source.get_path(), &format!("{name}[…]"), why, instead).at_span(span))
}

/// `f() := input.x`, which is the rule `f` to OPA and a function to the engine.
fn empty(rule: &Rule) -> Option<Problem> {
    let Rule::Spec { head: RuleHead::Func { refr, args, .. }, .. } = rule else { return None };
    if !args.is_empty() {
        return None;
    }
    let (span, name) = (names::begin(refr), names::constant(refr).join("."));
    let why = "is a head without arguments, which OPA takes for a rule and no function";
    let instead = format!("`{name}`, where it is read too");
    Some(Problem::of(span.source.get_path(), &format!("{name}()"), why, instead).at_span(span))
}

/// A head with a constant member where another one has a computed member.
pub(crate) struct Beside<'a> {
    pub(crate) refr: &'a Ref<Expr>,
    /// Whether that member is the last one, of an object, and has no `else`: then it can be written as a computed one.
    pub(crate) last: bool,
    /// The full name of the object that it is a member of with the computed one, and its own up to what is computed.
    pub(crate) together: (Path, Path),
}

/// These of all modules. What reads such a member by its name asks this rule alone, to the engine, and not the other
/// one; and what goes on below the member is there although no body holds.
pub(crate) fn beside(modules: &[Ref<Module>]) -> Vec<Beside<'_>> {
    let (mut heads, mut computed) = (Vec::new(), BTreeSet::new());
    for module in modules {
        let package: Vec<Option<String>> = names::package(module).into_iter().map(Some).collect();
        for rule in &module.policy {
            let (refr, object) = match rule.as_ref() {
                // OPA drops an `else` behind a constant member.
                Rule::Spec { head: RuleHead::Compr { refr, .. }, bodies, .. } => (refr, bodies.len() < 2),
                Rule::Spec { head, .. } => (names::head_name(head), false),
                Rule::Default { refr, .. } => (refr, false),
            };
            let path = package.iter().cloned().chain(names::members(refr).unwrap_or_default());
            let path: Vec<Option<String>> = path.collect();
            if let Some(end) = path.iter().position(Option::is_none) {
                computed.insert(path.iter().take(end).cloned().collect::<Vec<_>>());
            }
            heads.push((refr, path, package.len(), object));
        }
    }
    let met = heads.into_iter().filter_map(|(refr, path, package, object)| {
        let constant = path.iter().take_while(|member| member.is_some()).count();
        let at = (0..constant).find(|at| path.get(..*at).is_some_and(|above| computed.contains(above)))?;
        let last = object && at > package && at + 1 == path.len();
        let name: Path = path.into_iter().map_while(|member| member).collect();
        Some(Beside { refr, last, together: (name.iter().take(at).cloned().collect(), name) })
    });
    met.collect()
}

fn refused_beside(modules: &[Ref<Module>], problems: &mut Problems) {
    problems.extend(beside(modules).into_iter().filter(|head| !head.last).map(|Beside { refr, .. }| {
        let span = names::begin(refr);
        let why = "stands beside a rule whose member is computed there: it would be there without its body, or alone";
        let instead = "one of the two under another name";
        let construct = names::constant(refr).join(".");
        Problem::of(span.source.get_path(), &construct, why, instead).at_span(span)
    }));
}

fn one(module: &Module, names: &Names, problems: &mut Problems) {
    let heads = module.policy.iter().filter_map(|rule| match rule.as_ref() {
        Rule::Spec { head, bodies, .. } if !bodies.is_empty() => Some(head),
        Rule::Spec { .. } | Rule::Default { .. } => None,
    });
    problems.extend(heads.filter_map(|head| wrong(module, names, head)));
}

fn wrong(module: &Module, names: &Names, head: &RuleHead) -> Option<Problem> {
    let mut rest = match head {
        // The last member of an object may be anything; what it is a member of is looked at.
        RuleHead::Compr { refr, .. } => match refr.as_ref() {
            Expr::RefBrack { refr, .. } => refr,
            _ => refr,
        },
        RuleHead::Set { refr, .. } => refr,
        RuleHead::Func { .. } => return None,
    };
    loop {
        match rest.as_ref() {
            Expr::RefDot { refr, .. } => rest = refr,
            Expr::RefBrack { refr, index, .. } => {
                if !constant(index) && !variable(module, names, index) {
                    let span = index.span();
                    let construct = format!("{}[{}]", names::constant(refr).join("."), span.text());
                    let why = "would be there although the body does not hold";
                    let problem = Problem::of(span.source.get_path(), &construct, why, BIND);
                    return Some(problem.at(span.line, span.col, span.source.get_contents()));
                }
                rest = refr;
            }
            _ => return None,
        }
    }
}

fn constant(index: &Expr) -> bool {
    matches!(index, Expr::String { .. } | Expr::RawString { .. })
}

/// Whether this is a variable that only the body can bind.
fn variable(module: &Module, names: &Names, index: &Ref<Expr>) -> bool {
    let Expr::Var { span, .. } = index.as_ref() else { return false };
    !matches!(span.text(), "input" | "data") && !names.is_global(module, span.text())
}
