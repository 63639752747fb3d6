use std::fs;
use std::path::Path;

use postern_tests::parts::present;

use super::site::{Site, place};
use super::{folder, opa};

const RULES: &str = "package postern\n\nimport data.team\n\ndefault decision := false\n\n\
                     decision := {\"allow\": true, \"rule\": \"open\"} if team.open\n";

/// Builds a bundle with the real `opa` and puts it in its place at once.
fn build(into: &Path, revision: &str, root: &str, name: &str, text: &str) {
    let manifest = format!(r#"{{"revision": "{revision}", "roots": ["{root}"]}}"#);
    let source = folder(&[(name, text), (".manifest", &manifest)]);
    opa(source.path(), &["build", "-b", ".", "-o", "built.tar.gz"]);
    // Not a rename: it may be another file system.
    fs::copy(source.path().join("built.tar.gz"), into.with_extension("next")).unwrap();
    fs::rename(into.with_extension("next"), into).unwrap();
}

#[test]
fn several_bundles_are_swapped_one_by_one_and_a_bad_one_keeps_its_old_state() {
    let test = "several_bundles_are_swapped_one_by_one_and_a_bad_one_keeps_its_old_state";
    if !present(test, &["opa", "curl"]) {
        return;
    }
    let folder = place();
    let (main, team) = (folder.path().join("main.tar.gz"), folder.path().join("team"));
    build(&main, "m1", "postern", "postern/rules.rego", RULES);
    fs::create_dir(&team).unwrap();
    fs::write(team.join(".manifest"), r#"{"revision": "t1", "roots": ["team"]}"#).unwrap();
    fs::write(team.join("data.json"), r#"{"team": {"open": true}}"#).unwrap();
    let site = Site::start(folder, "main: { path: main.tar.gz }, team: { path: team }");

    let (status, record) = site.request();
    assert_eq!(status, 200, "{record}");
    assert_eq!(record["decision"]["policy"], serde_json::json!({"main": "m1", "team": "t1"}));

    // No archive at all, and one that ends too early.
    for bad in ["not an archive".as_bytes().to_vec(), fs::read(&main).unwrap()[..200].to_vec()] {
        let seen = site.policies().len();
        fs::write(&main, &bad).unwrap();
        let refused = site.next_policy(seen);
        assert_eq!(
            (&refused["accepted"], &refused["code"]),
            (&false.into(), &"PST-OP-003".into()),
            "{refused}"
        );
        let detail = refused["detail"].as_str().unwrap();
        assert!(detail.starts_with("bundle main: ") && detail.contains("main.tar.gz"), "{detail}");
        assert_eq!(site.request().0, 200);
    }

    // The other moves on all the same.
    fs::write(team.join("data.json"), r#"{"team": {"open": false}}"#).unwrap();
    fs::write(team.join(".manifest"), r#"{"revision": "t2", "roots": ["team"]}"#).unwrap();
    let accepted = site.reload(|record| record["revision"] == "t2");
    assert_eq!((&accepted["accepted"], &accepted["detail"]), (&true.into(), &"bundle team".into()));
    let (status, record) = site.request();
    assert_eq!(status, 403, "{record}");
    assert_eq!(record["decision"]["policy"], serde_json::json!({"main": "m1", "team": "t2"}));

    build(
        &site.path("main.tar.gz"),
        "m2",
        "postern",
        "postern/rules.rego",
        &RULES.replace("if team", "if not team"),
    );
    site.reload(|record| record["revision"] == "m2");
    let (status, record) = site.request();
    assert_eq!(status, 200, "{record}");
    assert_eq!(record["decision"]["policy"], serde_json::json!({"main": "m2", "team": "t2"}));
    assert!(site.metrics().contains("postern_reloads_total{accepted=\"false\",what=\"policy\"} "));
}
