//! `io.jwt.*`: tokens are taken apart, checked and made as OPA does. What a caller proves itself with is checked
//! before a policy is asked; these are for tokens that travel inside a request.

mod keys;
mod sign;

use base64::Engine as _;
use base64::alphabet::URL_SAFE;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use regorus::Value;
use regorus::value::Object;

pub(super) use sign::{encode_sign, encode_sign_raw};

use super::numbers::LONGER;
use super::row::{Builtin, By};
use super::signatures::{ANY, BOOL, LIST, OBJECT, TEXT};
use super::{Fail, at, text, time_now, weigh};
use crate::document::exact::{in_full, keeps_numbers};
use keys::{Algorithm, Halves, Key, NamedKey};

pub(super) const ROWS: &[Builtin] = &[
    Builtin::new(
        "internal.now.decode_verify",
        &[ANY, ANY, ANY],
        ANY,
        By::Within(|args| at(args, decode_verify), "io.jwt.decode_verify"),
    ),
    Builtin::new("io.jwt.decode", &[TEXT], LIST, By::Added(decode)),
    Builtin::new("io.jwt.decode_verify", &[TEXT, OBJECT], LIST, By::Added(decode_verify)),
    Builtin::new("io.jwt.encode_sign", &[OBJECT, OBJECT, OBJECT], TEXT, By::Added(encode_sign)),
    Builtin::new("io.jwt.encode_sign_raw", &[TEXT, TEXT, TEXT], TEXT, By::Added(encode_sign_raw)),
    Builtin::new("io.jwt.verify_eddsa", &[TEXT, TEXT], BOOL, By::Added(|args| verify("EdDSA", args))),
    Builtin::new("io.jwt.verify_es256", &[TEXT, TEXT], BOOL, By::Added(|args| verify("ES256", args))),
    Builtin::new("io.jwt.verify_es384", &[TEXT, TEXT], BOOL, By::Added(|args| verify("ES384", args))),
    Builtin::new("io.jwt.verify_es512", &[TEXT, TEXT], BOOL, By::Added(|args| verify("ES512", args))),
    Builtin::new("io.jwt.verify_hs256", &[TEXT, TEXT], BOOL, By::Added(|args| verify("HS256", args))),
    Builtin::new("io.jwt.verify_hs384", &[TEXT, TEXT], BOOL, By::Added(|args| verify("HS384", args))),
    Builtin::new("io.jwt.verify_hs512", &[TEXT, TEXT], BOOL, By::Added(|args| verify("HS512", args))),
    Builtin::new("io.jwt.verify_ps256", &[TEXT, TEXT], BOOL, By::Added(|args| verify("PS256", args))),
    Builtin::new("io.jwt.verify_ps384", &[TEXT, TEXT], BOOL, By::Added(|args| verify("PS384", args))),
    Builtin::new("io.jwt.verify_ps512", &[TEXT, TEXT], BOOL, By::Added(|args| verify("PS512", args))),
    Builtin::new("io.jwt.verify_rs256", &[TEXT, TEXT], BOOL, By::Added(|args| verify("RS256", args))),
    Builtin::new("io.jwt.verify_rs384", &[TEXT, TEXT], BOOL, By::Added(|args| verify("RS384", args))),
    Builtin::new("io.jwt.verify_rs512", &[TEXT, TEXT], BOOL, By::Added(|args| verify("RS512", args))),
];

/// Longest token, in bytes.
const LONGEST: usize = 64 * 1024;
/// Most keys that are tried, where the token names none.
const TRIED: usize = 16;
/// Deepest nesting of a token in a token.
const NESTED: usize = 8;
const TOO_DEEP: Fail = Fail::Limit("a token in a token at most 8 deep");

/// With padding or without, as OPA takes it.
const URL: GeneralPurpose = GeneralPurpose::new(
    &URL_SAFE,
    GeneralPurposeConfig::new()
        .with_encode_padding(false)
        .with_decode_padding_mode(DecodePaddingMode::Indifferent)
        .with_decode_allow_trailing_bits(true),
);

/// The three parts of a token, as they are written.
struct Token<'a> {
    header: &'a str,
    payload: &'a str,
    signature: &'a str,
}

impl<'a> Token<'a> {
    fn of(token: &'a str) -> Result<Self, Fail> {
        if token.len() > LONGEST {
            return Err(Fail::Limit("a token of at most 64 KiB"));
        }
        let mut parts = token.split('.');
        match (parts.next(), parts.next(), parts.next(), parts.next()) {
            (Some(header), Some(payload), Some(signature), None) => Ok(Self { header, payload, signature }),
            _ => Err(Fail::Argument("takes a token of three parts")),
        }
    }

    fn header(&self) -> Result<Value, Fail> {
        let header = object(&decoded_text(self.header)?)?;
        if header.as_object().is_ok_and(|header| header.contains_key(&Value::from("enc"))) {
            return Err(Fail::Argument("takes a signed token, not an encrypted one"));
        }
        Ok(header)
    }

    fn signature(&self) -> Result<Vec<u8>, Fail> {
        decoded(self.signature)
    }

    fn signed(&self) -> String {
        format!("{}.{}", self.header, self.payload)
    }
}

/// What the header says of itself.
#[derive(Default)]
struct Header {
    alg: String,
    kid: String,
    cty: String,
    /// A name is critical that nobody here knows.
    critical: bool,
}

impl Header {
    fn of(value: &Value) -> Result<Self, Fail> {
        let Ok(members) = value.as_object() else { return Err(Fail::Argument("takes an object as header")) };
        let member = |name: &str| match members.get(&Value::from(name)) {
            None => Ok(String::new()),
            Some(Value::String(text)) => Ok(text.to_string()),
            Some(_) => Err(Fail::Argument("takes a header whose alg, kid, typ and cty are text")),
        };
        member("typ")?;
        let critical = match members.get(&Value::from("crit")) {
            None => false,
            Some(Value::Array(names)) if names.iter().any(|name| matches!(name, Value::String(_))) => {
                let known = ["alg", "kid", "typ", "cty", "crit"].map(Value::from);
                names.iter().any(|name| !known.contains(name) && members.contains_key(name))
            }
            Some(_) => return Err(Fail::Argument("takes a header whose crit is a list of names")),
        };
        Ok(Self { alg: member("alg")?, kid: member("kid")?, cty: member("cty")?, critical })
    }
}

/// `io.jwt.decode(token)`: header, payload and signature in hexadecimal, nothing of it verified.
fn decode(args: &[Value]) -> Result<Value, Fail> {
    let [token] = args else { return Err(Fail::Argument("takes one token")) };
    weigh::linear(args)?;
    let mut whole = text(token)?.to_owned();
    for _ in 0..NESTED {
        let token = Token::of(&whole)?;
        let header = token.header()?;
        let payload = decoded_text(token.payload)?;
        match header.as_object().ok().and_then(|header| header.get(&Value::from("cty"))) {
            Some(Value::String(cty)) if cty.as_ref() == "JWT" => {
                payload.trim_matches(['"', '\'']).clone_into(&mut whole);
            }
            None | Some(Value::String(_)) => {
                let signature = super::hash::hex(&token.signature()?);
                return Ok(Value::from(vec![header, object(&payload)?, signature]));
            }
            Some(_) => return Err(Fail::Argument("takes a header whose cty is text")),
        }
    }
    Err(TOO_DEEP)
}

/// `io.jwt.verify_ALG(token, key)`: the key is a certificate or public key in PEM, a JWK or a set of them; for HS…
/// it is the secret itself.
fn verify(algorithm: &str, args: &[Value]) -> Result<Value, Fail> {
    let [token, key] = args else { return Err(Fail::Argument("takes a token and a key")) };
    weigh::linear(args)?;
    let algorithm = Algorithm::named(algorithm).ok_or(Fail::Argument("takes a known algorithm"))?;
    let token = Token::of(text(token)?)?;
    let signature = token.signature()?;
    if algorithm.is_secret() {
        let key = Key::Secret(text(key)?.as_bytes().to_vec());
        return Ok(Value::Bool(key.verify(algorithm, &token.signed(), &signature, Halves::Any)?));
    }
    let keys = keys::read(text(key)?)?;
    let header = Header::of(&token.header()?)?;
    let public = |key: &NamedKey| match &key.key {
        Key::Secret(_) => Ok(false),
        key => key.verify(algorithm, &token.signed(), &signature, Halves::Any),
    };
    Ok(Value::Bool(any(&keys, &header, public)?))
}

/// With the key that the token names; else with any whose algorithm is the token's or is not said.
fn any(
    keys: &[NamedKey],
    header: &Header,
    fits: impl Fn(&NamedKey) -> Result<bool, Fail>,
) -> Result<bool, Fail> {
    if let Some(named) = keys.iter().find(|key| !header.kid.is_empty() && key.kid == header.kid) {
        return fits(named);
    }
    let mut tried = 0;
    for key in keys.iter().filter(|key| key.alg.is_empty() || key.alg == header.alg) {
        tried += 1;
        if tried > TRIED {
            return Err(Fail::Limit("a token that names its key by kid, or at most 16 keys to try"));
        }
        if fits(key)? {
            return Ok(true);
        }
    }
    Ok(false)
}

/// What `io.jwt.decode_verify` is told to hold a token against.
struct Constraints {
    keys: Vec<NamedKey>,
    alg: String,
    iss: String,
    aud: String,
    /// Unix nanoseconds.
    time: f64,
}

impl Constraints {
    fn of(value: &Value) -> Result<Self, Fail> {
        let members = value.as_object().map_err(|_| Fail::Argument("takes an object of constraints"))?;
        let (mut keys, mut secret, mut time) = (None, String::new(), None);
        let (mut alg, mut iss, mut aud) = (String::new(), String::new(), String::new());
        for (name, value) in members.iter_sorted() {
            match text(name)? {
                "cert" => keys = Some(keys::read(text(value)?)?),
                "secret" => text(value)?.clone_into(&mut secret),
                "alg" => text(value)?.clone_into(&mut alg),
                "iss" => text(value)?.clone_into(&mut iss),
                "aud" => text(value)?.clone_into(&mut aud),
                "time" => time = Some(number(value).filter(|time| *time >= 0.0).ok_or(WANT_TIME)?),
                _ => {
                    return Err(Fail::Argument("takes the constraints cert, secret, alg, iss, aud and time"));
                }
            }
        }
        let keys = match (keys, secret.is_empty()) {
            (Some(keys), true) => keys,
            (None, false) => {
                let key = Key::Secret(secret.into_bytes());
                vec![NamedKey { alg: String::new(), kid: String::new(), key }]
            }
            (None, true) => return Err(Fail::Argument("takes a cert or a secret")),
            (Some(_), false) => return Err(Fail::Argument("takes a cert or a secret, not both")),
        };
        let time = match time {
            Some(time) => time,
            None => number(&time_now::now()?).ok_or(WANT_TIME)?,
        };
        Ok(Self { keys, alg, iss, aud, time })
    }

    /// Whether the claims are for us, from whom we want, and of this time.
    fn hold(&self, payload: &Object) -> Result<bool, Fail> {
        let claim = |name: &str| payload.get(&Value::from(name));
        if !self.iss.is_empty() && claim("iss") != Some(&Value::from(self.iss.as_str())) {
            return Ok(false);
        }
        let aud = Value::from(self.aud.as_str());
        let ours = match claim("aud") {
            None => self.aud.is_empty(),
            Some(Value::Array(many)) => many.iter().any(|one| *one == aud),
            Some(one) => *one == aud,
        };
        let seconds = self.time / 1e9;
        let when = |name: &str| claim(name).map(|value| number(value).ok_or(WANT_TIME)).transpose();
        let (exp, nbf) = (when("exp")?, when("nbf")?);
        Ok(ours && exp.is_none_or(|exp| seconds < exp) && nbf.is_none_or(|nbf| seconds >= nbf))
    }
}

const WANT_TIME: Fail = Fail::Argument("takes times as numbers, not negative ones");

/// `io.jwt.decode_verify(token, constraints)`: `[true, header, payload]` when the signature and all constraints hold.
fn decode_verify(args: &[Value]) -> Result<Value, Fail> {
    let [token, constraints] = args else { return Err(Fail::Argument("takes a token and constraints")) };
    weigh::deep(args)?;
    let constraints = Constraints::of(constraints)?;
    let unverified =
        || Value::from(vec![Value::Bool(false), Object::new().into_value(), Object::new().into_value()]);
    let mut whole = text(token)?.to_owned();
    for _ in 0..NESTED {
        let token = Token::of(&whole)?;
        let value = token.header()?;
        let header = Header::of(&value)?;
        let wanted = constraints.alg.is_empty() || constraints.alg == header.alg;
        if header.alg.is_empty() || header.critical || !wanted {
            return Ok(unverified());
        }
        let signature = token.signature()?;
        let Some(algorithm) = Algorithm::named(&header.alg) else { return Ok(unverified()) };
        let fits =
            |key: &NamedKey| key.key.verify(algorithm, &token.signed(), &signature, Halves::OfTheCurve);
        if !any(&constraints.keys, &header, fits)? {
            return Ok(unverified());
        }
        let payload = decoded_text(token.payload)?;
        if header.cty.eq_ignore_ascii_case("JWT") {
            whole = payload;
            continue;
        }
        let payload = object(&payload)?;
        let held = constraints.hold(payload.as_object().map_err(|_| WANT_OBJECT)?)?;
        return Ok(if held { Value::from(vec![Value::Bool(true), value, payload]) } else { unverified() });
    }
    Err(TOO_DEEP)
}

const WANT_OBJECT: Fail = Fail::Argument("takes a token of JSON objects");

fn object(json: &str) -> Result<Value, Fail> {
    if !keeps_numbers(json.as_bytes()) {
        return Err(Fail::Argument(LONGER));
    }
    let value = Value::from_json_str(json).map(in_full).map_err(|_| WANT_OBJECT)?;
    if matches!(value, Value::Object(_)) { Ok(value) } else { Err(WANT_OBJECT) }
}

fn decoded(part: &str) -> Result<Vec<u8>, Fail> {
    URL.decode(part).map_err(|_| Fail::Argument("takes parts in base64url"))
}

fn decoded_text(part: &str) -> Result<String, Fail> {
    String::from_utf8(decoded(part)?).map_err(|_| Fail::Argument("takes parts of UTF-8"))
}

fn number(value: &Value) -> Option<f64> {
    let number = value.as_number().ok()?;
    // The engine converts only what fits exactly; nanoseconds do not.
    number.as_f64().or_else(|| number.format_decimal().parse().ok())
}
