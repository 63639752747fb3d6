use std::fmt;
use std::sync::Arc;

use serde::{Serialize, Serializer};

/// The longest SPIFFE ID that is accepted (SPIFFE-ID 2.3).
const MAX_ID: usize = 2048;
/// The longest trust domain name (SPIFFE-ID 2.1).
const MAX_TRUST_DOMAIN: usize = 255;

/// A SPIFFE ID, parsed once and never a plain string again. Cheap to clone.
///
/// Strict where the text leaves room: the scheme and the trust domain must be lower case already,
/// nothing is decoded, nothing is normalised (SPIFFE-ID 2, 2.1 to 2.4).
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct SpiffeId {
    text: Arc<str>,
    /// Where the trust domain ends and the path begins.
    path: usize,
}

/// The name of a trust domain, without scheme.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct TrustDomain(Arc<str>);

/// Why a text is not a SPIFFE ID.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SpiffeIdError {
    /// It does not begin with `spiffe://`, in lower case.
    #[error("does not begin with spiffe://")]
    Scheme,
    /// The trust domain is empty, longer than 255 bytes or holds more than `a-z 0-9 . - _`.
    #[error("the trust domain must be 1 to 255 of a-z, 0-9, '.', '-', '_'")]
    TrustDomain,
    /// A path segment is empty, `.`, `..` or holds more than `a-z A-Z 0-9 . - _`.
    #[error("a path segment must be of a-z, A-Z, 0-9, '.', '-', '_', and neither empty nor '.' nor '..'")]
    Path,
    /// It is longer than 2048 bytes.
    #[error("longer than 2048 bytes")]
    TooLong,
}

const SCHEME: &str = "spiffe://";

impl SpiffeId {
    /// The whole id.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// The same, to be shared.
    #[must_use]
    pub const fn text(&self) -> &Arc<str> {
        &self.text
    }

    /// The trust domain's name.
    #[must_use]
    pub fn trust_domain(&self) -> &str {
        self.text.get(SCHEME.len()..self.path).unwrap_or_default()
    }

    /// The path with its leading slash; empty for the id of a trust domain itself.
    #[must_use]
    pub fn path(&self) -> &str {
        self.text.get(self.path..).unwrap_or_default()
    }

    /// The segments of the path.
    pub fn segments(&self) -> impl Iterator<Item = &str> {
        self.path().split('/').skip(1)
    }

    /// Whether it names a workload: the id of a trust domain itself (no path) does not (X509-SVID 3.1).
    #[must_use]
    pub fn names_a_workload(&self) -> bool {
        !self.path().is_empty()
    }
}

impl std::str::FromStr for SpiffeId {
    type Err = SpiffeIdError;

    fn from_str(text: &str) -> Result<Self, SpiffeIdError> {
        if text.len() > MAX_ID {
            return Err(SpiffeIdError::TooLong);
        }
        let rest = text.strip_prefix(SCHEME).ok_or(SpiffeIdError::Scheme)?;
        let (domain, path) = match rest.find('/') {
            Some(at) => rest.split_at(at),
            None => (rest, ""),
        };
        check_trust_domain(domain)?;
        if !path.is_empty() {
            path.split('/').skip(1).try_for_each(check_segment)?;
        }
        Ok(Self { text: text.into(), path: SCHEME.len() + domain.len() })
    }
}

impl TrustDomain {
    /// The name as configured and as it stands in an id.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl std::str::FromStr for TrustDomain {
    type Err = SpiffeIdError;

    fn from_str(text: &str) -> Result<Self, SpiffeIdError> {
        check_trust_domain(text)?;
        Ok(Self(text.into()))
    }
}

impl std::borrow::Borrow<str> for TrustDomain {
    fn borrow(&self) -> &str {
        &self.0
    }
}

fn check_trust_domain(name: &str) -> Result<(), SpiffeIdError> {
    let fits = (1..=MAX_TRUST_DOMAIN).contains(&name.len())
        && name.bytes().all(|b| matches!(b, b'a'..=b'z' | b'0'..=b'9' | b'.' | b'-' | b'_'));
    if fits { Ok(()) } else { Err(SpiffeIdError::TrustDomain) }
}

fn check_segment(segment: &str) -> Result<(), SpiffeIdError> {
    let fits = !matches!(segment, "" | "." | "..")
        && segment.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'-' | b'_'));
    if fits { Ok(()) } else { Err(SpiffeIdError::Path) }
}

impl fmt::Display for SpiffeId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl fmt::Debug for SpiffeId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl Serialize for SpiffeId {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.text)
    }
}

impl fmt::Display for TrustDomain {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for TrustDomain {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Result<SpiffeId, SpiffeIdError> {
        text.parse()
    }

    #[test]
    fn an_id_is_a_trust_domain_and_a_path() {
        let id = parse("spiffe://td/ns/a").unwrap();
        assert_eq!((id.trust_domain(), id.path()), ("td", "/ns/a"));
        assert_eq!(id.segments().collect::<Vec<_>>(), ["ns", "a"]);
        assert!(!parse("spiffe://td").unwrap().names_a_workload());
    }

    #[test]
    fn what_is_not_strictly_an_id_is_refused() {
        for bad in [
            "",
            "spiffe:/",
            "spiffe://",
            "spiffe:///x",
            "http://td/x",
            "Spiffe://td/x",
            "spiffe://TD/x",
            "spiffe://td/x?",
            "spiffe://td/x#",
            "spiffe://td?q",
            "spiffe://u@td/x",
            "spiffe://td:80/x",
            "spiffe://td:/x",
            "spiffe://[::1]/x",
            "spiffe://t%64/x",
            "spiffe://td/%41",
            "spiffe://td//a",
            "spiffe://td/a//b",
            "spiffe://td/.",
            "spiffe://td/a/..",
            "spiffe://td/",
            "spiffe://td/a/",
        ] {
            assert!(parse(bad).is_err(), "{bad}");
        }
        for good in [
            "spiffe://1.2.3.4/x",
            "spiffe://a_b/x",
            "spiffe://-a-/x",
            "spiffe://a..b/x",
            "spiffe://./x",
            "spiffe://td/...",
            "spiffe://td/..a",
        ] {
            assert!(parse(good).is_ok(), "{good}");
        }
    }

    #[test]
    fn every_byte_is_accepted_or_refused_by_the_charset_alone() {
        for byte in 0..=255u8 {
            let Ok(tail) = std::str::from_utf8(std::slice::from_ref(&byte)) else { continue };
            let domain = matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'.' | b'-' | b'_');
            assert_eq!(format!("td{tail}").parse::<TrustDomain>().is_ok(), domain, "{byte}");
            let path = byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-' | b'_');
            assert_eq!(parse(&format!("spiffe://td/p{tail}")).is_ok(), path, "{byte}");
        }
        assert!(parse("spiffe://td/ü").is_err());
    }

    #[test]
    fn lengths_end_where_the_standard_says() {
        assert!("a".repeat(255).parse::<TrustDomain>().is_ok());
        assert!("a".repeat(256).parse::<TrustDomain>().is_err());
        let id = |n: usize| format!("spiffe://td/{}", "a".repeat(n - "spiffe://td/".len()));
        assert!(parse(&id(2048)).is_ok());
        assert_eq!(parse(&id(2049)), Err(SpiffeIdError::TooLong));
    }
}
