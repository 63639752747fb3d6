use std::fmt;
use std::sync::Arc;

use serde::{Serialize, Serializer};

/// Why a text is not a name.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a name is 1 to 64 of a-z, 0-9, '-', '_', starting with a letter")]
pub struct NameError;

/// Names are interface: what is named in the configuration appears under that name in policy
/// input, records and metrics. Cheap to clone; 1 to 64 of `a-z 0-9 - _`, starting with a letter.
macro_rules! names {
    ($($(#[$doc:meta])* $name:ident)*) => {$(
        $(#[$doc])*
        #[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub struct $name(Arc<str>);

        impl $name {
            /// The name as it stands in the configuration.
            #[must_use]
            pub fn as_str(&self) -> &str { &self.0 }

            /// The same, to be shared.
            #[must_use]
            pub const fn text(&self) -> &Arc<str> { &self.0 }
        }

        impl std::str::FromStr for $name {
            type Err = NameError;
            fn from_str(text: &str) -> Result<Self, NameError> { checked(text).map(Self) }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result { f.write_str(&self.0) }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result { fmt::Debug::fmt(&*self.0, f) }
        }

        impl Serialize for $name {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.serialize_str(&self.0)
            }
        }

        impl std::borrow::Borrow<str> for $name {
            fn borrow(&self) -> &str { &self.0 }
        }
    )*};
}

names! {
    /// A key of `listeners:`.
    ListenerName
    /// A key of a listener's `routes:`.
    RouteName
    /// A key of `upstreams:`.
    UpstreamName
    /// A key of `credentials:`.
    CredentialName
    /// A key of `vaults:`.
    VaultName
}

fn checked(text: &str) -> Result<Arc<str>, NameError> {
    let fits = (1..=64).contains(&text.len())
        && text.starts_with(|c: char| c.is_ascii_lowercase())
        && text.bytes().all(|b| matches!(b, b'a'..=b'z' | b'0'..=b'9' | b'-' | b'_'));
    if fits { Ok(text.into()) } else { Err(NameError) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_a_short_plain_word() {
        for good in ["a", "ledger-read", "app_2"] {
            assert!(good.parse::<CredentialName>().is_ok(), "{good}");
        }
        for bad in ["", "2a", "A", "a/b", "a.b", "ä", &"a".repeat(65)] {
            assert!(bad.parse::<CredentialName>().is_err(), "{bad}");
        }
    }
}
