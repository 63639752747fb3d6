//! What a policy is admitted by, for the verbs that ask whether it would be loaded.

use std::convert::Infallible;
use std::path::{Path, PathBuf};
use std::time::Duration;

use clap::Args;
use postern_policy::{Admitted, Largest, Terms};
use serde_json::{Value, json};

use super::print;
use crate::command::at_hand;
use crate::config;

/// The fuse of a configuration that says nothing of it.
const FUSE: Duration = Duration::from_millis(20);

#[derive(Debug, Default, Args)]
pub(super) struct Admission {
    /// The postern.yaml that it is for: its entrypoint, fuse, tests and the limits of its listeners count
    #[arg(long, value_name = "FILE")]
    pub(super) config: Option<PathBuf>,
    /// The rule that decides, data.postern.decision or, as OPA writes it, postern/decision; as `policy.entrypoint`
    #[arg(long, short, value_name = "RULE", value_parser = entrypoint)]
    pub(super) entrypoint: Option<String>,
    /// Longest time of one decision; as `policy.fuse`, which is 20ms
    #[arg(long, value_name = "DURATION", value_parser = config::duration_argument)]
    pub(super) fuse: Option<Duration>,
    /// Do not run its tests; as `policy.tests: skip`
    #[arg(long)]
    pub(super) skip_tests: bool,
}

impl Admission {
    /// What a load would ask; or why the configuration cannot be understood.
    pub(super) fn terms(&self) -> Result<Terms, String> {
        let mut terms = configured(self.config.as_deref())?;
        if let Some(rule) = &self.entrypoint {
            terms.entrypoint.clone_from(rule);
        }
        terms.fuse = self.fuse.unwrap_or(terms.fuse);
        terms.tests &= !self.skip_tests;
        Ok(terms)
    }

    /// What its decisions were held against.
    pub(super) fn told(&self, terms: &Terms, admitted: &Admitted) -> String {
        let fuse = print::duration(terms.fuse);
        if admitted.recorded > 0 {
            return format!("within {fuse} on {}", print::counted(admitted.recorded, "recorded input"));
        }
        let Largest { head, headers, body } = terms.largest;
        let limits = match &self.config {
            Some(file) => format!("the limits of {}", file.display()),
            None => "default limits".to_owned(),
        };
        format!(
            "within {fuse} on the largest requests by {limits}: head {head} bytes, {headers} headers, body {body} bytes"
        )
    }

    /// The same for machines.
    pub(super) fn members(&self, terms: &Terms, admitted: &Admitted) -> Value {
        let Largest { head, headers, body } = terms.largest;
        json!({
            "entrypoint": terms.entrypoint,
            "fuse": print::duration(terms.fuse),
            "tests_passed": admitted.passed,
            "recorded_inputs": admitted.recorded,
            "largest_request": {"head": head, "headers": headers, "body": body},
            "config": self.config.as_ref().map(|file| file.display().to_string()),
        })
    }
}

/// What the Postern of a configuration would ask, or one of which nothing is said; or why it cannot be understood.
pub(super) fn configured(config: Option<&Path>) -> Result<Terms, String> {
    let config = config.map(config::load_at_rest).transpose().map_err(|errors| errors.to_string())?;
    Ok(config.map_or_else(
        || Terms {
            entrypoint: at_hand::ENTRYPOINT.to_owned(),
            fuse: FUSE,
            tests: true,
            largest: Largest::default(),
        },
        |config| config.policy.terms(),
    ))
}

/// OPA's way to write a path, or ours.
#[expect(clippy::unnecessary_wraps, reason = "what clap asks for")]
pub(in crate::command) fn entrypoint(text: &str) -> Result<String, Infallible> {
    Ok(if text.starts_with("data.") { text.to_owned() } else { format!("data.{}", text.replace('/', ".")) })
}
