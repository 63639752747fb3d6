//! One decision, alone: the policy of `policy/main.rego` on one recorded request, as a worker's judge takes it.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use postern_policy::{Judge, PolicySet, Recorded, Sources, Verdict};

use crate::Failure;
use crate::site::CALLER;

#[derive(clap::Args)]
pub(crate) struct Decide {
    /// The folder of the policy.
    #[arg(long)]
    policy: PathBuf,
    #[arg(long)]
    count: u32,
}

impl Decide {
    /// Decides `count` times and prints the microseconds that one took.
    pub(crate) fn run(self) -> Result<(), Failure> {
        let sources = Sources::read_folder(&self.policy)?;
        let policy = PolicySet::compile(&sources, "data.postern.decision", Duration::from_secs(1))?;
        let mut judge = Judge::new(Arc::new(policy));
        let request = Recorded::parse(&request())?;
        if !matches!(judge.judge(&request), Verdict::Allow(_)) {
            return Err("the policy must allow the request".into());
        }
        let started = Instant::now();
        for _ in 0..self.count {
            std::hint::black_box(judge.judge(std::hint::black_box(&request)));
        }
        println!("{}", started.elapsed().as_secs_f64() * 1e6 / f64::from(self.count));
        Ok(())
    }
}

/// The input document of the load generator's request, whole.
fn request() -> String {
    serde_json::json!({
        "v": 1,
        "caller": {"id": CALLER, "kind": "workload", "trust_domain": "bench.example", "path": ["ns", "batch", "sa", "eod"],
                   "proof": "x509_svid", "expires_at": 1_795_310_400,
                   "x509": {"serial": "5f3a", "anchor": "sha256:9c"}, "jwt": null, "process": null, "actors": []},
        "listener": "front", "direction": "inbound", "route": "all",
        "upstream": {"name": "ledger", "proof": "none"},
        "request": {"protocol": "http/1.1", "method": "GET", "scheme": "https", "host": "localhost",
                    "path": "/postings/2026/7", "segments": ["postings", "2026", "7"], "query": {"branch": ["042"]},
                    "headers": {"accept": ["text/csv"], "user-agent": ["postern-benches"]},
                    "body": {"state": "absent", "bytes": 0}},
        "credentials": {"ledger": {"state": "live", "issued_at": 1_795_300_000, "expires_at": 1_795_303_600, "callers": 1}},
        "context": {"sidecar": "spiffe://bench.example/gate", "labels": {}, "peer": {"ip": "127.0.0.1"}},
        "now": 1_795_300_123
    })
    .to_string()
}
