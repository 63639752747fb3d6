//! `providers.aws.sign_req(request, config, time_ns)`: a request with the headers of AWS Signature Version 4.
//!
//! What is signed is what OPA signs, which is what the request says: nothing of it is put in order or escaped anew. What
//! could be read in two ways is an error. No error says anything of the arguments, since one of them is a secret.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use aws_lc_rs::{digest, hmac};
use regorus::Value;
use regorus::value::Object;

use super::json::as_go_writes;
use super::row::{Builtin, By};
use super::signatures::{NUMBER, OBJECT};
use super::{Fail, engines, hash, text, weigh};

pub(super) const ROWS: &[Builtin] =
    &[Builtin::new("providers.aws.sign_req", &[OBJECT, OBJECT, NUMBER], OBJECT, By::Added(sign_req))];

const WANT_REQUEST: Fail = Fail::Argument(
    "takes a request of `method`, `url` and, where it has them, `headers`, `body` and `raw_body`, all text without \
     control characters but the bodies",
);
const WANT_CONFIG: Fail = Fail::Argument(
    "takes a config of `aws_access_key`, `aws_secret_access_key`, `aws_region`, `aws_service` and, where it has them, \
     `aws_session_token` and `disable_payload_signing`",
);
const WANT_URL: Fail = Fail::Argument(
    "takes a URL of http or https with a host, and a path and a query in which everything unusual is escaped",
);
/// What a request may have.
const MEMBERS: [&str; 5] = ["method", "url", "headers", "body", "raw_body"];
/// Headers that are not signed, since proxies change them.
const UNSIGNED: [&str; 3] = ["authorization", "user-agent", "x-amzn-trace-id"];
/// Services that want the digest of the body as a header.
const DIGESTED: [&str; 2] = ["s3", "glacier"];

/// The request with its headers signed.
pub(super) fn sign_req(args: &[Value]) -> Result<Value, Fail> {
    let [request, config, time] = args else {
        return Err(Fail::Argument("takes a request, a config and a time"));
    };
    weigh::deep(args)?;
    let request = request.as_object().map_err(|_| WANT_REQUEST)?;
    let config = Config::of(config)?;
    let known = |name: &Value| text(name).is_ok_and(|name| MEMBERS.contains(&name));
    if !request.keys().all(known) {
        return Err(WANT_REQUEST);
    }
    let method = line(request, "method")?.ok_or(WANT_REQUEST)?;
    let (host, path, query) = parts(line(request, "url")?.ok_or(WANT_REQUEST)?)?;
    let headers = headers(request)?;
    let digest = if config.unsigned {
        "UNSIGNED-PAYLOAD".to_owned()
    } else {
        hash::digits(sha256(&body(request)?).as_ref())
    };
    let (date, moment) = written(time)?;

    let mut added = BTreeMap::from([("host", host), ("x-amz-date", &moment)]);
    if DIGESTED.contains(&config.service) {
        added.insert("x-amz-content-sha256", &digest);
    }
    if let Some(token) = config.token.filter(|token| !token.is_empty()) {
        added.insert("x-amz-security-token", token);
    }
    // What the request says of a header is signed, even where another value takes its place.
    let mut signed: BTreeMap<String, &str> =
        added.iter().map(|(name, value)| ((*name).to_owned(), *value)).collect();
    let mut seen = std::collections::BTreeSet::new();
    for (name, value) in &headers {
        let name = name.to_lowercase();
        if !seen.insert(name.clone()) {
            return Err(Fail::Argument("takes each header once, whatever its case"));
        }
        if !UNSIGNED.contains(&name.as_str()) {
            signed.insert(name, value);
        }
    }
    let names = signed.keys().map(String::as_str).collect::<Vec<_>>().join(";");
    let mut canonical = format!("{method}\n{path}\n{query}\n");
    for (name, value) in &signed {
        let _written = writeln!(canonical, "{name}:{value}");
    }
    let _written = write!(canonical, "\n{names}\n{digest}");

    let Config { region, service, access, .. } = config;
    let scope = format!("{date}/{region}/{service}/aws4_request");
    let to_sign = format!(
        "AWS4-HMAC-SHA256\n{moment}\n{scope}\n{}",
        hash::digits(sha256(canonical.as_bytes()).as_ref())
    );
    let signature = hash::digits(config.sign(&date, &to_sign).as_ref());
    let authorization =
        format!("AWS4-HMAC-SHA256 Credential={access}/{scope},SignedHeaders={names},Signature={signature}");

    let mut all = Object::new();
    for (name, value) in headers.into_iter().chain([("Authorization", authorization.as_str())]).chain(added) {
        all.insert(Value::from(name), Value::from(value));
    }
    weigh::pay(canonical.len())?;
    let mut out = request.clone();
    out.insert(Value::from("headers"), all.into_value());
    Ok(out.into_value())
}

/// By whom and for what is signed.
struct Config<'a> {
    access: &'a str,
    secret: &'a str,
    region: &'a str,
    service: &'a str,
    token: Option<&'a str>,
    /// Whether the body is left out of the signature.
    unsigned: bool,
}

impl<'a> Config<'a> {
    fn of(config: &'a Value) -> Result<Self, Fail> {
        let config = config.as_object().map_err(|_| WANT_CONFIG)?;
        let of = |name| line(config, name).map_err(|_| WANT_CONFIG);
        let must = |name| of(name)?.ok_or(WANT_CONFIG);
        let unsigned = match config.get(&Value::from("disable_payload_signing")) {
            None => false,
            Some(unsigned) => *unsigned.as_bool().map_err(|_| WANT_CONFIG)?,
        };
        Ok(Self {
            access: must("aws_access_key")?,
            secret: must("aws_secret_access_key")?,
            region: must("aws_region")?,
            service: must("aws_service")?,
            token: of("aws_session_token")?,
            unsigned,
        })
    }

    /// By a key that is good for this day, region and service alone.
    fn sign(&self, date: &str, to_sign: &str) -> hmac::Tag {
        let mac =
            |key: &[u8], text: &str| hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, key), text.as_bytes());
        let secret = zeroize::Zeroizing::new(format!("AWS4{}", self.secret));
        let first = mac(secret.as_bytes(), date);
        [self.region, self.service, "aws4_request", to_sign]
            .iter()
            .fold(first, |key, text| mac(key.as_ref(), text))
    }
}

/// Text of one line; none where there is no such member.
fn line<'a>(object: &'a Object, name: &str) -> Result<Option<&'a str>, Fail> {
    object.get(&Value::from(name)).map(clean).transpose()
}

fn clean(value: &Value) -> Result<&str, Fail> {
    text(value).ok().filter(|text| !text.contains(char::is_control)).ok_or(WANT_REQUEST)
}

fn headers(request: &Object) -> Result<Vec<(&str, &str)>, Fail> {
    let Some(headers) = request.get(&Value::from("headers")) else { return Ok(Vec::new()) };
    let headers = headers.as_object().map_err(|_| WANT_REQUEST)?;
    let name = |name| clean(name).ok().filter(|name| name.is_ascii()).ok_or(WANT_REQUEST);
    headers.iter().map(|(key, value)| Ok((name(key)?, clean(value)?))).collect()
}

/// The text as it is, or the value as JSON.
fn body(request: &Object) -> Result<Vec<u8>, Fail> {
    let of = |name: &str| request.get(&Value::from(name));
    match (of("raw_body"), of("body")) {
        (Some(raw), _) => text(raw).map(|raw| raw.as_bytes().to_vec()).map_err(|_| WANT_REQUEST),
        (None, Some(body)) if whole(body) => as_go_writes(body).map(String::into_bytes),
        (None, Some(_)) => {
            Err(Fail::Argument("takes a body whose numbers are whole; else one as text, as `raw_body`"))
        }
        (None, None) => Ok(Vec::new()),
    }
}

/// Whether every number is written in one way alone.
fn whole(value: &Value) -> bool {
    match value {
        Value::Number(number) => number.as_i64().is_some(),
        Value::Array(items) => items.iter().all(whole),
        Value::Set(items) => items.iter().all(whole),
        Value::Object(members) => members.iter().all(|(name, value)| text(name).is_ok() && whole(value)),
        _ => true,
    }
}

/// Host, path and query of a URL, as they are written.
fn parts(url: &str) -> Result<(&str, &str, &str), Fail> {
    let rest = url.strip_prefix("https://").or_else(|| url.strip_prefix("http://")).ok_or(WANT_URL)?;
    let (rest, query) = rest.split_once('?').unwrap_or((rest, ""));
    let (host, path) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
    let (name, port) = host.split_once(':').unwrap_or((host, "443"));
    let right = !name.is_empty()
        && name.bytes().all(|c| c.is_ascii_alphanumeric() || b"-._".contains(&c))
        && !port.is_empty()
        && port.bytes().all(|c| c.is_ascii_digit())
        && path.bytes().all(|c| c.is_ascii_alphanumeric() || b"/-_.~!$&'()*+,;=:@%".contains(&c))
        && path.split('%').skip(1).all(escaped)
        && query.bytes().all(|c| c.is_ascii_graphic() && c != b'#');
    if right { Ok((host, path, query)) } else { Err(WANT_URL) }
}

fn escaped(after: &str) -> bool {
    after.bytes().take(2).filter(u8::is_ascii_hexdigit).count() == 2
}

/// The day and the second of a time in nanoseconds, as `20151228` and `20151228T140825Z`.
fn written(time: &Value) -> Result<(String, String), Fail> {
    const WANT: Fail = Fail::Argument("takes a time in nanoseconds, after 1970");
    if !matches!(time, Value::Number(number) if number.as_i64().is_some_and(|time| time >= 0)) {
        return Err(WANT);
    }
    let numbers = |name: &str| -> Option<Vec<u64>> {
        let parts = engines(name, std::slice::from_ref(time))?;
        parts.as_array().ok()?.iter().map(|part| part.as_u64().ok()).collect()
    };
    let (date, clock) = (numbers("time.date").ok_or(WANT)?, numbers("time.clock").ok_or(WANT)?);
    let ([year, month, day], [hour, minute, second]) = (date.as_slice(), clock.as_slice()) else {
        return Err(WANT);
    };
    let date = format!("{year:04}{month:02}{day:02}");
    let moment = format!("{date}T{hour:02}{minute:02}{second:02}Z");
    Ok((date, moment))
}

fn sha256(bytes: &[u8]) -> digest::Digest {
    digest::digest(&digest::SHA256, bytes)
}
