use std::fs;
use std::time::Duration;

use aws_lc_rs::digest::{SHA256, digest};
use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, STANDARD_NO_PAD, URL_SAFE_NO_PAD};
use postern_tests::estate::{CLERK, Estate, GUEST, Plan};

use super::estate;

/// Every form in which a leaked credential could lie somewhere.
fn forms(user: &str, password: &str) -> Vec<(&'static str, String)> {
    let pair = format!("{user}:{password}");
    let url: String = password
        .bytes()
        .map(|byte| match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' => char::from(byte).to_string(),
            _ => format!("%{byte:02X}"),
        })
        .collect();
    let hash = digest(&SHA256, password.as_bytes());
    let hex = hash.as_ref().iter().map(|byte| format!("{byte:02x}")).collect::<Vec<_>>().concat();
    vec![
        ("raw", password.to_owned()),
        ("base64", STANDARD_NO_PAD.encode(password)),
        ("user:pass base64", STANDARD_NO_PAD.encode(&pair)),
        ("URL-safe base64", URL_SAFE_NO_PAD.encode(&pair)),
        ("URL", url),
        ("SHA-256", hex),
        ("SHA-256 base64", STANDARD.encode(hash.as_ref())),
    ]
}

/// The forms of the secret that `haystack` holds.
fn found<'f>(haystack: &[u8], forms: &'f [(&'static str, String)]) -> Vec<&'f str> {
    let holds = |needle: &str| haystack.windows(needle.len()).any(|window| window == needle.as_bytes());
    forms.iter().filter(|(_, needle)| holds(needle)).map(|(name, _)| *name).collect()
}

/// Everything outside its memory that Postern shows to anybody.
fn shown(estate: &Estate) -> Vec<(String, Vec<u8>)> {
    let postern = estate.postern.as_ref().unwrap();
    let mut shown = Vec::new();
    for path in ["/metrics", "/state", "/ready", "/live", "/started", "/nowhere"] {
        shown.push((format!("admin {path}"), postern.ask(path).unwrap().1.into_bytes()));
    }
    for name in ["cmdline", "environ", "status", "stat"] {
        shown.push((format!("/proc {name}"), fs::read(format!("/proc/{}/{name}", postern.pid())).unwrap()));
    }
    for name in ["records.jsonl", "log", "postern.yaml"] {
        shown.push((name.to_owned(), fs::read(estate.path(name)).unwrap()));
    }
    for file in fs::read_dir(estate.path("state")).unwrap().flatten() {
        shown.push((format!("state/{}", file.file_name().display()), fs::read(file.path()).unwrap()));
    }
    shown
}

#[test]
fn the_injected_secret_is_found_nowhere_but_at_the_upstream() {
    // Whatever it would ever log is looked through.
    let plan = Plan { log: "trace", ..Plan::default() };
    let Some(mut estate) = estate("the_injected_secret_is_found_nowhere_but_at_the_upstream", &plan) else {
        return;
    };
    let (clerk, guest) = (estate.caller(CLERK), estate.caller(GUEST));
    for path in ["/", "/a?b=c", "/a/../b", "/%2f"] {
        drop(estate.curl(
            &clerk,
            path,
            &["--path-as-is", "--header", "Authorization: Basic bm9ib2R5OndyaXRl"],
        ));
        drop(estate.curl(&guest, path, &[]));
    }
    let _served = estate.record("access.opened", Duration::from_secs(2), |_| true);
    let (user, password) = estate.ledger.seen().credentials[0].clone();
    let forms = forms(&user, &password);

    for (place, bytes) in shown(&estate) {
        assert_eq!(found(&bytes, &forms), Vec::<&str>::new(), "in {place}");
    }
    assert!(estate.log().contains("TRACE"), "it does not log all it could");
    for must in ["admin /metrics", "admin /state", "/proc cmdline", "records.jsonl", "state/leases.journal"] {
        let seen = shown(&estate).iter().any(|(place, bytes)| place == must && !bytes.is_empty());
        assert!(seen, "{must} was not searched");
    }
}

#[test]
fn the_search_finds_every_form_that_is_planted() {
    let forms = forms("v-app-1", "S3cret/with+odd=chars");
    for (name, planted) in &forms {
        let haystack = format!("{{\"detail\":\"…{planted}…\"}}");
        assert!(found(haystack.as_bytes(), &forms).contains(name), "{name}");
    }
    assert_eq!(forms.len(), 7);
    assert!(found(b"nothing of the kind", &forms).is_empty());
}
