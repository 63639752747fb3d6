//! Rules and imports with a name that OPA itself calls something by: `gte`, which is what `a >= b` calls there, and would
//! be the policy's own function then. To the engine operators have no names.

use regorus::unstable::{Module, Rule, Span};

use super::imports;
use super::names;
use crate::problem::{Problem, Problems};

/// Each name, and what OPA calls by it.
const CALLED: [(&str, &str); 15] = [
    ("and", "&"),
    ("assign", ":="),
    ("div", "/"),
    ("eq", "="),
    ("equal", "=="),
    ("gt", ">"),
    ("gte", ">="),
    ("lt", "<"),
    ("lte", "<="),
    ("minus", "-"),
    ("mul", "*"),
    ("neq", "!="),
    ("or", "|"),
    ("plus", "+"),
    ("rem", "%"),
];

/// Checks every rule and every import of one module.
pub(super) fn check(module: &Module, problems: &mut Problems) {
    for rule in &module.policy {
        let refr = match rule.as_ref() {
            Rule::Spec { head, .. } => names::head_name(head),
            Rule::Default { refr, .. } => refr,
        };
        let name = names::begin(refr);
        let members = names::constant(refr);
        if let ([called], Some(sign)) = (members.as_slice(), sign(name.text())) {
            problems.push(problem(name, called, sign));
        } else if matches!(members.as_slice(), [a, b] if a == "internal" && b.starts_with("member_")) {
            problems.push(problem(name, &members.join("."), "in"));
        } else if members == ["contains"] {
            let why = "is a keyword, which OPA takes for no rule's name";
            problems.push(Problem::of(name.source.get_path(), "contains", why, "another name").at_span(name));
        }
    }
    for import in &module.imports {
        if let Some((alias, _)) = imports::alias(import)
            && let Some(sign) = sign(&alias)
        {
            problems.push(problem(&import.span, &alias, sign));
        }
    }
}

/// The operator that OPA calls so.
pub(super) fn sign(name: &str) -> Option<&'static str> {
    CALLED.iter().find(|(called, _)| *called == name).map(|(_, sign)| *sign)
}

/// What OPA calls this operator.
pub(super) fn called(sign: &str) -> Option<&'static str> {
    CALLED.iter().find(|(_, of)| *of == sign).map(|(called, _)| *called)
}

fn problem(span: &Span, name: &str, sign: &str) -> Problem {
    let why = format!("is what OPA calls for `{sign}`, everywhere in this package");
    Problem::of(span.source.get_path(), name, why, "another name").at_span(span)
}
