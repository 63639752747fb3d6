//! Calls whose arguments stand the other way round: OPA answers them, with false for nearly every request.

use regorus::unstable::{Expr, Ref};

use super::super::names;
use super::super::walk::constant;
use super::scope::Scope;
use crate::problem::Problem;

pub(super) fn check<'a>(scope: &Scope<'a, '_>, expr: &'a Expr) -> Option<Problem> {
    let Expr::Call { fcn, params, .. } = expr else { return None };
    let called = names::path(fcn)?;
    if scope.rules.names.function(scope.module, &called).is_some() {
        return None;
    }
    let name = called.join(".");
    let first = params.first()?;
    let (takes, other, is_so) = match (name.as_str(), params.as_slice()) {
        ("startswith" | "endswith" | "trim_prefix" | "trim_suffix", [text, part, ..]) => {
            ("the text before a part of it", part, written(text).is_some() && is_text(scope, part))
        }
        ("split", [text, part, ..]) => {
            let mark = |text: &str| text.chars().count() <= 2 && !text.chars().any(char::is_alphanumeric);
            ("the text before what parts it", part, written(text).is_some_and(mark) && is_text(scope, part))
        }
        ("contains", [text, part, ..]) => {
            let long = ["input.request.path", "input.caller.id"];
            let reads = scope.input(part).is_some_and(|(path, _)| long.contains(&path.as_str()));
            // A list in a text, and a text that may begin with such a one.
            let whole = |text: &str| !text.contains([' ', ',', ';', '|']) && !text.contains("://");
            ("the text before a part of it", part, written(text).is_some_and(whole) && reads)
        }
        ("regex.match", [pattern, text, ..]) => {
            let is_pattern = |text: &str| text.starts_with('^') || text.ends_with('$') || text.contains(".*");
            let given = written(text).is_some_and(is_pattern);
            ("the pattern before the text", text, given && is_text(scope, pattern))
        }
        ("glob.match", [pattern, _, text, ..]) => {
            let given = written(text).is_some_and(|text| text.contains('*'));
            ("the pattern before the text", text, given && is_text(scope, pattern))
        }
        ("net.cidr_contains", [range, address, ..]) => {
            let given = written(address).is_some_and(|text| text.contains('/'));
            ("the range before the address", address, given && is_text(scope, range))
        }
        _ => return None,
    };
    if !is_so {
        return None;
    }
    let mut given: Vec<&str> = params.iter().map(|param| text(param)).collect();
    let at = params.iter().position(|param| std::ptr::eq(param, other))?;
    given.swap(0, at);
    let why = format!("takes {takes}, and is given them the other way round");
    let at = names::begin(first);
    let instead = format!("`{name}({})`", given.join(", "));
    Some(Problem::of(at.source.get_path(), &name, why, instead).at_span(names::begin(fcn)))
}

/// A text that is written out.
fn written(expr: &Expr) -> Option<&str> {
    constant(expr)?.as_string().ok().map(AsRef::as_ref)
}

fn is_text(scope: &Scope<'_, '_>, expr: &Ref<Expr>) -> bool {
    scope.input(expr).is_some_and(|(_, kind)| super::scope::is_text(kind))
}

/// As it is written; the engine's span of a text stands within its quotes.
fn text(expr: &Expr) -> &str {
    let (from, to) = (names::begin(expr), expr.span());
    let quote = u32::from(matches!(expr, Expr::String { .. } | Expr::RawString { .. }));
    let (from, to) = (from.start.saturating_sub(quote), to.end.max(from.start).saturating_add(quote));
    expr.span().source.get_contents().get(from as usize..to as usize).unwrap_or_default()
}
