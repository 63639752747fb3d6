//! Rego for Postern: facts in, verdict out. No sockets, no runtime, no clock of its own.
//!
//! A policy is read into [`Sources`], checked and compiled once into a [`PolicySet`] that all workers share, and
//! asked by one [`Judge`] per worker. Asking is total: whatever goes wrong is a [`Refusal`] with its own [`Cause`].
//!
//! ```
//! use std::sync::Arc;
//! use std::time::Duration;
//! use postern_policy::{Judge, PolicySet, Recorded, Sources, Verdict};
//!
//! let text = r#"
//! package postern
//! default decision := false
//! decision := {"allow": true, "rule": "batch"} if input.caller.path[0] == "batch"
//! "#;
//! let sources = Sources::from_modules([("main.rego", text)], []);
//! let policy = PolicySet::compile(&sources, "data.postern.decision", Duration::from_millis(20))?;
//! let mut judge = Judge::new(Arc::new(policy));
//!
//! let request = Recorded::parse(r#"{"caller": {"path": ["batch", "eod"]}, "now": 1795300123}"#)?;
//! assert!(matches!(judge.judge(&request), Verdict::Allow(yes) if yes.rule.as_deref() == Some("batch")));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod admit;
mod ask;
mod bench;
mod builtins;
mod bundle;
mod compile;
mod conformance;
mod deadline;
mod decision;
mod document;
mod doubts;
mod evaluate;
mod explain;
mod fuse;
mod gate;
mod headers;
mod input;
mod judge;
mod kept;
mod kind;
mod metadata;
mod nearest;
mod problem;
mod profile;
mod reference;
mod rules;
mod scans;
mod schema;
mod slips;
mod sources;
mod translate;
mod trial;
mod verdict;

pub use admit::{ADMISSION, Admitted, Terms};
pub use ask::{Answer, AskError, Expression, Question, Row, ask, check_query};
pub use bench::{Bench, BenchRun, Benched, Figures, Repeat, bench, repeat};
pub use builtins::{capabilities, signatures};
pub use bundle::build::{BuildError, Draft};
pub use bundle::inspect::{Inspection, inspect};
pub use bundle::key::{Algorithm, VerifyKey};
pub use bundle::pattern::Pattern;
pub use bundle::sign::Signer;
pub use bundle::signature::{Signed, SignedBy, Verifier};
pub use bundle::signing_key::SigningKey;
pub use compile::PolicySet;
pub use conformance::{CaseRun, Conformity, NotCases, run_cases};
pub use deadline::Deadline;
pub use document::exact::keeps_numbers;
pub use document::{Document, DocumentError, MAX_DEPTH, MAX_VALUES, Shape, Word};
pub use doubts::{misnamed, signed_otherwise};
pub use explain::{Clause, Explanation, How, Known, Rule, Stopped, explain};
pub use fuse::{Largest, unlike_recorded};
pub use headers::{ends_here, speaks_for_us};
pub use input::{Facts, Leaf, LeafId, LeafSet, Recorded};
pub use judge::Judge;
pub use kept::{Keeping, Kept, MASKED};
pub use kind::{Kind, Member};
pub use nearest::nearest;
pub use problem::{LoadError, Problem, moves_the_cursor};
pub use profile::{ProfiledLine, profile};
pub use reference::builtins_page;
pub use rules::Rules;
pub use schema::{decision_schema, input_schema};
pub use sources::{SourceError, Sources, Tests};
pub use trial::{Case, Coverage, CoveredFile, Test, TestError, TestOutcome, TestReport, TestRun, run_tests};
pub use verdict::{Allowance, Cause, DenyResponse, Fault, Refusal, Verdict};
