//! Hostile HTTP/1.1, byte for byte: what the caller is answered, what reaches the upstream, and
//! the one record that is left.

use super::site::{Bench, Plan, on_a_worker};
use crate::fault::codes;
use crate::record::Entry;

/// What must come of a request.
enum Then {
    /// Answered 200; the upstream's request holds the first text and not the second.
    Passes(&'static str, &'static str),
    /// Answered so, with this code, and nothing reaches the upstream.
    Refused(u16, &'static crate::fault::Code),
    /// Never a request: answered so by the parser, with a `refused` record of this code.
    Malformed(u16, &'static crate::fault::Code),
    /// Forwarded, and then its body was found broken.
    BreaksOff(u16),
}
use Then::{BreaksOff, Malformed, Passes, Refused};

const GET: &str = "GET /a HTTP/1.1\r\nHost: h\r\n";
const POST: &str = "POST /a HTTP/1.1\r\nHost: h\r\n";

fn get(more: &str) -> String {
    format!("{GET}{more}\r\n")
}

fn post(more: &str, body: &str) -> String {
    format!("{POST}{more}\r\n{body}")
}

fn target(target: &str) -> String {
    format!("GET {target} HTTP/1.1\r\nHost: h\r\n\r\n")
}

fn malformed() -> Then {
    Malformed(400, codes::HEAD_MALFORMED)
}

fn ambiguous() -> Then {
    Refused(400, codes::TARGET_AMBIGUOUS)
}

type Case = (&'static str, String, Then);

fn framing() -> Vec<Case> {
    let chunked = "Transfer-Encoding: chunked\r\n";
    let framing = || Refused(400, codes::FRAMING_AMBIGUOUS);
    vec![
        (
            "equal lengths are one",
            post("Content-Length: 3\r\nContent-Length: 3\r\n", "abc"),
            Passes("content-length: 3\r\n", "3, 3"),
        ),
        ("unequal lengths", post("Content-Length: 3\r\nContent-Length: 4\r\n", "abcd"), malformed()),
        ("a list of lengths", post("Content-Length: 3, 3\r\n", "abc"), malformed()),
        ("a signed length", post("Content-Length: +3\r\n", "abc"), malformed()),
        (
            "length, then coding",
            post(&format!("Content-Length: 3\r\n{chunked}"), "3\r\nabc\r\n0\r\n\r\n"),
            Passes("transfer-encoding: chunked", "content-length"),
        ),
        (
            "coding, then length",
            post(&format!("{chunked}Content-Length: 3\r\n"), "3\r\nabc\r\n0\r\n\r\n"),
            Passes("transfer-encoding: chunked", "content-length"),
        ),
        (
            "a coding before chunked",
            post("Transfer-Encoding: gzip, chunked\r\n", "3\r\nabc\r\n0\r\n\r\n"),
            framing(),
        ),
        ("chunked twice", post(&format!("{chunked}{chunked}"), "3\r\nabc\r\n0\r\n\r\n"), framing()),
        (
            "chunked in HTTP/1.0",
            format!("POST /a HTTP/1.0\r\nHost: h\r\n{chunked}\r\n0\r\n\r\n"),
            malformed(),
        ),
        ("chunked is not last", post("Transfer-Encoding: chunked, identity\r\n", "0\r\n\r\n"), malformed()),
        ("an unknown coding", post("Transfer-Encoding: xchunked\r\n", "0\r\n\r\n"), malformed()),
        ("a space before the colon", "GET /a HTTP/1.1\r\nHost : h\r\n\r\n".to_owned(), malformed()),
        ("a folded line", get("X-Fold: a\r\n b\r\n"), malformed()),
        ("a bare CR", get("X-Cr: a\rb\r\n"), malformed()),
        ("a NUL", get("X-Nul: a\0b\r\n"), malformed()),
        (
            "bare LF is written anew",
            "GET /a HTTP/1.1\nHost: h\nX-Lf: 1\n\n".to_owned(),
            Passes("x-lf: 1\r\n", "h\nx"),
        ),
        ("a chunk extension", post(chunked, "3;evil=1\r\nabc\r\n0\r\n\r\n"), Passes("3\r\nabc\r\n", "evil")),
        ("a bare LF in a chunk", post(chunked, "3\nabc\r\n0\r\n\r\n"), BreaksOff(400)),
        ("a chunk size that overflows", post(chunked, "fffffffffffffffff\r\nabc\r\n"), BreaksOff(400)),
    ]
}

fn targets() -> Vec<Case> {
    vec![
        ("no Host", "GET /a HTTP/1.1\r\n\r\n".to_owned(), ambiguous()),
        ("two Hosts", get("Host: other\r\n"), ambiguous()),
        ("a target of another host", target("http://other/a"), ambiguous()),
        ("userinfo", target("http://user@h/a"), ambiguous()),
        ("an absolute target", target("http://H/a?x=1"), Passes("GET /a?x=1 HTTP/1.1\r\n", "http://")),
        ("OPTIONS of everything", "OPTIONS * HTTP/1.1\r\nHost: h\r\n\r\n".to_owned(), ambiguous()),
        (
            "CONNECT",
            "CONNECT h:443 HTTP/1.1\r\nHost: h:443\r\n\r\n".to_owned(),
            Refused(405, codes::METHOD_REFUSED),
        ),
        ("TRACE", "TRACE /a HTTP/1.1\r\nHost: h\r\n\r\n".to_owned(), Refused(405, codes::METHOD_REFUSED)),
        ("dot segments", target("/a/../x"), ambiguous()),
        ("encoded dot segments", target("/a/%2e%2e/x"), ambiguous()),
        ("dot segments with a parameter", target("/a/..;/x"), ambiguous()),
        ("an empty segment", target("//a"), ambiguous()),
        ("an encoded slash", target("/a%2fb"), ambiguous()),
        (
            "an encoded slash where it is kept",
            target("/kept/a%2fb"),
            Passes("GET /kept/a%2Fb HTTP/1.1\r\n", "%2f"),
        ),
        ("an encoded backslash", target("/a%5cb"), ambiguous()),
        ("an encoded NUL", target("/a%00b"), ambiguous()),
        ("needless encoding is undone", target("/%61"), Passes("GET /a HTTP/1.1\r\n", "%61")),
        ("raw UTF-8", target("/ä"), ambiguous()),
        ("a fragment", target("/a#b"), Passes("GET /a HTTP/1.1\r\n", "#")),
    ]
}

fn headers() -> Vec<Case> {
    let many = "X-One: 1\r\n".repeat(200);
    let long = format!("X-Long: {}\r\n", "a".repeat(100_000));
    vec![
        (
            "what Connection names",
            get("Connection: close, X-Secret\r\nX-Secret: 1\r\n"),
            Passes("GET /a", "x-secret"),
        ),
        (
            "headers that fold onto ours",
            get("X_Forwarded_For: 1.1.1.1\r\nX-Forwarded-For: 1.1.1.1\r\n"),
            Passes("GET /a", "1.1.1.1"),
        ),
        (
            "headers that speak for us",
            get("X-Postern-Caller: root\r\nForwarded: for=root\r\n"),
            Passes("GET /a", "root"),
        ),
        (
            "the credential's place",
            get("Authorization: Basic ZXZpbDpldmls\r\n"),
            Passes("authorization: Basic YXBwOnMzY3JldC1wL3Nz\r\n", "ZXZpb"),
        ),
        (
            "two of a security header",
            get("Origin: https://a\r\nOrigin: https://b\r\n"),
            Refused(400, codes::HEADER_REFUSED),
        ),
        ("an unknown expectation", get("Expect: 200-ok\r\n"), Refused(417, codes::EXPECTATION_REFUSED)),
        (
            "100-continue",
            post("Expect: 100-continue\r\nContent-Length: 3\r\n", "abc"),
            Passes("abc", "expect"),
        ),
        (
            "h2c",
            get(
                "Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABkAAQAAP__\r\n",
            ),
            Passes("GET /a", "AAMAAABk"),
        ),
        (
            "HTTP/2 by prior knowledge",
            "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".to_owned(),
            Malformed(0, codes::HEAD_MALFORMED),
        ),
        ("too many headers", get(&many), Malformed(431, codes::HEAD_TOO_LARGE)),
        ("a head too large", get(&long), Malformed(431, codes::HEAD_TOO_LARGE)),
    ]
}

#[test]
fn each_hostile_request_has_its_one_outcome() {
    on_a_worker(async {
        let mut wrong = Vec::new();
        for (name, request, then) in framing().into_iter().chain(targets()).chain(headers()) {
            let routes = "kept: { path: /kept, upstream: app, credentials: [app], encoded_slash: keep }, \
                          all: { path: /, upstream: app, credentials: [app] }";
            let bench = Plan { routes, ..Plan::default() }.start().await;
            if let Err(problem) = outcome(&bench, &request, &then).await {
                wrong.push(format!("{name}: {problem}"));
            }
        }
        assert!(wrong.is_empty(), "\n{}", wrong.join("\n"));
    });
}

async fn outcome(bench: &Bench, request: &str, then: &Then) -> Result<(), String> {
    let answer = bench.raw(request.as_bytes()).await;
    tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    let (seen, records) = (bench.origin.seen(), bench.records());
    let last = answer.rsplit("HTTP/1.1 ").next().unwrap_or_default();
    let status: u16 = last.get(..3).and_then(|status| status.parse().ok()).unwrap_or(0);
    let record = records.iter().find_map(|entry| match entry {
        Entry::Request(entry) => Some((entry.code, "request")),
        Entry::Refused(entry) => Some((Some(entry.code), "refused")),
        _ => None,
    });
    let count = records.iter().filter(|entry| matches!(entry, Entry::Request(_) | Entry::Refused(_))).count();
    let said = format!("answered {status} with {count} records, {record:?}; sent {seen:?}");
    let fits = match then {
        Passes(holds, lacks) => {
            let sent = seen.first().map(String::as_str).unwrap_or_default();
            status == 200
                && seen.len() == 1
                && sent.contains(holds)
                && !sent.contains(lacks)
                && record == Some((None, "request"))
        }
        Refused(wanted, code) => {
            status == *wanted
                && seen.is_empty()
                && record == Some((Some(code.id), "request"))
                && answer.contains(code.id)
        }
        Malformed(wanted, code) => {
            status == *wanted && seen.is_empty() && record == Some((Some(code.id), "refused"))
        }
        BreaksOff(wanted) => {
            status == *wanted
                && seen.is_empty()
                && record == Some((Some(codes::BODY_BROKE_OFF.id), "request"))
        }
    };
    if fits && count == 1 { Ok(()) } else { Err(said) }
}

#[test]
fn a_denied_caller_that_expects_100_is_answered_before_it_sends() {
    on_a_worker(async {
        let bench = Plan { decision: "false", ..Plan::default() }.start().await;
        let answer =
            bench.raw(format!("{POST}Expect: 100-continue\r\nContent-Length: 3\r\n\r\n").as_bytes()).await;
        assert!(answer.starts_with("HTTP/1.1 403 "), "{answer}");
        assert!(bench.origin.seen().is_empty());
    });
}
