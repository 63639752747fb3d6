//! From a denial to its end: the refusal, its reason, a test that fails, a policy that is mended, and the request that
//! passes, with the program as it is installed and nothing else but the real `opa`.

use std::fs;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use postern_lab::sidecar;
use postern_tests::estate::{CLERK, Plan};
use postern_tests::parts::{present, program};
use serde_json::Value;

use super::estate;

/// Clerks may read the ledger and what lies below it: so it is meant. As it stands, the ledger alone.
const MISTAKEN: &str = r#"# METADATA
# custom:
#   contact: the ledger's desk, ledger@example.org
package postern

default decision := {"allow": false, "reason": "no rule allows this"}

decision := {"allow": true, "rule": "clerks_read", "reason": "clerks may read"} if {
	input.caller.path == ["clerk"]
	input.request.method == "GET"
	input.request.headers["x-session"][0] != ""
	input.request.query.ticket[0] != ""
	input.request.segments == ["ledger"]
}
"#;
const MISTAKE: &str = r#"input.request.segments == ["ledger"]"#;
const MENDED: &str = r#"input.request.segments[0] == "ledger""#;
/// What the caller sends and nobody else should read. The policy reads the first two.
const SECRETS: [&str; 4] = ["session-5f3a90c1", "ticket-7d21e8", "bearer-c4a2f8", "cookie-91be04"];

/// How a program ended, and all it said.
fn ended(program: &Path, folder: &Path, words: &[&str]) -> (Option<i32>, String) {
    let output = Command::new(program).current_dir(folder).args(words).output().expect("it starts");
    let said = [output.stdout, output.stderr].concat();
    (output.status.code(), String::from_utf8_lossy(&said).into_owned())
}

#[test]
fn a_wrong_denial_is_explained_tested_mended_and_passes_without_a_restart() {
    let test = "a_wrong_denial_is_explained_tested_mended_and_passes_without_a_restart";
    if !present(test, &["opa"]) {
        return;
    }
    let (postern, opa) = (sidecar::locate().unwrap(), program("opa"));
    let desk = tempfile::tempdir().unwrap();
    let at_desk = |program: &Path, words: &[&str]| ended(program, desk.path(), words);
    let write = |text: &str| fs::write(desk.path().join("ledger/main.rego"), text).unwrap();
    fs::create_dir(desk.path().join("ledger")).unwrap();
    write(MISTAKEN);
    let build = ["policy", "build", "ledger", "-o", "next.tar.gz", "--revision"];
    let built = |revision: &str| at_desk(&postern, &[&build[..], &[revision]].concat());
    // Renamed into its place, so that it is never read half.
    let deploy = || {
        fs::rename(desk.path().join("next.tar.gz"), desk.path().join("live.tar.gz")).unwrap();
    };
    let first = built("r1");
    assert_eq!(first.0, Some(0), "{}", first.1);
    deploy();
    let bundles = Some(format!("main: {{ path: {} }}", desk.path().join("live.tar.gz").display()));
    let Some(mut estate) = estate(test, &Plan { bundles, ..Plan::default() }) else { return };
    let clerk = estate.caller(CLERK);
    let pid = estate.postern.as_ref().unwrap().pid();
    let [session, ticket, bearer, cookie] = SECRETS;
    let headers = [
        format!("x-session: {session}"),
        format!("authorization: Bearer {bearer}"),
        format!("cookie: a={cookie}"),
    ];
    let headers: Vec<&str> = headers.iter().flat_map(|header| ["--header", header]).collect();
    let ask = |path: &str| estate.curl(&clerk, &format!("{path}?ticket={ticket}"), &headers).unwrap();

    // The policy does what its author tried, and denies what he did not.
    let (tried, said) = ask("/ledger");
    assert_eq!(tried, 200, "{said}\n{}", estate.log());
    let (status, body) = ask("/ledger/7");
    assert_eq!(status, 403, "{body}");
    let refusal: Value = serde_json::from_str(&body).unwrap();
    assert_eq!(refusal["code"], "PST-AZ-010");
    assert_eq!(refusal["contact"], "the ledger's desk, ledger@example.org");
    let id = refusal["record"].as_str().unwrap();
    let record = estate.record("request", Duration::from_secs(5), |record| record["id"] == id);
    assert_eq!(record["decision"]["policy"]["main"], "r1");

    // The reason: the line, and the value that mattered.
    let config = estate.path("postern.yaml").display().to_string();
    let (exit, explained) = at_desk(&postern, &["explain", id, "--config", &config]);
    assert_eq!(exit, Some(0), "{explained}");
    let line = 1 + MISTAKEN.lines().position(|line| line.contains(MISTAKE)).unwrap();
    let failed = format!("main.rego:{line}:2  {MISTAKE}\n");
    let stopped = explained.lines().filter(|line| line.starts_with("  failed")).count();
    assert_eq!(stopped, 1, "{explained}");
    for said in [failed.as_str(), r#"input.request.segments is ["ledger","7"]"#, "ledger@example.org"] {
        assert!(explained.contains(said), "`{said}` is not in:\n{explained}");
    }
    assert!(!explained.contains("the policy is another"), "{explained}");

    // The test, which both engines fail, and which keeps the mistake from being built again.
    let file = "ledger/incident_test.rego";
    let words = ["policy", "test", "--from-record", id, "--config", &config, "-o", file];
    let written = at_desk(&postern, &words);
    assert_eq!(written.0, Some(0), "{}", written.1);
    let tests = |policy: &str| {
        write(policy);
        [at_desk(&postern, &["policy", "test", "ledger"]), at_desk(&opa, &["test", "-b", "ledger"])]
    };
    for (exit, said) in tests(MISTAKEN) {
        assert_eq!(exit, Some(2), "{said}");
        assert!(said.contains(&format!("test_incident_{}: FAIL", id.replace('-', "_"))), "{said}");
    }
    let kept_out = built("r2");
    assert_eq!(kept_out.0, Some(4), "{}", kept_out.1);

    // The mend: both pass, and the sidecar that runs takes it.
    for (exit, said) in tests(&MISTAKEN.replace(MISTAKE, MENDED)) {
        assert_eq!(exit, Some(0), "{said}");
        assert!(said.contains("PASS: 1/1"), "{said}");
    }
    let second = built("r2");
    assert_eq!(second.0, Some(0), "{}", second.1);
    deploy();
    let reload = estate.record("reload", Duration::from_mins(1), |record| record["what"] == "policy");
    assert_eq!(reload["accepted"], true, "{reload}");
    let (status, body) = ask("/ledger/7");
    assert_eq!(status, 200, "{body}");
    let passed = estate.record("request", Duration::from_secs(5), |record| {
        record["request"]["path"] == "/ledger/7" && record["outcome"] == "forwarded"
    });
    assert_eq!(passed["decision"]["policy"]["main"], "r2");
    assert_eq!(passed["decision"]["rule"], "clerks_read");
    assert_eq!(estate.postern.as_ref().unwrap().pid(), pid, "it was started again");

    // Judged anew by what is live now, the old record says that it is another policy and another answer.
    let (exit, anew) = at_desk(&postern, &["explain", id, "--config", &config]);
    assert_eq!(exit, Some(0), "{anew}");
    for said in ["revision r2 here, r1 in the record", "allowed  clerks_read"] {
        assert!(anew.contains(said), "`{said}` is not in:\n{anew}");
    }

    let written = fs::read_to_string(desk.path().join(file)).unwrap();
    let records = fs::read_to_string(estate.path("records.jsonl")).unwrap();
    for secret in SECRETS {
        for (what, text) in [
            ("the records", &records),
            ("the explanation", &explained),
            ("the later one", &anew),
            ("the test", &written),
            ("the log", &estate.log()),
        ] {
            assert!(!text.contains(secret), "{secret} stands in {what}:\n{text}");
        }
    }
    assert!(written.contains("(masked)") && records.contains("(masked)"), "{written}");
}
