use aws_lc_rs::encoding::AsDer as _;
use aws_lc_rs::rsa::KeySize;
use aws_lc_rs::signature::KeyPair as _;
use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;

use super::super::key::VerifyKey;
use super::*;

fn pem(label: &str, der: &[u8]) -> String {
    format!("-----BEGIN {label}-----\n{}\n-----END {label}-----\n", BASE64_STANDARD.encode(der))
}

/// A private and a public key.
fn pair(algorithm: &str) -> (String, String) {
    match way(algorithm.parse().unwrap()) {
        Way::Rsa(_) => {
            let key = RsaKeyPair::generate(KeySize::Rsa2048).unwrap();
            let public = key.public_key().as_der().unwrap();
            (pem("PRIVATE KEY", key.as_der().unwrap().as_ref()), pem("PUBLIC KEY", public.as_ref()))
        }
        Way::Ecdsa(curve) => {
            let key = EcdsaKeyPair::generate(curve).unwrap();
            let public = key.public_key().as_der().unwrap();
            (pem("PRIVATE KEY", key.to_pkcs8v1().unwrap().as_ref()), pem("PUBLIC KEY", public.as_ref()))
        }
        Way::Secret => ("a secret of enough bytes".to_owned(), "a secret of enough bytes".to_owned()),
    }
}

fn key(text: &str, algorithm: &str) -> Result<SigningKey, String> {
    SigningKey::new(text.as_bytes(), algorithm.parse().unwrap())
}

#[test]
fn what_each_algorithm_signs_its_verifying_key_takes_and_nothing_else() {
    let rsa = pair("RS256");
    for name in Algorithm::NAMES {
        let (private, public) = if name.starts_with(['R', 'P']) { rsa.clone() } else { pair(name) };
        let signing = key(&private, name).unwrap();
        let verifying = VerifyKey::new(public.as_bytes(), name.parse().unwrap(), None).unwrap();
        let signature = signing.sign(b"message").unwrap();

        assert!(verifying.verifies(b"message", &signature), "{name}");
        assert!(!verifying.verifies(b"massage", &signature), "{name}");
        let shown = format!("{signing:?}");
        assert!(!shown.contains("secret of") && shown.contains(name), "{shown}");
    }
}

#[test]
fn a_key_that_does_not_fit_is_refused_with_what_is_needed() {
    let (private, public) = pair("ES256");
    for (text, algorithm, why) in [
        ("no key", "ES256", "no PEM block"),
        (&public, "ES256", "`PUBLIC KEY` stands here, where ES256 needs a private key"),
        (&private, "ES384", "needs a key on the curve P-384"),
        (&private, "RS256", "needs an RSA key of 2048 to 8192 bits"),
        (&pem("PRIVATE KEY", b"nonsense"), "PS512", "does not fit"),
        (&pem("ENCRYPTED PRIVATE KEY", b"x"), "ES256", "encrypted: decrypt it first"),
        ("short", "HS256", "at least 16 bytes"),
    ] {
        let error = key(text, algorithm).unwrap_err();
        assert!(error.contains(why), "{error}");
    }
}

#[test]
fn parameters_of_a_curve_may_stand_before_its_key() {
    let (private, _) = pair("ES256");
    assert!(key(&format!("{}{private}", pem("EC PARAMETERS", b"x")), "ES256").is_ok());
}
