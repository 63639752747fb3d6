//! Every `with` that replaces a rule, a function or a builtin, and every call of those, by the one name that the engine
//! looks for. It finds a replaced function by how its calls are spelled: `f(x)` and `data.a.f(x)` are two to it, and a
//! builtin that is not its own it does not find at all. So names become full ones, and such a builtin is called through
//! a function of its package: `mock9__(part1, part2) := crypto.hmac.equal(part1, part2)`.

use std::collections::{BTreeMap, BTreeSet};

use regorus::unstable::{Expr, Module, Ref, Rule, WithModifier};

use super::{Edit, Translated, imports, reach};
use crate::builtins::{self, Known};
use crate::gate::names::{self, Names, Path};
use crate::gate::walk::{self, Seen};

/// What a `with` names, as it may have to be written.
enum Named {
    /// A rule, by its full name.
    Rule(Path),
    /// A function of the policy.
    Function(Path),
    /// A builtin that is called through a function.
    Added(String),
}

/// The texts of all modules with such names; none where there is none to write.
pub(crate) fn named(modules: &[Ref<Module>], texts: &[Translated]) -> Option<Vec<Translated>> {
    let names = Names::of(modules);
    let heads = heads(modules);
    let (mut functions, mut added) = (BTreeSet::new(), BTreeMap::new());
    for (index, module) in modules.iter().enumerate() {
        for rule in &module.policy {
            let bound = bound(rule);
            for with in withs(rule) {
                let target = called(module, &names, &with.refr);
                if let Some(Named::Function(path)) = &target {
                    functions.insert(path.clone());
                }
                for named in target.into_iter().chain(replacement(module, &names, with, &bound)) {
                    if let Named::Added(name) = named {
                        // The function stands before the first rule that names it so, on its line.
                        added.entry(name).or_insert((index, rule.span().start));
                    }
                }
            }
        }
    }
    let around: BTreeMap<&str, Around> = added
        .iter()
        .enumerate()
        .filter_map(|(number, (name, at))| Some((name.as_str(), Around::of(name, number, *at, modules)?)))
        .collect();
    let full = |named: &Named| match named {
        Named::Rule(path) | Named::Function(path) => Some(imports::written(path)),
        Named::Added(name) => around.get(name.as_str()).map(|around| around.full.clone()),
    };
    let mut any = false;
    let written = modules.iter().zip(texts).enumerate().map(|(at, (module, text))| {
        let mut edits = Vec::new();
        let mut write = |expr: &Expr, named: Option<Named>| {
            let Some(full) = named.as_ref().and_then(full) else { return };
            let (from, to) = (names::begin(expr).start, reach(&text.text, expr).1);
            if text.text.get(from as usize..to as usize) != Some(&full) {
                edits.push(Edit::new(from, to, full));
            }
        };
        for rule in &module.policy {
            let bound = bound(rule);
            walk::rule(rule, &mut |seen| match seen {
                Seen::With(with) => {
                    write(&with.refr, meant(module, &names, &heads, &with.refr));
                    write(&with.r#as, replacement(module, &names, with, &bound));
                }
                Seen::Call { fcn, .. } => {
                    let replaced = |called: &Named| match called {
                        Named::Function(path) => functions.contains(path),
                        Named::Added(name) => around.contains_key(name.as_str()),
                        Named::Rule(_) => false,
                    };
                    write(fcn, called(module, &names, fcn).filter(replaced));
                }
                _ => {}
            });
        }
        let here = around.values().filter(|around| around.at.0 == at);
        edits.extend(here.map(|around| Edit::new(around.at.1, around.at.1, around.text.clone())));
        let written = text.edited(edits);
        any |= written.is_some();
        written.unwrap_or_else(|| text.clone())
    });
    let written = written.collect();
    any.then_some(written)
}

/// A builtin that is called by a function of a package.
struct Around {
    /// The module that it stands in, and where.
    at: (usize, u32),
    full: String,
    text: String,
}

impl Around {
    fn of(name: &str, number: usize, at: (usize, u32), modules: &[Ref<Module>]) -> Option<Self> {
        let (Known::Added(arity) | Known::Engines(arity)) = builtins::known(name)? else { return None };
        let own = format!("mock{number}__");
        let parts: Vec<_> = (1..=arity).map(|part| format!("part{part}__")).collect();
        let parts = parts.join(", ");
        let mut full = names::package(modules.get(at.0)?);
        full.push(own.clone());
        Some(Self { at, full: imports::written(&full), text: format!("{own}({parts}) := {name}({parts}) ") })
    }
}

/// The first names of the rules of each package.
fn heads(modules: &[Ref<Module>]) -> BTreeSet<Path> {
    let paths = modules.iter().flat_map(|module| {
        let package = names::package(module);
        let length = package.len() + 1;
        module.policy.iter().map(move |rule| {
            let mut path = names::rule_path(&package, rule);
            path.truncate(length);
            path
        })
    });
    paths.collect()
}

fn withs(rule: &Rule) -> Vec<&WithModifier> {
    let mut withs = Vec::new();
    walk::rule(rule, &mut |seen| {
        if let Seen::With(with) = seen {
            withs.push(with);
        }
    });
    withs
}

/// The names that stand in a rule anywhere but as the value of a `with` alone.
fn bound(rule: &Rule) -> BTreeSet<&str> {
    let values: BTreeSet<u32> = withs(rule).iter().map(|with| with.r#as.span().start).collect();
    let mut names = BTreeSet::new();
    walk::rule(rule, &mut |seen| {
        let span = match seen {
            Seen::Ref(refr) => names::begin(refr),
            Seen::Binds(name, _) => name,
            _ => return,
        };
        if !values.contains(&span.start) {
            names.insert(span.text());
        }
    });
    names
}

/// The builtin that stands in for another function, where the engine would not find it. One of one word, `lower`, is a
/// variable where there is such a one.
fn replacement(module: &Module, names: &Names, with: &WithModifier, bound: &BTreeSet<&str>) -> Option<Named> {
    called(module, names, &with.refr).or_else(|| builtin(module, names, &with.refr))?;
    match called(module, names, &with.r#as) {
        Some(Named::Added(name)) => Some(Named::Added(name)),
        Some(Named::Function(_) | Named::Rule(_)) => None,
        None => {
            let path =
                names::path(&with.r#as).filter(|_| !bound.contains(names::begin(&with.r#as).text()))?;
            let (known, full) = (builtins::known(&path.join(".")).is_some(), names::resolve(module, &path));
            // The engine would take the builtin before a rule that is called so.
            if known && path.len() == 1 && names.is_rule(&full) {
                return Some(Named::Rule(full));
            }
            builtin(module, names, &with.r#as)
        }
    }
}

/// A builtin that the engine has.
fn builtin(module: &Module, names: &Names, expr: &Expr) -> Option<Named> {
    let path = names::path(expr)?;
    let name = path.join(".");
    let own = names.function(module, &path).is_some() || names::through_imports(module, &path).is_some();
    (!own && name != "walk" && matches!(builtins::known(&name), Some(Known::Engines(_))))
        .then_some(Named::Added(name))
}

/// What the target of a `with` means, where it may have to be written by another name.
fn meant(module: &Module, names: &Names, heads: &BTreeSet<Path>, target: &Expr) -> Option<Named> {
    if let Some(called) = called(module, names, target) {
        return Some(called);
    }
    let path = names::path(target)?;
    let full = names::resolve(module, &path);
    let package = names::package(module);
    let rule = full.len() == package.len() + path.len() && full.starts_with(&package);
    let head = full.get(..=package.len())?;
    (rule && path.first() != full.first() && heads.contains(head)).then_some(Named::Rule(full))
}

/// The function that a name means.
fn called(module: &Module, names: &Names, expr: &Expr) -> Option<Named> {
    let path = names::path(expr)?;
    if let Some((path, _)) = names.function(module, &path) {
        return Some(Named::Function(path));
    }
    let name = path.join(".");
    let added = names::through_imports(module, &path).is_none() && replaceable(&name);
    added.then_some(Named::Added(name))
}

/// Whether this is a builtin that a function may stand around.
fn replaceable(name: &str) -> bool {
    matches!(builtins::known(name), Some(Known::Added(_)))
        && !["internal.", "rego.metadata."].iter().any(|own| name.starts_with(own))
        && name != "print"
}
