//! The value of a `with` before the statement that it stands in, as OPA evaluates it: `x == r with input as r` becomes
//! `{ with9__ := r; x == r with input as with9__ }`. The engine evaluates the value in the statement's own place, and
//! has lost the rules that it read when the statement reads them too; and of several `with` it forgets that a value is
//! missing where another one follows.

use std::cell::OnceCell;
use std::collections::{BTreeMap, BTreeSet};

use regorus::unstable::{LiteralStmt, Module, Ref, Rule, WithModifier};

use super::negation::Scan;
use super::{Edit, Translated, end};
use crate::builtins;
use crate::gate::names::{self, Names, Path};
use crate::gate::walk::{self, Seen};
use crate::problem::{Problem, Problems};

/// What each rule and function names.
struct Graph<'a> {
    modules: &'a [Ref<Module>],
    names: &'a Names,
    /// By its full name; most policies have no `with` that needs it.
    reads: OnceCell<BTreeMap<Path, BTreeSet<Path>>>,
}

/// The texts of all modules with such values written before their statements; none when there is nothing to write.
pub(crate) fn values(
    modules: &[Ref<Module>],
    texts: &[Translated],
) -> Result<Option<Vec<Translated>>, Problems> {
    let names = Names::of(modules);
    let graph = Graph { modules, names: &names, reads: OnceCell::new() };
    let (mut problems, mut any) = (Problems::default(), false);
    let written = modules.iter().zip(texts).map(|(module, text)| {
        let mut edits = Vec::new();
        let mut first = None;
        let scan = Scan::of(module, &names, text);
        for rule in &module.policy {
            let bare = bare(rule);
            walk::rule(rule, &mut |seen| {
                let Seen::Opens(stmts) = seen else { return };
                for stmt in stmts {
                    let (mods, last) = (&stmt.with_mods, stmt.with_mods.len());
                    let forgotten = |at: usize, with| at + 1 < last && forgets(&scan, module, &names, with);
                    let lost = mods
                        .iter()
                        .enumerate()
                        .filter(|(at, with)| forgotten(*at, with) || loses(module, &graph, stmt, with));
                    let lost: Vec<_> = lost.map(|(_, with)| with).collect();
                    if let Some(with) = lost.first() {
                        first.get_or_insert(*with);
                        match before(&text.text, stmt, &lost, bare.contains(&stmt.span.start)) {
                            Some(found) => edits.extend(found),
                            None => problems.push(problem(with)),
                        }
                    }
                }
            });
        }
        let Some(first) = first else { return text.clone() };
        any = true;
        // None where one such statement stands in another.
        text.edited(edits).unwrap_or_else(|| {
            problems.push(problem(first));
            text.clone()
        })
    });
    let written = written.collect();
    if problems.is_empty() { Ok(any.then_some(written)) } else { Err(problems) }
}

fn problem(with: &WithModifier) -> Problem {
    let span = &with.span;
    let why = "has a value that the engine does not read as OPA does in this place";
    let instead = "the value on a line before: `x := …`, and `with … as x`";
    Problem::of(span.source.get_path(), "with", why, instead).at_span(span)
}

/// Where the one statement of a rule stands without braces.
pub(super) fn bare(rule: &Rule) -> BTreeSet<u32> {
    let Rule::Spec { bodies, .. } = rule else { return BTreeSet::new() };
    let first = bodies.iter().filter_map(|body| {
        let stmt = body.query.stmts.first()?;
        (stmt.span.start == body.query.span.start).then_some(stmt.span.start)
    });
    first.collect()
}

/// Whether the value may be missing. What replaces a function is most often a name, and no value.
fn forgets(scan: &Scan<'_>, module: &Module, names: &Names, with: &WithModifier) -> bool {
    let function = names::path(&with.r#as).is_some_and(|path| {
        names.function(module, &path).is_some() || builtins::known(&path.join(".")).is_some()
    });
    !function && scan.may_miss(&with.r#as)
}

/// Whether value and statement read the same rule. What replaces a function is a name, and no value.
fn loses(module: &Module, graph: &Graph<'_>, stmt: &LiteralStmt, with: &WithModifier) -> bool {
    let names = graph.names;
    let target = names::constant(&with.refr);
    let target = names::through_imports(module, &target).unwrap_or(target);
    if !matches!(target.first().map(String::as_str), Some("input" | "data"))
        || names.arities(&target).is_some()
    {
        return false;
    }
    let mut value = BTreeSet::new();
    walk::expression(&with.r#as, &mut |seen| value.extend(read(module, names, &seen)));
    if value.is_empty() {
        return false;
    }
    let mut statement = BTreeSet::new();
    walk::literal(stmt, &mut |seen| statement.extend(read(module, names, &seen)));
    let (value, statement) = (graph.all(&value), graph.all(&statement));
    value.intersection(&statement).any(|path| names.arities(path).is_none())
}

/// The two of them: the values before the statement, and the names in their place.
fn before(text: &str, stmt: &LiteralStmt, lost: &[&WithModifier], bare: bool) -> Option<Vec<Edit>> {
    let at = stmt.span.start;
    let mut edits = vec![Edit::new(at, at, if bare { "{ " } else { "" })];
    for with in lost {
        let (from, to) = (value_at(text, with)?, end(text, with.span.end));
        let name = format!("with{from}__");
        edits.push(Edit::new(at, at, format!("{name} := ")));
        edits.push(Edit::copy(at, from, to));
        edits.push(Edit::new(at, at, "; "));
        edits.push(Edit::new(from, to, name));
    }
    if bare {
        let end = end(text, stmt.span.end);
        edits.push(Edit::new(end, end, " }"));
    }
    Some(edits)
}

/// Where the value begins: its own span may stand at its last member.
fn value_at(text: &str, with: &WithModifier) -> Option<u32> {
    let (from, to) = (with.span.start as usize, end(text, with.span.end) as usize);
    let r#as = text.get(from..to)?.match_indices("as").find(|(at, _)| {
        let around = text.get(from + at - 1..from + at + 3).unwrap_or_default();
        around.starts_with(char::is_whitespace) && around.ends_with(char::is_whitespace)
    })?;
    let value = text.get(from + r#as.0 + 2..to)?;
    u32::try_from(to - value.trim_start().len()).ok()
}

impl Graph<'_> {
    fn reads(&self) -> &BTreeMap<Path, BTreeSet<Path>> {
        self.reads.get_or_init(|| {
            let mut reads: BTreeMap<Path, BTreeSet<Path>> = BTreeMap::new();
            for module in self.modules {
                let package = names::package(module);
                for rule in &module.policy {
                    let of = reads.entry(names::rule_path(&package, rule)).or_default();
                    walk::rule(rule, &mut |seen| of.extend(read(module, self.names, &seen)));
                }
            }
            reads
        })
    }

    /// The rules and functions that are named so, and all that they read.
    fn all<'a>(&'a self, from: &'a BTreeSet<Path>) -> BTreeSet<&'a Path> {
        let mut open: Vec<&Path> = from.iter().collect();
        let (mut followed, mut all): (BTreeSet<&Path>, _) = (open.iter().copied().collect(), BTreeSet::new());
        while let Some(refr) = open.pop() {
            for rule in self.names.read_by(refr) {
                if all.insert(rule) {
                    let next = self.reads().get(rule).into_iter().flatten();
                    open.extend(next.filter(|refr| followed.insert(refr)));
                }
            }
        }
        all
    }
}

/// The full name that stands here, where it means rules or functions.
fn read(module: &Module, names: &Names, seen: &Seen<'_>) -> Option<Path> {
    match seen {
        Seen::Ref(refr) => {
            let path = names::constant(refr);
            let path = (!path.is_empty()).then(|| names::resolve(module, &path))?;
            names.read_by(&path).next()?;
            Some(path)
        }
        Seen::Call { fcn, .. } => names.function(module, &names::constant(fcn)).map(|(path, _)| path),
        _ => None,
    }
}
