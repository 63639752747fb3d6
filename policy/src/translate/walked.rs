//! `[path, value] := walk(x)`, written as the statement that the engine knows: `some path, value; walk(x, [path, value])`,
//! and `[path, value] = walk(x)` without the `some`.

use std::collections::BTreeSet;

use regorus::unstable::{AssignOp, Expr, Literal, LiteralStmt};

use super::Edit;
use crate::gate::names;

/// The edit for one statement; none where it is another, stands in a rule without braces, goes over many lines, or names
/// what it binds in what is walked.
pub(super) fn statement(text: &str, stmt: &LiteralStmt, bare: &BTreeSet<u32>) -> Option<Edit> {
    let Literal::Expr { expr, .. } = &stmt.literal else { return None };
    let Expr::AssignExpr { op, lhs, rhs, .. } = expr.as_ref() else { return None };
    let (Expr::Array { items, .. }, Expr::Call { fcn, params, .. }) = (lhs.as_ref(), rhs.as_ref()) else {
        return None;
    };
    let ([Expr::Var { span: path, .. }, Expr::Var { span: value, .. }], [_]) =
        (items.iter().map(AsRef::as_ref).collect::<Vec<&Expr>>().as_slice(), params.as_slice())
    else {
        return None;
    };
    let called = names::path(fcn).is_some_and(|called| called == ["walk"]);
    let declares = matches!(op, AssignOp::ColEq);
    if !called || !stmt.with_mods.is_empty() || (declares && bare.contains(&stmt.span.start)) {
        return None;
    }
    let written = text.get(stmt.span.start as usize..stmt.span.end as usize)?;
    let (_, call) = written.split_once(if declares { ":=" } else { "=" })?;
    let walked = call.trim().strip_prefix("walk(")?.strip_suffix(')')?;
    let (path, value) = (path.text(), value.text());
    let bound: Vec<&str> = [path, value].into_iter().filter(|name| *name != "_").collect();
    if path == value
        || written.contains(['\n', '#'])
        || walked.trim_end().ends_with(',')
        || names_any(walked, &bound)
    {
        return None;
    }
    let some =
        if bound.is_empty() || !declares { String::new() } else { format!("some {}; ", bound.join(", ")) };
    let text = format!("{some}walk({walked}, [{path}, {value}])");
    Some(Edit::new(stmt.span.start, stmt.span.end, text))
}

fn names_any(text: &str, names: &[&str]) -> bool {
    text.split(|c: char| !c.is_ascii_alphanumeric() && c != '_').any(|word| names.contains(&word))
}
