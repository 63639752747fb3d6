use std::cell::RefCell;
use std::collections::HashMap;
use std::sync::Arc;
use std::time::{Duration, UNIX_EPOCH};

use aws_lc_rs::digest;
use serde_json::{Map, Value};

use crate::clock::{Expiry, Moment, SharedClock};
use crate::config::{Callers, ProofKind};
use crate::fault::{Code, Coded, codes};
use crate::live::{Live, Versioned};
use crate::model::{SpiffeId, SpiffeIdError};

use super::bundle::TrustBundles;
use super::certificate::{SvidError, listed};
use super::error::IdentifyError;
use super::jws::{MAX_TOKEN, Signed};
use super::peer::{Peer, Proof};
use super::{Identities, json};

/// How far a token's beginning may lie ahead of our clock. Its end is never stretched.
const LEEWAY: u64 = 10;
/// Tokens that one worker remembers to have verified.
const MAX_REMEMBERED: usize = 1024;

/// Why a token is not a JWT-SVID, or not one that is accepted here.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TokenError {
    /// It is longer than 16 KiB.
    #[error("{0} bytes long")]
    TooLong(usize),
    /// It is not three parts of unpadded base64url, the first two of them JSON objects that name nothing twice.
    #[error("not a compact JWS")]
    NotCompact,
    /// Its algorithm is missing or none of the nine (JWT-SVID 2.1).
    #[error("its algorithm is not accepted")]
    Algorithm,
    /// Its type is neither absent nor `JWT` nor `JOSE` (JWT-SVID 2.3).
    #[error("its type is not accepted")]
    Type,
    /// Its header holds more than alg, kid and typ (JWT-SVID 2).
    #[error("its header holds something that no JWT-SVID has")]
    Header,
    /// Its header does not say which key signed it.
    #[error("its header names no key")]
    NoKeyId,
    /// A claim is missing or of the wrong kind.
    #[error("its claim '{0}' is missing or of the wrong kind")]
    Claim(&'static str),
    /// Its subject is not a SPIFFE ID (JWT-SVID 3.1).
    #[error("its subject is not a SPIFFE ID: {0}")]
    NotAnId(#[from] SpiffeIdError),
    /// Its subject names a trust domain, not a workload.
    #[error("its subject names a trust domain, not a workload")]
    NamesNoWorkload,
    /// Its subject's trust domain is not listed.
    #[error("trust domain '{0}' is not listed")]
    NotListed(String),
    /// It is not for our audience alone.
    #[error("it is not for this audience alone")]
    Audience,
    /// It has ended.
    #[error("it ended at {0} (Unix seconds)")]
    Ended(u64),
    /// It has not begun.
    #[error("it begins at {0} (Unix seconds)")]
    NotYet(u64),
    /// It lives longer than is accepted.
    #[error("it lives for {0} seconds")]
    TooLongLived(u64),
    /// We hold no JWT bundle of its trust domain.
    #[error("no JWT bundle is held for trust domain '{0}'")]
    NoBundle(String),
    /// No key of its trust domain has the id that it names.
    #[error("its trust domain has no key '{0}'")]
    UnknownKey(String),
    /// The signature is not that key's, or the algorithm does not fit the key.
    #[error("its signature does not verify")]
    Signature,
}

impl Coded for TokenError {
    fn code(&self) -> &'static Code {
        match self {
            Self::NotListed(_) => codes::TRUST_DOMAIN_NOT_LISTED,
            Self::Audience => codes::TOKEN_AUDIENCE,
            Self::Ended(_) | Self::NotYet(_) | Self::TooLongLived(_) => codes::TOKEN_EXPIRED,
            Self::NoBundle(_) => codes::NO_BUNDLE,
            Self::UnknownKey(_) | Self::Signature => codes::TOKEN_UNTRUSTED,
            _ => codes::TOKEN_MALFORMED,
        }
    }
}

/// Verifies the JWT-SVIDs of one listener's callers (JWT-SVID 4 and 5). One per worker; it
/// remembers what it verified until the token ends or a bundle changes.
pub struct TokenVerifier {
    callers: Callers,
    bundles: Live<TrustBundles>,
    clock: SharedClock,
    remembered: RefCell<Remembered>,
}

/// Verified tokens by their SHA-256, under one generation of the bundles.
#[derive(Default)]
struct Remembered {
    generation: u64,
    peers: HashMap<[u8; 32], Arc<Peer>>,
}

impl TokenVerifier {
    /// For the callers of one listener.
    #[must_use]
    pub fn new(callers: &Callers, identities: &Identities, clock: SharedClock) -> Self {
        let remembered = RefCell::default();
        Self { callers: callers.clone(), bundles: identities.bundles.clone(), clock, remembered }
    }

    /// Who the bearer of `token` is. The token is the credential alone, without `Bearer`.
    pub fn verify(&self, token: &str) -> Result<Arc<Peer>, IdentifyError> {
        if token.len() > MAX_TOKEN {
            return Err(TokenError::TooLong(token.len()).into());
        }
        let now = self.clock.now();
        let bundles = self.bundles.load();
        let key = sha256(token.as_bytes());
        let mut remembered = self.remembered.borrow_mut();
        if let Some(peer) = remembered.recall(&key, bundles.generation, now) {
            return Ok(peer);
        }
        let peer = Arc::new(self.identify(token, &bundles, now)?);
        remembered.keep(key, &peer, now);
        Ok(peer)
    }

    fn identify(
        &self,
        token: &str,
        bundles: &Versioned<TrustBundles>,
        now: Moment,
    ) -> Result<Peer, TokenError> {
        let signed = Signed::parse(token)?;
        let claims = Claims::read(json::object(&signed.payload).ok_or(TokenError::NotCompact)?)?;
        let audience = claims.accepted(&self.callers, now)?;
        let domain = claims.id.trust_domain();
        if !bundles.value.holds_jwt(domain) {
            return Err(TokenError::NoBundle(domain.to_owned()));
        }
        let key = bundles.value.jwt_key(domain, signed.kid());
        let key = key.ok_or_else(|| TokenError::UnknownKey(signed.kid().to_owned()))?;
        signed.check(key)?;
        Ok(claims.peer(Arc::clone(&key.kid), audience, bundles.generation, now))
    }
}

impl std::fmt::Debug for TokenVerifier {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("TokenVerifier").field("callers", &self.callers).finish_non_exhaustive()
    }
}

impl Remembered {
    fn recall(&mut self, key: &[u8; 32], generation: u64, now: Moment) -> Option<Arc<Peer>> {
        if self.generation != generation {
            self.peers.clear();
            self.generation = generation;
        }
        self.peers.get(key).filter(|peer| !peer.expires.has_passed(now)).map(Arc::clone)
    }

    fn keep(&mut self, key: [u8; 32], peer: &Arc<Peer>, now: Moment) {
        if self.peers.len() >= MAX_REMEMBERED {
            self.peers.retain(|_, peer| !peer.expires.has_passed(now));
        }
        // Full of living ones: begin again, at the cost of a few verifications.
        if self.peers.len() >= MAX_REMEMBERED {
            self.peers.clear();
        }
        self.peers.insert(key, Arc::clone(peer));
    }
}

/// Where a certificate and a token may both be presented: whoever is there must be one and the same.
/// The answer is the certificate's, bounded by the token's end too.
pub fn agree(certificate: Option<&Arc<Peer>>, token: Option<Arc<Peer>>) -> Result<Arc<Peer>, IdentifyError> {
    match (certificate, token) {
        (Some(certificate), None) => Ok(Arc::clone(certificate)),
        (None, Some(token)) => Ok(token),
        (None, None) => Err(IdentifyError::NoToken),
        (Some(certificate), Some(token)) if certificate.id != token.id => {
            Err(IdentifyError::Differ { certificate: certificate.id.clone(), token: token.id.clone() })
        }
        (Some(certificate), Some(token)) if token.expires_at >= certificate.expires_at => {
            Ok(Arc::clone(certificate))
        }
        (Some(certificate), Some(token)) => Ok(Arc::new(Peer {
            expires: certificate.expires.earlier(token.expires),
            expires_at: token.expires_at,
            ..Peer::clone(certificate)
        })),
    }
}

/// Somebody whom nobody has seen, as by a JWT-SVID with these claims that its trust domain signed: for commands that say
/// what would become of a request.
pub(crate) fn supposed(claims: &[u8], callers: &Callers, now: Moment) -> Result<Arc<Peer>, IdentifyError> {
    if !callers.any_of.contains(&ProofKind::JwtSvid) {
        return Err(IdentifyError::NoCertificate);
    }
    let claims = Claims::read(json::object(claims).ok_or(TokenError::NotCompact)?)?;
    let audience = claims.accepted(callers, now)?;
    Ok(Arc::new(claims.peer("00".into(), audience, 0, now)))
}

/// What a JWT-SVID says.
struct Claims {
    all: Map<String, Value>,
    id: SpiffeId,
    ends: u64,
}

impl Claims {
    fn read(all: Map<String, Value>) -> Result<Self, TokenError> {
        let id: SpiffeId = all.get("sub").and_then(Value::as_str).ok_or(TokenError::Claim("sub"))?.parse()?;
        if !id.names_a_workload() {
            return Err(TokenError::NamesNoWorkload);
        }
        let ends = seconds(&all, "exp")?.ok_or(TokenError::Claim("exp"))?;
        Ok(Self { all, id, ends })
    }

    /// The audience, where it is ours, the life is within bounds and the trust domain is listed.
    fn accepted<'c>(&self, callers: &'c Callers, now: Moment) -> Result<&'c str, TokenError> {
        let audience = callers.audience.as_deref().filter(|ours| self.is_for(ours));
        let audience = audience.ok_or(TokenError::Audience)?;
        self.check_life(callers.max_token_life, now.unix_seconds())?;
        listed(&callers.trust, &self.id)
            .map_err(|_: SvidError| TokenError::NotListed(self.id.trust_domain().to_owned()))?;
        Ok(audience)
    }

    fn peer(self, key: Arc<str>, audience: &str, generation: u64, now: Moment) -> Peer {
        Peer {
            proof: Proof::Jwt { key, audience: audience.into() },
            expires: Expiry::at_wall(now, UNIX_EPOCH + Duration::from_secs(self.ends)),
            expires_at: self.ends,
            generation,
            chain: Arc::new([]),
            id: self.id,
        }
    }

    /// Whether `aud` is exactly ours, as a string or as a list of one.
    fn is_for(&self, ours: &str) -> bool {
        match self.all.get("aud") {
            Some(Value::String(one)) => one == ours,
            Some(Value::Array(all)) => matches!(&all[..], [one] if one == ours),
            _ => false,
        }
    }

    fn check_life(&self, longest: Duration, now: u64) -> Result<(), TokenError> {
        if self.ends <= now {
            return Err(TokenError::Ended(self.ends));
        }
        let begins = seconds(&self.all, "nbf")?.unwrap_or(0);
        let issued = seconds(&self.all, "iat")?;
        if let Some(ahead) = [Some(begins), issued].into_iter().flatten().find(|at| *at > now + LEEWAY) {
            return Err(TokenError::NotYet(ahead));
        }
        let life = self.ends - issued.unwrap_or(now).min(now);
        if life > longest.as_secs() { Err(TokenError::TooLongLived(life)) } else { Ok(()) }
    }
}

/// A claim in Unix seconds, fractions cut off.
fn seconds(claims: &Map<String, Value>, name: &'static str) -> Result<Option<u64>, TokenError> {
    let Some(value) = claims.get(name) else { return Ok(None) };
    let whole = value.as_u64().or_else(|| {
        let number = value.as_f64()?;
        Duration::try_from_secs_f64(number.max(0.0)).ok().map(|since| since.as_secs())
    });
    // The year 9999 ends here: nothing lives longer.
    whole.filter(|at| *at <= 253_402_300_799).map(Some).ok_or(TokenError::Claim(name))
}

fn sha256(bytes: &[u8]) -> [u8; 32] {
    let mut key = [0; 32];
    key.iter_mut().zip(digest::digest(&digest::SHA256, bytes).as_ref()).for_each(|(to, from)| *to = *from);
    key
}

#[cfg(test)]
mod tests;
