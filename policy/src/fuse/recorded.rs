//! Whether a recorded input is an input document: one that no request has would be cheap to judge, and switch off the
//! judging of the largest requests.

use serde_json::Value;

use crate::input::INPUT;
use crate::kind::{Kind, written};
use crate::problem::Problem;

/// Most problems that are told of one input.
const MOST: usize = 3;
/// What every input has, however little of it a record keeps.
const ALWAYS: &[&str] = &[
    "v",
    "caller.id",
    "caller.kind",
    "caller.trust_domain",
    "caller.path",
    "listener",
    "direction",
    "route",
    "upstream.name",
    "request.protocol",
    "now",
];
/// The same of a request by HTTP.
const HTTP: &[&str] = &["request.method", "request.path", "request.segments"];
const WHOLE: &str =
    "a whole input as Postern recorded it, or none: without any, the largest requests are judged";

/// What the input has that no request has, and lacks that every one has.
pub(super) fn problems(file: &str, input: &Value) -> Vec<Problem> {
    let mut problems: Vec<Problem> = Vec::new();
    let mut found = |place: &str, why: String, instead: &str| {
        let told = |problem: &Problem| problem.construct == place;
        if problems.len() < MOST && !problems.iter().any(told) {
            problems.push(Problem::of(file, place, why, instead));
        }
    };
    check(INPUT, input, "input", &mut found);
    let at = |path: &str| path.split('.').try_fold(input, |value, member| value.get(member));
    let http = at("request.protocol").and_then(Value::as_str).is_some_and(|name| name.starts_with("http"));
    let always = ALWAYS.iter().chain(HTTP.iter().filter(|_| http));
    let lacks: Vec<&str> = always.copied().filter(|path| at(path).is_none()).collect();
    if input.is_object() && !lacks.is_empty() {
        found("input", format!("lacks what every input has: {}", lacks.join(", ")), WHOLE);
    }
    problems
}

/// What is of another kind here and below.
fn check(kind: Kind, value: &Value, path: &str, found: &mut dyn FnMut(&str, String, &str)) {
    let fits = match (kind, value) {
        (Kind::Any, _)
        | (Kind::OrNull(_), Value::Null)
        | (Kind::Text, Value::String(_))
        | (Kind::Bool, Value::Bool(_)) => true,
        (Kind::OrNull(kind), _) => return check(*kind, value, path, found),
        (Kind::Word(words), Value::String(text)) => words.contains(&text.as_str()),
        (Kind::Number, Value::Number(number)) => number.as_u64().is_some(),
        (Kind::List(kind), Value::Array(items)) => {
            return items.iter().for_each(|item| check(*kind, item, &format!("{path}[_]"), found));
        }
        (Kind::Map(_) | Kind::Headers | Kind::Object(_) | Kind::Leaves(_), Value::Object(members)) => {
            for (name, value) in members {
                let below = format!("{path}{}", written(name));
                match kind.member(name) {
                    Ok(kind) => check(kind, value, &below, found),
                    Err(missing) => {
                        let (why, instead) = missing.said(path, name, "is never in the input");
                        found(&below, why, &instead);
                    }
                }
            }
            return;
        }
        _ => false,
    };
    if !fits {
        let what = match kind {
            Kind::Word(words) => format!("one of {}", words.join(", ")),
            kind => kind.name().to_owned(),
        };
        found(path, format!("is {what} in every input, and not in this one"), WHOLE);
    }
}
