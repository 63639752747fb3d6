//! What is wrong with a configuration, all of it at once: where, what, what is allowed, what was probably meant.

use std::fmt::{self, Write as _};
use std::path::{Path, PathBuf};

use postern_policy::nearest;

use super::rules::Rule;
use super::tree::{At, Node, Place};
use super::units::{UnitError, without_user};
use crate::model::{NameError, SpiffeIdError};

/// The configuration was refused. Its display shows every problem with its line and what to do.
#[derive(Debug, thiserror::Error)]
pub struct ConfigErrors {
    /// The file.
    pub file: PathBuf,
    /// Every problem, in the order of the file.
    pub problems: Vec<Problem>,
}

/// One problem.
#[derive(Debug)]
pub struct Problem {
    /// The key path, like `listeners.front.bind`; empty for the file itself.
    pub key: String,
    /// Where it stands, if it stands anywhere.
    pub line: Option<usize>,
    /// The column, counted from 1 in characters.
    pub column: Option<usize>,
    /// What is wrong.
    pub wrong: Wrong,
    width: usize,
    source: String,
}

/// What is wrong.
#[derive(Debug, thiserror::Error)]
pub enum Wrong {
    /// The file cannot be read.
    #[error("the file cannot be read: {0}")]
    Unreadable(std::io::Error),
    /// The file is larger than a configuration is.
    #[error("the file is larger than 1 MiB")]
    TooLarge,
    /// It is not YAML, or asks for more than the parser is given.
    #[error("{0}")]
    Yaml(String),
    /// No such key.
    #[error("there is no key `{key}` here")]
    UnknownKey {
        /// What was written.
        key: String,
        /// What there is.
        allowed: Vec<String>,
    },
    /// A key that must be there.
    #[error("`{0}` is missing")]
    Missing(String),
    /// A section where a text should be, and the like.
    #[error("{found} stands here, but {wanted} is needed")]
    Type {
        /// What is needed.
        wanted: &'static str,
        /// What is there.
        found: &'static str,
    },
    /// Not one of the words that may stand here.
    #[error("`{value}` is none of what may stand here")]
    Value {
        /// What was written.
        value: String,
        /// What may stand here.
        allowed: Vec<String>,
    },
    /// A number outside its range.
    #[error("{value} is outside {least} to {most}")]
    Number {
        /// What was written.
        value: String,
        /// The least.
        least: i64,
        /// The most.
        most: i64,
    },
    /// Known to the shape of this file, but not built yet.
    #[error("`{what}` is not supported yet")]
    NotYet {
        /// What was written.
        what: String,
        /// What there is instead.
        supported: Vec<String>,
    },
    /// Not a name.
    #[error("`{0}` cannot be a name: {1}")]
    Name(String, NameError),
    /// A name that nothing bears.
    #[error("no {kind} is called `{name}`")]
    Unresolved {
        /// What was looked for.
        kind: &'static str,
        /// What was written.
        name: String,
        /// What there is.
        known: Vec<String>,
    },
    /// A text with a wrong unit or shape.
    #[error(transparent)]
    Unit(UnitError),
    /// Not a SPIFFE ID or trust domain.
    #[error("`{0}`: {1}")]
    SpiffeId(String, SpiffeIdError),
    /// Values that do not go together.
    #[error(transparent)]
    Rule(Rule),
}

impl Wrong {
    /// What may stand here, what was probably meant, what to do next; a line each.
    fn advice(&self) -> Vec<String> {
        match self {
            Self::UnknownKey { key: word, allowed: options }
            | Self::Value { value: word, allowed: options }
            | Self::Unresolved { name: word, known: options, .. } => choose(word, options),
            Self::NotYet { supported, .. } => vec![format!("supported: {}", supported.join(", "))],
            Self::Unit(unit) => vec![format!("expected: {}", unit.expected())],
            Self::Rule(rule) => vec![rule.next().to_owned()],
            Self::Missing(key) => vec![format!("add `{key}:` here; `postern schema` describes it")],
            Self::Unreadable(_) => vec!["check --config, and that this user may read the file".into()],
            Self::TooLarge => vec!["policy data and secrets belong into files of their own".into()],
            Self::Yaml(_) | Self::Type { .. } | Self::Number { .. } | Self::Name(..) | Self::SpiffeId(..) => {
                Vec::new()
            }
        }
    }
}

fn choose(word: &str, options: &[String]) -> Vec<String> {
    let mut lines = Vec::new();
    if let Some(meant) = nearest(word, options) {
        lines.push(format!("did you mean `{meant}`?"));
    }
    lines.push(if options.is_empty() {
        "there is none".into()
    } else {
        format!("there is: {}", options.join(", "))
    });
    lines
}

/// Which end of an entry a problem is shown at.
#[derive(Clone, Copy)]
pub(super) enum Side {
    Key,
    Value,
}

/// Problems as they are found.
#[derive(Default)]
pub(super) struct Problems(Vec<(At, Side, Wrong)>);

impl Problems {
    /// The value at `at` is wrong.
    pub(super) fn value(&mut self, at: &At, wrong: Wrong) {
        self.0.push((at.clone(), Side::Value, wrong));
    }

    /// The key at `at` is wrong, or what stands below it.
    pub(super) fn key(&mut self, at: &At, wrong: Wrong) {
        self.0.push((at.clone(), Side::Key, wrong));
    }

    pub(super) fn rule(&mut self, at: &At, rule: Rule) {
        self.key(at, Wrong::Rule(rule));
    }

    /// Keeps what is right and notes what is wrong.
    pub(super) fn unit<T>(&mut self, at: &At, parsed: Result<T, UnitError>) -> Option<T> {
        parsed.map_err(|wrong| self.value(at, Wrong::Unit(wrong))).ok()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The problems with their places, in the order of the file.
    pub(super) fn report(self, file: &Path, text: &str, tree: &Node) -> ConfigErrors {
        let mut problems: Vec<Problem> =
            self.0.into_iter().map(|(at, side, wrong)| place(&at, side, wrong, text, tree)).collect();
        problems.sort_by_key(|problem| (problem.line, problem.column));
        ConfigErrors { file: file.to_owned(), problems }
    }
}

fn place(at: &At, side: Side, wrong: Wrong, text: &str, tree: &Node) -> Problem {
    let (key, node) = tree.find(at);
    let place = match side {
        Side::Key => key.unwrap_or(node.place),
        Side::Value => node.place,
    };
    Problem::at(at.to_string(), place, wrong, text)
}

impl Problem {
    pub(super) fn at(key: String, place: Place, wrong: Wrong, text: &str) -> Self {
        let source = text.lines().nth(place.line.saturating_sub(1)).unwrap_or_default();
        Self {
            key,
            line: Some(place.line),
            column: Some(place.column),
            wrong,
            width: place.width,
            source: source.to_owned(),
        }
    }

    pub(super) fn of_file(wrong: Wrong) -> Self {
        Self { key: String::new(), line: None, column: None, wrong, width: 0, source: String::new() }
    }

    /// The line, without what may be a secret: the value of a key that does not exist, the user in a URL.
    fn shown(&self) -> String {
        let line = without_user(&self.source);
        let (Wrong::UnknownKey { .. } | Wrong::Yaml(_), Some(column)) = (&self.wrong, self.column) else {
            return line;
        };
        let end = column - 1 + self.width;
        let rest: String = line.chars().skip(end).collect();
        if rest.trim_start().starts_with(':') && rest.trim_start().len() > 1 {
            format!("{}: …", line.chars().take(end).collect::<String>())
        } else {
            line
        }
    }

    fn excerpt(&self, f: &mut fmt::Formatter<'_>, line: usize, column: usize) -> fmt::Result {
        // A long line is cut: one may paste a whole certificate into a single line.
        let shown: String = self.shown().chars().take(160).map(plain).collect();
        let rest = shown.chars().count().saturating_sub(column - 1).max(1);
        let margin = " ".repeat(line.to_string().len());
        writeln!(f, "  {line} | {shown}")?;
        writeln!(
            f,
            "  {margin} | {}{}",
            " ".repeat((column - 1).min(160)),
            "^".repeat(self.width.clamp(1, rest))
        )
    }
}

/// Control characters would move the reader's cursor.
fn plain(character: char) -> char {
    if character.is_control() { ' ' } else { character }
}

impl fmt::Display for ConfigErrors {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for problem in &self.problems {
            let mut head = self.file.display().to_string();
            if let (Some(line), Some(column)) = (problem.line, problem.column) {
                write!(head, ":{line}:{column}")?;
            }
            let key = if problem.key.is_empty() { String::new() } else { format!("{}: ", problem.key) };
            writeln!(f, "{head}: {key}{}", problem.wrong)?;
            if let (Some(line), Some(column)) = (problem.line, problem.column) {
                problem.excerpt(f, line, column)?;
            }
            for line in problem.wrong.advice() {
                writeln!(f, "  = {line}")?;
            }
            writeln!(f)?;
        }
        match self.problems.len() {
            1 => write!(f, "1 problem: the configuration is refused"),
            many => write!(f, "{many} problems: the configuration is refused"),
        }
    }
}
