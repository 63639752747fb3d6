//! Why a policy is refused at load: every problem at once, each with its place and what to write instead.

use std::fmt::{self, Write as _};

use regorus::unstable::Span;

use crate::translate::locals;

/// Most problems that are told of one policy.
const MOST: usize = 100;
/// Longest excerpt, in characters: a generated line may be long, and its head names the place well enough.
const EXCERPT: usize = 160;

/// A refused policy. The caller keeps the one it has.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LoadError {
    /// What is wrong, in the order of the files; of very many a hundred, and how many more there are. Never empty.
    pub problems: Vec<Problem>,
}

/// One thing to mend.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// Name of the module or data document; empty when it is about the policy as a whole.
    pub file: String,
    /// Line, from 1; 0 when there is none.
    pub line: u32,
    /// Column, from 1; 0 when there is none.
    pub column: u32,
    /// The construct or name that is refused.
    pub construct: String,
    /// Why it is refused.
    pub why: String,
    /// What to write instead.
    pub instead: String,
    /// The line of source, for the rendering; empty when there is none.
    pub excerpt: String,
    /// How many it stands for: 1, but for the last of very many, which only counts the others.
    pub stands_for: usize,
    /// How many characters behind its column it speaks for: what else is told of them follows from it.
    pub(crate) covers: u32,
}

impl Problem {
    /// Whether the other is of the same expression, which is not what its author meant: one that says so is enough.
    fn implies(&self, other: &Self) -> bool {
        let behind = self.column.saturating_add(1)..=self.column.saturating_add(self.covers);
        (&self.file, self.line) == (&other.file, other.line) && behind.contains(&other.column)
    }

    /// A problem of a file or of the whole policy, without a place inside.
    pub(crate) fn of(
        file: &str,
        construct: &str,
        why: impl Into<String>,
        instead: impl Into<String>,
    ) -> Self {
        Self {
            file: file.to_owned(),
            line: 0,
            column: 0,
            construct: construct.to_owned(),
            why: why.into(),
            instead: instead.into(),
            excerpt: String::new(),
            stands_for: 1,
            covers: 0,
        }
    }

    /// The same, with the place in a text of JSON that its reason ends with: `… at line 3 column 7`.
    pub(crate) fn at_said(self, text: &str) -> Self {
        let place = || {
            let (why, place) = self.why.rsplit_once(" at line ")?;
            let (line, column) = place.split_once(" column ")?;
            Some((why.to_owned(), line.parse().ok()?, column.parse::<u32>().ok()?.max(1)))
        };
        match place() {
            Some((why, line, column)) => Self { why, ..self }.at(line, column, text),
            None => self,
        }
    }

    /// The same, with its place by the bytes before it.
    pub(crate) fn at_byte(self, byte: usize, text: &str) -> Self {
        let before = text.get(..byte).unwrap_or(text);
        let number = |count: usize| u32::try_from(count + 1).unwrap_or(u32::MAX);
        let line = before.rsplit('\n').next().unwrap_or_default();
        self.at(number(before.matches('\n').count()), number(line.chars().count()), text)
    }

    /// The same, with its place in the text of the file.
    pub(crate) fn at(mut self, line: u32, column: u32, text: &str) -> Self {
        (self.line, self.column) = (line, column);
        let index = usize::try_from(line).unwrap_or(usize::MAX).saturating_sub(1);
        let excerpt = text.lines().nth(index).unwrap_or_default();
        self.excerpt = excerpt.chars().take(EXCERPT).collect();
        self
    }

    /// The same, with the place where the engine read it.
    pub(crate) fn at_span(mut self, span: &Span) -> Self {
        let text = span.source.get_contents();
        if span.text().contains('\n') {
            return self.at(span.line, column(text, span.line, span.col), text);
        }
        // Its line is found from where it stands: to count all lines before it takes long, for many problems.
        let (before, after) = text.split_at_checked(span.start as usize).unwrap_or((text, ""));
        let begin = before.rfind('\n').map_or(0, |end| end + 1);
        let rest = after.lines().next().unwrap_or_default();
        let line = text.get(begin..before.len() + rest.len()).unwrap_or_default();
        self.excerpt = line.chars().take(EXCERPT).collect();
        (self.line, self.column) = (span.line, column_in(line, span.col));
        self
    }
}

/// Problems as they are found: of very many the first are kept, and the others counted.
#[derive(Debug, Default)]
pub(crate) struct Problems {
    kept: Vec<Problem>,
    more: usize,
}

impl Problems {
    pub(crate) fn push(&mut self, problem: Problem) {
        if self.kept.len() < MOST { self.kept.push(problem) } else { self.more += 1 }
    }

    pub(crate) fn append(&mut self, others: Self) {
        self.extend(others.kept);
        self.more += others.more;
    }

    pub(crate) const fn is_empty(&self) -> bool {
        self.kept.is_empty()
    }

    /// How many were found.
    pub(crate) const fn len(&self) -> usize {
        self.kept.len() + self.more
    }

    /// Whether no other is kept.
    pub(crate) const fn is_full(&self) -> bool {
        self.kept.len() >= MOST
    }

    /// What the author is told, each problem from its `place`: each file from its top, and at the end how many more
    /// there are.
    pub(crate) fn told(self, place: impl Fn(Problem) -> Problem) -> LoadError {
        let mut problems: Vec<Problem> = self.kept.into_iter().map(place).collect();
        let wide: Vec<Problem> = problems.iter().filter(|problem| problem.covers > 0).cloned().collect();
        problems.retain(|problem| !wide.iter().any(|of| of.implies(problem)));
        problems.sort_by(|one, other| (&one.file, one.line).cmp(&(&other.file, other.line)));
        if self.more > 0 {
            let why = format!("has {} more problems, which are not told", self.more);
            let last = Problem::of("", "policy", why, "what these ask for; the others are told then");
            problems.push(Problem { stands_for: self.more, ..last });
        }
        LoadError { problems }
    }
}

impl Extend<Problem> for Problems {
    fn extend<I: IntoIterator<Item = Problem>>(&mut self, problems: I) {
        problems.into_iter().for_each(|problem| self.push(problem));
    }
}

impl FromIterator<Problem> for Problems {
    fn from_iter<I: IntoIterator<Item = Problem>>(problems: I) -> Self {
        let mut all = Self::default();
        all.extend(problems);
        all
    }
}

impl From<Problem> for Problems {
    fn from(problem: Problem) -> Self {
        Self::from_iter([problem])
    }
}

/// The column as editors and OPA count it: the engine counts a tab as four.
pub(crate) fn column(text: &str, line: u32, engines: u32) -> u32 {
    let index = usize::try_from(line).unwrap_or(usize::MAX).saturating_sub(1);
    column_in(text.lines().nth(index).unwrap_or_default(), engines)
}

fn column_in(line: &str, engines: u32) -> u32 {
    let (mut column, mut counted) = (1_u32, 1_u32);
    for c in line.chars() {
        if counted >= engines {
            break;
        }
        counted = counted.saturating_add(if c == '\t' { 4 } else { 1 });
        column = column.saturating_add(1);
    }
    // Past the line's end, the engine's own count goes on.
    column.saturating_add(engines.saturating_sub(counted))
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.file.is_empty(), self.line) {
            (true, _) => write!(f, "policy: ")?,
            (false, 0) => write!(f, "{}: ", Shown(&self.file))?,
            (false, line) => write!(f, "{}:{line}:{}: ", Shown(&self.file), self.column)?,
        }
        write!(f, "`{}` {}", Shown(&self.construct), Shown(&self.why))?;
        if !self.excerpt.is_empty() {
            let number = self.line.to_string();
            let margin = " ".repeat(number.len());
            // Tabs stay tabs, so that the caret stands under its column wherever it is printed.
            let column = usize::try_from(self.column).unwrap_or(0).saturating_sub(1);
            let blank = |c: char| if c == '\t' { '\t' } else { ' ' };
            let indent: String = self.excerpt.chars().take(column).map(blank).collect();
            let excerpt = Shown(&self.excerpt);
            write!(f, "\n {margin} |\n {number} | {excerpt}\n {margin} | {indent}^")?;
        }
        if !self.instead.is_empty() {
            write!(f, "\n   instead: {}", Shown(&self.instead))?;
        }
        Ok(())
    }
}

/// What the engine calls the module of a query.
const ENGINES_QUERY: &str = "<query.rego>";

/// What the engine says: `--> file:line:column`, an excerpt of the text that it read, and why behind `error:`.
pub(crate) struct Said<'a> {
    /// File, line and column, as the engine counts it, of the innermost place.
    pub(crate) place: Option<(&'a str, u32, u32)>,
    /// The name that stands there, in the text that the engine read.
    name: Option<String>,
    pub(crate) why: &'a str,
}

/// What the engine says of two values for one name, and what is said in its place.
const CONFLICTS: &[(&str, &str)] = &[
    ("rule conflicts with rule at ", "conflicts with the rule at "),
    (
        "functions must not produce multiple outputs for same inputs",
        "gives different values for the same arguments",
    ),
    ("function produced multiple outputs ", "gives several values for the same arguments: "),
    ("complete rules should not produce multiple outputs", "has several values"),
    ("rules should not produce multiple outputs.", "has several values"),
    ("rules must not produce multiple outputs", "has several values for one key"),
];

/// What the engine says, with braces and all, where it comes to such a comprehension; and what is said in its place.
const UNSCHEDULED: (&str, &str) = (
    "statements not scheduled in query",
    "a comprehension among the arguments of a function, or in the brackets of a rule's name, is not evaluated here: \
     a name stands there, and is compared with it in the body",
);

impl<'a> Said<'a> {
    pub(crate) fn of(message: &'a str) -> Self {
        let mut said = Self { place: None, name: None, why: message.trim() };
        while let Some((place, why)) =
            said.why.strip_prefix("--> ").and_then(|rest| rest.split_once("\nerror: "))
        {
            let mut lines = place.lines();
            let mut parts = lines.next().unwrap_or_default().rsplitn(3, ':');
            let mut number = || parts.next().and_then(|number| number.trim().parse().ok());
            let (column, line) = (number(), number());
            let file = parts.next().map(|file| if file == ENGINES_QUERY { "query" } else { file });
            let found = line.zip(column).zip(file).map(|((line, column), file)| (file, line, column));
            let text = lines.nth(1).and_then(|excerpt| excerpt.split_once("| ")).map(|(_, text)| text);
            let name = text.zip(column).and_then(|(text, column)| name_at(text, column));
            said = Self { place: found.or(said.place), name, why: why.trim() };
        }
        said
    }

    /// Whether it is of two values for one name, or in a comprehension for one key.
    pub(crate) fn is_conflict(&self) -> bool {
        ["multiple outputs", "conflict", "generated multiple times"]
            .iter()
            .any(|words| self.why.contains(words))
    }

    /// The same in our words, and what else the engine says of it.
    fn conflict(&self) -> Option<(&'static str, &'a str)> {
        CONFLICTS.iter().find_map(|(theirs, ours)| Some((*ours, self.why.strip_prefix(theirs)?)))
    }
}

impl fmt::Display for Said<'_> {
    /// On one line, and without the excerpt: what the engine read is not always what the author wrote, but its lines are.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some((file, line, _)) = self.place {
            write!(f, "{file}:{line}: ")?;
        }
        if self.why.starts_with(UNSCHEDULED.0) {
            return f.write_str(UNSCHEDULED.1);
        }
        let unbound = self.why.strip_prefix("var ").and_then(|rest| rest.split_once(" is unsafe (path "));
        match unbound {
            Some((name, _)) => write!(
                f,
                "{} has no value yet where it is read: the statement that gives it one stands first",
                locals::own(name)
            ),
            None => match (self.conflict(), &self.name) {
                (Some((why, rest)), Some(name)) => write!(f, "`{name}` {why}{rest}"),
                _ => f.write_str(self.why),
            },
        }
    }
}

/// The whole name at a column, as the engine counts it, of a line.
fn name_at(line: &str, engines: u32) -> Option<String> {
    let chars: Vec<char> = line.chars().collect();
    let at = usize::try_from(column_in(line, engines)).ok()?.checked_sub(1)?;
    let (before, here) = chars.split_at_checked(at)?;
    let inside = |c: &&char| c.is_alphanumeric() || matches!(c, '_' | '.');
    let begin = at - before.iter().rev().take_while(inside).count();
    let end = at + here.iter().take_while(inside).count();
    let name: String = chars.get(begin..end)?.iter().collect();
    (!name.is_empty()).then(|| locals::own(&name))
}

/// Whether a character could move the reader's cursor or turn the direction of writing. A text that others wrote is
/// shown without.
#[must_use]
pub fn moves_the_cursor(c: char) -> bool {
    c.is_control() || matches!(c, '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

/// A text of the author's, who may be somebody else than the reader: its lines and tabs, and nothing else that moves.
struct Shown<'a>(&'a str);

impl fmt::Display for Shown<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let hidden = |c: char| moves_the_cursor(c) && !matches!(c, '\n' | '\t');
        self.0.chars().try_for_each(|c| f.write_char(if hidden(c) { char::REPLACEMENT_CHARACTER } else { c }))
    }
}

impl fmt::Display for LoadError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, problem) in self.problems.iter().enumerate() {
            let between = if index == 0 { "" } else { "\n" };
            write!(f, "{between}{problem}")?;
        }
        Ok(())
    }
}

impl std::error::Error for LoadError {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_problem_shows_its_line_with_a_caret_and_what_to_write_instead() {
        let text = "package a\n\tx := http.send({})\n";
        let problem =
            Problem::of("a.rego", "http.send", "is not in the engine", "data read at load").at(2, 7, text);

        let shown = LoadError { problems: vec![problem] }.to_string();

        let expected = "a.rego:2:7: `http.send` is not in the engine\n   |\n 2 | \tx := http.send({})\n   | \t     ^\n   \
                        instead: data read at load";
        assert_eq!(shown, expected);
    }

    #[test]
    fn what_the_engine_says_is_told_on_one_line_by_its_place() {
        let engines = |place: &str, why: &str| {
            format!("\n--> {place}\n  |\n4 | \tx := f(a__)\n  |      ^\nerror: {why}")
        };
        for (message, wanted) in [
            (engines("a.rego:4:7", "f: is no\t`error: `"), "a.rego:4: f: is no\t`error: `"),
            (engines("c:/a b.rego:4:7", &engines("b.rego:2:1", "no.")), "b.rego:2: no."),
            (engines("<query.rego>:1:7", "no"), "query:1: no"),
            ("stopped".to_owned(), "stopped"),
            (String::new(), ""),
        ] {
            assert_eq!(Said::of(&message).to_string(), wanted);
        }
    }

    #[test]
    fn what_conflicts_is_told_by_its_name() {
        let engines = |line: &str, column: u32, why: &str| {
            let message = format!("\n--> a.rego:4:{column}\n  |\n4 | {line}\n  |  ^\nerror: {why}");
            Said::of(&message).to_string()
        };
        let of_functions = "functions must not produce multiple outputs for same inputs";
        for (line, column, why, told) in [
            (
                "x := 2",
                1,
                "rule conflicts with rule at a.rego:3:1",
                "`x` conflicts with the rule at a.rego:3:1",
            ),
            ("a.b.c := 2", 5, "rules should not produce multiple outputs.", "`a.b.c` has several values"),
            (
                "\tdata.é.f(1) == 2",
                5,
                of_functions,
                "`data.é.f` gives different values for the same arguments",
            ),
            ("[1]", 2, "functions are", "functions are"),
            ("", 9, of_functions, of_functions),
        ] {
            assert_eq!(engines(line, column, why), format!("a.rego:4: {told}"));
        }
    }

    #[test]
    fn nothing_that_an_author_wrote_moves_the_cursor() {
        let text = "x := \"\u{1b}[2J\u{202e}\"";
        let problem = Problem::of("a\u{1b}.rego", "\u{7}", "no\r", "\u{9b}0m").at(1, 1, text);

        let shown = problem.to_string();

        assert!(!shown.chars().any(|c| moves_the_cursor(c) && c != '\n'), "{shown:?}");
        assert!(shown.contains("1 | x := \"\u{fffd}[2J\u{fffd}\""), "{shown:?}");
    }

    #[test]
    fn a_tab_is_one_column() {
        // The engine counts four for each tab: `http` begins at its columns 5, 11 and 8.
        assert_eq!(column("\thttp", 1, 5), 2);
        assert_eq!(column("x\n\t x\thttp", 2, 11), 5);
        assert_eq!(column("x := é http", 1, 8), 8);
        assert_eq!(column("", 3, 4), 4);
    }
}
