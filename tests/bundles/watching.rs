use std::fs;
use std::io::Read as _;
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex};
use std::thread;

use postern_lab::sidecar;
use postern_tests::process::{told_by, until};

use super::folder;

/// A program that ends with the test.
struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        drop(self.0.kill());
        drop(self.0.wait());
    }
}

#[test]
fn a_watched_policy_is_tested_again_at_each_change_until_ctrl_c_and_then_ends_with_0_as_opa_does() {
    let place = folder(&[
        ("p/main.rego", "package postern\n\ndefault decision := false\n"),
        ("p/main_test.rego", "package postern_test\n\ntest_no if not data.postern.decision\n"),
    ]);
    let write = |name: &str, text: &str| fs::write(place.path().join(name), text).unwrap();
    let mut postern = Command::new(sidecar::locate().unwrap());
    postern.current_dir(place.path()).args(["policy", "test", "--watch", "p"]).stdout(Stdio::piped());
    let mut running = Running(postern.stderr(Stdio::null()).spawn().unwrap());
    let said = Arc::new(Mutex::new(String::new()));
    let (mut from, into) = (running.0.stdout.take().unwrap(), Arc::clone(&said));
    let reader = thread::spawn(move || {
        let mut bytes = [0; 4096];
        while let Ok(read @ 1..) = from.read(&mut bytes) {
            into.lock().unwrap().push_str(&String::from_utf8_lossy(&bytes[..read]));
        }
    });
    // Words and how often "Watching" was said by then.
    let sees = |words: &str, runs: usize| {
        until(&format!("run {runs} says {words}"), || {
            let said = said.lock().unwrap();
            said.contains(words) && said.matches("Watching for changes ...\n").count() >= runs
        });
        said.lock().unwrap().clear();
    };

    sees("PASS: 1/1", 1);
    write("p/main.rego", "package postern\n\ndefault decision := false\n\ndecision if true\n");
    sees("FAIL: 1/1", 1);
    write("p/main.rego", "package postern\n\nnot rego at all\n");
    sees("Watching", 1);
    fs::create_dir(place.path().join("p/deep")).unwrap();
    write("p/main.rego", "package postern\n\ndefault decision := false\n");
    write("p/deep/more_test.rego", "package more_test\n\ntest_more if true\n");
    sees("PASS: 2/2", 1);

    told_by(Command::new("kill").args(["-INT", &running.0.id().to_string()])).unwrap();
    assert_eq!(running.0.wait().unwrap().code(), Some(0));
    reader.join().unwrap();
}
