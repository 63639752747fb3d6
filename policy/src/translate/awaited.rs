//! `every x in xs { granted[n] }`, written `every x in [xs, n][0] { granted[n] }`: the engine waits for what `every` goes
//! through, and not for what its body reads from around it. Before that has a value it would try all there are.

use std::collections::BTreeSet;

use regorus::Value;
use regorus::unstable::{Expr, Literal, LiteralStmt, Module, Ref, Span};

use super::{Edit, Translated, each, reach};
use crate::gate::names::{self, Names};
use crate::gate::walk::{self, Seen};
use crate::gate::{binds, globals};

/// The texts of all modules with such names beside what `every` goes through; none where there is none.
pub(crate) fn names(modules: &[Ref<Module>], texts: &[Translated]) -> Option<Vec<Translated>> {
    let names = Names::of(modules);
    each(modules, texts, |module, text| {
        let globals = globals(module, &names);
        let mut edits = Vec::new();
        for rule in &module.policy {
            let mut scopes: Vec<Scope<'_>> = Vec::new();
            walk::rule(rule, &mut |seen| match seen {
                Seen::Opens(stmts) => {
                    scopes.push(Scope::of(stmts));
                    for stmt in stmts {
                        edits.extend(awaited(&text.text, stmt, &scopes, &globals).into_iter().flatten());
                    }
                }
                Seen::Closes => drop(scopes.pop()),
                Seen::Binds(name, _) => {
                    if let Some(scope) = scopes.last_mut() {
                        scope.declared.insert(name.text());
                    }
                }
                _ => {}
            });
        }
        edits
    })
}

/// What is gone through, in its author's words.
pub(crate) fn gone_through(domain: &Ref<Expr>) -> &Ref<Expr> {
    match domain.as_ref() {
        Expr::RefBrack { refr, index, .. } if walk::constant(index) == Some(&Value::from(0)) => {
            match refr.as_ref() {
                Expr::Array { items, .. } => items.first().unwrap_or(domain),
                _ => domain,
            }
        }
        _ => domain,
    }
}

fn awaited(
    text: &str,
    stmt: &LiteralStmt,
    scopes: &[Scope<'_>],
    globals: &BTreeSet<String>,
) -> Option<[Edit; 2]> {
    let Literal::Every { key, value, domain, query, .. } = &stmt.literal else { return None };
    let mut read = read(&query.stmts, key.iter().chain([value]));
    read.retain(|name| {
        let declared = scopes.iter().any(|scope| scope.declared.contains(name));
        let given = scopes.iter().any(|scope| scope.given.contains(name));
        given && (declared || !globals.contains(*name))
    });
    let (from, to) = reach(text, domain);
    let behind: String = read.iter().flat_map(|name| [", ", *name]).collect();
    let edits = [Edit::new(from, from, "["), Edit::new(to, to, format!("{behind}][0]"))];
    (!read.is_empty()).then_some(edits)
}

/// The names of a query.
struct Scope<'a> {
    declared: BTreeSet<&'a str>,
    /// Those that its statements may give a value to.
    given: BTreeSet<&'a str>,
}

impl<'a> Scope<'a> {
    fn of(stmts: &'a [LiteralStmt]) -> Self {
        let mut given = BTreeSet::new();
        for stmt in stmts {
            match &stmt.literal {
                Literal::Expr { expr, .. } => variables(expr, &mut given),
                Literal::SomeIn { key, value, collection, .. } => {
                    key.iter().chain([value, collection]).for_each(|expr| variables(expr, &mut given));
                }
                Literal::SomeVars { .. } | Literal::NotExpr { .. } | Literal::Every { .. } => {}
            }
        }
        Self { declared: binds::declared(stmts), given }
    }
}

/// The variables of an expression, and of no query in it.
fn variables<'a>(expr: &'a Expr, found: &mut BTreeSet<&'a str>) {
    if let Expr::Var { span, .. } = expr
        && span.text() != "_"
    {
        found.insert(span.text());
    }
    walk::parts(expr, &mut |part| variables(part, found));
}

/// The names that the body of an `every` reads and does not declare.
fn read<'a>(stmts: &'a [LiteralStmt], of_every: impl Iterator<Item = &'a Span>) -> BTreeSet<&'a str> {
    let mut read = BTreeSet::new();
    let mut scopes = vec![of_every.map(Span::text).collect(), binds::declared(stmts)];
    for stmt in stmts {
        walk::statement(stmt, &mut |seen| match seen {
            Seen::Opens(stmts) => scopes.push(binds::declared(stmts)),
            Seen::Closes => drop(scopes.pop()),
            Seen::Binds(name, _) => {
                if let Some(scope) = scopes.last_mut() {
                    scope.insert(name.text());
                }
            }
            Seen::Ref(refr) => {
                // What a reference begins with may be no name: those in it are met by themselves.
                let name = names::begin(refr).text();
                if !scopes.iter().any(|scope| scope.contains(name)) {
                    read.insert(name);
                }
            }
            _ => {}
        });
    }
    read
}

#[cfg(test)]
mod tests {
    use super::*;
    use regorus::Engine;

    #[test]
    fn what_the_body_reads_from_around_it_stands_beside_what_is_gone_through() {
        for (body, wanted) in [
            (
                "w = v; v := 1; every x in xs { m[w] == x }",
                "w = v; v := 1; every x in [xs, w][0] { m[w] == x }",
            ),
            (
                "every x in f(\"a\") { m[w]; v }; [v, w] = z",
                "every x in [f(\"a\"), v, w][0] { m[w]; v }; [v, w] = z",
            ),
            ("w := 1; every x in xs { w := x; m[w] }", "w := 1; every x in xs { w := x; m[w] }"),
            ("w := 1; every w in xs { m[w] }", "w := 1; every w in xs { m[w] }"),
            (
                "w := 1; every x in xs { x == [w | some w in x] }",
                "w := 1; every x in xs { x == [w | some w in x] }",
            ),
            // A rule of this name, and a variable that hides one.
            ("xs[_] == rule; every x in xs { x == rule }", "xs[_] == rule; every x in xs { x == rule }"),
            ("rule := 1; every x in xs { x == rule }", "rule := 1; every x in [xs, rule][0] { x == rule }"),
            // What no statement gives, and what stands in another query.
            ("not w; every x in xs { m[w] }", "not w; every x in xs { m[w] }"),
            ("xs == [w | w := 1]; every x in xs { m[w] }", "xs == [w | w := 1]; every x in xs { m[w] }"),
            (
                "some w in v; xs == [1 | every x in xs { every z in x { m[w] } }]",
                "some w in v; xs == [1 | every x in [xs, w][0] { every z in [x, w][0] { m[w] } }]",
            ),
        ] {
            let module = |body: &str| format!("package a\nrule := 1\ny if {{ {body} }}\n");
            let mut engine = Engine::new();
            engine.add_policy("a.rego".to_owned(), module(body)).unwrap();
            let texts = [Translated { text: module(body), ..Translated::default() }];
            let written = names(engine.get_modules(), &texts)
                .map_or(module(body), |mut written| written.remove(0).text);
            assert_eq!(written, module(wanted));
        }
    }
}
