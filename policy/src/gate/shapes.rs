//! What a policy reads of the input, and what a `with` puts there, against the schema of the input: a member that the
//! input cannot have is undefined in every request, and `not input.reqest.denied` holds in each.

mod arguments;
mod compared;
mod constants;
mod literal;
mod scopes;

use std::collections::BTreeSet;

use regorus::unstable::{Expr, Import, Module, Ref, Span, WithModifier};

use super::names::{self, Names};
use super::walk::{self, Seen};
use crate::decision::DECISION;
use crate::input::INPUT;
use crate::kind::{Kind, Missing};
use crate::nearest::nearest;
use crate::problem::Problem;
use constants::Constants;
use scopes::Scopes;

/// Checks every module: what it calls with what, and, where `requests` are the input, what it reads of them; not so
/// those that OPA asks with an input of its own.
pub(super) fn check(modules: &[Ref<Module>], names: &Names, requests: bool, problems: &mut Vec<Problem>) {
    let mut said = BTreeSet::new();
    let mut found: Vec<Problem> = Vec::new();
    let constants = Constants::of(modules);
    for module in modules {
        let requests = requests && !names::package(module).starts_with(&opas_own());
        if requests {
            found.extend(module.imports.iter().filter_map(import));
        }
        for rule in &module.policy {
            let mut scopes = Scopes::new(module, &constants, requests);
            walk::rule(rule, &mut |seen| match seen {
                Seen::Opens(stmts) => scopes.open(stmts),
                Seen::Closes => scopes.close(),
                Seen::Binds(name) => scopes.bind(name),
                Seen::Ref(refr) => found.extend(scopes.place(refr).err().map(|problem| *problem)),
                Seen::Call { fcn, params, .. } => {
                    if names.function(module, &["object".to_owned(), "get".to_owned()]).is_none() {
                        found.extend(object_get(&scopes, fcn, params));
                    }
                    found.extend(arguments::check(&scopes, names, fcn, params));
                }
                Seen::With(with) => found.extend(replaced(&scopes, with)),
                Seen::Compares(expr) => {
                    found.extend(compared::check(&scopes, names, expr));
                    found.extend(arguments::operands(&scopes, names, expr));
                }
                Seen::Object(_) | Seen::Member(_) => {}
            });
        }
    }
    // What many tests put in is told once.
    found.retain(|problem| said.insert((problem.file.clone(), problem.line, problem.column)));
    problems.extend(found);
}

/// The package of the decisions that OPA asks about itself, on the log and on access to it.
fn opas_own() -> [String; 2] {
    ["data".to_owned(), "system".to_owned()]
}

/// Where a reference leads: what it is called in full, and what stands there.
#[derive(Clone, Debug)]
pub(super) struct Place {
    path: String,
    kind: Kind,
    /// Whether it is of the decision, and not of the input.
    decides: bool,
}

impl Place {
    fn input() -> Self {
        Self { path: "input".to_owned(), kind: INPUT, decides: false }
    }

    /// The member of this name, which is written at `at`.
    fn member(&self, name: &str, at: &Span) -> Result<Self, Box<Problem>> {
        let path = format!("{}{}", self.path, written(name));
        match self.kind.member(name) {
            Ok(kind) => Ok(Self { path, kind, decides: self.decides }),
            Err(missing) => Err(Box::new(self.problem(&path, name, &missing, at))),
        }
    }

    /// What stands at a name or number that is computed, or at a number.
    fn element(&self, index: &Expr) -> Result<Self, Box<Problem>> {
        let path = format!("{}[{}]", self.path, index.span().text());
        match self.kind.element() {
            Ok(kind) => Ok(Self { path, kind, decides: self.decides }),
            Err(missing) => Err(Box::new(self.problem(&path, "", &missing, index.span()))),
        }
    }

    /// Any of what stands in a list or an object.
    fn any(&self) -> Option<Self> {
        Some(Self {
            path: format!("{}[_]", self.path),
            kind: self.kind.element().ok()?,
            decides: self.decides,
        })
    }

    const fn unknown(&self) -> &'static str {
        if self.decides { "is no member of a decision, which would deny" } else { "is never in the input" }
    }

    /// The problem of a value that never stands here.
    fn never(&self, value: &Expr, at: &Span) -> Problem {
        let text = matches!(value, Expr::String { .. } | Expr::RawString { .. });
        let written = value.span().text();
        let written = if text { format!("{}", regorus::Value::from(written)) } else { written.to_owned() };
        let whole = match self.kind {
            Kind::OrNull(kind) => *kind,
            kind => kind,
        };
        let instead = match whole {
            Kind::Word(words) => {
                let meant = nearest(value.span().text(), words).filter(|_| text);
                let meant = meant.map(|meant| format!("`\"{meant}\"`: "));
                format!("{}it is one of {}", meant.unwrap_or_default(), words.join(", "))
            }
            Kind::List(Kind::Text) if text && !self.decides => {
                let one = match self.path.as_str() {
                    // One segment anywhere is not what a path that begins with it is.
                    path @ ("input.request.segments" | "input.caller.path") => {
                        format!("`{path}[0]`, one segment of it")
                    }
                    path => format!("`{written} in {path}`, for `!=` with `not` before it"),
                };
                format!("{one}, or the list `[{written}]`")
            }
            kind => kind.name().to_owned(),
        };
        let why = if self.decides {
            format!("must be {}, and denies as {written}", self.kind.name())
        } else {
            format!("is {} in every request, and never {written}", self.kind.name())
        };
        at_span(at, &self.path, &why, &instead)
    }

    /// The problem of being put in order with a value that is never of its kind.
    fn other_kind(&self, given: &str, value: &Expr) -> Problem {
        let why = format!("is {} in every request, and is put in order with {given}", self.kind.name());
        let instead = match self.kind {
            Kind::Number => "a number; `to_number` and `time.parse_rfc3339_ns` read one from text",
            Kind::List(_) | Kind::Map(_) => "`count(…)` of it, or one of what is in it",
            _ => "a value of the same kind",
        };
        at_span(names::begin(value), &self.path, &why, instead)
    }

    fn problem(&self, path: &str, name: &str, missing: &Missing, at: &Span) -> Problem {
        let (why, instead) = match missing {
            Missing::Unknown(members) => {
                let all = format!("{} has {}", self.path, members.join(", "));
                let meant =
                    nearest(&name.to_lowercase(), members).map(|meant| format!("`{}.{meant}`: ", self.path));
                (self.unknown().to_owned(), format!("{}{all}", meant.unwrap_or_default()))
            }
            Missing::UpperCase => {
                let lower = written(&name.to_lowercase());
                (
                    "is never there: names of headers are lower case".to_owned(),
                    format!("`{}{lower}`", self.path),
                )
            }
            Missing::Withheld => (
                "is never in the input: what proves the caller stays with Postern".to_owned(),
                "`input.caller`, which says who it proved to be".to_owned(),
            ),
            Missing::None(what) => {
                (format!("is never there: {} is {what}", self.path), format!("`{}`", self.path))
            }
        };
        at_span(at, path, &why, &instead)
    }
}

/// What is wrong with what the entrypoint says, as far as it is written out; as [`crate::verdict`] reads it.
pub(super) fn decision(value: &Expr) -> Option<Problem> {
    let place = Place { path: "decision".to_owned(), kind: DECISION, decides: true };
    let problem = |why: &str, instead: &str| Some(at_span(value.span(), "decision", why, instead));
    match value {
        Expr::Bool { .. } => None,
        Expr::Object { fields, .. } => {
            let member = |wanted: &str| fields.iter().find(|(_, name, _)| text_of(name) == Some(wanted));
            let allows = member("allow").map(|(_, _, value)| value.span().text());
            let plain = fields.iter().all(|(_, name, _)| text_of(name).is_some());
            literal::check(&place, value).or_else(|| match allows {
                None if plain => {
                    problem("has no member `allow`, which denies", "`\"allow\": true` or `false` in it")
                }
                Some("true") if member("deny").is_some() => {
                    problem("allows and has `deny`, which denies", "`deny` where `allow` is false")
                }
                _ => None,
            })
        }
        _ if literal::can_be(place.kind, value) => None,
        _ => problem(
            "must be true, false or an object, and denies as it is",
            "`true`, or `{\"allow\": true, …}`",
        ),
    }
}

fn text_of(expr: &Expr) -> Option<&str> {
    match expr {
        Expr::String { value, .. } | Expr::RawString { value, .. } => {
            value.as_string().ok().map(AsRef::as_ref)
        }
        _ => None,
    }
}

fn at_span(span: &Span, construct: &str, why: &str, instead: &str) -> Problem {
    Problem::of(span.source.get_path(), construct, why, instead).at_span(span)
}

/// A member as it is written behind its object.
fn written(name: &str) -> String {
    let mut letters = name.chars();
    let word = letters.next().is_some_and(|first| first.is_ascii_alphabetic() || first == '_')
        && letters.all(|letter| letter.is_ascii_alphanumeric() || letter == '_');
    if word { format!(".{name}") } else { format!("[{}]", regorus::Value::from(name)) }
}

fn import(import: &Import) -> Option<Problem> {
    let place = scopes::steps(&import.refr, &|root| (root == "input").then(Place::input));
    place.err().map(|problem| *problem)
}

/// `object.get(input.request, "method", …)` reads as `input.request.method` does.
fn object_get(scopes: &Scopes<'_>, fcn: &Expr, params: &[Ref<Expr>]) -> Option<Problem> {
    let (object, path) = match (names::path(fcn)?.as_slice(), params) {
        ([object, get], [from, path, ..]) if object == "object" && get == "get" => (from, path),
        _ => return None,
    };
    let place = scopes.place(object).ok()??;
    let members = match path.as_ref() {
        Expr::Array { items, .. } => items.as_slice(),
        _ => std::slice::from_ref(path),
    };
    members.iter().try_fold(place, |place, member| scopes::step(&place, member)).err().map(|problem| *problem)
}

/// A `with` that replaces what the input has not, or puts in what it cannot be.
fn replaced(scopes: &Scopes<'_>, with: &WithModifier) -> Option<Problem> {
    match scopes.place(&with.refr) {
        Err(problem) => Some(*problem),
        Ok(None) => None,
        Ok(Some(place)) => literal::put_in(scopes, &place, &with.r#as),
    }
}
