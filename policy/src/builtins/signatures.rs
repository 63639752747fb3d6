//! What the builtins take and give: a constant of another kind fails each call, and OPA refuses it when it compiles.

use std::fmt;

use super::TABLE;

/// Kinds of values, of which there may be several.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Kinds(u8);

const NAMES: [&str; 7] = ["null", "boolean", "number", "string", "array", "object", "set"];

pub(crate) const NULL: Kinds = Kinds(1);
pub(crate) const BOOL: Kinds = Kinds(1 << 1);
pub(crate) const NUMBER: Kinds = Kinds(1 << 2);
pub(crate) const TEXT: Kinds = Kinds(1 << 3);
pub(crate) const LIST: Kinds = Kinds(1 << 4);
pub(crate) const OBJECT: Kinds = Kinds(1 << 5);
pub(crate) const SET: Kinds = Kinds(1 << 6);
pub(crate) const ANY: Kinds = Kinds(0x7f);
pub(super) const LISTS: Kinds = LIST.or(SET);
pub(super) const TEXTS: Kinds = TEXT.or(LISTS);
pub(super) const GROUPS: Kinds = LISTS.or(OBJECT);
pub(crate) const TIME: Kinds = NUMBER.or(LIST);

impl Kinds {
    /// These and those.
    pub(crate) const fn or(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    /// Each of them by itself.
    pub(crate) fn each(self) -> impl Iterator<Item = Self> {
        (0..NAMES.len()).map(|bit| Self(1 << bit)).filter(move |kind| self.meets(*kind))
    }

    /// Whether a value may be of both.
    pub(crate) const fn meets(self, other: Self) -> bool {
        self.0 & other.0 != 0
    }
}

/// In the words of `type_name`.
impl fmt::Display for Kinds {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if *self == ANY {
            return f.write_str("any");
        }
        let named = NAMES.iter().enumerate().filter(|(bit, _)| self.0 >> bit & 1 == 1);
        let names: Vec<&str> = named.map(|(_, name)| *name).collect();
        f.write_str(&names.join("|"))
    }
}

/// What one builtin takes and gives.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Signature {
    pub(super) name: &'static str,
    pub(crate) takes: &'static [Kinds],
    pub(crate) gives: Kinds,
}

/// As OPA writes it, `startswith(string, string) boolean`.
impl fmt::Display for Signature {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let takes: Vec<String> = self.takes.iter().map(ToString::to_string).collect();
        write!(f, "{}({}) {}", self.name, takes.join(", "), self.gives)
    }
}

/// What the builtin of this name takes and gives; none for what is refused whatever it is given.
pub(crate) fn signature(name: &str) -> Option<Signature> {
    super::row(name)?.signature()
}

/// Every builtin that a policy may call, with what it takes and gives, `startswith(string, string) boolean`.
#[must_use]
pub fn signatures() -> Vec<String> {
    let signatures = TABLE.values().filter_map(|row| row.signature());
    signatures.map(|signature| signature.to_string()).collect()
}
