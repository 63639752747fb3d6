use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::rsa::KeySize;
use aws_lc_rs::signature::{self, EcdsaKeyPair, KeyPair as _, RsaKeyPair};
use base64::Engine;
use base64::prelude::BASE64_URL_SAFE_NO_PAD as BASE64URL;
use serde_json::json;

use super::*;
use crate::config::ProofKind;
use crate::identify::mint::{self, CALLER, DOMAIN, NOW, Published, begin, jwt_bundles};

const OURS: &str = "spiffe://td.example/ledger";

/// An issuer with one key for each kind of algorithm.
struct Issuer {
    ec: Vec<(&'static str, &'static str, EcdsaKeyPair)>,
    rsa: RsaKeyPair,
}

impl Issuer {
    fn new() -> Self {
        let ec = |scheme| EcdsaKeyPair::generate(scheme).unwrap();
        Self {
            ec: vec![
                ("ES256", "P-256", ec(&signature::ECDSA_P256_SHA256_FIXED_SIGNING)),
                ("ES384", "P-384", ec(&signature::ECDSA_P384_SHA384_FIXED_SIGNING)),
                ("ES512", "P-521", ec(&signature::ECDSA_P521_SHA512_FIXED_SIGNING)),
            ],
            rsa: RsaKeyPair::generate(KeySize::Rsa2048).unwrap(),
        }
    }

    /// Its keys, the kid of each being its curve or `RSA`, changed by `spoil`.
    fn jwks(&self, spoil: impl Fn(&mut Value)) -> String {
        let mut keys: Vec<_> = self.ec.iter().map(|(_, curve, pair)| ec_jwk(curve, pair)).collect();
        let public = self.rsa.public_key();
        let number = |bytes: &[u8]| BASE64URL.encode(bytes);
        let n = number(public.modulus().big_endian_without_leading_zero());
        let e = number(public.exponent().big_endian_without_leading_zero());
        keys.push(json!({ "use": "jwt-svid", "kty": "RSA", "kid": "RSA", "n": n, "e": e }));
        keys.iter_mut().for_each(spoil);
        json!({ "keys": keys }).to_string()
    }

    /// Whatever header and payload say, signed by the algorithm `alg`.
    fn sign(&self, alg: &str, header: &str, payload: &str) -> String {
        let message = format!("{}.{}", BASE64URL.encode(header), BASE64URL.encode(payload));
        let random = SystemRandom::new();
        if let Some((_, _, pair)) = self.ec.iter().find(|(name, _, _)| *name == alg) {
            let signature = pair.sign(&random, message.as_bytes()).unwrap();
            return format!("{message}.{}", BASE64URL.encode(signature.as_ref()));
        }
        let padding: &'static dyn signature::RsaEncoding = match alg {
            "RS384" => &signature::RSA_PKCS1_SHA384,
            "RS512" => &signature::RSA_PKCS1_SHA512,
            "PS256" => &signature::RSA_PSS_SHA256,
            "PS384" => &signature::RSA_PSS_SHA384,
            "PS512" => &signature::RSA_PSS_SHA512,
            _ => &signature::RSA_PKCS1_SHA256,
        };
        let mut bytes = vec![0; self.rsa.public_modulus_len()];
        self.rsa.sign(padding, &random, message.as_bytes(), &mut bytes).unwrap();
        format!("{message}.{}", BASE64URL.encode(bytes))
    }

    /// A proper ES256 token but for its claims.
    fn claims(&self, claims: &Value) -> String {
        self.sign("ES256", &header("ES256", "P-256"), &claims.to_string())
    }

    fn token(&self) -> String {
        self.claims(&claims())
    }
}

fn ec_jwk(curve: &str, pair: &EcdsaKeyPair) -> Value {
    let point = &pair.public_key().as_ref()[1..];
    let (x, y) = point.split_at(point.len() / 2);
    let (x, y) = (BASE64URL.encode(x), BASE64URL.encode(y));
    json!({ "use": "jwt-svid", "kty": "EC", "crv": curve, "kid": curve, "x": x, "y": y })
}

fn header(alg: &str, kid: &str) -> String {
    json!({ "alg": alg, "kid": kid, "typ": "JWT" }).to_string()
}

fn claims() -> Value {
    json!({ "sub": CALLER, "aud": [OURS], "iat": NOW - 5, "exp": NOW + 200 })
}

fn with(name: &str, value: Value) -> Value {
    let mut claims = claims();
    claims[name] = value;
    claims
}

fn without(name: &str) -> Value {
    let mut claims = claims();
    claims.as_object_mut().unwrap().remove(name);
    claims
}

struct Site {
    issuer: Issuer,
    published: Published,
    verifier: TokenVerifier,
}

impl Site {
    fn new() -> Self {
        Self::with_keys(|_| {})
    }

    fn with_keys(spoil: impl Fn(&mut Value)) -> Self {
        let issuer = Issuer::new();
        let published = Published::new(Vec::new(), jwt_bundles(DOMAIN, &issuer.jwks(spoil)));
        let callers = Callers {
            any_of: vec![ProofKind::JwtSvid],
            audience: Some(OURS.to_owned()),
            trust: vec![DOMAIN.parse().unwrap(), "other.example".parse().unwrap()],
            max_token_life: Duration::from_mins(5),
        };
        let verifier = TokenVerifier::new(&callers, &published.identities, published.clock());
        Self { issuer, published, verifier }
    }

    fn refused(&self, token: &str) -> TokenError {
        match self.verifier.verify(token) {
            Err(IdentifyError::Token(error)) => error,
            other => panic!("it was to be refused: {other:?}"),
        }
    }

    /// The code that a request with this token is refused with.
    fn code(&self, token: &str) -> &'static Code {
        self.verifier.verify(token).unwrap_err().code()
    }

    fn refused_claims(&self, claims: &Value) -> TokenError {
        self.refused(&self.issuer.claims(claims))
    }
}

#[test]
fn j1_only_the_compact_form_of_three_parts_is_a_token() {
    let site = Site::new();
    let token = site.issuer.token();
    let peer = site.verifier.verify(&token).unwrap();
    assert_eq!((peer.id().as_str(), peer.expires_at()), (CALLER, NOW + 200));
    assert!(matches!(peer.proof(), Proof::Jwt { key, audience } if &**key == "P-256" && &**audience == OURS));

    let parts: Vec<_> = token.split('.').collect();
    let json = json!({ "payload": parts[1], "protected": parts[0], "signature": parts[2] }).to_string();
    for other in [
        json,
        format!("{token}.{}.x", parts[0]),
        format!("{}.{}", parts[0], parts[1]),
        String::new(),
        "..".into(),
    ] {
        assert_eq!(site.refused(&other), TokenError::NotCompact, "{other}");
    }
    assert_eq!(site.refused(&"a".repeat(MAX_TOKEN + 1)), TokenError::TooLong(MAX_TOKEN + 1));
    assert_eq!(site.code(""), codes::TOKEN_MALFORMED);
}

#[test]
fn j2_nine_algorithms_and_no_other() {
    let site = Site::new();
    for (alg, kid) in [
        ("ES256", "P-256"),
        ("ES384", "P-384"),
        ("ES512", "P-521"),
        ("RS256", "RSA"),
        ("RS384", "RSA"),
        ("RS512", "RSA"),
        ("PS256", "RSA"),
        ("PS384", "RSA"),
        ("PS512", "RSA"),
    ] {
        let token = site.issuer.sign(alg, &header(alg, kid), &claims().to_string());
        assert!(site.verifier.verify(&token).is_ok(), "{alg}");
    }
    for alg in ["none", "None", "HS256", "HS384", "HS512", "EdDSA", "ES256K", "es256", "RS1", ""] {
        let token = site.issuer.sign("ES256", &header(alg, "P-256"), &claims().to_string());
        assert_eq!(site.refused(&token), TokenError::Algorithm, "{alg}");
    }
    let token = site.issuer.sign("ES256", r#"{"kid":"P-256"}"#, &claims().to_string());
    assert_eq!(site.refused(&token), TokenError::Algorithm);
}

#[test]
fn j3_an_algorithm_must_fit_its_key() {
    let site = Site::new();
    for (signed, said, kid) in [
        ("RS256", "RS256", "P-256"),
        ("ES256", "ES256", "P-384"),
        ("ES256", "ES256", "RSA"),
        ("RS256", "PS256", "RSA"),
    ] {
        let token = site.issuer.sign(signed, &header(said, kid), &claims().to_string());
        assert_eq!(site.refused(&token), TokenError::Signature, "{said} {kid}");
    }
    let bound = Site::with_keys(|key| {
        if key["kty"] == "RSA" {
            key["alg"] = "RS256".into();
        }
    });
    let sign = |alg: &str| bound.issuer.sign(alg, &header(alg, "RSA"), &claims().to_string());
    assert!(bound.verifier.verify(&sign("RS256")).is_ok());
    assert_eq!(bound.refused(&sign("PS256")), TokenError::Signature);
}

#[test]
fn j4_j5_j6_a_header_says_alg_kid_and_a_known_typ_and_nothing_else() {
    let site = Site::new();
    let sign = |header: &str| site.issuer.sign("ES256", header, &claims().to_string());
    for typ in ["JWT", "JOSE"] {
        let header = json!({ "alg": "ES256", "kid": "P-256", "typ": typ }).to_string();
        assert!(site.verifier.verify(&sign(&header)).is_ok());
    }
    assert!(site.verifier.verify(&sign(r#"{"alg":"ES256","kid":"P-256"}"#)).is_ok());
    for typ in [json!("at+jwt"), json!("wit+jwt"), json!("jwt"), json!(null), json!(["JWT"])] {
        let header = json!({ "alg": "ES256", "kid": "P-256", "typ": typ }).to_string();
        assert_eq!(site.refused(&sign(&header)), TokenError::Type, "{typ}");
    }
    for name in ["crit", "jwk", "jku", "x5u", "x5c", "b64", "cty", "zip", "other"] {
        let header = json!({ "alg": "ES256", "kid": "P-256", name: true }).to_string();
        assert_eq!(site.refused(&sign(&header)), TokenError::Header, "{name}");
    }
    for header in [r#"{"alg":"ES256"}"#, r#"{"alg":"ES256","kid":""}"#, r#"{"alg":"ES256","kid":null}"#] {
        assert_eq!(site.refused(&sign(header)), TokenError::NoKeyId, "{header}");
    }
}

#[test]
fn j7_j13_j14_keys_come_from_the_bundle_of_the_subjects_trust_domain_and_are_for_this_use() {
    let site = Site::new();
    let token = site.issuer.sign("ES256", &header("ES256", "P-999"), &claims().to_string());
    assert_eq!(site.refused(&token), TokenError::UnknownKey("P-999".to_owned()));
    let other = with("sub", "spiffe://other.example/a".into());
    assert_eq!(site.refused_claims(&other), TokenError::NoBundle("other.example".to_owned()));
    let unlisted = with("sub", "spiffe://third.example/a".into());
    assert_eq!(site.refused_claims(&unlisted), TokenError::NotListed("third.example".to_owned()));
    let forged = Issuer::new().token();
    assert_eq!(site.refused(&forged), TokenError::Signature);
    assert_eq!(site.code(&forged), codes::TOKEN_UNTRUSTED);

    for used in ["x509-svid", "wit-svid", "sig", "JWT-SVID"] {
        let site = Site::with_keys(|key| key["use"] = used.into());
        assert_eq!(site.refused(&site.issuer.token()), TokenError::UnknownKey("P-256".to_owned()), "{used}");
    }
    let silent = Site::with_keys(|key| drop(key.as_object_mut().unwrap().remove("use")));
    assert!(silent.verifier.verify(&silent.issuer.token()).is_ok(), "agents leave `use` out");
}

#[test]
fn j8_the_subject_is_the_spiffe_id_of_a_workload() {
    let site = Site::new();
    assert_eq!(site.refused_claims(&without("sub")), TokenError::Claim("sub"));
    assert_eq!(site.refused_claims(&with("sub", 7.into())), TokenError::Claim("sub"));
    assert!(matches!(site.refused_claims(&with("sub", "alice".into())), TokenError::NotAnId(_)));
    assert_eq!(site.refused_claims(&with("sub", "spiffe://td.example".into())), TokenError::NamesNoWorkload);
}

#[test]
fn j9_j10_the_audience_is_ours_and_ours_alone() {
    let site = Site::new();
    assert!(site.verifier.verify(&site.issuer.claims(&with("aud", OURS.into()))).is_ok());
    for aud in [
        json!([]),
        json!(""),
        json!("other"),
        json!([OURS, "other"]),
        json!([[OURS]]),
        json!("SPIFFE://td.example/ledger"),
    ] {
        assert_eq!(site.refused_claims(&with("aud", aud.clone())), TokenError::Audience, "{aud}");
    }
    assert_eq!(site.refused_claims(&without("aud")), TokenError::Audience);
}

#[test]
fn j11_j12_a_token_holds_now_and_not_for_long() {
    let site = Site::new();
    let issue = |exp: Value| site.issuer.claims(&with("exp", exp));
    assert!(site.verifier.verify(&issue(json!(f64::from(u32::try_from(NOW).unwrap()) + 1.5))).is_ok());
    assert_eq!(site.refused_claims(&without("exp")), TokenError::Claim("exp"));
    for bad in [json!("soon"), json!(null), json!(1e300), json!(true)] {
        assert_eq!(site.refused(&issue(bad.clone())), TokenError::Claim("exp"), "{bad}");
    }
    assert_eq!(site.refused(&issue(NOW.into())), TokenError::Ended(NOW));
    assert_eq!(site.code(&issue(NOW.into())), codes::TOKEN_EXPIRED);
    assert_eq!(site.refused(&issue((-5).into())), TokenError::Ended(0));
    assert_eq!(site.refused(&issue((NOW + 296).into())), TokenError::TooLongLived(301));
    assert!(site.verifier.verify(&issue((NOW + 295).into())).is_ok());

    assert!(site.verifier.verify(&site.issuer.claims(&with("nbf", (NOW + LEEWAY).into()))).is_ok());
    assert_eq!(site.refused_claims(&with("nbf", (NOW + 11).into())), TokenError::NotYet(NOW + 11));
    assert_eq!(site.refused_claims(&with("nbf", "now".into())), TokenError::Claim("nbf"));
    assert_eq!(site.refused_claims(&with("iat", (NOW + 60).into())), TokenError::NotYet(NOW + 60));
    let mut undated = without("iat");
    undated["exp"] = (NOW + 301).into();
    assert_eq!(site.refused_claims(&undated), TokenError::TooLongLived(301));
}

#[test]
fn j16_nothing_can_be_read_in_two_ways() {
    let site = Site::new();
    let token = site.issuer.token();
    let payload = claims().to_string();
    let twice = payload.replacen('{', &format!("{{\"sub\":\"{CALLER}\","), 1);
    assert_eq!(
        site.refused(&site.issuer.sign("ES256", &header("ES256", "P-256"), &twice)),
        TokenError::NotCompact
    );
    let nested = payload.replacen('{', r#"{"x":[{"a":1,"a":1}],"#, 1);
    assert_eq!(
        site.refused(&site.issuer.sign("ES256", &header("ES256", "P-256"), &nested)),
        TokenError::NotCompact
    );
    let twice = r#"{"alg":"ES256","kid":"P-256","alg":"ES256"}"#;
    assert_eq!(site.refused(&site.issuer.sign("ES256", twice, &payload)), TokenError::NotCompact);
    for other in [
        format!("{token}="),
        format!("{token}\n"),
        format!(" {token}"),
        token.replacen('.', "=.", 1),
        format!("{token}A"),
    ] {
        assert!(site.verifier.verify(&other).is_err(), "{other}");
    }
    let deep = format!("{}{}", "[".repeat(5000), "]".repeat(5000));
    let deep = payload.replacen('{', &format!("{{\"x\":{deep},"), 1);
    assert_eq!(
        site.refused(&site.issuer.sign("ES256", &header("ES256", "P-256"), &deep)),
        TokenError::NotCompact
    );
}

#[test]
fn every_changed_character_of_a_token_spoils_it() {
    let site = Site::new();
    let token = site.issuer.token();
    for at in 0..token.len() {
        let mut bytes = token.clone().into_bytes();
        bytes[at] = if bytes[at] == b'A' { b'B' } else { b'A' };
        assert!(site.verifier.verify(std::str::from_utf8(&bytes).unwrap()).is_err(), "character {at}");
    }
}

#[test]
fn a_remembered_token_ends_in_time_and_with_its_bundle() {
    let mut site = Site::new();
    let token = site.issuer.token();
    let first = site.verifier.verify(&token).unwrap();
    assert!(Arc::ptr_eq(&first, &site.verifier.verify(&token).unwrap()));

    site.published.bundles.publish(jwt_bundles(DOMAIN, &Issuer::new().jwks(|_| {})), begin());
    assert_eq!(site.refused(&token), TokenError::Signature);

    let site = Site::new();
    let token = site.issuer.token();
    site.verifier.verify(&token).unwrap();
    site.published.clock.advance(Duration::from_secs(200));
    assert_eq!(site.refused(&token), TokenError::Ended(NOW + 200));
}

#[test]
fn what_is_remembered_is_bounded() {
    let now = Published::new(Vec::new(), TrustBundles::default()).clock().now();
    let mut remembered = Remembered::default();
    for at in 0..3 * MAX_REMEMBERED {
        let key = sha256(&at.to_le_bytes());
        remembered.keep(key, &mint::peer(CALLER, now, Duration::from_secs(9)), now);
        assert!(remembered.peers.len() <= MAX_REMEMBERED);
    }
}

#[test]
fn certificate_and_token_must_name_one_and_the_same() {
    let now = Published::new(Vec::new(), TrustBundles::default()).clock().now();
    let peer = |id: &str, life| mint::peer(id, now, Duration::from_secs(life));
    let (long, short) = (peer(CALLER, 100), peer(CALLER, 10));

    assert_eq!(agree(Some(&long), Some(short.clone())).unwrap().expires_at(), NOW + 10);
    assert!(Arc::ptr_eq(&agree(Some(&short), Some(long.clone())).unwrap(), &short));
    assert!(Arc::ptr_eq(&agree(None, Some(long.clone())).unwrap(), &long));
    assert!(Arc::ptr_eq(&agree(Some(&long), None).unwrap(), &long));
    assert_eq!(agree(None, None).unwrap_err().code(), codes::NO_TOKEN);
    let other = peer("spiffe://td.example/other", 100);
    assert_eq!(agree(Some(&long), Some(other)).unwrap_err().code(), codes::IDENTITIES_DIFFER);
}

#[test]
fn weak_and_odd_keys_are_left_out_of_a_bundle() {
    let site = Site::new();
    let jwks = site.issuer.jwks(|_| {});
    let count = |text: &str| crate::identify::jwk::JwtKey::set(text.as_bytes()).map(|keys| keys.len());
    assert_eq!(count(&jwks), Some(4));
    assert_eq!(count(r#"{"keys":[]}"#), Some(0));
    for bad in ["", "[]", "{}", r#"{"keys":{}}"#, r#"{"keys":[],"keys":[]}"#] {
        assert_eq!(count(bad), None, "{bad}");
    }
    let short = BASE64URL.encode([0xff; 128]);
    let odd = json!({ "keys": [
        { "kty": "RSA", "kid": "short", "n": short, "e": "AQAB" },
        { "kty": "oct", "kid": "shared", "k": "c2VjcmV0" },
        { "kty": "EC", "kid": "cut", "crv": "P-256", "x": "AQAB", "y": "AQAB" },
        { "kty": "EC", "crv": "P-256" },
        7,
    ] });
    assert_eq!(count(&odd.to_string()), Some(0));
    let same_name = site.issuer.jwks(|key| key["kid"] = "one".into());
    assert_eq!(count(&same_name), Some(0), "a name for two keys is a name for none");
}
