//! What a bundle owns: the paths below `data` at which its packages and its data may stand, and no other bundle's.

use std::fmt;
use std::sync::Arc;

use serde_json::Value;

/// Paths in parts; one without parts owns everything. Cloning costs a reference count.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Roots(Arc<[Vec<String>]>);

impl Default for Roots {
    fn default() -> Self {
        Self::everything()
    }
}

impl Roots {
    /// The root of a bundle that names none.
    pub(crate) fn everything() -> Self {
        Self(Arc::new([Vec::new()]))
    }

    /// Roots as a manifest writes them: `a/b`, slashes around it or not.
    pub(crate) fn new(roots: &[String]) -> Result<Self, String> {
        let parts = |root: &String| {
            let root = root.trim_matches('/');
            if root.is_empty() { Vec::new() } else { root.split('/').map(str::to_owned).collect() }
        };
        let list: Vec<Vec<String>> = roots.iter().map(parts).collect();
        for (index, root) in list.iter().enumerate() {
            if let Some(other) = list.iter().skip(index + 1).find(|other| overlap(root, other)) {
                let (root, other) = (shown(root), shown(other));
                return Err(format!("its roots {root} and {other} overlap"));
            }
        }
        Ok(Self(list.into()))
    }

    /// Whether all that stands at and below this path is theirs.
    pub(crate) fn own(&self, path: &[String]) -> bool {
        self.0.iter().any(|root| path.starts_with(root))
    }

    /// The first path at which data stands that is not theirs.
    pub(crate) fn outside(&self, path: &mut Vec<String>, data: &Value) -> Option<String> {
        if self.own(path) {
            return None;
        }
        let leads = self.0.iter().any(|root| root.starts_with(path));
        let (true, Value::Object(members)) = (leads, data) else { return Some(shown(path)) };
        members.iter().find_map(|(name, value)| {
            path.push(name.clone());
            let found = self.outside(path, value);
            path.pop();
            found
        })
    }

    /// Each as a path.
    pub(crate) fn list(&self) -> Vec<String> {
        self.0.iter().map(|root| shown(root)).collect()
    }

    /// The root that both would own.
    pub(crate) fn shared_with(&self, other: &Self) -> Option<String> {
        let pairs = self.0.iter().flat_map(|root| other.0.iter().map(move |other| (root, other)));
        // The longer of the two is the one that both claim.
        pairs
            .filter(|(root, other)| overlap(root, other))
            .map(|(root, other)| shown(if root.len() > other.len() { root } else { other }))
            .next()
    }
}

impl fmt::Display for Roots {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let roots = self.list();
        f.write_str(&if roots.is_empty() { "none".to_owned() } else { roots.join(", ") })
    }
}

fn overlap(one: &[String], other: &[String]) -> bool {
    one.starts_with(other) || other.starts_with(one)
}

/// `/a/b`, and `/` for everything.
pub(crate) fn shown(path: &[String]) -> String {
    format!("/{}", path.join("/"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn roots(list: &[&str]) -> Roots {
        Roots::new(&list.iter().map(ToString::to_string).collect::<Vec<_>>()).unwrap()
    }

    fn outside(list: &[&str], json: &str) -> Option<String> {
        roots(list).outside(&mut Vec::new(), &serde_json::from_str(json).unwrap())
    }

    #[test]
    fn data_stands_under_a_root_or_leads_to_one() {
        assert_eq!(outside(&[""], r#"{"a": 1}"#), None);
        assert_eq!(outside(&["a/b", "c"], r#"{"a": {"b": {"x": 1}}, "c": 2}"#), None);
        assert_eq!(outside(&["a/b"], r#"{"a": {"x": 1}}"#).as_deref(), Some("/a/x"));
        assert_eq!(outside(&["a/b"], r#"{"a": 1}"#).as_deref(), Some("/a"));
        assert_eq!(outside(&["a/b"], r#"{"d": {}}"#).as_deref(), Some("/d"));
        assert_eq!(outside(&["a"], r#"{"ab": 1}"#).as_deref(), Some("/ab"));
        assert_eq!(outside(&[], r#"{"a": 1}"#).as_deref(), Some("/"));
    }

    #[test]
    fn roots_overlap_by_whole_parts() {
        assert_eq!(roots(&["a"]).shared_with(&roots(&["b", "a/b"])).as_deref(), Some("/a/b"));
        assert_eq!(roots(&["a/b"]).shared_with(&roots(&["a/bc"])), None);
        assert_eq!(Roots::everything().shared_with(&roots(&["x"])).as_deref(), Some("/x"));
        assert_eq!(Roots::everything().shared_with(&Roots::everything()).as_deref(), Some("/"));
    }

    #[test]
    fn roots_of_one_manifest_do_not_overlap_whatever_slashes_they_have() {
        let list = |list: &[&str]| Roots::new(&list.iter().map(ToString::to_string).collect::<Vec<_>>());

        assert!(list(&["a", "/a/b/"]).unwrap_err().contains("/a and /a/b"));
        assert!(list(&["", "a"]).is_err());
        assert_eq!(list(&["/a/"]).unwrap(), roots(&["a"]));
    }
}
