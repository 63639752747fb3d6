//! The entrypoint: it must exist, be one complete rule, and have a default that refuses.

use std::collections::{BTreeMap, BTreeSet};

use regorus::Value;
use regorus::unstable::{Expr, Module, Ref, Rule, RuleBody, RuleHead, Span};

use super::binds;
use super::names::{self, Path, head_name, path};
use super::shapes;
use crate::problem::{Problem, Problems};

/// Most names that are told of what is there.
const FEW: usize = 8;

/// Finds what is wrong with the entrypoint `data.a.b`, over all modules.
pub(crate) fn check(modules: &[Ref<Module>], entrypoint: &str, problems: &mut Problems) {
    let Some(wanted) = entrypoint.strip_prefix("data.").filter(|rest| rest.contains('.')) else {
        let why = "is not a rule's name";
        problems.push(Problem::of("", entrypoint, why, "policy.entrypoint: data.PACKAGE.RULE"));
        return;
    };
    let wanted: Vec<&str> = wanted.split('.').collect();
    let name = wanted.last().copied().unwrap_or_default();
    let default = format!("`default {name} := false`");
    let (mut rules, mut defaults, mut first) = (0, 0, None);
    for module in modules {
        let package = path(&module.package.refr).unwrap_or_default();
        for rule in &module.policy {
            let names = |refr: &Expr| {
                path(refr).is_some_and(|rule| {
                    package.iter().chain(&rule).map(String::as_str).eq(wanted.iter().copied())
                })
            };
            match rule.as_ref() {
                Rule::Default { span, refr, args, value, .. } if names(refr) => {
                    defaults += 1;
                    if !args.is_empty() || !refuses(value) {
                        let why = "has a default that does not refuse";
                        problems.push(
                            Problem::of(span.source.get_path(), entrypoint, why, &default).at_span(span),
                        );
                    }
                }
                Rule::Spec { span, head, .. } if names(head_name(head)) => {
                    rules += 1;
                    first.get_or_insert(span);
                    if !matches!(head, RuleHead::Compr { .. }) {
                        let why = "is a set or a function, not a decision";
                        problems.push(
                            Problem::of(
                                span.source.get_path(),
                                entrypoint,
                                why,
                                "a complete rule: `NAME := … if …`",
                            )
                            .at_span(span),
                        );
                    }
                }
                _ => {}
            }
        }
    }
    written(modules, entrypoint, problems);
    if rules + defaults == 0 {
        problems.push(absent(modules, &wanted, name));
    } else if defaults == 0 && !(rules == 1 && always_decides(modules, entrypoint)) {
        let why = "has no default: a request no rule speaks of would have no answer";
        let problem = Problem::of("", entrypoint, why, format!("{default} in its package"));
        problems.push(match first {
            Some(span) => Problem { file: span.source.get_path().clone(), ..problem }.at_span(span),
            None => problem,
        });
    }
}

/// What is wrong with what the entrypoint gives, as far as it is written out: in its own clauses, and in those of the
/// rules and functions whose objects they give as they are.
fn written(modules: &[Ref<Module>], entrypoint: &str, problems: &mut Problems) {
    let mut rules: BTreeMap<Path, Vec<(&Module, &Rule)>> = BTreeMap::new();
    for module in modules {
        let package = names::package(module);
        for rule in &module.policy {
            rules.entry(names::rule_path(&package, rule)).or_default().push((module, rule));
        }
    }
    let entrypoint: Path = entrypoint.split('.').map(str::to_owned).collect();
    let (mut seen, mut left) = (BTreeSet::from([entrypoint.clone()]), vec![entrypoint.clone()]);
    while let Some(path) = left.pop() {
        for (module, rule) in rules.get(&path).into_iter().flatten() {
            for (value, bound) in given(rule) {
                if path == entrypoint || matches!(value.as_ref(), Expr::Object { .. }) {
                    problems.extend(shapes::decision(value));
                }
                let named = match value.as_ref() {
                    Expr::Call { fcn, .. } => fcn,
                    _ => value,
                };
                let global = !bound.contains(names::begin(named).text());
                let next = self::rule(module, named).filter(|path| global && seen.insert(path.clone()));
                left.extend(next);
            }
        }
    }
}

/// The values of a whole rule or a function, each with the names that are bound around it.
fn given(rule: &Rule) -> Vec<(&Ref<Expr>, BTreeSet<&str>)> {
    let (head, bodies) = match rule {
        Rule::Default { value, .. } => return vec![(value, BTreeSet::new())],
        Rule::Spec { head, bodies, .. } => (head, bodies),
    };
    let (args, assign): (&[_], _) = match head {
        RuleHead::Compr { refr, assign, .. } if path(refr).is_some() => (&[], assign),
        RuleHead::Func { args, assign, .. } => (args, assign),
        RuleHead::Compr { .. } | RuleHead::Set { .. } => return Vec::new(),
    };
    let first = assign.iter().map(|assign| (&assign.value, bodies.first()));
    let others = bodies.iter().skip(1);
    let others = others.filter_map(|body| Some((&body.assign.as_ref()?.value, Some(body))));
    first.chain(others).map(|(value, body)| (value, bound(args, body))).collect()
}

/// The names of arguments, and of a body by itself.
fn bound<'a>(args: &'a [Ref<Expr>], body: Option<&'a RuleBody>) -> BTreeSet<&'a str> {
    let mut names = BTreeSet::new();
    let mut note = |name: &'a Span| {
        names.insert(name.text());
    };
    for arg in args {
        binds::variables(arg, &mut note);
    }
    for stmt in body.iter().flat_map(|body| &body.query.stmts) {
        binds::of(stmt, &mut |binds| binds.names(&mut note));
    }
    names
}

/// The problem of an entrypoint that no module defines: what is there in its place, and which of it might be meant.
fn absent(modules: &[Ref<Module>], wanted: &[&str], name: &str) -> Problem {
    let package = wanted.get(..wanted.len() - 1).unwrap_or_default().join(".");
    let (mut packages, mut rules, mut refusing) = (BTreeSet::new(), BTreeSet::new(), BTreeSet::new());
    for module in modules {
        let path = path(&module.package.refr).unwrap_or_default();
        let of = path.join(".");
        for rule in &module.policy {
            if of == package {
                rules.extend(names::rule_path(&path, rule).get(path.len()).cloned());
            }
            if let Rule::Default { refr, args, value, .. } = rule.as_ref()
                && args.is_empty()
                && refuses(value)
                && let Some(rule) = names::path(refr)
            {
                refusing.insert(format!("`data.{of}.{}`", rule.join(".")));
            }
        }
        packages.insert(of);
    }
    let there = |names: BTreeSet<String>| {
        let few: Vec<String> = names.iter().take(FEW).map(|name| format!("`{name}`")).collect();
        few.join(", ") + if names.len() > FEW { " and others" } else { "" }
    };
    let why = if packages.is_empty() {
        "is defined as a whole by no module: there is none".to_owned()
    } else if !packages.contains(&package) {
        format!(
            "is defined as a whole by no module: there is no `package {package}`, but there is {}",
            there(packages)
        )
    } else if rules.is_empty() {
        format!("is defined as a whole by no module: `package {package}` has no rule")
    } else {
        format!("is defined as a whole by no module: `package {package}` has {}", there(rules))
    };
    let write = format!(
        "`default {name} := {{\"allow\": false}}` and `{name} := {{\"allow\": true}} if …` in `package {package}`"
    );
    let other = refusing.iter().take(FEW).cloned().collect::<Vec<_>>().join(" or ");
    let other = if other.is_empty() { "the full name of another rule".to_owned() } else { other };
    Problem::of(
        "",
        &format!("data.{package}.{name}"),
        why,
        format!("{write}; or {other} as `policy.entrypoint` and `--entrypoint`"),
    )
}

/// Whether the one rule of the entrypoint says without a condition what can never be missing, and refuses what no rule
/// speaks of: `decision := {"allow": allow, "rule": name}`, where `allow` has the default `false` and `name` has any.
fn always_decides(modules: &[Ref<Module>], entrypoint: &str) -> bool {
    let mut found = None;
    let mut known = Known::default();
    for module in modules {
        let package = names::package(module);
        for rule in &module.policy {
            let path = names::rule_path(&package, rule);
            match rule.as_ref() {
                Rule::Default { args, value, .. } if args.is_empty() => {
                    known.refusing.extend(refuses(value).then(|| path.clone()));
                    known.there.insert(path);
                }
                Rule::Spec { head: RuleHead::Set { refr, .. }, .. } if names::path(refr).is_some() => {
                    known.there.insert(path);
                }
                Rule::Spec { head: RuleHead::Compr { assign: Some(assign), .. }, bodies, .. }
                    if bodies.is_empty() && path.join(".") == entrypoint =>
                {
                    found = Some((module, &assign.value));
                }
                _ => {}
            }
        }
    }
    found.is_some_and(|(module, value)| known.defined(module, value) && known.refuses(module, value))
}

/// Rules that always have a value.
#[derive(Default)]
struct Known {
    /// Those with a default, and sets, which may be empty.
    there: BTreeSet<Path>,
    /// Those of them whose default refuses.
    refusing: BTreeSet<Path>,
}

impl Known {
    fn defined(&self, module: &Module, value: &Expr) -> bool {
        match value {
            Expr::String { .. }
            | Expr::RawString { .. }
            | Expr::Number { .. }
            | Expr::Bool { .. }
            | Expr::Null { .. }
            | Expr::ArrayCompr { .. }
            | Expr::SetCompr { .. }
            | Expr::ObjectCompr { .. } => true,
            Expr::Array { items, .. } | Expr::Set { items, .. } => {
                items.iter().all(|item| self.defined(module, item))
            }
            Expr::Object { fields, .. } => fields
                .iter()
                .all(|(_, name, value)| self.defined(module, name) && self.defined(module, value)),
            refr => rule(module, refr).is_some_and(|path| self.there.contains(&path)),
        }
    }

    fn refuses(&self, module: &Module, value: &Expr) -> bool {
        let allow =
            |name: &Expr| matches!(name, Expr::String { value, .. } if *value == Value::from("allow"));
        match value {
            Expr::Object { fields, .. } => fields.iter().any(|(_, name, value)| {
                allow(name) && rule(module, value).is_some_and(|path| self.refusing.contains(&path))
            }),
            refr => rule(module, refr).is_some_and(|path| self.refusing.contains(&path)),
        }
    }
}

/// The full name of the rule that an expression is no more than.
fn rule(module: &Module, refr: &Expr) -> Option<Path> {
    match refr {
        Expr::Var { .. } | Expr::RefDot { .. } | Expr::RefBrack { .. } => {
            path(refr).map(|path| names::resolve(module, &path))
        }
        _ => None,
    }
}

/// `false`, or an object literal whose `allow` is `false`.
fn refuses(value: &Expr) -> bool {
    match value {
        Expr::Bool { value, .. } => *value == Value::Bool(false),
        Expr::Object { fields, .. } => fields.iter().any(|(_, name, value)| {
            matches!(name.as_ref(), Expr::String { value, .. } if *value == Value::from("allow"))
                && matches!(value.as_ref(), Expr::Bool { value, .. } if *value == Value::Bool(false))
        }),
        _ => false,
    }
}
