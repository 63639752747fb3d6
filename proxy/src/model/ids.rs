use std::cell::RefCell;
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

/// Random bytes for names, never for keys: drawn from the generator in bulk, for one draw costs the
/// same whether it is for 12 bytes or for 512.
#[must_use]
pub fn random_name<const N: usize>() -> [u8; N] {
    thread_local! {
        static DRAWN: RefCell<Vec<u8>> = const { RefCell::new(Vec::new()) };
    }
    DRAWN.with_borrow_mut(|drawn| {
        if drawn.len() < N {
            drawn.resize(512.max(N), 0);
            // Only a kernel without a random source makes this fail; then names repeat, and nothing rests on them
            // but look-up.
            let _filled = aws_lc_rs::rand::fill(drawn);
        }
        let mut name = [0; N];
        let from = drawn.len() - N;
        name.iter_mut().zip(drawn.drain(from..)).for_each(|(to, byte)| *to = byte);
        name
    })
}

fn letters() -> [u8; 12] {
    random_name().map(|byte| ALPHABET.get(usize::from(byte & 31)).copied().unwrap_or(b'0'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_two_names_in_a_row_are_alike() {
        let names: std::collections::HashSet<[u8; 12]> = (0..1000).map(|_| random_name()).collect();
        assert_eq!(names.len(), 1000);
        assert_ne!(random_name::<1024>(), random_name::<1024>());
    }

    #[test]
    fn an_id_is_read_back_as_it_was_written() {
        let id = AccessId::random();
        assert_eq!(id.text().parse(), Ok(id));
        for bad in ["", "a-", "r-0123456789ab", "a-0123456789aU", "a-0123456789abc"] {
            assert_eq!(bad.parse::<AccessId>(), Err(NotAnId), "{bad}");
        }
    }
}
