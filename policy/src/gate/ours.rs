//! Names that the translation writes beside those of the author, `not12_0_0__` and `x__12_local`: where both have one, a
//! rule would mean something else.

use std::collections::BTreeMap;

use regorus::unstable::{Module, Ref, Rule, Span};

use super::imports;
use super::names;
use super::walk::{self, Seen};
use crate::problem::{Problem, Problems};
use crate::translate::Translated;

/// Whether a name has the form of those that the translation writes: a word, numbers, `__`.
fn is(name: &str) -> bool {
    let digit = |c: char| c.is_ascii_digit();
    if let Some(before) = name.strip_suffix("__") {
        let numbers = before.trim_start_matches(|c: char| c.is_ascii_lowercase());
        let numbered = numbers.starts_with(digit) && numbers.len() < before.len();
        let numbered = numbered && numbers.chars().all(|c| digit(c) || c == '_');
        return numbered || before == "now" || before.starts_with("postern_");
    }
    let before = name.strip_suffix("_local").filter(|before| before.ends_with(digit));
    before.is_some_and(|before| before.trim_end_matches(digit).ends_with("__"))
}

/// Refuses such names of an author.
pub(super) fn check(modules: &[Ref<Module>], texts: &[Translated], problems: &mut Problems) {
    for (module, text) in modules.iter().zip(texts) {
        let mut found: BTreeMap<u32, &Span> = BTreeMap::new();
        let mut name = |span| {
            if is(Span::text(span)) && !text.is_ours(span.start) {
                found.insert(span.start, span);
            }
        };
        for rule in &module.policy {
            name(names::begin(head(rule)));
            walk::rule(rule, &mut |seen| match seen {
                Seen::Binds(bound, _) => name(bound),
                Seen::Ref(refr) => name(names::begin(refr)),
                Seen::Call { fcn, .. } => name(names::begin(fcn)),
                _ => {}
            });
        }
        problems.extend(found.into_values().map(|span| problem(span, span.text())));
        problems.extend(module.imports.iter().filter_map(|import| {
            let (alias, _) = imports::alias(import).filter(|(alias, _)| is(alias))?;
            Some(problem(&import.span, &alias))
        }));
    }
}

fn head(rule: &Rule) -> &regorus::unstable::Expr {
    match rule {
        Rule::Spec { head, .. } => names::head_name(head),
        Rule::Default { refr, .. } => refr,
    }
}

fn problem(span: &Span, name: &str) -> Problem {
    let why = "has the form of the names that Postern writes of its own beside those of a policy";
    Problem::of(span.source.get_path(), name, why, "another name, without the `__`").at_span(span)
}
