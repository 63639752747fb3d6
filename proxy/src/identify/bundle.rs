use std::cell::RefCell;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use rustls_pki_types::{CertificateDer, TrustAnchor, UnixTime};
use webpki::{EndEntityCert, KeyUsage, VerifiedPath};

use crate::model::{SpiffeId, TrustDomain};

use super::certificate::{Issuer, Leaf, Purpose, SvidError, Validity};
use super::jwk::JwtKey;
use super::oddity;

/// More certificates than any sensible chain has.
const MAX_CHAIN: usize = 8;

/// Trust bundles by trust domain; never pooled, never inferred (Workload API 4.6).
#[derive(Clone, Debug, Default)]
pub struct TrustBundles {
    x509: BTreeMap<TrustDomain, Arc<Anchors>>,
    jwt: BTreeMap<TrustDomain, Arc<[JwtKey]>>,
}

/// The X.509 anchors of one trust domain, each fit to be one.
#[derive(Debug, Default)]
pub struct Anchors {
    /// As chain building wants them, in the order of `facts`.
    trust: Vec<TrustAnchor<'static>>,
    facts: Vec<Anchor>,
}

/// One X.509 anchor.
#[derive(Debug)]
pub(super) struct Anchor {
    der: CertificateDer<'static>,
    key_id: Arc<str>,
    validity: Validity,
}

/// A certificate of a bundle that is no anchor, and why.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RefusedAnchor {
    /// Of which trust domain's bundle.
    pub trust_domain: TrustDomain,
    /// Why.
    pub reason: SvidError,
}

/// A chain that leads to an anchor of its own trust domain.
#[derive(Debug)]
pub(super) struct VerifiedSvid {
    pub(super) id: SpiffeId,
    pub(super) serial: Arc<str>,
    pub(super) anchor: Arc<str>,
    /// The earliest end on the path, Unix seconds.
    pub(super) ends: u64,
}

/// What is asked of a path.
#[derive(Clone, Copy)]
pub(super) struct Asked<'a> {
    pub(super) trust_domain: &'a str,
    pub(super) purpose: Purpose,
    /// Unix seconds.
    pub(super) now: u64,
}

/// A path that was found.
#[derive(Debug)]
pub(super) struct Path {
    /// The anchor's key id.
    anchor: Arc<str>,
    /// The earliest end of its issuers, Unix seconds.
    ends: u64,
}

impl TrustBundles {
    pub(super) const fn new(
        x509: BTreeMap<TrustDomain, Arc<Anchors>>,
        jwt: BTreeMap<TrustDomain, Arc<[JwtKey]>>,
    ) -> Self {
        Self { x509, jwt }
    }

    /// The trust domains of which we hold X.509 anchors, and how many.
    pub fn anchors(&self) -> impl Iterator<Item = (&TrustDomain, usize)> {
        self.x509.iter().map(|(domain, anchors)| (domain, anchors.facts.len()))
    }

    /// The trust domains of which we hold keys for JWT-SVIDs, and how many.
    pub fn jwt_keys(&self) -> impl Iterator<Item = (&TrustDomain, usize)> {
        self.jwt.iter().map(|(domain, keys)| (domain, keys.len()))
    }

    /// The key that a token of `trust_domain` names.
    pub(super) fn jwt_key(&self, trust_domain: &str, kid: &str) -> Option<&JwtKey> {
        self.jwt.get(trust_domain)?.iter().find(|key| &*key.kid == kid)
    }

    pub(super) fn holds_jwt(&self, trust_domain: &str) -> bool {
        self.jwt.contains_key(trust_domain)
    }

    /// Whether that anchor still stands in the trust domain's bundle.
    pub(super) fn has_anchor(&self, trust_domain: &str, key_id: &str) -> bool {
        self.x509.get(trust_domain).is_some_and(|held| held.facts.iter().any(|a| &*a.key_id == key_id))
    }

    /// Verifies a chain, leaf first, against the bundle of the leaf's own trust domain (X509-SVID 5).
    pub(super) fn verify(
        &self,
        chain: &[CertificateDer<'_>],
        purpose: Purpose,
        now: u64,
    ) -> Result<VerifiedSvid, SvidError> {
        let (end, rest) = chain.split_first().ok_or(SvidError::NotX509)?;
        if chain.len() > MAX_CHAIN {
            return Err(SvidError::TooMany(chain.len()));
        }
        let leaf = Leaf::read(end)?;
        let id = leaf.id()?;
        leaf.serve(purpose)?;
        let domain = id.trust_domain();
        let anchors = self.x509.get(domain).ok_or_else(|| SvidError::NoBundle(domain.to_owned()))?;
        leaf.validity.hold(now)?;
        let path = anchors.verify(end, rest, Asked { trust_domain: domain, purpose, now })?;
        let ends = path.ends.min(leaf.validity.to);
        oddity::tell(&id, leaf.oddities());
        Ok(VerifiedSvid { serial: leaf.serial, anchor: path.anchor, ends, id })
    }
}

impl Anchors {
    /// Takes every certificate that is fit to be an anchor of `trust_domain` and names the others.
    pub(super) fn load<'a>(
        trust_domain: &TrustDomain,
        certificates: impl IntoIterator<Item = &'a [u8]>,
        now: u64,
    ) -> (Self, Vec<RefusedAnchor>) {
        let (mut anchors, mut refused) = (Self::default(), Vec::new());
        for der in certificates {
            if anchors.facts.iter().any(|held| held.der.as_ref() == der) {
                continue;
            }
            match anchor(der, trust_domain, now) {
                Ok((trust, facts)) => {
                    anchors.trust.push(trust);
                    anchors.facts.push(facts);
                }
                Err(reason) => {
                    refused.push(RefusedAnchor { trust_domain: trust_domain.clone(), reason });
                }
            }
        }
        (anchors, refused)
    }

    /// Builds a path from `end` to one of these anchors, each certificate of it held to our own rules.
    pub(super) fn verify(
        &self,
        end: &CertificateDer<'_>,
        rest: &[CertificateDer<'_>],
        asked: Asked<'_>,
    ) -> Result<Path, SvidError> {
        let end = EndEntityCert::try_from(end).map_err(SvidError::Untrusted)?;
        let at = UnixTime::since_unix_epoch(Duration::from_secs(asked.now));
        let algorithms = super::tls::provider().signature_verification_algorithms.all;
        // Of the candidates that fail our own rules, the first one's reason is kept for the record.
        let (found, reason) = (RefCell::new(None), RefCell::new(None));
        let inspect = |path: &VerifiedPath<'_>| match self.inspect(path, asked) {
            Ok(path) => {
                found.replace(Some(path));
                Ok(())
            }
            Err(why) => {
                reason.borrow_mut().get_or_insert(why);
                Err(webpki::Error::UnknownIssuer)
            }
        };
        let usage = usage(asked.purpose);
        match end.verify_for_usage(algorithms, &self.trust, rest, at, usage, None, Some(&inspect)) {
            Ok(_) => found.take().ok_or(SvidError::Untrusted(webpki::Error::UnknownIssuer)),
            Err(error) => Err(reason.take().unwrap_or(SvidError::Untrusted(error))),
        }
    }

    fn inspect(&self, path: &VerifiedPath<'_>, asked: Asked<'_>) -> Result<Path, SvidError> {
        let unknown = SvidError::Untrusted(webpki::Error::UnknownIssuer);
        let anchor = self.facts_of(path.anchor()).ok_or(unknown)?;
        anchor.validity.hold(asked.now)?;
        let mut ends = anchor.validity.to;
        for certificate in path.intermediate_certificates() {
            let issuer = Issuer::read(certificate.der().as_ref(), asked.trust_domain)?;
            ends = ends.min(issuer.validity.to);
        }
        Ok(Path { anchor: Arc::clone(&anchor.key_id), ends })
    }

    fn facts_of(&self, anchor: &TrustAnchor<'_>) -> Option<&Anchor> {
        // By place, not by content: an authority may stand here twice with one key and two lives.
        let at = self.trust.iter().position(|held| std::ptr::eq(held, anchor))?;
        self.facts.get(at)
    }
}

impl PartialEq for Anchors {
    fn eq(&self, other: &Self) -> bool {
        self.facts.iter().map(|anchor| &anchor.der).eq(other.facts.iter().map(|anchor| &anchor.der))
    }
}

/// An expired anchor is refused here; one that is not valid yet waits for its time.
fn anchor(
    der: &[u8],
    trust_domain: &TrustDomain,
    now: u64,
) -> Result<(TrustAnchor<'static>, Anchor), SvidError> {
    let issuer = Issuer::read(der, trust_domain.as_str())?;
    if issuer.validity.to < now || issuer.validity.to < issuer.validity.from {
        issuer.validity.hold(now)?;
        return Err(SvidError::NotX509);
    }
    let der = CertificateDer::from(der.to_vec());
    let trust = webpki::anchor_from_trusted_cert(&der).map_err(SvidError::Untrusted)?.to_owned();
    Ok((trust, Anchor { der, key_id: issuer.key_id, validity: issuer.validity }))
}

/// What an extended key usage says on the path must allow the purpose; where there is none, all is allowed (X509-SVID 4.4).
const fn usage(purpose: Purpose) -> KeyUsage {
    match purpose {
        Purpose::Client => KeyUsage::client_auth(),
        Purpose::Server => KeyUsage::server_auth(),
    }
}

#[cfg(test)]
mod tests;
