//! `{"name": k} = users[k]` and `lower(k) = k`, where a name that something is read by stands on its own too: the engine takes
//! it for one that the other side gives, and then finds nothing. What is read comes first, `read9__ := users[k]; {"name": k} =
//! read9__`.

use std::collections::{BTreeMap, BTreeSet};

use regorus::unstable::{AssignOp, Expr, Literal, LiteralStmt, Module, Ref};

use super::{Edit, Translated, each_statement, end, reach};
use crate::gate::binds;
use crate::gate::names::begin;
use crate::gate::walk::{self, Seen};

/// The texts of all modules with what is read before such statements, but those within others; none where there is none.
pub(crate) fn read(modules: &[Ref<Module>], texts: &[Translated]) -> Option<Vec<Translated>> {
    each_statement(modules, texts, statement)
}

/// The edits for one statement.
fn statement(text: &str, stmt: &LiteralStmt, bare: bool) -> Vec<Edit> {
    let Literal::Expr { expr, .. } = &stmt.literal else { return Vec::new() };
    let mut found = Vec::new();
    if let Expr::AssignExpr { op: AssignOp::Eq, lhs, rhs, .. } = expr.as_ref() {
        found = Names::of([lhs, rhs]).shared();
    }
    if found.is_empty() {
        members(expr, &mut found);
    }
    if found.is_empty() {
        return Vec::new();
    }
    let (at, to) = reach(text, expr);
    let with = stmt.with_mods.first().map(|with| (with.span.start, end(text, stmt.span.end)));
    let ours = |said: &str| Edit::new(at, at, said);
    let mut edits = vec![ours(if bare { "{ " } else { "" })];
    let read: Vec<_> = found.into_iter().map(|read| reach(text, read)).collect();
    for (from, to) in &read {
        edits.extend([ours(&format!("read{from}__ := ")), Edit::copy(at, *from, *to)]);
        edits.extend(with.into_iter().flat_map(|(from, to)| [ours(" "), Edit::copy(at, from, to)]));
        edits.push(ours("; "));
    }
    edits.extend(read.into_iter().map(|(from, to)| Edit::new(from, to, format!("read{from}__"))));
    if bare {
        let end = end(text, stmt.span.end).max(to);
        edits.push(Edit::new(end, end, " }"));
    }
    edits
}

/// Members that are made of such names, `granted[[lower(a), a]]`.
fn members<'a>(expr: &'a Expr, found: &mut Vec<&'a Ref<Expr>>) {
    if let Expr::RefBrack { index, .. } = expr
        && !Names::of([index]).shared().is_empty()
    {
        found.push(index);
        return;
    }
    walk::parts(expr, &mut |part| members(part, found));
}

/// What patterns are made of.
#[derive(Default)]
struct Names<'a> {
    alone: BTreeSet<&'a str>,
    /// All that is no pattern, with the names in it.
    read: Vec<(&'a Ref<Expr>, BTreeSet<&'a str>)>,
}

impl<'a> Names<'a> {
    fn of(patterns: impl IntoIterator<Item = &'a Ref<Expr>>) -> Self {
        let mut names = Self::default();
        for pattern in patterns {
            names.pattern(pattern);
        }
        names
    }

    fn pattern(&mut self, pattern: &'a Ref<Expr>) {
        match pattern.as_ref() {
            Expr::Var { span, .. } => {
                self.alone.extend([span.text()].into_iter().filter(|name| *name != "_"));
            }
            Expr::Array { items, .. } | Expr::Set { items, .. } => {
                for item in items {
                    self.pattern(item);
                }
            }
            Expr::Object { fields, .. } => {
                for (_, key, value) in fields {
                    self.pattern(key);
                    self.pattern(value);
                }
            }
            scalar if walk::is_scalar(scalar) => {}
            _ => {
                let mut names = BTreeSet::new();
                walk::expression(pattern, &mut |seen| {
                    if let Seen::Ref(refr) = seen {
                        names.insert(begin(refr).text());
                    }
                });
                self.read.push((pattern, names));
            }
        }
    }

    /// What is read by a name that stands on its own too, or in brackets by one that something else is read by.
    fn shared(&self) -> Vec<&'a Ref<Expr>> {
        let mut readers: BTreeMap<&str, usize> = BTreeMap::new();
        for name in self.read.iter().flat_map(|(_, names)| names) {
            *readers.entry(name).or_default() += 1;
        }
        let shared = self.read.iter().filter(|(read, names)| {
            // To OPA what such a member begins with has no value either, where no statement before gives it one.
            let mut begins = false;
            let mut shared = !names.is_disjoint(&self.alone);
            each_index(read, &mut |index| {
                begins |= self.begins(index);
                binds::variables(index, &mut |name| {
                    shared |= readers.get(name.text()).is_some_and(|readers| *readers > 1);
                });
            });
            shared && !begins
        });
        shared.map(|(read, _)| *read).collect()
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
            ("{ [k] = [k + 1] }", "{ read24__ := k + 1; [k] = [read24__] }"),
            ("{ [v | v := k] = k }", "{ read17__ := [v | v := k]; read17__ = k }"),
            ("{ s[f(k)] = t[k] }", "{ read27__ := t[k]; s[f(k)] = read27__ }"),
            ("{ s[[f(k), k]].a }", "{ read19__ := [f(k), k]; s[read19__].a }"),
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
