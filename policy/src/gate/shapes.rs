//! What a policy reads of the input, and what a `with` puts there, against the schema of the input: a member that the
//! input cannot have is undefined in every request, and `not input.reqest.denied` holds in each.

mod arguments;
mod compared;
mod contexts;
mod decided;
mod forms;
mod literal;
mod place;
mod scopes;
mod values;

use std::collections::{BTreeMap, BTreeSet};

use regorus::unstable::{Expr, Import, Module, Ref, Rule, Span, WithModifier};

use super::depth::Node;
use super::names::{self, Names, Path};
use super::walk::{self, Seen, Stands};
use crate::decision::DECISION;
use crate::problem::{Problem, Problems};
use contexts::Contexts;
use place::Place;
use scopes::Scopes;
use values::Values;

/// The definitions of each rule and function.
type Rules<'a> = BTreeMap<Path, Vec<(&'a Module, &'a Rule)>>;

/// Checks every module: what it calls with what, and, where `requests` are the input, what it reads of them; not so
/// those that OPA asks with an input of its own. Of an `entrypoint` also what it gives.
pub(super) fn check(
    modules: &[Ref<Module>],
    names: &Names,
    nodes: &BTreeMap<Path, Node>,
    requests: bool,
    entrypoint: Option<&str>,
    problems: &mut Problems,
) {
    let requests = |module: &Module| requests && !names::package(module).starts_with(&opas_own());
    // What many tests put in is told once.
    let mut said = BTreeSet::new();
    let mut found = |problem: Problem| {
        let full = problems.is_full();
        if full || said.insert((problem.file.clone(), problem.line, problem.column)) {
            problems.push(problem);
        }
    };
    let mut rules = Rules::new();
    for module in modules {
        if requests(module) {
            module.imports.iter().filter_map(import).for_each(&mut found);
        }
        let package = names::package(module);
        for rule in &module.policy {
            rules.entry(names::rule_path(&package, rule)).or_default().push((module, rule));
        }
    }
    let values = Values::of(modules, &requests);
    let entrypoint = entrypoint.map(|name| name.split('.').map(str::to_owned).collect::<Path>());
    if let Some(clauses) = entrypoint.and_then(|path| rules.get(&path)) {
        decided::given(clauses, names, &values, &mut found);
    }
    let mut contexts = Contexts::default();
    for path in contexts::callers_first(nodes) {
        let ways = contexts.of(path);
        for (module, rule) in rules.get(path).into_iter().flatten() {
            let mut told = Told::default();
            for arguments in &ways {
                let scopes = Scopes::new(module, &values, requests(module));
                let scopes = scopes.called_with(contexts::arguments(rule), arguments);
                told.add(look(scopes, names, (rule, &rules), &mut contexts), rule);
            }
            told.in_every_way(ways.len()).for_each(&mut found);
        }
    }
}

/// What is wrong in one rule, if it is called so.
fn look<'a>(
    mut scopes: Scopes<'a, '_>,
    names: &Names,
    (rule, rules): (&'a Rule, &Rules<'a>),
    contexts: &mut Contexts<'a>,
) -> Vec<Problem> {
    let mut found = Vec::new();
    walk::rule(rule, &mut |seen| match seen {
        Seen::Opens(stmts) => scopes.open(stmts),
        Seen::Closes => scopes.close(),
        Seen::Binds(name, member_of) => scopes.bind(name, member_of),
        Seen::Ref(refr) => found.extend(scopes.place(refr).err().map(|problem| *problem)),
        Seen::Call { fcn, params, stands, .. } => {
            if names.function(scopes.module(), &["object".to_owned(), "get".to_owned()]).is_none() {
                found.extend(object_get(&scopes, fcn, params));
            }
            found.extend(arguments::check(&scopes, names, rules, (fcn, params, stands != Stands::Inside)));
            found.extend(compared::begins(&scopes, names, fcn, params));
            contexts.call(&scopes, names, rule, fcn, params);
        }
        Seen::With(with) => {
            found.extend(replaced(&scopes, with));
            contexts.replaces(scopes.module(), names, &with.r#as);
        }
        Seen::Replaces(stmt) => scopes.replace(stmt),
        Seen::Restores => scopes.restore(),
        Seen::Compares(expr) => {
            found.extend(compared::check(&scopes, names, expr));
            found.extend(arguments::operands(&scopes, names, expr));
        }
        Seen::Object(_) | Seen::Number(_) | Seen::Comprehension(_) | Seen::Member(_) | Seen::Minus(_) => {}
    });
    found
}

/// What is wrong in the ways in which one rule is called.
#[derive(Default)]
struct Told(BTreeMap<(String, u32, u32), (usize, Problem)>);

impl Told {
    fn add(&mut self, found: Vec<Problem>, rule: &Rule) {
        let mut here = BTreeSet::new();
        for problem in found {
            let place = (problem.file.clone(), problem.line, problem.column);
            if here.insert(place.clone()) {
                // What the caller wrote is wrong for this call, whatever others write.
                let times = if within(rule, &problem) { 1 } else { usize::MAX / 2 };
                let (all, _) = self.0.entry(place).or_insert((0, problem));
                *all = all.saturating_add(times);
            }
        }
    }

    fn in_every_way(self, ways: usize) -> impl Iterator<Item = Problem> {
        self.0.into_values().filter(move |(times, _)| *times >= ways).map(|(_, problem)| problem)
    }
}

/// Whether a problem is of the text of a rule.
fn within(rule: &Rule, problem: &Problem) -> bool {
    let span = rule.span();
    let lines = u32::try_from(span.text().matches('\n').count()).unwrap_or(u32::MAX);
    problem.file == *span.source.get_path()
        && (span.line..=span.line.saturating_add(lines)).contains(&problem.line)
}

/// The package of the decisions that OPA asks about itself, on the log and on access to it.
fn opas_own() -> [String; 2] {
    ["data".to_owned(), "system".to_owned()]
}

/// What is wrong with what the entrypoint says, as far as it is written out; as [`crate::verdict`] reads it.
pub(super) fn decision(value: &Expr) -> Vec<Problem> {
    let problem = |why: &str, instead: &str| Some(at_span(value.span(), "decision", why, instead));
    let mut found = Vec::new();
    let beside = match value {
        Expr::Bool { .. } => None,
        Expr::Object { fields, .. } => {
            let member = |wanted: &str| fields.iter().find(|(_, name, _)| text_of(name) == Some(wanted));
            let allows = member("allow").map(|(_, _, value)| value.span().text());
            let plain = fields.iter().all(|(_, name, _)| text_of(name).is_some());
            literal::check(&Place::decision(), value, &mut |problem| found.push(problem));
            match allows {
                // What is wrong in its members is told first.
                _ if !found.is_empty() => None,
                None if plain => {
                    problem("has no member `allow`, which denies", "`\"allow\": true` or `false` in it")
                }
                Some("true") if member("deny").is_some() => {
                    problem("allows and has `deny`, which denies", "`deny` where `allow` is false")
                }
                _ => decided::written(value),
            }
        }
        _ if literal::can_be(DECISION, value) => None,
        _ => problem(
            "must be true, false or an object, and denies as it is",
            "`{\"allow\": true, …}`, or `false`",
        ),
    };
    found.extend(beside);
    found
}

fn text_of(expr: &Expr) -> Option<&str> {
    match expr {
        Expr::String { value, .. } | Expr::RawString { value, .. } => {
            value.as_string().ok().map(AsRef::as_ref)
        }
        _ => None,
    }
}

fn at_span(span: &Span, construct: &str, why: &str, instead: &str) -> Problem {
    Problem::of(span.source.get_path(), construct, why, instead).at_span(span)
}

fn import(import: &Import) -> Option<Problem> {
    let (mut rest, mut links) = (import.refr.as_ref(), Vec::new());
    while let Expr::RefDot { refr, .. } | Expr::RefBrack { refr, .. } = rest {
        links.push(rest);
        rest = refr;
    }
    let mut place = matches!(rest, Expr::Var { span, .. } if span.text() == "input").then(Place::input)?;
    for link in links.into_iter().rev() {
        let (name, at) = match link {
            Expr::RefDot { field, .. } => (field.1.as_string().ok()?.as_ref(), &field.0),
            Expr::RefBrack { index, .. } => (text_of(index)?, index.span()),
            _ => return None,
        };
        match place.member(name, at) {
            Ok(member) => place = member,
            Err(problem) => return Some(*problem),
        }
    }
    None
}

/// `object.get(input.request, "method", …)` reads as `input.request.method` does.
fn object_get<'a>(scopes: &Scopes<'a, '_>, fcn: &Expr, params: &'a [Ref<Expr>]) -> Option<Problem> {
    let (object, path) = match (names::path(fcn)?.as_slice(), params) {
        ([object, get], [from, path, ..]) if object == "object" && get == "get" => (from, path),
        _ => return None,
    };
    let places = scopes.known(object);
    // What is written out may lack what is asked for with a value in its place.
    if places.iter().any(|place| place.kind().is_none()) {
        return None;
    }
    let members: Vec<&Expr> = match scopes.literal(path) {
        Some(Expr::Array { items, .. }) => items.iter().map(AsRef::as_ref).collect(),
        _ => vec![path],
    };
    members
        .iter()
        .try_fold(places, |places, member| scopes.step(&places, member))
        .err()
        .map(|problem| *problem)
}

/// A `with` that replaces what the input has not, or puts in what it cannot be.
fn replaced<'a>(scopes: &Scopes<'a, '_>, with: &'a WithModifier) -> Option<Problem> {
    let target = names::constant(&with.refr);
    if names::resolve(scopes.module(), &target).first().is_none_or(|root| root != "input") {
        return None;
    }
    match scopes.place(&with.refr) {
        Err(problem) => Some(*problem),
        Ok(places) => match places.as_slice() {
            [place] if place.kind().is_some() => literal::put_in(scopes, place, &with.r#as),
            _ => None,
        },
    }
}
