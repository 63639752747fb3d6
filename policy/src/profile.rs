//! What each line takes of one answer: how often its statements are begun, and the time until the next one begins.
//!
//! The engine tells nobody where it is. So each statement of the policy is written as a call that notes its beginning,
//! and the answer that comes of this has to be the one that comes without.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::time::Duration;

use regorus::{Engine, Value};

use crate::ask::{AskError, Asked, Question};
use crate::compile::load;
use crate::evaluate::{Stopwatch, arm, fenced};
use crate::gate::Purpose;
use crate::sources::Sources;
use crate::translate::marks::{BEGINS, BEGUN, Mark};
use crate::verdict::Cause;

/// What one line took.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProfiledLine {
    /// Its module; none is the query itself.
    pub file: Option<String>,
    /// From 1.
    pub line: u32,
    /// Where the first statement that was begun on it stands, from 1.
    pub column: u32,
    /// How often a statement or the value of a rule was begun on it.
    pub evaluated: u64,
    /// From each beginning until the next one, of whatever line.
    pub time: Duration,
}

thread_local! {
    /// The engine gives builtins nothing but their arguments, and runs on one thread from start to end.
    static RUN: RefCell<Option<Run>> = const { RefCell::new(None) };
}

/// One evaluation that is watched. The query is the first mark.
struct Run {
    marks: Vec<(u64, Duration)>,
    at: usize,
    since: Stopwatch,
}

impl Run {
    fn begins(&mut self, at: usize) {
        if let Some((_, time)) = self.marks.get_mut(self.at) {
            *time += self.since.elapsed();
        }
        if let Some((count, _)) = self.marks.get_mut(at) {
            *count += 1;
            self.at = at;
        }
        self.since = Stopwatch::start();
    }
}

/// The calls that the marked text makes.
pub(crate) fn install(engine: &mut Engine) -> anyhow::Result<()> {
    let begins = |args: Vec<Value>| {
        let at = args.first().and_then(|at| at.as_u64().ok()).and_then(|at| usize::try_from(at).ok());
        RUN.with_borrow_mut(|run| {
            if let (Some(run), Some(at)) = (run, at) {
                run.begins(at);
            }
        });
        Ok(Value::Bool(true))
    };
    let begun = |mut args: Vec<Value>| Ok(args.pop().unwrap_or(Value::Undefined));
    engine.add_extension(BEGINS.to_owned(), 1, Box::new(begins))?;
    engine.add_extension(BEGUN.to_owned(), 2, Box::new(begun))
}

/// Answers a query once without marks and once with them; the lines in the order of their files.
pub fn profile(sources: &Sources, question: &Question<'_>) -> Result<Vec<ProfiledLine>, AskError> {
    let mut plain = load(sources, Purpose::Queries)?;
    let marked = load(sources, Purpose::Profile)?;
    let asked = Asked::of(sources, question.query, plain.engine.get_modules())?;
    let input = question.input.clone().map_or(Value::Undefined, crate::document::Document::into_value);
    let ask = |mut engine: Engine| {
        arm(&mut engine, question.fuse);
        engine.set_input(input.clone());
        fenced(question.fuse, question.now, || asked.answer(&mut engine, question.fuse))
    };
    let expected = asked.rows(&ask(plain.engine)?)?;
    let marks = std::iter::once((1, Duration::ZERO)).chain(vec![(0, Duration::ZERO); marked.marks.len()]);
    RUN.set(Some(Run { marks: marks.collect(), at: 0, since: Stopwatch::start() }));
    let answer = ask(marked.engine);
    let Some(mut run) = RUN.take() else { return Ok(Vec::new()) };
    run.begins(usize::MAX);
    if asked.rows(&answer?)? != expected {
        let detail =
            "cannot be told line by line: the engine answers otherwise while it is watched".to_owned();
        return Err(Cause::Error { detail }.into());
    }
    Ok(by_line(&marked.marks, &run.marks))
}

fn by_line(marks: &[Mark], took: &[(u64, Duration)]) -> Vec<ProfiledLine> {
    let places = std::iter::once((None, 1, 1))
        .chain(marks.iter().map(|mark| (Some(mark.file.as_str()), mark.line, mark.column)));
    let mut lines: BTreeMap<(Option<&str>, u32), ProfiledLine> = BTreeMap::new();
    for ((file, line, column), (count, time)) in places.zip(took).filter(|(_, (count, _))| *count > 0) {
        let one = lines.entry((file, line)).or_insert_with(|| ProfiledLine {
            file: file.map(str::to_owned),
            line,
            column,
            evaluated: 0,
            time: Duration::ZERO,
        });
        one.column = one.column.min(column);
        one.evaluated += count;
        one.time += *time;
    }
    lines.into_values().collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::document::Document;

    const POLICY: &str = "package postern

import data.roles

default decision := false

decision := {\"allow\": true, \"n\": n} if {
	some x in input.xs
	y := x + 1
	ok(y)
	n := count([z | some z in input.xs; z > 1])
	not input.no
	\"a\" in roles
	every w in input.xs {
		w > 0
	}
	[_, rest] = [x, y]
	rest == y with input.xs as []
	split(input.id, \"b\", parts)
	parts[0] == \"a\"
}

ok(v) if {
	v > 2
	startswith(input.id, \"a\")
} else := false
";

    fn counted(policy: &str, input: &str) -> Vec<(u32, u64)> {
        let sources = Sources::from_modules([("main.rego", policy)], [("roles", r#"["a", "b"]"#)]);
        let question = Question {
            query: "data.postern.decision",
            input: Some(Document::json(input).unwrap()),
            now: None,
            fuse: Duration::from_secs(5),
            lines: false,
        };
        let lines = profile(&sources, &question).unwrap();
        assert!(lines.iter().all(|line| line.time > Duration::ZERO), "{lines:?}");
        assert_eq!((lines[0].file.as_deref(), lines[0].evaluated), (None, 1));
        lines.iter().skip(1).map(|line| (line.line, line.evaluated)).collect()
    }

    #[test]
    fn each_line_says_how_often_it_was_begun() {
        // Of three members one fails in the function, which is asked three times; two go on to the end.
        let counts = counted(POLICY, r#"{"xs": [1, 2, 3], "id": "abc"}"#);
        let of = |line: u32| counts.iter().find(|(at, _)| *at == line).map(|(_, count)| *count);
        let expected =
            [(7, 2), (8, 1), (9, 3), (10, 3), (14, 2), (15, 6), (18, 2), (20, 2), (24, 3), (25, 2)];
        for (line, count) in expected {
            assert_eq!(of(line), Some(count), "line {line} of {counts:?}");
        }
        // A comprehension's statements stand on its line: itself, its loop, and three comparisons.
        assert!(of(11).unwrap() >= 5, "{counts:?}");
    }

    #[test]
    fn what_is_answered_without_a_profile_is_answered_with_one() {
        let policy = "package p\n\nok if not data.p.denid[input.id]\n\ndenied contains \"a\"\n";
        let sources = Sources::from_modules([("main.rego", policy)], []);
        let question = Question {
            query: "data.p.ok",
            input: Some(Document::json(r#"{"id": "a"}"#).unwrap()),
            now: None,
            fuse: Duration::from_secs(5),
            lines: false,
        };
        assert!(profile(&sources, &question).unwrap().iter().any(|line| line.line == 3));
        assert!(crate::ask(&sources, question).is_ok());
    }

    #[test]
    fn a_statement_that_is_not_reached_is_not_told() {
        let counts = counted(POLICY, r#"{"xs": [1], "id": "abc"}"#);
        assert!(counts.iter().all(|(line, _)| *line != 25 && *line != 20), "{counts:?}");
        assert!(counts.contains(&(24, 1)), "{counts:?}");
    }
}
