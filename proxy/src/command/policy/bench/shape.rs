use std::fmt::Write as _;
use std::time::Duration;

use postern_policy::{Bench, Benched, Figures};
use serde_json::{Value, json};

use super::{By, print};

pub(super) fn json(query: &str, bench: &Bench, by: &Result<By, String>) -> Value {
    json!({
        "query": query,
        "results": bench.inputs.iter().map(result).collect::<Vec<_>>(),
        "grown": bench.grown.as_ref().ok(),
        "not_grown": bench.grown.as_ref().err(),
        "counted_by": by.as_ref().ok().map(|by| match by {
            By::Cpu => "cpu",
            By::Valgrind => "valgrind",
        }),
        "not_counted": by.as_ref().err(),
    })
}

fn result(input: &Benched) -> Value {
    let mut result = figures(&input.now);
    if let Some(members) = result.as_object_mut() {
        members.insert("input".to_owned(), input.name.as_str().into());
        members.insert("tenfold".to_owned(), input.tenfold.as_ref().map(figures).into());
    }
    result
}

fn figures(figures: &Figures) -> Value {
    let nanos = |time: Duration| u64::try_from(time.as_nanos()).unwrap_or(u64::MAX);
    json!({
        "decisions": figures.decisions,
        "median_ns": nanos(figures.median),
        "p99_ns": nanos(figures.p99),
        "instructions": figures.instructions,
        "steps": figures.steps,
        "defined": figures.defined,
        "error": figures.error.as_ref().map(|error| json!({"message": error.to_string(), "code": print::code(error)})),
    })
}

/// A line for each input and size of data: the median, and beside it what Go has no unit for.
pub(super) fn gobench(bench: &Bench) -> String {
    let line = |name: String, figures: &Figures| {
        let name: String = name.chars().map(|c| if c.is_whitespace() { '_' } else { c }).collect();
        let steps = figures.steps.map_or_else(String::new, |steps| format!("\t{steps} steps/op"));
        let instructions =
            figures.instructions.map_or_else(String::new, |all| format!("\t{all} instructions/op"));
        let (median, p99) = (figures.median.as_nanos(), figures.p99.as_nanos());
        format!(
            "BenchmarkPolicy/{name}\t{}\t{median} ns/op\t{p99} p99-ns/op{steps}{instructions}\n",
            figures.decisions
        )
    };
    let both = |input: &Benched| {
        let tenfold = input.tenfold.as_ref().map(|figures| line(format!("{}/data_x10", input.name), figures));
        line(input.name.clone(), &input.now) + &tenfold.unwrap_or_default()
    };
    bench.inputs.iter().map(both).collect()
}

pub(super) fn pretty(query: &str, bench: &Bench, by: &Result<By, String>) -> String {
    let mut text = format!("{query}\n");
    for input in &bench.inputs {
        let _written = write!(text, "\n{}\n  {}", input.name, line(&input.now));
        if let Some(tenfold) = &input.tenfold {
            let _written = write!(text, "\n  {}, data x10", line(tenfold));
        }
        text.push('\n');
    }
    text.push('\n');
    let _written = match &bench.grown {
        Ok(paths) => writeln!(text, "grown: {}", paths.join(" ")),
        Err(why) => writeln!(text, "not grown: {why}"),
    };
    let _written = match by {
        Ok(By::Cpu) => writeln!(text, "instructions: counted by the CPU"),
        Ok(By::Valgrind) => writeln!(text, "instructions: counted by valgrind"),
        Err(why) => writeln!(text, "instructions: not counted: {why}"),
    };
    text
}

fn line(figures: &Figures) -> String {
    let (median, p99) = (print::duration(figures.median), print::duration(figures.p99));
    let steps =
        figures.steps.map_or_else(|| "steps not counted".to_owned(), |steps| format!("{steps} steps"));
    // Why they are not counted is said once.
    let instructions = figures.instructions.map_or_else(String::new, |all| format!("{all} instructions, "));
    let undefined = if figures.defined { "" } else { ", undefined" };
    let error = figures.error.as_ref().map_or_else(String::new, |error| format!(", no answer: {error}"));
    format!(
        "median {median}, p99 {p99}, {instructions}{steps}, {} decisions{undefined}{error}",
        figures.decisions
    )
}
