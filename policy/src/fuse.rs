//! A policy goes live only when it stays within its fuse: on the inputs that it brings, and where it brings none, on the
//! largest requests that the proxy lets through.
//!
//! What is compared with the fuse is CPU time, the best of three, so that a busy machine refuses nothing.

mod recorded;
mod worst;

use std::time::Duration;

use regorus::Value;

use crate::compile::PolicySet;
use crate::deadline::Deadline;
use crate::evaluate::cpu_time;
use crate::input::{Facts as _, Recorded};
use crate::problem::{LoadError, Problem};
use crate::scans;
use crate::sources::Sources;
use crate::verdict::Cause;
pub use worst::Largest;

/// Inputs above the fuse that are told; the others are not judged any more.
const MOST: usize = 3;
/// How often an input is judged before it counts as too dear.
const TRIES: usize = 3;
/// So many fuses long no other load of the machine makes a decision.
const FAR: u32 = 3;
/// Shortest time after which a decision is cut off, however short its fuse: another load may hold it up.
const PATIENCE: Duration = Duration::from_millis(500);
const INSTEAD: &str = "fewer members to go through: `postern policy check` says which loops are long, `postern policy bench` \
                       what a decision takes";

/// An input document, what it is called, and the time it is of.
pub(crate) struct Sample {
    pub(crate) name: String,
    pub(crate) input: Value,
    pub(crate) now: Option<u64>,
}

/// Judges the recorded inputs of a policy, or the largest requests where there are none. Refused, each with the time it
/// took, are those above the policy's fuse, inputs that are no input documents, and what is not judged by the deadline.
pub(crate) fn endure(
    policy: &PolicySet,
    sources: &Sources,
    largest: Largest,
    deadline: &Deadline,
) -> Result<(), LoadError> {
    let samples = samples(sources, largest)?;
    let mut problems = Vec::new();
    for (index, sample) in samples.iter().enumerate() {
        match took(policy, sample, deadline) {
            Took::Within => {}
            Took::Longer(time) => problems.push(problem(policy, sample, time)),
            Took::Unknown => {
                let (all, left) = (deadline.whole(), samples.len() - index);
                let why =
                    format!("were not judged, {left} of them: the policy took longer than {all:?} in all");
                problems.push(Problem::of("", "inputs", why, "fewer of them, or of its tests"));
                break;
            }
        }
        if problems.len() >= MOST {
            break;
        }
    }
    if problems.is_empty() { Ok(()) } else { Err(LoadError { problems }) }
}

/// What a policy is judged by.
pub(crate) fn samples(sources: &Sources, largest: Largest) -> Result<Vec<Sample>, LoadError> {
    if sources.inputs.is_empty() {
        return Ok(worst::requests(largest));
    }
    let (mut samples, mut problems) = (Vec::new(), Vec::new());
    for (name, text) in &sources.inputs {
        match sample(name, text) {
            Ok(sample) => samples.push(sample),
            Err(found) => problems.extend(found),
        }
    }
    if problems.is_empty() { Ok(samples) } else { Err(LoadError { problems }) }
}

/// One recorded input.
fn sample(name: &str, text: &str) -> Result<Sample, Vec<Problem>> {
    let problem =
        |why: String| vec![Problem::of(name, "input", why, "one input document in JSON").at_said(text)];
    let input = Recorded::parse(text).map_err(|error| problem(error.to_string()))?;
    let problems = recorded::problems(name, input.json());
    if problems.is_empty() { Ok(Sample::of(name, &input)) } else { Err(problems) }
}

/// What an input has that no request has, or lacks that every one has; none where it may be one that was recorded.
#[must_use]
pub fn unlike_recorded(input: &serde_json::Value) -> Option<Problem> {
    recorded::problems("input", input).into_iter().next()
}

impl Sample {
    pub(crate) fn of(name: &str, input: &Recorded) -> Self {
        Self { name: name.to_owned(), input: input.document().into_value(), now: input.now() }
    }
}

/// How long the judging of an input took, beside the fuse.
enum Took {
    Within,
    /// The least time that it took, where none of the tries was within the fuse.
    Longer(Duration),
    /// The deadline came first.
    Unknown,
}

fn took(policy: &PolicySet, sample: &Sample, deadline: &Deadline) -> Took {
    let fuse = policy.fuse();
    let (mut best, mut patience) = (None, fuse.saturating_mul(FAR + 1).max(PATIENCE));
    for _ in 0..TRIES {
        let left = deadline.left();
        if left.is_zero() {
            break;
        }
        let mut evaluator = policy.evaluator_within(patience.min(left));
        let before = cpu_time();
        let outcome = evaluator.evaluate(sample.input.clone(), sample.now);
        let took = cpu_time().saturating_sub(before);
        let cut = matches!(outcome, Err(Cause::Late { .. }));
        if took > fuse {
            best = Some(best.map_or(took, |best: Duration| best.min(took)));
        } else if !cut {
            // What the decision is, and whether it is one, is not asked here.
            return Took::Within;
        }
        if took > fuse.saturating_mul(FAR) {
            break;
        }
        // A machine that left it hardly any time is given more of it.
        patience = patience.saturating_mul(4);
    }
    match best {
        Some(best) => Took::Longer(best),
        None if deadline.is_over() => Took::Unknown,
        None => Took::Longer(fuse),
    }
}

fn problem(policy: &PolicySet, sample: &Sample, took: Duration) -> Problem {
    let mut engine = policy.engine();
    let modules = engine.get_modules().clone();
    let dearest = scans::dearest(&modules, &engine.get_data(), &sample.input);
    let dearest = dearest.map_or_else(String::new, |scan| format!("; {scan}"));
    let fuse = policy.fuse();
    let took = Duration::from_micros(u64::try_from(took.as_micros()).unwrap_or(u64::MAX));
    let why = format!("takes {took:?} or longer, and `policy.fuse` is {fuse:?}{dearest}");
    Problem::of("", &sample.name, why, INSTEAD)
}

#[cfg(test)]
mod tests;
