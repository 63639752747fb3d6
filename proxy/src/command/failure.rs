//! Why a command has no answer, told to people or machines as they asked for.

use postern_policy::{AskError, Cause, LoadError};

use super::policy::{Format, print};
use super::{Exit, Outcome};

/// Why a command has no answer.
#[derive(Debug, thiserror::Error)]
pub(super) enum Failure {
    /// How it ends, and why.
    #[error("{1}")]
    Said(Exit, String),
    /// The policy was asked and has no answer.
    #[error("{0}")]
    Failed(Cause),
    /// The policy would not be loaded.
    #[error("{0}")]
    Refused(#[from] LoadError),
}

impl Failure {
    /// As every verb tells it: text on standard error, or a list `errors` on standard output.
    pub(super) fn outcome(&self, format: Format) -> Outcome {
        match self {
            Self::Refused(error) => print::problems(error, format),
            Self::Failed(cause) => {
                print::failed(Exit::Policy, print::code(cause), &cause.to_string(), format)
            }
            Self::Said(exit, why) => {
                let code = match exit {
                    Exit::Usage => "usage_error",
                    Exit::NotFound => "not_found_error",
                    _ => "read_error",
                };
                print::failed(*exit, code, why, format)
            }
        }
    }
}

impl From<AskError> for Failure {
    fn from(error: AskError) -> Self {
        match error {
            AskError::Refused(error) => Self::Refused(error),
            AskError::Failed(cause) => Self::Failed(cause),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::ffi::OsString;

    use serde_json::Value;

    use crate::command::{Exit, main};

    /// Each way in which `why` and `explain` have no answer.
    #[test]
    fn what_went_wrong_is_told_to_machines_as_the_verbs_of_policy_tell_it() {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name).display().to_string();
        let write = |name: &str, text: &str| std::fs::write(at(name), text).unwrap();
        write(
            "refused.rego",
            "package postern\n\ndefault decision := false\n\ndecision if uuid.rfc4122(\"a\")\n",
        );
        write("good.rego", "package postern\n\ndefault decision := false\n");
        write("records.jsonl", "{\"id\": \"r-1\", \"decision\": {\"allow\": false}}\n");
        write("broken.yaml", "version: {");
        let (refused, good, records) = (at("refused.rego"), at("good.rego"), at("records.jsonl"));
        let (none, broken) = (at("none"), at("broken.yaml"));
        let clerk = ["why", "--as", "spiffe://td.example/clerk", "GET", "/"];
        let why =
            |more: &[&str]| [&clerk[..], more].concat().into_iter().map(str::to_owned).collect::<Vec<_>>();
        let explain =
            |words: &[&str]| [&["explain"], words].concat().into_iter().map(str::to_owned).collect();
        for (words, exit, code, said) in [
            (why(&["--bundle", &refused]), Exit::Policy, "rego_compile_error", "uuid.rfc4122"),
            (why(&["--bundle", &none]), Exit::Configuration, "read_error", none.as_str()),
            (why(&["--config", &broken]), Exit::Configuration, "read_error", "broken.yaml"),
            (why(&["--bundle", &good, "-H", "x"]), Exit::Usage, "usage_error", "expected NAME: VALUE"),
            (explain(&["PST-CR-999"]), Exit::NotFound, "not_found_error", "PST-CR-999"),
            (explain(&["r-2", "--records", &records]), Exit::NotFound, "not_found_error", "r-2"),
            (explain(&["r-1", "--records", &none]), Exit::Configuration, "read_error", "cannot be read"),
            (explain(&["r-1", "--config", &broken]), Exit::Configuration, "read_error", "broken.yaml"),
            (
                explain(&["r-1", "--records", &records, "--policy", &none]),
                Exit::Configuration,
                "read_error",
                none.as_str(),
            ),
        ] {
            let run = |format: &str| {
                let words = std::iter::once("postern").chain(words.iter().map(String::as_str));
                main(words.chain(["--format", format]).map(OsString::from))
            };
            let (json, pretty) = (run("json"), run("pretty"));
            assert_eq!((json.exit, pretty.exit), (exit, exit), "{words:?}: {json:?}");
            assert_eq!((json.err.as_str(), pretty.out.as_str()), ("", ""), "{words:?}");
            let errors: Value = serde_json::from_str(&json.out).unwrap();
            let error = &errors["errors"][0];
            assert_eq!(error["code"], code, "{words:?}");
            assert!(error["message"].as_str().unwrap().contains(said), "{words:?}: {error}");
            assert!(pretty.err.contains(said), "{words:?}: {}", pretty.err);
        }
    }
}
