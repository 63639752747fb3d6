//! What a vault answers, read into types that wipe their secrets. Nothing of an answer ever
//! reaches an error but the words of `errors`: a parser's complaint may quote what it read.

use std::time::Duration;

use serde::{Deserialize, Deserializer};

use super::error::VaultError;
use crate::model::Secret;

/// How much of a vault's own words is kept for the log.
const MAX_WORDS: usize = 400;

/// An answer as it came.
pub(super) struct Answer {
    pub(super) status: u16,
    pub(super) retry_after: Option<Duration>,
    pub(super) body: Secret<Vec<u8>>,
}

/// The envelope of every answer.
#[derive(Default, Deserialize)]
#[serde(default)]
pub(crate) struct Envelope {
    #[serde(deserialize_with = "secret")]
    pub(crate) lease_id: Option<Secret<String>>,
    pub(crate) renewable: bool,
    pub(crate) lease_duration: u64,
    pub(crate) data: Option<Data>,
    pub(super) auth: Option<Auth>,
}

/// The members of `data` that any of our calls looks at; kv version 2 has another `data` inside.
#[derive(Default, Deserialize)]
#[serde(default)]
pub(crate) struct Data {
    #[serde(deserialize_with = "secret")]
    pub(crate) username: Option<Secret<String>>,
    #[serde(deserialize_with = "secret")]
    pub(crate) password: Option<Secret<String>>,
    #[serde(deserialize_with = "secret")]
    pub(crate) token: Option<Secret<String>>,
    pub(crate) ttl: Option<u64>,
    #[serde(rename = "data")]
    pub(crate) inner: Option<Box<Data>>,
    pub(crate) accessor: Option<String>,
    pub(crate) renewable: Option<bool>,
}

/// What a login gives.
#[derive(Deserialize)]
pub(super) struct Auth {
    #[serde(default, deserialize_with = "secret")]
    pub(super) client_token: Option<Secret<String>>,
    #[serde(default)]
    pub(super) accessor: Option<String>,
    #[serde(default)]
    pub(super) lease_duration: u64,
    #[serde(default)]
    pub(super) renewable: bool,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Errors {
    errors: Vec<String>,
}

impl Answer {
    /// The envelope of a success; empty for 204.
    pub(super) fn envelope(&self) -> Result<Envelope, VaultError> {
        match self.status {
            200 if self.body.expose().is_empty() => Ok(Envelope::default()),
            200 => serde_json::from_slice(self.body.expose())
                .map_err(|_| VaultError::Answer("is not the JSON of a vault's envelope")),
            204 => Ok(Envelope::default()),
            _ => Err(self.error()),
        }
    }

    /// What a status means; the words are for the log alone, never matched.
    fn error(&self) -> VaultError {
        let (status, words) = (self.status, self.words());
        match status {
            429 => VaultError::Busy { retry_after: self.retry_after, words },
            403 => VaultError::Denied(words),
            404 => VaultError::Missing(words),
            // 307: a standby that names the active node; a redirect is never followed with a token in hand.
            // 412: an index not yet replicated; 472 to 474: standing by; 501: not initialised; 503: sealed.
            300..=399 | 412 | 472..=474 | 501 | 503 | 504 => VaultError::NotReady { status, words },
            // 500 and 502 among them: what stands behind this one path fails, not the vault.
            _ => VaultError::Refused { status, words },
        }
    }

    fn words(&self) -> String {
        let errors: Errors = serde_json::from_slice(self.body.expose()).unwrap_or_default();
        let words = errors.errors.join("; ");
        words.chars().map(|c| if c.is_control() { ' ' } else { c }).take(MAX_WORDS).collect()
    }
}

fn secret<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Secret<String>>, D::Error> {
    let text = Option::<String>::deserialize(deserializer)?;
    Ok(text.filter(|text| !text.is_empty()).map(Secret::new))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answer(status: u16, body: &str) -> Answer {
        Answer { status, retry_after: None, body: Secret::new(body.as_bytes().to_vec()) }
    }

    #[test]
    fn a_status_is_what_counts_and_errors_may_be_empty_or_missing() {
        let of = |status, body| answer(status, body).envelope().err().unwrap();
        assert!(matches!(of(404, r#"{"errors":[]}"#), VaultError::Missing(words) if words.is_empty()));
        assert!(matches!(
            of(404, r#"{"data":{"data":null,"metadata":{"deletion_time":"x"}}}"#),
            VaultError::Missing(_)
        ));
        assert!(matches!(
            of(503, r#"{"errors":["Vault is sealed"]}"#),
            VaultError::NotReady { status: 503, .. }
        ));
        assert!(matches!(of(473, ""), VaultError::NotReady { status: 473, .. }));
        assert!(matches!(of(307, ""), VaultError::NotReady { status: 307, .. }));
        assert!(matches!(of(429, ""), VaultError::Busy { .. }));
        assert!(
            matches!(of(400, r#"{"errors":["1 error:\n\t* bad"]}"#), VaultError::Refused { words, .. } if words == "1 error:  * bad")
        );
    }

    #[test]
    fn a_complaint_quotes_nothing_of_the_answer() {
        let error = answer(200, r#"{"lease_duration":"hunter2"}"#).envelope().err().unwrap();
        assert!(!format!("{error:?} {error}").contains("hunter2"));
    }

    #[test]
    fn nulls_and_absent_members_are_one_thing() {
        let envelope = answer(200, r#"{"lease_id":"","renewable":false,"lease_duration":0,"data":{"username":"u","password":"p","ttl":4},"auth":null,"warnings":null}"#)
            .envelope()
            .unwrap();
        assert!(envelope.lease_id.is_none());
        assert_eq!(envelope.data.unwrap().ttl, Some(4));
        assert!(answer(204, "").envelope().unwrap().data.is_none());
    }
}
