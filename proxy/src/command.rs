//! The verbs of the command line. Each says what is to be printed and how to exit; `main` does both.

mod at_hand;
mod check;
mod exit;
mod explain;
mod failure;
mod healthcheck;
mod policy;
mod reasons;
mod reference;
mod run;
mod schema;
mod why;

use std::ffi::OsString;
use std::path::{Path, PathBuf};

use clap::error::{ContextKind, ContextValue, ErrorKind};
use clap::{Args, Parser, Subcommand, ValueEnum};

use serde_json::Value;

use crate::config::{self, Config};
pub use exit::Exit;
use failure::Failure;

/// What a verb has to say, and how the process ends.
#[derive(Debug, PartialEq, Eq)]
pub struct Outcome {
    /// How the process ends.
    pub exit: Exit,
    /// For standard output: what was asked for.
    pub out: String,
    /// For standard error: what went wrong.
    pub err: String,
}

impl Outcome {
    const fn said(out: String) -> Self {
        Self { exit: Exit::Done, out, err: String::new() }
    }

    const fn failed(exit: Exit, err: String) -> Self {
        Self { exit, out: String::new(), err }
    }
}

/// Identity proxy sidecar: a caller's SVID opens a service that knows only passwords.
///
/// Postern accepts a connection, identifies the caller by its SPIFFE identity, asks your policy, leases a short-lived
/// credential from your vault, puts it into the old protocol, forwards, and records all of it.
#[derive(Debug, Parser)]
#[command(name = "postern", version, max_term_width = 100, after_long_help = exit::table())]
struct Cli {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, Subcommand)]
enum Verb {
    /// Serve until told to stop, drain, and return every lease
    #[command(after_long_help = "Examples:\n  \
        postern run --config /etc/postern/postern.yaml\n  \
        SPIFFE_ENDPOINT_SOCKET=unix:///run/spire/agent.sock postern run --config postern.yaml\n  \
        POSTERN_LOG=debug postern run --config postern.yaml --log json\n\n\
        SIGTERM and SIGINT drain and stop. The configuration, the certificates it names and the policy are watched, and \
        SIGHUP reads them again; what is refused changes nothing. Logs go to standard error; records go \
        where `records.file` says, or to standard output.")]
    Run {
        #[command(flatten)]
        config: ConfigFile,
        /// How log lines are written
        #[arg(long, value_enum, default_value_t = LogFormat::Text)]
        log: LogFormat,
    },
    /// Say everything that is wrong, all at once, without serving
    #[command(
        after_long_help = "Looks at: the configuration; the files it names; the policy; the state folder; \
        the addresses.\nThe exit code is that of the first of these that is wrong. What misspelt keys and wrong types \
        hide is looked at once those are right.\n\n\
        Example:\n  postern check --config postern.yaml && systemctl restart postern"
    )]
    Check {
        #[command(flatten)]
        config: ConfigFile,
    },
    /// Print a JSON Schema: of the configuration, or of what policy sees
    #[command(
        after_long_help = "For editors and pipelines. Examples:\n  postern schema > postern.schema.json\n  \
        postern schema --of input > input.schema.json\n\n\
        and as the first line of the configuration:\n  # yaml-language-server: $schema=postern.schema.json"
    )]
    Schema {
        /// What is described
        #[arg(long, value_enum, default_value_t = schema::Of::Configuration)]
        of: schema::Of,
        /// How it is printed: as JSON Schema, or a line for each member
        #[arg(long, short, value_enum, default_value_t = policy::Format::Json)]
        format: policy::Format,
    },
    /// For authors of policy: check it before anybody loads it
    #[command(subcommand)]
    Policy(Box<policy::Verb>),
    /// Explain one record: what was asked, which lines decided on what, which lease, how it ended, who has to act
    #[command(after_long_help = explain::HELP)]
    Explain(explain::Arguments),
    /// Say what would become of a request, and why: before anybody deploys
    #[command(after_long_help = why::HELP)]
    Why(Box<why::Why>),
    /// Ask a running Postern whether it is well
    #[command(
        after_long_help = "Exits with 0 if it is and with 1 if not, as probes of containers want it. Examples:\n  \
        postern healthcheck --config postern.yaml\n  \
        postern healthcheck started --admin unix:/run/postern/admin.sock\n  \
        postern healthcheck live --admin 127.0.0.1:9464"
    )]
    Healthcheck {
        /// What is asked
        #[arg(value_enum, default_value_t = Probe::Ready)]
        probe: Probe,
        /// Where it is asked: `unix:/path` or `ip:port`; without it, `admin` of the configuration
        #[arg(long, value_name = "ADDRESS")]
        admin: Option<String>,
        #[command(flatten)]
        config: ConfigFile,
    },
    /// Print a page of the reference
    #[command(hide = true)]
    Reference {
        /// Which page
        #[arg(value_enum)]
        page: reference::Page,
    },
}

/// JSON, as every verb prints it.
fn pretty_json(value: &Value) -> String {
    // A value made of JSON has no keys that could fail.
    serde_json::to_string_pretty(value).unwrap_or_default() + "\n"
}

/// Where the configuration is, where nobody says another place.
const CONFIG: &str = "/etc/postern/postern.yaml";

#[derive(Debug, Args)]
struct ConfigFile {
    /// The configuration
    #[arg(long, value_name = "FILE", default_value = CONFIG)]
    config: PathBuf,
}

impl ConfigFile {
    /// The configuration, for a verb that can do without: none where none is named and there is none in its usual place;
    /// or why the one there is cannot be understood.
    fn if_any(&self) -> Result<Option<Config>, String> {
        if self.config == Path::new(CONFIG) && !self.config.exists() {
            return Ok(None);
        }
        config::load_at_rest(&self.config).map(Some).map_err(|errors| errors.to_string())
    }
}

/// How log lines are written.
#[derive(Clone, Copy, Debug, ValueEnum)]
enum LogFormat {
    /// For people
    Text,
    /// For machines
    Json,
}

/// What is asked of a running Postern.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Probe {
    /// Every listener listens
    Started,
    /// The process answers
    Live,
    /// Requests are taken: it does not drain, and holds an SVID, trust bundles and a policy. Vaults and upstreams are
    /// not asked: requests that need one that is gone are refused while it is ready
    Ready,
}

/// Runs the verb that the arguments name; the first argument is the program.
pub fn main(arguments: impl IntoIterator<Item = OsString>) -> Outcome {
    let words: Vec<OsString> = arguments.into_iter().collect();
    let cli = match Cli::try_parse_from(&words) {
        Ok(cli) => cli,
        Err(error) if error.use_stderr() => {
            return Outcome::failed(Exit::Usage, misunderstood(&words, &error));
        }
        Err(help) => return Outcome::said(help.render().to_string()),
    };
    match cli.verb {
        Verb::Run { config, log } => run::run(&config.config, log),
        Verb::Check { config } => check::check(&config.config),
        Verb::Schema { of, format } => schema::schema(of, format),
        Verb::Policy(verb) => policy::policy(*verb),
        Verb::Explain(arguments) => explain::explain(&arguments),
        Verb::Why(arguments) => why::why(&arguments),
        Verb::Healthcheck { probe, admin, config } => {
            healthcheck::healthcheck(probe, admin.as_deref(), &config.config)
        }
        Verb::Reference { page } => Outcome::said(page.text()),
    }
}

/// What is wrong with the arguments; of a command or a flag that `opa` has, what takes its place.
fn misunderstood(words: &[OsString], error: &clap::Error) -> String {
    let text = |kind| match error.get(kind) {
        Some(ContextValue::String(text)) => Some(text.as_str()),
        _ => None,
    };
    let verb = words.get(1).and_then(|word| word.to_str());
    let instead = match error.kind() {
        ErrorKind::InvalidSubcommand => {
            text(ContextKind::InvalidSubcommand).and_then(policy::instead_of_command)
        }
        ErrorKind::UnknownArgument => text(ContextKind::InvalidArg).and_then(|unknown| match verb {
            Some("policy") => policy::instead(words.get(2)?, unknown),
            Some("check") if !unknown.starts_with('-') => Some(format!(
                "`postern check --config FILE` checks a configuration: `postern policy check {unknown}` checks a policy"
            )),
            _ => None,
        }),
        _ => None,
    };
    instead.map_or_else(|| error.render().to_string(), |instead| format!("error: {instead}\n"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn postern(arguments: &[&str]) -> Outcome {
        main(["postern"].iter().chain(arguments).map(OsString::from))
    }

    #[test]
    fn help_shows_every_exit_code_and_nothing_that_is_not_built() {
        let help = postern(&["--help"]);
        assert_eq!(help.exit, Exit::Done);
        for exit in Exit::ALL {
            assert!(help.out.contains(exit.meaning()), "{exit:?}");
        }
        for later in ["revoke", "intercept", "drill", "reference"] {
            assert!(!help.out.contains(later), "{later}");
        }
    }

    #[test]
    fn an_unknown_verb_is_a_usage_error_on_standard_error() {
        let outcome = postern(&["rum"]);
        assert_eq!((outcome.exit, outcome.out.as_str()), (Exit::Usage, ""));
        assert!(outcome.err.contains("run"), "{}", outcome.err);
    }

    #[test]
    fn a_schema_is_json_and_names_the_keys() {
        let outcome = postern(&["schema"]);
        let schema: Value = serde_json::from_str(&outcome.out).unwrap();
        assert!(schema["properties"]["listeners"].is_object());
        let input: Value = serde_json::from_str(&postern(&["schema", "--of", "input"]).out).unwrap();
        assert!(input["properties"]["caller"].is_object());
    }

    #[test]
    fn a_refused_configuration_has_its_exit_code_in_run_and_check() {
        for verb in ["run", "check"] {
            let outcome = postern(&[verb, "--config", "/nonexistent.yaml"]);
            assert_eq!(outcome.exit, Exit::Configuration, "{verb}");
            assert!(outcome.err.contains("/nonexistent.yaml"), "{}", outcome.err);
        }
    }
}
