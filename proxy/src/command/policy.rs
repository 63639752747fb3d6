//! The policy author's verbs. They read what Postern reads and ask what Postern asks; words, flags and exit codes are
//! OPA's where OPA has them.

mod bench;
mod build;
mod check;
mod conformance;
mod covered;
mod eval;
pub(super) mod given;
mod inspect;
mod new;
mod opa;
mod output;
#[cfg(test)]
mod page;
pub(super) mod print;
mod sign;
mod signing;
mod terms;
mod test;
mod watch;

use clap::{Subcommand, ValueEnum};

use super::Outcome;
pub(super) use opa::{instead, instead_of_command, page as flags_page};
pub(super) use terms::entrypoint;

#[derive(Debug, Subcommand)]
pub(super) enum Verb {
    /// Say everything that would keep a policy from being loaded, offline
    #[command(after_long_help = check::HELP)]
    Check(check::Arguments),
    /// Print the JSON schema of what a policy sees, or of what it answers
    #[command(
        after_long_help = "JSON Schema 2020-12, as the gate checks policies by it; `postern schema --of input` prints the same. \
        Editors read it, and OPA does, for `schemas` in METADATA.\n\n\
        Examples:\n  \
        postern policy schema > schemas/input.json\n  \
        postern policy schema --of capabilities > capabilities.json   # opa check --capabilities capabilities.json\n  \
        postern policy schema --of decision > decision.schema.json\n  \
        postern policy schema --format pretty\n  \
        opa check --schema schemas/ policy/     # where a package says: schemas: [{input: schema.input}]"
    )]
    Schema {
        /// What is described
        #[arg(long, value_enum, default_value_t = Shown::Input)]
        of: Shown,
        /// How it is printed: as JSON Schema, or a line for each member
        #[arg(long, short, value_enum, default_value_t = Format::Json)]
        format: Format,
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
    /// Say what a decision costs, and how that grows with the data
    #[command(after_long_help = bench::HELP)]
    Bench(bench::Arguments),
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
    /// What policy may call, for `opa check --capabilities`
    Capabilities,
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
        Verb::Check(arguments) => check::check(&arguments),
        Verb::New(arguments) => new::new(&arguments),
        Verb::Build(arguments) => build::build(&arguments),
        Verb::Sign(arguments) => sign::sign(&arguments),
        Verb::Eval(arguments) => eval::eval(&arguments),
        Verb::Bench(arguments) => bench::bench(&arguments),
        Verb::Conformance(arguments) => conformance::conformance(&arguments),
        Verb::Inspect(arguments) => inspect::inspect(&arguments),
        Verb::Schema { of, format } => {
            let of = match of {
                Shown::Input => super::schema::Of::Input,
                Shown::Decision => super::schema::Of::Decision,
                Shown::Capabilities => super::schema::Of::Capabilities,
            };
            super::schema::schema(of, format)
        }
        Verb::Test(arguments) => test::test(&arguments, print::Paint::of_terminal()),
    }
}
