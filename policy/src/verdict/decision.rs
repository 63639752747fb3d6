//! The decision object, member by member.

use std::time::Duration;

use regorus::Value;
use regorus::value::Object;

use crate::headers::may_be_changed;

use super::{Allowance, Cause, DenyResponse, Fault, Refusal, Verdict};

/// Largest `rule`, `credential` or header name, in bytes.
const MAX_NAME: usize = 256;
/// Largest `reason` or header value, in bytes.
const MAX_TEXT: usize = 4 * 1024;
/// Largest `deny.body`, in bytes.
const MAX_BODY: usize = 64 * 1024;
/// Most headers a decision names in one place, and most values of one header.
const MAX_HEADERS: usize = 64;
/// The end of the year 9999, in Unix seconds.
const MAX_UNTIL: u64 = 253_402_300_799;
/// Most values in `record`, and its deepest nesting.
const MAX_RECORD: (usize, u8) = (256, 8);

/// Reads what the entrypoint gave. Total: whatever is not a decision is a refusal that says why.
pub(crate) fn read(value: &Value) -> Verdict {
    match value {
        Value::Bool(true) => Verdict::Allow(Allowance::default()),
        Value::Bool(false) => Verdict::Deny(Refusal::because(Cause::Policy)),
        Value::Undefined => Verdict::Deny(Refusal::because(Cause::Undefined)),
        Value::Object(object) => {
            read_object(object).unwrap_or_else(|bad| Verdict::Deny(Refusal::because(bad)))
        }
        _ => Verdict::Deny(Refusal::because(bad("decision", Fault::WrongType("true, false or an object")))),
    }
}

fn read_object(object: &Object) -> Result<Verdict, Cause> {
    let mut allow = None;
    let mut yes = Allowance::default();
    let mut deny = None;
    for (name, value) in object.iter_sorted() {
        let name = member_name(name, "decision")?;
        match name {
            "allow" => allow = Some(*value.as_bool().map_err(|_| wrong("allow", "true or false"))?),
            "credential" => yes.credential = Some(text(value, name, MAX_NAME)?),
            "max_age" => yes.max_age = Some(Duration::from_secs(whole(value, name)?)),
            "until" => yes.until = Some(until(value)?),
            "rule" => yes.rule = Some(text(value, name, MAX_NAME)?),
            "reason" => yes.reason = Some(text(value, name, MAX_TEXT)?),
            "headers" => header_changes(value, &mut yes)?,
            "record" => yes.record = record(value)?,
            "deny" => deny = Some(deny_response(value)?),
            _ => return Err(bad(name, Fault::Unknown)),
        }
    }
    match (allow, deny) {
        (None, _) => Err(bad("allow", Fault::Missing)),
        (Some(true), Some(_)) => Err(bad("deny", Fault::Contradiction)),
        (Some(true), None) => Ok(Verdict::Allow(yes)),
        (Some(false), deny) => Ok(Verdict::Deny(Refusal {
            cause: Cause::Policy,
            rule: yes.rule,
            reason: yes.reason,
            deny,
            record: yes.record,
            us: 0,
        })),
    }
}

/// A time in nanoseconds would be one that never comes.
fn until(value: &Value) -> Result<u64, Cause> {
    let seconds = whole(value, "until")?;
    let comes = seconds <= MAX_UNTIL;
    comes
        .then_some(seconds)
        .ok_or_else(|| bad("until", Fault::OutOfBounds("a time before the year 10000, in seconds")))
}

const NOT_THE_POLICYS: Fault = Fault::OutOfBounds(
    "a header that does not say where a message goes, how long it is or who sent it: that is not the policy's to change",
);

/// Sets `headers.set` and `headers.remove` of an allowance.
fn header_changes(value: &Value, yes: &mut Allowance) -> Result<(), Cause> {
    for (name, value) in members(value, "headers")?.iter_sorted() {
        match member_name(name, "headers")? {
            "set" => yes.set = headers(value, "headers.set")?,
            "remove" => yes.remove = header_names(value, "headers.remove")?,
            other => return Err(bad(&format!("headers.{other}"), Fault::Unknown)),
        }
    }
    let set = yes.set.iter().map(|(name, _)| ("set", name));
    let mut named = set.chain(yes.remove.iter().map(|name| ("remove", name)));
    match named.find(|(_, name)| !may_be_changed(name)) {
        Some((verb, name)) => Err(bad(&format!("headers.{verb}.{name}"), NOT_THE_POLICYS)),
        None => Ok(()),
    }
}

fn deny_response(value: &Value) -> Result<DenyResponse, Cause> {
    let mut response = DenyResponse { status: None, headers: Vec::new(), body: None };
    for (name, value) in members(value, "deny")?.iter_sorted() {
        match member_name(name, "deny")? {
            "status" => response.status = Some(status(value)?),
            "headers" => response.headers = headers(value, "deny.headers")?,
            "body" => response.body = Some(text(value, "deny.body", MAX_BODY)?),
            other => return Err(bad(&format!("deny.{other}"), Fault::Unknown)),
        }
    }
    Ok(response)
}

fn status(value: &Value) -> Result<u16, Cause> {
    let status = whole(value, "deny.status")?;
    match u16::try_from(status) {
        Ok(status @ 400..=599) => Ok(status),
        _ => Err(bad("deny.status", Fault::OutOfBounds("400 to 599"))),
    }
}

fn headers(value: &Value, at: &str) -> Result<Vec<(String, Vec<String>)>, Cause> {
    let object = members(value, at)?;
    if object.len() > MAX_HEADERS {
        return Err(bad(at, Fault::OutOfBounds("at most 64 headers")));
    }
    let mut headers: Vec<(String, Vec<String>)> = Vec::with_capacity(object.len());
    for (name, values) in object.iter_sorted() {
        let name = header_name(name, at)?;
        let at = format!("{at}.{name}");
        if headers.iter().any(|(seen, _)| *seen == name) {
            return Err(bad(&at, Fault::OutOfBounds("named once, whatever its case")));
        }
        let values = values.as_array().map_err(|_| wrong(&at, "a list of strings"))?;
        if values.len() > MAX_HEADERS {
            return Err(bad(&at, Fault::OutOfBounds("at most 64 values")));
        }
        let values: Result<_, _> = values.iter().map(|value| header_value(value, &at)).collect();
        headers.push((name, values?));
    }
    Ok(headers)
}

fn header_names(value: &Value, at: &str) -> Result<Vec<String>, Cause> {
    let names = value.as_array().map_err(|_| wrong(at, "a list of strings"))?;
    if names.len() > MAX_HEADERS {
        return Err(bad(at, Fault::OutOfBounds("at most 64 headers")));
    }
    names.iter().map(|name| header_name(name, at)).collect()
}

/// RFC 9110, 5.1: a token. Lower case, as HTTP/2 wants it and as the input shows it.
fn header_name(value: &Value, at: &str) -> Result<String, Cause> {
    let name = text(value, at, MAX_NAME)?;
    let token = |byte: u8| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte);
    if name.is_empty() || !name.bytes().all(token) {
        return Err(bad(at, Fault::OutOfBounds("header names of letters, digits and !#$%&'*+-.^_`|~")));
    }
    Ok(name.to_ascii_lowercase())
}

/// RFC 9110, 5.5: visible characters, spaces and tabs inside. A line break would end the header.
fn header_value(value: &Value, at: &str) -> Result<String, Cause> {
    let value = text(value, at, MAX_TEXT)?;
    let visible = value.chars().all(|c| c == '\t' || c == ' ' || c.is_ascii_graphic());
    if !visible || value.trim() != value {
        return Err(bad(at, Fault::OutOfBounds("visible ASCII without blanks at either end")));
    }
    Ok(value)
}

fn record(value: &Value) -> Result<serde_json::Map<String, serde_json::Value>, Cause> {
    members(value, "record")?;
    let mut left = MAX_RECORD.0;
    match json(value, MAX_RECORD.1, &mut left)? {
        serde_json::Value::Object(record) => Ok(record),
        _ => Err(wrong("record", "an object")),
    }
}

/// Converts by hand, so that shared parts of a value cannot multiply into a large record.
fn json(value: &Value, depth: u8, left: &mut usize) -> Result<serde_json::Value, Cause> {
    let too_large = || bad("record", Fault::OutOfBounds("at most 256 values, 8 deep, texts of 4096 bytes"));
    *left = left.checked_sub(1).ok_or_else(too_large)?;
    let depth = depth.checked_sub(1).ok_or_else(too_large)?;
    Ok(match value {
        Value::Null => serde_json::Value::Null,
        Value::Bool(value) => (*value).into(),
        Value::String(_) => text(value, "record", MAX_TEXT)?.into(),
        Value::Number(number) => match (number.as_u64(), number.as_i64()) {
            (Some(whole), _) => whole.into(),
            (None, Some(whole)) => whole.into(),
            // Beyond 64 bits what stands in a record is the nearest double.
            (None, None) => number
                .as_f64()
                .or_else(|| number.format_decimal().parse().ok().filter(|nearest: &f64| nearest.is_finite()))
                .ok_or_else(|| wrong("record", "numbers of 64 bits"))?
                .into(),
        },
        Value::Array(items) => serde_json::Value::Array(
            items.iter().map(|item| json(item, depth, left)).collect::<Result<_, _>>()?,
        ),
        Value::Set(items) => serde_json::Value::Array(
            items.iter_sorted().map(|item| json(item, depth, left)).collect::<Result<_, _>>()?,
        ),
        Value::Object(members) => {
            let members = members
                .iter_sorted()
                .map(|(name, item)| Ok((text(name, "record", MAX_NAME)?, json(item, depth, left)?)));
            serde_json::Value::Object(members.collect::<Result<_, Cause>>()?)
        }
        Value::Undefined => return Err(wrong("record", "defined")),
    })
}

fn text(value: &Value, at: &str, most: usize) -> Result<String, Cause> {
    let text = value.as_string().map_err(|_| wrong(at, "text"))?;
    if text.len() > most {
        return Err(bad(at, Fault::OutOfBounds("shorter")));
    }
    Ok(text.to_string())
}

/// A whole number of seconds, or a status.
fn whole(value: &Value, at: &str) -> Result<u64, Cause> {
    let Value::Number(number) = value else { return Err(wrong(at, "a whole number that is not negative")) };
    number.as_u64().ok_or_else(|| wrong(at, "a whole number that is not negative"))
}

fn members<'a>(value: &'a Value, at: &str) -> Result<&'a Object, Cause> {
    value.as_object().map_err(|_| wrong(at, "an object"))
}

fn member_name<'a>(name: &'a Value, at: &str) -> Result<&'a str, Cause> {
    name.as_string().map(AsRef::as_ref).map_err(|_| wrong(at, "an object whose member names are text"))
}

fn wrong(member: &str, want: &'static str) -> Cause {
    bad(member, Fault::WrongType(want))
}

fn bad(member: &str, fault: Fault) -> Cause {
    // The name comes from the policy's data and goes into the record.
    let member = member.chars().take(MAX_NAME).collect();
    Cause::BadDecision { member, fault }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn verdict(json: &str) -> Verdict {
        read(&Value::from_json_str(json).unwrap())
    }

    #[track_caller]
    fn assert_bad(json: &str, at: &str, fault: Fault) {
        let Verdict::Deny(refusal) = verdict(json) else { panic!("{json} allowed") };
        assert_eq!(refusal.cause, Cause::BadDecision { member: at.to_owned(), fault }, "{json}");
    }

    #[test]
    fn true_false_and_undefined_are_read_as_such() {
        assert_eq!(verdict("true"), Verdict::Allow(Allowance::default()));
        assert_eq!(verdict("false"), Verdict::Deny(Refusal::because(Cause::Policy)));
        assert_eq!(read(&Value::Undefined), Verdict::Deny(Refusal::because(Cause::Undefined)));
    }

    #[test]
    fn a_time_in_nanoseconds_is_no_end_of_access() {
        let never = Fault::OutOfBounds("a time before the year 10000, in seconds");
        assert_bad(r#"{"allow": true, "until": 253402300800}"#, "until", never);
        assert_bad(r#"{"allow": true, "until": 1795301000000000000}"#, "until", never);
        let Verdict::Allow(yes) = verdict(r#"{"allow": true, "until": 253402300799}"#) else {
            panic!("denied")
        };
        assert_eq!(yes.until, Some(253_402_300_799));
    }

    #[test]
    fn every_member_of_an_allowance_is_carried() {
        let all = r#"{"allow": true, "credential": "ledger-post", "max_age": 3600, "until": 1795301000,
            "rule": "posting_clerks", "reason": "may post",
            "headers": {"set": {"X-Branch": ["042", "043"]}, "remove": ["x-debug"]}, "record": {"change": "CHG-7"}}"#;

        let Verdict::Allow(yes) = verdict(all) else { panic!("denied") };
        assert_eq!(yes.credential.as_deref(), Some("ledger-post"));
        assert_eq!(yes.max_age, Some(Duration::from_hours(1)));
        assert_eq!(yes.until, Some(1_795_301_000));
        assert_eq!((yes.rule.as_deref(), yes.reason.as_deref()), (Some("posting_clerks"), Some("may post")));
        assert_eq!(yes.set, [("x-branch".to_owned(), vec!["042".to_owned(), "043".to_owned()])]);
        assert_eq!(yes.remove, ["x-debug"]);
        assert_eq!(serde_json::Value::from(yes.record), serde_json::json!({"change": "CHG-7"}));
    }

    #[test]
    fn a_denial_carries_its_response() {
        let no = r#"{"allow": false, "rule": "closed", "reason": "closes at 18:00",
            "deny": {"status": 429, "headers": {"Retry-After": ["60"]}, "body": "closed until 06:00"}}"#;

        let Verdict::Deny(refusal) = verdict(no) else { panic!("allowed") };
        let deny = refusal.deny.unwrap();
        assert_eq!(refusal.cause, Cause::Policy);
        assert_eq!(deny.status, Some(429));
        assert_eq!(deny.headers, [("retry-after".to_owned(), vec!["60".to_owned()])]);
        assert_eq!(deny.body.as_deref(), Some("closed until 06:00"));
    }

    #[test]
    fn a_member_nobody_knows_denies_and_is_named() {
        assert_bad(r#"{"allow": true, "credentail": "x"}"#, "credentail", Fault::Unknown);
        assert_bad(r#"{"allow": true, "headers": {"add": {}}}"#, "headers.add", Fault::Unknown);
        assert_bad(r#"{"allow": false, "deny": {"code": 403}}"#, "deny.code", Fault::Unknown);
    }

    #[test]
    fn a_member_nobody_knows_is_told_with_those_there_are() {
        for (json, said) in [
            (
                r#"{"allow": true, "resaon": "x"}"#,
                "`resaon` is not known: a decision has allow, rule, reason, ",
            ),
            (
                r#"{"allow": true, "headers": {"add": {}}}"#,
                "`headers.add` is not known: headers has set, remove",
            ),
            (
                r#"{"allow": false, "deny": {"code": 1}}"#,
                "`deny.code` is not known: deny has status, headers, body",
            ),
            (r#"{"allow": true, "a.b": 1}"#, "`a.b` is not known: a decision has allow, "),
            (r#"{"allow": 1}"#, "`allow` must be true or false"),
        ] {
            let Verdict::Deny(refusal) = verdict(json) else { panic!("{json} allowed") };
            let told = refusal.cause.to_string();
            assert!(told.contains(said), "{told}");
            assert_eq!(told.ends_with(said), !said.ends_with(", "), "{told}");
        }
    }

    #[test]
    fn a_wrong_type_denies_whatever_allow_says() {
        let number = Fault::WrongType("a whole number that is not negative");
        assert_bad("1", "decision", Fault::WrongType("true, false or an object"));
        assert_bad(r#""true""#, "decision", Fault::WrongType("true, false or an object"));
        assert_bad("[]", "decision", Fault::WrongType("true, false or an object"));
        assert_bad("{}", "allow", Fault::Missing);
        assert_bad(r#"{"allow": "yes"}"#, "allow", Fault::WrongType("true or false"));
        assert_bad(r#"{"allow": null}"#, "allow", Fault::WrongType("true or false"));
        assert_bad(r#"{"allow": true, "credential": null}"#, "credential", Fault::WrongType("text"));
        assert_bad(r#"{"allow": true, "max_age": "1h"}"#, "max_age", number);
        assert_bad(r#"{"allow": true, "max_age": -1}"#, "max_age", number);
        assert_bad(r#"{"allow": true, "until": 1.5}"#, "until", number);
        assert_bad(r#"{"allow": true, "until": 99999999999999999999}"#, "until", number);
        assert_bad(r#"{"allow": true, "record": []}"#, "record", Fault::WrongType("an object"));
        assert_bad(r#"{"allow": true, "headers": []}"#, "headers", Fault::WrongType("an object"));
    }

    #[test]
    fn header_values_are_lists_only() {
        let json = r#"{"allow": true, "headers": {"set": {"x-a": "1"}}}"#;
        assert_bad(json, "headers.set.x-a", Fault::WrongType("a list of strings"));
    }

    #[test]
    fn headers_cannot_break_the_line_or_repeat_in_another_case() {
        let value = Fault::OutOfBounds("visible ASCII without blanks at either end");
        let name = Fault::OutOfBounds("header names of letters, digits and !#$%&'*+-.^_`|~");
        let once = Fault::OutOfBounds("named once, whatever its case");
        assert_bad(
            r#"{"allow": true, "headers": {"set": {"x-a": ["1\r\nx: y"]}}}"#,
            "headers.set.x-a",
            value,
        );
        assert_bad(r#"{"allow": true, "headers": {"set": {"x-a": [" 1"]}}}"#, "headers.set.x-a", value);
        assert_bad(r#"{"allow": true, "headers": {"set": {"x a": ["1"]}}}"#, "headers.set", name);
        assert_bad(r#"{"allow": true, "headers": {"remove": [""]}}"#, "headers.remove", name);
        assert_bad(r#"{"allow": true, "headers": {"set": {"X-a": [], "x-a": []}}}"#, "headers.set.x-a", once);
    }

    #[test]
    fn a_status_outside_the_refusals_denies_by_its_own_cause() {
        for status in ["200", "399", "600", "70000"] {
            let json = format!(r#"{{"allow": false, "deny": {{"status": {status}}}}}"#);
            assert_bad(&json, "deny.status", Fault::OutOfBounds("400 to 599"));
        }
        for status in ["400", "599"] {
            let json = format!(r#"{{"allow": false, "deny": {{"status": {status}}}}}"#);
            assert!(matches!(verdict(&json), Verdict::Deny(Refusal { cause: Cause::Policy, .. })));
        }
    }

    #[test]
    fn an_allowance_with_a_deny_response_contradicts_itself() {
        assert_bad(r#"{"allow": true, "deny": {"status": 403}}"#, "deny", Fault::Contradiction);
    }

    #[test]
    fn a_record_whose_shared_parts_multiply_is_refused() {
        let mut value = Value::from("x");
        for _ in 0..7 {
            value = Value::from(vec![value.clone(); 8]);
        }
        let mut decision = Object::new();
        let mut record = Object::new();
        record.insert(Value::from("laughs"), value);
        decision.insert(Value::from("allow"), Value::Bool(true));
        decision.insert(Value::from("record"), record.into_value());

        let Verdict::Deny(refusal) = read(&decision.into_value()) else { panic!("allowed") };
        assert!(matches!(refusal.cause, Cause::BadDecision { member, .. } if member == "record"));
    }
}
