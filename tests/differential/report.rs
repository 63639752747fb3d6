//! What came of all cases, counted.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use crate::compare::{Ours, Theirs, Verdict};
use crate::generate::Case;
use crate::run::Asked;

/// Columns of the tables.
const COLUMNS: [&str; 7] =
    ["same", "both fail", "allowed", "stricter", "refused", "laxer at load", "DIFFERS"];

#[derive(Debug, Default)]
pub struct Report {
    pub cases: u64,
    pub answers: u64,
    /// Of these were values, on both sides.
    pub values: u64,
    /// Cases that OPA gave no answer to, twice.
    pub lost: u64,
    /// Answers that were late, and cases that OPA gave no answer to, asked again: the machine was busy.
    pub again: u64,
    totals: [u64; COLUMNS.len()],
    shapes: BTreeMap<&'static str, [u64; COLUMNS.len()]>,
    /// How often what was said, under each column but the first two.
    causes: BTreeMap<(usize, String), u64>,
}

const fn column(verdict: &Verdict) -> usize {
    match verdict {
        Verdict::Same => 0,
        Verdict::BothFail => 1,
        Verdict::Allowed(_) => 2,
        Verdict::Stricter(_) => 3,
        Verdict::Refused(_) => 4,
        Verdict::Laxer(_) => 5,
        Verdict::Differs(_) => 6,
    }
}

/// What a verdict other than agreement is counted under.
pub fn cause(asked: &Asked) -> String {
    match &asked.verdict {
        Verdict::Stricter(kind) => match &asked.ours {
            Ours::Error { detail, .. } => format!("{kind}: {}", words(detail)),
            _ => kind.clone(),
        },
        Verdict::Refused(construct) | Verdict::Laxer(construct) => construct.clone(),
        Verdict::Differs(how) => match &asked.theirs {
            Theirs::Error { code, message, .. } => format!("{how}: {code} {}", words(message)),
            _ => how.clone(),
        },
        Verdict::Allowed(allowed) => allowed.name().to_owned(),
        Verdict::Same | Verdict::BothFail => String::new(),
    }
}

/// The last line of a message without what is quoted in it.
fn words(message: &str) -> String {
    let last = message.trim().lines().last().unwrap_or_default();
    let last = last.rsplit("error: ").next().unwrap_or(last);
    last.split(['`', '"'])
        .step_by(2)
        .collect::<Vec<_>>()
        .join("…")
        .chars()
        .filter(|c| !c.is_ascii_digit())
        .take(70)
        .collect()
}

impl Report {
    pub fn add(&mut self, case: &Case, asked: &[Asked]) {
        self.cases += 1;
        for one in asked {
            let column = column(&one.verdict);
            self.answers += 1;
            self.again += u64::from(one.late);
            self.values += u64::from(matches!((&one.ours, &one.theirs), (Ours::Value(_), Theirs::Value(_))));
            self.totals[column] += 1;
            if column > 1 {
                *self.causes.entry((column, cause(one))).or_default() += 1;
            }
            for shape in case.shapes.get(&one.rule).into_iter().flatten() {
                self.shapes.entry(shape).or_default()[column] += 1;
            }
        }
    }

    pub const fn differs(&self) -> u64 {
        self.totals[6]
    }

    pub fn line(&self) -> String {
        let parts: Vec<String> =
            COLUMNS.iter().zip(&self.totals).map(|(name, many)| format!("{name} {many}")).collect();
        format!(
            "{} cases ({} not compared, {} asked again), {} answers ({} values): {}",
            self.cases,
            self.lost,
            self.again,
            self.answers,
            self.values,
            parts.join(", ")
        )
    }

    /// Tables in Markdown.
    pub fn tables(&self) -> String {
        let mut out = format!(
            "| shape | answers | {} |\n|---|{}\n",
            COLUMNS.join(" | "),
            "--:|".repeat(COLUMNS.len() + 1)
        );
        let row = |out: &mut String, name: &str, columns: &[u64; COLUMNS.len()]| {
            let all: u64 = columns.iter().sum();
            let columns: Vec<String> = columns.iter().map(ToString::to_string).collect();
            writeln!(out, "| {name} | {all} | {} |", columns.join(" | ")).expect("a text takes all");
        };
        for (shape, columns) in &self.shapes {
            row(&mut out, shape, columns);
        }
        row(&mut out, "all", &self.totals);
        for (number, name) in COLUMNS.iter().enumerate().skip(2) {
            let mut causes: Vec<_> =
                self.causes.iter().filter(|((column, _), _)| *column == number).collect();
            causes.sort_by_key(|(_, many)| std::cmp::Reverse(**many));
            if !causes.is_empty() {
                write!(out, "\n| {name}, because | answers |\n|---|--:|\n").expect("a text takes all");
            }
            for ((_, cause), many) in causes {
                writeln!(out, "| {} | {many} |", cause.replace('|', "\\|")).expect("a text takes all");
            }
        }
        out
    }
}
