//! Authorities, certificates and bundles for tests: made fresh, with their clock standing still.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, CustomExtension, DistinguishedName, DnType,
    ExtendedKeyUsagePurpose, IsCa, KeyPair, KeyUsagePurpose, SanType,
};
use rustls_pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer};
use time::OffsetDateTime;

use crate::clock::{Expiry, ManualClock, Moment, SharedClock};
use crate::live::{Publisher, live};
use crate::model::TrustDomain;

use super::bundle::{Anchors, TrustBundles};
use super::jwk::JwtKey;
use super::svid::{OwnSvid, OwnSvids};
use super::{Identities, Peer, Proof};

/// When every test begins, Unix seconds.
pub(crate) const NOW: u64 = 1_800_000_000;
/// The trust domain of most tests.
pub(crate) const DOMAIN: &str = "td.example";
/// The caller of most tests.
pub(crate) const CALLER: &str = "spiffe://td.example/caller";

/// A peer that nobody verified, for tests of what comes after.
pub(crate) fn peer(id: &str, now: Moment, life: Duration) -> Arc<Peer> {
    let proof = Proof::X509 { serial: "5f3a".into(), anchor: "sha256:9c".into() };
    let expires = Expiry::after(now, life);
    let expires_at = now.unix_seconds() + life.as_secs();
    Arc::new(Peer { id: id.parse().unwrap(), proof, expires, expires_at, generation: 1, chain: Arc::new([]) })
}

/// A certificate with its key.
pub(crate) struct Minted {
    pub(crate) der: CertificateDer<'static>,
    pub(crate) key: KeyPair,
}

impl Minted {
    pub(crate) fn private(&self) -> PrivateKeyDer<'static> {
        PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(self.key.serialize_der()))
    }

    pub(crate) fn own(&self) -> OwnSvid {
        OwnSvid::new(vec![self.der.clone()], self.private()).unwrap()
    }
}

/// An authority of a trust domain.
pub(crate) struct Ca(CertifiedIssuer<'static, KeyPair>);

impl Ca {
    pub(crate) fn new(trust_domain: &str) -> Self {
        Self::of(&authority(trust_domain))
    }

    pub(crate) fn of(params: &CertificateParams) -> Self {
        Self::of_key(params, KeyPair::generate().unwrap())
    }

    pub(crate) fn of_key(params: &CertificateParams, key: KeyPair) -> Self {
        Self(CertifiedIssuer::self_signed(params.clone(), key).unwrap())
    }

    /// An intermediate of this authority.
    pub(crate) fn sub(&self, params: &CertificateParams) -> Self {
        Self(CertifiedIssuer::signed_by(params.clone(), KeyPair::generate().unwrap(), &self.0).unwrap())
    }

    pub(crate) fn der(&self) -> CertificateDer<'static> {
        self.0.der().clone()
    }

    pub(crate) fn pem(&self) -> String {
        self.0.pem()
    }

    pub(crate) fn sign(&self, params: &CertificateParams) -> Minted {
        self.sign_key(params, KeyPair::generate().unwrap())
    }

    pub(crate) fn sign_key(&self, params: &CertificateParams, key: KeyPair) -> Minted {
        Minted { der: params.signed_by(&key, &self.0).unwrap().der().clone(), key }
    }

    pub(crate) fn svid(&self, id: &str) -> Minted {
        self.sign(&leaf(id))
    }
}

/// The parameters of a proper authority, for a test to spoil.
pub(crate) fn authority(trust_domain: &str) -> CertificateParams {
    let mut params = named("authority", 86_400);
    params.subject_alt_names = vec![uri(&format!("spiffe://{trust_domain}"))];
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    params
}

/// The parameters of a proper X.509-SVID that lives for an hour, for a test to spoil.
pub(crate) fn leaf(id: &str) -> CertificateParams {
    let mut params = named("workload", 3600);
    params.subject_alt_names = vec![uri(id)];
    params.is_ca = IsCa::ExplicitNoCa;
    params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    params.extended_key_usages =
        vec![ExtendedKeyUsagePurpose::ClientAuth, ExtendedKeyUsagePurpose::ServerAuth];
    params
}

fn named(name: &str, life: u64) -> CertificateParams {
    let mut params = CertificateParams::default();
    params.distinguished_name = DistinguishedName::new();
    params.distinguished_name.push(DnType::CommonName, name);
    params.not_before = moment(NOW - 60);
    params.not_after = moment(NOW + life);
    params.use_authority_key_identifier_extension = true;
    params
}

pub(crate) fn moment(unix_seconds: u64) -> OffsetDateTime {
    OffsetDateTime::from_unix_timestamp(unix_seconds.try_into().unwrap()).unwrap()
}

pub(crate) fn uri(text: &str) -> SanType {
    SanType::URI(text.try_into().unwrap())
}

/// An extension by its object identifier.
pub(crate) fn extension(oid: &[u64], content: Vec<u8>, critical: bool) -> CustomExtension {
    let mut extension = CustomExtension::from_oid_content(oid, content);
    extension.set_criticality(critical);
    extension
}

/// Bundles of one trust domain that hold these anchors, as they stand at [`NOW`].
pub(crate) fn bundles(trust_domain: &str, anchors: &[&Ca]) -> TrustBundles {
    let domain: TrustDomain = trust_domain.parse().unwrap();
    let ders: Vec<_> = anchors.iter().map(|ca| ca.der()).collect();
    let (anchors, refused) = Anchors::load(&domain, ders.iter().map(AsRef::as_ref), NOW);
    assert_eq!(refused, []);
    TrustBundles::new(BTreeMap::from([(domain, Arc::new(anchors))]), BTreeMap::new())
}

/// Bundles of one trust domain that hold the keys of this JWK Set.
pub(crate) fn jwt_bundles(trust_domain: &str, jwks: &str) -> TrustBundles {
    let keys = JwtKey::set(jwks.as_bytes()).unwrap();
    let keys = BTreeMap::from([(trust_domain.parse().unwrap(), Arc::from(keys))]);
    TrustBundles::new(BTreeMap::new(), keys)
}

/// Identities that a test publishes.
pub(crate) struct Published {
    pub(crate) clock: Arc<ManualClock>,
    pub(crate) svids: Publisher<OwnSvids>,
    pub(crate) bundles: Publisher<TrustBundles>,
    pub(crate) identities: Identities,
}

impl Published {
    pub(crate) fn new(svids: Vec<OwnSvid>, bundles: TrustBundles) -> Self {
        let (svids, own) = live(OwnSvids::new(svids), begin());
        let (bundles, trusted) = live(bundles, begin());
        let identities = Identities { svids: own, bundles: trusted };
        Self { clock: Arc::new(ManualClock::standing_at(NOW)), svids, bundles, identities }
    }

    pub(crate) fn clock(&self) -> SharedClock {
        Arc::clone(&self.clock) as SharedClock
    }
}

pub(crate) fn begin() -> SystemTime {
    UNIX_EPOCH + Duration::from_secs(NOW)
}
