//! The program as it is started: what it prints where, and how it exits.

#![expect(clippy::expect_used, clippy::unwrap_used, reason = "a test has nothing better to do than to panic")]
use std::fs;
use std::path::Path;
use std::process::{Command, Output};

fn postern(arguments: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_postern"));
    command.args(arguments).env_remove("SPIFFE_ENDPOINT_SOCKET").output().expect("postern starts")
}

#[track_caller]
fn exits(code: i32, output: &Output, word: &str) {
    let (out, err) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert_eq!(output.status.code(), Some(code), "{out}{err}");
    let said = if code == 0 { &out } else { &err };
    assert!(said.contains(word), "`{word}` is not in:\n{said}");
}

/// A folder with a configuration that lacks nothing but the servers around it.
fn estate(policy: &str, state: &str) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    let write = |name: &str, text: &str| fs::write(folder.path().join(name), text).unwrap();
    fs::create_dir(folder.path().join("policy")).unwrap();
    write("policy/main.rego", policy);
    write("file", "x");
    let text = format!(
        "version: 1\nstate: {state}\nidentity: {{ workload_api: 'unix:///nonexistent.sock', trust: [td] }}\n\
         upstreams: {{ db: {{ address: 'db:1' }} }}\npolicy: {{ bundles: {{ main: {{ path: policy }} }} }}\n\
         listeners: {{ t: {{ bind: '127.0.0.1:65000', protocol: tcp, routes: {{ all: {{ upstream: db }} }} }} }}\n\
         admin: {{ socket: admin.sock }}\n"
    );
    write("postern.yaml", &text);
    folder
}

fn run(folder: &Path) -> Output {
    postern(&["run", "--config", &folder.join("postern.yaml").display().to_string()])
}

#[test]
fn each_way_to_fail_has_its_exit_code() {
    exits(0, &postern(&["--version"]), "postern");
    exits(0, &postern(&["schema"]), "listeners");
    exits(2, &postern(&["run", "--confg", "x"]), "--config");
    exits(3, &postern(&["run", "--config", "/nonexistent.yaml"]), "/nonexistent.yaml");
    exits(4, &run(estate("package postern\ndecision :=", "state").path()), "main.rego:2");
    exits(5, &run(estate("package postern\ndefault decision := false", "file/state").path()), "file/state");
    exits(7, &postern(&["explain", "r-none", "--records", "/dev/null"]), "no record is called r-none");
    exits(7, &postern(&["explain", "PST-XX-001"]), "no code is called PST-XX-001");
    exits(3, &postern(&["explain", "r-none", "--records", "/nonexistent"]), "/nonexistent: cannot be read");
    exits(1, &postern(&["healthcheck", "live", "--admin", "unix:/nonexistent.sock"]), "no answer");
}

#[test]
fn a_refused_configuration_starts_nothing() {
    let folder = estate("package postern\ndefault decision := false", "state");
    let file = folder.path().join("postern.yaml");
    fs::write(&file, fs::read_to_string(&file).unwrap() + "extra: 1\n").unwrap();
    exits(3, &run(folder.path()), "there is no key `extra` here");
    assert!(!folder.path().join("state").exists(), "the state folder was made");
}

#[test]
fn what_lies_in_the_state_folder_and_cannot_be_read_stops_the_start_by_name_and_stays() {
    for (name, next_step) in
        [("leases.journal", "move the journal away"), ("records.sequence", "move it out")]
    {
        let folder = estate("package postern\ndefault decision := false", "state");
        let file = folder.path().join("state").join(name);
        fs::create_dir(folder.path().join("state")).unwrap();
        fs::write(&file, b"\xff\x00 not ours\n").unwrap();

        let output = run(folder.path());

        exits(5, &output, &file.display().to_string());
        exits(5, &output, next_step);
        assert_eq!(fs::read(&file).unwrap(), b"\xff\x00 not ours\n");
    }
}
