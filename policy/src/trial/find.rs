//! Finds the tests, and prepares their text: what the engine would run together is told apart.

use std::collections::BTreeMap;
use std::ops::RangeInclusive;
use std::time::Duration;

use regorus::Value;
use regorus::unstable::{Expr, Module, Ref, Rule, RuleHead, Span};

use super::cases;
use super::{Test, TestOutcome};
use crate::gate::names;
use crate::kind::written;
use crate::sources::Sources;
use crate::translate::{Edit, Translated};
use crate::verdict::Cause;

/// A test, and what the engine is asked for.
pub(super) struct Found {
    pub(super) test: Test,
    /// Full name of the rule.
    pub(super) rule: String,
    /// The keys in its head, as they are written: where there are any it is many cases.
    pub(super) keys: Vec<String>,
    /// Place of its module in the list, and its own in the module.
    pub(super) at: (usize, usize),
    /// Where it stands.
    pub(super) lines: RangeInclusive<u32>,
}

/// What is called as a test and is none: OPA fails it.
const FUNCTION: &str = "a test takes no arguments: another name for the function";
const DEFAULT: &str = "a test has no default: it fails where it is undefined";

const CONSTANT: &str = "a test whose head has constant keys alone fails in OPA whatever its body says: a name without keys, `test_a_b`";

const BELOW: &str = "opa runs a test below another name, Postern does not: a name without dots, `test_x_a`";

fn called_test(name: &str) -> bool {
    name.starts_with("test_") || name.starts_with("todo_test_")
}

/// All tests in order, and the texts with their names and cases told apart, where that is needed.
pub(super) fn tests(
    sources: &Sources,
    modules: &[Ref<Module>],
    texts: &[Translated],
) -> (Vec<Found>, Option<Vec<Translated>>) {
    let mut found = Vec::new();
    let mut counts: BTreeMap<String, u32> = BTreeMap::new();
    let mut edited = Vec::new();
    let mut any = false;
    // The engine keeps the order of the modules.
    for (index, (module, text)) in modules.iter().zip(texts).enumerate() {
        let Some(source) = sources.modules.get(text.of) else { continue };
        let author = source.text.as_str();
        let mut edits = Vec::new();
        let path = names::package(module);
        let package = called(&path);
        for (number, rule) in module.policy.iter().enumerate() {
            let (span, refr, none) = match rule.as_ref() {
                Rule::Spec { span, head: head @ RuleHead::Func { .. }, .. } => {
                    (span, names::head_name(head), Some(FUNCTION))
                }
                Rule::Spec { span, head, bodies } => {
                    let refr = names::head_name(head);
                    let keyed = matches!(refr.as_ref(), Expr::RefDot { .. } | Expr::RefBrack { .. });
                    let none = keyed && !bodies.is_empty() && cases::constant(refr);
                    (span, refr, none.then_some(CONSTANT))
                }
                // Beside the rule that it is the default of, it changes nothing.
                Rule::Default { refr, .. } if asked_of(modules, &path, names::begin(refr).text()) => {
                    continue;
                }
                Rule::Default { span, refr, .. } => (span, refr, Some(DEFAULT)),
            };
            let begin = names::begin(refr);
            let mut name = begin.text().to_owned();
            let mut none = none;
            if !called_test(&name) {
                let path = names::constant(refr);
                if !path.iter().skip(1).any(|name| called_test(name)) {
                    continue;
                }
                name = path.join(".");
                none = Some(BELOW);
            }
            if let Some(why) = none {
                let mut test = test(&package, &name, begin, text.restored(author, begin.line, begin.col));
                if test.outcome != TestOutcome::Skipped {
                    test.outcome = TestOutcome::Error(Cause::Error { detail: why.to_owned() });
                    let (rule, at) = (asked(module, &name), (index, number));
                    found.push(Found { test, rule, keys: Vec::new(), at, lines: lines(span) });
                }
                continue;
            }
            let used = counts.entry(format!("{package}.{name}")).or_default();
            let (shown, inner) = match *used {
                0 => (name.clone(), name.clone()),
                again => (format!("{name}#{again:02}"), format!("{name}__again_{again:02}")),
            };
            *used += 1;
            if inner != name {
                edits.push(Edit::new(begin.start, begin.end, inner.clone()));
            }
            let keys = cases::keys(rule, refr);
            edits.extend(cases::edits(rule, &keys));
            found.push(Found {
                test: test(&package, &shown, begin, text.restored(author, begin.line, begin.col)),
                rule: asked(module, &inner),
                keys,
                at: (index, number),
                lines: lines(span),
            });
        }
        // What the engine read is edited, which need not be what its author wrote; no edit has a line's end.
        let new = text.edited(edits);
        any |= new.is_some();
        edited.push(new.unwrap_or_else(|| text.clone()));
    }
    (found, any.then_some(edited))
}

/// Whether a package has a rule of this name that is no default.
fn asked_of(modules: &[Ref<Module>], package: &[String], name: &str) -> bool {
    let of = modules.iter().filter(|module| names::package(module) == package);
    of.flat_map(|module| &module.policy).any(|rule| match rule.as_ref() {
        Rule::Spec { head, .. } => names::begin(names::head_name(head)).text() == name,
        Rule::Default { .. } => false,
    })
}

/// Words that OPA writes in brackets behind a name.
const KEYWORDS: [&str; 15] = [
    "as", "contains", "default", "else", "every", "false", "if", "import", "in", "not", "null", "package",
    "some", "true", "with",
];

/// A package as OPA names it: `data.a["b-c"]`.
fn called(package: &[String]) -> String {
    let mut members = package.iter();
    let root = members.next().cloned().unwrap_or_default();
    members.fold(root, |name, member| {
        let keyword = KEYWORDS.contains(&member.as_str());
        name + &if keyword { format!("[\"{member}\"]") } else { written(member) }
    })
}

/// The rule's name as the engine is asked for it: a package may have members that are no names.
fn asked(module: &Module, name: &str) -> String {
    let package = names::package(module).into_iter().skip(1);
    let path: Vec<String> = package.map(|part| format!("[{}]", Value::from(part))).collect();
    format!("data{}.{name}", path.concat())
}

fn test(package: &str, name: &str, begin: &Span, (line, column): (u32, u32)) -> Test {
    let skipped = name.starts_with("todo_");
    Test {
        package: package.to_owned(),
        name: name.to_owned(),
        file: begin.source.get_path().clone(),
        line,
        column,
        outcome: if skipped { TestOutcome::Skipped } else { TestOutcome::Failed },
        elapsed: Duration::ZERO,
        output: Vec::new(),
        cases: Vec::new(),
        stopped: None,
    }
}

/// The lines from the beginning to the end of a text.
pub(super) fn lines(span: &Span) -> RangeInclusive<u32> {
    let more = span.text().trim_end().matches('\n').count();
    span.line..=span.line.saturating_add(u32::try_from(more).unwrap_or(u32::MAX))
}
