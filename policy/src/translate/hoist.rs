//! The value of a `with` before the statement that it stands in, as OPA evaluates it: `x == r with input as r` becomes
//! `{ with9__ := r; x == r with input as with9__ }`. The engine evaluates the value in the statement's own place, and
//! has lost the rules that it read when the statement reads them too; of several `with` it forgets that a value is
//! missing where another one follows; and it goes through nothing there.

use std::cell::OnceCell;
use std::collections::{BTreeMap, BTreeSet};

use regorus::unstable::{Expr, Literal, LiteralStmt, Module, Ref, Rule, RuleHead, WithModifier};

use super::negation::Scan;
use super::{Edit, Translated, begin, end, reach, uncalled};
use crate::builtins;
use crate::gate::binds;
use crate::gate::loops::loops;
use crate::gate::names::{self, Names, Path};
use crate::gate::walk::{self, Seen};
use crate::problem::{Problem, Problems};

/// What each rule and function names.
struct Graph<'a> {
    modules: &'a [Ref<Module>],
    names: &'a Names,
    /// Most policies have no `with` that needs them.
    links: OnceCell<Links>,
}

/// Rules and names by number: a policy may ask of each of its rules what all it reads.
struct Links {
    /// The number of each name that stands anywhere.
    named: BTreeMap<Path, usize>,
    /// The rules that each name means.
    means: Vec<Vec<usize>>,
    /// The names that stand in each rule.
    names: Vec<BTreeSet<usize>>,
    /// Which rules are functions.
    functions: Vec<bool>,
}

/// The texts of all modules with such values written before their statements; none when there is nothing to write.
pub(crate) fn values(
    modules: &[Ref<Module>],
    texts: &[Translated],
) -> Result<Option<Vec<Translated>>, Problems> {
    let names = Names::of(modules);
    let graph = Graph { modules, names: &names, links: OnceCell::new() };
    let (mut problems, mut any) = (Problems::default(), false);
    let written = modules.iter().zip(texts).map(|(module, text)| {
        let (mut edits, mut reached) = (Vec::new(), Vec::new());
        let scan = Scan::of(module, &names, text);
        for rule in &module.policy {
            let bare = bare(rule);
            let known = known(rule);
            walk::rule(rule, &mut |seen| {
                let Seen::Opens(stmts) = seen else { return };
                for stmt in stmts {
                    let (mods, last) = (&stmt.with_mods, stmt.with_mods.len());
                    let forgotten = |at: usize, with| at + 1 < last && forgets(&scan, module, &names, with);
                    let late = |at, with: &WithModifier| at > 0 && is_read(module, &names, with);
                    let lost = mods.iter().enumerate().filter(|(at, with)| {
                        forgotten(*at, with)
                            || late(*at, with)
                            || loops(&with.r#as, &known)
                            || loses(module, &graph, stmt, with)
                    });
                    let lost: Vec<_> = lost.map(|(_, with)| with).collect();
                    if let Some(with) = lost.first() {
                        let (from, to) = (stmt.span.start, stmt.span.end);
                        let within = reached.iter().any(|(begin, end)| *begin < to && from < *end);
                        reached.push((from, to));
                        let found = || before(&text.text, stmt, &lost, bare.contains(&from));
                        match (!within).then(found).flatten() {
                            Some(found) => edits.extend(found),
                            None => problems.push(problem(with)),
                        }
                    }
                }
            });
        }
        let written = text.edited(edits);
        any |= written.is_some();
        written.unwrap_or_else(|| text.clone())
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

/// The names that a rule gives values to but by `=` and in brackets: what these give, the engine does not wait for in
/// the value of a `with`.
fn known(rule: &Rule) -> BTreeSet<String> {
    let mut known = Vec::new();
    if let Rule::Spec { head: RuleHead::Func { args, .. }, .. } = rule {
        for arg in args {
            binds::named(arg, &mut known);
        }
    }
    walk::rule(rule, &mut |seen| {
        let Seen::Opens(stmts) = seen else { return };
        for stmt in stmts {
            binds::given(stmt, &mut known);
            if let Literal::Every { key, value, .. } = &stmt.literal {
                known.extend(key.iter().chain([value]).map(|name| name.text().to_owned()));
            }
        }
    });
    known.into_iter().collect()
}

/// Whether the value may be missing. What replaces a function is most often a name, and no value.
fn forgets(scan: &Scan<'_>, module: &Module, names: &Names, with: &WithModifier) -> bool {
    // A rule in the place of a function is asked for at each call.
    let called = names::path(&with.refr).is_some_and(|path| is_function(module, names, &path));
    let function = names::path(&with.r#as).is_some_and(|path| {
        is_function(module, names, &path) || (called && names.is_rule(&names::resolve(module, &path)))
    });
    !function && scan.may_miss(&with.r#as)
}

/// Whether the value is more than what is written out, and no function's: behind another `with` the engine reads it with what
/// that one put in.
fn is_read(module: &Module, names: &Names, with: &WithModifier) -> bool {
    let mut read = false;
    walk::expression(&with.r#as, &mut |seen| {
        read |= matches!(seen, Seen::Ref(_) | Seen::Call { .. } | Seen::Comprehension(_));
    });
    read && !stands_for_a_function(module, names, with)
}

/// What replaces a function is a name, and no value.
fn stands_for_a_function(module: &Module, names: &Names, with: &WithModifier) -> bool {
    let of = |expr: &Expr| names::path(expr).is_some_and(|path| is_function(module, names, &path));
    of(&with.refr) || of(&with.r#as)
}

fn is_function(module: &Module, names: &Names, path: &[String]) -> bool {
    names.function(module, path).is_some() || builtins::known(&path.join(".")).is_some()
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
    let links = graph.links();
    let both = links.all(&value).into_iter().zip(links.all(&statement)).zip(&links.functions);
    both.into_iter().any(|((value, statement), function)| value && statement && !function)
}

/// The two of them: the values before the statement, and the names in their place.
fn before(text: &str, stmt: &LiteralStmt, lost: &[&WithModifier], bare: bool) -> Option<Vec<Edit>> {
    let at = begin(text, stmt);
    let mut edits = vec![Edit::new(at, at, if bare { "{ " } else { "" })];
    for with in lost {
        let (from, to) = (value_at(text, with)?, value_ends(text, stmt, with));
        let name = format!("with{from}__");
        edits.push(Edit::new(at, at, format!("{name} := ")));
        edits.push(Edit::copy(at, from, to));
        edits.push(Edit::new(at, at, "; "));
        edits.push(Edit::new(from, to, name + uncalled(text, to)));
    }
    if bare {
        let end = end(text, stmt.span.end);
        edits.push(Edit::new(end, end, " }"));
    }
    Some(edits)
}

/// Where the value ends: before the next `with`, for spans may end before the brackets of their values.
fn value_ends(text: &str, stmt: &LiteralStmt, with: &WithModifier) -> u32 {
    let own = end(text, with.span.end).max(reach(text, &with.r#as).1);
    let next = stmt.with_mods.iter().map(|next| next.span.start).find(|next| *next > with.span.start);
    let between = next.and_then(|next| text.get(own as usize..next as usize));
    // A comment would take the rest of its line.
    let value =
        between.filter(|between| !between.contains('#')).map_or(0, |between| between.trim_end().len());
    own + u32::try_from(value).unwrap_or(0)
}

/// Where the value begins: its own span may stand at its last member.
fn value_at(text: &str, with: &WithModifier) -> Option<u32> {
    let (from, to) = (with.span.start as usize, end(text, with.span.end) as usize);
    // What is replaced may have such a word in it, and so may the value.
    let before = text.get(from..(reach(text, &with.r#as).0 as usize).clamp(from, to))?;
    let r#as = before.rmatch_indices("as").find(|(at, _)| {
        let around = text.get(from + at - 1..from + at + 3).unwrap_or_default();
        around.starts_with(char::is_whitespace) && around.ends_with(char::is_whitespace)
    })?;
    let value = text.get(from + r#as.0 + 2..to)?;
    u32::try_from(to - value.trim_start().len()).ok()
}

impl Graph<'_> {
    fn links(&self) -> &Links {
        self.links.get_or_init(|| {
            let rules: BTreeMap<&Path, usize> =
                self.names.rules.iter().enumerate().map(|(number, path)| (path, number)).collect();
            let mut links = Links {
                named: BTreeMap::new(),
                means: Vec::new(),
                names: vec![BTreeSet::new(); rules.len()],
                functions: rules.keys().map(|path| self.names.arities(path).is_some()).collect(),
            };
            for module in self.modules {
                let package = names::package(module);
                for rule in &module.policy {
                    let of = rules.get(&names::rule_path(&package, rule));
                    walk::rule(rule, &mut |seen| {
                        let Some(path) = read(module, self.names, &seen) else { return };
                        let number = links.named.get(&path).copied().unwrap_or_else(|| {
                            let means = self.names.read_by(&path);
                            links.means.push(means.filter_map(|rule| rules.get(rule).copied()).collect());
                            links.named.insert(path, links.means.len() - 1);
                            links.means.len() - 1
                        });
                        if let Some(of) = of.and_then(|of| links.names.get_mut(*of)) {
                            of.insert(number);
                        }
                    });
                }
            }
            links
        })
    }
}

impl Links {
    /// Of each rule and function whether it is named so, or read by what is. All names stand in some rule.
    fn all(&self, from: &BTreeSet<Path>) -> Vec<bool> {
        let mut open: Vec<usize> = from.iter().filter_map(|path| self.named.get(path).copied()).collect();
        let (mut followed, mut all) = (vec![false; self.means.len()], vec![false; self.names.len()]);
        let first = |seen: &mut Vec<bool>, number: usize| {
            seen.get_mut(number).is_some_and(|seen| !std::mem::replace(seen, true))
        };
        while let Some(name) = open.pop() {
            if !first(&mut followed, name) {
                continue;
            }
            for rule in self.means.get(name).into_iter().flatten() {
                if first(&mut all, *rule) {
                    open.extend(self.names.get(*rule).into_iter().flatten());
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
