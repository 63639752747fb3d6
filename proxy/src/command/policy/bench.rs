mod shape;
mod valgrind;

use std::path::PathBuf;
use std::time::Duration;

use clap::{ArgAction, Args, ValueEnum};
use postern_policy::{Bench, BenchRun, Pattern, Recorded, Repeat, Tests, bench as measure, repeat};

use super::{Format, given, print, terms};
use crate::command::{Exit, Outcome};
use crate::config;

pub(super) const HELP: &str = "\
Answers a query again and again as a live decision is answered, on one thread, and says for each input: the median and \
the 99th percentile of the CPU time of an answer, its instructions, its steps, and all of it with ten times the data. \
Steps are those that the engine's own fuse counts: the same on every machine and each time, where times are as busy as \
the machine.

Instructions are counted by the CPU, in user space, where it can be asked; few virtual machines can. With --instructions \
valgrind counts them there, the same each time to a hundredth: this program runs under it once for each input and size \
of data, with a load of the policy each time, some tens of times as slow as elsewhere, and two minutes at most. Where \
neither counts, none is told, and why. They are instructions of this program: compare those of one build. Allocations \
are not counted, since a count of them would be paid for by every request.

A rule by its full name is asked for as a live decision is; any other query as a rule around it, to its last answer.

Ten times the data: lists, objects of at least eight members, and objects whose members are all alike get nine copies \
of each member, under names of their own. What is keyed by what is asked for takes as many steps as before.

Without -i the inputs are those of the policy, inputs/*.json, or else the largest requests that a listener lets through: \
one that sets no limits, or with --config those of the configuration, whose entrypoint is asked for too.

Examples:
  postern policy bench -d policy/
  postern policy bench -d policy/ -i clerk.json -i batch.json --count 3
  postern policy bench -b bundle.tar.gz --format json data.ledger.decision
  postern policy bench -d policy/ --config postern.yaml --instructions
  postern policy bench -d policy/ 'some role in data.roles; role.name == \"clerk\"'

Exits with 0; with 1 when an answer is undefined (not with --fail=false); with 2 when a query has no answer; with 3 when \
a PATH, an input or the configuration cannot be read; with 4 when the policy would not be loaded.";

#[derive(Debug, Args)]
#[expect(clippy::struct_excessive_bools, reason = "flags of a command line, each by itself")]
pub(in crate::command) struct Arguments {
    /// Rego; without it the rule that decides, data.postern.decision or as the configuration says
    #[arg(value_name = "QUERY")]
    query: Option<String>,
    /// Read the query from standard input
    #[arg(long, conflicts_with_all = ["query", "stdin_input"])]
    stdin: bool,
    /// Folder, archive or single file *.rego or *.json of the policy; may be repeated
    #[arg(
        long,
        short,
        visible_short_alias = 'b',
        visible_alias = "bundle",
        value_name = "PATH",
        required = true
    )]
    data: Vec<PathBuf>,
    /// An input, a file of JSON; may be repeated
    #[arg(long, short, value_name = "FILE")]
    input: Vec<PathBuf>,
    /// Read an input from standard input
    #[arg(long, short = 'I')]
    stdin_input: bool,
    /// Leave out files and folders of such a name, like drafts; may be repeated
    #[arg(long, value_name = "PATTERN", value_delimiter = ',')]
    ignore: Vec<Pattern>,
    /// The postern.yaml that it is for: its entrypoint and the limits of its listeners count
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// Have instructions counted by valgrind where the CPU does not count them
    #[arg(long)]
    instructions: bool,
    /// Only decide, so often over one of the inputs: what valgrind is given to run
    #[arg(long, hide = true, value_parser = valgrind::repeat)]
    repeat: Option<Repeat>,
    /// How often all of it is measured
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..=1000))]
    count: u32,
    /// Exit with 1 when an answer is undefined
    #[arg(long, value_name = "BOOL", default_value_t = true, action = ArgAction::Set, num_args = 0..=1,
          require_equals = true, default_missing_value = "true")]
    fail: bool,
    /// How long each input is judged
    #[arg(long, value_name = "DURATION", default_value = "1s", value_parser = config::duration_argument)]
    time: Duration,
    /// Longest time of one decision; a live one has `policy.fuse`
    #[arg(long, value_name = "DURATION", default_value = "5s", value_parser = config::duration_argument)]
    timeout: Duration,
    /// How it is printed
    #[arg(long, short, value_enum, default_value_t = Shape::Pretty)]
    format: Shape,
}

/// How figures are printed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Shape {
    /// For people
    Pretty,
    /// For machines
    Json,
    /// As `go test -bench` has it, for benchstat
    Gobench,
}

pub(super) fn bench(arguments: &Arguments) -> Outcome {
    let format = if arguments.format == Shape::Json { Format::Json } else { Format::Pretty };
    let sources = match given::sources(&arguments.data, Tests::Left, &arguments.ignore, format) {
        Ok(sources) => sources,
        Err(outcome) => return outcome,
    };
    let terms = terms::configured(arguments.config.as_deref());
    let (terms, given) = match terms.and_then(|terms| Ok((terms, Given::of(arguments)?))) {
        Ok(asked) => asked,
        Err(why) => return print::unusable(&why, format),
    };
    let query = given.query.as_ref().unwrap_or(&terms.entrypoint);
    let (inputs, largest) = (given.inputs.clone(), terms.largest);
    let run = BenchRun { query, inputs, largest, time: arguments.time, fuse: arguments.timeout };
    if let Some(times) = arguments.repeat {
        let done = repeat(&sources, &run, times);
        return done.map_or_else(|error| print::refused(&error, format), |()| Outcome::said(String::new()));
    }
    let measured = (0..arguments.count).map(|_| {
        let mut bench = measure(&sources, &run)?;
        let by = counted(arguments, query, &given, &mut bench);
        Ok((bench, by))
    });
    let runs: Vec<(Bench, Result<By, String>)> = match measured.collect() {
        Ok(runs) => runs,
        Err(error) => return print::refused(&error, format),
    };
    let mut figures = runs.iter().flat_map(|(bench, _)| &bench.inputs).map(|input| &input.now);
    let exit = if figures.clone().any(|figures| figures.error.is_some()) {
        Exit::TEST_FAILED
    } else if arguments.fail && figures.any(|figures| !figures.defined) {
        Exit::UNDEFINED
    } else {
        Exit::Done
    };
    let one = |(bench, by): &(Bench, Result<By, String>)| match arguments.format {
        Shape::Pretty => shape::pretty(query, bench, by),
        Shape::Json => print::lines(&shape::json(query, bench, by)),
        Shape::Gobench => shape::gobench(bench),
    };
    Outcome { exit, ..Outcome::said(runs.iter().map(one).collect()) }
}

/// Who counted the instructions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum By {
    Cpu,
    Valgrind,
}

/// Has the instructions counted that the CPU did not count, where that is asked for; or says why they are not.
fn counted(arguments: &Arguments, query: &str, given: &Given, bench: &mut Bench) -> Result<By, String> {
    let Some(why) = bench.not_counted.take() else { return Ok(By::Cpu) };
    // Counts of two meters do not compare.
    let figures = bench.inputs.iter_mut().flat_map(|input| [Some(&mut input.now), input.tenfold.as_mut()]);
    figures.flatten().for_each(|figures| figures.instructions = None);
    if !arguments.instructions {
        return Err(format!("{why}; with --instructions valgrind counts them"));
    }
    let counts = valgrind::count(arguments, query, given.stdin.as_deref(), bench);
    let counts = counts.map_err(|error| format!("{why}; {error}"))?;
    let figures = bench.inputs.iter_mut().flat_map(|input| [Some(&mut input.now), input.tenfold.as_mut()]);
    figures.flatten().zip(counts).for_each(|(figures, count)| figures.instructions = count);
    Ok(By::Valgrind)
}

/// What is asked, and of what.
struct Given {
    query: Option<String>,
    /// By their names.
    inputs: Vec<(String, Recorded)>,
    /// The text of an input that cannot be read once more.
    stdin: Option<String>,
}

impl Given {
    fn of(arguments: &Arguments) -> Result<Self, String> {
        let query = if arguments.stdin { Some(given::stdin()?) } else { arguments.query.clone() };
        let file = |file: &PathBuf| Ok((file.display().to_string(), given::input(file)?));
        let mut inputs: Vec<_> = arguments.input.iter().map(file).collect::<Result<_, String>>()?;
        let stdin = if arguments.stdin_input { Some(given::stdin()?) } else { None };
        if let Some(text) = &stdin {
            inputs.push((given::STDIN.to_owned(), given::parsed(given::STDIN, text)?));
        }
        Ok(Self { query, inputs, stdin })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bench_of(rule: &str, input: &str, more: &[&str]) -> Outcome {
        let folder = tempfile::tempdir().unwrap();
        let write = |name: &str, text: &str| std::fs::write(folder.path().join(name), text).unwrap();
        write("main.rego", &format!("package postern\n\ndefault decision := false\n\n{rule}\n"));
        write("data.json", &serde_json::json!({"list": (0..50).collect::<Vec<_>>()}).to_string());
        write("input.json", input);
        let here = |name: &str| folder.path().join(name).display().to_string();
        let words =
            ["postern", "policy", "bench", "-d", &here(""), "-i", &here("input.json"), "--time", "20ms"];
        crate::command::main(words.iter().chain(more).map(std::ffi::OsString::from))
    }

    #[test]
    fn figures_are_told_for_now_and_for_ten_times_the_data() {
        let search = "decision if {\n\tsome n in data.list\n\tn == input.now\n}";
        let json = bench_of(search, r#"{"now": 51}"#, &["--format", "json"]);
        assert_eq!((json.exit, json.err.as_str()), (Exit::Done, ""));
        let said: serde_json::Value = serde_json::from_str(&json.out).unwrap();
        let result = &said["results"][0];
        assert!(result["input"].as_str().unwrap().ends_with("input.json"), "{said}");
        let steps = |figures: &serde_json::Value| figures["steps"].as_u64().unwrap();
        assert!(steps(&result["tenfold"]) > 8 * steps(result), "{said}");
        assert!(result["median_ns"].as_u64() > Some(0) && result["p99_ns"].as_u64() > Some(0), "{said}");
        assert_eq!(said["grown"][0], "data.list");

        let pretty = bench_of(search, r#"{"now": 51}"#, &[]).out;
        for words in
            ["data.postern.decision", "median", "p99", "steps", "data x10", "input.json", "grown: data.list"]
        {
            assert!(pretty.contains(words), "`{words}` is not in:\n{pretty}");
        }
    }

    #[test]
    fn what_cannot_be_measured_says_why() {
        let failing = bench_of("decision if to_number(\"x\") == 1", "{}", &[]);
        assert!(failing.exit == Exit::TEST_FAILED && failing.out.contains("no answer"), "{}", failing.out);
        let broken = bench_of("", "{", &[]);
        assert!(broken.exit == Exit::Configuration && broken.err.contains("input.json"), "{}", broken.err);
        let wrong = bench_of("", "{}", &["x := http.send({})"]);
        assert!(wrong.exit == Exit::TEST_FAILED && wrong.err.starts_with("query:1:6: "), "{wrong:?}");
    }

    #[test]
    fn by_a_configuration_its_entrypoint_is_asked_of_the_largest_requests_by_its_limits() {
        let folder = tempfile::tempdir().unwrap();
        let write = |name: &str, text: &str| std::fs::write(folder.path().join(name), text).unwrap();
        write("main.rego", "package ledger\n\ndefault decision := false\n");
        write(
            "postern.yaml",
            "version: 1\nstate: state\nidentity: { workload_api: 'unix:///run/a.sock', trust: [td] }\n\
             upstreams: { app: { address: 'app:80' } }\n\
             policy: { bundles: { main: { path: policy } }, entrypoint: data.ledger.decision }\n\
             listeners: { front: { bind: '127.0.0.1:1', protocol: http, limits: { headers: 40, head_size: 16KiB }, \
             routes: { all: { upstream: app } } } }\n",
        );
        let here = |name: &str| folder.path().join(name).display().to_string();
        let bench = |config: &str| {
            let words = ["postern", "policy", "bench", "-d", &here("main.rego"), "--time", "1ms", "--config"];
            crate::command::main(words.iter().chain(&[here(config).as_str()]).map(std::ffi::OsString::from))
        };
        let said = bench("postern.yaml");
        assert_eq!((said.exit, said.err.as_str()), (Exit::Done, ""));
        assert!(said.out.starts_with("data.ledger.decision\n"), "{}", said.out);
        let largest = "a request with 40 headers of one prefix, 16384 bytes in all";
        assert!(said.out.contains(largest) && !said.out.contains("32768 bytes"), "{}", said.out);
        assert!(!said.out.contains("a body of"), "no body is inspected there: {}", said.out);
        assert_eq!(bench("none.yaml").exit, Exit::Configuration);
    }

    #[test]
    fn any_query_is_measured_as_often_as_is_asked_for_and_fails_when_it_is_undefined() {
        let query = ["some n in data.list; n > input.now", "--count", "2"];
        let twice = bench_of("", r#"{"now": 7}"#, &query);
        assert_eq!((twice.exit, twice.out.matches("median").count()), (Exit::Done, 4), "{twice:?}");
        let none = |more: &[&str]| bench_of("", r#"{"now": 70}"#, &[&query[..1], more].concat());
        assert_eq!(none(&[]).exit, Exit::UNDEFINED);
        assert!(none(&[]).out.contains(", undefined"), "{}", none(&[]).out);
        assert_eq!(none(&["--fail=false"]).exit, Exit::Done);
        let go = bench_of("", r#"{"now": 7}"#, &["--format", "gobench"]).out;
        let words: Vec<&str> = go.lines().next().unwrap().split_whitespace().collect();
        assert!(words[0].starts_with("BenchmarkPolicy/") && words[0].ends_with("input.json"), "{go}");
        assert_eq!((words[3], words[5], words[7]), ("ns/op", "p99-ns/op", "steps/op"), "{go}");
    }
}
