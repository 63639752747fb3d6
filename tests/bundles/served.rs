//! Bundles that a real nginx serves over HTTPS, downloaded while requests run.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, UNIX_EPOCH};

use postern_lab::authority::Authority as Lab;
use postern_tests::certificates::{Authority, ServerFiles};
use postern_tests::parts::{present, program};
use postern_tests::process::{told_by, until};
use postern_tests::real::nginx::{Nginx, Tls};
use rcgen::{CertificateParams, SanType};
use serde_json::json;
use time::OffsetDateTime;

use super::site::{Site, authority, place};
use super::{archive, archive_with, rules};

/// Builds a bundle with the real `opa` and puts it where nginx serves it from, at once.
fn publish(into: &Path, revision: u64, text: &str) {
    let next = into.with_extension("next");
    fs::write(&next, archive(revision, text)).unwrap();
    // nginx makes its ETag of size and second.
    let time = UNIX_EPOCH + Duration::from_secs(1_000_000_000 + revision);
    File::options().append(true).open(&next).unwrap().set_modified(time).unwrap();
    fs::rename(&next, into).unwrap();
}

/// How an nginx proves itself, and what clients must prove.
fn tls(files: &ServerFiles, client_authorities: Option<PathBuf>) -> Tls {
    let (certificate, key) = (files.certificate.clone(), files.key.clone());
    Tls { certificate, key, versions: "TLSv1.2 TLSv1.3", client_authorities }
}

/// An nginx that serves `folder` at `/bundles/`.
fn serve(folder: &Path, tls: &Tls) -> Nginx {
    let served = folder.display();
    let rules = format!("location /bundles/ {{ alias {served}/; types {{ application/gzip gz; }} }}");
    Nginx::start(Some(tls), &rules)
}

/// `policy` with the one bundle `main` of this nginx.
fn polled(nginx: &Nginx, more: &str) -> String {
    let url = format!("https://localhost:{}/bundles/main.tar.gz", nginx.address().port());
    format!("bundles: {{ main: {{ url: \"{url}\", polling: {{ min: 50ms, max: 100ms }}, {more} }} }}")
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
    let mut nginx = serve(served.path(), &tls(&files, None));
    let mut site = Site::begin(folder, &polled(&nginx, "tls: { roots: roots.pem }"));
    site.ready();

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
    // It is asked for again at each poll, and told once; another that is refused for the same is told too.
    let downloads = || nginx.access_log().matches(" 200 ").count();
    let refusals = || site.records("reload").iter().filter(|record| record["accepted"] == false).count();
    let before = downloads();
    until("it was asked for again", || downloads() > before + 3);
    assert_eq!(refusals(), 1);
    publish(&main, 5, "package postern # still\n\ndecision := true\n");
    until("the next is told", || refusals() == 2);
    publish(&main, 4, &rules(true));
    site.reload(|record| record["revision"] == "r4");
    assert_eq!(site.request().0, 200);

    nginx.process().kill();
    let failed = site.reload(|record| record["code"] == "PST-OP-005");
    // It may be killed within an exchange.
    let detail = failed["detail"].as_str().unwrap();
    let ends = ["no connection", "the exchange broke off"].map(|end| format!("/bundles/main.tar.gz: {end}"));
    assert!(ends.iter().any(|end| detail.contains(end)), "{failed}");
    assert_eq!(site.request().0, 200);

    site.restart();
    site.ready();
    let (status, record) = site.request();
    assert_eq!((status, &record["decision"]["policy"]), (200, &json!({"main": "r4"})));
    site.reload(|record| record["revision"] == "r4" && record["detail"] == "the copy that was kept");
}

/// A pair of keys in `folder`: `NAME.key` and `NAME.pem`.
pub(super) fn keys(folder: &Path, name: &str) {
    let openssl = |words: &str| {
        let mut openssl = Command::new(program("openssl"));
        told_by(openssl.current_dir(folder).args(words.split(' '))).expect("openssl ends well");
    };
    openssl(&format!("genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-256 -out {name}.key"));
    openssl(&format!("pkey -in {name}.key -pubout -out {name}.pem"));
}

#[test]
fn a_kept_bundle_counts_only_while_the_keys_of_now_say_that_it_is_signed() {
    let test = "a_kept_bundle_counts_only_while_the_keys_of_now_say_that_it_is_signed";
    if !present(test, &[Nginx::PROGRAMS, &["opa", "curl", "openssl"]].concat()) {
        return;
    }
    let (folder, served) = (place(), place());
    keys(folder.path(), "ci");
    keys(folder.path(), "other");
    let files = Authority::new().server(folder.path(), &["localhost"]);
    let key = folder.path().join("ci.key").display().to_string();
    let signed = ["--signing-alg", "ES256", "--signing-key", &key, "--claims-file", "claims.json"];
    let archive = archive_with(&[("claims.json", r#"{"keyid": "ci"}"#)], 1, &rules(true), &signed);
    fs::write(served.path().join("main.tar.gz"), archive).unwrap();
    let nginx = serve(served.path(), &tls(&files, None));
    let verify = "tls: { roots: roots.pem }, verify: { keys: { ci: { file: ci.pem, algorithm: ES256 } } }";
    let mut site = Site::begin(folder, &polled(&nginx, verify));
    site.ready();
    assert_eq!(site.request().0, 200);
    drop(nginx);

    site.restart();
    site.ready();
    assert_eq!(site.request().1["decision"]["policy"], json!({"main": "r1"}));

    fs::copy(site.path("other.pem"), site.path("ci.pem")).unwrap();
    site.restart();
    let refused = site.reload(|record| record["code"] == "PST-OP-008");
    assert!(refused["detail"].as_str().unwrap().contains(".signatures.json"), "{refused}");
    site.until_refused("PST-AZ-019");
}

#[test]
fn a_service_and_we_prove_ourselves_to_each_other_by_svid() {
    let test = "a_service_and_we_prove_ourselves_to_each_other_by_svid";
    if !present(test, &[Nginx::PROGRAMS, &["opa", "curl"]].concat()) {
        return;
    }
    let (folder, served) = (place(), place());
    let authority = authority(&folder);
    let own = authority.mint_x509("spiffe://lab.example/bundles").unwrap();
    own.write_to(served.path()).unwrap();
    let anchors = served.path().join("anchors.pem");
    fs::write(&anchors, authority.x509_bundle_pem()).unwrap();
    publish(&served.path().join("main.tar.gz"), 1, &rules(true));
    let tls = Tls {
        certificate: served.path().join("svid.pem"),
        key: served.path().join("key.pem"),
        versions: "TLSv1.3",
        client_authorities: Some(anchors),
    };
    let nginx = serve(served.path(), &tls);
    let proven = |id: &str, present: bool| {
        polled(
            &nginx,
            &format!("tls: {{ spiffe_id: \"spiffe://lab.example/{id}\", present_svid: {present} }}"),
        )
    };
    let mut site = Site::begin_under(authority, folder, &proven("other", true));
    let unproven = site.reload(|record| record["code"] == "PST-OP-005");
    assert!(unproven["detail"].as_str().unwrap().contains("no connection"), "{unproven}");

    // nginx answers 400 to whoever presents nothing.
    site.configure(&proven("other", true), &proven("bundles", false));
    let refused = site.reload(|record| record["what"] == "config" && record["accepted"] == false);
    assert!(refused["detail"].as_str().unwrap().contains("status 400"), "{refused}");

    site.configure(&proven("bundles", false), &proven("bundles", true));
    site.reload(|record| record["what"] == "config" && record["accepted"] == true);
    site.ready();
    assert_eq!(site.request().0, 200);
}

#[test]
fn a_service_that_proves_itself_wrongly_is_given_no_request() {
    let test = "a_service_that_proves_itself_wrongly_is_given_no_request";
    if !present(test, &[Nginx::PROGRAMS, &["opa", "curl"]].concat()) {
        return;
    }
    let (folder, served, other_folder) = (place(), place(), place());
    publish(&served.path().join("main.tar.gz"), 1, &rules(true));
    let lab = authority(&folder);
    let other = Lab::start("other.example", &other_folder.path().join("workload.sock")).unwrap();
    fs::write(folder.path().join("token"), "of-this-test").unwrap();
    let id = "spiffe://lab.example/bundles";
    let svid = |days: [i64; 2], id: &str| {
        let mut params = CertificateParams::default();
        let day = |days: i64| OffsetDateTime::now_utc() + time::Duration::days(days);
        (params.not_before, params.not_after) = (day(days[0]), day(days[1]));
        params.subject_alt_names = vec![SanType::URI(id.try_into().unwrap())];
        params
    };
    let now = [-1, 1];
    let names = Authority::new().server(served.path(), &["elsewhere.example"]);
    fs::copy(&names.roots, folder.path().join("roots.pem")).unwrap();
    let by_id = format!("tls: {{ spiffe_id: \"{id}\" }}");
    let cases = [
        ("a certificate for another name", None, "tls: { roots: roots.pem }".to_owned()),
        ("no authority of ours", Some(other.sign(&svid(now, id)).unwrap()), by_id.clone()),
        ("another id", Some(lab.sign(&svid(now, "spiffe://lab.example/bundlesx")).unwrap()), by_id.clone()),
        (
            "another trust domain",
            Some(other.mint_x509("spiffe://other.example/bundles").unwrap()),
            by_id.clone(),
        ),
        ("expired", Some(lab.sign(&svid([-2, -1], id)).unwrap()), by_id.clone()),
        ("of tomorrow", Some(lab.sign(&svid([1, 2], id)).unwrap()), by_id),
    ];
    let mut nginxes = Vec::new();
    let mut bundles = Vec::new();
    for (index, (_, svid, proof)) in cases.iter().enumerate() {
        let mut tls = tls(&names, None);
        if let Some(svid) = svid {
            let at = served.path().join(index.to_string());
            fs::create_dir(&at).unwrap();
            svid.write_to(&at).unwrap();
            (tls.certificate, tls.key) = (at.join("svid.pem"), at.join("key.pem"));
        }
        let nginx = serve(served.path(), &tls);
        let url = format!("https://localhost:{}/bundles/main.tar.gz", nginx.address().port());
        let often = "polling: { min: 50ms, max: 100ms }, token_file: token";
        bundles.push(format!("b{index}: {{ url: \"{url}\", {often}, {proof} }}"));
        nginxes.push(nginx);
    }
    let site = Site::begin_under(lab, folder, &format!("bundles: {{ {} }}", bundles.join(", ")));
    site.until_refused("PST-AZ-019");

    for (index, (what, ..)) in cases.iter().enumerate() {
        let name = format!("bundle b{index}: ");
        let failed = site.reload(|record| {
            let detail = record["detail"].as_str().unwrap_or_default();
            detail.starts_with(&name) && detail.contains("no connection: ")
        });
        assert_eq!(failed["code"], "PST-OP-005", "{what}: {failed}");
        assert_eq!(nginxes[index].access_log(), "", "{what}: a request went there");
    }
}
