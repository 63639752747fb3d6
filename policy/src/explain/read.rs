//! What a statement reads: references to input, data, rules and names that have a value already, and calls of the
//! policy's own functions.

use std::collections::BTreeSet;

use regorus::unstable::{Expr, Module};

use super::clause::{Open, What};
use super::{Policy, full, is_rule, text};
use crate::gate::names::{self, Path};
use crate::gate::walk::{self, Seen};

/// Most values that are told of one statement.
const MOST: usize = 12;

/// What one statement reads.
#[derive(Default)]
pub(super) struct Reads {
    /// Each reference once, as it can be asked.
    pub(super) values: Vec<String>,
    /// Full names of the rules that it reads.
    pub(super) rules: BTreeSet<Path>,
    /// Functions that it calls, and their arguments as they can be asked.
    pub(super) calls: Vec<(Path, Vec<String>)>,
}

/// What a step of a clause reads, where the steps before it have given these names their values.
pub(super) fn of_step(
    policy: &Policy<'_>,
    open: &Open<'_>,
    what: What<'_>,
    bound: &BTreeSet<String>,
) -> Reads {
    let mut seen = Vec::new();
    match what {
        What::Statement(stmt) => walk::statement(stmt, &mut |one| seen.push(one)),
        What::Value(value) => walk::expression(value, &mut |one| seen.push(one)),
        What::Pattern => {}
    }
    // Under a `with` the same words have other values.
    let mocked = seen.iter().any(|one| matches!(one, Seen::With(_)));
    let mut here = bound.clone();
    for one in &seen {
        if let Seen::Binds(name, _) = one {
            here.remove(name.text());
        }
    }
    let own: BTreeSet<&str> = seen
        .iter()
        .filter_map(|one| if let Seen::Binds(name, _) = one { Some(name.text()) } else { None })
        .collect();
    let mut reads = Reads::default();
    for one in &seen {
        match one {
            Seen::Ref(refr) => {
                let begin = names::begin(refr).text();
                if own.contains(begin) {
                    continue;
                }
                let path = full(open.module, &names::constant(refr));
                let known = matches!(begin, "input" | "data") || here.contains(begin);
                let rule = !here.contains(begin) && begin != "input" && is_rule(policy.names, &path);
                if rule {
                    reads.rules.insert(path);
                }
                let imported = names::through_imports(open.module, &[begin.to_owned()]).is_some();
                if mocked || !(known || rule || imported) {
                    continue;
                }
                let text = askable(refr, &here);
                if text.len() < 400 && text != "input" && text != "data" && !reads.values.contains(&text) {
                    reads.values.push(text);
                }
            }
            Seen::Call { fcn, params, .. } if !mocked => {
                reads.calls.extend(call(policy, open.module, fcn, params, &here, &own));
            }
            Seen::Call { .. }
            | Seen::With(_)
            | Seen::Binds(..)
            | Seen::Opens(_)
            | Seen::Object(_)
            | Seen::Member(_)
            | Seen::Closes
            | Seen::Compares(_) => {}
        }
    }
    reads.values.truncate(MOST);
    reads
}

/// A call of a function of the policy, where its arguments can be asked.
fn call(
    policy: &Policy<'_>,
    module: &Module,
    fcn: &Expr,
    params: &[regorus::unstable::Ref<Expr>],
    bound: &BTreeSet<String>,
    own: &BTreeSet<&str>,
) -> Option<(Path, Vec<String>)> {
    let (path, arities) = policy.names.function(module, &names::path(fcn)?)?;
    // One argument more takes the value.
    let arity = *arities.iter().find(|arity| **arity == params.len() || **arity + 1 == params.len())?;
    let mut arguments = Vec::new();
    for (param, stands) in params.iter().zip(text::arguments(fcn, params)).take(arity) {
        let mut askable = true;
        walk::expression(param, &mut |seen| match seen {
            Seen::Ref(refr) => {
                let begin = names::begin(refr).text();
                let path = full(module, &names::constant(refr));
                let known = matches!(begin, "input" | "data") || bound.contains(begin);
                askable &= !own.contains(begin) && (known || is_rule(policy.names, &path));
            }
            Seen::Binds(..) | Seen::With(_) => askable = false,
            Seen::Call { .. }
            | Seen::Opens(_)
            | Seen::Closes
            | Seen::Object(_)
            | Seen::Member(_)
            | Seen::Compares(_) => {}
        });
        if !askable {
            return None;
        }
        arguments.push(text::of(param.span(), stands).to_owned());
    }
    Some((path, arguments))
}

/// A reference up to its first member that is not known: asked for all of it, a loop would answer with any.
fn askable(refr: &Expr, bound: &BTreeSet<String>) -> String {
    let mut members = Vec::new();
    let mut rest = refr;
    loop {
        match rest {
            Expr::RefDot { refr, field, .. } => {
                members.push(Some(format!(".{}", field.0.text())));
                rest = refr;
            }
            Expr::RefBrack { refr, index, .. } => {
                let text = match index.as_ref() {
                    Expr::String { value, .. } | Expr::RawString { value, .. } => Some(value.to_string()),
                    Expr::Number { span, .. } => Some(span.text().to_owned()),
                    Expr::Var { span, .. } if bound.contains(span.text()) => Some(span.text().to_owned()),
                    Expr::RefDot { .. } | Expr::RefBrack { .. } => {
                        let text = askable(index, bound);
                        (names::path(index).is_some() && text.starts_with("input")).then_some(text)
                    }
                    _ => None,
                };
                members.push(text.map(|text| format!("[{text}]")));
                rest = refr;
            }
            other => {
                let known = members.into_iter().rev().map_while(|member| member);
                return known.fold(other.span().text().to_owned(), |text, member| text + &member);
            }
        }
    }
}
