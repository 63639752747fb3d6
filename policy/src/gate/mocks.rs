//! Every `with`: functions and builtins are replaced where the engine replaces all their calls.
//!
//! The engine finds a replaced function by how the call is spelled, `f(x)` or `data.a.f(x)`. The translation wrote them
//! one way; where the same function is called by two names all the same, one of them would go on to the original in
//! silence.

use std::collections::BTreeSet;

use regorus::unstable::{Expr, LiteralStmt, Module, Ref, Rule, RuleHead, WithModifier};

use super::binds;
use super::names::{self, Names, Path};
use super::walk::{self, Seen};
use crate::builtins::{self, Known};
use crate::problem::{Problem, Problems};

/// A call as the engine spells it, and the function of the policy that it means, if it means one.
type Call = (Path, Option<Path>);

/// Names that a query declares, which OPA replaces by no `with`. It is for the text as its author wrote it: names are told
/// apart before the rest.
pub(super) fn declared(modules: &[Ref<Module>], problems: &mut Problems) {
    for rule in modules.iter().flat_map(|module| &module.policy) {
        let mut open: Vec<BTreeSet<&str>> = Vec::new();
        walk::rule(rule, &mut |seen| match seen {
            Seen::Opens(stmts) => open.push(declared_by(stmts)),
            Seen::Closes => drop(open.pop()),
            Seen::Binds(name, _) => {
                if let Some(declared) = open.last_mut() {
                    declared.insert(name.text());
                }
            }
            Seen::With(with) => problems.extend(local(&open, with)),
            _ => {}
        });
    }
}

/// The names that the statements of a query declare.
pub(super) fn declared_by(stmts: &[LiteralStmt]) -> BTreeSet<&str> {
    let mut declared = BTreeSet::new();
    for stmt in stmts {
        binds::of(stmt, &mut |binds| binds.names(&mut |name| declared.extend([name.text()])));
    }
    declared
}

fn local(open: &[BTreeSet<&str>], with: &WithModifier) -> Option<Problem> {
    let target = names::begin(&with.refr).text();
    if builtins::known(target).is_some() || !open.iter().any(|declared| declared.contains(target)) {
        return None;
    }
    let why = "is a variable here, and no document or function that `with` could replace";
    Some(problem(&with.refr, &[target.to_owned()], why, "another name for the variable"))
}

/// Whether a `with` replaces a function or a builtin by this name.
pub(super) fn is_called(module: &Module, names: &Names, target: &Expr) -> bool {
    names::path(target).is_some_and(|path| {
        names.function(module, &path).is_some() || builtins::known(&path.join(".")).is_some()
    })
}

/// Checks every `with` of all modules.
pub(super) fn check(modules: &[Ref<Module>], names: &Names, problems: &mut Problems) {
    let mut calls: BTreeSet<Call> = BTreeSet::new();
    let mut withs: Vec<(&Module, &WithModifier)> = Vec::new();
    for module in modules {
        for rule in &module.policy {
            walk::rule(rule, &mut |seen| match seen {
                Seen::Call { fcn, .. } => {
                    calls.extend(names::path(fcn).map(|called| call(module, names, &called)));
                }
                Seen::With(with) => withs.push((module, with)),
                _ => {}
            });
        }
    }
    let varying = varying(modules);
    problems.extend(
        withs.into_iter().filter_map(|(module, with)| wrong(module, names, (&calls, &varying), with)),
    );
}

fn call(module: &Module, names: &Names, called: &[String]) -> Call {
    let means = names.function(module, called).map(|(path, _)| path);
    let imported = names::through_imports(module, called).filter(|path| names.arities(path).is_some());
    (imported.unwrap_or_else(|| called.to_vec()), means)
}

/// The rules whose value is not written out whole.
fn varying(modules: &[Ref<Module>]) -> BTreeSet<Path> {
    let constant = |rule: &Rule| match rule {
        Rule::Spec { head: RuleHead::Compr { assign: Some(given), .. }, bodies, .. } => {
            bodies.iter().all(|body| body.query.stmts.is_empty()) && is_written_out(&given.value)
        }
        Rule::Default { .. } => true,
        Rule::Spec { .. } => false,
    };
    let mut varying = BTreeSet::new();
    for module in modules {
        let package = names::package(module);
        let rules = module.policy.iter().filter(|rule| !constant(rule));
        varying.extend(rules.map(|rule| names::rule_path(&package, rule)));
    }
    varying
}

/// Whether nothing in a value is read or computed.
fn is_written_out(value: &Ref<Expr>) -> bool {
    let mut is = true;
    walk::expression(value, &mut |seen| {
        is &= !matches!(seen, Seen::Ref(_) | Seen::Call { .. } | Seen::Comprehension(_));
    });
    is
}

fn wrong(
    module: &Module,
    names: &Names,
    (calls, varying): (&BTreeSet<Call>, &BTreeSet<Path>),
    with: &WithModifier,
) -> Option<Problem> {
    let target = names::constant(&with.refr);
    let say = |why: &str, instead: &str| Some(problem(&with.refr, &target, why, instead));
    let function = names.function(module, &target);
    let builtin = if function.is_some() { None } else { builtins::known(&target.join(".")) };
    let replaced = names::through_imports(module, &target).unwrap_or_else(|| target.clone());
    if target.first().is_some_and(|root| root == "data")
        && let Some(rule) =
            (1..target.len()).filter_map(|end| target.get(..end)).find(|path| names.is_rule(path))
    {
        let why = format!("is a part of what the rule {} says: OPA replaces no part", rule.join("."));
        return say(&why, &format!("`with {} as` the whole of it", rule.join(".")));
    }
    let arity = match (&function, builtin) {
        (None, None) if matches!(target.first().map(String::as_str), Some("input" | "data")) => return None,
        (None, None) if replaced != target => return None,
        (None, None) => {
            return say(
                "is replaced by `with`, and is no rule or function here",
                "`with data.PACKAGE.NAME as …`",
            );
        }
        (None, Some(Known::Refused(instead))) => return say("is not let through", instead),
        (None, Some(Known::Added(_))) => {
            return say("is replaced by no `with`, to OPA either", "a rule that calls it, and that replaced");
        }
        (None, Some(_)) if target == ["walk"] => {
            return say("cannot be replaced", "the value that is walked");
        }
        (Some((_, arities)), _) => (*arities).clone(),
        (None, Some(Known::Engines(arity))) => BTreeSet::from([usize::from(arity)]),
    };
    let meant = function.map(|(path, _)| path);
    let missed = calls.iter().find(|(spelled, means)| {
        if *means == meant && meant.is_some() {
            *spelled != replaced
        } else {
            *spelled == replaced && *means != meant
        }
    });
    if let Some((spelled, _)) = missed {
        let why = format!("is also called `{}`: the engine would replace one of the two", spelled.join("."));
        return say(&why, "the test in the package of the function, both by their short names");
    }
    let replacement = names::path(&with.r#as)?;
    if names.function(module, &replacement).is_none()
        && names::through_imports(module, &replacement).is_some()
        && builtins::known(&replacement.join(".")).is_some()
    {
        let why =
            "is an import and a builtin: the engine would take the builtin where the import has no value";
        return Some(problem(
            &with.r#as,
            &replacement,
            why,
            "the import under another name, `import … as x`",
        ));
    }
    let full = names::resolve(module, &replacement);
    if names.function(module, &replacement).is_none() && varying.contains(&full) {
        let why = "stands in for a function, and is a rule that is computed: the engine would ask for it once, OPA at each call";
        let instead = format!("a function that gives it, such as `mock(_) := {}`", replacement.join("."));
        return Some(problem(&with.r#as, &replacement, why, &instead));
    }
    let takes = match takes(module, names, &replacement)? {
        Ok(takes) => takes,
        Err((why, instead)) => return Some(problem(&with.r#as, &replacement, why, &instead)),
    };
    (takes != arity).then(|| say("is replaced by what takes another number of arguments", "")).flatten()
}

fn problem(refr: &Expr, name: &[String], why: &str, instead: &str) -> Problem {
    let span = names::begin(refr);
    Problem::of(span.source.get_path(), &name.join("."), why, instead).at_span(span)
}

/// How many arguments a replacement takes, when it is a function or a builtin; else why that builtin cannot be one,
/// and what to write instead.
type Takes = Result<BTreeSet<usize>, (&'static str, String)>;

fn takes(module: &Module, names: &Names, path: &[String]) -> Option<Takes> {
    if let Some((_, arities)) = names.function(module, path) {
        return Some(Ok(arities.clone()));
    }
    let name = path.join(".");
    Some(match builtins::known(&name)? {
        Known::Engines(arity) => Ok(BTreeSet::from([usize::from(arity)])),
        Known::Refused(instead) => Err(("is not let through", instead.to_owned())),
        // Others the translation called through a function.
        Known::Added(_) => Err(("cannot stand in for another", "a function of the policy".to_owned())),
    })
}
