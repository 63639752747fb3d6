use std::cell::RefCell;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use rustls_pki_types::{CertificateDer, TrustAnchor, UnixTime};
use webpki::{EndEntityCert, KeyUsage, VerifiedPath};

use crate::model::{SpiffeId, TrustDomain};

use super::certificate::{Issuer, Leaf, Purpose, SvidError, Validity};
use super::jwk::JwtKey;

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
        leaf.serve(purpose)?;
        let anchors = self
            .x509
            .get(leaf.id.trust_domain())
            .ok_or_else(|| SvidError::NoBundle(leaf.id.trust_domain().to_owned()))?;
        leaf.validity.hold(now)?;
        anchors.verify(leaf, end, rest, purpose, now)
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

    fn verify(
        &self,
        leaf: Leaf,
        end: &CertificateDer<'_>,
        rest: &[CertificateDer<'_>],
        purpose: Purpose,
        now: u64,
    ) -> Result<VerifiedSvid, SvidError> {
        let end = EndEntityCert::try_from(end).map_err(SvidError::Untrusted)?;
        let at = UnixTime::since_unix_epoch(Duration::from_secs(now));
        let algorithms = super::tls::provider().signature_verification_algorithms.all;
        // Each candidate path is held to our own rules; the first reason is kept for the record.
        let reason = RefCell::new(None);
        let ends = RefCell::new(leaf.validity.to);
        let inspect = |path: &VerifiedPath<'_>| match self.ends(path, leaf.id.trust_domain(), now) {
            Ok(earliest) => {
                *ends.borrow_mut() = earliest.min(leaf.validity.to);
                Ok(())
            }
            Err(why) => {
                reason.borrow_mut().get_or_insert(why);
                Err(webpki::Error::UnknownIssuer)
            }
        };
        let verified =
            end.verify_for_usage(algorithms, &self.trust, rest, at, usage(purpose), None, Some(&inspect));
        let path =
            verified.map_err(|error| reason.borrow_mut().take().unwrap_or(SvidError::Untrusted(error)))?;
        let anchor =
            self.facts_of(path.anchor()).ok_or(SvidError::Untrusted(webpki::Error::UnknownIssuer))?;
        let anchor = Arc::clone(&anchor.key_id);
        Ok(VerifiedSvid { id: leaf.id, serial: leaf.serial, anchor, ends: ends.into_inner() })
    }

    /// When the first of the path's issuers ends, if all of them may issue now.
    fn ends(&self, path: &VerifiedPath<'_>, trust_domain: &str, now: u64) -> Result<u64, SvidError> {
        let anchor = self.facts_of(path.anchor()).ok_or(SvidError::NotX509)?;
        anchor.validity.hold(now)?;
        let mut ends = anchor.validity.to;
        for certificate in path.intermediate_certificates() {
            let issuer = Issuer::read(certificate.der().as_ref(), trust_domain)?;
            ends = ends.min(issuer.validity.to);
        }
        Ok(ends)
    }

    fn facts_of(&self, anchor: &TrustAnchor<'_>) -> Option<&Anchor> {
        let at = self.trust.iter().position(|held| {
            held.subject == anchor.subject && held.subject_public_key_info == anchor.subject_public_key_info
        })?;
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
