//! `{"name": k} = users[k]` and `lower(k) = k`, where a name that something is read by stands on its own too: the engine takes
//! it for one that the other side gives, and then finds nothing. What is read comes first, `read9__ := users[k]; {"name": k} =
//! read9__`. A call within a pattern may have its names from there alone, `[lower(k), k] = x`, as in OPA, which calls after
//! it: `[read9__, k] = x; read9__ = lower(k)`.

use std::collections::{BTreeMap, BTreeSet};

use regorus::unstable::{AssignOp, Expr, Literal, LiteralStmt, Module, Ref};

use super::{Edit, Translated, behind_parentheses, each_statement, end, reach};
use crate::gate::binds;
use crate::gate::names::begin;
use crate::gate::walk::{self, Seen};

/// The texts of all modules with what is read before such statements, but those within others; none where there is none.
pub(crate) fn read(modules: &[Ref<Module>], texts: &[Translated]) -> Option<Vec<Translated>> {
    each_statement(modules, texts, statement)
}

/// The edits for one statement.
fn statement(text: &str, stmt: &LiteralStmt, bare: bool) -> Vec<Edit> {
    let (mut found, (at, end_of_expr));
    match &stmt.literal {
        Literal::Expr { expr, .. } => {
            found = match expr.as_ref() {
                Expr::AssignExpr { op: AssignOp::Eq, lhs, rhs, .. } => {
                    let names = Names::of([lhs, rhs]);
                    let (shared, later) = (names.shared(), names.later());
                    if shared.iter().all(|read| read.later) { later } else { shared }
                }
                _ => Vec::new(),
            };
            if found.is_empty() {
                members(expr, &mut found);
            }
            (at, end_of_expr) = reach(text, expr);
        }
        Literal::SomeIn { span, key, value, collection, .. } => {
            found = Names::of(key.iter().chain([value])).later();
            (at, end_of_expr) = (span.start, reach(text, collection).1);
        }
        _ => return Vec::new(),
    }
    if found.is_empty() {
        return Vec::new();
    }
    let behind = behind_parentheses(text, end(text, stmt.span.end).max(end_of_expr));
    let with = stmt.with_mods.first().map(|with| (with.span.start, end(text, stmt.span.end)));
    let mut edits = vec![Edit::new(at, at, if bare { "{ " } else { "" })];
    for read in &found {
        let (from, to) = reach(text, read.expr);
        let (place, [before, sign, after]) =
            if read.later { (behind, ["; ", "=", ""]) } else { (at, ["", ":=", "; "]) };
        edits.push(Edit::new(place, place, format!("{before}read{from}__ {sign} ")));
        edits.push(Edit::copy(place, from, to));
        if let Some((from, to)) = with {
            edits.extend([Edit::new(place, place, " "), Edit::copy(place, from, to)]);
        }
        edits.push(Edit::new(place, place, after));
    }
    for read in found {
        let (from, to) = reach(text, read.expr);
        edits.push(Edit::new(from, to, format!("read{from}__")));
    }
    if bare {
        edits.push(Edit::new(behind, behind, " }"));
    }
    edits
}

/// Members that are made of such names, `granted[[lower(a), a]]`.
fn members<'a>(expr: &'a Expr, found: &mut Vec<Read<'a>>) {
    if let Expr::RefBrack { index, .. } = expr {
        let shared = Names::of([index]).shared();
        if !shared.is_empty() {
            let whole = Read { expr: index, names: BTreeSet::new(), later: false };
            let later = shared.iter().all(|read| read.later);
            found.extend(if later { shared } else { vec![whole] });
            return;
        }
    }
    walk::parts(expr, &mut |part| members(part, found));
}

/// What is no pattern, with the names in it.
#[derive(Clone)]
struct Read<'a> {
    expr: &'a Ref<Expr>,
    names: BTreeSet<&'a str>,
    /// Whether it is a call within a pattern.
    later: bool,
}

/// What patterns are made of.
#[derive(Default)]
struct Names<'a> {
    alone: BTreeSet<&'a str>,
    read: Vec<Read<'a>>,
}

impl<'a> Names<'a> {
    fn of(patterns: impl IntoIterator<Item = &'a Ref<Expr>>) -> Self {
        let mut names = Self::default();
        for pattern in patterns {
            names.pattern(pattern, false);
        }
        names
    }

    fn pattern(&mut self, pattern: &'a Ref<Expr>, within: bool) {
        match pattern.as_ref() {
            Expr::Var { span, .. } => {
                self.alone.extend([span.text()].into_iter().filter(|name| *name != "_"));
            }
            Expr::Array { items, .. } => items.iter().for_each(|item| self.pattern(item, true)),
            // What a set has in it is no pattern to OPA.
            Expr::Set { items, .. } => items.iter().for_each(|item| self.pattern(item, false)),
            Expr::Object { fields, .. } => {
                for (_, key, value) in fields {
                    self.pattern(key, false);
                    self.pattern(value, true);
                }
            }
            scalar if walk::is_scalar(scalar) => {}
            read => {
                let mut names = BTreeSet::new();
                walk::expression(pattern, &mut |seen| {
                    if let Seen::Ref(refr) = seen {
                        names.insert(begin(refr).text());
                    }
                });
                self.read.push(Read { expr: pattern, names, later: within && walk::is_call(read) });
            }
        }
    }

    /// What is read by a name that stands on its own too, or in brackets by one that something else is read by.
    fn shared(&self) -> Vec<Read<'a>> {
        let mut readers: BTreeMap<&str, usize> = BTreeMap::new();
        for name in self.read.iter().flat_map(|read| &read.names) {
            *readers.entry(name).or_default() += 1;
        }
        let shared = self.read.iter().filter(|read| {
            // To OPA what such a member begins with has no value either, where no statement before gives it one.
            let mut begins = false;
            let mut shared = !read.names.is_disjoint(&self.alone);
            each_index(read.expr, &mut |index| {
                begins |= self.begins(index);
                binds::variables(index, &mut |name| {
                    shared |= readers.get(name.text()).is_some_and(|readers| *readers > 1);
                });
            });
            shared && !begins
        });
        shared.cloned().collect()
    }

    /// The calls within patterns that give names.
    fn later(&self) -> Vec<Read<'a>> {
        let reads = self.read.iter().filter(|read| read.later && !read.names.is_empty());
        reads.filter(|_| !self.alone.is_empty()).cloned().collect()
    }

    /// Whether a member is a reference into what a name stands for that stands on its own too.
    fn begins(&self, index: &Expr) -> bool {
        matches!(index, Expr::RefDot { .. } | Expr::RefBrack { .. })
            && self.alone.contains(begin(index).text())
    }
}

fn each_index<'a>(expr: &'a Expr, visit: &mut dyn FnMut(&'a Expr)) {
    if let Expr::RefBrack { index, .. } = expr {
        visit(index);
    }
    walk::parts(expr, &mut |part| each_index(part, visit));
}

#[cfg(test)]
mod tests {
    use super::*;
    use regorus::Engine;

    #[test]
    fn what_is_read_by_a_name_that_stands_on_its_own_too_is_read_before() {
        for (body, wanted) in [
            ("{ k = s[k] }", "{ read21__ := s[k]; k = read21__ }"),
            ("k = s[k]", "{ read19__ := s[k]; k = read19__ }"),
            ("{ [k, 1] = s.a[k][k] }", "{ read26__ := s.a[k][k]; [k, 1] = read26__ }"),
            ("{ s[s[k]] = k with s as 1 }", "{ read17__ := s[s[k]] with s as 1; read17__ = k with s as 1 }"),
            ("{ k = f(s[k]) }", "{ read21__ := f(s[k]); k = read21__ }"),
            ("{ s[k] = t[k] }", "{ read17__ := s[k]; read24__ := t[k]; read17__ = read24__ }"),
            ("{ [1 | k = s[k]] = x }", "{ [1 | read26__ := s[k]; k = read26__] = x }"),
            ("{ s[x.a] = x }", "{ s[x.a] = x }"),
            ("{ lower(k) = k }", "{ read17__ := lower(k); read17__ = k }"),
            ("{ [k] = [k + 1] }", "{ [k] = [read24__]; read24__ = k + 1 }"),
            ("{ [v | v := k] = k }", "{ read17__ := [v | v := k]; read17__ = k }"),
            ("{ s[f(k)] = t[k] }", "{ read27__ := t[k]; s[f(k)] = read27__ }"),
            ("{ s[[f(k), k]].a }", "{ s[[read20__, k]].a; read20__ = f(k) }"),
            ("{ s[[f(k), k, t[k]]] }", "{ read19__ := [f(k), k, t[k]]; s[read19__] }"),
            (
                "([f(k), k]) = (x) with t as 1",
                "{ ([read17__, k]) = (x) with t as 1; read17__ = f(k) with t as 1 }",
            ),
            ("{ [f(j), k] = x }", "{ [read18__, k] = x; read18__ = f(j) }"),
            ("{ [f(j)] = [1] }", "{ [f(j)] = [1] }"),
            ("{ some [f(k), k] in x }", "{ some [read23__, k] in x; read23__ = f(k) }"),
            ("{ [{f(k)}, k] = x }", "{ read19__ := f(k); [{read19__}, k] = x }"),
            ("{ s[[f(k), v]] }", "{ s[[f(k), v]] }"),
            ("{ _ = s[_] }", "{ _ = s[_] }"),
            ("{ k == s[k] }", "{ k == s[k] }"),
            ("{ v = s[k] }", "{ v = s[k] }"),
        ] {
            let author = format!("package a\nr if {body}\n");
            let mut engine = Engine::new();
            engine.add_policy("a.rego".to_owned(), author.clone()).unwrap();
            let texts = [Translated { text: author.clone(), ..Translated::default() }];
            let written = read(engine.get_modules(), &texts);
            let written = written.map_or(author, |mut written| written.remove(0).text);
            assert_eq!(written, format!("package a\nr if {wanted}\n"));
        }
    }
}
