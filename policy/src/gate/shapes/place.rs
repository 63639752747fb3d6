//! Where a reference leads: to a part of the input, of a decision, or of a value that is written out.

use std::collections::BTreeMap;
use std::rc::Rc;

use regorus::Value;
use regorus::unstable::{Expr, Ref, Span};

use super::{at_span, text_of};
use crate::decision::DECISION;
use crate::gate::names;
use crate::gate::walk::{constant, is_scalar};
use crate::input::INPUT;
use crate::kind::{Kind, Missing, written};
use crate::nearest::nearest;
use crate::problem::Problem;

/// Most places that one step may lead to, each of which is looked at by itself.
const MOST: usize = 32;

/// What it is called in full, and what stands there.
#[derive(Clone, Debug)]
pub(in crate::gate) struct Place<'a> {
    path: String,
    shape: Shape<'a>,
    /// Whether it is of the decision, and not of the input.
    decides: bool,
    /// Whether a function has it as it was handed over: the function may ask for its kind, and be written for others too.
    handed: bool,
    /// What is known of the values in what is written out, by where these stand.
    inside: Option<Rc<Inside<'a>>>,
}

/// What is known of each expression.
type Inside<'a> = BTreeMap<*const Expr, Vec<Place<'a>>>;

/// What stands in a place.
#[derive(Clone, Copy, Debug)]
enum Shape<'a> {
    /// What a published document has there.
    Kind(Kind),
    /// What the policy writes out.
    Written(&'a Expr),
    /// What it computes.
    Made(&'a Expr),
}

/// The places that a step may lead to; a problem where it leads nowhere.
pub(super) type Places<'a> = Result<Vec<Place<'a>>, Box<Problem>>;

impl<'a> Place<'a> {
    pub(super) fn input() -> Self {
        Self {
            path: "input".to_owned(),
            shape: Shape::Kind(INPUT),
            decides: false,
            handed: false,
            inside: None,
        }
    }

    pub(super) fn decision() -> Self {
        Self {
            path: "decision".to_owned(),
            shape: Shape::Kind(DECISION),
            decides: true,
            handed: false,
            inside: None,
        }
    }

    /// The same in a function that is called with it. What is written out may have less than the function asks for, as
    /// options do: only texts are known there.
    pub(super) fn handed(self) -> Option<Self> {
        let known = match self.shape {
            Shape::Kind(kind) => kind != Kind::Any,
            Shape::Written(Expr::Array { items, .. }) => items.iter().all(|item| text_of(item).is_some()),
            Shape::Written(value) => text_of(value).is_some(),
            Shape::Made(_) => false,
        };
        known.then_some(Self { handed: true, ..self })
    }

    /// Whether it is a call, which may mean something else in another module.
    pub(super) const fn is_call(&self) -> bool {
        matches!(self.shape, Shape::Made(Expr::Call { .. }))
    }

    pub(super) const fn is_handed(&self) -> bool {
        self.handed
    }

    /// What an expression says by itself: what it reads may be anything.
    pub(super) fn said(path: String, value: &'a Expr) -> Self {
        let shape = match value {
            Expr::String { .. }
            | Expr::RawString { .. }
            | Expr::Number { .. }
            | Expr::Bool { .. }
            | Expr::Null { .. }
            | Expr::Array { .. }
            | Expr::Set { .. }
            | Expr::Object { .. } => Shape::Written(value),
            Expr::Var { .. } | Expr::RefDot { .. } | Expr::RefBrack { .. } => Shape::Kind(Kind::Any),
            _ => Shape::Made(value),
        };
        Self { path, shape, decides: false, handed: false, inside: None }
    }

    /// The same, with what is known of the values in it.
    pub(super) fn with(self, inside: Inside<'a>) -> Self {
        Self { inside: (!inside.is_empty()).then(|| Rc::new(inside)), ..self }
    }

    /// One of the values in it.
    fn value(&self, path: String, value: &'a Expr) -> Vec<Self> {
        let known = self.inside.as_ref().and_then(|inside| inside.get(&std::ptr::from_ref(value)));
        match known {
            Some(known) => known.iter().cloned().map(|place| place.called(&path)).collect(),
            None => vec![Self::said(path, value)],
        }
    }

    /// The member of this name, and all that it may be.
    pub(super) fn members(&self, name: &str, at: &Span) -> Places<'a> {
        let member = self.member(name, at)?;
        let Shape::Written(Expr::Object { fields, .. }) = self.shape else { return Ok(vec![member]) };
        let value = fields.iter().rev().find(|(_, key, _)| text_of(key) == Some(name));
        Ok(value.map_or_else(|| vec![member.clone()], |(_, _, value)| self.value(member.path.clone(), value)))
    }

    pub(super) fn path(&self) -> &str {
        &self.path
    }

    /// What a document has here; none for what is written out.
    pub(super) const fn kind(&self) -> Option<Kind> {
        match self.shape {
            Shape::Kind(kind) => Some(kind),
            Shape::Written(_) | Shape::Made(_) => None,
        }
    }

    /// What is said here: written out, or computed.
    pub(super) const fn said_here(&self) -> Option<&'a Expr> {
        match self.shape {
            Shape::Kind(_) => None,
            Shape::Written(value) | Shape::Made(value) => Some(value),
        }
    }

    /// The same under another name, where it has none.
    pub(super) fn called(mut self, name: &str) -> Self {
        if self.path.is_empty() {
            name.clone_into(&mut self.path);
        }
        self
    }

    /// The member of an import, where there is one.
    pub(super) fn imported(self, name: &str) -> Option<Self> {
        let kind = self.kind()?.member(name).ok()?;
        Some(Self { path: format!("{}{}", self.path, written(name)), shape: Shape::Kind(kind), ..self })
    }

    /// The member of this name, which is written at `at`.
    pub(super) fn member(&self, name: &str, at: &Span) -> Result<Self, Box<Problem>> {
        let path = format!("{}{}", self.path, written(name));
        let missing = |missing| Box::new(self.problem(&path, name, &missing, at));
        match self.shape {
            Shape::Kind(kind) => {
                let kind = kind.member(name).or_else(|none| self.other_kinds(none)).map_err(missing)?;
                Ok(Self {
                    path,
                    shape: Shape::Kind(kind),
                    decides: self.decides,
                    handed: false,
                    inside: None,
                })
            }
            Shape::Written(Expr::Object { fields, .. }) => {
                let found = fields.iter().rev().find(|(_, key, _)| text_of(key) == Some(name));
                match found {
                    Some((_, _, value)) => Ok(Self::said(path, value)),
                    None if fields.iter().all(|(_, key, _)| is_scalar(key)) => {
                        Err(missing(Missing::Unknown(names_of(fields))))
                    }
                    None => Ok(self.anything(path)),
                }
            }
            Shape::Written(Expr::Set { .. }) | Shape::Made(_) => Ok(self.anything(path)),
            Shape::Written(value) => {
                self.other_kinds(Missing::None(kind_of(value))).map_err(missing)?;
                Ok(self.anything(path))
            }
        }
    }

    /// What stands at a name or number that is computed, or at a number.
    pub(super) fn element(&self, index: &Expr) -> Places<'a> {
        let path = format!("{}[{}]", self.path, index.span().text());
        let missing = |missing| Box::new(self.problem(&path, "", &missing, index.span()));
        let values: Vec<&'a Expr> = match self.shape {
            Shape::Kind(kind) => {
                let kind = kind.element().or_else(|none| self.other_kinds(none)).map_err(missing)?;
                return Ok(vec![Self {
                    path,
                    shape: Shape::Kind(kind),
                    decides: self.decides,
                    handed: false,
                    inside: None,
                }]);
            }
            Shape::Written(Expr::Array { items, .. }) => match index {
                Expr::Bool { .. } | Expr::Null { .. } => return Err(missing(Missing::None("a list"))),
                Expr::Number { value: Value::Number(number), .. } => {
                    let at = number.as_u64().and_then(|at| usize::try_from(at).ok());
                    let item = at.and_then(|at| items.get(at));
                    vec![item.ok_or_else(|| missing(Missing::Beyond(items.len())))?]
                }
                _ => items.iter().map(AsRef::as_ref).collect(),
            },
            Shape::Written(Expr::Object { fields, .. }) => {
                let named = constant(index).filter(|_| fields.iter().all(|(_, key, _)| is_scalar(key)));
                let is = |key: &Expr| named.is_none() || constant(key) == named;
                let values = fields.iter().filter(|(_, key, _)| is(key)).map(|(_, _, value)| value.as_ref());
                let values: Vec<_> = values.collect();
                if values.is_empty() && named.is_some() {
                    return Err(missing(Missing::Unknown(names_of(fields))));
                }
                values
            }
            Shape::Written(Expr::Set { items, .. }) => items.iter().map(AsRef::as_ref).collect(),
            Shape::Made(_) => return Ok(vec![self.anything(path)]),
            Shape::Written(value) => {
                self.other_kinds(Missing::None(kind_of(value))).map_err(missing)?;
                return Ok(vec![self.anything(path)]);
            }
        };
        if values.is_empty() || values.len() > MOST {
            return Ok(vec![self.anything(path)]);
        }
        Ok(values.into_iter().flat_map(|value| self.value(path.clone(), value)).collect())
    }

    /// Any of what stands in a list or an object.
    pub(super) fn any(&self) -> Vec<Self> {
        let path = || format!("{}[_]", self.path);
        let values: Vec<&'a Expr> = match self.shape {
            Shape::Kind(kind) => {
                let kind = kind.element().ok();
                let place = |kind| Self {
                    path: path(),
                    shape: Shape::Kind(kind),
                    decides: self.decides,
                    handed: false,
                    inside: None,
                };
                return kind.map(place).into_iter().collect();
            }
            Shape::Written(Expr::Array { items, .. } | Expr::Set { items, .. }) => {
                items.iter().map(AsRef::as_ref).collect()
            }
            Shape::Written(Expr::Object { fields, .. }) => {
                fields.iter().map(|(_, _, value)| value.as_ref()).collect()
            }
            Shape::Written(_) | Shape::Made(_) => Vec::new(),
        };
        let few = values.into_iter().take(MOST + 1).flat_map(|value| self.value(path(), value));
        Some(few.collect::<Vec<_>>()).filter(|few| few.len() <= MOST).unwrap_or_default()
    }

    /// What has no members may have some where a function is called with another kind.
    fn other_kinds(&self, none: Missing) -> Result<Kind, Missing> {
        if self.handed && matches!(none, Missing::None(_)) { Ok(Kind::Any) } else { Err(none) }
    }

    const fn anything(&self, path: String) -> Self {
        Self { path, shape: Shape::Kind(Kind::Any), decides: self.decides, handed: false, inside: None }
    }

    /// The problem of a value that never stands here.
    pub(super) fn never(&self, value: &Expr, at: &Span) -> Problem {
        let text = text_of(value).is_some();
        let written = value.span().text();
        let written = if text { format!("{}", Value::from(written)) } else { written.to_owned() };
        let kind = self.kind().unwrap_or(Kind::Any);
        let whole = match kind {
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
            kind => match (self.path.as_str(), value) {
                ("input.caller", _) if text => format!("`input.caller.id`, for `{written}`"),
                ("input.request.path", Expr::Array { .. }) => "`input.request.segments`".to_owned(),
                (path, Expr::Array { .. } | Expr::Set { .. })
                    if matches!(kind, Kind::Text | Kind::Number) && !self.decides =>
                {
                    format!("`{path} in {written}` for one of these")
                }
                _ => kind.name().to_owned(),
            },
        };
        let why = if self.decides {
            format!("must be {}, and denies as {written}", kind.name())
        } else {
            format!("is {} in every request, and never {written}", kind.name())
        };
        at_span(at, &self.path, &why, &instead)
    }

    /// The problem of being put in order with a value that is never of its kind.
    pub(super) fn other_kind(&self, given: &str, value: &Expr) -> Problem {
        let kind = self.kind().unwrap_or(Kind::Any);
        let why = format!("is {} in every request, and is put in order with {given}", kind.name());
        let instead = match kind {
            Kind::Number => {
                "a number: `to_number(…)`; or for a time `time.parse_rfc3339_ns(…) / 1000000000`, in seconds"
            }
            Kind::List(_) | Kind::Map(_) => "`count(…)` of it, or one of what is in it",
            _ => "a value of the same kind",
        };
        at_span(names::begin(value), &self.path, &why, instead)
    }

    fn problem(&self, path: &str, name: &str, missing: &Missing, at: &Span) -> Problem {
        let unknown = match self.shape {
            _ if self.decides => "is no member of a decision, which would deny",
            Shape::Kind(_) => "is never in the input",
            Shape::Written(_) | Shape::Made(_) => "is never there: OPA calls it an undefined reference",
        };
        let (why, instead) = missing.said(&self.path, name, unknown);
        at_span(at, path, &why, &instead)
    }
}

/// The names of an object that is written out, as far as they are constants.
fn names_of(fields: &[(Span, Ref<Expr>, Ref<Expr>)]) -> Vec<String> {
    fields
        .iter()
        .filter_map(|(_, key, _)| constant(key))
        .map(|name| name.as_string().map_or_else(|_| name.to_string(), ToString::to_string))
        .collect()
}

/// `object.union(a, b)`: what a `with` puts in may be made so.
pub(super) fn is_union(value: &Expr) -> bool {
    matches!(value, Expr::Call { fcn, .. } if names::path(fcn).is_some_and(|name| name == ["object", "union"]))
}

const fn kind_of(value: &Expr) -> &'static str {
    match value {
        Expr::String { .. } | Expr::RawString { .. } => "text",
        Expr::Number { .. } => "a number",
        Expr::Bool { .. } => "true or false",
        Expr::Null { .. } => "null",
        _ => "a list",
    }
}
