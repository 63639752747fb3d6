//! Clients and checkers that nobody here wrote.

use crate::parts::program;
use crate::process::told_by;
use crate::real::spire::SvidFiles;
use serde_json::Value;
use std::io::Write;
use std::path::Path;
use std::process::{Command, Stdio};

/// curl with an SVID from files. It trusts the bundle and leaves the server's name unchecked: an SVID has none.
#[must_use]
pub fn curl(svid: &SvidFiles) -> Command {
    let mut curl = Command::new(program("curl"));
    curl.args(["--silent", "--show-error", "--max-time", "20", "--insecure", "--cert"])
        .arg(&svid.certificate);
    curl.arg("--key").arg(&svid.key).arg("--cacert").arg(&svid.bundle);
    curl
}

/// Python with `spiffe`, `grpcio`, `websockets`, `hvac` and `kubernetes-validate` to import.
#[must_use]
pub fn python() -> Command {
    let mut python = Command::new(program("python"));
    // Isolated: what else this machine's Python has is not seen.
    python.arg("-I").env_remove("PYTHONPATH");
    python
}

/// Runs a Python script with arguments (`sys.argv[1:]`) and gives what it prints.
pub fn python_says(script: &str, arguments: &[&str]) -> Result<String, String> {
    told_by(python().args(["-c", script]).args(arguments))
}

/// Calls every method of a [`old_services::grpc`](super::old_services::grpc) with grpcio and gives what came. The
/// argument's members stand at the head of `python/grpc_caller.py`. grpcio insists on a name in the server's
/// certificate.
pub fn grpc(asked: &Value) -> Result<Value, String> {
    json_of(&python_says(include_str!("python/grpc_caller.py"), &[&asked.to_string()])?)
}

/// Speaks to a [`old_services::websocket`](super::old_services::websocket) and gives what came. The argument's
/// members stand at the head of `python/websocket_caller.py`.
pub fn websocket(asked: &Value) -> Result<Value, String> {
    json_of(&python_says(include_str!("python/websocket_caller.py"), &[&asked.to_string()])?)
}

fn json_of(text: &str) -> Result<Value, String> {
    serde_json::from_str(text).map_err(|error| format!("{error}: {text}"))
}

/// What `promtool check metrics` has against a metrics page; nothing when it is clean.
pub fn promtool_objects_to(page: &str) -> Option<String> {
    let mut check = Command::new(program("promtool"));
    check.args(["check", "metrics"]).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut check = check.spawn().expect("promtool starts");
    let mut input = check.stdin.take().expect("its input is a pipe");
    input.write_all(page.as_bytes()).expect("it reads the page");
    drop(input);
    let out = check.wait_with_output().expect("it ends");
    let said = [out.stdout, out.stderr].concat();
    (!out.status.success()).then(|| String::from_utf8_lossy(&said).into_owned())
}

/// Validates Kubernetes manifests against the schemas of a Kubernetes version such as `1.33`, offline and strictly.
pub fn kubernetes_accepts(manifest: &Path, version: &str) -> Result<(), String> {
    let mut check = python();
    check.args(["-m", "kubernetes_validate", "--strict", "--kubernetes-version", version]).arg(manifest);
    told_by(&mut check).map(|_| ())
}
