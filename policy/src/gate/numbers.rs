//! Numbers that a policy writes: with a point or an exponent the engine keeps 64 bits of them, and of two that differ in
//! their last digits both would become the same. Whole ones of digits alone it keeps in full.

use regorus::unstable::{Expr, Module, Ref};

use super::walk::{self, Seen};
use crate::document::exact;
use crate::problem::{Problem, Problems};

/// Checks every number of all modules.
pub(super) fn check(modules: &[Ref<Module>], problems: &mut Problems) {
    for rule in modules.iter().flat_map(|module| &module.policy) {
        walk::rule(rule, &mut |seen| {
            if let Seen::Number(number) = seen {
                problems.extend(other(number));
            }
        });
    }
}

/// A number that would be kept as another.
pub(super) fn other(number: &Expr) -> Option<Problem> {
    let Expr::Number { span, .. } = number else { return None };
    let text = span.text();
    let digits = text.trim_start_matches('-');
    if digits.bytes().all(|byte| byte.is_ascii_digit()) || exact::is_kept(text) {
        return None;
    }
    let kept: f64 = text.parse().ok()?;
    let (why, instead) = if kept == 0.0 {
        (
            "is nearer to 0 than any number that is kept".to_owned(),
            "a number from 5e-324 on, or text".to_owned(),
        )
    } else if is_whole(digits) {
        let why = "has more digits than are kept of a number with a point or an exponent";
        (
            why.to_owned(),
            "all its digits without a point or an exponent: a whole number is kept in full".to_owned(),
        )
    } else {
        let kept = exact::float_as_go(kept);
        (format!("would be kept as {kept}, which to OPA is another number"), format!("`{kept}`"))
    };
    Some(Problem::of(span.source.get_path(), text, why, instead).at_span(span))
}

/// Whether nothing but zeros stands behind the point, where the exponent puts it.
fn is_whole(number: &str) -> bool {
    let (mantissa, exponent) = number.split_once(['e', 'E']).unwrap_or((number, "0"));
    let fraction = mantissa.split_once('.').map_or("", |(_, fraction)| fraction.trim_end_matches('0'));
    let digits = i64::try_from(fraction.len()).unwrap_or(i64::MAX);
    let zeros = if fraction.is_empty() { mantissa.split('.').next().unwrap_or_default() } else { "" };
    let zeros = zeros.len() - zeros.trim_end_matches('0').len();
    exponent.parse().is_ok_and(|exponent: i64| digits <= exponent.saturating_add_unsigned(zeros as u64))
}
