//! Every call: the engine must have what is called, and answer it rightly. On the way, what is read of the input.

use std::collections::{BTreeMap, BTreeSet};

use regorus::unstable::{Expr, Module, Rule, RuleHead, Span};

use super::names::{self, Names};
use super::operators;
use super::walk::{self, Seen, Stands};
use crate::builtins::{self, Known, signatures};
use crate::input::LeafSet;
use crate::problem::{Problem, Problems};

pub(crate) const MISSING: &str = "is neither a function of this policy nor a builtin";
/// Most functions that are named of a package that is missing.
const FEW: usize = 8;
const WALK: &str =
    "`walk(x, [path, value])` or `[path, value] := walk(x)` as a statement of its own, in braces";

/// Checks the calls of one module and notes the leaves it reads. `whole` says that no other module may define what is
/// called, `written` that the translation may have written the calls.
pub(super) fn check(
    module: &Module,
    names: &Names,
    (whole, written): (bool, bool),
    leaves: &mut LeafSet,
    problems: &mut Problems,
) {
    for import in &module.imports {
        read(&names::constant(&import.refr), leaves);
    }
    let mut absent = Absent::default();
    for rule in &module.policy {
        problems.extend(wrong_arguments(rule));
        problems.extend(shadowing_arguments(rule));
        walk::rule(rule, &mut |seen| match seen {
            Seen::Call { span, fcn, params, stands } => {
                let Some(called) = names::path(fcn) else {
                    problems.push(at(span, span.text(), "calls what is not a name", "the function's name"));
                    return;
                };
                if written
                    && builtins::within(&called.join("."))
                        .is_some_and(|arity| usize::from(arity) == params.len())
                {
                    return;
                }
                problems.extend(blank(fcn, &called));
                let suggest = !problems.is_full();
                let found = wrong(module, names, &called, params.len(), (stands, suggest))
                    // What is missing may stand in a module that does not parse.
                    .filter(|(why, _)| why != MISSING || whole || !elsewhere(module, &called));
                if let Some((why, instead)) = found
                    && !(why == MISSING && absent.has(module, names, fcn, &called))
                {
                    problems.push(at(names::begin(fcn), &called.join("."), &why, &instead));
                }
                if builtins::reads_now(&called.join(".")) {
                    leaves.add(&["now"]);
                }
            }
            Seen::Ref(refr) => read(&names::constant(refr), leaves),
            _ => {}
        });
    }
    problems.extend(absent.told());
}

/// Packages of which functions are called, and of which no module is loaded: each is told once, where it is imported or first
/// called.
#[derive(Default)]
struct Absent<'a>(BTreeMap<names::Path, (&'a Span, BTreeSet<String>)>);

impl<'a> Absent<'a> {
    /// Takes a call that is of such a package.
    fn has(&mut self, module: &'a Module, names: &Names, fcn: &'a Expr, called: &[String]) -> bool {
        let import = names::import(module, called);
        let full = import.as_ref().map_or_else(|| called.to_vec(), |(_, full)| full.clone());
        let Some((function, package)) = full.split_last() else { return false };
        let elsewhere = full.first().is_some_and(|root| root == "data") && package.len() > 1;
        if !elsewhere || names.defines_below(package) {
            return false;
        }
        let span = import.map_or_else(|| names::begin(fcn), |(span, _)| span);
        self.0.entry(package.to_vec()).or_insert_with(|| (span, BTreeSet::new())).1.insert(function.clone());
        true
    }

    fn told(self) -> impl Iterator<Item = Problem> + 'a {
        self.0.into_iter().map(|(package, (span, functions))| {
            let package = package.join(".");
            let few: Vec<String> = functions.iter().take(FEW).map(|name| format!("`{name}`")).collect();
            let more = if functions.len() > FEW { " and others" } else { "" };
            let why =
                format!("is a package of which no module is loaded; called of it: {}{more}", few.join(", "));
            let instead = "its folder beside this one, as one more PATH or in the bundle; or its right name";
            at(span, &package, &why, instead)
        })
    }
}

fn read(path: &[String], leaves: &mut LeafSet) {
    if let Some(("input", rest)) = path.split_first().map(|(root, rest)| (root.as_str(), rest)) {
        let members: Vec<&str> = rest.iter().map(String::as_str).collect();
        leaves.add(&members);
    }
}

/// `count (xs)`, which is no call to OPA.
fn blank(fcn: &Expr, called: &[String]) -> Option<Problem> {
    let end = match fcn {
        Expr::Var { span, .. } => span.end,
        Expr::RefDot { field, .. } => field.0.end,
        _ => return None,
    };
    let begin = names::begin(fcn);
    let behind = begin.source.get_contents().get(end as usize..)?;
    let why = "is called with a blank before its parenthesis, which OPA does not read";
    behind.starts_with(char::is_whitespace).then(|| {
        let called = called.join(".");
        at(begin, &called, why, &format!("`{called}(…)`"))
    })
}

/// Whether a call is by its name of a function of another package.
fn elsewhere(module: &Module, called: &[String]) -> bool {
    called.first().is_some_and(|first| first == "data") || names::through_imports(module, called).is_some()
}

/// A call among the arguments that a function is defined with, which the engine cannot order.
fn wrong_arguments(rule: &Rule) -> Option<Problem> {
    let Rule::Spec { head: RuleHead::Func { args, .. }, .. } = rule else { return None };
    args.iter().find_map(|arg| match arg.as_ref() {
        Expr::Call { span, fcn, .. } => {
            let name = names::constant(fcn).join(".");
            Some(at(
                span,
                builtins::said(&name),
                "stands where an argument is defined",
                "a comparison in the function's body",
            ))
        }
        _ => None,
    })
}

/// An argument that is named as a document is, in whose place it would be read.
fn shadowing_arguments(rule: &Rule) -> Option<Problem> {
    let (Rule::Spec { head: RuleHead::Func { args, .. }, .. } | Rule::Default { args, .. }) = rule else {
        return None;
    };
    args.iter().find_map(|arg| {
        let mut found = None;
        walk::expression(arg, &mut |seen| {
            if let Seen::Ref(refr) = seen
                && let Expr::Var { span, .. } = refr
                && matches!(span.text(), "input" | "data")
            {
                found.get_or_insert_with(|| {
                    at(span, span.text(), "is the name of an argument", "another name")
                });
            }
        });
        found
    })
}

/// A call of a builtin where a rule or an import has the first part of its name: OPA looks for a function there. What the
/// translation calls is not looked for by name.
fn hidden(module: &Module, names: &Names, called: &[String]) -> Option<(String, String)> {
    let first = called.first().filter(|first| *first != "internal" && *first != "data")?;
    let is = if names::through_imports(module, std::slice::from_ref(first)).is_some() {
        "an import"
    } else if names.is_global(module, first) {
        "a rule"
    } else {
        return None;
    };
    let why = format!("is called where `{first}` is {is}, in which OPA looks for a function");
    Some((why, format!("another name than `{first}` for {is}")))
}

/// Why a call will not do, and what to write instead.
fn wrong(
    module: &Module,
    names: &Names,
    called: &[String],
    params: usize,
    (stands, suggest): (Stands, bool),
) -> Option<(String, String)> {
    let name = called.join(".");
    if let Some((path, arities)) = names.function(module, called) {
        // One without arguments is refused where it is defined.
        if params == 0 && arities.contains(&0) {
            return None;
        }
        // As a statement of its own, one more is what the function gives.
        let fits = |arity: &usize| params == *arity || (stands != Stands::Inside && params == arity + 1);
        if names.has_default(&path) && arities.iter().any(|arity| params == arity + 1) {
            let why = "has a default, which OPA gives too where the value is another than the one asked for";
            return Some((why.to_owned(), format!("`{name}(…) == y`, or `y := {name}(…)`")));
        }
        let arity = arities.iter().find(|arity| !fits(arity))?;
        return Some(if params == arity + 1 {
            result(&name)
        } else {
            (
                format!("takes {arity} arguments, not {params}"),
                "as many arguments as it is defined with".to_owned(),
            )
        });
    }
    let builtin = name == "print" || builtins::known(&name).is_some();
    if let Some(hidden) = hidden(module, names, called).filter(|_| builtin) {
        return Some(hidden);
    }
    if name == "print" {
        let why = "has no value: OPA lets it be a statement of its own alone".to_owned();
        return (stands != Stands::Alone).then(|| (why, "`print(…)` as a statement of its own".to_owned()));
    }
    let (arity, added) = match builtins::known(&name) {
        None if operators::sign(&name).is_some() => {
            let sign = operators::sign(&name).unwrap_or_default();
            let why = "is an operator that is called by its name, which the engine has not".to_owned();
            return Some((why, format!("`… {sign} …`")));
        }
        None => {
            if let Some(package) = suggest.then(|| names.called_of(module, called)).flatten() {
                return Some((MISSING.to_owned(), format!("`import {package}` at the top")));
            }
            // To find that looks at every name there is.
            let meant =
                suggest.then(|| builtins::meant(&name).or_else(|| names.like(module, called))).flatten();
            let meant = meant
                .map_or_else(|| "the name of one that is there".to_owned(), |meant| format!("`{meant}`"));
            return Some((MISSING.to_owned(), meant));
        }
        Some(Known::Refused(instead)) => return Some(("is not let through".to_owned(), instead.to_owned())),
        Some(Known::Engines(arity)) => (usize::from(arity), false),
        Some(Known::Added(arity)) => (usize::from(arity), true),
    };
    if name == "walk" && !(stands == Stands::Alone && params == 2) {
        return Some((
            "gives many values, which the engine does not go through in this place".to_owned(),
            WALK.to_owned(),
        ));
    }
    if params == arity + 1 && stands == Stands::Inside {
        return Some(result(&name));
    }
    if params == arity + 1 && added {
        // As a statement of its own it was written anew before.
        return Some(("takes its result first in this place".to_owned(), format!("y := {name}(…)")));
    }
    if params != arity && params != arity + 1 {
        let signature = signatures::signature(&name).map(|signature| format!("`{signature}`"));
        return Some((format!("takes {arity} arguments, not {params}"), signature.unwrap_or_default()));
    }
    None
}

/// One argument more, which is compared with the result where the call is a statement of its own, and nowhere else.
fn result(name: &str) -> (String, String) {
    (
        "has one argument more than it takes: its result is compared so only in a statement of its own"
            .to_owned(),
        format!("`{name}(…) == y`, or one argument less"),
    )
}

fn at(span: &Span, construct: &str, why: &str, instead: &str) -> Problem {
    // A call that goes over many lines is named by its first.
    let construct = construct.lines().next().unwrap_or_default();
    Problem::of(span.source.get_path(), construct, why, instead).at_span(span)
}
