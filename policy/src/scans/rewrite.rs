//! What to write instead of a search, made from the author's own names.

use regorus::unstable::Expr;

use crate::gate::names;

/// Longest text of an expression in an advice.
const LONGEST: usize = 80;

/// One side of an equality that picks a member: the variable that it begins with, or none where it begins with the loop
/// itself (`data.list[_].id`), and the field that is compared, if it is not the member itself.
pub(super) fn picked(side: &Expr) -> Option<(Option<&str>, Option<&str>)> {
    match side {
        Expr::Var { span, .. } => Some((Some(span.text()), None)),
        Expr::RefBrack { .. } => Some((None, None)),
        Expr::RefDot { refr, field, .. } => match refr.as_ref() {
            Expr::Var { span, .. } => Some((Some(span.text()), Some(field.0.text()))),
            Expr::RefBrack { .. } => Some((None, Some(field.0.text()))),
            _ => None,
        },
        _ => None,
    }
}

/// Whether an expression reads a variable, by its text.
pub(super) fn mentions(expr: &Expr, name: Option<&str>) -> bool {
    let text = text(expr);
    // A member of another value, behind a dot, may have the same name.
    let words = text.split(|c: char| !(c.is_alphanumeric() || matches!(c, '_' | '.')));
    let mut words = words.filter_map(|word| word.split('.').next());
    name.is_some_and(|name| words.any(|word| word == name))
}

/// A collection keyed by what it is searched for.
pub(super) fn keyed(collection: &str, member: Option<&str>, field: Option<&str>, wanted: &str) -> String {
    let name = collection.rsplit(['.', ']']).next().filter(|name| !name.is_empty()).unwrap_or("members");
    match (field, member) {
        (Some(field), Some(member)) => format!(
            "`{member} := {collection}[{wanted}]` over data keyed by `{field}`: {{\"{name}\": {{\"{}\": {{…}}}}}}",
            field.to_uppercase()
        ),
        (Some(field), None) => format!(
            "`{collection}[{wanted}]` over data keyed by `{field}`: {{\"{name}\": {{\"{}\": {{…}}}}}}",
            field.to_uppercase()
        ),
        (None, _) => {
            format!(
                "`{collection}[{wanted}]` over data with a member for each: {{\"{name}\": {{\"…\": true}}}}"
            )
        }
    }
}

/// The text of an expression, as its author wrote it.
pub(super) fn text(expr: &Expr) -> String {
    let (begin, end) = (names::begin(expr), expr.span());
    let text = begin.source.get_contents().get(begin.start as usize..(end.end.max(begin.end)) as usize);
    text.unwrap_or_default().chars().take(LONGEST).collect()
}
