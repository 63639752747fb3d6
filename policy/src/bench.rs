//! What a decision costs: time, instructions, steps of the engine, and how they grow with the data.

mod cpu;
mod grow;

use std::num::NonZeroU32;
use std::time::Duration;

use regorus::utils::limits::ExecutionTimerConfig;
use regorus::{Engine, Value};

use crate::ask::{ASKED, check_query};
use crate::compile::load_by;
use crate::deadline::Deadline;
use crate::evaluate::{Evaluator, Stopwatch, cpu_time, fenced};
use crate::fuse::{self, Largest, Sample};
use crate::gate::Purpose;
use crate::gate::names::Names;
use crate::input::Recorded;
use crate::problem::{LoadError, Problem};
use crate::sources::Sources;
use crate::verdict::Cause;

/// Decisions before anything is counted.
const WARM: usize = 10;
/// Fewest decisions that figures are made of, unless they take ten times as long as was asked for.
const FEWEST: usize = 20;
/// Most decisions that figures are made of.
const MOST: usize = 100_000;
/// Most steps that are counted.
const MOST_STEPS: u32 = 1 << 24;
/// How long the CPU's instructions are counted for one figure.
const COUNTED: Duration = Duration::from_millis(10);
/// Longest time for the load of what is measured.
const LOADED: Duration = Duration::from_secs(20);

/// What is measured, and for how long.
#[derive(Clone, Debug)]
pub struct BenchRun<'a> {
    /// A rule's full name, `data.postern.decision`, or any other query.
    pub query: &'a str,
    /// Each input with its name; without any, the recorded inputs of the policy or the largest requests.
    pub inputs: Vec<(String, Recorded)>,
    /// The limits that make the largest requests.
    pub largest: Largest,
    /// How long each input is judged, again and again.
    pub time: Duration,
    /// Longest time of one decision.
    pub fuse: Duration,
}

/// What decisions cost.
#[derive(Clone, Debug)]
pub struct Bench {
    /// Each input in order.
    pub inputs: Vec<Benched>,
    /// The collections that were made ten times as large, `data.bindings`; or why none was.
    pub grown: Result<Vec<String>, String>,
    /// Why the CPU counted no instructions, or not all.
    pub not_counted: Option<String>,
}

/// What the decisions over one input cost.
#[derive(Clone, Debug)]
pub struct Benched {
    /// Its name.
    pub name: String,
    /// With the data as it is.
    pub now: Figures,
    /// With ten times the data.
    pub tenfold: Option<Figures>,
}

/// The figures of one input and one size of data.
#[derive(Clone, Debug)]
pub struct Figures {
    /// How many decisions they are made of.
    pub decisions: usize,
    /// Half of the decisions took less CPU time.
    pub median: Duration,
    /// All but one of a hundred took less CPU time.
    pub p99: Duration,
    /// Instructions of the CPU in one decision, in user space, on average; none where the CPU does not count them.
    pub instructions: Option<u64>,
    /// Steps of the engine in one decision, the same each time; none above sixteen million.
    pub steps: Option<u32>,
    /// Whether there was an answer to have: else it is undefined.
    pub defined: bool,
    /// Why the decisions had no answer, where they had none.
    pub error: Option<Cause>,
}

impl Figures {
    /// How many decisions take about so long, at least two and at most a thousand.
    #[must_use]
    pub fn decisions_in(&self, time: Duration) -> usize {
        let times = time.as_nanos() / self.median.as_nanos().max(1);
        usize::try_from(times).unwrap_or(usize::MAX).clamp(2, 1000)
    }
}

/// Decisions over one input and nothing else, for a meter that stands outside of the process.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Repeat {
    /// Which of the inputs, from 0.
    pub input: usize,
    /// Whether with ten times the data.
    pub tenfold: bool,
    /// How many decisions, after one over each input.
    pub times: usize,
}

/// Measures decisions, one after another on this thread.
pub fn bench(sources: &Sources, run: &BenchRun<'_>) -> Result<Bench, LoadError> {
    let (asked, engine) = Asked::of(sources, run, LOADED)?;
    let (large, grown) = match grow::tenfold(sources) {
        Ok((large, paths)) => match asked.engine(&large) {
            Ok(engine) => (Some(engine), Ok(paths)),
            Err(error) => (None, Err(format!("ten times the data is not loaded: {error}"))),
        },
        Err(why) => (None, Err(why.to_owned())),
    };
    let mut not_counted = None;
    let mut inputs = Vec::new();
    for sample in samples(sources, run)? {
        let mut figures = |engine| {
            let (figures, why) = figures(engine, asked.rule, run, &sample);
            not_counted = not_counted.take().or(why);
            figures
        };
        let (now, tenfold) = (figures(&engine), large.as_ref().map(&mut figures));
        inputs.push(Benched { name: sample.name, now, tenfold });
    }
    Ok(Bench { inputs, grown, not_counted })
}

/// Decides as [`bench`] does, once over each input and then as often as is said. `run.fuse` is also the longest time for
/// the load.
pub fn repeat(sources: &Sources, run: &BenchRun<'_>, repeat: Repeat) -> Result<(), LoadError> {
    let refused =
        |why: &str| LoadError { problems: vec![Problem::of("", "bench", why, "what `bench` measures")] };
    let large;
    let measured = if repeat.tenfold {
        large = grow::tenfold(sources).map_err(refused)?.0;
        &large
    } else {
        sources
    };
    let (asked, engine) = Asked::of(measured, run, run.fuse)?;
    let samples = samples(sources, run)?;
    let one = samples.get(repeat.input).ok_or_else(|| refused("has no such input"))?;
    let mut evaluator = Evaluator::new(&engine, asked.rule, run.fuse);
    for sample in samples.iter().chain(std::iter::repeat_n(one, repeat.times)) {
        // An error is an outcome too, and costs what it costs.
        drop(evaluator.evaluate(sample.input.clone(), sample.now));
    }
    Ok(())
}

/// How a query is asked: by the name of a rule, its own or that of one around it.
struct Asked<'a> {
    rule: &'a str,
    /// The module with the rule around it.
    around: Option<String>,
    /// Longest time for a load.
    patience: Duration,
}

impl<'a> Asked<'a> {
    /// With the engine that is asked so.
    fn of(sources: &Sources, run: &BenchRun<'a>, patience: Duration) -> Result<(Self, Engine), LoadError> {
        let mut engine = load_by(sources, Purpose::Queries, &Deadline::after(patience))?.engine;
        let name: Vec<String> = run.query.split('.').map(str::to_owned).collect();
        if Names::of(engine.get_modules()).rules.contains(&name) {
            return Ok((Self { rule: run.query, around: None, patience }, engine));
        }
        check_query(sources, run.query)?;
        let asked = Self { rule: ASKED, around: Some(as_rule(run.query)), patience };
        let engine = asked.engine(sources)?;
        Ok((asked, engine))
    }

    /// One that is asked so of other data.
    fn engine(&self, sources: &Sources) -> Result<Engine, LoadError> {
        let mut sources = sources.clone();
        if let Some(text) = &self.around {
            sources = sources.with_module("query", text);
        }
        Ok(load_by(&sources, Purpose::Queries, &Deadline::after(self.patience))?.engine)
    }
}

/// A rule that goes through all answers of a query; it is undefined where there is none.
fn as_rule(query: &str) -> String {
    format!("package postern_query\n\npostern_asked := true if [true |\n{query}\n] != []\n")
}

fn samples(sources: &Sources, run: &BenchRun<'_>) -> Result<Vec<Sample>, LoadError> {
    if run.inputs.is_empty() {
        return fuse::samples(sources, run.largest);
    }
    Ok(run.inputs.iter().map(|(name, input)| Sample::of(name, input)).collect())
}

/// The figures, and why the CPU counted no instructions.
fn figures(engine: &Engine, rule: &str, run: &BenchRun<'_>, sample: &Sample) -> (Figures, Option<String>) {
    let mut evaluator = Evaluator::new(engine, rule, run.fuse);
    let mut took = Vec::new();
    let mut decide = || {
        let before = cpu_time();
        let outcome = evaluator.evaluate(sample.input.clone(), sample.now);
        (cpu_time().saturating_sub(before), outcome)
    };
    let (first, outcome) = decide();
    let (defined, error) = (!matches!(outcome, Ok(Value::Undefined)), outcome.err());
    if matches!(error, Some(Cause::Late { .. })) {
        // Asking again would only be late again.
        let (decisions, instructions, steps) = (1, None, None);
        return (Figures { decisions, median: first, p99: first, instructions, steps, defined, error }, None);
    }
    for _ in 0..WARM {
        drop(decide());
    }
    let watch = Stopwatch::start();
    while took.len() < MOST {
        let elapsed = watch.elapsed();
        let enough = if took.len() < FEWEST { run.time.saturating_mul(10) } else { run.time };
        if elapsed >= enough && !took.is_empty() {
            break;
        }
        took.push(decide().0);
    }
    took.sort_unstable();
    let at =
        |percent: usize| took.get(took.len().saturating_sub(1) * percent / 100).copied().unwrap_or_default();
    let mut figures = Figures {
        decisions: took.len(),
        median: at(50),
        p99: at(99),
        instructions: None,
        steps: steps(engine, rule, sample),
        defined,
        error,
    };
    let times = figures.decisions_in(COUNTED);
    let counted = cpu::instructions(|| (0..times).for_each(|_| drop(decide())));
    figures.instructions = counted.as_ref().ok().map(|all| all / times as u64);
    (figures, counted.err())
}

/// How many steps the engine's own fuse counts. It looks at the clock after so many steps, and with a fuse of no time at
/// all it ends there: a decision that comes out as without a fuse has fewer steps than that. Functions give the engine's
/// error on in words of their own, so that it is not looked for.
fn steps(engine: &Engine, rule: &str, sample: &Sample) -> Option<u32> {
    let outcome = |config: ExecutionTimerConfig| {
        let mut engine = engine.clone();
        engine.set_execution_timer_config(config);
        engine.set_input(sample.input.clone());
        fenced(Duration::MAX, sample.now, || engine.eval_rule(rule.to_owned()))
    };
    let whole = outcome(ExecutionTimerConfig { limit: Duration::MAX, check_interval: NonZeroU32::MAX });
    let ends_before = |steps: u32| {
        let check_interval = NonZeroU32::new(steps)?;
        Some(outcome(ExecutionTimerConfig { limit: Duration::ZERO, check_interval }) == whole)
    };
    let mut most = 64_u32;
    while !ends_before(most)? {
        most = most.checked_mul(2).filter(|most| *most <= MOST_STEPS)?;
    }
    let mut least = 0;
    while most - least > 1 {
        let middle = least + (most - least) / 2;
        if ends_before(middle)? { most = middle } else { least = middle }
    }
    Some(least)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn benched(rule: &str, data: &serde_json::Value) -> Bench {
        let text = format!("package postern\n\ndefault decision := false\n\n{rule}\n");
        let sources =
            Sources::from_modules([("main.rego", text.as_str())], [("", data.to_string().as_str())]);
        let input = r#"{"caller": {"id": "7"}, "now": 7}"#;
        let run = BenchRun {
            query: "data.postern.decision",
            inputs: vec![("one.json".to_owned(), Recorded::parse(input).unwrap())],
            largest: Largest::default(),
            time: Duration::from_millis(20),
            fuse: Duration::from_secs(5),
        };
        bench(&sources, &run).unwrap_or_else(|error| panic!("{error}"))
    }

    /// Steps with the data as it is, and with ten times of it.
    fn growth(rule: &str) -> (u32, u32) {
        let keyed: serde_json::Map<_, _> =
            (0..100).map(|n| (n.to_string(), serde_json::json!({"a": n}))).collect();
        let data = serde_json::json!({"list": (1000..1100).collect::<Vec<_>>(), "keyed": keyed});
        let bench = benched(rule, &data);
        assert_eq!(bench.grown.as_deref(), Ok(&["data.keyed".to_owned(), "data.list".to_owned()][..]));
        let one = &bench.inputs[0];
        assert!(
            one.now.decisions >= 1 && one.now.median <= one.now.p99 && one.now.error.is_none(),
            "{one:?}"
        );
        (one.now.steps.unwrap(), one.tenfold.as_ref().unwrap().steps.unwrap())
    }

    #[test]
    fn a_search_grows_with_the_data_and_a_lookup_does_not() {
        let (now, tenfold) =
            growth("decision if {\n\tsome n in data.list\n\tn == to_number(input.caller.id)\n}");
        assert!(now > 100 && tenfold > now * 8 && tenfold < now * 12, "{now} and {tenfold} steps");

        let (now, tenfold) = growth("decision if data.keyed[input.caller.id].a == 7");
        assert!(now > 0 && now == tenfold, "{now} and {tenfold} steps");
    }

    #[test]
    fn steps_within_functions_are_counted() {
        let search = "some n in data.list\n\tn == to_number(input.caller.id)";
        let (alone, _) = growth(&format!("decision if {{\n\t{search}\n}}"));
        let (within, tenfold) = growth(&format!("decision if found(1)\n\nfound(_) if {{\n\t{search}\n}}"));
        assert!(within > alone && within < alone + 20, "{within} and {alone} steps");
        assert!(tenfold > within * 8, "{tenfold} steps");
    }

    #[test]
    fn steps_are_the_same_each_time() {
        let rule = "decision if {\n\tsome n in data.list\n\tn == to_number(input.caller.id)\n}";
        assert_eq!(growth(rule), growth(rule));
    }

    #[test]
    fn a_query_is_measured_to_its_last_answer_and_may_be_undefined() {
        let text = "package a\n\nx := data.list[_] == 1\n";
        let list = |size: usize| {
            let data = serde_json::json!({"list": (0..size).collect::<Vec<_>>()}).to_string();
            Sources::from_modules([("a.rego", text)], [("", data.as_str())])
        };
        let asked = |sources: &Sources, query: &str| {
            let inputs = vec![("one.json".to_owned(), Recorded::parse("{}").unwrap())];
            let (time, fuse) = (Duration::from_millis(5), Duration::from_secs(5));
            let largest = Largest::default();
            bench(sources, &BenchRun { query, inputs, largest, time, fuse })
                .map(|bench| bench.inputs[0].now.clone())
        };
        let steps = |size| asked(&list(size), "data.list[_] >= 0; true").unwrap().steps.unwrap();
        assert!(steps(100) > 8 * steps(10), "{} and {}", steps(100), steps(10));
        for (query, defined) in
            [("data.list[_] > 5", true), ("data.list[_] > 50", false), ("data.a.none", false)]
        {
            let figures = asked(&list(10), query).unwrap();
            assert_eq!((figures.defined, figures.error), (defined, None), "{query}");
        }
        let refused = asked(&list(10), "x := http.send({})").unwrap_err();
        assert_eq!((refused.problems[0].file.as_str(), refused.problems[0].line), ("query", 1));
    }

    #[test]
    fn a_decision_without_an_answer_says_why() {
        let failed = benched("decision if to_number(\"x\") == 1", &serde_json::json!({}));
        assert!(matches!(failed.inputs[0].now.error, Some(Cause::Error { .. })), "{failed:?}");
        assert!(failed.grown.is_err() && failed.inputs[0].tenfold.is_none());
    }
}
