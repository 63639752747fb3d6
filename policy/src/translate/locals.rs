//! Variables that are called as a rule, as an import, or as a variable around them: `x := y` where a rule `x` stands in
//! the package. In OPA the variable hides the other; the engine takes statements that read `x` for readers of the rule,
//! asks them too early, and refuses `some x in xs`. So such a variable gets a name that nothing else has. So does one that
//! a comprehension or an `every` names before it or in its own value: to OPA that is another one, as in
//! `[x | x = xs[i]]; some i in [0]` and in `i := {i | xs[i]}`.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;

use regorus::unstable::{Expr, Literal, LiteralStmt, Module, Ref, Rule, RuleHead, Span};

use super::{Edit, Translated, each};
use crate::gate::binds::{self, Binds};
use crate::gate::names::Names;
use crate::gate::walk::{self, Seen};

/// What stands behind the author's name, with a number before it.
const ENDING: &str = "_local";

/// The texts of all modules with such variables renamed; none where there is none.
pub(crate) fn renamed(modules: &[Ref<Module>], texts: &[Translated]) -> Option<Vec<Translated>> {
    let names = Names::of(modules);
    each(modules, texts, |module, _| edits(module, &names))
}

/// A message in the author's own names.
pub(crate) fn own(message: &str) -> String {
    let (mut own, mut seen) = (message.to_owned(), 0);
    while let Some(at) = own.get(seen..).and_then(|rest| rest.find(ENDING)) {
        let (end, behind) = (seen + at, seen + at + ENDING.len());
        let digits = own.get(..end).unwrap_or_default().trim_end_matches(|c: char| c.is_ascii_digit());
        // A name of the author's may end in this too.
        seen = match digits.strip_suffix("__").map(str::len).filter(|_| digits.len() < end) {
            Some(from) => {
                own.replace_range(from..behind, "");
                from
            }
            None => behind,
        };
    }
    own
}

/// What a body declares.
#[derive(Default)]
struct Scope {
    /// The new name of each; none for one that keeps its own.
    names: BTreeMap<String, Option<String>>,
    /// All that stand in the statements themselves, declared or not.
    standing: BTreeSet<String>,
    /// From where to where the value of each is written: there the name is not yet declared.
    values: BTreeMap<String, Vec<Range<u32>>>,
    /// From where to where the statements before the one that declares it are written: in comprehensions and bodies of
    /// `every` there the name is another one.
    before: BTreeMap<String, Range<u32>>,
}

fn edits(module: &Module, names: &Names) -> Vec<Edit> {
    let ruled = |name: &str| names.is_global(module, name);
    let mut edits = BTreeMap::new();
    for rule in &module.policy {
        let mut scopes = vec![Scope { standing: arguments(rule), ..Scope::default() }];
        let mut every = BTreeSet::new();
        walk::rule(rule, &mut |seen| match seen {
            Seen::Opens(stmts) => {
                every.extend(stmts.iter().filter_map(body_of_every));
                // What is declared there OPA does not tell from the rule afterwards: the gate refuses it.
                let within = stmts.first().is_some_and(|first| every.contains(&first.span.start));
                let around = |name: &str| {
                    scopes.iter().any(|scope| scope.names.contains_key(name) || scope.standing.contains(name))
                };
                let taken = |name: &str| if ruled(name) { !within } else { around(name) };
                let new = scope(stmts, &taken, within);
                scopes.push(new);
            }
            Seen::Closes => drop(scopes.pop()),
            Seen::Binds(span, _) => {
                if let Some(scope) = scopes.last_mut() {
                    // What a function or an `every` binds hides what is declared around it, and keeps its name.
                    let new = scope.names.entry(span.text().to_owned()).or_default();
                    edits.extend(new.clone().map(|new| (span.start, edit(span, new))));
                }
            }
            // A variable cannot be called: OPA says so, and the gate by its new name.
            Seen::Ref(refr) | Seen::Call { fcn: refr, .. } => {
                let begin = root(refr);
                let new = begin.and_then(|span| Some((span, declared(&scopes, span, &ruled)?)));
                edits.extend(new.map(|(span, new)| (span.start, edit(span, new))));
            }
            _ => {}
        });
    }
    edits.into_values().collect()
}

/// Where the body of an `every` begins.
fn body_of_every(stmt: &LiteralStmt) -> Option<u32> {
    let Literal::Every { query, .. } = &stmt.literal else { return None };
    query.stmts.first().map(|first| first.span.start)
}

fn edit(span: &Span, text: String) -> Edit {
    Edit::new(span.start, span.end, text)
}

/// The name that a reference begins with; what another expression gives has none.
pub(crate) fn root(refr: &Expr) -> Option<&Span> {
    match refr {
        Expr::RefDot { refr, .. } | Expr::RefBrack { refr, .. } => root(refr),
        Expr::Var { span, .. } => Some(span),
        _ => None,
    }
}

/// The new name of what stands here. In its own value a variable is the one around it, and where there is none, OPA
/// refuses the value; so will the gate, by the new name.
fn declared(scopes: &[Scope], span: &Span, ruled: &dyn Fn(&str) -> bool) -> Option<String> {
    let (mut own, mut other) = (None, false);
    for (depth, scope) in scopes.iter().enumerate().rev() {
        let Some(new) = scope.names.get(span.text()) else { continue };
        let before = scope.before.get(span.text()).is_some_and(|before| before.contains(&span.start));
        let mut values = scope.values.get(span.text()).into_iter().flatten();
        let value = values.any(|value| value.contains(&span.start));
        if (before || value) && depth + 1 < scopes.len() {
            other = true;
            continue;
        }
        if !value {
            return new.clone();
        }
        own = own.or_else(|| new.clone());
    }
    // It is no rule either; it may be a variable that a statement around it looks for.
    own.or_else(|| (other && ruled(span.text())).then(|| format!("{}__0{ENDING}", span.text())))
}

/// What a query declares; in the body of `every` OPA tells apart from what is around it and from nothing else.
fn scope(stmts: &[LiteralStmt], taken: &dyn Fn(&str) -> bool, within: bool) -> Scope {
    let mut scope = Scope { standing: standing(stmts), ..Scope::default() };
    let mut named = BTreeSet::new();
    for stmt in stmts {
        let mut here = BTreeSet::new();
        inner(stmt, &mut here);
        binds::of(stmt, &mut |binds| {
            let (value, other) = match binds {
                Binds::Value(pattern, _) => (pattern.span().end, true),
                // What is gone through may not be called so either.
                Binds::Declared(_) | Binds::Key(_) | Binds::Member(..) => (stmt.span.end, false),
            };
            binds.names(&mut |name| {
                let text = name.text();
                if text != "_" && (!within || taken(text)) {
                    scope.values.entry(text.to_owned()).or_default().push(value..stmt.span.end);
                    if !scope.names.contains_key(text) && named.contains(text) {
                        let first = stmts.first().map_or(stmt.span.start, |first| first.span.start);
                        scope.before.insert(text.to_owned(), first..stmt.span.start);
                    }
                    let other = other && here.contains(text);
                    let taken = other || taken(text) || scope.before.contains_key(text);
                    let new = taken.then(|| format!("{text}__{}{ENDING}", name.start));
                    scope.names.entry(text.to_owned()).or_insert(new);
                }
            });
        });
        named.append(&mut here);
    }
    scope
}

/// The names that a function takes.
fn arguments(rule: &Rule) -> BTreeSet<String> {
    let mut names = Vec::new();
    if let Rule::Spec { head: RuleHead::Func { args, .. }, .. } = rule {
        for arg in args {
            binds::named(arg, &mut names);
        }
    }
    names.into_iter().collect()
}

/// The names in the statements of a query, but for those in queries within.
fn standing(stmts: &[LiteralStmt]) -> BTreeSet<String> {
    let mut names = BTreeSet::new();
    for stmt in stmts {
        match &stmt.literal {
            Literal::Expr { expr, .. } | Literal::NotExpr { expr, .. } => all(expr, &mut names),
            Literal::SomeVars { vars, .. } => names.extend(vars.iter().map(|name| name.text().to_owned())),
            Literal::SomeIn { key, value, collection, .. } => {
                key.iter().chain([value, collection]).for_each(|part| all(part, &mut names));
            }
            Literal::Every { domain, .. } => all(domain, &mut names),
        }
    }
    names
}

fn all(expr: &Expr, names: &mut BTreeSet<String>) {
    if let Expr::Var { span, .. } = expr {
        names.insert(span.text().to_owned());
    }
    walk::parts(expr, &mut |part| all(part, names));
}

/// The names in comprehensions of a statement, and in the body of its `every`.
fn inner<'a>(stmt: &'a LiteralStmt, named: &mut BTreeSet<&'a str>) {
    let mut depth = 0_usize;
    walk::statement(stmt, &mut |seen| match seen {
        Seen::Opens(_) => depth += 1,
        Seen::Closes => depth -= 1,
        Seen::Ref(refr) if depth > 0 => named.extend(root(refr).map(Span::text)),
        _ => {}
    });
}

#[cfg(test)]
mod tests {
    use super::*;
    use regorus::Engine;

    #[test]
    fn a_variable_that_hides_a_rule_has_a_name_of_its_own() {
        for (author, wanted) in [
            ("y := x if some x in [1]", "y := L if some L in [1]"),
            ("y := x if { x := 1 } else := x", "y := L if { L := 1 } else := x"),
            (
                "y contains [z | z := x; x := q.x] if q := x.q",
                "y contains [z | z := L; L := q.x] if q := x.q",
            ),
            ("y := [z | [z, {\"x\": x}] := q[x]; x.x]", "y := [z | [z, {\"x\": L}] := q[L]; L.x]"),
            ("y if { some x; q[x]; every x in [x] { x } }", "y if { some L; q[L]; every x in [L] { x } }"),
            ("f(x) := [x | z := x]", "f(x) := [x | z := x]"),
        ] {
            let author = format!("package a\nx := 5\n{author}\n");
            let mut engine = Engine::new();
            engine.add_policy("a.rego".to_owned(), author.clone()).unwrap();
            let texts = [Translated { text: author.clone(), ..Translated::default() }];
            let written = renamed(engine.get_modules(), &texts);
            let written = written.map_or(author, |mut written| written.remove(0).text);
            let parts: Vec<&str> = written.split("x__").collect();
            let local =
                |part: &str| part.trim_start_matches(|c: char| c.is_ascii_digit()).replacen(ENDING, "L", 1);
            let plain: String = parts
                .iter()
                .take(1)
                .map(ToString::to_string)
                .chain(parts.iter().skip(1).map(|part| local(part)))
                .collect();
            assert_eq!(plain, format!("package a\nx := 5\n{wanted}\n"));
        }
    }

    #[test]
    fn a_message_names_what_its_author_wrote() {
        assert_eq!(own("`x__12_local.b` and y__3_local"), "`x.b` and y");
        assert_eq!(own("`a_local[_] == x__136_local`"), "`a_local[_] == x`");
        for other in ["x_local", "x__local", "1_local", ""] {
            assert_eq!(own(other), other);
        }
    }
}
