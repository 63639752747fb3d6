//! The policy author's verbs. They read what Postern reads and ask what Postern asks; words, flags and exit codes are
//! OPA's where OPA has them.

mod build;
mod check;
mod conformance;
mod eval;
mod inspect;
mod new;
mod output;
#[cfg(test)]
mod page;
mod print;
mod sign;
mod signing;
mod test;
mod watch;

use std::path::PathBuf;

use clap::{Subcommand, ValueEnum};

use super::Outcome;

#[derive(Debug, Subcommand)]
pub(super) enum Verb {
    /// Say everything that would keep a policy from being loaded, offline
    #[command(
        after_long_help = "The same gate as at load: what does not compile, has no default that refuses, \
        calls what the engine lacks, uses what the engine answers wrongly, or reads what `postern schema --of input` \
        does not have is refused, each with file, line, column \
        and, where something else does it, what to write instead. Its own tests \
        must pass, as at load, all within 10 s: `postern policy test` says more of them.\n\n\
        Examples:\n  \
        postern policy check policy/\n  \
        postern policy check policy/ --entrypoint data.ledger.decision --format json\n  \
        postern policy check policy/ --skip-tests\n\n\
        Exits with 0 when the policy would be loaded, with 4 when not, with 3 when a PATH cannot be read."
    )]
    Check {
        /// Folders, or single files *.rego and *.json
        #[arg(required = true, value_name = "PATH")]
        paths: Vec<PathBuf>,
        /// PATHs are roots of bundles; here they always are
        #[arg(long, short)]
        bundle: bool,
        /// The rule that decides; as `policy.entrypoint`
        #[arg(long, value_name = "RULE", default_value = "data.postern.decision")]
        entrypoint: String,
        /// Do not run its tests; as `policy.tests: skip`
        #[arg(long)]
        skip_tests: bool,
        /// How it is printed
        #[arg(long, short, value_enum, default_value_t = Format::Pretty)]
        format: Format,
    },
    /// Print the JSON schema of what a policy sees, or of what it answers
    #[command(
        after_long_help = "JSON Schema 2020-12, as the gate checks policies by it; `postern schema --of input` prints the same. \
        Editors read it, and OPA does, for `schemas` in METADATA.\n\n\
        Examples:\n  \
        postern policy schema > schemas/input.json\n  \
        postern policy schema --of decision > decision.schema.json\n  \
        opa check --schema schemas/ policy/     # where a package says: schemas: [{input: schema.input}]"
    )]
    Schema {
        /// What is described
        #[arg(long, value_enum, default_value_t = Shown::Input)]
        of: Shown,
    },
    /// Say what a bundle holds: revision, roots, modules, data, and who says to have signed it
    #[command(after_long_help = inspect::HELP)]
    Inspect(inspect::Arguments),
    /// Run the tests of a policy: rules whose names begin with test_
    #[command(after_long_help = test::HELP)]
    Test(test::Arguments),
    /// Answer a query, as a live decision is answered
    #[command(after_long_help = eval::HELP)]
    Eval(eval::Arguments),
    /// Write a small bundle with tests to begin with
    #[command(after_long_help = new::HELP)]
    New(new::Arguments),
    /// Build a bundle, once it is known that it would be loaded
    #[command(after_long_help = build::HELP)]
    Build(build::Arguments),
    /// Sign a bundle
    #[command(after_long_help = sign::HELP)]
    Sign(sign::Arguments),
    /// Run OPA's own cases, and say which are answered, refused by name, or wrong
    #[command(after_long_help = conformance::HELP)]
    Conformance(conformance::Arguments),
}

/// What there is a schema of, for policy.
#[derive(Clone, Copy, Debug, ValueEnum)]
pub(super) enum Shown {
    /// What policy sees as `input`
    Input,
    /// What policy answers
    Decision,
}

/// How an answer is printed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(super) enum Format {
    /// For people
    Pretty,
    /// For machines
    Json,
}

pub(super) fn policy(verb: Verb) -> Outcome {
    match verb {
        Verb::Check { paths, bundle: _, entrypoint, skip_tests, format } => {
            check::check(&paths, &entrypoint, !skip_tests, format)
        }
        Verb::New(arguments) => new::new(&arguments),
        Verb::Build(arguments) => build::build(&arguments),
        Verb::Sign(arguments) => sign::sign(&arguments),
        Verb::Eval(arguments) => eval::eval(&arguments),
        Verb::Conformance(arguments) => conformance::conformance(&arguments),
        Verb::Inspect(arguments) => inspect::inspect(&arguments),
        Verb::Schema { of: Shown::Input } => super::schema::schema(super::schema::Of::Input),
        Verb::Schema { of: Shown::Decision } => super::schema::schema(super::schema::Of::Decision),
        Verb::Test(arguments) => test::test(&arguments, print::Paint::of_terminal()),
    }
}
