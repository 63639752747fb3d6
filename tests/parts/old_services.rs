use postern_tests::certificates::Authority;
use postern_tests::parts;
use postern_tests::real::{callers, old_services};
use serde_json::json;

/// `clerk:any`
const BASIC: &str = "Basic Y2xlcms6YW55";

#[test]
fn the_grpc_caller_and_service_understand_each_other() {
    if !parts::present("the_grpc_caller_and_service_understand_each_other", &["python"]) {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let files = Authority::new().server(folder.path(), &["old.example"]);
    let service = old_services::grpc(Some(&files));
    let asked = |metadata| json!({"target": service.address().to_string(), "roots": files.roots, "name": "old.example", "metadata": metadata});

    let told = callers::grpc(&asked(json!({ "authorization": BASIC }))).unwrap();
    let stranger = callers::grpc(&asked(json!({}))).unwrap();

    assert_eq!(told["unary"]["gave"], "hello");
    assert_eq!(told["unary"]["trailers"], json!({"x-user": "clerk", "x-trace-bin": "00ff"}));
    assert_eq!(told["stream"]["gave"], json!(["0", "1", "2", "3", "4"]));
    assert_eq!(told["collect"]["gave"], "2000000");
    assert_eq!(told["chat"]["gave"], json!(["a", "b", "c"]));
    assert_eq!(told["refuse"], json!({"code": "RESOURCE_EXHAUSTED", "text": "as it was told: no"}));
    assert_eq!(stranger["unary"]["code"], "UNAUTHENTICATED");
}

#[test]
fn the_websocket_caller_and_service_understand_each_other() {
    if !parts::present("the_websocket_caller_and_service_understand_each_other", &["python"]) {
        return;
    }
    let service = old_services::websocket(None);
    let url = format!("ws://{}/", service.address());

    let told = callers::websocket(&json!({"url": url, "headers": {"Authorization": BASIC}})).unwrap();
    let stranger = callers::websocket(&json!({ "url": url })).unwrap();

    assert_eq!(
        (&told["greeting"], &told["echoed"], &told["closed"]),
        (&json!("hello clerk"), &json!(2), &json!(1000))
    );
    assert_eq!(stranger["status"], 401);
}
