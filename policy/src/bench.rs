//! What a decision costs: time, steps of the engine, and how both grow with the data.

mod grow;

use std::num::NonZeroU32;
use std::time::Duration;

use regorus::Engine;
use regorus::utils::limits::ExecutionTimerConfig;

use crate::compile::load;
use crate::evaluate::{Evaluator, Stopwatch, cpu_time, fenced};
use crate::fuse::{self, Largest, Sample};
use crate::gate::Purpose;
use crate::problem::LoadError;
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

/// What is measured, and for how long.
#[derive(Clone, Debug)]
pub struct BenchRun<'a> {
    /// A rule's full name, `data.postern.decision`.
    pub rule: &'a str,
    /// Name and JSON text of each input; without any, the recorded inputs of the policy or the largest requests.
    pub inputs: Vec<(String, String)>,
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
    /// Steps of the engine in one decision, the same each time; none above sixteen million.
    pub steps: Option<u32>,
    /// Why the decisions had no answer, where they had none.
    pub error: Option<Cause>,
}

/// Measures decisions, one after another on this thread.
pub fn bench(sources: &Sources, run: &BenchRun<'_>) -> Result<Bench, LoadError> {
    let samples = samples(sources, run)?;
    let engine = load(sources, Purpose::Queries)?.engine;
    let (large, grown) = match grow::tenfold(sources) {
        Ok((large, paths)) => match load(&large, Purpose::Queries) {
            Ok(prepared) => (Some(prepared.engine), Ok(paths)),
            Err(error) => (None, Err(format!("ten times the data is not loaded: {error}"))),
        },
        Err(why) => (None, Err(why.to_owned())),
    };
    let inputs = samples.into_iter().map(|sample| Benched {
        now: figures(&engine, run, &sample),
        tenfold: large.as_ref().map(|engine| figures(engine, run, &sample)),
        name: sample.name,
    });
    Ok(Bench { inputs: inputs.collect(), grown })
}

fn samples(sources: &Sources, run: &BenchRun<'_>) -> Result<Vec<Sample>, LoadError> {
    if run.inputs.is_empty() {
        return fuse::samples(sources, Largest::default());
    }
    let samples = run.inputs.iter().map(|(name, text)| fuse::sample(name, text));
    samples.collect::<Result<_, _>>().map_err(|problem| LoadError { problems: vec![*problem] })
}

fn figures(engine: &Engine, run: &BenchRun<'_>, sample: &Sample) -> Figures {
    let mut evaluator = Evaluator::new(engine, run.rule, run.fuse);
    let mut took = Vec::new();
    let mut decide = || {
        let before = cpu_time();
        let outcome = evaluator.evaluate(sample.input.clone(), sample.now);
        (cpu_time().saturating_sub(before), outcome.err())
    };
    let (first, error) = decide();
    if matches!(error, Some(Cause::Late { .. })) {
        // Asking again would only be late again.
        return Figures { decisions: 1, median: first, p99: first, steps: None, error };
    }
    for _ in 0..WARM {
        decide();
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
    Figures {
        decisions: took.len(),
        median: at(50),
        p99: at(99),
        steps: steps(engine, run.rule, sample),
        error,
    }
}

/// How many steps the engine's own fuse counts. It looks at the clock after so many steps, and with a fuse of no time at
/// all it ends there: a decision that goes through to its end has fewer steps than that.
fn steps(engine: &Engine, rule: &str, sample: &Sample) -> Option<u32> {
    let ends_before = |steps: u32| {
        let check_interval = NonZeroU32::new(steps)?;
        let mut engine = engine.clone();
        engine.set_execution_timer_config(ExecutionTimerConfig { limit: Duration::ZERO, check_interval });
        engine.set_input(sample.input.clone());
        let outcome = fenced(Duration::MAX, sample.now, || engine.eval_rule(rule.to_owned()));
        Some(!matches!(outcome, Err(Cause::Late { .. })))
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
            rule: "data.postern.decision",
            inputs: vec![("one.json".to_owned(), input.to_owned())],
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
    fn steps_are_the_same_each_time() {
        let rule = "decision if {\n\tsome n in data.list\n\tn == to_number(input.caller.id)\n}";
        assert_eq!(growth(rule), growth(rule));
    }

    #[test]
    fn a_decision_without_an_answer_says_why() {
        let failed = benched("decision if to_number(\"x\") == 1", &serde_json::json!({}));
        assert!(matches!(failed.inputs[0].now.error, Some(Cause::Error { .. })), "{failed:?}");
        assert!(failed.grown.is_err() && failed.inputs[0].tenfold.is_none());
    }
}
