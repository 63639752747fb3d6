//! What the values of the published documents are: of the input that a policy reads, of the decision that it gives.
//!
//! The schemas for authors are printed from it, and the gate checks policies against it.

use crate::headers;
use crate::input::{self, LeafId};
use crate::nearest::nearest;

/// Most members that are named as those that are there.
const MOST: usize = 32;

/// What a value is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Kind {
    /// Text.
    Text,
    /// One of these texts.
    Word(&'static [&'static str]),
    /// A whole number that is not negative.
    Number,
    /// True or false.
    Bool,
    /// A list.
    List(&'static Kind),
    /// An object with names of any kind.
    Map(&'static Kind),
    /// Headers by lower-case name, each a list of texts.
    Headers,
    /// An object with these members and no others.
    Object(&'static [Member]),
    /// The object of all leaves of the input below this path; below an empty one all of them.
    Leaves(&'static str),
    /// Null, or this.
    OrNull(&'static Kind),
    /// Anything.
    Any,
}

/// A member of an object.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Member {
    /// Its name.
    pub name: &'static str,
    /// What it is.
    pub kind: Kind,
    /// What it says, in one line.
    pub summary: &'static str,
}

/// A member, short enough for a line of a table.
pub(crate) const fn member(name: &'static str, kind: Kind, summary: &'static str) -> Member {
    Member { name, kind, summary }
}

/// A list of texts.
pub(crate) const TEXTS: Kind = Kind::List(&Kind::Text);

/// Why a value has no such member.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Missing {
    /// It has these and no others.
    Unknown(Vec<String>),
    /// Names of headers are lower case.
    UpperCase,
    /// The header carries a proof of the caller, which policy does not see.
    Withheld,
    /// The header ends at Postern.
    Taken,
    /// It is this, and has no members, or none by name.
    None(&'static str),
    /// It is a list of so many members, and this is behind the last.
    Beyond(usize),
}

/// What other proxies call it, below `input`.
const ELSEWHERE: &[(&str, &str)] = &[
    (
        "attributes",
        "`input.request.method` for `attributes.request.http.method`, and `path`, `headers`, `host` likewise; \
         `input.caller.id` for `attributes.source.principal`",
    ),
    ("parsed_path", "`input.request.segments`"),
    ("parsed_query", "`input.request.query`"),
    ("parsed_body", "`input.request.body.value`"),
    ("user", "`input.caller.id`"),
    ("subject", "`input.caller.id`"),
];

/// Members of the caller that other proxies have, below `input.caller`.
const OF_CALLERS: &[(&str, &str)] = &[
    (
        "claims",
        "`input.caller.jwt.audience`, `input.caller.id` for `sub`: a JWT-SVID has no other claims, and roles are data by id",
    ),
    ("roles", "roles as data, `data.roles[input.caller.id]`: a caller brings none"),
    ("groups", "groups as data, `data.groups[input.caller.id]`: a caller brings none"),
    ("spiffe_id", "`input.caller.id`"),
    ("sub", "`input.caller.id`"),
    ("aud", "`input.caller.jwt.audience`"),
];

/// Texts that are read as if they were the lists of their segments, and these.
const SEGMENTS: &[(&str, &str)] =
    &[("input.request.path", "input.request.segments"), ("input.caller.id", "input.caller.path")];

impl Missing {
    /// Why what stands here has no member of this name, `unknown` where it has others, and what to write instead.
    pub(crate) fn said(&self, above: &str, name: &str, unknown: &str) -> (String, String) {
        let (why, instead) = match self {
            Self::Unknown(members) => {
                let few: Vec<&str> = members.iter().take(MOST).map(String::as_str).collect();
                let all = if few.is_empty() { "none".to_owned() } else { few.join(", ") };
                let near = || {
                    let near = nearest(&name.to_lowercase(), members).or_else(|| nearest(name, members))?;
                    Some(format!("`{above}{}`", written(near)))
                };
                let meant = deeper(above, name).or_else(near).map(|meant| format!("{meant}: "));
                (unknown.to_owned(), format!("{}{above} has {all}", meant.unwrap_or_default()))
            }
            Self::UpperCase => (
                "is never there: names of headers are lower case".to_owned(),
                format!("`{above}{}`", written(&name.to_lowercase())),
            ),
            Self::Withheld => (
                "is never in the input: what proves the caller stays with Postern".to_owned(),
                "`input.caller`, which says who it proved to be".to_owned(),
            ),
            Self::Taken => (
                "is never in the input: it is taken from every request before policy sees it".to_owned(),
                "a header that is not of one connection, is none of `x-forwarded-…`, `x-postern-…` and \
                 `x-spiffe-…`, and has no `_` in its name"
                    .to_owned(),
            ),
            Self::None(what) => {
                let split = SEGMENTS.iter().find(|(text, _)| *text == above);
                let instead = split.map_or_else(
                    || format!("`{above}`"),
                    |(_, list)| format!("`{list}`, the list of its segments; or `{above}`, the whole text"),
                );
                (format!("is never there: {above} is {what}"), instead)
            }
            Self::Beyond(count) => {
                (format!("is never there: {above} has {count} members"), "a number below that".to_owned())
            }
        };
        (why, instead)
    }
}

/// What is meant by a name right below `input` that stands deeper.
fn deeper(above: &str, name: &str) -> Option<String> {
    let others = match above {
        "input" => ELSEWHERE,
        "input.caller" => OF_CALLERS,
        _ => return None,
    };
    let elsewhere = others.iter().find(|(other, _)| *other == name).map(|(_, here)| (*here).to_owned());
    if above != "input" {
        return elsewhere;
    }
    elsewhere.or_else(|| {
        let below = |object: &&str| LeafId::ALL.iter().any(|leaf| leaf.path() == format!("{object}.{name}"));
        let object = ["request", "caller", "context"].iter().find(|object| below(object))?;
        Some(format!("`input.{object}.{name}`"))
    })
}

/// A member as it is written behind its object.
pub(crate) fn written(name: &str) -> String {
    let mut letters = name.chars();
    let word = letters.next().is_some_and(|first| first.is_ascii_alphabetic() || first == '_')
        && letters.all(|letter| letter.is_ascii_alphanumeric() || letter == '_');
    if word { format!(".{name}") } else { format!("[{}]", regorus::Value::from(name)) }
}

/// What proves the caller stays with Postern.
const WITHHELD: &[&str] = &["authorization", "cookie", "proxy-authorization"];

impl Kind {
    /// The members, where no others are let in.
    pub(crate) fn members(self) -> Option<Vec<Member>> {
        match self {
            Self::Object(members) => Some(members.to_vec()),
            Self::Leaves(path) => Some(input::below(path)),
            Self::OrNull(kind) => kind.members(),
            _ => None,
        }
    }

    /// The member of a constant name.
    pub(crate) fn member(self, name: &str) -> Result<Self, Missing> {
        match self {
            Self::Any => Ok(Self::Any),
            Self::Map(kind) => Ok(*kind),
            Self::OrNull(kind) => kind.member(name),
            Self::Headers if WITHHELD.contains(&name.to_lowercase().as_str()) => Err(Missing::Withheld),
            Self::Headers if headers::ends_here(&name.to_lowercase()) => Err(Missing::Taken),
            Self::Headers if name.chars().any(char::is_uppercase) => Err(Missing::UpperCase),
            Self::Headers => Ok(TEXTS),
            Self::Object(_) | Self::Leaves(_) => {
                let members = self.members().unwrap_or_default();
                let found = members.iter().find(|member| member.name == name);
                let names =
                    || Missing::Unknown(members.iter().map(|member| member.name.to_owned()).collect());
                found.map(|member| member.kind).ok_or_else(names)
            }
            Self::Text | Self::Word(_) | Self::Number | Self::Bool | Self::List(_) => {
                Err(Missing::None(self.name()))
            }
        }
    }

    /// What stands at a computed name or number.
    pub(crate) fn element(self) -> Result<Self, Missing> {
        match self {
            Self::List(kind) | Self::Map(kind) => Ok(*kind),
            Self::Headers => Ok(TEXTS),
            Self::OrNull(kind) => kind.element(),
            Self::Any | Self::Object(_) | Self::Leaves(_) => Ok(Self::Any),
            Self::Text | Self::Word(_) | Self::Number | Self::Bool => Err(Missing::None(self.name())),
        }
    }

    /// In words.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Text | Self::Word(_) => "text",
            Self::Number => "a whole number",
            Self::Bool => "true or false",
            Self::List(Self::Text) => "a list of texts",
            Self::List(_) => "a list",
            Self::Map(_) | Self::Headers | Self::Object(_) | Self::Leaves(_) => "an object",
            Self::OrNull(kind) => kind.name(),
            Self::Any => "anything",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const INPUT: Kind = Kind::Leaves("");

    fn at(path: &str) -> Result<Kind, Missing> {
        path.split('.').try_fold(INPUT, Kind::member)
    }

    #[test]
    fn a_path_of_the_input_has_its_kind_and_another_says_what_there_is() {
        assert_eq!(at("now"), Ok(Kind::Number));
        assert_eq!(at("request"), Ok(Kind::Leaves("request")));
        assert_eq!(at("request.query.dry"), Ok(TEXTS));
        assert_eq!(at("request.body.value.any.thing"), Ok(Kind::Any));
        assert_eq!(at("caller.x509.serial"), Ok(Kind::Text));
        assert_eq!(
            at("caller.x509.seriel"),
            Err(Missing::Unknown(["anchor", "serial"].map(str::to_owned).to_vec()))
        );
        assert_eq!(at("request.method.x"), Err(Missing::None("text")));
        assert_eq!(at("request.segments.x"), Err(Missing::None("a list of texts")));
        assert_eq!(at("request.headers.X-A"), Err(Missing::UpperCase));
        assert_eq!(at("request.headers.cookie"), Err(Missing::Withheld));
        assert_eq!(at("request.headers.Authorization"), Err(Missing::Withheld));
    }

    #[test]
    fn the_first_members_are_those_of_the_contract() {
        let names: Vec<_> = INPUT.members().unwrap().iter().map(|member| member.name).collect();
        let contract = [
            "v",
            "caller",
            "listener",
            "direction",
            "route",
            "upstream",
            "request",
            "credentials",
            "context",
            "now",
        ];
        assert_eq!(names, contract);
    }
}
