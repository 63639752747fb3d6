//! Why a decision is what it is: the clauses that held, those that did not, the statement at which each stopped, and
//! the values that it read.
//!
//! Nothing is taken from how the engine went about it, which orders statements as it likes. A clause stops at the
//! first statement, in the order of its author, with which all before it cannot hold together; that is asked of the
//! engine as a question of its own, under the same input, and so are the values. What cannot be asked is left out.

mod clause;
mod probe;
mod read;
pub(crate) mod text;

use std::collections::BTreeSet;
use std::time::Duration;

use regorus::unstable::{Module, Ref, Rule as Parsed};
use regorus::{Engine, Value};

use crate::ask::AskError;
use crate::compile::load_by;
use crate::deadline::Deadline;
use crate::document::Document;
use crate::evaluate::{arm, fenced};
use crate::gate::Purpose;
use crate::gate::names::{self, Names, Path};
use crate::sources::Sources;
use crate::translate::Translated;
use crate::trial::only_value;
use crate::verdict::{self, Cause, Refusal, Verdict};

/// Most clauses that are looked at, and how many rules deep.
const MOST: (usize, usize) = (200, 12);
/// Longest time of one explanation, with all that is loaded for it.
const ALL: Duration = Duration::from_secs(30);
/// Longest value that is shown whole, in bytes of JSON.
const LONGEST: usize = 200;

/// Why a decision is what it is.
#[derive(Clone, Debug, PartialEq)]
pub struct Explanation {
    /// The decision.
    pub verdict: Verdict,
    /// The entrypoint, and below it each rule that its outcome hangs on, once for each list of arguments.
    pub rules: Vec<Rule>,
    /// Whom the policy's annotations name for those that it refuses.
    pub contact: Option<String>,
    /// Whether all of them are here: there is a limit to rules and time.
    pub whole: bool,
}

/// One rule or function.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rule {
    /// Its full name.
    pub name: String,
    /// What it was called with, where it is a function.
    pub arguments: Option<Vec<Known>>,
    /// Its value; none where it is undefined, or a function.
    pub value: Option<Known>,
    /// Its clauses, in the order of the files.
    pub clauses: Vec<Clause>,
}

/// One clause of a rule.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Clause {
    /// The module it stands in.
    pub file: String,
    /// Where it begins, from 1; for an `else`, where that one's body begins.
    pub line: u32,
    /// What became of it.
    pub how: How,
}

/// What became of a clause.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum How {
    /// All of it held.
    Held,
    /// It is the default.
    Default {
        /// Whether it is what counts, since no other clause held.
        counts: bool,
    },
    /// It is an `else`, and what stands before it held.
    Passed,
    /// It did not hold.
    Stopped(Stopped),
    /// It is not known: a question about it was refused.
    Untold,
}

/// The statement at which a clause did not hold.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stopped {
    /// Where it begins, from 1.
    pub line: u32,
    /// Where it begins, from 1.
    pub column: u32,
    /// What its author wrote.
    pub text: String,
    /// Why it has no value, where that is the reason.
    pub error: Option<Cause>,
    /// What it read.
    pub values: Vec<Known>,
}

/// Something that was read, and its value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Known {
    /// As the author wrote it, or nearly.
    pub name: String,
    /// Its value as JSON; none where it is undefined. A set is a list.
    pub value: Option<String>,
    /// Whether the value is whole: a long one is shortened.
    pub whole: bool,
    /// How many other values it had, where a loop gave it several.
    pub others: usize,
}

/// Explains one decision. `fuse` bounds each question to the engine; all of it ends within 30 s.
pub fn explain(
    sources: &Sources,
    entrypoint: &str,
    input: Document,
    now: Option<u64>,
    fuse: Duration,
) -> Result<Explanation, AskError> {
    explain_by(Deadline::after(ALL), sources, entrypoint, (input, now), fuse)
}

fn explain_by(
    deadline: Deadline,
    sources: &Sources,
    entrypoint: &str,
    (input, now): (Document, Option<u64>),
    fuse: Duration,
) -> Result<Explanation, AskError> {
    let prepared = load_by(sources, Purpose::Decisions(entrypoint.to_owned()), &deadline)?;
    let (mut engine, contact) = (prepared.engine, prepared.contact);
    let modules = engine.get_modules().clone();
    let names = Names::of(&modules);
    let policy = Policy { sources, modules: &modules, texts: &prepared.texts, names: &names };
    let mut asker = Asker { engine, input: input.into_value(), now, fuse, deadline };
    let entry: Path = entrypoint.split('.').map(str::to_owned).collect();
    let verdict = match asker.value(&entry) {
        Ok(value) => verdict::read(&value),
        Err(cause) => Verdict::Deny(Refusal::because(cause)),
    };
    let mut story =
        Story { policy: &policy, asker: &mut asker, told: BTreeSet::new(), rules: Vec::new(), left: MOST.0 };
    let whole = story.tell(entry) && !story.asker.deadline.is_over();
    Ok(Explanation { verdict, rules: story.rules, contact, whole })
}

/// A rule that did not hold; of a test of many cases with the keys of one of them.
pub(crate) struct Failed<'a> {
    /// Place of its module in the list.
    pub(crate) module: usize,
    pub(crate) rule: &'a Ref<Parsed>,
    pub(crate) keys: Vec<(String, Value)>,
}

/// Of each, the first statement that does not hold together with all before it; none where that cannot be known, nor
/// behind the first two hundred clauses.
pub(crate) fn stops(
    sources: &Sources,
    engine: &Engine,
    (modules, texts): (&[Ref<Module>], &[Translated]),
    failed: &[Failed<'_>],
    fuse: Duration,
) -> Vec<Option<Stopped>> {
    let names = Names::of(modules);
    let policy = Policy { sources, modules, texts, names: &names };
    let (engine, deadline) = (engine.clone(), Deadline::after(ALL));
    let asker = Asker { engine, input: Value::Undefined, now: None, fuse, deadline };
    let (mut open, mut ends) = (Vec::new(), Vec::new());
    for one in failed {
        let from = open.len();
        if from < MOST.0 {
            clause::of_rule(&policy, one.module, one.rule, None, &mut open);
        }
        if !open.iter_mut().skip(from).all(|clause| clause.for_case(&one.keys)) {
            open.truncate(from);
        }
        ends.push(from..open.len());
    }
    let (clauses, _) = probe::outcomes(&policy, &asker, &open);
    let stopped = |clause: &Clause| match &clause.how {
        How::Stopped(stopped) => Some(stopped.clone()),
        _ => None,
    };
    ends.into_iter().map(|own| clauses.get(own)?.iter().find_map(stopped)).collect()
}

/// What is explained.
struct Policy<'a> {
    sources: &'a Sources,
    modules: &'a [Ref<Module>],
    /// The text of each module as the engine read it.
    texts: &'a [Translated],
    names: &'a Names,
}

impl Policy<'_> {
    /// What the author wrote in the module at this place of the list.
    fn author(&self, index: usize) -> &str {
        let source = self.texts.get(index).and_then(|text| self.sources.modules.get(text.of));
        source.map_or("", |module| module.text.as_str())
    }
}

/// Asks the engine under the one input.
struct Asker {
    engine: Engine,
    input: Value,
    now: Option<u64>,
    fuse: Duration,
    /// Of all questions together.
    deadline: Deadline,
}

impl Asker {
    /// The value of a rule; undefined is a value here.
    fn value(&self, path: &[String]) -> Result<Value, Cause> {
        self.value_in(&self.engine, path)
    }

    /// The same of another engine. What an evaluation leaves behind, no other sees.
    fn value_in(&self, engine: &Engine, path: &[String]) -> Result<Value, Cause> {
        let mut engine = engine.clone();
        engine.set_input(self.input.clone());
        let members = path.iter().skip(1).map(|member| format!("[{}]", Value::from(member.as_str())));
        let query = format!("data{}", members.collect::<String>());
        let fuse = self.fuse.min(self.deadline.left());
        arm(&mut engine, fuse);
        fenced(fuse, self.now, || engine.eval_query(query, false).map(only_value))
    }
}

/// A rule that is still to be told, with the arguments it was called with.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Wanted {
    path: Path,
    arguments: Option<Vec<Value>>,
}

struct Story<'a> {
    policy: &'a Policy<'a>,
    asker: &'a mut Asker,
    told: BTreeSet<Wanted>,
    rules: Vec<Rule>,
    /// Clauses that may still be looked at.
    left: usize,
}

impl Story<'_> {
    /// Tells a rule, then those that its outcome hangs on, level by level; whether nothing was left out.
    fn tell(&mut self, entry: Path) -> bool {
        let mut level = vec![Wanted { path: entry, arguments: None }];
        for _ in 0..MOST.1 {
            let mut next = Vec::new();
            for wanted in level {
                if self.told.contains(&wanted) {
                    continue;
                }
                if self.left == 0 || self.asker.deadline.is_over() {
                    return false;
                }
                self.told.insert(wanted.clone());
                next.extend(self.tell_one(&wanted));
            }
            if next.is_empty() {
                return true;
            }
            level = next;
        }
        level.iter().all(|wanted| self.told.contains(wanted))
    }

    /// Tells one rule; gives those that it hangs on.
    fn tell_one(&mut self, wanted: &Wanted) -> Vec<Wanted> {
        let value = match wanted.arguments {
            None => self.asker.value(&wanted.path).ok(),
            Some(_) => None,
        };
        let open = clause::of(self.policy, wanted);
        let open: Vec<_> = open.into_iter().take(self.left).collect();
        self.left -= open.len();
        let (clauses, next) = probe::outcomes(self.policy, self.asker, &open);
        self.rules.push(Rule {
            name: wanted.path.join("."),
            arguments: wanted.arguments.as_ref().map(|values| {
                values.iter().map(|value| Known::of(String::new(), std::slice::from_ref(value))).collect()
            }),
            value: value.map(|value| Known::of(wanted.path.join("."), &[value])),
            clauses,
        });
        next
    }
}

impl Known {
    /// Of all its values the first is shown.
    fn of(name: String, values: &[Value]) -> Self {
        let first = values.iter().find(|value| **value != Value::Undefined);
        let text = first.and_then(|value| serde_json::to_string(value).ok());
        let whole = text.as_ref().is_none_or(|text| text.len() <= LONGEST);
        let value = text.map(|text| if whole { text } else { cut(&text) });
        Self { name, value, whole, others: values.len().saturating_sub(1) }
    }
}

/// The beginning of a long text.
fn cut(text: &str) -> String {
    let end = (0..=LONGEST).rev().find(|end| text.is_char_boundary(*end)).unwrap_or_default();
    format!("{}…", text.get(..end).unwrap_or_default())
}

/// Whether a value can be written as JSON and read again as the same: a set cannot.
fn is_json(value: &Value) -> bool {
    match value {
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => true,
        Value::Array(items) => items.iter().all(is_json),
        Value::Object(members) => {
            members.iter_sorted().all(|(name, value)| name.as_string().is_ok() && is_json(value))
        }
        _ => false,
    }
}

/// Whether a path names a rule or what holds rules.
fn is_rule(names: &Names, path: &[String]) -> bool {
    names.read_by(path).next().is_some()
}

/// The full name that a reference of a module has.
fn full(module: &Module, refr: &[String]) -> Path {
    names::resolve(module, refr)
}

#[cfg(test)]
mod tests;
