use std::fmt;

use crate::model::random_name;

/// W3C trace context: the caller's trace goes on through us, under a span of our own.
///
/// Only version 00 is read; anything else begins a new trace (Trace Context, section 3.2).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TraceContext {
    trace: [u8; 16],
    span: [u8; 8],
    flags: u8,
}

impl TraceContext {
    /// A new trace, not sampled: whoever wants it sampled says so in the request.
    #[must_use]
    pub fn begin() -> Self {
        let random: [u8; 24] = random_name();
        let mut fresh = Self { trace: [0; 16], span: [0; 8], flags: 0 };
        let (trace, span) = random.split_at(16);
        fresh.trace.copy_from_slice(trace);
        fresh.span.copy_from_slice(span);
        fresh
    }

    /// Goes on with what `traceparent` says; `None` if it is not exactly of version 00.
    #[must_use]
    pub fn continued(traceparent: &str) -> Option<Self> {
        let mut parts = traceparent.split('-');
        let (version, trace, span, flags) = (parts.next()?, parts.next()?, parts.next()?, parts.next()?);
        if version != "00" || parts.next().is_some() {
            return None;
        }
        let trace = hex::<16>(trace)?;
        let _callers_span = hex::<8>(span).filter(|span| *span != [0; 8])?;
        let [flags] = hex::<1>(flags)?;
        (trace != [0; 16]).then(|| Self { trace, span: Self::begin().span, flags })
    }

    /// The trace id, 32 hexadecimal digits.
    #[must_use]
    pub fn trace_id(&self) -> String {
        self.to_string().get(3..35).unwrap_or_default().to_owned()
    }
}

impl fmt::Display for TraceContext {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "00-{:032x}-{:016x}-{:02x}",
            u128::from_be_bytes(self.trace),
            u64::from_be_bytes(self.span),
            self.flags
        )
    }
}

/// Exactly `N` bytes in lower-case hexadecimal.
fn hex<const N: usize>(text: &str) -> Option<[u8; N]> {
    if text.len() != 2 * N || !text.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f')) {
        return None;
    }
    let mut bytes = [0u8; N];
    for (at, byte) in bytes.iter_mut().enumerate() {
        *byte = u8::from_str_radix(text.get(2 * at..2 * at + 2)?, 16).ok()?;
    }
    Some(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_callers_trace_goes_on_under_our_span() {
        let given = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
        let ours = TraceContext::continued(given).unwrap();
        assert_eq!(ours.trace_id(), "4bf92f3577b34da6a3ce929d0e0e4736");
        assert!(ours.to_string().ends_with("-01"));
        assert_ne!(ours.to_string(), given);
    }

    #[test]
    fn what_is_not_version_00_begins_a_new_trace() {
        for bad in [
            "",
            "00",
            "01-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
            "00-00000000000000000000000000000000-00f067aa0ba902b7-01",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-0000000000000000-01",
            "00-4BF92F3577B34DA6A3CE929D0E0E4736-00f067aa0ba902b7-01",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01-x",
        ] {
            assert_eq!(TraceContext::continued(bad), None, "{bad}");
        }
    }
}
