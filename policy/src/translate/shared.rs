//! `{"name": k} = users[k]`, where a name in brackets stands on its own too: the engine takes it for one that the other
//! side gives, and then finds nothing. What is read comes first, `read9__ := users[k]; {"name": k} = read9__`.

use std::collections::BTreeSet;

use regorus::unstable::{AssignOp, Expr, Literal, LiteralStmt, Module, Ref};

use super::hoist::bare;
use super::{Edit, Translated, each, end, reach};
use crate::gate::binds;
use crate::gate::walk::{self, Seen};

/// The texts of all modules with what is read before such statements, but those within others; none where there is none.
pub(crate) fn read(modules: &[Ref<Module>], texts: &[Translated]) -> Option<Vec<Translated>> {
    each(modules, texts, |module, text| {
        let (mut edits, mut reached) = (Vec::new(), 0);
        for rule in &module.policy {
            let bare = bare(rule);
            walk::rule(rule, &mut |seen| {
                let Seen::Opens(stmts) = seen else { return };
                for stmt in stmts {
                    let read = statement(&text.text, stmt, bare.contains(&stmt.span.start));
                    if !read.is_empty() && stmt.span.start >= reached {
                        reached = stmt.span.end;
                        edits.extend(read);
                    }
                }
            });
        }
        edits
    })
}

/// The edits for one statement.
fn statement(text: &str, stmt: &LiteralStmt, bare: bool) -> Vec<Edit> {
    let Literal::Expr { expr, .. } = &stmt.literal else { return Vec::new() };
    let Expr::AssignExpr { op: AssignOp::Eq, .. } = expr.as_ref() else { return Vec::new() };
    let (mut alone, mut references) = (BTreeSet::new(), Vec::new());
    sides(expr, &mut alone, &mut references);
    references.retain(|refr| {
        let mut shared = false;
        in_brackets(refr, &mut |name| shared |= alone.contains(name));
        shared
    });
    if references.is_empty() {
        return Vec::new();
    }
    let (at, to) = reach(text, expr);
    let with = stmt.with_mods.first().map(|with| (with.span.start, end(text, stmt.span.end)));
    let ours = |said: &str| Edit::new(at, at, said);
    let mut edits = vec![ours(if bare { "{ " } else { "" })];
    for refr in references {
        let (from, to) = reach(text, refr);
        let name = format!("read{from}__");
        edits.extend([ours(&name), ours(" := "), Edit::copy(at, from, to)]);
        edits.extend(with.into_iter().flat_map(|(from, to)| [ours(" "), Edit::copy(at, from, to)]));
        edits.push(ours("; "));
        edits.push(Edit::new(from, to, name));
    }
    if bare {
        let end = end(text, stmt.span.end).max(to);
        edits.push(Edit::new(end, end, " }"));
    }
    edits
}

/// The names that stand on their own, and the references with names in brackets.
fn sides<'a>(expr: &'a Expr, alone: &mut BTreeSet<&'a str>, references: &mut Vec<&'a Expr>) {
    match expr {
        Expr::Var { span, .. } => alone.extend([span.text()].into_iter().filter(|name| *name != "_")),
        Expr::RefDot { .. } | Expr::RefBrack { .. } => references.push(expr),
        _ => walk::parts(expr, &mut |part| sides(part, alone, references)),
    }
}

fn in_brackets<'a>(expr: &'a Expr, visit: &mut dyn FnMut(&'a str)) {
    if let Expr::RefBrack { index, .. } = expr {
        binds::variables(index, &mut |name| visit(name.text()));
    }
    walk::parts(expr, &mut |part| in_brackets(part, visit));
}

#[cfg(test)]
mod tests {
    use super::*;
    use regorus::Engine;

    #[test]
    fn what_is_read_by_a_name_that_stands_on_its_own_too_is_read_before() {
        for (body, wanted) in [
            ("{ k = s[k] }", "{ read20__ := s[k]; k = read20__ }"),
            ("k = s[k]", "{ read18__ := s[k]; k = read18__ }"),
            ("{ [k, 1] = s.a[k][k] }", "{ read25__ := s.a[k][k]; [k, 1] = read25__ }"),
            ("{ s[s[k]] = k with s as 1 }", "{ read16__ := s[s[k]] with s as 1; read16__ = k with s as 1 }"),
            ("{ k = f(s[k]) }", "{ read22__ := s[k]; k = f(read22__) }"),
            ("{ [x | k = s[k]] = x }", "{ [x | read25__ := s[k]; k = read25__] = x }"),
            ("{ s[k] = t[k] }", "{ s[k] = t[k] }"),
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
            let number = |text: &str| text.chars().filter(|c| !c.is_ascii_digit()).collect::<String>();
            assert_eq!(number(&written), number(&format!("package a\nr if {wanted}\n")));
        }
    }
}
