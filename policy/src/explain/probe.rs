//! Questions to the engine about the clauses of a rule: rules of our own beside the author's, which hold when so many
//! of a clause's steps do, or whose value is what a reference has then.

use std::collections::BTreeSet;
use std::fmt::Write as _;

use regorus::{Engine, Value};

use super::clause::{Open, VALUE};
use super::read::{self, Reads};
use super::{Asker, Clause, How, Known, Policy, Stopped, Wanted, is_json};
use crate::compile::load_by;
use crate::gate::{Purpose, names};
use crate::sources::is_test;
use crate::translate::locals;
use crate::verdict::Cause;

/// What the rules of ours are called, before their number.
const NAME: &str = "postern_probe__";
/// What their modules are called, before their number.
const MODULE: &str = "postern-probe-";
/// How the name of one beside a test's ends.
const TEST: &str = "_test.rego";
/// How often questions that are refused are taken out before all are.
const TRIES: usize = 8;
/// Most values of one reference, of as many as a loop gives it, and most calls of a function that are followed.
const MOST: (usize, usize) = (1_000, 3);
/// Longest argument that is passed on, in bytes of JSON.
const LONGEST_ARGUMENT: usize = 2_000;

/// A question about the clause at a place of the list.
struct Question {
    clause: usize,
    text: String,
}

/// What became of each clause, and the rules that this hangs on.
pub(super) fn outcomes(policy: &Policy<'_>, asker: &Asker, open: &[Open<'_>]) -> (Vec<Clause>, Vec<Wanted>) {
    let held = steps_held(policy, asker, open);
    let mut next = Vec::new();
    let mut before = false;
    let mut hows = Vec::new();
    let mut details = Vec::new();
    for (at, clause) in open.iter().enumerate() {
        let skipped = clause.is_else && before;
        let how = match held.get(at) {
            _ if clause.default => How::Default { counts: false },
            _ if skipped => How::Passed,
            Some(Some((count, None))) if *count >= clause.steps.len() => How::Held,
            Some(Some((count, error))) => {
                details.push((at, *count));
                How::Stopped(stopped(policy, clause, *count, error.clone()))
            }
            Some(None) | None => How::Untold,
        };
        before = how == How::Held || skipped;
        if how == How::Held {
            details.extend((0..clause.steps.len()).map(|step| (at, step)));
        }
        hows.push(how);
    }
    let any = hows.contains(&How::Held);
    let unknown = hows.contains(&How::Untold);
    for how in &mut hows {
        if let How::Default { counts } = how {
            *counts = !any && !unknown;
        }
    }
    let told = values(policy, asker, open, &details);
    for ((at, _), (known, wanted)) in details.iter().zip(told) {
        if let Some(How::Stopped(stopped)) = hows.get_mut(*at) {
            stopped.values = known;
        }
        next.extend(wanted);
    }
    let clauses = open.iter().zip(hows).map(|(clause, how)| {
        let (line, _) = place(policy, clause, clause.begin.line, clause.begin.col);
        Clause { file: clause.begin.source.get_path().clone(), line, how }
    });
    (clauses.collect(), next)
}

fn place(policy: &Policy<'_>, clause: &Open<'_>, line: u32, column: u32) -> (u32, u32) {
    let author = policy.author(clause.index);
    policy.texts.get(clause.index).map_or((line, column), |text| text.restored(author, line, column))
}

fn stopped(policy: &Policy<'_>, clause: &Open<'_>, step: usize, error: Option<Cause>) -> Stopped {
    let (from, to) = clause.steps.get(step).map(|step| step.stands).unwrap_or_default();
    let author = policy.author(clause.index);
    let Some(text) = policy.texts.get(clause.index) else {
        return Stopped { line: 0, column: 0, text: String::new(), error, values: Vec::new() };
    };
    let (line, column) = text.placed(author, from);
    let written: Vec<&str> = text.written(author, from, to).split_whitespace().collect();
    let text = written.join(" ").chars().take(400).collect();
    Stopped { line, column, text, error, values: Vec::new() }
}

/// Of each clause, with how many of its steps it holds, and the error that the next one ends in, if it is one.
fn steps_held(policy: &Policy<'_>, asker: &Asker, open: &[Open<'_>]) -> Vec<Option<(usize, Option<Cause>)>> {
    let mut questions = Vec::new();
    for (at, clause) in open.iter().enumerate() {
        for count in 1..=clause.steps.len() {
            questions.push(Question { clause: at, text: format!("if {{\n{}}}", clause.before(count)) });
        }
    }
    let Some(bench) = Bench::of(policy, asker, open, &questions) else { return vec![None; open.len()] };
    let mut numbers = 0..;
    let outcome = |clause: &Open<'_>| {
        let mine: Vec<usize> = numbers.by_ref().take(clause.steps.len()).collect();
        for (count, (number, step)) in mine.into_iter().zip(&clause.steps).enumerate() {
            match bench.value(asker, number)? {
                Ok(Value::Bool(true)) => {}
                _ if step.only_declares() => {}
                Ok(_) => return Some((count, None)),
                // It is not known where the time for all of it ended first.
                Err(Cause::Late { .. }) if asker.deadline.is_over() => return None,
                Err(cause) => return Some((count, Some(here(cause)))),
            }
        }
        Some((clause.steps.len(), None))
    };
    open.iter().map(outcome).collect()
}

/// An error without the place of the question in which it came about: the statement has one of its own.
fn here(cause: Cause) -> Cause {
    let told = |detail: String| match detail.strip_prefix(MODULE).and_then(|rest| rest.split_once(": ")) {
        Some((_, why)) => why.to_owned(),
        None => detail,
    };
    match cause {
        Cause::Error { detail } => Cause::Error { detail: told(detail) },
        Cause::Conflict { detail } => Cause::Conflict { detail: told(detail) },
        cause => cause,
    }
}

/// What steps read, with the values, and the rules and calls among it.
fn values(
    policy: &Policy<'_>,
    asker: &Asker,
    open: &[Open<'_>],
    steps: &[(usize, usize)],
) -> Vec<(Vec<Known>, Vec<Wanted>)> {
    let mut questions = Vec::new();
    let mut all: Vec<Reads> = Vec::new();
    for (at, step) in steps {
        let Some((clause, what)) =
            open.get(*at).and_then(|clause| Some((clause, clause.steps.get(*step)?.what)))
        else {
            all.push(Reads::default());
            continue;
        };
        let reads = read::of_step(policy, clause, what, &clause.bound(*step));
        let before = clause.before(*step);
        let mut ask = |expression: &str| {
            let text = format!(":= [{VALUE}read | {before}{VALUE}read := {expression}\n]");
            questions.push(Question { clause: *at, text });
        };
        reads.values.iter().for_each(|asked| ask(&asked.text));
        for (_, arguments) in &reads.calls {
            ask(&format!("[{}]", arguments.join(", ")));
        }
        all.push(reads);
    }
    let bench = Bench::of(policy, asker, open, &questions);
    let mut numbers = 0..;
    let mut answer = || {
        let number = numbers.next()?;
        several(bench.as_ref()?.value(asker, number)?.ok()?)
    };
    let told = all.into_iter().map(|reads| {
        let mut known = Vec::new();
        for asked in reads.values {
            known.extend(answer().map(|values| Known::of(locals::own(&asked.name), &values)));
        }
        let rules = reads.rules.into_iter().map(|path| Wanted { path, arguments: None });
        let mut wanted: Vec<Wanted> = rules.collect();
        for (path, _) in reads.calls {
            for arguments in answer().into_iter().flatten().take(MOST.1) {
                let Value::Array(arguments) = &arguments else { continue };
                let short = serde_json::to_string(arguments.as_ref())
                    .is_ok_and(|text| text.len() <= LONGEST_ARGUMENT);
                if short && arguments.iter().all(is_json) {
                    let arguments = Some(arguments.iter().cloned().collect());
                    wanted.push(Wanted { path: path.clone(), arguments });
                }
            }
        }
        (known, wanted)
    });
    told.collect()
}

/// The different values of a list, in order.
fn several(value: Value) -> Option<Vec<Value>> {
    let Value::Array(values) = value else { return None };
    let mut seen = BTreeSet::new();
    Some(values.iter().take(MOST.0).filter(|value| seen.insert((*value).clone())).cloned().collect())
}

/// An engine with the questions in it.
struct Bench {
    engine: Engine,
    /// The full name of each; none where it was refused.
    paths: Vec<Option<Vec<String>>>,
}

impl Bench {
    /// Loads all questions; those that are refused are taken out.
    fn of(policy: &Policy<'_>, asker: &Asker, open: &[Open<'_>], questions: &[Question]) -> Option<Self> {
        let mut refused: BTreeSet<usize> = BTreeSet::new();
        for _ in 0..TRIES {
            let mut written = Written::default();
            for (number, question) in questions.iter().enumerate() {
                if !refused.contains(&number) {
                    written.add(open, number, question);
                }
            }
            let sources = written.modules.iter().fold(policy.sources.clone(), |sources, (index, text, _)| {
                sources.with_module(&name(policy, *index), text)
            });
            match load_by(&sources, Purpose::Questions, &asker.deadline) {
                Ok(prepared) => {
                    let engine = prepared.engine;
                    let paths = questions.iter().enumerate().map(|(number, question)| {
                        let clause = open.get(question.clause).filter(|_| !refused.contains(&number))?;
                        Some(
                            names::package(clause.module)
                                .into_iter()
                                .chain([format!("{NAME}{number}")])
                                .collect(),
                        )
                    });
                    let paths = paths.collect();
                    return Some(Self { engine, paths });
                }
                Err(error) => {
                    let found =
                        error.problems.iter().filter_map(|problem| written.at(&problem.file, problem.line));
                    let before = refused.len();
                    refused.extend(found);
                    if refused.len() == before {
                        return None;
                    }
                }
            }
        }
        None
    }

    /// The value of a question; none where it was refused.
    fn value(&self, asker: &Asker, number: usize) -> Option<Result<Value, Cause>> {
        let path = self.paths.get(number)?.as_ref()?;
        Some(asker.value_in(&self.engine, path))
    }
}

/// What the module of questions beside this one is called: in a test's a `with` may stand that may stand nowhere else.
fn name(policy: &Policy<'_>, index: usize) -> String {
    let of = policy.modules.get(index).map(|module| module.package.span.source.get_path().as_str());
    format!("{MODULE}{index}{}", if of.is_some_and(is_test) { TEST } else { "" })
}

/// Place of an author's module in the list, the text of the one beside it, and at which line each question begins.
type Beside = (usize, String, Vec<(u32, usize)>);

/// The text of the questions: a module beside each that has some, and at which line each question begins.
#[derive(Default)]
struct Written {
    modules: Vec<Beside>,
}

impl Written {
    fn add(&mut self, open: &[Open<'_>], number: usize, question: &Question) {
        let Some(clause) = open.get(question.clause) else { return };
        let at = self.modules.iter().position(|(index, ..)| *index == clause.index);
        let at = at.unwrap_or_else(|| {
            self.modules.push((clause.index, clause.head(), Vec::new()));
            self.modules.len() - 1
        });
        if let Some((_, text, lines)) = self.modules.get_mut(at) {
            let line = u32::try_from(text.matches('\n').count() + 1).unwrap_or(u32::MAX);
            lines.push((line, number));
            // Writing to a `String` cannot fail.
            let _written = writeln!(text, "{NAME}{number} {}", question.text);
        }
    }

    /// The question at a line of a module.
    fn at(&self, file: &str, line: u32) -> Option<usize> {
        let index: usize = file.strip_prefix(MODULE)?.trim_end_matches(TEST).parse().ok()?;
        let (.., lines) = self.modules.iter().find(|(of, ..)| *of == index)?;
        lines.iter().rev().find(|(begin, _)| *begin <= line).map(|(_, number)| *number)
    }
}

impl Open<'_> {
    /// Package and imports, as its author has them.
    fn head(&self) -> String {
        let mut package = names::package(self.module).into_iter().skip(1);
        let mut text = format!("package {}", package.next().unwrap_or_default());
        text.extend(package.map(|member| format!("[{}]", Value::from(member))));
        text.push('\n');
        for import in &self.module.imports {
            text.push_str(import.span.text());
            text.push('\n');
        }
        text
    }

    /// What binds its arguments, and so many of its steps, a line or more for each.
    fn before(&self, count: usize) -> String {
        let steps = self.steps.iter().take(count).map(|step| step.text.as_str());
        let mut text = String::new();
        for line in self.arguments.iter().map(String::as_str).chain(steps) {
            text.push_str(line);
            text.push('\n');
        }
        text
    }

    /// Names that have a value once so many of its steps hold.
    fn bound(&self, count: usize) -> BTreeSet<String> {
        let arguments =
            self.arguments.iter().filter_map(|text| text.split_once(" := ")).map(|(name, _)| name);
        let given = self.steps.iter().take(count).flat_map(|step| step.gives.iter().map(String::as_str));
        arguments.chain(given).map(str::to_owned).collect()
    }
}
