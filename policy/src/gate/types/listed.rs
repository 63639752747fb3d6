//! A text of the input in the brackets of a list, whose members are asked for by numbers: never there, so that `not` of it
//! always holds.

use regorus::unstable::Expr;

use super::super::names;
use super::super::walk::constant;
use super::Type;
use super::scope::{Scope, is_text};
use crate::problem::Problem;

pub(super) fn check<'a>(scope: &mut Scope<'a, '_>, refr: &'a Expr, index: &'a Expr) -> Option<Problem> {
    if constant(index).is_some() {
        return None;
    }
    let (path, kind) = scope.input(index)?;
    if !is_text(kind) || !matches!(scope.of(refr), Type::List(..)) {
        return None;
    }
    let at = names::begin(refr);
    let list = at.source.get_contents().get(at.start as usize..refr.span().end.max(at.end) as usize);
    let short = |text: &&str| text.chars().count() <= 60 && !text.contains('\n');
    let list = list.filter(short).unwrap_or("the list");
    let construct = format!("{list}[{path}]");
    let why = "is never there: a list has its members by numbers, and this is text";
    let instead = format!("`{path} in {list}`");
    Some(Problem::of(at.source.get_path(), &construct, why, instead).at_span(at))
}
