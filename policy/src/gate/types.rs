//! The types of what is written out and of what rules give, as OPA's type checker follows them: a reference that leads
//! nowhere and a comparison of what never fits hold in no request, and their negation in each. OPA refuses them.
//!
//! What is not known may be anything: input, data, the arguments of functions and names that get their value otherwise
//! than by `:=` or `some … in`.

mod alone;
mod check;
mod listed;
mod never;
mod rules;
mod scope;
mod swapped;

use std::fmt;

use regorus::Value;
use regorus::unstable::{Module, Ref};

use super::names::Names;
use crate::builtins::signatures::{self, Kinds};
use crate::problem::Problems;

/// Most parts of one type; of a larger one it is known what may stand in it, and no more where.
const MOST: usize = 512;
/// Longest type that is told in full, in characters.
const TOLD: usize = 100;
/// Most names that are told.
const NAMES: usize = 8;

/// Checks all modules as their authors wrote them. Doubts are of what OPA takes and was hardly meant so.
pub(super) fn check(modules: &[Ref<Module>], problems: &mut Problems, doubts: &mut Problems) {
    let names = Names::of(modules);
    let rules = rules::Rules::of(modules, &names);
    for module in modules {
        for rule in &module.policy {
            let (found, doubted) = check::rule(module, rule, &rules);
            problems.extend(found);
            doubts.extend(doubted);
        }
    }
}

/// What a value may be.
#[derive(Clone, Debug, PartialEq)]
enum Type {
    Null,
    Bool,
    Number,
    Text,
    /// What stands first, and what may follow it.
    List(Vec<Type>, Option<Box<Type>>),
    /// None where it is empty.
    Set(Option<Box<Type>>),
    /// The members that are always there, and of what type the names and values of others are.
    Object(Vec<(Value, Type)>, Option<Box<(Type, Type)>>),
    /// One of these; anything, where there are none.
    Any(Vec<Type>),
}

const ANYTHING: Type = Type::Any(Vec::new());

impl Type {
    fn list(items: Vec<Self>) -> Self {
        Self::List(items, None).bounded()
    }

    fn list_of(item: Self) -> Self {
        Self::List(Vec::new(), Some(Box::new(item))).bounded()
    }

    fn set_of(item: Self) -> Self {
        Self::Set(Some(Box::new(item))).bounded()
    }

    fn object_of(name: Self, value: Self) -> Self {
        Self::Object(Vec::new(), Some(Box::new((name, value)))).bounded()
    }

    /// What the kinds say, with anything in it.
    fn of(kinds: Kinds) -> Self {
        let one = |kind: Kinds| match kind {
            signatures::NULL => Self::Null,
            signatures::BOOL => Self::Bool,
            signatures::NUMBER => Self::Number,
            signatures::TEXT => Self::Text,
            signatures::LIST => Self::list_of(ANYTHING),
            signatures::OBJECT => Self::object_of(ANYTHING, ANYTHING),
            signatures::SET => Self::set_of(ANYTHING),
            _ => ANYTHING,
        };
        if kinds == signatures::ANY { ANYTHING } else { Self::any(kinds.each().map(one)).unwrap_or(ANYTHING) }
    }

    /// What is one of these; none where there are none.
    fn any(types: impl Iterator<Item = Self>) -> Option<Self> {
        types.reduce(Self::or)
    }

    fn or(self, other: Self) -> Self {
        let mut all = match self {
            Self::Any(all) if all.is_empty() => return ANYTHING,
            Self::Any(all) => all,
            one => vec![one],
        };
        match other {
            Self::Any(more) if more.is_empty() => return ANYTHING,
            Self::Any(more) => more.into_iter().for_each(|one| add(&mut all, one)),
            one => add(&mut all, one),
        }
        if all.len() == 1 { all.remove(0) } else { Self::Any(all).bounded() }
    }

    /// How many parts it has.
    fn parts(&self) -> usize {
        1 + match self {
            Self::Null | Self::Bool | Self::Number | Self::Text => 0,
            Self::List(first, rest) => first.iter().chain(rest.as_deref()).map(Self::parts).sum(),
            Self::Set(item) => item.as_deref().map_or(0, Self::parts),
            Self::Object(members, others) => {
                let others = others.as_deref().map_or(0, |(name, value)| name.parts() + value.parts());
                others + members.iter().map(|(_, value)| value.parts()).sum::<usize>()
            }
            Self::Any(all) => all.iter().map(Self::parts).sum(),
        }
    }

    /// Less of it, where it has too many parts.
    fn bounded(self) -> Self {
        if self.parts() <= MOST {
            return self;
        }
        let within =
            |inside: Option<Self>| inside.filter(|inside| inside.parts() < MOST / 2).unwrap_or(ANYTHING);
        match self {
            Self::List(first, rest) => {
                let all = Self::any(first.into_iter().chain(rest.map(|rest| *rest)));
                Self::List(Vec::new(), Some(Box::new(within(all))))
            }
            Self::Set(item) => Self::Set(item.map(|item| Box::new(within(Some(*item))))),
            Self::Object(members, others) => {
                let (name, value) = others.map(|others| *others).unzip();
                let names = Self::any(members.iter().map(|(name, _)| of_value(name)).chain(name));
                let values = Self::any(members.into_iter().map(|(_, value)| value).chain(value));
                Self::Object(Vec::new(), Some(Box::new((within(names), within(values)))))
            }
            _ => ANYTHING,
        }
    }

    /// What its members are called by; none where it has none.
    fn keys(&self) -> Option<Self> {
        match self {
            Self::Null | Self::Bool | Self::Number | Self::Text => None,
            Self::List(..) => Some(Self::Number),
            Self::Set(item) => item.as_deref().cloned(),
            Self::Object(members, others) => {
                let others = others.as_deref().map(|(name, _)| name.clone());
                Self::any(members.iter().map(|(name, _)| of_value(name)).chain(others))
            }
            Self::Any(all) if all.is_empty() => Some(ANYTHING),
            Self::Any(all) => Self::any(all.iter().filter_map(Self::keys)),
        }
    }

    /// What its members are.
    fn values(&self) -> Option<Self> {
        match self {
            Self::Null | Self::Bool | Self::Number | Self::Text => None,
            Self::List(first, rest) => Self::any(first.iter().chain(rest.as_deref()).cloned()),
            Self::Set(item) => item.as_deref().cloned(),
            Self::Object(members, others) => {
                let others = others.as_deref().map(|(_, value)| value.clone());
                Self::any(members.iter().map(|(_, value)| value.clone()).chain(others))
            }
            Self::Any(all) if all.is_empty() => Some(ANYTHING),
            Self::Any(all) => Self::any(all.iter().filter_map(Self::values)),
        }
    }

    /// The member of this name, which is no list, set or object itself.
    fn member(&self, name: &Value) -> Option<Self> {
        match self {
            Self::Null | Self::Bool | Self::Number | Self::Text => None,
            Self::List(first, rest) => {
                let Value::Number(number) = name else { return None };
                let at = usize::try_from(number.as_u64()?).ok()?;
                first.get(at).or(rest.as_deref()).cloned()
            }
            Self::Set(item) => item.as_deref().filter(|item| item.has(name)).map(|_| of_value(name)),
            Self::Object(members, others) => {
                let there = members.iter().find(|(there, _)| there == name).map(|(_, value)| value);
                let others =
                    || others.as_deref().filter(|(names, _)| names.has(name)).map(|(_, value)| value);
                there.or_else(others).cloned()
            }
            Self::Any(all) if all.is_empty() => Some(ANYTHING),
            Self::Any(all) => Self::any(all.iter().filter_map(|one| one.member(name))),
        }
    }

    /// Whether this value, no list, set or object, may be it.
    fn has(&self, value: &Value) -> bool {
        self.meets(&of_value(value))
    }

    /// Whether two of them may be the same, as OPA has it.
    fn meets(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Any(all), other) | (other, Self::Any(all)) => {
                all.is_empty() || all.iter().any(|one| one.meets(other))
            }
            (Self::List(one, ones), Self::List(other, others)) => {
                let at = |first: &[Self], rest: &Option<Box<Self>>, at: usize| {
                    first.get(at).or(rest.as_deref()).cloned()
                };
                let here = (0..one.len().max(other.len())).all(|place| {
                    let sides = at(one, ones, place).zip(at(other, others, place));
                    sides.is_some_and(|(one, other)| one.meets(&other))
                });
                here && ones.as_deref().zip(others.as_deref()).is_none_or(|(one, other)| one.meets(other))
            }
            (Self::Set(one), Self::Set(other)) => {
                one.as_deref().zip(other.as_deref()).is_none_or(|(one, other)| one.meets(other))
            }
            (Self::Object(one, ones), Self::Object(another, others)) => {
                // To OPA a member that has computed ones beside it may lack.
                let lacks = ones.is_some() || others.is_some();
                let mut names = one.iter().chain(another).map(|(name, _)| name);
                let here = names.all(|name| match (self.member(name), other.member(name)) {
                    (Some(one), Some(other)) => one.meets(&other),
                    _ => lacks,
                });
                let rest = ones.as_deref().zip(others.as_deref());
                here && rest.is_none_or(|((_, one), (_, other))| one.meets(other))
            }
            _ => self == other,
        }
    }

    /// Whether a statement of it alone holds whatever it is: it is never false.
    fn holds(&self) -> bool {
        match self {
            Self::Bool => false,
            Self::Any(all) => !all.is_empty() && all.iter().all(Self::holds),
            _ => true,
        }
    }

    /// Which of the seven kinds it is, where it is one.
    const fn kind(&self) -> &'static str {
        match self {
            Self::Null => "null",
            Self::Bool => "boolean",
            Self::Number => "number",
            Self::Text => "string",
            Self::List(..) => "array",
            Self::Set(_) => "set",
            Self::Object(..) => "object",
            Self::Any(_) => "any",
        }
    }

    /// As it is told: in full, if that is short.
    fn told(&self) -> String {
        let full = self.to_string();
        if full.chars().count() <= TOLD { full } else { self.kind().to_owned() }
    }
}

fn add(all: &mut Vec<Type>, one: Type) {
    if !all.contains(&one) {
        all.push(one);
    }
}

fn of_value(value: &Value) -> Type {
    match value {
        Value::Null => Type::Null,
        Value::Bool(_) => Type::Bool,
        Value::Number(_) => Type::Number,
        Value::String(_) => Type::Text,
        _ => ANYTHING,
    }
}

/// As OPA writes it: `object<a: number>[string: any]`.
impl fmt::Display for Type {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let within =
            |all: Vec<String>| if all.is_empty() { String::new() } else { format!("<{}>", all.join(", ")) };
        f.write_str(self.kind())?;
        match self {
            Self::Null | Self::Bool | Self::Number | Self::Text => Ok(()),
            Self::List(first, rest) => {
                f.write_str(&within(first.iter().map(ToString::to_string).collect()))?;
                rest.as_ref().map_or(Ok(()), |rest| write!(f, "[{rest}]"))
            }
            Self::Set(item) => item.as_ref().map_or(Ok(()), |item| write!(f, "[{item}]")),
            Self::Object(members, others) => {
                let member = |(name, value): &(Value, Self)| match name {
                    Value::String(name) => format!("{name}: {value}"),
                    name => format!("{name}: {value}"),
                };
                f.write_str(&within(members.iter().map(member).collect()))?;
                others.as_deref().map_or(Ok(()), |(name, value)| write!(f, "[{name}: {value}]"))
            }
            Self::Any(all) => f.write_str(&within(all.iter().map(ToString::to_string).collect())),
        }
    }
}
