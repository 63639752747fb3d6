use std::net::Ipv4Addr;

use rustls::client::Resumption;
use rustls::sign::CertifiedKey;
use rustls::{AlertDescription, ClientConfig, Error, HandshakeKind, NamedGroup, ProtocolVersion};
use rustls_pki_types::ServerName;
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream as Outbound;

use super::*;
use crate::config::{Limits, ProofKind, TlsVersion, UpstreamProof, UpstreamTls};
use crate::fault::{Coded, codes};
use crate::identify::bundle::TrustBundles;
use crate::identify::mint::{CALLER, Ca, DOMAIN, Minted, Published, begin, bundles, leaf, moment};
use crate::identify::mint::{NOW, authority};
use crate::identify::svid::{OwnSvid, OwnSvids};
use crate::identify::upstream_tls;
use crate::model::{Direction, Mode};

const GATE: &str = "spiffe://td.example/gate";

/// A listener with an SVID of `DOMAIN`, and what its callers need.
struct Site {
    ca: Ca,
    ours: Published,
    listener: Listener,
}

impl Site {
    fn new() -> Self {
        let ca = Ca::new(DOMAIN);
        let ours = Published::new(vec![ca.svid(GATE).own()], bundles(DOMAIN, &[&ca]));
        Self { ca, ours, listener: listener() }
    }

    fn any_of(mut self, proofs: &[ProofKind]) -> Self {
        self.listener.callers.any_of = proofs.to_vec();
        self
    }

    fn handshaker(&self) -> Handshaker {
        Handshaker::new(&self.listener, &self.ours.identities, self.ours.clock()).unwrap()
    }

    /// A caller that presents this certificate, if any, and expects `GATE`.
    fn caller(&self, svid: Option<OwnSvid>) -> ClientConfig {
        let present_svid = svid.is_some();
        let theirs = Published::new(svid.into_iter().collect(), bundles(DOMAIN, &[&self.ca]));
        let tls = proof(UpstreamProof::SpiffeId(GATE.parse().unwrap()), present_svid);
        upstream_tls(&tls, &theirs.identities, self.ours.clock()).unwrap()
    }

    async fn meet(&self, caller: &ClientConfig) -> (Result<Identified, IdentifyError>, io::Result<Met>) {
        meet(&self.handshaker(), caller).await
    }

    /// What becomes of a caller with this certificate: our reason and the alert it is sent.
    async fn refused(&self, svid: &Minted) -> (IdentifyError, AlertDescription) {
        let (found, met) = self.meet(&self.caller(Some(svid.own_unchecked()))).await;
        (found.err().expect("it was to be refused"), met.err().and_then(|e| alert(&e)).expect("an alert"))
    }
}

fn proof(proof: UpstreamProof, present_svid: bool) -> UpstreamTls {
    UpstreamTls { proof, server_name: None, min: TlsVersion::V12, present_svid }
}

fn listener() -> Listener {
    let limits = Limits {
        connections: 10,
        handshakes: 10,
        handshake: Duration::from_secs(5),
        head: Duration::from_secs(5),
        head_size: 65_536,
        headers: 100,
        idle: Duration::from_secs(5),
        age: Duration::from_hours(1),
        streams: 10,
    };
    let callers = Callers {
        any_of: vec![ProofKind::X509Svid],
        audience: None,
        trust: vec![DOMAIN.parse().unwrap()],
        max_token_life: Duration::from_mins(5),
    };
    Listener {
        name: "front".parse().unwrap(),
        bind: (Ipv4Addr::LOCALHOST, 0).into(),
        protocol: "http".to_owned(),
        direction: Direction::Inbound,
        certificate: ListenerCertificate::Svid,
        callers,
        mode: Mode::Enforce,
        routes: Vec::new(),
        limits,
    }
}

/// A caller's side after a handshake that it was told nothing bad about.
struct Met {
    stream: Outbound<TcpStream>,
}

impl Met {
    fn group(&self) -> NamedGroup {
        self.stream.get_ref().1.negotiated_key_exchange_group().unwrap().name()
    }

    fn kind(&self) -> HandshakeKind {
        self.stream.get_ref().1.handshake_kind().unwrap()
    }
}

async fn sockets() -> (TcpStream, TcpStream) {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
    let (out, inbound) = tokio::join!(TcpStream::connect(listener.local_addr().unwrap()), listener.accept());
    (out.unwrap(), inbound.unwrap().0)
}

/// One handshake. The caller reads once: in TLS 1.3 a refusal comes after its own side is done.
async fn meet(
    handshaker: &Handshaker,
    caller: &ClientConfig,
) -> (Result<Identified, IdentifyError>, io::Result<Met>) {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    let (out, inbound) = sockets().await;
    let name = ServerName::try_from("localhost").unwrap();
    let answer = async {
        let found = handshaker.handshake(inbound).await;
        match found {
            Ok(mut identified) => {
                identified.stream.write_all(b"!").await.unwrap();
                identified.stream.flush().await.unwrap();
                Ok(identified)
            }
            Err(error) => Err(error),
        }
    };
    let call = async {
        let mut stream = TlsConnector::from(Arc::new(caller.clone())).connect(name, out).await?;
        stream.read_u8().await?;
        Ok(Met { stream })
    };
    tokio::join!(answer, call)
}

fn alert(error: &io::Error) -> Option<AlertDescription> {
    match error.get_ref()?.downcast_ref::<Error>()? {
        Error::AlertReceived(alert) => Some(*alert),
        _ => None,
    }
}

impl Minted {
    /// Presented whatever it says: a hostile caller does not check itself.
    fn own_unchecked(&self) -> OwnSvid {
        OwnSvid::unchecked(
            CALLER,
            CertifiedKey::from_der(vec![self.der.clone()], self.private(), provider()).unwrap(),
        )
    }
}

#[tokio::test]
async fn a_caller_is_known_by_its_svid_over_tls_13_with_the_hybrid_group() {
    let site = Site::new();
    let mut caller = site.caller(Some(site.ca.svid(CALLER).own()));
    caller.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];

    let (found, met) = site.meet(&caller).await;

    let (found, met) = (found.unwrap(), met.unwrap());
    let peer = found.peer.unwrap();
    assert_eq!((peer.id().as_str(), peer.expires_at(), peer.generation()), (CALLER, NOW + 3600, 1));
    assert_eq!(found.alpn, Alpn::Http2);
    let tls = found.stream.get_ref().1;
    assert_eq!(tls.protocol_version(), Some(ProtocolVersion::TLSv1_3));
    assert_eq!((met.group(), met.kind()), (NamedGroup::X25519MLKEM768, HandshakeKind::Full));
    assert_eq!(provider().kx_groups[0].name(), NamedGroup::X25519MLKEM768);
}

#[tokio::test]
async fn nothing_is_ever_resumed_so_a_removed_bundle_holds_at_once() {
    let mut site = Site::new();
    let handshaker = site.handshaker();
    let mut caller = site.caller(Some(site.ca.svid(CALLER).own()));
    caller.resumption = Resumption::in_memory_sessions(16);

    for _ in 0..3 {
        let (found, met) = meet(&handshaker, &caller).await;
        let met = met.unwrap();
        assert_eq!((found.is_ok(), met.kind()), (true, HandshakeKind::Full));
        assert_eq!(met.stream.get_ref().1.tls13_tickets_received(), 0, "nothing is even offered");
    }
    site.ours.bundles.publish(TrustBundles::default(), begin());

    let (found, _) = meet(&handshaker, &caller).await;
    assert_eq!(found.err().unwrap().code(), codes::NO_BUNDLE);
}

#[tokio::test]
async fn tls_12_is_refused() {
    let site = Site::new();
    let caller = ClientConfig::builder_with_provider(Arc::clone(provider()))
        .with_protocol_versions(&[&rustls::version::TLS12])
        .unwrap()
        .with_root_certificates(rustls::RootCertStore::empty())
        .with_no_client_auth();

    let (found, met) = site.meet(&caller).await;

    assert_eq!(found.err().unwrap().code(), codes::TLS_FAILED);
    assert_eq!(met.err().and_then(|e| alert(&e)), Some(AlertDescription::ProtocolVersion));
}

#[tokio::test]
async fn a_certificate_is_demanded_unless_a_token_may_still_prove_the_caller() {
    let strict = Site::new();
    let (found, met) = strict.meet(&strict.caller(None)).await;
    assert_eq!(found.err().unwrap().code(), codes::NO_CLIENT_CERTIFICATE);
    assert_eq!(met.err().and_then(|e| alert(&e)), Some(AlertDescription::CertificateRequired));

    let either = Site::new().any_of(&[ProofKind::X509Svid, ProofKind::JwtSvid]);
    let (found, _) = either.meet(&either.caller(None)).await;
    assert!(found.unwrap().peer.is_none());
    let (found, _) = either.meet(&either.caller(Some(either.ca.svid(CALLER).own()))).await;
    assert_eq!(found.unwrap().peer.unwrap().id().as_str(), CALLER);
    let (error, _) = either.refused(&Ca::new(DOMAIN).svid(CALLER)).await;
    assert_eq!(error.code(), codes::SVID_UNTRUSTED, "what is presented is verified, needed or not");

    let tokens = Site::new().any_of(&[ProofKind::JwtSvid]);
    let (found, _) = tokens.meet(&tokens.caller(Some(tokens.ca.svid(CALLER).own()))).await;
    assert!(found.unwrap().peer.is_none(), "not even asked for");
}

#[tokio::test]
async fn a_refusal_keeps_its_reason_and_the_caller_is_told_by_its_alert() {
    let site = Site::new();
    let ended = site.ca.sign(&{
        let mut params = leaf(CALLER);
        params.not_after = moment(NOW - 1);
        params
    });
    let (error, told) = site.refused(&ended).await;
    assert_eq!((error.code(), told), (codes::SVID_EXPIRED, AlertDescription::CertificateExpired));

    let (error, told) = site.refused(&Ca::new("other.example").svid("spiffe://other.example/a")).await;
    assert_eq!((error.code(), told), (codes::NO_BUNDLE, AlertDescription::UnknownCA));

    let (error, told) = site.refused(&Ca::new(DOMAIN).svid(CALLER)).await;
    assert_eq!((error.code(), told), (codes::SVID_UNTRUSTED, AlertDescription::DecryptError));

    let nameless = site.ca.sign(&{
        let mut params = leaf(CALLER);
        params.subject_alt_names.clear();
        params
    });
    let (error, told) = site.refused(&nameless).await;
    assert_eq!((error.code(), told), (codes::SVID_MALFORMED, AlertDescription::BadCertificate));
    assert!(error.to_string().contains("0 URI names"), "{error}");
}

#[tokio::test]
async fn a_trust_domain_that_the_listener_does_not_list_is_refused_though_its_bundle_is_held() {
    let mut site = Site::new();
    let partner = Ca::new("partner.example");
    site.ours.bundles.publish(bundles("partner.example", &[&partner]), begin());

    let (error, told) = site.refused(&partner.svid("spiffe://partner.example/a")).await;

    assert_eq!((error.code(), told), (codes::TRUST_DOMAIN_NOT_LISTED, AlertDescription::AccessDenied));
}

#[tokio::test]
async fn a_rotation_reaches_the_next_handshake_without_a_new_configuration() {
    let mut site = Site::new();
    let handshaker = site.handshaker();
    let old = site.caller(Some(site.ca.svid(CALLER).own()));
    assert!(meet(&handshaker, &old).await.0.is_ok());

    site.ca = Ca::of(&authority(DOMAIN));
    site.ours.bundles.publish(bundles(DOMAIN, &[&site.ca]), begin());
    site.ours.svids.publish(OwnSvids::new(vec![site.ca.svid(GATE).own()]), begin());

    let new = site.caller(Some(site.ca.svid(CALLER).own()));
    let (found, met) = meet(&handshaker, &new).await;
    assert_eq!((found.unwrap().peer.unwrap().generation(), met.is_ok()), (2, true));
    assert!(meet(&handshaker, &old).await.1.is_err(), "the old caller does not know our new issuer");
}

#[tokio::test]
async fn without_a_live_svid_of_ours_no_handshake_begins() {
    let site = Site::new();
    site.ours.clock.advance(Duration::from_hours(1) + Duration::from_secs(1));
    let (found, _) = site.meet(&site.caller(None)).await;
    assert_eq!(found.err().unwrap().code(), codes::NO_OWN_SVID);
}

#[tokio::test]
async fn a_caller_that_stalls_is_cut_at_the_deadline_and_delays_nobody() {
    let mut site = Site::new();
    site.listener.limits.handshake = Duration::from_millis(300);
    let handshaker = site.handshaker();
    let (silent, inbound) = sockets().await;
    let caller = site.caller(Some(site.ca.svid(CALLER).own()));

    let (stalled, (found, _)) = tokio::join!(handshaker.handshake(inbound), meet(&handshaker, &caller));

    assert_eq!(stalled.err().unwrap().code(), codes::HANDSHAKE_TIMEOUT);
    assert!(found.is_ok());
    drop(silent);
}

#[tokio::test]
async fn what_is_not_tls_and_who_goes_away_are_told_apart() {
    use tokio::io::AsyncWriteExt;
    let site = Site::new();
    let (mut out, inbound) = sockets().await;
    out.write_all(b"GET / HTTP/1.1\r\n\r\n").await.unwrap();
    assert_eq!(site.handshaker().handshake(inbound).await.err().unwrap().code(), codes::TLS_FAILED);

    let (out, inbound) = sockets().await;
    drop(out);
    assert_eq!(site.handshaker().handshake(inbound).await.err().unwrap().code(), codes::CLOSED_EARLY);
}

#[tokio::test]
async fn an_upstream_proves_itself_by_exactly_one_id_or_by_its_key() {
    let site = Site::new();
    let gate = site.ours.identities.svids.load_full();
    assert_eq!(gate.value.default_id().unwrap().as_str(), GATE);
    let connect = |wanted: UpstreamProof| {
        let theirs = Published::new(vec![site.ca.svid(CALLER).own()], bundles(DOMAIN, &[&site.ca]));
        let caller = upstream_tls(&proof(wanted, true), &theirs.identities, site.ours.clock()).unwrap();
        let handshaker = site.handshaker();
        async move { meet(&handshaker, &caller).await.1.is_ok() }
    };
    let pinned = Site::pin(&site);

    assert!(connect(UpstreamProof::SpiffeId(GATE.parse().unwrap())).await);
    assert!(!connect(UpstreamProof::SpiffeId(CALLER.parse().unwrap())).await);
    assert!(!connect(UpstreamProof::SpiffeId("spiffe://other.example/gate".parse().unwrap())).await);
    assert!(connect(UpstreamProof::Pin(pinned)).await);
    assert!(!connect(UpstreamProof::Pin([0; 32])).await);
}

impl Site {
    /// The digest of the public key that the listener presents.
    fn pin(&self) -> [u8; 32] {
        let resolver = PresentSvid::new(self.ours.identities.svids.clone(), self.ours.clock());
        let key = rustls::client::ResolvesClientCert::resolve(&resolver, &[], &[]).unwrap();
        crate::identify::certificate::key_digest(&key.cert[0]).unwrap()
    }
}

#[tokio::test]
async fn a_certificate_in_files_serves_callers_that_know_only_roots() {
    let mut site = Site::new().any_of(&[ProofKind::X509Svid, ProofKind::JwtSvid]);
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name);
    let server = site.ca.sign(&{
        let mut params = leaf(GATE);
        params.subject_alt_names = vec![rcgen::SanType::DnsName("localhost".try_into().unwrap())];
        params
    });
    std::fs::write(path("chain.pem"), pem("CERTIFICATE", &server.der)).unwrap();
    std::fs::write(path("key.pem"), server.key.serialize_pem()).unwrap();
    std::fs::write(path("roots.pem"), site.ca.pem()).unwrap();
    site.listener.certificate = ListenerCertificate::Files { chain: path("chain.pem"), key: path("key.pem") };

    let tls = proof(UpstreamProof::Roots(path("roots.pem")), false);
    let caller = upstream_tls(&tls, &site.ours.identities, site.ours.clock()).unwrap();
    let (found, met) = site.meet(&caller).await;

    assert!(found.unwrap().peer.is_none() && met.is_ok());
    let missing = proof(UpstreamProof::Roots(path("none.pem")), false);
    let error = upstream_tls(&missing, &site.ours.identities, site.ours.clock()).err().unwrap();
    assert_eq!(error.code(), codes::IDENTITY_FILE);
}

fn pem(label: &str, der: &[u8]) -> String {
    use base64::Engine;
    let text = base64::prelude::BASE64_STANDARD.encode(der);
    format!("-----BEGIN {label}-----\n{text}\n-----END {label}-----\n")
}
