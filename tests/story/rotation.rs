use std::fs;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

use postern_tests::estate::{CLERK, Estate, Plan};
use postern_tests::load::Load;
use postern_tests::parts;
use postern_tests::real::Ghostunnel;
use postern_tests::real::spire::{Options, SvidFiles};

use super::estate;

#[test]
fn five_rotations_under_load_fail_no_request() {
    let spire = Options { x509_ttl: Duration::from_secs(20), ..Options::default() };
    let Some(mut estate) =
        estate("five_rotations_under_load_fail_no_request", &Plan { spire, ..Plan::default() })
    else {
        return;
    };
    let clerk = estate.caller(CLERK);
    let client = estate.spire.client_at("clerk");
    let ending = Arc::new(AtomicBool::new(false));
    let current = Arc::new(Mutex::new(kept(&clerk, 0)));
    let estate = Arc::new(estate);

    let load: Vec<_> = ["GET", "POST"]
        .map(|method| {
            let (estate, ending, current) = (Arc::clone(&estate), Arc::clone(&ending), Arc::clone(&current));
            thread::spawn(move || {
                let mut served = 0;
                while !ending.load(Ordering::Relaxed) {
                    let more: &[&str] = if method == "POST" { &["--data", "posting"] } else { &[] };
                    let svid = current.lock().unwrap().clone();
                    let answer = estate.curl(&svid, "/", more);
                    assert!(
                        matches!(answer, Ok((200, _))),
                        "{method} after {served}: {answer:?}\n{}",
                        estate.log()
                    );
                    served += 1;
                }
                served
            })
        })
        .into();
    let rotations = || {
        estate
            .records()
            .iter()
            .filter(|record| record["kind"] == "reload" && record["what"] == "svid")
            .count()
    };
    let before = rotations();
    for second in 1..=60 {
        // The caller rotates too.
        thread::sleep(Duration::from_secs(1));
        *current.lock().unwrap() = kept(&estate.spire.fetch_x509(&client).unwrap(), second);
        if rotations() >= before + 5 {
            break;
        }
    }
    ending.store(true, Ordering::Relaxed);

    let served: u32 = load.into_iter().map(|load| load.join().unwrap()).sum();
    assert!(rotations() >= before + 5, "{} rotations", rotations() - before);
    assert!(served > 50, "{served} requests");
}

/// A copy that the next fetch does not write over.
fn kept(svid: &SvidFiles, number: u32) -> SvidFiles {
    let copy = |file: &Path| {
        let to = file.with_extension(format!("{number}"));
        fs::copy(file, &to).unwrap();
        to
    };
    let certificate = copy(&svid.certificate);
    // Both are `svid.0.*`: the key's copy needs a name of its own.
    let key = svid.key.with_file_name(format!("key.{number}"));
    fs::copy(&svid.key, &key).unwrap();
    SvidFiles { certificate, key, bundle: copy(&svid.bundle) }
}

#[test]
fn rotations_fail_no_request_on_kept_connections_either() {
    let test = "rotations_fail_no_request_on_kept_connections_either";
    if !parts::present(test, &[&Estate::programs()[..], Ghostunnel::PROGRAMS].concat()) {
        return;
    }
    let spire = Options { x509_ttl: Duration::from_secs(20), ..Options::default() };
    let mut estate = Estate::start(&Plan { spire, ..Plan::default() });
    estate.spire.entry(CLERK, &[&format!("unix:path:{}", Ghostunnel::path().display())]);
    let gate = estate.spire.id("/gate");
    let target = (std::net::Ipv4Addr::LOCALHOST, estate.port).into();
    let caller = Ghostunnel::client(&estate.spire.endpoint(), target, &[&gate]);

    let rotations = || {
        let records = estate.records();
        records.iter().filter(|record| record["kind"] == "reload" && record["what"] == "svid").count()
    };
    let before = rotations();
    let load = Load::start(caller.address(), &[], 2, Duration::from_millis(20));
    for _ in 0..90 {
        thread::sleep(Duration::from_secs(1));
        if rotations() >= before + 6 {
            break;
        }
    }
    let counts = load.stop();

    assert!(rotations() >= before + 6, "{} rotations", rotations() - before);
    assert_eq!(counts.failures, 0, "{:?}\n{}", counts.told, estate.log());
    assert!(counts.gets > 50 && counts.posts > 50, "{counts:?}");
    assert!(counts.connections >= 2, "no connection was ever ended: {counts:?}");
}
