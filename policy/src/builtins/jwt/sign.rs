//! `io.jwt.encode_sign` and `io.jwt.encode_sign_raw`: with what signs the same text the same way each time, since a
//! decision must come out the same when it is replayed: `HS…`, `RS…` and `EdDSA`.

use aws_lc_rs::hmac;
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::rsa::{KeyPair, KeyPairComponents, PublicKeyComponents};
use aws_lc_rs::signature::Ed25519KeyPair;
use base64::Engine as _;
use regorus::Value;
use serde_json::Value as Json;

use super::super::json::as_go_writes as json;
use super::super::{Fail, text, weigh};
use super::keys::{Algorithm, bytes};
use super::{LONGEST, URL};

/// `io.jwt.encode_sign(header, payload, key)`, all three objects.
pub(crate) fn encode_sign(args: &[Value]) -> Result<Value, Fail> {
    let [header, payload, key] = args else { return Err(Fail::Argument("takes three objects")) };
    weigh::deep(args)?;
    let key = serde_json::from_str(&json(key)?).map_err(|_| WANT_KEY)?;
    sign(&json(header)?, &json(payload)?, &key)
}

/// `io.jwt.encode_sign_raw(header, payload, key)`, all three JSON text.
pub(crate) fn encode_sign_raw(args: &[Value]) -> Result<Value, Fail> {
    let [header, payload, key] = args else { return Err(Fail::Argument("takes three texts")) };
    weigh::linear(args)?;
    let key = serde_json::from_str(text(key)?).map_err(|_| WANT_KEY)?;
    sign(text(header)?, text(payload)?, &key)
}

/// Largest modulus that signs, in bytes: the time grows with its cube.
const RSA: usize = 512;
const WANT_KEY: Fail = Fail::Argument("takes a JWK");

fn sign(header: &str, payload: &str, key: &Json) -> Result<Value, Fail> {
    let members: Json = serde_json::from_str(header).map_err(|_| Fail::Argument("takes a header of JSON"))?;
    let alg = members.get("alg").and_then(Json::as_str).unwrap_or_default();
    let algorithm = Algorithm::named(alg).ok_or(Fail::Argument("takes a header with a known alg"))?;
    let is_jwt = members.get("typ").and_then(Json::as_str).is_none_or(|typ| typ == "JWT");
    if is_jwt && serde_json::from_str::<serde::de::IgnoredAny>(payload).is_err() {
        return Err(Fail::Argument("takes a payload of JSON, unless typ says otherwise"));
    }
    if header.len() + payload.len() > LONGEST / 2 {
        return Err(Fail::Limit("a header and payload of at most 32 KiB"));
    }
    let signed = format!("{}.{}", URL.encode(header), URL.encode(payload));
    // A set stands for its first key.
    let key = match key.get("keys") {
        Some(keys) => keys.get(0).ok_or(WANT_KEY)?,
        None => key,
    };
    let signature = signature(algorithm, &signed, key)?;
    Ok(Value::from(format!("{signed}.{}", URL.encode(signature))))
}

fn signature(algorithm: Algorithm, signed: &str, key: &Json) -> Result<Vec<u8>, Fail> {
    const WRONG: Fail = Fail::Argument("takes a private key that fits the algorithm");
    let kind = key.get("kty").and_then(Json::as_str).unwrap_or_default();
    match (algorithm.hmac(), algorithm.rsa(), kind) {
        (Some(hmac), _, "oct") => {
            let key = hmac::Key::new(hmac, &bytes(key, "k")?);
            Ok(hmac::sign(&key, signed.as_bytes()).as_ref().to_vec())
        }
        (None, Some(encoding), "RSA") => {
            let part = |name| bytes(key, name);
            if part("n")?.len() > RSA {
                return Err(Fail::Limit("an RSA key of at most 4096 bits"));
            }
            let components = KeyPairComponents {
                public_key: PublicKeyComponents { n: part("n")?, e: part("e")? },
                d: part("d")?,
                p: part("p")?,
                q: part("q")?,
                dP: part("dp")?,
                dQ: part("dq")?,
                qInv: part("qi")?,
            };
            let pair = KeyPair::from_components(&components).map_err(|_| WRONG)?;
            let mut signature = vec![0; pair.public_modulus_len()];
            let random = SystemRandom::new();
            pair.sign(encoding, &random, signed.as_bytes(), &mut signature).map_err(|_| WRONG)?;
            Ok(signature)
        }
        (None, None, "OKP") if algorithm.is_edwards() => {
            let pair = Ed25519KeyPair::from_seed_and_public_key(&bytes(key, "d")?, &bytes(key, "x")?);
            Ok(pair.map_err(|_| WRONG)?.sign(signed.as_bytes()).as_ref().to_vec())
        }
        (None, None, _) if !algorithm.is_edwards() => {
            Err(Fail::Argument("signs with HS…, RS… and EdDSA: ES… and PS… differ each time"))
        }
        _ => Err(WRONG),
    }
}
