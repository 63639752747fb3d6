//! Which lines of a policy its tests go through. A line counts when a statement or the value of a rule begins on it.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::RangeInclusive;

use regorus::Engine;
use regorus::unstable::{Literal, Module, Query, Ref, Rule, RuleAssign, RuleHead, Span};

use super::find;
use crate::explain::Stopped;
use crate::sources::{Sources, is_test};

/// Module and line of what an evaluation went through.
pub(super) type Seen = BTreeSet<(String, u32)>;

/// The lines of a policy, without those of its tests.
#[derive(Clone, Debug)]
pub struct Coverage {
    /// In the order of their names.
    pub files: Vec<CoveredFile>,
}

/// The lines of one module.
#[derive(Clone, Debug)]
pub struct CoveredFile {
    /// Its name.
    pub name: String,
    /// Lines that a test went through.
    pub covered: Vec<u32>,
    /// Lines that none did.
    pub missed: Vec<u32>,
}

impl Coverage {
    /// Lines that a test went through, and lines that none did.
    #[must_use]
    pub fn lines(&self) -> (usize, usize) {
        let sum = |of: fn(&CoveredFile) -> usize| self.files.iter().map(of).sum();
        (sum(|file| file.covered.len()), sum(|file| file.missed.len()))
    }
}

/// What can be gone through: of each module its text, and the lines that each statement stands on.
pub(super) struct Lines(BTreeMap<String, (String, Vec<RangeInclusive<u32>>)>);

impl Lines {
    pub(super) fn of(modules: &[Ref<Module>], sources: &Sources) -> Self {
        let mut lines = BTreeMap::new();
        for module in modules {
            let mut statements = Vec::new();
            for rule in &module.policy {
                of_rule(rule, &mut statements);
            }
            let name = module.package.refr.span().source.get_path();
            let author = sources.modules.iter().find(|module| module.name == *name);
            let text = author.map(|module| module.text.clone()).unwrap_or_default();
            // One file may be more than one module, with the same lines.
            let (_, all) = lines.entry(name.clone()).or_insert((text, Vec::new()));
            all.append(&mut statements);
            all.sort_by_key(|lines: &RangeInclusive<u32>| (*lines.start(), *lines.end()));
        }
        Self(lines)
    }

    pub(super) fn coverage(&self, seen: &Seen) -> Coverage {
        let files = self.0.iter().filter(|(name, _)| !is_test(name)).map(|(name, (_, statements))| {
            let (mut covered, mut missed) = (BTreeSet::new(), BTreeSet::new());
            for lines in statements {
                let reached = reached(seen, name, lines);
                if reached { &mut covered } else { &mut missed }.insert(*lines.start());
            }
            let missed = missed.difference(&covered).copied().collect();
            CoveredFile { name: name.clone(), covered: covered.into_iter().collect(), missed }
        });
        Coverage { files: files.collect() }
    }

    /// The last statement of a rule that was reached: the one that did not hold.
    pub(super) fn last(&self, file: &str, within: RangeInclusive<u32>, seen: &Seen) -> Option<Stopped> {
        let (text, statements) = self.0.get(file)?;
        let mut inside = statements.iter().filter(|lines| within.contains(lines.start()));
        let line = *inside.rfind(|lines| reached(seen, file, lines))?.start();
        let index = usize::try_from(line).ok()?.checked_sub(1)?;
        let whole = text.lines().nth(index)?;
        let blank = whole.chars().take_while(|c| c.is_whitespace()).count();
        let column = u32::try_from(blank).ok()?.checked_add(1)?;
        Some(Stopped { line, column, text: whole.trim().to_owned(), error: None, values: Vec::new() })
    }
}

fn reached(seen: &Seen, file: &str, lines: &RangeInclusive<u32>) -> bool {
    lines.clone().any(|line| seen.contains(&(file.to_owned(), line)))
}

fn of_rule(rule: &Rule, lines: &mut Vec<RangeInclusive<u32>>) {
    // Of a comprehension only its statements are noted by the engine.
    let mut add = |span: &Span| lines.push(find::lines(span));
    match rule {
        Rule::Default { value, .. } => add(value.span()),
        Rule::Spec { head, bodies, .. } => {
            let value =
                |assign: &Option<RuleAssign>| assign.as_ref().map(|assign| assign.value.span().clone());
            let head = match head {
                RuleHead::Compr { assign, .. } | RuleHead::Func { assign, .. } => value(assign),
                RuleHead::Set { key, .. } => key.as_ref().map(|key| key.span().clone()),
            };
            head.iter().for_each(&mut add);
            // The value of an `else` is in no report of the engine's: its statements stand for it.
            for body in bodies {
                of_query(&body.query, lines);
            }
        }
    }
}

fn of_query(query: &Query, lines: &mut Vec<RangeInclusive<u32>>) {
    for stmt in &query.stmts {
        match &stmt.literal {
            Literal::SomeVars { .. } => {}
            Literal::Every { domain, query, .. } => {
                lines.push(find::lines(domain.span()));
                of_query(query, lines);
            }
            Literal::SomeIn { .. } | Literal::Expr { .. } | Literal::NotExpr { .. } => {
                lines.push(find::lines(&stmt.span));
            }
        }
    }
}

/// The lines of a policy that an engine went through, and those that it did not.
pub(crate) fn coverage(engine: &mut Engine, sources: &Sources) -> Coverage {
    Lines::of(engine.get_modules(), sources).coverage(&seen(engine))
}

/// The lines that an engine went through.
pub(super) fn seen(engine: &Engine) -> Seen {
    let report = engine.get_coverage_report().unwrap_or_default();
    let files = report.files.into_iter();
    files.flat_map(|file| file.covered.into_iter().map(move |line| (file.path.clone(), line))).collect()
}
