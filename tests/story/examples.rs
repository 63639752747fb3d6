use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use postern_tests::estate::Plan;
use postern_tests::real::spire::Options;
use serde_json::{Value, json};

use super::estate;

/// A folder of `policy/`.
fn ours(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().join("policy").join(name)
}

/// Posting hours of each day, by UTC, from and to so many hours from now.
fn hours(from: i64, to: i64) -> Value {
    let clock = |hours: i64| {
        let time = jiff::Timestamp::now() + jiff::SignedDuration::from_hours(hours);
        time.strftime("%H:%M").to_string()
    };
    json!({"from": clock(from), "to": clock(to)})
}

/// The intranet's bundle with other posting hours.
fn write(bundle: &Path, hours: &Value) {
    for name in [".manifest", "postern.rego"] {
        fs::copy(ours("examples/intranet").join(name), bundle.join(name)).unwrap();
    }
    let data = fs::read_to_string(ours("examples/intranet/data.json")).unwrap();
    let mut data: Value = serde_json::from_str(&data).unwrap();
    data["intranet"]["posting_hours"] = hours.clone();
    // Renamed into its place, so that it is never read half.
    fs::write(bundle.join("next"), data.to_string()).unwrap();
    fs::rename(bundle.join("next"), bundle.join("data.json")).unwrap();
}

#[test]
fn the_intranet_serves_readers_and_clerks_until_the_cutoff() {
    let bundle = tempfile::tempdir().unwrap();
    write(bundle.path(), &hours(-2, 2));
    let plan = Plan {
        spire: Options { trust_domain: "corp.example".into(), ..Options::default() },
        bundles: Some(format!(
            "library: {{ path: {} }}, intranet: {{ path: {} }}",
            ours("rego").display(),
            bundle.path().display()
        )),
        credentials: &["intranet-read", "intranet-write"],
        ..Plan::default()
    };
    let test = "the_intranet_serves_readers_and_clerks_until_the_cutoff";
    let Some(mut estate) = estate(test, &plan) else { return };
    let [reader, clerk, stranger] =
        ["/desk/archive", "/desk/claims", "/desk/archive-2"].map(|path| estate.caller(path));
    let posting = ["--data", "amount=12"];

    let (read, said_to_reader) = estate.curl(&reader, "/documents/2026/7", &[]).unwrap();
    let (written, said_to_clerk) = estate.curl(&clerk, "/postings", &posting).unwrap();
    let (refused, _) = estate.curl(&reader, "/postings", &posting).unwrap();
    let (unknown, _) = estate.curl(&stranger, "/documents/2026/7", &[]).unwrap();

    assert_eq!((read, written), (200, 200), "{said_to_reader}\n{said_to_clerk}\n{}", estate.log());
    assert_eq!((refused, unknown), (403, 403));
    let user = |said: &str| serde_json::from_str::<Value>(said).unwrap()["user"].clone();
    assert_ne!(user(&said_to_reader), user(&said_to_clerk), "one account for both");
    let rule = |rule: &str| {
        estate.record("request", Duration::from_secs(5), |record| record["decision"]["rule"] == rule)
    };
    assert_eq!(rule("reads")["credential"]["name"], "intranet-read");
    let writes = rule("writes");
    assert_eq!(writes["credential"]["name"], "intranet-write");
    assert_eq!(writes["caller"]["id"], "spiffe://corp.example/desk/claims");
    assert_eq!(rule("no_right")["outcome"], "refused");

    // The cut-off has passed: an hour ago, by what the author writes now.
    let closed = hours(-3, -1);
    write(bundle.path(), &closed);
    let swapped = |record: &Value| record["what"] == "policy" && record["detail"] == "bundle intranet";
    let reload = estate.record("reload", Duration::from_secs(10), swapped);
    assert_eq!(reload["accepted"], true, "{reload}");
    let (late, told) = estate.curl(&clerk, "/postings", &posting).unwrap();
    let (still, _) = estate.curl(&clerk, "/postings/7", &[]).unwrap();

    assert_eq!(late, 403);
    let told: Value = serde_json::from_str(&told).unwrap();
    assert_eq!(told["detail"], format!("Postings are open until {}.", closed["to"].as_str().unwrap()));
    assert_eq!(still, 200, "reading has no cut-off");
    assert_eq!(estate.ledger.seen().served, 3, "what is refused does not arrive");
}
