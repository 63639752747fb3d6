use std::time::Duration;

use rustls_pki_types::CertificateDer;
use rustls_pki_types::pem::PemObject;
use serde_json::Value;

use super::{cases, compare};
use crate::clock::{Clock, SystemClock};
use crate::identify::bundle::{Anchors, Asked};
use crate::identify::certificate::{Leaf, Purpose, SvidError};

/// Families that do not apply: an SVID's identity is its URI, and no case here has one.
const SKIPPED: &[(&str, &str)] = &[
    ("online::", "certificates of the Web's authorities, by their names"),
    ("webpki::san::", "names carry no identity here"),
    ("webpki::cn::", "names carry no identity here"),
    ("webpki::nc::", "constraints on names that carry no identity here"),
    ("webpki::aki::", "what only the Web's authorities must do"),
    ("webpki::eku::", "what only the Web's authorities must do: X-12 accepts a leaf without one"),
    ("rfc5280::nc::nc-permits-email", "names carry no identity here; what constrains e-mail is refused"),
];

/// Where we differ, and why.
const DIFFERENCES: &[(&str, &str)] = &[
    // Stricter than RFC 5280, where SPIFFE is.
    ("crl::issuer-no-keyusage-extension", "an issuer says that it may sign (X-13)"),
    ("pathlen::validation-ignores-pathlen-in-leaf", "a CA never authenticates (X-8)"),
    ("rfc5280::ca-as-leaf", "a CA never authenticates (X-8)"),
    ("rfc5280::no-keyusage", "a leaf says that it may sign a handshake (X-10)"),
    // Stricter by chain building: a chain of one name twice is refused, and so are names it cannot constrain.
    ("pathlen::self-issued-certs-pathlen", "a self-issued intermediate counts as any other"),
    ("rfc5280::nc::permitted-self-issued", "a self-issued intermediate counts as any other"),
    ("rfc5280::nc::permitted-dn-match", "constraints on directory names are not understood"),
    // Key identifiers only help to find a path; the signature proves it. Many authorities leave them out.
    ("rfc5280::aki::leaf-missing-aki", "a hint, not a proof"),
    ("rfc5280::aki::intermediate-missing-aki", "a hint, not a proof"),
    ("rfc5280::aki::cross-signed-root-missing-aki", "a hint, not a proof"),
    ("rfc5280::ski::root-missing-ski", "a hint, not a proof"),
    ("rfc5280::ski::intermediate-missing-ski", "a hint, not a proof"),
    // Names other than the URI carry no identity.
    ("rfc5280::nc::invalid-dnsname-leading-period", "a DNS name"),
    ("rfc5280::san::underscore-dns", "a DNS name"),
    ("rfc5280::san::ip-in-dns", "a DNS name"),
    // No revocation lists: SVIDs are short-lived, and a removed anchor ends what it vouched for.
    ("crl::revoked-certificate-with-crl", "no revocation lists"),
    ("crl::crlnumber-missing", "no revocation lists"),
    ("crl::crlnumber-critical", "no revocation lists"),
    ("crl::issuer-missing-crlsign", "no revocation lists"),
    // Bounds that this interface cannot ask for: ours are eight certificates, and the work of chain building.
    ("pathlen::max-chain-depth-0-exhausted", "our own bound is another"),
    ("pathlen::max-chain-depth-1-exhausted", "our own bound is another"),
    (
        "pathological::nc-dos-3",
        "its subject's names are not compared at all, so that there is no work to bound",
    ),
];

fn certificates(list: &Value) -> Vec<CertificateDer<'static>> {
    let pems = list.as_array().into_iter().flatten().filter_map(Value::as_str);
    pems.filter_map(|pem| CertificateDer::from_pem_slice(pem.as_bytes()).ok()).collect()
}

/// No chain, however spiteful, may take longer; the suite has some made for that.
const PATIENCE: Duration = Duration::from_secs(2);

/// The path alone: names are not looked at.
fn judge(case: &Value) -> Result<(), SvidError> {
    let time = case["validation_time"].as_str().and_then(|text| text.parse::<jiff::Timestamp>().ok());
    let now = time
        .map_or_else(|| SystemClock.now().unix_seconds(), |time| u64::try_from(time.as_second()).unwrap());
    let purpose = if case["validation_kind"] == "CLIENT" { Purpose::Client } else { Purpose::Server };
    let domain = "limbo.example".parse().unwrap();
    let trusted = certificates(&case["trusted_certs"]);
    let (anchors, refused) = Anchors::load(&domain, trusted.iter().map(AsRef::as_ref), now);
    let peer = CertificateDer::from_pem_slice(case["peer_certificate"].as_str().unwrap().as_bytes());
    let peer = peer.map_err(|_| SvidError::NotX509)?;
    let leaf = Leaf::read(&peer)?;
    leaf.serve(purpose)?;
    leaf.validity.hold(now)?;
    let rest = certificates(&case["untrusted_intermediates"]);
    let asked = Asked { trust_domain: domain.as_str(), purpose, now };
    match anchors.verify(&peer, &rest, asked) {
        Ok(_) => Ok(()),
        Err(error) => Err(refused.into_iter().next().map_or(error, |anchor| anchor.reason)),
    }
}

#[test]
fn paths_are_judged_as_x509_limbo_judges_them() {
    let test = "identify::suites::limbo";
    let Some(suite) = cases(test, "x509-limbo/limbo.json", 208) else { return };
    let mut differing = Vec::new();
    let (mut run, mut skipped) = (0, 0);
    for case in suite["testcases"].as_array().unwrap() {
        let id = case["id"].as_str().unwrap();
        if SKIPPED.iter().any(|(family, _)| id.starts_with(family)) {
            skipped += 1;
            continue;
        }
        run += 1;
        let begun = SystemClock.boot();
        let found = judge(case);
        let took = SystemClock.boot().since(begun);
        assert!(took < PATIENCE, "{id} took {took:?}");
        if found.is_ok() != (case["expected_result"] == "SUCCESS") {
            let how = found.map_or_else(|error| format!("refused: {error}"), |()| "accepted".to_owned());
            differing.push((id.to_owned(), how));
        }
    }
    println!("x509-limbo: {run} run, {} differ, {skipped} skipped", differing.len());
    compare(&differing, DIFFERENCES);
}
