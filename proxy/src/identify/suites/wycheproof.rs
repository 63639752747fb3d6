use serde_json::{Value, json};

use super::{cases, compare};
use crate::identify::jwk::JwtKey;
use crate::identify::jws::Signed;

/// Where we differ from the vectors, and why. Shared secrets (HS256 and the like) are left out of
/// it: they are refused always (J-2), and that is what is asked of every such vector.
const DIFFERENCES: &[(&str, &str)] = &[
    ("json_web_signature_test/346", "the key says PS256, the token PS384: refused (J-3)"),
    ("json_web_signature_test/350", "the key says PS256, the token PS384: refused (J-3)"),
    ("json_web_signature_test/347", "the key says ES521, which is no algorithm: refused"),
    ("json_web_signature_test/351", "the key says ES521, which is no algorithm: refused"),
    (
        "json_web_key_test/7",
        "a key of a known weak generator: trusted, for it stands in the trust domain's bundle",
    ),
    (
        "json_web_crypto_test/46",
        "a key of a known weak generator: trusted, for it stands in the trust domain's bundle",
    ),
];

/// Whether we would take the signature: the payloads of these vectors are no claims.
fn accepts(group: &Value, jws: &Value) -> bool {
    let public = group.get("public").or_else(|| group.get("private")).unwrap();
    let keys = public.get("keys").cloned().unwrap_or_else(|| json!([public]));
    let mut set = json!({ "keys": keys });
    for key in set["keys"].as_array_mut().unwrap() {
        // What the vectors call signing is our one use; every other use stays what it is.
        if key["use"] == "sig" {
            key["use"] = "jwt-svid".into();
        }
    }
    let keys = JwtKey::set(set.to_string().as_bytes()).unwrap_or_default();
    let Some(Ok(signed)) = jws.as_str().map(Signed::parse) else { return false };
    keys.iter().any(|key| *key.kid == *signed.kid() && signed.check(key).is_ok())
}

fn shares_a_secret(group: &Value) -> bool {
    let private = &group["private"];
    let keys = private["keys"].as_array().cloned().unwrap_or_else(|| vec![private.clone()]);
    keys.iter().any(|key| key["kty"] == "oct")
}

/// What came out otherwise; nothing if the vectors are not there.
fn run(file: &str, number: usize) -> Option<Vec<(String, String)>> {
    let suite = cases("identify::suites::wycheproof", &format!("wycheproof/{file}.json"), number)?;
    let mut differing = Vec::new();
    for group in suite["testGroups"].as_array().unwrap() {
        for test in group["tests"].as_array().unwrap() {
            // Tests without a signature are of encryption, which no JWT-SVID has.
            let Some(jws) = test.get("jws") else { continue };
            let wanted = test["result"] == "valid" && !shares_a_secret(group);
            let accepted = accepts(group, jws);
            if accepted != wanted {
                let id = format!("{file}/{}", test["tcId"]);
                differing.push((id, format!("{} {} accepted={accepted}", group["comment"], test["comment"])));
            }
        }
    }
    println!("{file}: {} of {number} differ", differing.len());
    Some(differing)
}

#[test]
fn signatures_are_judged_as_wycheproof_judges_them() {
    let files = [("json_web_signature_test", 401), ("json_web_key_test", 26), ("json_web_crypto_test", 83)];
    let found: Option<Vec<_>> = files.into_iter().map(|(file, number)| run(file, number)).collect();
    if let Some(found) = found {
        compare(&found.concat(), DIFFERENCES);
    }
}
