//! Many callers at once, while policy and leases are replaced under them: every answer has its record, and what is
//! held is what the database knows.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io::{BufReader, Write};
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use postern_tests::estate::{Estate, Plan, Tls};
use postern_tests::load::read_answer;
use postern_tests::process::until;
use postern_tests::real::spire::SvidFiles;
use rustix::process::Signal;
use serde_json::Value;

use super::estate;

pub const OURS: &str = "spiffe://example.org/gate";
const OPEN: &str = r#"package postern

default decision := {"allow": false}

decision := {"allow": true, "rule": "open"} if input.caller.path[0] == "c"
"#;
const SHUT: &str = r#"package postern

default decision := {"allow": false, "rule": "shut"}
"#;

/// A caller's token, and the connection it keeps.
pub struct Caller<'e> {
    pub estate: &'e Estate,
    pub svid: &'e SvidFiles,
    pub token: &'e str,
    pub kept: Option<BufReader<Tls>>,
}

impl Caller<'_> {
    pub fn ask(&mut self) -> std::io::Result<(u16, String)> {
        let mut tls = match self.kept.take() {
            Some(tls) => tls,
            None => BufReader::new(self.estate.connect(self.estate.port, self.svid, false)?),
        };
        let head =
            format!("GET / HTTP/1.1\r\nHost: gate.test\r\nAuthorization: Bearer {}\r\n\r\n", self.token);
        tls.get_mut().write_all(head.as_bytes())?;
        let answered = read_answer(&mut tls)?;
        if !answered.last {
            self.kept = Some(tls);
        }
        Ok((answered.status, String::from_utf8_lossy(&answered.body).into_owned()))
    }
}

#[test]
fn what_is_swapped_and_revoked_under_load_is_answered_recorded_and_given_back() {
    let test = "what_is_swapped_and_revoked_under_load_is_answered_recorded_and_given_back";
    let plan = Plan {
        lease: ("4s", "8s"),
        policy: OPEN.to_owned(),
        // Nothing here is about a machine that is busy.
        fuse: "1s",
        listener: format!("callers: {{ any_of: [jwt_svid], audience: \"{OURS}\" }}"),
        ..Plan::default()
    };
    let Some(mut estate) = estate(test, &plan) else { return };
    let svid = estate.caller("/any");
    let tokens: Vec<_> = (0..12).map(|number| minted(&estate, number)).collect();
    policies_are_swapped(&estate, &svid, &tokens[..4]);
    leases_are_revoked(&estate, &svid, &tokens);

    drop(estate.postern.take());
    assert_eq!(estate.postgres.accounts(), Vec::<String>::new());
    let accesses = |kind: &str| -> Vec<String> {
        let all = estate.records().into_iter().filter(|record| record["kind"] == kind);
        let mut names: Vec<_> = all.map(|record| record["access"].to_string()).collect();
        names.sort_unstable();
        names
    };
    let opened = accesses("access.opened");
    assert_eq!(opened.iter().collect::<BTreeSet<_>>().len(), opened.len(), "an access was opened twice");
    assert_eq!(opened, accesses("access.ended"), "each ends once");
}

/// The token of caller `number`.
pub fn minted(estate: &Estate, number: u32) -> String {
    let id = estate.spire.id(&format!("/c/{number}"));
    let words = ["jwt", "mint", "-spiffeID", &id, "-audience", OURS, "-ttl", "4m"];
    estate.spire.server_says(&words).expect("a token is minted").trim().to_owned()
}

/// A policy every 50 ms: each request is judged by one of them, and its answer and its record are that one's.
fn policies_are_swapped(estate: &Estate, svid: &SvidFiles, tokens: &[String]) {
    let over = AtomicBool::new(false);
    let answers = Mutex::new(Vec::new());
    thread::scope(|scope| {
        for token in tokens {
            scope.spawn(|| {
                let mut caller = Caller { estate, svid, token, kept: None };
                while !over.load(Ordering::Relaxed) {
                    let answer = caller.ask();
                    thread::sleep(Duration::from_millis(2));
                    answers.lock().unwrap().push(answer);
                }
            });
        }
        let begun = Instant::now();
        let swaps = || {
            let all = estate.records();
            all.iter().filter(|record| record["what"] == "policy" && record["accepted"] == true).count()
        };
        while swaps() < 20 && begun.elapsed() < Duration::from_secs(30) {
            for module in [SHUT, OPEN].iter().cycle().take(40) {
                push(estate, module);
                thread::sleep(Duration::from_millis(50));
            }
        }
        let swapped = swaps();
        over.store(true, Ordering::Relaxed);
        assert!(swapped >= 20, "{swapped} policies were taken");
    });

    let answers = answers.into_inner().unwrap();
    let mut counts = BTreeMap::new();
    for answer in &answers {
        let (status, body) = answer.as_ref().unwrap_or_else(|error| panic!("{error}\n{}", estate.log()));
        assert!(matches!(status, 200 | 403), "{status}: {body}");
        *counts.entry(if *status == 200 { "forwarded" } else { "refused" }).or_insert(0) += 1;
    }
    let requests = || -> Vec<Value> {
        estate.records().into_iter().filter(|record| record["kind"] == "request").collect()
    };
    until("each has its record", || requests().len() >= answers.len());
    let (mut recorded, mut judged) = (BTreeMap::new(), BTreeSet::new());
    for record in requests() {
        let outcome = if record["outcome"] == "forwarded" { "forwarded" } else { "refused" };
        *recorded.entry(outcome).or_insert(0) += 1;
        judged.insert((
            record["decision"]["policy"]["main"].to_string(),
            outcome,
            record["decision"]["rule"].to_string(),
        ));
    }
    assert_eq!(recorded, counts);
    assert_eq!(judged.len(), 2, "a revision and a verdict that do not belong together: {judged:?}");
    let shut: BTreeSet<_> = requests()
        .iter()
        .filter(|record| record["outcome"] == "refused")
        .map(|record| record["id"].as_str().unwrap().to_owned())
        .collect();
    let refusals = answers.iter().flatten().filter(|(status, _)| *status == 403);
    for (_, body) in refusals {
        assert!(shut.iter().any(|id| body.contains(id.as_str())), "{body}");
    }
}

/// How many leases Postern says it holds.
pub fn held(estate: &Estate) -> usize {
    let page = estate.postern.as_ref().unwrap().ask("/metrics").unwrap().1;
    let line = page.lines().find_map(|line| line.strip_prefix("postern_leases ")).expect("the metric");
    line.parse().unwrap()
}

/// In one step, and told of at once.
fn push(estate: &Estate, module: &str) {
    let next = estate.path("next.rego");
    fs::write(&next, module).unwrap();
    fs::rename(next, estate.path("policy/main.rego")).unwrap();
    estate.postern.as_ref().unwrap().signal(Signal::HUP).unwrap();
}

/// Short leases of many callers, which somebody else revokes now and then.
fn leases_are_revoked(estate: &Estate, svid: &SvidFiles, tokens: &[String]) {
    push(estate, OPEN);
    let mut first = Caller { estate, svid, token: &tokens[0], kept: None };
    until("the policy is open", || first.ask().unwrap().0 == 200);
    let served = AtomicBool::new(false);
    thread::scope(|scope| {
        for pair in tokens.chunks(2) {
            scope.spawn(|| {
                let mut callers: Vec<_> =
                    pair.iter().map(|token| Caller { estate, svid, token, kept: None }).collect();
                let begun = Instant::now();
                while begun.elapsed() < Duration::from_secs(5) {
                    for caller in &mut callers {
                        let (status, body) =
                            caller.ask().unwrap_or_else(|error| panic!("{error}\n{}", estate.log()));
                        served.fetch_or(status == 200, Ordering::Relaxed);
                        // An account that is gone is replaced once in a while, and until then refused.
                        assert!(status == 200 || body.contains("PST-CR-"), "{status}: {body}");
                        thread::sleep(Duration::from_millis(20));
                    }
                }
            });
        }
        for _ in 0..6 {
            thread::sleep(Duration::from_millis(700));
            estate.bao.write("sys/leases/revoke-prefix/database/creds/app", serde_json::json!({}));
        }
    });
    assert!(served.into_inner());
    let of = |kind: &str| estate.records().iter().filter(|record| record["kind"] == kind).count();
    until("what is held, what is recorded and what the database knows are the same", || {
        let accounts = estate.postgres.accounts().len();
        let open = of("access.opened") - of("access.ended");
        held(estate) == accounts && open == accounts
    });
}
