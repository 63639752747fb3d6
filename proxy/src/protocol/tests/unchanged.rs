//! Nothing reaches the upstream that policy did not see, and what it saw arrives unchanged.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::site::{Plan, on_a_worker};

/// Draws reproducibly: a linear congruential generator (Knuth's constants).
struct Draw(u64);

impl Draw {
    fn number(&mut self, below: usize) -> usize {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        usize::try_from(self.0 >> 33).unwrap() % below
    }

    fn one<'t>(&mut self, of: &[&'t str]) -> &'t str {
        of[self.number(of.len())]
    }
}

fn request(draw: &mut Draw) -> String {
    const SEGMENTS: &[&str] =
        &["a", "B%20c", "%7Ex", "x;v=1", "%C3%a4", "a+b", "%25", "%3b", "..x", "%2e%2ex", "~"];
    const PAIRS: &[&str] = &["a=1", "a=2", "b=%20+", "c", "=d", "%61=%2526", "e==", "f=%C3%A4", "&"];
    const HEADERS: &[&str] = &[
        "Accept: */*",
        "Accept: text/html",
        "X-Many: 1",
        "X-Many: 2",
        "X-Utf8: ä",
        "X-Tab: a\tb",
        "Connection: X-Gone",
        "X-Gone: 1",
        "X_Under: 1",
        "Cookie: a=1",
        "X-Forwarded-For: 1.2.3.4",
        "Authorization: Basic eDp5",
        "TE: trailers",
        "Forwarded: for=a",
        "X-Empty:",
        "Content-Type: application/json",
    ];
    let mut path = String::new();
    for _ in 0..=draw.number(4) {
        path.push('/');
        path.push_str(draw.one(SEGMENTS));
    }
    if draw.number(2) == 0 {
        path.push('?');
        let pairs: Vec<_> = (0..draw.number(5)).map(|_| draw.one(PAIRS)).collect();
        path.push_str(&pairs.join("&"));
    }
    let body = draw.one(&["", "{\"a\": 1}", "x"]);
    let method = draw.one(&["GET", "POST", "DELETE", "PURGE", "M-SEARCH"]);
    let mut text =
        format!("{method} {path} HTTP/1.1\r\nHost: H.example:80\r\nContent-Length: {}\r\n", body.len());
    let mut once = Vec::new();
    for _ in 0..draw.number(8) {
        let header = draw.one(HEADERS);
        if !(header.starts_with('A') || header.starts_with("Con")) || !once.contains(&header) {
            text.push_str(header);
            text.push_str("\r\n");
        }
        once.push(header);
    }
    format!("{text}\r\n{body}")
}

#[test]
fn what_policy_saw_is_what_the_upstream_received() {
    on_a_worker(async {
        let bench = Plan::default().start().await;
        let mut draw = Draw(7);
        let mut passed = 0;
        for _ in 0..300 {
            let request = request(&mut draw);
            let before = bench.origin.seen().len();
            let answer = bench.raw(request.as_bytes()).await;
            let record = bench.record().await;
            let Some(sent) = bench.origin.seen().get(before).cloned() else {
                assert!(answer.starts_with("HTTP/1.1 4"), "{request}\n{answer}");
                continue;
            };
            passed += 1;
            let seen = record.decision.unwrap().record.unwrap()["seen"].clone();
            assert_eq!(as_policy_sees(&sent), comparable(seen), "asked: {request}\nsent: {sent}");
            let body = |text: &str| text.split_once("\r\n\r\n").unwrap().1.to_owned();
            assert_eq!(body(&sent), body(&request));
        }
        assert!(passed > 200, "only {passed} of 300 requests passed");
    });
}

#[test]
fn a_body_of_unknown_length_arrives_whatever_the_method() {
    on_a_worker(async {
        for method in ["GET", "DELETE", "POST", "OPTIONS"] {
            let bench = Plan::default().start().await;
            let body = "3\r\nabc\r\n0\r\n\r\n";
            let head = format!("{method} /a HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n");
            let answer = bench.raw(format!("{head}{body}").as_bytes()).await;
            assert!(answer.starts_with("HTTP/1.1 200 "), "{answer}");
            let sent = bench.origin.only();
            assert!(sent.contains("\r\ntransfer-encoding: chunked\r\n") && sent.ends_with(body), "{sent}");
        }
    });
}

/// Only what a request on the wire says too.
fn comparable(mut seen: Value) -> Value {
    let seen = seen.as_object_mut().unwrap();
    seen.retain(|name, _| ["method", "host", "path", "query", "headers"].contains(&name.as_str()));
    let headers = seen["headers"].as_object_mut().unwrap();
    headers.retain(|name, _| !PROXYS_OWN.contains(&name.as_str()));
    Value::Object(seen.clone())
}

/// Framing, addressing, and what policy is not shown.
const PROXYS_OWN: &[&str] = &["host", "content-length", "authorization", "cookie"];

/// Reads the bytes on the wire independently of the code under test.
fn as_policy_sees(sent: &str) -> Value {
    let (head, _) = sent.split_once("\r\n\r\n").unwrap();
    let mut lines = head.split("\r\n");
    let mut first = lines.next().unwrap().split(' ');
    let (method, target) = (first.next().unwrap(), first.next().unwrap());
    let (path, query) = target.split_once('?').unwrap_or((target, ""));
    let mut headers: BTreeMap<String, Vec<String>> = BTreeMap::new();
    let mut host = String::new();
    for line in lines {
        let (name, value) = line.split_once(": ").unwrap_or_else(|| line.split_once(':').unwrap());
        if name == "host" {
            value.split(':').next().unwrap().clone_into(&mut host);
        }
        if !PROXYS_OWN.contains(&name) {
            headers.entry(name.to_owned()).or_default().push(value.to_owned());
        }
    }
    let mut pairs: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for pair in query.split('&').filter(|pair| !pair.is_empty()) {
        let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
        let decode = |text: &str| {
            percent_encoding::percent_decode_str(&text.replace('+', " ")).decode_utf8().unwrap().into_owned()
        };
        pairs.entry(decode(name)).or_default().push(decode(value));
    }
    json!({"method": method, "host": host, "path": path, "query": pairs, "headers": headers})
}
