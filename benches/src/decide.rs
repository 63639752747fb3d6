//! Decisions alone, one after another on one thread: by a worker's judge, or by the engine as its own
//! documentation uses it.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use clap::ValueEnum;
use postern_policy::{Document, Facts, Judge, Leaf, LeafId, PolicySet, Sources, Verdict, object, word};
use regorus::{Engine, Value};
use rustix::time::{ClockId, clock_gettime};

use crate::Failure;
use crate::estate::{self, CALLER, GATE, Spelling};

const ENTRYPOINT: &str = "data.postern.decision";

#[derive(clap::Args)]
pub(crate) struct Decide {
    #[arg(long)]
    by: By,
    #[arg(long)]
    spelling: Spelling,
    /// The folder of the policy.
    #[arg(long)]
    policy: PathBuf,
    #[arg(long)]
    count: u32,
}

/// Who decides.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, ValueEnum)]
pub(crate) enum By {
    /// regorus: a clone of a prepared engine, the input read from JSON, the rule asked.
    Engine,
    /// `Judge::judge`, the input document built from the parts of a request.
    Judge,
}

impl By {
    pub(crate) const fn word(self) -> &'static str {
        match self {
            Self::Engine => "engine",
            Self::Judge => "judge",
        }
    }
}

impl Decide {
    /// Decides `count` times and prints the microseconds of CPU that one took.
    pub(crate) fn run(self) -> Result<(), Failure> {
        match self.by {
            By::Engine => self.by_engine(),
            By::Judge => self.by_judge(),
        }
    }

    fn by_judge(&self) -> Result<(), Failure> {
        let sources = Sources::read_folder(&self.policy)?;
        let policy = PolicySet::compile(&sources, ENTRYPOINT, Duration::from_secs(1))?;
        let mut judge = Judge::new(Arc::new(policy));
        if Live.document() != Document::from_json(&estate::input())? {
            return Err("the built input is not the one that the others are given".into());
        }
        self.repeat(|| Ok(matches!(judge.judge(std::hint::black_box(&Live)), Verdict::Allow(_))))
    }

    fn by_engine(&self) -> Result<(), Failure> {
        let mut prepared = Engine::new();
        prepared.add_policy("main.rego".to_owned(), self.spelling.rego().to_owned())?;
        prepared.add_data(Value::from_json_str(&estate::data(self.spelling).to_string())?)?;
        let input = estate::input().to_string();
        let decide = |prepared: &Engine| -> Result<bool, Failure> {
            let mut engine = prepared.clone();
            engine.set_input(Value::from_json_str(std::hint::black_box(&input))?);
            Ok(engine.eval_rule(ENTRYPOINT.to_owned())?["allow"] == Value::Bool(true))
        };
        // The first question prepares the engine; its clones stay prepared.
        prepared.set_input(Value::new_object());
        prepared.eval_rule(ENTRYPOINT.to_owned())?;
        self.repeat(|| decide(&prepared))
    }

    fn repeat(&self, mut allowed: impl FnMut() -> Result<bool, Failure>) -> Result<(), Failure> {
        allowed()?;
        let before = cpu_seconds();
        for _ in 0..self.count {
            if !allowed()? {
                return Err("the policy must allow the request".into());
            }
        }
        println!("{}", (cpu_seconds() - before) * 1e6 / f64::from(self.count));
        Ok(())
    }
}

/// What this process has used.
#[expect(clippy::cast_precision_loss, reason = "microseconds are wanted of it")]
fn cpu_seconds() -> f64 {
    let used = clock_gettime(ClockId::ProcessCPUTime);
    used.tv_sec as f64 + used.tv_nsec as f64 / 1e9
}

/// The load generator's request, its document built as the proxy builds it: shapes and words prepared, what belongs
/// to the request copied.
struct Live;

impl Facts for Live {
    fn leaf(&self, id: LeafId) -> Leaf<'_> {
        match id {
            LeafId::CallerId => Leaf::Text(CALLER),
            LeafId::RequestMethod => Leaf::Text("GET"),
            LeafId::Now => Leaf::Number(1_795_300_123),
            _ => Leaf::Composite,
        }
    }

    fn document(&self) -> Document {
        object! {
            "caller" => object! {
                "actors" => Document::list([]),
                "expires_at" => Document::number(1_795_310_400),
                "id" => Document::text(CALLER),
                "jwt" => Document::null(),
                "kind" => word!("workload"),
                "path" => Document::texts(["ns", "batch", "sa", "eod"]),
                "process" => Document::null(),
                "proof" => word!("x509_svid"),
                "trust_domain" => Document::text("bench.example"),
                "x509" => object! { "anchor" => Document::text("sha256:9c"), "serial" => Document::text("5f3a") },
            },
            "context" => object! {
                "labels" => Document::map([]),
                "peer" => object! { "ip" => Document::text("127.0.0.1") },
                "sidecar" => Document::text(GATE),
            },
            "credentials" => Document::map([("ledger", object! {
                "callers" => Document::number(1),
                "expires_at" => Document::number(1_795_303_600),
                "issued_at" => Document::number(1_795_300_000),
                "state" => word!("live"),
            })]),
            "direction" => word!("inbound"),
            "listener" => word!("front"),
            "now" => Document::number(1_795_300_123),
            "request" => object! {
                "body" => object! { "state" => word!("absent") },
                "headers" => Document::map([
                    ("accept", Document::texts(["text/csv"])),
                    ("user-agent", Document::texts(["postern-benches"])),
                ]),
                "host" => Document::text("localhost"),
                "method" => Document::text("GET"),
                "path" => Document::text("/postings/2026/7"),
                "protocol" => Document::text("http/1.1"),
                "query" => Document::map([("branch", Document::texts(["042"]))]),
                "scheme" => word!("https"),
                "segments" => Document::texts(["postings", "2026", "7"]),
            },
            "route" => word!("all"),
            "upstream" => object! { "name" => word!("ledger"), "proof" => word!("none") },
            "v" => Document::number(1),
        }
    }
}
