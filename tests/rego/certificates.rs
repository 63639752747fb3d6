//! `crypto.x509.*`, member by member.

use base64::Engine as _;
use rcgen::{
    BasicConstraints, Certificate, CertificateParams, CustomExtension, DnType, ExtendedKeyUsagePurpose, IsCa,
    Issuer, KeyPair, KeyUsagePurpose, SanType, SerialNumber,
};
use serde_json::json;
use time::{Duration, OffsetDateTime};

use crate::{ours, same};

struct Made {
    certificate: Certificate,
    issuer: Issuer<'static, KeyPair>,
}

fn params(name: &str) -> CertificateParams {
    let mut params = CertificateParams::default();
    params.distinguished_name.push(DnType::CommonName, name);
    params.not_before = OffsetDateTime::now_utc() - Duration::hours(1);
    params.not_after = OffsetDateTime::now_utc() + Duration::hours(1);
    params.serial_number = Some(SerialNumber::from_slice(&[0x7f; 18]));
    params
}

fn authority(name: &str) -> CertificateParams {
    let mut params = params(name);
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign];
    params
}

fn leaf() -> CertificateParams {
    let mut params = params("leaf");
    let name = |name: &str| SanType::DnsName(name.try_into().expect("ASCII"));
    let uri = |uri: &str| SanType::URI(uri.try_into().expect("ASCII"));
    params.subject_alt_names = vec![
        name("a.example"),
        name("*.b.example"),
        SanType::Rfc822Name("a@b.example".try_into().expect("ASCII")),
        uri("spiffe://bank.example/ns/batch"),
        uri("https://h.example:8443/p?x=1&y=2"),
        uri("urn:uuid:f81d4fae"),
        SanType::IpAddress([10, 0, 0, 1].into()),
        SanType::IpAddress("2001:db8::1".parse().expect("an address")),
    ];
    for (kind, value) in [
        (DnType::CountryName, "GB"),
        (DnType::OrganizationName, "Bank"),
        (DnType::OrganizationName, "Straße"),
        (DnType::OrganizationalUnitName, "batch"),
        (DnType::LocalityName, "London"),
        (DnType::StateOrProvinceName, "England"),
        (DnType::CustomDnType(vec![2, 5, 4, 9]), "1 Street"),
        (DnType::CustomDnType(vec![2, 5, 4, 17]), "E1"),
        (DnType::CustomDnType(vec![2, 5, 4, 5]), "42"),
        (DnType::CustomDnType(vec![1, 2, 840, 99]), "other"),
    ] {
        params.distinguished_name.push(kind, value);
    }
    params.key_usages = vec![KeyUsagePurpose::DigitalSignature, KeyUsagePurpose::KeyEncipherment];
    params.extended_key_usages = vec![
        ExtendedKeyUsagePurpose::ClientAuth,
        ExtendedKeyUsagePurpose::ServerAuth,
        ExtendedKeyUsagePurpose::Other(vec![1, 2, 3, 4]),
    ];
    params.use_authority_key_identifier_extension = true;
    params
}

fn root(params: CertificateParams) -> Made {
    let key = KeyPair::generate().expect("a key");
    let certificate = params.clone().self_signed(&key).expect("a certificate");
    Made { certificate, issuer: Issuer::new(params, key) }
}

fn signed(params: CertificateParams, by: &Made) -> Made {
    signed_with(params, by, KeyPair::generate().expect("a key"))
}

fn signed_with(params: CertificateParams, by: &Made, key: KeyPair) -> Made {
    let certificate = params.clone().signed_by(&key, &by.issuer).expect("a certificate");
    Made { certificate, issuer: Issuer::new(params, key) }
}

fn pem(certificates: &[&Made]) -> String {
    certificates.iter().map(|made| made.certificate.pem()).collect()
}

fn module(pem: &str, call: &str) -> String {
    format!("package a\npem := `{pem}`\nx := {call}\n")
}

/// With the numbers that no `f64` holds as text.
fn shown(list: &str) -> String {
    format!(
        "[object.union(c, {{\"PublicKey\": key, \"SerialNumber\": serial}}) | some c in {list}\n\
         key := sprintf(\"%v\", [c.PublicKey])\nserial := sprintf(\"%v\", [c.SerialNumber])]"
    )
}

const VERIFY: &str = "crypto.x509.parse_and_verify_certificates(pem)";

#[test]
fn every_member_of_a_certificate_is_as_opa_has_it() {
    let ca = root(authority("root"));
    let mut odd = leaf();
    odd.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
    odd.custom_extensions = vec![CustomExtension::from_oid_content(&[1, 2, 3, 5], vec![5, 0])];
    let mut critical = CustomExtension::from_oid_content(&[1, 2, 3, 6], vec![5, 0]);
    critical.set_criticality(true);
    odd.custom_extensions.push(critical);
    let kinds = [
        &rcgen::PKCS_ECDSA_P384_SHA384,
        &rcgen::PKCS_ECDSA_P521_SHA512,
        &rcgen::PKCS_ED25519,
        &rcgen::PKCS_RSA_SHA512,
    ];
    let mut all = vec![signed(leaf(), &ca), signed(odd, &ca), signed(params(""), &ca)];
    for kind in kinds {
        all.push(signed_with(leaf(), &ca, KeyPair::generate_for(kind).expect("a key")));
        all.push(root(authority("again")));
    }
    let all: Vec<&Made> = all.iter().chain([&ca]).collect();
    let given = same(&module(&pem(&all), &shown("crypto.x509.parse_certificates(pem)")), "data.a.x");
    assert_eq!(given.as_array().map(Vec::len), Some(all.len()));
    let written = shown("crypto.x509.parse_certificates(base64.encode(pem))");
    assert_eq!(same(&module(&pem(&all), &written), "data.a.x"), given);
}

#[test]
fn every_member_of_a_request_is_as_opa_has_it() {
    let key = KeyPair::generate().expect("a key");
    for mut params in [CertificateParams::default(), leaf()] {
        params.serial_number = None;
        params.key_usages.clear();
        params.extended_key_usages.clear();
        params.use_authority_key_identifier_extension = false;
        let request = params.serialize_request(&key).expect("a request").pem().expect("PEM");
        same(&module(&request, "crypto.x509.parse_certificate_request(pem)"), "data.a.x");
    }
}

#[test]
fn a_chain_is_verified_as_opa_verifies_it() {
    let ca = root(authority("root"));
    let between = signed(authority("between"), &ca);
    let server = signed(leaf(), &between);
    let direct = signed(leaf(), &ca);
    let other = root(authority("other"));
    let twin = root(authority("root"));
    let mut old = leaf();
    old.not_after = OffsetDateTime::now_utc() - Duration::minutes(1);
    let mut old_root = authority("root");
    old_root.not_after = OffsetDateTime::now_utc() - Duration::minutes(1);
    let old_root = root(old_root);
    let mut quiet = authority("root");
    quiet.key_usages = vec![KeyUsagePurpose::CrlSign];
    let quiet = root(quiet);
    let mut short = authority("root");
    short.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
    let short = root(short);
    let below_short = signed(authority("between"), &short);
    let plain = root(params("root"));
    let mut client = leaf();
    client.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
    let client = signed(client, &ca);
    let mut narrow = authority("root");
    narrow.extended_key_usages = vec![ExtendedKeyUsagePurpose::CodeSigning];
    let narrow = root(narrow);
    let mut any = leaf();
    any.extended_key_usages = vec![ExtendedKeyUsagePurpose::Any];
    for (chain, valid) in [
        (vec![&ca, &between, &server], true),
        (vec![&ca, &direct], true),
        (vec![&ca, &other, &between, &server], true),
        (vec![&ca, &server], false),
        (vec![&ca, &between, &direct], true),
        (vec![&twin, &direct], false),
        (vec![&ca], false),
        (vec![&ca, &signed(old, &ca)], false),
        (vec![&old_root, &signed(leaf(), &old_root)], false),
        (vec![&quiet, &signed(leaf(), &quiet)], false),
        (vec![&short, &below_short, &signed(leaf(), &below_short)], false),
        (vec![&short, &signed(leaf(), &short)], true),
        (vec![&plain, &signed(leaf(), &plain)], false),
        (vec![&ca, &client], false),
        (vec![&narrow, &signed(leaf(), &narrow)], false),
        (vec![&ca, &signed(any, &ca)], true),
    ] {
        let call = format!("[valid, {}] if [valid, chain] := {VERIFY}", shown("chain"));
        let given = same(&module(&pem(&chain), &call), "data.a.x");
        assert_eq!(given[0], json!(valid), "{}", pem(&chain));
    }
    let mut now = OffsetDateTime::now_utc().unix_timestamp_nanos();
    for (chain, options, valid) in [
        (vec![&ca, &client], r#"{"KeyUsages": ["KeyUsageClientAuth"]}"#.to_owned(), true),
        (
            vec![&ca, &client],
            r#"{"KeyUsages": ["KeyUsageCodeSigning", "KeyUsageServerAuth"]}"#.to_owned(),
            false,
        ),
        (vec![&ca, &direct], r#"{"DNSName": "a.example"}"#.to_owned(), true),
        (vec![&ca, &direct], r#"{"DNSName": "c.b.example"}"#.to_owned(), true),
        (vec![&ca, &direct], r#"{"DNSName": "d.c.b.example"}"#.to_owned(), false),
        (vec![&ca, &direct], format!("{{\"CurrentTime\": {now}}}"), true),
        (
            vec![&ca, &direct],
            {
                now += 7_200_000_000_000;
                format!("{{\"CurrentTime\": {now}, \"MaxConstraintComparisons\": 5}}")
            },
            false,
        ),
    ] {
        let call = format!("crypto.x509.parse_and_verify_certificates_with_options(pem, {options})");
        let call = format!("[valid, {}] if [valid, chain] := {call}", shown("chain"));
        let given = same(&module(&pem(&chain), &call), "data.a.x");
        assert_eq!(given[0], json!(valid), "{options}");
    }
}

#[test]
fn what_has_no_place_in_the_shape_is_an_error_and_not_another_answer() {
    let ca = root(authority("root"));
    let mut constrained = authority("root");
    constrained.name_constraints = Some(rcgen::NameConstraints {
        permitted_subtrees: vec![rcgen::GeneralSubtree::DnsName("example".to_owned())],
        excluded_subtrees: Vec::new(),
    });
    let constrained = root(constrained);
    let mut escaped = leaf();
    escaped.subject_alt_names = vec![SanType::URI("https://h.example/a%20b#c".try_into().expect("ASCII"))];
    let cut = ca.certificate.pem().replacen("MI", "MJ", 1);
    for (pem, call) in [
        (pem(&[&constrained]), "crypto.x509.parse_certificates(pem)"),
        (pem(&[&constrained, &signed(leaf(), &constrained)]), VERIFY),
        (pem(&[&signed(escaped, &ca)]), "crypto.x509.parse_certificates(pem)"),
        (pem(&[&ca, &signed(authority("leaf"), &ca)]), VERIFY),
        (cut, "crypto.x509.parse_certificates(pem)"),
        (ca.certificate.pem(), "crypto.x509.parse_certificate_request(pem)"),
        (ca.certificate.pem().repeat(17), "crypto.x509.parse_certificates(pem)"),
    ] {
        let given = ours(&module(&pem, call), "data.a.x");
        assert!(given.is_err(), "{call}: {given:?}");
    }
}

#[test]
fn a_private_key_becomes_the_jwk_that_opa_makes_of_it() {
    let key = KeyPair::generate_for(&rcgen::PKCS_RSA_SHA256).expect("a key");
    // Of PKCS#8, whose last part is the key in PKCS#1.
    let der = key.serialize_der();
    let at = der.windows(2).skip(4).position(|two| two == [0x30, 0x82]).expect("a sequence") + 4;
    let at = if der[at + 4] == 2 { at } else { panic!("no key") };
    let written = base64::engine::general_purpose::STANDARD.encode(&der[at..]);
    let key = format!("-----BEGIN RSA PRIVATE KEY-----\n{written}\n-----END RSA PRIVATE KEY-----\n");
    let module = module(&key, "crypto.x509.parse_rsa_private_key(pem)");
    let given = same(&module, "data.a.x");
    assert_eq!(given["kty"], json!("RSA"));
}
