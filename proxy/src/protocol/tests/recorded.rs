//! What a record keeps of the input: of refusals, what the policy reads, and nothing that may be a secret.

use super::site::{Bench, PASSWORD, Plan, on_a_worker};
use crate::record::Entry;

const REQUEST: &[u8] = b"POST /a?token=canary-query&canary-bare HTTP/1.1\r\nHost: h\r\n\
    Authorization: Basic canary-token\r\nCookie: sid=canary-cookie\r\nX-Key: canary-header\r\n\
    Content-Type: application/json\r\nContent-Length: 22\r\n\r\n{\"pin\": \"canary-body\"}";

/// What was kept, as the record's line has it.
async fn kept(bench: &Bench) -> serde_json::Value {
    let record = Entry::Request(Box::new(bench.record().await));
    let line = serde_json::to_string(&record).unwrap();
    for canary in ["canary", PASSWORD, "\n"] {
        assert!(!line.contains(canary), "{canary:?} in {line}");
    }
    let record: serde_json::Value = serde_json::from_str(&line).unwrap();
    record["decision"]["input"].clone()
}

fn plan(decision: &'static str, records: &'static str) -> Plan {
    let routes = "all: { path: /, upstream: app, credentials: [app], body: { inspect: 1KiB } }";
    Plan { decision, routes, records, ..Plan::default() }
}

/// Denies, having looked at everything.
const NOSY: &str = r#"{"allow": false, "rule": "nosy"} if count(input) > 0"#;

#[test]
fn a_refusal_keeps_its_input_without_tokens_cookies_and_what_callers_write() {
    on_a_worker(async {
        let bench = plan(NOSY, "{}").start().await;
        assert!(bench.raw(REQUEST).await.starts_with("HTTP/1.1 403 "));

        let kept = kept(&bench).await;

        let document = &kept["document"];
        assert_eq!(document["request"]["method"], "POST");
        assert_eq!(document["route"], "all");
        assert_eq!(document["request"]["body"]["value"]["pin"], "(masked)");
        assert_eq!(document["request"]["headers"]["x-key"][0], "(masked)");
        for absent in ["authorization", "cookie"] {
            assert!(document["request"]["headers"].get(absent).is_none(), "{absent}");
        }
        let masked = kept["masked"].to_string();
        assert!(
            masked.contains("request.headers.x-key") && masked.contains("request.query.token"),
            "{masked}"
        );
    });
}

#[test]
fn what_is_named_is_shown_and_what_is_too_much_is_cut() {
    on_a_worker(async {
        let records = "{ input: { show: [request.headers.x-tenant], most: 1KiB } }";
        let bench = plan(NOSY, records).start().await;
        let long = "a".repeat(3_000);
        let request = format!(
            "GET /a HTTP/1.1\r\nHost: h\r\nX-Tenant: blue\r\nX-Zed: {long}\r\nX-Tenant: {long}\r\n\r\n"
        );
        assert!(bench.raw(request.as_bytes()).await.starts_with("HTTP/1.1 403 "));

        let kept = kept(&bench).await;

        assert_eq!(kept["document"]["request"]["headers"]["x-tenant"][0], "blue");
        assert!(kept["shortened"].to_string().contains("x-tenant"), "{}", kept["shortened"]);
        assert!(kept.to_string().len() < 2_000, "{kept}");
    });
}

#[test]
fn what_is_allowed_keeps_none_unless_all_do_and_none_keeps_none() {
    on_a_worker(async {
        let yes = r#"{"allow": true} if count(input) > 0"#;
        for (decision, records, keeps) in [
            (yes, "{}", false),
            (yes, "{ input: { of: all } }", true),
            (NOSY, "{ input: { of: none } }", false),
            (NOSY, "{ input: { of: refusals } }", true),
        ] {
            let bench = plan(decision, records).start().await;
            bench.raw(REQUEST).await;
            assert_eq!(kept(&bench).await.is_object(), keeps, "{decision} {records}");
        }
    });
}
