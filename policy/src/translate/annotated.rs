//! `rego.metadata.rule()` and `rego.metadata.chain()`: what the annotations say where the call stands, which is the
//! same for every decision. OPA's compiler puts it into the rule too.

use std::collections::{BTreeMap, BTreeSet};

use regorus::unstable::{Expr, Module, Ref, Rule};
use serde_json::{Value, json};

use super::{Edit, Translated};
use crate::gate::MISSING;
use crate::gate::names::{self, Names, Path};
use crate::gate::walk::{self, Seen, Stands};
use crate::metadata::Annotation;
use crate::problem::{Problem, Problems};

/// What stands in the place of both, with the value as JSON.
const CALL: &str = "internal.metadata";
/// Longest JSON for one call, in bytes: it is read at each.
const LONGEST: usize = 4_096;

/// The texts of all modules with the value for each call; none when nothing calls either. `annotations` are those of
/// each module.
pub(crate) fn values(
    modules: &[Ref<Module>],
    texts: &[Translated],
    annotations: &[&[Annotation]],
) -> Result<Option<Vec<Translated>>, Problems> {
    let names = Names::of(modules);
    let ours: Problems = modules.iter().flat_map(|module| called_ours(module, &names)).collect();
    if !ours.is_empty() {
        return Err(ours);
    }
    let twice = twice(modules, texts, annotations);
    if !twice.is_empty() {
        return Err(twice);
    }
    let calls: Vec<Vec<Call<'_>>> = modules.iter().map(|module| calls(module, &names)).collect();
    if calls.iter().all(Vec::is_empty) {
        return Ok(None);
    }
    let said = Said::of(modules, texts, annotations)?;
    let mut problems = Problems::default();
    let written =
        modules.iter().zip(texts).zip(&calls).enumerate().map(|(index, ((module, text), calls))| {
            let mut edits = Vec::new();
            for call in calls {
                let value = if call.chain {
                    said.chain(index, module, &text.stand_ins, call)
                } else {
                    said.rule(index, call)
                };
                match edit(call, &value) {
                    Ok(edit) => edits.push(edit),
                    Err((why, instead)) => {
                        let name = format!("rego.metadata.{}", if call.chain { "chain" } else { "rule" });
                        let problem = Problem::of(call.expr.source.get_path(), &name, why, instead);
                        problems.push(problem.at_span(call.expr));
                    }
                }
            }
            text.edited(edits).unwrap_or_else(|| text.clone())
        });
    let written = written.collect();
    if problems.is_empty() { Ok(Some(written)) } else { Err(problems) }
}

/// Annotations of a package, of a document, or of a package with all below it that has one already: OPA takes only one.
fn twice(modules: &[Ref<Module>], texts: &[Translated], annotations: &[&[Annotation]]) -> Problems {
    let mut known = BTreeSet::new();
    let mut problems = Problems::default();
    for (index, module) in modules.iter().enumerate() {
        let stand_ins = texts.get(index).map(|text| &text.stand_ins);
        for annotation in annotations.get(index).copied().unwrap_or_default() {
            let (about, path) = match about(module, annotation) {
                Some(About::Package) => ("package", names::package(module)),
                Some(About::Below) => ("tree of packages", names::package(module)),
                Some(About::Document(rule)) => ("document", rule_path(module, stand_ins, rule)),
                _ => continue,
            };
            // OPA looks for documents and trees in one place.
            if known.insert((about == "package", path)) {
                continue;
            }
            let source = &module.package.span.source;
            let why = format!("is the second for this {about}");
            let problem =
                Problem::of(source.get_path(), "METADATA", why, "all that is to be said of it in one place");
            problems.push(problem.at(annotation.begin, 1, source.get_contents()));
        }
    }
    problems
}

/// The author's calls of what only this file may write, which OPA does not have.
fn called_ours(module: &Module, names: &Names) -> Vec<Problem> {
    let mut found = Vec::new();
    for rule in &module.policy {
        walk::rule(rule, &mut |seen| {
            let Seen::Call { fcn, .. } = seen else { return };
            let called = names::path(fcn).filter(|called| called.join(".") == CALL);
            if called.is_some_and(|called| names.function(module, &called).is_none()) {
                let begin = names::begin(fcn);
                let problem = Problem::of(begin.source.get_path(), CALL, MISSING, "rego.metadata.rule()");
                found.push(problem.at_span(begin));
            }
        });
    }
    found
}

/// One call, and the rule it stands in.
struct Call<'a> {
    expr: &'a regorus::unstable::Span,
    chain: bool,
    params: &'a [Ref<Expr>],
    alone: bool,
    rule: usize,
    /// Annotations are about a rule's first value, none about what follows an `else`.
    otherwise: bool,
}

fn calls<'a>(module: &'a Module, names: &Names) -> Vec<Call<'a>> {
    let mut calls = Vec::new();
    for (index, rule) in module.policy.iter().enumerate() {
        let others = match rule.as_ref() {
            Rule::Spec { bodies, .. } => bodies.iter().find(|body| body.is_else),
            Rule::Default { .. } => None,
        };
        walk::rule(rule, &mut |seen| {
            let Seen::Call { span, fcn, params, stands } = seen else { return };
            let Some(called) = names::path(fcn) else { return };
            let chain = match called.iter().map(String::as_str).collect::<Vec<_>>()[..] {
                ["rego", "metadata", "chain"] => true,
                ["rego", "metadata", "rule"] => false,
                _ => return,
            };
            if names.function(module, &called).is_none() {
                let otherwise = others.is_some_and(|body| body.span.start <= span.start);
                let alone = stands == Stands::Alone;
                calls.push(Call { expr: span, chain, params, alone, rule: index, otherwise });
            }
        });
    }
    calls
}

/// The call with its value; where it has an argument, that takes the value.
fn edit(call: &Call<'_>, value: &Value) -> Result<Edit, (String, &'static str)> {
    let json = value.to_string();
    if json.len() > LONGEST {
        let why = format!("gives more than {LONGEST} bytes of annotations");
        return Err((why, "shorter annotations, or data"));
    }
    let result = match call.params {
        [] => String::new(),
        [result] => match result.as_ref() {
            Expr::Var { span, .. } if call.alone => format!("{} = ", span.text()),
            _ => return Err(("takes no arguments".to_owned(), "x := rego.metadata.…()")),
        },
        _ => return Err(("takes no arguments".to_owned(), "x := rego.metadata.…()")),
    };
    let lines = "\n".repeat(call.expr.text().matches('\n').count());
    let text = format!("{result}{CALL}({}{lines})", Value::from(json));
    Ok(Edit::new(call.expr.start, call.expr.end, text))
}

/// What an annotation is about.
enum About<'a> {
    Package,
    /// The package with all below it.
    Below,
    Document(&'a Rule),
    /// With its number in the module.
    Rule(usize, &'a Rule),
}

fn about<'a>(module: &'a Module, annotation: &Annotation) -> Option<About<'a>> {
    let below = |line: u32| line > annotation.begin;
    let scope = annotation.scope.as_deref();
    if below(module.package.span.line) {
        return Some(if scope == Some("subpackages") { About::Below } else { About::Package });
    }
    let (number, rule) = module.policy.iter().enumerate().find(|(_, rule)| below(rule.span().line))?;
    let of_document = scope.map_or(annotation.entrypoint, |scope| scope == "document");
    Some(if of_document { About::Document(rule) } else { About::Rule(number, rule) })
}

/// An annotation with its path, as a link of a chain.
struct Link {
    path: Path,
    annotations: Value,
}

impl Link {
    fn value(&self) -> Value {
        json!({"path": shown(&self.path), "annotations": self.annotations})
    }
}

/// Without the `data` that all of them begin with.
fn shown(path: &[String]) -> &[String] {
    path.get(1..).unwrap_or_default()
}

/// All annotations, by what they are about.
#[derive(Default)]
struct Said {
    /// By module and rule, in the order of the text.
    rules: BTreeMap<(usize, usize), Vec<Link>>,
    packages: BTreeMap<Path, Link>,
    /// Of documents and of packages with all below them: OPA looks for both in one place.
    paths: BTreeMap<Path, Link>,
}

impl Said {
    fn of(
        modules: &[Ref<Module>],
        texts: &[Translated],
        annotations: &[&[Annotation]],
    ) -> Result<Self, Problems> {
        let mut said = Self::default();
        let mut problems = Problems::default();
        for (index, module) in modules.iter().enumerate() {
            let stand_ins = texts.get(index).map(|text| &text.stand_ins);
            for annotation in annotations.get(index).copied().unwrap_or_default() {
                let path = |rule: &Rule| rule_path(module, stand_ins, rule);
                if let Err(why) = said.add((index, module), annotation, path) {
                    let source = &module.package.span.source;
                    let problem = Problem::of(source.get_path(), "METADATA", why, "");
                    problems.push(problem.at(annotation.begin, 1, source.get_contents()));
                }
            }
        }
        if problems.is_empty() { Ok(said) } else { Err(problems) }
    }

    fn add(
        &mut self,
        (index, module): (usize, &Module),
        annotation: &Annotation,
        path: impl Fn(&Rule) -> Path,
    ) -> Result<(), String> {
        let members = annotation.members()?;
        let link = |path: Path, scope: &str| {
            let mut members = members.clone();
            members.insert("scope".to_owned(), Value::from(scope));
            Link { path, annotations: Value::Object(members) }
        };
        // What stands before something else than its scope says was told already.
        let Some(about) = about(module, annotation) else { return Ok(()) };
        match about {
            About::Package => {
                let path = names::package(module);
                self.packages.insert(path.clone(), link(path, "package"));
            }
            About::Below => {
                let path = names::package(module);
                self.paths.insert(path.clone(), link(path, "subpackages"));
            }
            About::Document(rule) => {
                let path = path(rule);
                self.paths.insert(path.clone(), link(path, "document"));
            }
            About::Rule(number, rule) => {
                self.rules.entry((index, number)).or_default().push(link(path(rule), "rule"));
            }
        }
        Ok(())
    }

    /// Of several annotations above one rule, the first.
    fn rule(&self, module: usize, call: &Call<'_>) -> Value {
        let links = self.of_rule(module, call);
        links.first().map_or_else(|| json!({}), |link| link.annotations.clone())
    }

    /// From the rule outwards; of several annotations above one rule, the nearest first.
    fn chain(
        &self,
        index: usize,
        module: &Module,
        stand_ins: &super::keywords::StandIns,
        call: &Call<'_>,
    ) -> Value {
        let path = module.policy.get(call.rule).map(|rule| rule_path(module, Some(stand_ins), rule));
        let path = path.unwrap_or_default();
        let mut chain: Vec<Value> = self.of_rule(index, call).iter().rev().map(Link::value).collect();
        if chain.is_empty() {
            chain.push(json!({"path": shown(&path)}));
        }
        let package = names::package(module);
        chain.extend(self.paths.get(&path).map(Link::value));
        chain.extend(self.packages.get(&package).map(Link::value));
        let around = (1..=package.len()).rev().filter_map(|end| self.paths.get(package.get(..end)?));
        chain.extend(around.map(Link::value));
        Value::from(chain)
    }

    fn of_rule(&self, module: usize, call: &Call<'_>) -> &[Link] {
        let links = self.rules.get(&(module, call.rule)).filter(|_| !call.otherwise);
        links.map_or(&[], Vec::as_slice)
    }
}

/// The full name of a rule, as its author wrote it.
fn rule_path(module: &Module, stand_ins: Option<&super::keywords::StandIns>, rule: &Rule) -> Path {
    let package = names::package(module);
    let mut path = names::rule_path(&package, rule);
    if let Some(first) = path.get_mut(package.len())
        && let Some(keyword) = stand_ins.and_then(|stand_ins| stand_ins.get(first))
    {
        *first = (*keyword).to_owned();
    }
    path
}
