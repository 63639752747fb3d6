//! Rules in one another's place, as OPA refuses them: the engine would merge what is below a rule into its value, so
//! that a package `postern.decision` could allow what the rule `decision` of `postern` refuses.

use std::collections::{BTreeMap, BTreeSet};

use regorus::unstable::{Module, Ref, Rule, RuleHead, Span};

use super::names::{self, Path};
use crate::problem::{Problem, Problems};

/// All rules of one name, up to the first computed member of their heads.
struct Named<'a> {
    first: &'a Span,
    /// Whether no member of a head is computed: then nothing else may stand below.
    whole: bool,
    kinds: BTreeSet<Kind>,
    defaults: Vec<&'a Span>,
}

/// What the rules of one name give; all must give the same.
#[derive(PartialEq, Eq, PartialOrd, Ord)]
enum Kind {
    Value,
    Members,
    Set,
    Function(usize),
}

/// Refuses rules below a rule, rules of one name and different kinds, and a second default.
pub(super) fn check(modules: &[Ref<Module>], problems: &mut Problems) {
    let named = named(modules);
    let mut packages: BTreeMap<Path, &Span> = BTreeMap::new();
    for module in modules {
        packages.entry(names::package(module)).or_insert(&module.package.span);
    }
    for (path, rules) in &named {
        let name = path.join(".");
        let mut say = |at, why: &str, instead: &str| problems.push(problem(at, &name, why, instead));
        let below = named.range(path.clone()..).nth(1).filter(|(other, _)| other.starts_with(path));
        let below = below.map(|(_, other)| other.first).or_else(|| packages.get(path).copied());
        if let Some(below) = below.filter(|_| rules.whole) {
            let at = rules.first;
            let why = format!("is a rule of {}:{}, and this stands below it", at.source.get_path(), at.line);
            // Of a value that one rule gives as a whole no other gives a member.
            let member = below.source.get_contents().get(below.start as usize..).unwrap_or_default();
            let last = path.last().map(String::as_str).unwrap_or_default();
            if member.starts_with(&format!("{last}.")) || member.starts_with(&format!("{last}[")) {
                let instead = format!(
                    "the whole value, `{last} := {{…}} if …`; or a rule of its own, and its name as the member's value"
                );
                say(below, &why, &instead);
            } else {
                say(below, &why, "another name for one of the two");
            }
        } else if rules.kinds.len() > 1 {
            let why = "is defined as more than one of a value, an object by members, a set and a function";
            say(rules.first, why, "one of them, or other names");
        } else if let [first, others @ ..] = rules.defaults.as_slice() {
            for other in others {
                let why = format!(
                    "has more than one default: that of {}:{} too",
                    first.source.get_path(),
                    first.line
                );
                say(other, &why, "one of them");
            }
        }
    }
}

fn named(modules: &[Ref<Module>]) -> BTreeMap<Path, Named<'_>> {
    let mut named = BTreeMap::new();
    for module in modules {
        let package = names::package(module);
        for rule in &module.policy {
            let (refr, default) = match rule.as_ref() {
                Rule::Spec { head, .. } => (names::head_name(head), false),
                Rule::Default { refr, .. } => (refr, true),
            };
            let plain = names::path(refr).is_some();
            let rules = named.entry(names::rule_path(&package, rule)).or_insert_with(|| Named {
                first: names::begin(refr),
                whole: false,
                kinds: BTreeSet::new(),
                defaults: Vec::new(),
            });
            rules.whole |= plain;
            rules.kinds.insert(match rule.as_ref() {
                Rule::Spec { head: RuleHead::Func { args, .. }, .. } => Kind::Function(args.len()),
                Rule::Default { args, .. } if !args.is_empty() => Kind::Function(args.len()),
                Rule::Spec { head: RuleHead::Set { .. }, .. } => Kind::Set,
                _ if plain => Kind::Value,
                _ => Kind::Members,
            });
            if default {
                rules.defaults.push(names::begin(refr));
            }
        }
    }
    named
}

fn problem(span: &Span, name: &str, why: &str, instead: &str) -> Problem {
    Problem::of(span.source.get_path(), name, why, instead).at_span(span)
}
