//! The profile of an answer: which lines took most.

use std::cmp::Ordering;

use clap::{Args, ValueEnum};
use postern_policy::{AskError, ProfiledLine, Question, Sources, profile};
use serde_json::{Value, json};

use super::print;
use super::shape::table;

/// As OPA shows it.
const MOST: usize = 10;

#[derive(Debug, Args)]
pub(super) struct Profiling {
    /// Tell what the lines of the policy took of the answer
    #[arg(long)]
    profile: bool,
    /// Most lines of the profile, 0 for all; implies --profile [default: 10]
    #[arg(long, value_name = "N")]
    profile_limit: Option<usize>,
    /// What the profile is sorted by, most first; may be repeated; implies --profile
    #[arg(long, value_enum, value_name = "KEY", value_delimiter = ',')]
    profile_sort: Vec<Key>,
}

/// OPA's names; the engine goes back over no statement, so that nothing counts how often.
#[derive(Clone, Copy, Debug, ValueEnum)]
enum Key {
    #[value(name = "total_time_ns")]
    Time,
    #[value(name = "num_eval")]
    Evaluated,
    File,
    Line,
}

impl Profiling {
    /// The profile, where one is asked for.
    pub(super) fn of(
        &self,
        sources: &Sources,
        question: &Question<'_>,
    ) -> Result<Option<Vec<ProfiledLine>>, AskError> {
        if !self.profile && self.profile_limit.is_none() && self.profile_sort.is_empty() {
            return Ok(None);
        }
        let mut lines = profile(sources, question)?;
        lines.sort_by(|one, other| self.ordered(one, other));
        match self.profile_limit.unwrap_or(MOST) {
            0 => {}
            most => lines.truncate(most),
        }
        Ok(Some(lines))
    }

    fn ordered(&self, one: &ProfiledLine, other: &ProfiledLine) -> Ordering {
        let by_key = |key: Key| match key {
            Key::Time => other.time.cmp(&one.time),
            Key::Evaluated => other.evaluated.cmp(&one.evaluated),
            Key::File => other.file.cmp(&one.file),
            Key::Line => other.line.cmp(&one.line),
        };
        let asked = self.profile_sort.iter().map(|key| by_key(*key));
        let rest = [Key::Time, Key::Evaluated, Key::File, Key::Line].map(by_key);
        asked.chain(rest).find(|order| order.is_ne()).unwrap_or(Ordering::Equal)
    }
}

/// OPA's members; the query itself has no file.
pub(super) fn json(lines: &[ProfiledLine]) -> Value {
    let line = |line: &ProfiledLine| {
        let location =
            json!({"file": line.file.as_deref().unwrap_or_default(), "row": line.line, "col": line.column});
        let nanos = u64::try_from(line.time.as_nanos()).unwrap_or(u64::MAX);
        json!({"total_time_ns": nanos, "num_eval": line.evaluated, "location": location})
    };
    lines.iter().map(line).collect()
}

/// OPA's table; the query stands in it as itself.
pub(super) fn pretty(lines: &[ProfiledLine], query: &str) -> String {
    let row = |line: &ProfiledLine| {
        let place =
            line.file.as_ref().map_or_else(|| query.to_owned(), |file| format!("{file}:{}", line.line));
        vec![print::duration(line.time), line.evaluated.to_string(), place]
    };
    table(&["Time", "Num Eval", "Location"], &lines.iter().map(row).collect::<Vec<_>>())
}
