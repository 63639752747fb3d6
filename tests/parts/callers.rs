use postern_tests::parts;
use postern_tests::real::callers::{kubernetes_accepts, promtool_objects_to, python_says};
use postern_tests::real::openbao::{OpenBao, ROOT_TOKEN};
use std::fs;

#[test]
fn the_python_callers_are_there_and_hvac_reads_what_the_harness_wrote() {
    let needs = [OpenBao::PROGRAMS, &["python"]].concat();
    if !parts::present("the_python_callers_are_there_and_hvac_reads_what_the_harness_wrote", &needs) {
        return;
    }
    let bao = OpenBao::start();
    bao.write("secret/data/app", serde_json::json!({"data": {"password": "seen by hvac"}}));

    let script = "import sys, hvac, grpc, websockets, spiffe\n\
                  read = hvac.Client(sys.argv[1], token=sys.argv[2]).secrets.kv.v2.read_secret_version\n\
                  print(read('app', raise_on_deleted_version=True)['data']['data']['password'])";
    let said = python_says(script, &[&bao.url(), ROOT_TOKEN]).unwrap();

    assert_eq!(said.trim(), "seen by hvac");
}

#[test]
fn promtool_tells_a_clean_page_from_another() {
    if !parts::present("promtool_tells_a_clean_page_from_another", &["promtool"]) {
        return;
    }
    assert_eq!(promtool_objects_to("# HELP a_total b\n# TYPE a_total counter\na_total 1\n"), None);
    assert!(promtool_objects_to("a_total 1\n").unwrap().contains("no help text"));
}

#[test]
fn a_manifest_with_an_unknown_field_is_refused() {
    if !parts::present("a_manifest_with_an_unknown_field_is_refused", &["python"]) {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let manifest = folder.path().join("pod.yaml");
    let pod = "apiVersion: v1\nkind: Pod\nmetadata: {name: a}\nspec: {containers: [{name: a, image: b}]}\n";
    fs::write(&manifest, pod).unwrap();
    kubernetes_accepts(&manifest, "1.33").unwrap();

    fs::write(&manifest, pod.replace("image: b", "imgae: b")).unwrap();

    assert!(kubernetes_accepts(&manifest, "1.33").unwrap_err().contains("imgae"));
}
