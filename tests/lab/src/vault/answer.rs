//! The shapes of Vault's answers.

use std::time::Duration;

use serde_json::{Map, Value, json};
use time::{OffsetDateTime, format_description::well_known::Rfc3339};
use tokio::time::Instant;

use super::state::random;

/// A status and, except for 204, a JSON body.
#[derive(Debug)]
pub(super) struct Answer {
    pub(super) status: u16,
    pub(super) body: Option<Value>,
    /// A header the status calls for: `Location`, `Retry-After`.
    pub(super) header: Option<(&'static str, String)>,
}

impl Answer {
    pub(super) fn new(status: u16, body: Value) -> Self {
        Self { status, body: Some(body), header: None }
    }

    pub(super) fn no_content() -> Self {
        Self { status: 204, body: None, header: None }
    }

    /// `{"errors":[…]}`
    pub(super) fn error(status: u16, text: &str) -> Self {
        Self::new(status, json!({ "errors": [text] }))
    }

    /// What Vault says of a secret that is not there.
    pub(super) fn nothing() -> Self {
        Self::new(404, json!({ "errors": [] }))
    }

    /// Bad token and forbidden path look the same.
    pub(super) fn denied() -> Self {
        Self::error(403, "1 error occurred:\n\t* permission denied\n\n")
    }

    pub(super) fn with_header(mut self, name: &'static str, value: String) -> Self {
        self.header = Some((name, value));
        self
    }
}

/// The envelope of every success with a body, to be filled in.
pub(super) struct Envelope(Map<String, Value>);

impl Envelope {
    pub(super) fn new() -> Self {
        let mut members = Map::new();
        members.insert("request_id".into(), random(32).into());
        members.insert("lease_id".into(), "".into());
        members.insert("renewable".into(), false.into());
        members.insert("lease_duration".into(), 0.into());
        for empty in ["data", "wrap_info", "warnings", "auth"] {
            members.insert(empty.into(), Value::Null);
        }
        Self(members)
    }

    pub(super) fn data(mut self, data: Value) -> Self {
        self.0.insert("data".into(), data);
        self
    }

    pub(super) fn auth(mut self, auth: Value) -> Self {
        self.0.insert("auth".into(), auth);
        self
    }

    pub(super) fn lease(mut self, id: &str, lasts: Duration) -> Self {
        self.0.insert("lease_id".into(), id.into());
        self.0.insert("renewable".into(), true.into());
        self.0.insert("lease_duration".into(), lasts.as_secs().into());
        self
    }

    pub(super) fn warning(mut self, warning: Option<String>) -> Self {
        self.0.insert("warnings".into(), warning.map(|text| json!([text])).unwrap_or_default());
        self
    }

    pub(super) fn answer(self, status: u16) -> Answer {
        Answer::new(status, Value::Object(self.0))
    }
}

/// Whole seconds from `now` to `end`, rounded up, so that a lease just issued shows its full time.
pub(super) fn seconds_to(end: Instant, now: Instant) -> u64 {
    let left = end.saturating_duration_since(now);
    left.as_secs() + u64::from(left.subsec_nanos() > 0)
}

/// A moment of this process as the wall clock shows it.
pub(super) fn timestamp(moment: Instant, now: Instant) -> String {
    let wall = OffsetDateTime::now_utc() + moment.saturating_duration_since(now)
        - now.saturating_duration_since(moment);
    wall.format(&Rfc3339).unwrap_or_default()
}

/// What a request asked for in `increment`: seconds, or a text such as `90`, `90s`, `5m`, `1h`.
pub(super) fn increment(body: &Value) -> Result<Option<Duration>, Answer> {
    let bad = || Answer::error(400, "error converting input for field \"increment\"");
    let text = match body.get("increment") {
        None | Some(Value::Null) => return Ok(None),
        Some(Value::Number(seconds)) => seconds.to_string(),
        Some(Value::String(text)) => text.clone(),
        Some(_) => return Err(bad()),
    };
    let digits = text.trim_end_matches(['s', 'm', 'h']);
    let unit = match text.strip_prefix(digits) {
        Some("" | "s") => 1,
        Some("m") => 60,
        Some("h") => 3600,
        _ => return Err(bad()),
    };
    let seconds: u32 = digits.parse().map_err(|_| bad())?;
    Ok((seconds > 0).then(|| Duration::from_secs(u64::from(seconds) * unit)))
}

/// A new end for something renewed now, and the warning when less was granted than asked.
pub(super) fn renewed(
    wanted: Duration,
    max_end: Instant,
    now: Instant,
) -> (Instant, Duration, Option<String>) {
    let possible = max_end.saturating_duration_since(now);
    let warning = (wanted > possible).then(|| {
        format!(
            "TTL of {wanted:?} exceeded the effective max_ttl of {possible:?}; TTL value is capped accordingly"
        )
    });
    let granted = wanted.min(possible);
    (now + granted, granted, warning)
}
