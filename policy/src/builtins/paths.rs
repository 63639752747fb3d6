//! `json.filter` and `json.remove`: a path as text may begin with a slash and have escapes, as in a JSON pointer, and
//! what stands in the way of a path stays as it is. The engine drops it.

use std::collections::{BTreeMap, BTreeSet};

use regorus::Value;

use super::row::{Builtin, By};
use super::signatures::{LISTS, OBJECT};
use super::{Fail, weigh};

pub(super) const ROWS: &[Builtin] = &[
    Builtin::new("json.filter", &[OBJECT, LISTS], OBJECT, By::Ours(filter)),
    Builtin::new("json.remove", &[OBJECT, LISTS], OBJECT, By::Ours(remove)),
];

/// What the paths lead to; none where one ends.
#[derive(Default)]
struct Tree(BTreeMap<Value, Option<Tree>>);

/// The document with nothing but what the paths lead to.
fn filter(args: &[Value]) -> Result<Value, Fail> {
    let (document, tree) = read(args)?;
    Ok(kept(document, Some(&tree)))
}

/// The document without what the paths lead to.
fn remove(args: &[Value]) -> Result<Value, Fail> {
    let (document, tree) = read(args)?;
    Ok(left(document, &tree))
}

fn read(args: &[Value]) -> Result<(&Value, Tree), Fail> {
    let [document @ Value::Object(_), paths] = args else {
        return Err(Fail::Argument("takes an object and paths"));
    };
    weigh::deep(args)?;
    let paths: Vec<&Value> = match paths {
        Value::Array(paths) => paths.iter().collect(),
        Value::Set(paths) => paths.iter_sorted().collect(),
        _ => return Err(Fail::Argument("takes a list or a set of paths")),
    };
    let mut tree = Tree::default();
    for path in paths {
        let parts = match path {
            // OPA takes it for a path without a part, which leads nowhere; a slash alone is one with the part that is empty.
            Value::String(path) if path.is_empty() => Vec::new(),
            Value::String(path) => {
                let part = |part: &str| Value::from(part.replace("~1", "/").replace("~0", "~"));
                path.trim_start_matches('/').split('/').map(part).collect()
            }
            Value::Array(parts) => parts.to_vec(),
            _ => return Err(Fail::Argument("takes paths as texts or lists")),
        };
        tree.grow(&parts);
    }
    Ok((document, tree))
}

impl Tree {
    fn grow(&mut self, path: &[Value]) {
        match path {
            [] => {}
            [last] => drop(self.0.insert(last.clone(), None)),
            [first, rest @ ..] => {
                // A shorter path has all that is below it.
                if let Some(below) = self.0.entry(first.clone()).or_insert_with(|| Some(Self::default())) {
                    below.grow(rest);
                }
            }
        }
    }
}

/// Indexes of lists are texts in a path.
fn index(at: usize) -> Value {
    Value::from(at.to_string())
}

fn kept(value: &Value, tree: Option<&Tree>) -> Value {
    let Some(Tree(tree)) = tree else { return value.clone() };
    each(value, |key, value| tree.get(key).map(|tree| kept(value, tree.as_ref())))
}

fn left(value: &Value, Tree(tree): &Tree) -> Value {
    each(value, |key, value| match tree.get(key) {
        None => Some(value.clone()),
        Some(None) => None,
        Some(Some(tree)) => Some(left(value, tree)),
    })
}

/// What becomes of each member of a value, by its key; a value without members stays.
fn each(value: &Value, below: impl Fn(&Value, &Value) -> Option<Value>) -> Value {
    match value {
        Value::Object(members) => {
            let member = |(name, value): (&Value, &Value)| Some((name.clone(), below(name, value)?));
            Value::from(members.iter().filter_map(member).collect::<BTreeMap<_, _>>())
        }
        Value::Array(items) => {
            let items = items.iter().enumerate().filter_map(|(at, item)| below(&index(at), item));
            Value::from(items.collect::<Vec<_>>())
        }
        Value::Set(items) => {
            Value::from(items.iter().filter_map(|item| below(item, item)).collect::<BTreeSet<_>>())
        }
        value => value.clone(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::builtins::turn;

    #[test]
    fn paths_are_pointers_and_what_stands_in_their_way_stays() {
        turn::begin(None);
        let json = |text: &str| Value::from_json_str(text).unwrap();
        let document = json(r#"{"a": {"b": 1, "c": 2}, "d/e": 3, "l": [1, {"x": 1}], "n": 7}"#);
        for (paths, filtered, removed) in [
            (
                r#"["/a/b", "d~1e"]"#,
                r#"{"a": {"b": 1}, "d/e": 3}"#,
                r#"{"a": {"c": 2}, "l": [1, {"x": 1}], "n": 7}"#,
            ),
            (r#"["a/b", "a"]"#, r#"{"a": {"b": 1, "c": 2}}"#, r#"{"d/e": 3, "l": [1, {"x": 1}], "n": 7}"#),
            (
                r#"[["l", "1", "x"], "n/z"]"#,
                r#"{"l": [{"x": 1}], "n": 7}"#,
                r#"{"a": {"b": 1, "c": 2}, "d/e": 3, "l": [1, {}], "n": 7}"#,
            ),
            ("[]", "{}", r#"{"a": {"b": 1, "c": 2}, "d/e": 3, "l": [1, {"x": 1}], "n": 7}"#),
        ] {
            assert_eq!(filter(&[document.clone(), json(paths)]), Ok(json(filtered)), "{paths}");
            assert_eq!(remove(&[document.clone(), json(paths)]), Ok(json(removed)), "{paths}");
        }
    }
}
