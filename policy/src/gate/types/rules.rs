//! The types of what rules and functions give, each found once.

use std::cell::{Cell, RefCell};
use std::collections::{BTreeMap, BTreeSet};

use regorus::Value;
use regorus::unstable::{Expr, Module, Ref, Rule, RuleHead};

use super::super::names::{self, Names, Path};
use super::super::walk::{is_scalar, parts};
use super::scope::Scope;
use super::{ANYTHING, MOST, Type};

/// Rules that are followed one from the other; what comes behind may be anything.
const DEEPEST: usize = 100;

pub(super) struct Rules<'a> {
    pub(super) names: &'a Names,
    written: BTreeMap<Path, Vec<(&'a Module, &'a Rule)>>,
    /// Those that have a value in every request, functions of their arguments.
    always: BTreeSet<Path>,
    /// None where it is being looked for: it reads itself.
    found: RefCell<BTreeMap<Path, Option<Type>>>,
    open: Cell<usize>,
}

impl<'a> Rules<'a> {
    pub(super) fn of(modules: &'a [Ref<Module>], names: &'a Names) -> Self {
        let mut rules = BTreeMap::<Path, Vec<_>>::new();
        for module in modules {
            let package = names::package(module);
            for rule in &module.policy {
                rules
                    .entry(names::rule_path(&package, rule))
                    .or_default()
                    .push((module.as_ref(), rule.as_ref()));
            }
        }
        let always = rules.iter().filter(|(_, rules)| rules.iter().any(|(_, rule)| sure(rule)));
        let always = always.map(|(path, _)| path.clone()).collect();
        Self { names, written: rules, always, found: RefCell::default(), open: Cell::new(0) }
    }

    pub(super) fn defines(&self, path: &[String]) -> bool {
        self.written.contains_key(path)
    }

    /// What stands at a path: what a rule or a function gives there, or the object that rules below are members of.
    pub(super) fn at(&self, path: &[String]) -> Type {
        if !self.defines(path) && !self.names.defines_below(path) {
            return ANYTHING;
        }
        if let Some(found) = self.found.borrow().get(path) {
            return found.clone().unwrap_or(ANYTHING);
        }
        if self.open.get() >= DEEPEST {
            return ANYTHING;
        }
        self.found.borrow_mut().insert(path.to_vec(), None);
        self.open.set(self.open.get() + 1);
        let found = self.look(path);
        self.open.set(self.open.get() - 1);
        self.found.borrow_mut().insert(path.to_vec(), Some(found.clone()));
        found
    }

    /// Whether a rule, or a function of its arguments, has a value in every request.
    pub(super) fn always(&self, path: &[String]) -> bool {
        self.always.contains(path)
    }

    fn look(&self, path: &[String]) -> Type {
        let mut below: Vec<&str> = Vec::new();
        for name in self.names.members(path) {
            if below.last() != Some(&name) {
                below.push(name);
            }
            if below.len() > MOST {
                break;
            }
        }
        let Some(rules) = self.written.get(path) else {
            let member = |name: &str| {
                let path: Path = path.iter().cloned().chain([name.to_owned()]).collect();
                // A function is no member.
                self.names.arities(&path).is_none().then(|| (Value::from(name), self.at(&path)))
            };
            let members =
                if below.len() > MOST { Vec::new() } else { below.into_iter().filter_map(member).collect() };
            return Type::Object(members, Some(Box::new((Type::Text, ANYTHING)))).bounded();
        };
        let mut all = Vec::new();
        for (module, rule) in rules {
            given(self, module, rule, &mut all);
        }
        if !below.is_empty() {
            let at = |name: &str| self.at(&path.iter().cloned().chain([name.to_owned()]).collect::<Path>());
            let values = if below.len() > MOST { None } else { Type::any(below.into_iter().map(at)) };
            all.push(Type::object_of(Type::Text, values.unwrap_or(ANYTHING)));
        }
        Type::any(all.into_iter()).unwrap_or(ANYTHING)
    }
}

/// What one rule gives, in each of its bodies.
fn given<'a>(rules: &Rules<'a>, module: &'a Module, rule: &'a Rule, all: &mut Vec<Type>) {
    let mut scope = Scope::new(module, rules);
    let (head, bodies) = match rule {
        Rule::Default { value, .. } => return all.push(scope.of(value)),
        Rule::Spec { head, bodies, .. } => (head, bodies),
    };
    scope.arguments(rule);
    let first = bodies.first().map_or(&[][..], |body| body.query.stmts.as_slice());
    let value = |scope: &mut Scope<'a, '_>, assign: Option<&'a Ref<Expr>>| match assign {
        Some(value) => scope.of(value),
        None => Type::Bool,
    };
    let (refr, set) = match head {
        RuleHead::Compr { refr, assign, .. } => {
            let given = scope.query(first, |scope| {
                let given = value(scope, assign.as_ref().map(|assign| &assign.value));
                scope.nested(refr, given)
            });
            all.push(given);
            (refr, false)
        }
        RuleHead::Func { refr, assign, .. } => {
            all.push(scope.query(first, |scope| value(scope, assign.as_ref().map(|assign| &assign.value))));
            (refr, false)
        }
        RuleHead::Set { refr, key, .. } => {
            let given = scope.query(first, |scope| {
                let item = key.as_ref().map_or(ANYTHING, |key| scope.of(key));
                scope.nested(refr, Type::set_of(item))
            });
            all.push(given);
            (refr, true)
        }
    };
    for body in bodies.iter().skip(1) {
        all.push(if set {
            ANYTHING
        } else {
            scope.query(&body.query.stmts, |scope| {
                let given = value(scope, body.assign.as_ref().map(|assign| &assign.value));
                scope.nested(refr, given)
            })
        });
    }
}

/// Whether a rule has a value in every request.
fn sure(rule: &Rule) -> bool {
    let Rule::Spec { head, bodies, .. } = rule else { return true };
    let assign = match head {
        // What is made of members is there without any.
        RuleHead::Set { .. } => return true,
        RuleHead::Compr { refr, .. } if names::path(refr).is_none() => return true,
        // A pattern may not fit.
        RuleHead::Func { args, .. } if args.iter().any(|arg| !matches!(arg.as_ref(), Expr::Var { .. })) => {
            return false;
        }
        RuleHead::Compr { assign, .. } | RuleHead::Func { assign, .. } => assign,
    };
    let plain = bodies.iter().all(|body| body.query.stmts.is_empty());
    plain && assign.as_ref().is_some_and(|assign| given_always(&assign.value, DEEPEST))
}

/// Whether an expression has a value in every request.
fn given_always(expr: &Expr, depth: usize) -> bool {
    let mut inside = Vec::new();
    match expr {
        Expr::ArrayCompr { .. } | Expr::SetCompr { .. } | Expr::ObjectCompr { .. } => return true,
        Expr::Array { .. } | Expr::Set { .. } | Expr::Object { .. } | Expr::BinExpr { .. } => {
            parts(expr, &mut |part| inside.push(part));
        }
        Expr::Call { fcn, params, .. } if names::path(fcn).is_some_and(|called| called == ["count"]) => {
            inside.extend(params.iter().map(AsRef::as_ref));
        }
        _ => return is_scalar(expr),
    }
    depth > 0 && inside.into_iter().all(|part| given_always(part, depth - 1))
}
