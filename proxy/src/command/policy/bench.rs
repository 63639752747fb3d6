mod shape;

use std::io::Read as _;
use std::path::PathBuf;
use std::time::Duration;

use clap::Args;
use postern_policy::{BenchRun, Sources, Tests, bench as measure};

use super::{Format, print};
use crate::command::{Exit, Outcome};
use crate::config;

pub(super) const HELP: &str = "\
Answers a rule again and again as a live decision is answered, on one thread, and says for each input: the median and \
the 99th percentile of the CPU time of a decision, its steps, and both with ten times the data. Steps are those that \
the engine's own fuse counts: the same on every machine and each time, where times are as busy as the machine. \
Instructions of the CPU are not counted: few virtual machines let a process do that.

Ten times the data: lists, objects of at least eight members, and objects whose members are all alike get nine copies \
of each member, under names of their own. What is keyed by what is asked for takes as many steps as before.

Without -i the inputs are those of the policy, inputs/*.json, or else the largest requests that a listener lets through.

Examples:
  postern policy bench -d policy/
  postern policy bench -d policy/ -i clerk.json -i batch.json
  postern policy bench -b bundle.tar.gz --format json data.ledger.decision

Exits with 0; with 2 when a decision has no answer; with 3 when a PATH cannot be read; with 4 when the policy or an \
input would not be loaded.";

/// The largest input that is read, in bytes.
const LARGEST: u64 = 32 << 20;

#[derive(Debug, Args)]
pub(in crate::command) struct Arguments {
    /// The full name of a rule
    #[arg(value_name = "QUERY", default_value = "data.postern.decision", value_parser = rule)]
    query: String,
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
    /// How long each input is judged
    #[arg(long, value_name = "DURATION", default_value = "1s", value_parser = config::duration)]
    time: Duration,
    /// Longest time of one decision; a live one has `policy.fuse`
    #[arg(long, value_name = "DURATION", default_value = "5s", value_parser = config::duration)]
    timeout: Duration,
    /// How it is printed
    #[arg(long, short, value_enum, default_value_t = Format::Pretty)]
    format: Format,
}

fn rule(text: &str) -> Result<String, &'static str> {
    let names = text.strip_prefix("data.").filter(|names| names.contains('.'));
    let plain = |name: &str| !name.is_empty() && name.chars().all(|c| c.is_alphanumeric() || c == '_');
    let rule = names.filter(|names| names.split('.').all(plain)).map(|_| text.to_owned());
    rule.ok_or("expected the full name of a rule, data.PACKAGE.RULE")
}

pub(super) fn bench(arguments: &Arguments) -> Outcome {
    let sources = match Sources::read_paths(&arguments.data, Tests::Left) {
        Ok(sources) => sources,
        Err(error) => return print::unreadable(&error, arguments.format),
    };
    let inputs = match arguments.input.iter().map(read).collect() {
        Ok(inputs) => inputs,
        Err(text) => return Outcome::failed(Exit::Configuration, text),
    };
    let run = BenchRun { rule: &arguments.query, inputs, time: arguments.time, fuse: arguments.timeout };
    let measured = match measure(&sources, &run) {
        Ok(measured) => measured,
        Err(error) => return print::problems(&error, arguments.format),
    };
    let failed = measured.inputs.iter().any(|input| input.now.error.is_some());
    let out = match arguments.format {
        Format::Pretty => shape::pretty(&arguments.query, &measured),
        Format::Json => print::lines(&shape::json(&arguments.query, &measured)),
    };
    Outcome { exit: if failed { Exit::TEST_FAILED } else { Exit::Done }, ..Outcome::said(out) }
}

fn read(file: &PathBuf) -> Result<(String, String), String> {
    let name = file.display().to_string();
    let mut text = String::new();
    let opened = std::fs::File::open(file);
    let read = opened.and_then(|file| file.take(LARGEST).read_to_string(&mut text));
    read.map(|_| (name.clone(), text)).map_err(|error| format!("{name}: {error}\n"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bench_of(rule: &str, input: &str, format: Format) -> Outcome {
        let folder = tempfile::tempdir().unwrap();
        let write = |name: &str, text: &str| std::fs::write(folder.path().join(name), text).unwrap();
        write("main.rego", &format!("package postern\n\ndefault decision := false\n\n{rule}\n"));
        write("data.json", &serde_json::json!({"list": (0..50).collect::<Vec<_>>()}).to_string());
        write("input.json", input);
        bench(&Arguments {
            query: "data.postern.decision".to_owned(),
            data: vec![folder.path().to_owned()],
            input: vec![folder.path().join("input.json")],
            time: Duration::from_millis(20),
            timeout: Duration::from_secs(5),
            format,
        })
    }

    #[test]
    fn figures_are_told_for_now_and_for_ten_times_the_data() {
        let search = "decision if {\n\tsome n in data.list\n\tn == input.now\n}";
        let json = bench_of(search, r#"{"now": 51}"#, Format::Json);
        assert_eq!((json.exit, json.err.as_str()), (Exit::Done, ""));
        let said: serde_json::Value = serde_json::from_str(&json.out).unwrap();
        let result = &said["results"][0];
        assert!(result["input"].as_str().unwrap().ends_with("input.json"), "{said}");
        let steps = |figures: &serde_json::Value| figures["steps"].as_u64().unwrap();
        assert!(steps(&result["tenfold"]) > 8 * steps(result), "{said}");
        assert!(result["median_ns"].as_u64() > Some(0) && result["p99_ns"].as_u64() > Some(0), "{said}");
        assert_eq!(
            (&said["grown"][0], &result["instructions"]),
            (&"data.list".into(), &serde_json::Value::Null)
        );

        let pretty = bench_of(search, r#"{"now": 51}"#, Format::Pretty).out;
        for words in
            ["data.postern.decision", "median", "p99", "steps", "data x10", "input.json", "grown: data.list"]
        {
            assert!(pretty.contains(words), "`{words}` is not in:\n{pretty}");
        }
    }

    #[test]
    fn what_cannot_be_measured_says_why() {
        let failing = bench_of("decision if to_number(\"x\") == 1", "{}", Format::Pretty);
        assert!(failing.exit == Exit::TEST_FAILED && failing.out.contains("no answer"), "{}", failing.out);
        let broken = bench_of("", "{", Format::Pretty);
        assert!(broken.exit == Exit::Policy && broken.err.contains("input.json"), "{}", broken.err);
        for wrong in ["input.a", "data", "data.x", "data.a.b[_]", "1 + 1"] {
            assert!(rule(wrong).is_err(), "{wrong}");
        }
    }
}
