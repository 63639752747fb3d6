use rcgen::{
    BasicConstraints, CertificateParams, CustomExtension, DistinguishedName, ExtendedKeyUsagePurpose as Eku,
    GeneralSubtree, IsCa, KeyPair, KeyUsagePurpose as Usage, NameConstraints, RsaKeySize, SanType,
    SerialNumber,
};

use super::*;
use crate::fault::{Code, Coded, codes};
use crate::identify::mint::{
    CALLER, Ca, DOMAIN, Minted, NOW, authority, bundles, extension, leaf, moment, uri,
};

const SAN: &[u64] = &[2, 5, 29, 17];
const NAME_CONSTRAINTS: &[u64] = &[2, 5, 29, 30];

fn verify(bundles: &TrustBundles, chain: &[&CertificateDer<'static>]) -> Result<VerifiedSvid, SvidError> {
    let chain: Vec<_> = chain.iter().map(|&der| der.clone()).collect();
    bundles.verify(&chain, Purpose::Client, NOW)
}

fn refused(bundles: &TrustBundles, chain: &[&CertificateDer<'static>]) -> SvidError {
    verify(bundles, chain).expect_err("it was to be refused")
}

/// What becomes of a leaf that `spoil` changed.
fn leaf_with(spoil: impl FnOnce(&mut CertificateParams)) -> Result<VerifiedSvid, SvidError> {
    let ca = Ca::new(DOMAIN);
    let mut params = leaf(CALLER);
    spoil(&mut params);
    verify(&bundles(DOMAIN, &[&ca]), &[&ca.sign(&params).der])
}

/// What becomes of a chain whose intermediate `spoil` changed.
fn chain_with(spoil: impl FnOnce(&mut CertificateParams)) -> Result<VerifiedSvid, SvidError> {
    let ca = Ca::new(DOMAIN);
    let mut params = authority(DOMAIN);
    params.distinguished_name.push(rcgen::DnType::OrganizationName, "intermediate");
    spoil(&mut params);
    let sub = ca.sub(&params);
    verify(&bundles(DOMAIN, &[&ca]), &[&sub.svid(CALLER).der, &sub.der()])
}

/// Why an anchor that `spoil` changed is not taken.
fn anchor_with(spoil: impl FnOnce(&mut CertificateParams)) -> Option<SvidError> {
    let mut params = authority(DOMAIN);
    spoil(&mut params);
    let der = Ca::of(&params).der();
    let (anchors, refused) = Anchors::load(&DOMAIN.parse().unwrap(), [der.as_ref()], NOW);
    assert_eq!(anchors.facts.len() + refused.len(), 1);
    refused.into_iter().next().map(|anchor| anchor.reason)
}

fn uri_name(uri: &str) -> Vec<u8> {
    let length = u8::try_from(uri.len()).unwrap();
    [&[0x30, length + 2, 0x86, length], uri.as_bytes()].concat()
}

/// Name constraints that permit (tag 0) or exclude (tag 1) URIs at `host`.
fn uri_constraints(tag: u8, host: &str) -> CustomExtension {
    let name = uri_name(host);
    let length = u8::try_from(name.len()).unwrap();
    extension(NAME_CONSTRAINTS, [&[0x30, length + 2, 0xa0 | tag, length], &name[..]].concat(), true)
}

#[test]
fn x1_a_chain_to_its_own_bundle_proves_the_one_uri() {
    let ca = Ca::new(DOMAIN);
    let svid = verify(&bundles(DOMAIN, &[&ca]), &[&ca.svid(CALLER).der]).unwrap();

    assert_eq!(svid.id.as_str(), CALLER);
    assert_eq!(svid.ends, NOW + 3600);
    assert!(svid.anchor.starts_with("sha256:") && svid.anchor.len() == 71, "{}", svid.anchor);
    assert!(svid.serial.len() > 4 && svid.serial.bytes().all(|b| b.is_ascii_hexdigit()), "{}", svid.serial);
}

#[test]
fn x2_x3_x5_a_leaf_has_exactly_one_uri_and_it_is_a_spiffe_id() {
    for uris in
        [&[][..], &[CALLER, "spiffe://td.example/b"], &[CALLER, "https://a.example/"], &[CALLER, CALLER]]
    {
        let found = leaf_with(|p| p.subject_alt_names = uris.iter().map(|text| uri(text)).collect());
        assert_eq!(found.unwrap_err(), SvidError::UriNames(uris.len()), "{uris:?}");
    }
    for bad in
        ["https://td.example/a", "spiffe://TD.example/a", "spiffe://td.example/a/", "spiffe://td.example/%41"]
    {
        let found = leaf_with(|p| p.subject_alt_names = vec![uri(bad)]);
        assert!(matches!(found, Err(SvidError::NotAnId(_))), "{bad}: {found:?}");
    }
    let long = |n: usize| format!("{CALLER}{}", "a".repeat(n - CALLER.len()));
    assert!(leaf_with(|p| p.subject_alt_names = vec![uri(&long(2048))]).is_ok());
    assert!(leaf_with(|p| p.subject_alt_names = vec![uri(&long(2049))]).is_err());
}

#[test]
fn x4_the_id_of_a_trust_domain_authenticates_nobody() {
    let found = leaf_with(|p| p.subject_alt_names = vec![uri("spiffe://td.example")]);
    assert_eq!(found.unwrap_err(), SvidError::NamesNoWorkload);
}

#[test]
fn x6_other_kinds_of_names_beside_the_uri_carry_no_identity() {
    let found = leaf_with(|p| {
        p.subject_alt_names.push(SanType::DnsName("other.example".try_into().unwrap()));
        p.subject_alt_names.push(SanType::IpAddress([192, 0, 2, 1].into()));
        p.subject_alt_names.push(SanType::Rfc822Name("a@other.example".try_into().unwrap()));
    });
    assert_eq!(found.unwrap().id.as_str(), CALLER);
}

#[test]
fn x7_an_empty_subject_needs_critical_names() {
    assert!(leaf_with(|p| p.distinguished_name = DistinguishedName::new()).is_ok());
    let found = leaf_with(|p| {
        p.distinguished_name = DistinguishedName::new();
        p.subject_alt_names.clear();
        p.custom_extensions.push(extension(SAN, uri_name(CALLER), false));
    });
    assert_eq!(found.unwrap_err(), SvidError::NamesNotCritical);
}

#[test]
fn x8_x9_x14_what_may_issue_never_authenticates() {
    let found = leaf_with(|p| p.is_ca = IsCa::Ca(BasicConstraints::Unconstrained));
    assert_eq!(found.unwrap_err(), SvidError::IsCa);
    for usage in [Usage::KeyCertSign, Usage::CrlSign] {
        let found = leaf_with(|p| p.key_usages.push(usage));
        assert_eq!(found.unwrap_err(), SvidError::CanSign);
    }
    let ca = Ca::new(DOMAIN);
    let sub = ca.sub(&authority(DOMAIN));
    assert_eq!(refused(&bundles(DOMAIN, &[&ca]), &[&sub.der()]), SvidError::IsCa);
}

#[test]
fn x10_a_leaf_may_sign_handshakes() {
    for usages in [vec![], vec![Usage::KeyEncipherment]] {
        let found = leaf_with(|p| p.key_usages = usages);
        assert_eq!(found.unwrap_err(), SvidError::NoDigitalSignature);
    }
}

#[test]
fn x11_x12_a_purpose_that_is_said_must_fit_and_none_need_be_said() {
    assert!(leaf_with(|p| p.extended_key_usages.clear()).is_ok());
    assert!(leaf_with(|p| p.extended_key_usages = vec![Eku::ClientAuth]).is_ok());
    let found = leaf_with(|p| p.extended_key_usages = vec![Eku::ServerAuth]);
    assert_eq!(found.unwrap_err(), SvidError::Purpose("clientAuth"));

    let ca = Ca::new(DOMAIN);
    let held = bundles(DOMAIN, &[&ca]);
    let mut params = leaf(CALLER);
    params.extended_key_usages = vec![Eku::ClientAuth];
    let found = held.verify(&[ca.sign(&params).der], Purpose::Server, NOW);
    assert_eq!(found.unwrap_err(), SvidError::Purpose("serverAuth"));
}

#[test]
fn x13_x15_an_intermediate_is_a_ca_that_may_sign_for_this_trust_domain() {
    assert!(chain_with(|_| {}).is_ok());
    assert!(chain_with(|p| p.subject_alt_names.clear()).is_ok());
    assert!(chain_with(|p| p.is_ca = IsCa::ExplicitNoCa).is_err());
    assert!(chain_with(|p| p.is_ca = IsCa::NoCa).is_err());
    for usages in [vec![], vec![Usage::CrlSign]] {
        let found = chain_with(|p| p.key_usages = usages);
        assert_eq!(found.unwrap_err(), SvidError::IssuerCannotSign);
    }
    for id in ["spiffe://td.example/ca", "spiffe://other.example", "https://td.example"] {
        let found = chain_with(|p| p.subject_alt_names = vec![uri(id)]);
        assert_eq!(found.unwrap_err(), SvidError::IssuerId, "{id}");
    }
    let found = chain_with(|p| p.serial_number = Some(SerialNumber::from_slice(&[0])));
    assert_eq!(found.unwrap_err(), SvidError::Serial);
}

#[test]
fn x13_x15_an_anchor_is_refused_at_load_with_its_reason() {
    assert_eq!(anchor_with(|_| {}), None);
    assert_eq!(anchor_with(|p| p.subject_alt_names.clear()), None);
    assert_eq!(anchor_with(|p| p.is_ca = IsCa::ExplicitNoCa), Some(SvidError::IssuerNotCa));
    assert_eq!(anchor_with(|p| p.is_ca = IsCa::NoCa), Some(SvidError::IssuerNotCa));
    assert_eq!(anchor_with(|p| p.key_usages.clear()), Some(SvidError::IssuerCannotSign));
    assert_eq!(anchor_with(|p| p.key_usages = vec![Usage::CrlSign]), Some(SvidError::IssuerCannotSign));
    assert_eq!(
        anchor_with(|p| p.distinguished_name = DistinguishedName::new()),
        Some(SvidError::IssuerNameless)
    );
    assert_eq!(
        anchor_with(|p| p.subject_alt_names = vec![uri("spiffe://td.example/ca")]),
        Some(SvidError::IssuerId)
    );
    assert_eq!(
        anchor_with(|p| p.subject_alt_names = vec![uri("spiffe://other.example")]),
        Some(SvidError::IssuerId)
    );
    let ended = anchor_with(|p| p.not_after = moment(NOW - 1));
    assert!(matches!(ended, Some(SvidError::NotNow { .. })), "{ended:?}");
    let unknown = anchor_with(|p| p.custom_extensions.push(extension(&[1, 2, 3, 4], vec![5, 0], true)));
    assert_eq!(unknown, Some(SvidError::Extension("1.2.3.4".to_owned())));
    assert_eq!(anchor_with(|p| p.custom_extensions.push(extension(&[1, 2, 3, 4], vec![5, 0], false))), None);
}

#[test]
fn x16_a_path_is_held_to_rfc_5280() {
    let short = |p: &mut CertificateParams| p.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
    assert!(chain_with(short).is_ok());
    let ca = Ca::of(&{
        let mut params = authority(DOMAIN);
        short(&mut params);
        params
    });
    let sub = ca.sub(&{
        let mut params = authority(DOMAIN);
        short(&mut params);
        params
    });
    let below = sub.sub(&authority(DOMAIN));
    let chain = [&below.svid(CALLER).der, &below.der(), &sub.der()];
    assert_eq!(refused(&bundles(DOMAIN, &[&ca]), &chain).code(), codes::SVID_UNTRUSTED);

    let ended = leaf_with(|p| p.not_after = moment(NOW - 1)).unwrap_err();
    let early = leaf_with(|p| p.not_before = moment(NOW + 1)).unwrap_err();
    assert_eq!([ended.code(), early.code()], [codes::SVID_EXPIRED; 2]);
    assert!(chain_with(|p| p.not_after = moment(NOW - 1)).is_err());
    assert!(chain_with(|p| p.not_before = moment(NOW + 1)).is_err());
    assert!(leaf_with(|p| p.custom_extensions.push(extension(&[1, 2, 3, 4], vec![5, 0], true))).is_err());
    assert!(leaf_with(|p| p.serial_number = Some(SerialNumber::from_slice(&[1; 21]))).is_err());
}

#[test]
fn x16_a_signature_by_another_key_of_the_same_name_proves_nothing() {
    let (ours, theirs) = (Ca::new(DOMAIN), Ca::new(DOMAIN));
    let found = refused(&bundles(DOMAIN, &[&ours]), &[&theirs.svid(CALLER).der]);
    assert_eq!(found, SvidError::Untrusted(webpki::Error::InvalidSignatureForPublicKey));
    let mut changed = ours.svid(CALLER).der.to_vec();
    *changed.last_mut().unwrap() ^= 1;
    assert!(verify(&bundles(DOMAIN, &[&ours]), &[&changed.into()]).is_err());
}

#[test]
fn x17_name_constraints_on_uris_are_never_ignored() {
    for (tag, host) in [(0, DOMAIN), (0, "other.example"), (1, DOMAIN), (1, "other.example")] {
        let spoil = |p: &mut CertificateParams| p.custom_extensions.push(uri_constraints(tag, host));
        assert!(chain_with(spoil).is_err(), "intermediate {tag} {host}");
        let mut params = authority(DOMAIN);
        spoil(&mut params);
        let ca = Ca::of(&params);
        assert!(verify(&bundles(DOMAIN, &[&ca]), &[&ca.svid(CALLER).der]).is_err(), "anchor {tag} {host}");
    }
    let constraints = NameConstraints {
        permitted_subtrees: vec![GeneralSubtree::DnsName("td.example".into())],
        excluded_subtrees: vec![],
    };
    assert!(
        chain_with(|p| p.name_constraints = Some(constraints)).is_ok(),
        "no DNS name, nothing constrained"
    );
    assert!(leaf_with(|p| p.custom_extensions.push(uri_constraints(0, DOMAIN))).is_err());
}

#[test]
fn x18_x19_x23_only_the_bundle_of_its_own_trust_domain_counts() {
    let (ours, theirs) = (Ca::new(DOMAIN), Ca::new("other.example"));
    let mut held = bundles(DOMAIN, &[&ours]);
    held.x509.extend(bundles("other.example", &[&theirs]).x509);
    held.x509.insert("empty.example".parse().unwrap(), Arc::default());

    let crossed = refused(&held, &[&theirs.svid(CALLER).der]);
    let none = refused(&held, &[&ours.svid("spiffe://third.example/a").der]);
    let empty = refused(&held, &[&ours.svid("spiffe://empty.example/a").der]);

    assert_eq!(crossed.code(), codes::SVID_UNTRUSTED);
    assert_eq!(none, SvidError::NoBundle("third.example".to_owned()));
    assert_eq!(empty.code(), codes::SVID_UNTRUSTED);
}

#[test]
fn x20_intermediates_may_come_in_any_order_and_the_earliest_end_counts() {
    let ca = Ca::new(DOMAIN);
    let upper = ca.sub(&authority(DOMAIN));
    let lower = upper.sub(&{
        let mut params = authority(DOMAIN);
        params.not_after = moment(NOW + 600);
        params
    });
    let svid = lower.svid(CALLER).der;
    for rest in [[upper.der(), lower.der()], [lower.der(), upper.der()]] {
        let found = verify(&bundles(DOMAIN, &[&ca]), &[&svid, &rest[0], &rest[1]]).unwrap();
        assert_eq!(found.ends, NOW + 600);
    }
    let many = vec![svid; 9];
    assert_eq!(
        bundles(DOMAIN, &[&ca]).verify(&many, Purpose::Client, NOW).unwrap_err(),
        SvidError::TooMany(9)
    );
}

#[test]
fn an_anchor_stops_vouching_when_it_ends_and_does_not_begin_early() {
    let ca = Ca::of(&{
        let mut params = authority(DOMAIN);
        params.not_before = moment(NOW + 10);
        params.not_after = moment(NOW + 20);
        params
    });
    let held = bundles(DOMAIN, &[&ca]);
    let chain = [ca.svid(CALLER).der];
    let at = |now| held.verify(&chain, Purpose::Client, now).map(|found| found.ends);

    assert!(at(NOW).is_err() && at(NOW + 21).is_err());
    assert_eq!(at(NOW + 10), Ok(NOW + 20));
}

#[test]
fn an_authority_that_was_renewed_with_its_key_vouches_as_long_as_either_certificate() {
    let key = KeyPair::generate().unwrap();
    let renewed = |from: u64, to: u64| {
        let mut params = authority(DOMAIN);
        (params.not_before, params.not_after) = (moment(from), moment(to));
        Ca::of_key(&params, KeyPair::try_from(key.serialize_der()).unwrap())
    };
    let (old, new) = (renewed(NOW - 60, NOW + 5), renewed(NOW - 60, NOW + 3600));
    let held = bundles(DOMAIN, &[&old, &new]);

    let found = held.verify(&[old.svid(CALLER).der], Purpose::Client, NOW + 6).unwrap();

    assert_eq!(found.ends, NOW + 3600);
}

#[test]
fn keys_are_accepted_by_kind_and_strength() {
    let ca = Ca::new(DOMAIN);
    let held = bundles(DOMAIN, &[&ca]);
    for algorithm in [
        &rcgen::PKCS_ECDSA_P256_SHA256,
        &rcgen::PKCS_ECDSA_P384_SHA384,
        &rcgen::PKCS_ECDSA_P521_SHA512,
        &rcgen::PKCS_ED25519,
    ] {
        let svid: Minted = ca.sign_key(&leaf(CALLER), KeyPair::generate_for(algorithm).unwrap());
        assert!(verify(&held, &[&svid.der]).is_ok(), "{algorithm:?}");
    }
    let rsa = KeyPair::generate_rsa_for(&rcgen::PKCS_RSA_SHA256, RsaKeySize::_2048).unwrap();
    assert!(verify(&held, &[&ca.sign_key(&leaf(CALLER), rsa).der]).is_ok());
}

#[test]
fn bytes_that_are_no_certificate_are_refused_without_harm() {
    let ca = Ca::new(DOMAIN);
    let held = bundles(DOMAIN, &[&ca]);
    let good = ca.svid(CALLER).der;
    let expected: &Code = codes::SVID_MALFORMED;
    assert_eq!(refused(&held, &[]).code(), expected);
    for bytes in
        [&[][..], b"\x30", b"\x30\x03\x02\x01\x00", &good[..good.len() - 1], &[&good[..], b"x"].concat()]
    {
        assert_eq!(refused(&held, &[&bytes.to_vec().into()]).code(), expected);
    }
    for at in 0..good.len() {
        let mut bytes = good.to_vec();
        bytes[at] ^= 0x10;
        assert!(verify(&held, &[&bytes.into()]).is_err(), "byte {at}");
    }
}
