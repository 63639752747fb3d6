//! Bundles that a real nginx serves over HTTPS, downloaded while requests run.

use std::fs::{self, File};
use std::path::Path;
use std::time::{Duration, UNIX_EPOCH};

use postern_tests::certificates::{Authority, ServerFiles};
use postern_tests::parts::present;
use postern_tests::process::until;
use postern_tests::real::nginx::{Nginx, Tls};
use serde_json::json;

use super::site::{Site, place};
use super::{archive, rules};

/// Builds a bundle with the real `opa` and puts it where nginx serves it from, at once.
fn publish(into: &Path, revision: u64, text: &str) {
    let next = into.with_extension("next");
    fs::write(&next, archive(revision, text)).unwrap();
    // nginx makes its ETag of size and second.
    let time = UNIX_EPOCH + Duration::from_secs(1_000_000_000 + revision);
    File::options().append(true).open(&next).unwrap().set_modified(time).unwrap();
    fs::rename(&next, into).unwrap();
}

/// An nginx that serves `folder` at `/bundles/`.
fn serve(folder: &Path, files: &ServerFiles, more: &str) -> Nginx {
    let tls = Tls {
        certificate: files.certificate.clone(),
        key: files.key.clone(),
        versions: "TLSv1.2 TLSv1.3",
        client_authorities: None,
    };
    let served = folder.display();
    let rules = format!("location /bundles/ {{ alias {served}/; types {{ application/gzip gz; }} {more} }}");
    Nginx::start(Some(&tls), &rules)
}

fn polled(nginx: &Nginx, more: &str) -> String {
    let url = format!("https://localhost:{}/bundles/main.tar.gz", nginx.address().port());
    format!(
        "main: {{ url: \"{url}\", polling: {{ min: 50ms, max: 100ms }}, tls: {{ roots: roots.pem }}{more} }}"
    )
}

#[test]
fn a_bundle_is_downloaded_swapped_while_requests_run_and_serves_on_without_its_service() {
    let test = "a_bundle_is_downloaded_swapped_while_requests_run_and_serves_on_without_its_service";
    if !present(test, &[Nginx::PROGRAMS, &["opa", "curl"]].concat()) {
        return;
    }
    let (folder, served) = (place(), place());
    let files = Authority::new().server(folder.path(), &["localhost"]);
    let main = served.path().join("main.tar.gz");
    publish(&main, 1, &rules(true));
    let mut nginx = serve(served.path(), &files, "");
    let site = Site::start(folder, &polled(&nginx, ""));

    let (status, record) = site.request();
    assert_eq!((status, &record["decision"]["policy"]), (200, &json!({"main": "r1"})));
    until("it was asked whether anything is new", || nginx.access_log().contains(" 304 "));

    publish(&main, 2, &rules(false));
    let accepted = site.reload(|record| record["revision"] == "r2");
    assert_eq!(accepted["accepted"], true);
    let (status, record) = site.request();
    assert_eq!((status, &record["decision"]["policy"]), (403, &json!({"main": "r2"})));

    // What does not compile changes nothing, and a better one follows.
    publish(&main, 3, "package postern\n\ndecision := true\n");
    let refused = site.reload(|record| record["what"] == "policy" && record["accepted"] == false);
    assert_eq!(refused["code"], "PST-OP-003", "{refused}");
    assert_eq!(site.request().1["decision"]["policy"], json!({"main": "r2"}));
    publish(&main, 4, &rules(true));
    site.reload(|record| record["revision"] == "r4");
    assert_eq!(site.request().0, 200);

    nginx.process().kill();
    let failed = site.reload(|record| record["code"] == "PST-OP-005");
    assert!(failed["detail"].as_str().unwrap().contains("/bundles/main.tar.gz: no connection"), "{failed}");
    assert_eq!(site.request().0, 200);
}
