//! What of an input is kept in a record: enough to judge it again, and nothing that may be a secret unless it is
//! named.

use regorus::Value;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value as Json};

use crate::document::Document;
use crate::input::{LeafId, LeafSet};
use crate::kind::Kind;

/// What stands where a value was masked.
pub const MASKED: &str = "(masked)";

/// Longest text that is kept whole, in bytes; a SPIFFE ID may have 2,048.
const LONGEST: usize = 2_048;
/// Most places that are named as masked or shortened.
const MOST_PLACES: usize = 64;
/// Longest name of a member that is kept; a longer one may be a value.
const LONGEST_NAME: usize = 64;

/// Below these, values are masked: whoever calls writes what stands there.
const HIDDEN: &[&str] = &[
    "caller.jwt",
    "caller.process",
    "request.body.value",
    "request.headers",
    "request.query",
    "request.statement",
    "request.user",
];
/// What is shown all the same.
const SHOWN: &[&str] = &[
    "caller.jwt.audience",
    "caller.jwt.key_id",
    "request.headers.accept",
    "request.headers.content-length",
    "request.headers.content-type",
    "request.headers.host",
];

/// How much of an input is kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Keeping {
    /// Places below `input` whose values are kept as they are, dots between the members: `request.headers.x-tenant`.
    /// In a list the place is that of the list.
    pub show: Vec<String>,
    /// Most bytes of values that are kept.
    pub most: usize,
}

/// What was kept of an input.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Kept {
    /// The input: every single value, and of lists and objects those that the policy reads.
    pub document: Json,
    /// Places below `input` whose values were masked; the last one is `…` where there are more.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub masked: Vec<String>,
    /// Places that were shortened or left out for their size.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub shortened: Vec<String>,
}

impl Keeping {
    /// Whether such a place can be named in `show`: one that is masked otherwise.
    #[must_use]
    pub fn is_place(place: &str) -> bool {
        HIDDEN.iter().any(|hidden| inside(place, hidden)) && place.split('.').all(|member| !member.is_empty())
    }
}

impl Document {
    /// What is kept of this input for a policy that reads these leaves.
    #[must_use]
    pub fn keep(&self, leaves: &LeafSet, keeping: &Keeping) -> Kept {
        let mut keeper = Keeper { keeping, left: keeping.most, kept: Kept::default() };
        let mut document = Json::Object(Map::new());
        // What nobody but Postern wrote comes first: the rest may be as long as its caller likes.
        for hidden in [false, true] {
            for leaf in LeafId::ALL {
                let scalar = is_scalar(leaf.kind());
                if is_hidden(*leaf) != hidden || !(scalar || leaves.reads(*leaf)) {
                    continue;
                }
                if let Some(value) = at(self.value(), leaf.path())
                    && let Some(value) = keeper.keep(value, &mut leaf.path().to_owned())
                {
                    put(&mut document, leaf.path(), value);
                }
            }
        }
        Kept { document, ..keeper.kept }
    }
}

/// Whether a leaf is one value, or a list of texts.
const fn is_scalar(kind: Kind) -> bool {
    match kind {
        Kind::Text | Kind::Word(_) | Kind::Number | Kind::List(Kind::Text) => true,
        Kind::OrNull(kind) => is_scalar(*kind),
        _ => false,
    }
}

/// Whether a leaf holds anything that is masked.
fn is_hidden(leaf: LeafId) -> bool {
    HIDDEN.iter().any(|hidden| inside(hidden, leaf.path()) || inside(leaf.path(), hidden))
}

/// Whether one place is another, or below it.
fn inside(place: &str, other: &str) -> bool {
    place.strip_prefix(other).is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
}

fn at<'v>(value: &'v Value, path: &str) -> Option<&'v Value> {
    path.split('.').try_fold(value, |value, member| value.as_object().ok()?.get(&Value::from(member)))
}

fn put(into: &mut Json, path: &str, value: Json) {
    let mut place = into;
    for member in path.split('.') {
        if !place.is_object() {
            *place = Json::Object(Map::new());
        }
        let Some(object) = place.as_object_mut() else { return };
        place = object.entry(member).or_insert(Json::Null);
    }
    *place = value;
}

struct Keeper<'a> {
    keeping: &'a Keeping,
    /// Bytes that may still be kept.
    left: usize,
    kept: Kept,
}

impl Keeper<'_> {
    /// What is kept of a value at this place; none where there is no room for it.
    fn keep(&mut self, value: &Value, place: &mut String) -> Option<Json> {
        if self.left == 0 {
            note(&mut self.kept.shortened, place);
            return None;
        }
        let kept = match value {
            Value::Null => self.take(4, Json::Null),
            Value::Array(items) => {
                let items = items.iter().map_while(|item| self.keep(item, place)).collect();
                self.take(2, Json::Array(items))
            }
            Value::Object(members) => {
                let mut object = Map::new();
                for (name, value) in members.iter_sorted() {
                    let Ok(name) = name.as_string() else { continue };
                    let length = place.len();
                    place.push('.');
                    place.push_str(name);
                    let shown = self.is_shown(place);
                    let name = if shown || is_name(name, value) { name.as_ref() } else { MASKED };
                    if name == MASKED {
                        place.truncate(length);
                        place.push('.');
                        place.push_str(MASKED);
                        note(&mut self.kept.masked, place);
                    }
                    self.left = self.left.saturating_sub(name.len() + 4);
                    if let Some(value) = self.keep(value, place) {
                        object.insert(name.to_owned(), value);
                    }
                    place.truncate(length);
                    if self.left == 0 {
                        note(&mut self.kept.shortened, place);
                        break;
                    }
                }
                self.take(2, Json::Object(object))
            }
            _ if !self.is_shown(place) => {
                note(&mut self.kept.masked, place);
                self.take(MASKED.len(), Json::from(MASKED))
            }
            Value::String(text) => {
                let most = LONGEST.min(self.left);
                let whole = text.len() <= most;
                if !whole {
                    note(&mut self.kept.shortened, place);
                }
                let end =
                    (0..=most.min(text.len())).rev().find(|end| text.is_char_boundary(*end)).unwrap_or(0);
                let text = if whole { text.as_ref() } else { text.get(..end).unwrap_or_default() };
                self.take(text.len() + 2, Json::from(text))
            }
            other => {
                let value = serde_json::to_value(other).unwrap_or(Json::Null);
                self.take(20, value)
            }
        };
        Some(kept)
    }

    fn take(&mut self, bytes: usize, value: Json) -> Json {
        self.left = self.left.saturating_sub(bytes);
        value
    }

    fn is_shown(&self, place: &str) -> bool {
        let named = || self.keeping.show.iter().map(String::as_str).chain(SHOWN.iter().copied());
        !HIDDEN.iter().any(|hidden| inside(place, hidden)) || named().any(|shown| inside(place, shown))
    }
}

/// Whether a member's name is one. A parameter without a value is no more than a value, and so may a strange name be.
fn is_name(name: &str, value: &Value) -> bool {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"_-.$".contains(&byte);
    let alone = matches!(value, Value::Array(items) if items.iter().all(|item| *item == Value::from("")));
    let alone = alone && !matches!(value, Value::Array(items) if items.is_empty());
    (1..=LONGEST_NAME).contains(&name.len()) && name.bytes().all(plain) && !alone
}

/// Notes a place once, and at last that there are more.
fn note(places: &mut Vec<String>, place: &str) {
    if places.len() > MOST_PLACES || places.iter().any(|noted| noted == place) {
        return;
    }
    let more = places.len() == MOST_PLACES;
    places.push(if more {
        "…".to_owned()
    } else {
        place.chars().filter(|c| !c.is_control()).take(200).collect()
    });
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    const INPUT: &str = r#"{
        "caller": {"id": "spiffe://a/b", "jwt": {"audience": "me", "key_id": "k", "email": "canary-claim"}},
        "credentials": {"app": {"state": "none"}},
        "now": 7,
        "request": {
            "body": {"state": "parsed", "bytes": 9, "value": {"amount": 12, "ok": true, "note": ["canary-body"], "canary key!": 1}},
            "headers": {"x-tenant": ["canary-header\nline", "b"], "content-type": ["application/json"]},
            "method": "POST",
            "query": {"dry": ["canary-query"], "canary-name": [""]}
        }
    }"#;

    fn kept(leaves: &LeafSet, show: &[&str], most: usize) -> Kept {
        let keeping = Keeping { show: show.iter().map(|place| (*place).to_owned()).collect(), most };
        Document::json(INPUT).unwrap().keep(leaves, &keeping)
    }

    #[test]
    fn what_a_caller_writes_is_masked_unless_it_is_named() {
        let kept = kept(&LeafSet::Whole, &["request.body.value.amount", "request.headers.x-tenant"], 9_000);

        let text = serde_json::to_string(&kept).unwrap();
        for canary in ["canary-claim", "canary-body", "canary key", "canary-query", "canary-name"] {
            assert!(!text.contains(canary), "{canary} in {text}");
        }
        let request = &kept.document["request"];
        assert_eq!(request["body"]["value"]["amount"], 12);
        assert_eq!(request["body"]["value"]["ok"], MASKED);
        assert_eq!(request["body"]["state"], "parsed");
        assert_eq!(request["headers"]["x-tenant"], serde_json::json!(["canary-header\nline", "b"]));
        assert_eq!(request["headers"]["content-type"][0], "application/json");
        assert_eq!(kept.document["caller"]["jwt"]["audience"], "me");
        assert!(kept.masked.contains(&"request.query.dry".to_owned()), "{:?}", kept.masked);
        assert!(!kept.masked.iter().any(|place| place.contains("amount")), "{:?}", kept.masked);
        assert_eq!(kept.shortened, Vec::<String>::new());
    }

    #[test]
    fn lists_and_objects_that_the_policy_does_not_read_are_left_out() {
        let kept = kept(&LeafSet::Only(BTreeSet::from([LeafId::RequestQuery])), &[], 9_000);

        assert_eq!(
            kept.document,
            serde_json::json!({
                "caller": {"id": "spiffe://a/b"},
                "now": 7,
                "request": {"method": "POST", "query": {"dry": [MASKED], MASKED: [MASKED]}},
            })
        );
    }

    #[test]
    fn what_is_too_much_is_cut_and_said_to_be() {
        let kept = kept(&LeafSet::Whole, &[], 150);

        assert!(serde_json::to_string(&kept.document).unwrap().len() < 400);
        assert_eq!(kept.document["request"]["method"], "POST", "what is short comes first");
        assert!(!kept.shortened.is_empty());
        let many: Vec<String> = (0..200).map(|at| format!("\"h{at}\": [\"x\"]")).collect();
        let text = format!(r#"{{"request": {{"headers": {{{}}}}}}}"#, many.join(","));
        let keeping = Keeping { show: Vec::new(), most: 100_000 };
        let kept = Document::json(&text).unwrap().keep(&LeafSet::Whole, &keeping);
        assert_eq!((kept.masked.len(), kept.masked.last().unwrap().as_str()), (65, "…"));
    }
}
