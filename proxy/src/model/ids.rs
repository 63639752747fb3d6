use std::fmt;

use serde::{Serialize, Serializer};

/// Random names for things that are looked up in records: short enough to read aloud, long
/// enough (60 bits) not to meet twice in the records one keeps.
macro_rules! ids {
    ($($(#[$doc:meta])* $name:ident $prefix:literal)*) => {$(
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, Hash)]
        pub struct $name([u8; 12]);

        impl $name {
            /// A fresh one.
            #[must_use]
            pub fn random() -> Self { Self(letters()) }

            /// The id as it is written.
            #[must_use]
            pub fn text(&self) -> String { self.to_string() }
        }

        impl std::str::FromStr for $name {
            type Err = NotAnId;

            /// Reads back what [`Self::text`] wrote.
            fn from_str(text: &str) -> Result<Self, NotAnId> {
                let letters = text.strip_prefix($prefix).ok_or(NotAnId)?.as_bytes();
                let letters: [u8; 12] = letters.try_into().map_err(|_| NotAnId)?;
                if letters.iter().all(|letter| ALPHABET.contains(letter)) { Ok(Self(letters)) } else { Err(NotAnId) }
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str($prefix)?;
                f.write_str(std::str::from_utf8(&self.0).unwrap_or_default())
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result { fmt::Display::fmt(self, f) }
        }

        impl Serialize for $name {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.collect_str(self)
            }
        }
    )*};
}

/// Why a text is not one of our ids.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not an id of ours")]
pub struct NotAnId;

ids! {
    /// One record, as it stands in the log and in a refusal's body.
    RecordId "r-"
    /// One access: caller, lease and upstream, from first use to its end.
    AccessId "a-"
    /// One decision of the policy.
    DecisionId "d-"
}

/// Crockford's base 32: no letter that is read as another.
const ALPHABET: &[u8; 32] = b"0123456789abcdefghjkmnpqrstvwxyz";

fn letters() -> [u8; 12] {
    let mut random = [0u8; 12];
    // Only a kernel without a random source makes this fail; then ids repeat, and nothing rests on them but look-up.
    let _filled = aws_lc_rs::rand::fill(&mut random);
    random.map(|byte| ALPHABET.get(usize::from(byte & 31)).copied().unwrap_or(b'0'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_is_read_back_as_it_was_written() {
        let id = AccessId::random();
        assert_eq!(id.text().parse(), Ok(id));
        for bad in ["", "a-", "r-0123456789ab", "a-0123456789aU", "a-0123456789abc"] {
            assert_eq!(bad.parse::<AccessId>(), Err(NotAnId), "{bad}");
        }
    }
}
