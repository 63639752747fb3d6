//! A query as the engine reads it. It is loaded as the body of a rule, so that it is translated and refused as a module is.
//! What was made of the body is asked as the body of a comprehension, which gives all its rows: of a query of several
//! expressions the engine itself leaves out rows, and of rows variables.

use std::collections::BTreeSet;

use regorus::QueryResults;
use regorus::unstable::{Expr, Literal, LiteralStmt, Module, Rule};
use serde::Deserialize;

use super::{Expression, Row};
use crate::compile::load;
use crate::explain::text::statement;
use crate::gate::Purpose;
use crate::gate::loops;
use crate::gate::names::{self, Names};
use crate::gate::packages::WHOLE;
use crate::gate::walk::{self, Seen};
use crate::problem::{LoadError, Problem};
use crate::sources::Sources;
use crate::translate::{Edit, Translated, locals, member};

/// What a query is called in a problem.
const QUERY: &str = "query";
const BEFORE: &str = "package postern_query\n\npostern_asked if {\n";
const AFTER: &str = "\n}\n";
/// The full name of that rule.
pub(crate) const ASKED: &str = "data.postern_query.postern_asked";

/// A query that has been through the gate.
pub(crate) struct Query {
    /// What the engine is asked: a list with a member for each row.
    text: String,
    /// The expressions of a row, without their values.
    expressions: Vec<Expression>,
}

/// What the engine gives for a row.
#[derive(Deserialize)]
struct Given {
    bindings: serde_json::Map<String, serde_json::Value>,
    values: Vec<serde_json::Value>,
}

impl Query {
    /// Refused is what would be if it stood in the policy.
    pub(super) fn of(sources: &Sources, query: &str) -> Result<Self, LoadError> {
        // Its own lines, whatever stands in them.
        let author = format!("{BEFORE}{query}{AFTER}");
        let sources = sources.clone().with_module(QUERY, &author);
        let mut loaded = load(&sources, Purpose::Queries).map_err(|error| told(error, query))?;
        let index = loaded.texts.iter().position(|text| text.of + 1 == sources.modules.len());
        let modules = loaded.engine.get_modules();
        let names = Names::of(modules);
        let asked = index.and_then(|index| {
            let (module, rule) = (modules.get(index)?, loaded.texts.get(index)?);
            Self::written(&author, module, &names, rule)
        });
        asked.ok_or_else(|| {
            let (why, instead) = ("is more than the body of a rule", "expressions with `;` between them");
            LoadError { problems: vec![Problem::of(QUERY, QUERY, why, instead).at(1, 1, query)] }
        })
    }

    /// None where it is not the body of one rule.
    fn written(author: &str, module: &Module, names: &Names, rule: &Translated) -> Option<Self> {
        let [one] = module.policy.as_slice() else { return None };
        let Rule::Spec { bodies, .. } = one.as_ref() else { return None };
        let [body] = bodies.as_slice() else { return None };
        let stmts = &body.query.stmts;
        let (mut edits, mut values, mut expressions) = (Vec::new(), Vec::new(), Vec::new());
        for stmt in stmts.iter().filter(|stmt| !is_ours(rule, stmt)) {
            let (from, to) = statement(&stmt.span);
            let text = rule.written(author, from, to).to_owned();
            // Nothing of it is the author's.
            if text.is_empty() {
                continue;
            }
            match value(stmt, module, names) {
                None => values.push("true".to_owned()),
                Some(expr) => {
                    let name = format!("value{from}__");
                    edits.push(Edit::new(from, from, format!("{name} := ")));
                    if matches!(expr, Expr::Membership { .. }) {
                        edits.extend(member::edit(&rule.text, expr)?);
                    }
                    // One expression alone may be false; of several each must hold, and so of many values.
                    let holds = if stmts.len() > 1 || loops::loops(expr, &BTreeSet::new()) {
                        format!("; {name} != false")
                    } else {
                        String::new()
                    };
                    edits.push(Edit::new(to, to, holds));
                    values.push(name);
                }
            }
            let (line, column) = rule.placed(author, from);
            let line = line.saturating_sub(above()).max(1);
            expressions.push(Expression { value: serde_json::Value::Null, text, line, column });
        }
        let written = rule.edited(edits);
        let text = &written.as_ref().unwrap_or(rule).text;
        let body = text.strip_prefix(BEFORE)?.strip_suffix(AFTER)?;
        let bindings: Vec<String> =
            variables(stmts, rule).iter().map(|name| format!("\"{name}\": {name}")).collect();
        let row =
            format!("{{\"bindings\": {{{}}}, \"values\": [{}]}}", bindings.join(", "), values.join(", "));
        // Its lines stay its lines, whatever stands in the last one.
        Some(Self { text: format!("[{row} | {body}\n]"), expressions })
    }

    /// What the engine is asked.
    pub(super) fn text(&self) -> &str {
        &self.text
    }

    /// The rows that the engine's answer holds.
    pub(super) fn rows(&self, results: &QueryResults) -> Result<Vec<Row>, serde_json::Error> {
        let Some(all) = results.result.first().and_then(|row| row.expressions.first()) else {
            return Ok(Vec::new());
        };
        let all: Vec<Given> = serde_json::from_value(serde_json::to_value(&all.value)?)?;
        let row = |Given { bindings, values }| {
            let expressions = self.expressions.iter().cloned().zip(values);
            let expressions = expressions.map(|(expression, value)| Expression { value, ..expression });
            Row { expressions: expressions.collect(), bindings }
        };
        Ok(all.into_iter().map(row).collect())
    }
}

/// Whether the translation put this statement beside those of the author, or it says nothing: as OPA, that is not shown.
fn is_ours(rule: &Translated, stmt: &LiteralStmt) -> bool {
    matches!(stmt.literal, Literal::SomeVars { .. }) || rule.given(stmt).is_some()
}

/// What has a value of its own; the value of others is that they hold.
fn value<'a>(stmt: &'a LiteralStmt, module: &Module, names: &Names) -> Option<&'a Expr> {
    let Literal::Expr { expr, .. } = &stmt.literal else { return None };
    let unifies = matches!(expr.as_ref(), Expr::AssignExpr { .. });
    (!unifies && names::result(names, module, expr).is_none()).then_some(expr)
}

/// The variables of the query itself, but not of what it goes through within an expression.
fn variables(stmts: &[LiteralStmt], rule: &Translated) -> BTreeSet<String> {
    let (mut found, mut depth) = (BTreeSet::new(), 0_usize);
    let mut visit = |seen: Seen<'_>| {
        let name = match seen {
            Seen::Opens(_) => return depth += 1,
            Seen::Closes => return depth = depth.saturating_sub(1),
            Seen::Binds(name, _) => Some(name),
            Seen::Ref(refr) => locals::root(refr),
            _ => None,
        };
        let Some(name) = name else { return };
        let text = name.text();
        let ours = text.ends_with("__") && rule.is_ours(name.start);
        if depth == 0 && !ours && !matches!(text, "_" | "data" | "input") {
            found.insert(text.to_owned());
        }
    };
    for stmt in stmts {
        walk::statement(stmt, &mut visit);
    }
    found
}

/// The lines above the query in its rule.
fn above() -> u32 {
    u32::try_from(BEFORE.matches('\n').count()).unwrap_or_default()
}

/// Where something was printed, in the query's own lines.
pub(super) fn place(place: &str) -> String {
    let line = place.rsplit_once(':').filter(|(file, _)| *file == QUERY);
    let line = line.and_then(|(_, line)| line.parse::<u32>().ok());
    line.map_or_else(|| place.to_owned(), |line| format!("{QUERY}:{}", line.saturating_sub(above())))
}

/// The problems of a query in its own lines.
fn told(mut error: LoadError, query: &str) -> LoadError {
    for problem in error.problems.iter_mut().filter(|problem| problem.file == QUERY) {
        let line = problem.line.saturating_sub(above());
        let last = u32::try_from(query.lines().count().max(1)).unwrap_or(u32::MAX);
        // What is missing behind its last line is missing at its end.
        let end = || query.lines().last().unwrap_or_default().chars().count();
        let (line, column) = match line {
            0 => (1, 1),
            line if line > last => (last, u32::try_from(end()).unwrap_or(u32::MAX).saturating_add(1)),
            line => (line, problem.column),
        };
        *problem = problem.clone().at(line, column, query);
        for_queries(problem);
    }
    error
}

/// What a rule is told of a whole package is another thing to who asks.
fn for_queries(problem: &mut Problem) {
    let itself = problem.construct.starts_with(ASKED);
    if itself {
        // What reads all of `data` reads the query too.
        "data".clone_into(&mut problem.construct);
        "is read as a whole by a query that does more".clone_into(&mut problem.why);
    }
    if itself || problem.why == WHOLE {
        "`data.x` as the whole query, or its rules by their names".clone_into(&mut problem.instead);
    }
}
