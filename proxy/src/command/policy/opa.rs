//! Flags of `opa` that no verb here takes, each with what takes its place: who types one is told, and so is the page. The same of its
//! commands.

use std::ffi::OsStr;
use std::fmt::Write as _;

/// A flag of `opa`: its long name, its letter if it has one, the verbs that have it, and what to do here.
struct Flag {
    long: &'static str,
    letter: Option<char>,
    verbs: &'static [&'static str],
    instead: &'static str,
}

/// Short: the table below is long.
const fn flag(
    long: &'static str,
    letter: Option<char>,
    verbs: &'static [&'static str],
    instead: &'static str,
) -> Flag {
    Flag { long, letter, verbs, instead }
}

const V1: &str = "Rego v1, which `opa fmt --v0-v1 --write` makes of v0";
const SCHEMA: &str = "nothing: policies are always checked by the schemas of `postern policy schema`, which `opa check --schema` takes too";
const BUILTINS: &str = "nothing: the builtins are always the same, and a load says which of them it refuses";
const ONE: &str = "nothing: there is one engine, the one that decides";
const PARTIAL: &str = "nothing: there is no partial evaluation; give the whole input with `--input`";
const EXPLAIN: &str =
    "`postern why`, or `postern explain` for a recorded decision: rules, statements and values";
const NAMES: &str = "full names in the query: `data.postern.decision`";
const BENCH: &str = "`postern policy bench`";
const MEASURED: &str = "nothing: the same figures are always told; allocations are not counted";
const FILES: &str = "a key in a file, which `--signing-key` names: there are no plugins";
const WASM: &str = "nothing: a bundle holds Rego as it was written";
const RUNS: &str = "nothing: lines are those that were gone through";

#[rustfmt::skip]
const FLAGS: &[Flag] = &[
    flag("annotations", Some('a'), &["inspect"], "`opa inspect --annotations`: a load reads `custom.contact` of them, and what `rego.metadata.rule()` and `rego.metadata.chain()` give"),
    flag("benchmem", None, &["bench", "test"], MEASURED),
    flag("bench", None, &["test"], BENCH),
    flag("capabilities", None, &["check", "test", "eval", "build"], BUILTINS),
    flag("config-file", Some('c'), &["bench"], "`--config postern.yaml`, for the limits and the entrypoint; the policy is what `--data` names"),
    flag("count", None, &["eval"], "`postern policy bench --count`"),
    flag("count", None, &["test"], "`postern policy bench`, for how long a query takes: tests come out the same each time"),
    flag("coverage-runs", None, &["test", "eval"], RUNS),
    flag("debug", None, &["build"], "`postern policy check`: nothing is rewritten, so that there is nothing to tell of it"),
    flag("disable-early-exit", None, &["eval"], ONE),
    flag("disable-indexing", None, &["eval"], "nothing: the engine has no index"),
    flag("disable-inlining", None, &["eval"], PARTIAL),
    flag("e2e", None, &["bench"], "a load generator before a running Postern: requests are measured there, decisions here"),
    flag("entrypoint", Some('e'), &["eval"], "the query itself: `data.postern.decision`"),
    flag("exclude-files-verify", None, &["build"], "`postern policy inspect --exclude-files-verify`: a build verifies nothing"),
    flag("explain", None, &["test", "eval"], EXPLAIN),
    flag("follow-symlinks", None, &["build"], "nothing: links in a folder are followed, always"),
    flag("import", None, &["eval", "bench"], NAMES),
    flag("instrument", None, &["eval"], "`--profile` and `--metrics`"),
    flag("metrics", None, &["bench"], MEASURED),
    flag("nondeterminstic-builtins", None, &["eval"], PARTIAL),
    flag("optimize", Some('O'), &["eval", "build"], "nothing: what is served is what was written; `postern policy check` names what is dear"),
    flag("optimize-store-for-read-speed", None, &["eval", "bench"], "nothing: data is held as it is read"),
    flag("package", None, &["eval", "bench"], NAMES),
    flag("parallel", Some('p'), &["test"], "nothing: tests run one after another"),
    flag("partial", Some('p'), &["eval", "bench"], PARTIAL),
    flag("partial-namespace", None, &["build"], PARTIAL),
    flag("plan-addons", None, &["build"], WASM),
    flag("pretty-limit", None, &["eval"], "nothing: no output is cut off"),
    flag("prune-unused", None, &["build"], "`--ignore`, which leaves files out"),
    flag("schema", Some('s'), &["check", "test", "eval", "bench"], SCHEMA),
    flag("shallow-inlining", None, &["eval"], PARTIAL),
    flag("show-builtin-errors", None, &["eval"], "nothing: the first error of a builtin ends the answer, as it ends a decision"),
    flag("shutdown-grace-period", None, &["bench"], "a load generator before a running Postern"),
    flag("shutdown-wait-period", None, &["bench"], "a load generator before a running Postern"),
    flag("signing-plugin", None, &["build", "sign"], FILES),
    flag("strict", Some('S'), &["eval"], "`postern policy check --strict`, and `opa check --strict` for unused names"),
    flag("target", Some('t'), &["test", "eval", "build", "bench"], ONE),
    flag("unknowns", Some('u'), &["eval", "bench"], PARTIAL),
    flag("v0-compatible", None, &["check", "test", "eval", "build", "inspect", "bench"], V1),
    flag("v0-v1", None, &["check"], V1),
    flag("var-values", None, &["eval"], EXPLAIN),
    flag("verification-key", None, &["build"], "`postern policy inspect --verification-key`: a build verifies nothing"),
    flag("wasm-include-print", None, &["build"], WASM),
];

/// Verbs below `postern policy` that are called as `opa` calls them.
const SAME: &[&str] = &["bench", "build", "check", "eval", "inspect", "sign", "test"];

/// How `opa` and Postern end, where that is not the same or a script may rely on it. A test holds each against the real `opa`.
const EXITS: &[(&str, u8, u8)] = &[
    ("`check`: it would be loaded", 0, 0),
    ("`check`, `build`: a file that does not compile", 1, 4),
    ("`check`, `test`, `build`, `inspect`: no such file", 1, 3),
    ("`check`, `build`: no default that refuses, or a test of its own that fails", 0, 4),
    ("`test`: a test fails, is skipped, or has an error", 2, 2),
    ("`test --exit-zero-on-skipped`: tests are skipped, and no other failed", 0, 0),
    ("`test`: no test, or none that `--run` names", 0, 2),
    ("`test`: a file that does not compile", 1, 4),
    ("`test --coverage`: a test fails", 1, 2),
    ("`test`: `--run` is no pattern", 1, 2),
    ("`eval`: an answer, or undefined", 0, 0),
    ("`eval --fail`: undefined; `eval --fail-defined`: defined", 1, 1),
    ("`eval`: a query that does not compile", 2, 2),
    ("`eval`: no such file, for `--data` or `--input`", 2, 3),
    ("`eval`: a policy that does not compile", 2, 4),
    ("`eval`: a builtin fails, without `--strict-builtin-errors`", 0, 2),
    ("`bench`: undefined, without `--fail=false`", 1, 1),
    ("`bench`: a query that does not compile", 1, 2),
    ("`bench`: no such file, for `--data` or `--input`", 1, 3),
    ("`sign`: no such file, for the bundle or the key", 1, 3),
    ("`inspect`: a module that does not compile, which is not looked into here", 1, 0),
    ("any: arguments that cannot be understood", 1, 2),
];

/// Commands of `opa` that are not here, and what to do instead.
const COMMANDS: &[(&str, &str)] = &[
    ("capabilities", "the page of builtins of the reference; a load says which of them it refuses"),
    ("completion", "nothing: `--help` of each verb tells its flags"),
    ("deps", "`opa deps`; `postern why` says what one decision read"),
    ("exec", "`postern policy eval -i FILE data.postern.decision`, once for each file"),
    ("fmt", "`opa fmt`, which formats Rego v1 as it is loaded here"),
    ("help", "`postern --help`, and `--help` of each verb"),
    ("oracle", "`opa oracle`, or Regal in an editor"),
    ("parse", "`opa parse`; `postern policy check` says where a file cannot be parsed"),
    ("refactor", "`opa refactor`"),
    ("run", "`postern run --config postern.yaml`, which serves; `postern policy eval` for one query"),
    ("version", "`postern --version`"),
];

/// What to do in place of a command that is not here, at the top or below `policy`; none where `opa` does not know it either.
pub(in crate::command) fn instead_of_command(unknown: &str) -> Option<String> {
    if SAME.contains(&unknown) {
        return Some(format!("there is no `postern {unknown}`: policies have `postern policy {unknown}`"));
    }
    let (_, instead) = COMMANDS.iter().find(|(name, _)| *name == unknown)?;
    Some(format!("{unknown} is a command of `opa` and is not here; in its place: {instead}"))
}

/// What to do in place of a flag that this verb does not know; none where `opa` does not know it either.
pub(in crate::command) fn instead(verb: &OsStr, unknown: &str) -> Option<String> {
    let verb = verb.to_str()?;
    let name = unknown.trim_start_matches('-').split('=').next()?;
    let letter = name.chars().next().filter(|_| name.chars().count() == 1);
    let meant = |flag: &&Flag| flag.long == name || (letter.is_some() && flag.letter == letter);
    let flag = FLAGS.iter().filter(|flag| flag.verbs.contains(&verb)).find(meant)?;
    Some(format!(
        "--{} is a flag of `opa {verb}` and is not taken here; in its place: {}",
        flag.long, flag.instead
    ))
}

/// The page of the reference.
pub(in crate::command) fn page() -> String {
    let mut text = String::from(BEGIN);
    for flag in FLAGS {
        let letter = flag.letter.map_or_else(String::new, |letter| format!(", `-{letter}`"));
        let verbs = flag.verbs.join(", ");
        let _written = writeln!(text, "| `--{}`{letter} | {verbs} | {} |", flag.long, flag.instead);
    }
    text.push_str(EXITS_BEGIN);
    for (how, opa, ours) in EXITS {
        let _written = writeln!(text, "| {how} | {opa} | {ours} |");
    }
    text.push_str(COMMANDS_BEGIN);
    for verb in SAME {
        let _written = writeln!(text, "| `{verb}` | `postern policy {verb}` |");
    }
    for (name, instead) in COMMANDS {
        let _written = writeln!(text, "| `{name}` | {instead} |");
    }
    text
}

const EXITS_BEGIN: &str = "
## Exit codes

Of both 0 is well. `postern --help` has ours; where `opa` has 1 for whatever went wrong, they say what that was.

| command, and what becomes of it | opa | postern |
|---|---|---|
";

const COMMANDS_BEGIN: &str = "
## Commands of opa

Who types one that is not here is told the same.

| command | here, or in its place |
|---|---|
";

const BEGIN: &str = "\
<!-- Generated by `cargo x docs` from proxy/src/command/policy/opa.rs: do not edit. -->
# Flags of opa that are not here

`postern policy check`, `test`, `eval`, `build`, `sign`, `inspect` and `bench` take the flags of `opa` under the same names and
with the same meaning, except these; each is refused with what takes its place. A test holds this against the real `opa`.

Under the same name, another meaning:

* `check --strict`, `-S`, lets warnings fail: what is dear or seems meant otherwise, a name that stands twice in data, a file that is not read. OPA's
  refuses unused names and old words: `opa check --strict` beside it does.
* `--coverage` counts a line as gone through once anything on it was, and no line of a test; OPA's counts heads of rules by
  themselves, and tests too. With `--format json`, tests that fail are told on standard error beside it.
* `--format` has `junit` and no `gobench` for `test`, no `source` for `eval`; of `build` it says how it is told what was built.
* `--max-errors` is 0, all of them up to a hundred, where OPA's is 10.
* `--signing-key` is always a file, never the secret itself.
* `bench` without `QUERY` asks the rule that decides; without `-i` what is said in its help.

| flag | of | in its place |
|---|---|---|
";

#[cfg(test)]
mod tests {
    use clap::CommandFactory as _;

    use super::*;
    use crate::command::{Cli, Exit, main};

    #[test]
    fn who_types_a_flag_of_opa_is_told_what_to_do_here() {
        for (words, said) in [
            (
                &["eval", "--partial", "1"][..],
                "--partial is a flag of `opa eval` and is not taken here; in its place: nothing: there is no",
            ),
            (&["eval", "-O=1", "1"], "--optimize"),
            (&["check", "--capabilities=c.json", "x"], "--capabilities"),
            (&["test", "-p", "4", "x"], "--parallel"),
            (&["bench", "-p", "1"], "--partial"),
            (&["build", "-t", "wasm", "x"], "--target"),
        ] {
            let outcome = main(["postern", "policy"].iter().chain(words).map(std::ffi::OsString::from));
            assert_eq!((outcome.exit, outcome.out.as_str()), (Exit::Usage, ""), "{words:?}");
            assert!(outcome.err.contains(said), "{words:?}: {}", outcome.err);
        }
        // What neither knows is clap's to say.
        let outcome = main(["postern", "policy", "eval", "--patial", "1"].map(std::ffi::OsString::from));
        assert!(outcome.err.contains("--patial") && !outcome.err.contains("opa eval"), "{}", outcome.err);
    }

    #[test]
    fn who_types_a_command_of_opa_is_told_where_it_is_or_what_to_do() {
        for (words, said) in [
            (&["test", "policy/"][..], "there is no `postern test`: policies have `postern policy test`"),
            (&["eval", "1"], "`postern policy eval`"),
            (&["fmt", "x.rego"], "fmt is a command of `opa` and is not here; in its place: `opa fmt`"),
            (&["policy", "fmt"], "fmt is a command of `opa`"),
            (&["policy", "run"], "in its place: `postern run --config"),
            (&["check", "policy/"], "checks a configuration: `postern policy check policy/` checks a policy"),
        ] {
            let outcome = main(["postern"].iter().chain(words).map(std::ffi::OsString::from));
            assert_eq!((outcome.exit, outcome.out.as_str()), (Exit::Usage, ""), "{words:?}");
            assert!(outcome.err.contains(said), "{words:?}: {}", outcome.err);
        }
        // Nothing is on the list that is here.
        let command = Cli::command();
        let policy = command.find_subcommand("policy").unwrap();
        assert!(SAME.iter().all(|verb| policy.find_subcommand(verb).is_some()));
        assert!(COMMANDS.iter().all(|(name, _)| policy.find_subcommand(name).is_none()));
    }

    #[test]
    fn no_flag_that_is_taken_is_called_another() {
        let command = Cli::command();
        let policy = command.find_subcommand("policy").unwrap();
        for flag in FLAGS {
            for verb in flag.verbs {
                let ours = policy.find_subcommand(verb).unwrap();
                let taken = |argument: &clap::Arg| argument.get_long() == Some(flag.long);
                assert!(!ours.get_arguments().any(taken), "{verb} --{}", flag.long);
            }
        }
    }
}
