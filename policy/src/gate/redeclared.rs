//! `f(x) if { x := 1 }` and `{ some x; x := 1 }`: OPA refuses a body that declares a name again, of an argument too. Names
//! are told apart, and `some` moved, before the rest of the gate looks at them, so that this is looked at before.

use std::collections::BTreeSet;

use regorus::unstable::{Expr, Literal, LiteralStmt, Module, Ref, Rule, RuleHead, Span};

use super::binds::{self, Binds};
use super::names;
use super::walk::{self, Seen};
use crate::problem::{Problem, Problems};

/// The names that these statements declare, in order.
fn declared(stmts: &[LiteralStmt]) -> Vec<&Span> {
    let mut names = Vec::new();
    for stmt in stmts {
        binds::of(stmt, &mut |binds| binds.names(&mut |name| names.push(name)));
    }
    names.retain(|name| name.text() != "_");
    names
}

/// The first name that a statement declares and another before it did.
fn again(stmts: &[LiteralStmt]) -> Option<&Span> {
    let mut before = BTreeSet::new();
    stmts.iter().find_map(|stmt| {
        let here = declared(std::slice::from_ref(stmt));
        let twice = here.iter().find(|name| before.contains(name.text())).copied();
        before.extend(here.into_iter().map(Span::text));
        twice
    })
}

/// The first name that stands twice in a pattern of `:=`.
fn assigned_twice(stmt: &LiteralStmt) -> Option<&Span> {
    let mut twice = None;
    binds::of(stmt, &mut |binds| {
        let Binds::Value(pattern, _) = binds else { return };
        let mut before = BTreeSet::new();
        binds::variables(pattern, &mut |name| {
            if name.text() != "_" && !before.insert(name.text()) {
                twice.get_or_insert(name);
            }
        });
    });
    twice
}

/// The second of two equal names that one `some` or `every` declares.
fn twice_in_one(stmt: &LiteralStmt) -> Option<&Span> {
    let names: Vec<&Span> = match &stmt.literal {
        Literal::SomeVars { vars, .. } => vars.iter().collect(),
        Literal::Every { key: Some(key), value, .. } => vec![key, value],
        _ => return None,
    };
    let mut before = BTreeSet::new();
    names.into_iter().find(|name| name.text() != "_" && !before.insert(name.text()))
}

/// The first name of an `every` that its own body declares.
fn within(stmt: &LiteralStmt) -> Option<&Span> {
    let Literal::Every { key, value, query, .. } = &stmt.literal else { return None };
    let of_every = |name: &&Span| key.iter().chain([value]).any(|of| of.text() == name.text());
    declared(&query.stmts).into_iter().find(of_every)
}

/// The names that an expression reads and that come from around it; with `within`, in comprehensions too.
fn reads(expr: &Ref<Expr>, within: bool) -> BTreeSet<&str> {
    let (mut read, mut scopes) = (BTreeSet::new(), Vec::new());
    walk::expression(expr, &mut |seen| match seen {
        Seen::Opens(stmts) => scopes.push(declared(stmts)),
        Seen::Closes => drop(scopes.pop()),
        Seen::Ref(expr) if within || scopes.is_empty() => {
            let name = names::begin(expr).text();
            if !scopes.iter().flatten().any(|declared| declared.text() == name) {
                read.insert(name);
            }
        }
        _ => {}
    });
    read
}

/// Where a comprehension of a head declares a name by what has that name around it: there OPA knows no name of the body.
fn by_themselves<'a>(said: &'a Ref<Expr>, problems: &mut Problems) {
    let mut scopes: Vec<Vec<&'a Span>> = Vec::new();
    walk::expression(said, &mut |seen| match seen {
        Seen::Opens(stmts) => {
            for stmt in stmts {
                binds::of(stmt, &mut |binds| {
                    let Binds::Value(_, value) = binds else { return };
                    let read = reads(value, false);
                    binds.names(&mut |name| {
                        if read.contains(name.text()) && !is_known(&scopes, name) {
                            problems.push(problem(
                                name,
                                "is declared by its own value in a head, which OPA refuses",
                            ));
                        }
                    });
                });
            }
            scopes.push(declared(stmts));
            problems.extend(stmts.iter().filter_map(|stmt| gone_through(stmt, &scopes)));
        }
        Seen::Closes => drop(scopes.pop()),
        _ => {}
    });
}

/// The first name of an `=` or a `:=` that an `every` in a comprehension beside it goes through something by.
fn goes_by(stmt: &LiteralStmt) -> Option<&Span> {
    let Literal::Expr { expr, .. } = &stmt.literal else { return None };
    let Expr::AssignExpr { lhs, rhs, .. } = expr.as_ref() else { return None };
    let mut names = BTreeSet::new();
    for side in [lhs, rhs] {
        binds::variables(side, &mut |name| {
            names.insert(name.text());
        });
    }
    let mut found = None;
    walk::statement(stmt, &mut |seen| {
        let Seen::Opens(stmts) = seen else { return };
        for stmt in stmts {
            if let Literal::Every { key, value, .. } = &stmt.literal {
                let gone = key.iter().chain([value]).find(|name| names.contains(name.text()));
                found = found.or(gone);
            }
        }
    });
    found
}

fn is_known(scopes: &[Vec<&Span>], name: &Span) -> bool {
    scopes.iter().flatten().any(|of| of.text() == name.text())
}

/// Of an `every`, or of its body, the first name that stands in what it goes through, where none of these declares it.
fn gone_through(stmt: &LiteralStmt, scopes: &[Vec<&Span>]) -> Option<Problem> {
    let Literal::Every { key, value, domain, query, .. } = &stmt.literal else { return None };
    let read = reads(domain, false);
    let mut names = key.iter().chain([value]).chain(declared(&query.stmts));
    let lost = names.find(|name| read.contains(name.text()) && !is_known(scopes, name))?;
    Some(problem(lost, "is declared by the `every` that goes through it: OPA calls it unsafe"))
}

/// The first name of an `every`, or of its body, that stands in a `with` of it too.
fn replaced(stmt: &LiteralStmt) -> Option<&Span> {
    let Literal::Every { key, value, query, .. } = &stmt.literal else { return None };
    let read: BTreeSet<&str> = stmt.with_mods.iter().flat_map(|with| reads(&with.r#as, true)).collect();
    key.iter().chain([value]).chain(declared(&query.stmts)).find(|name| read.contains(name.text()))
}

fn problem(name: &Span, why: &str) -> Problem {
    let instead = "another name, or `=` or `==`";
    Problem::of(name.source.get_path(), name.text(), why, instead).at_span(name)
}

/// A line that begins with a minus after `some x`: OPA reads on from `x`, and then misses `in`.
fn minus(two: &[LiteralStmt]) -> Option<Problem> {
    let [LiteralStmt { literal: Literal::SomeVars { .. }, .. }, LiteralStmt { span, .. }] = two else {
        return None;
    };
    let why = "begins a line after `some`, where OPA takes it from what stands there";
    let problem =
        || Problem::of(span.source.get_path(), "-", why, "the other side first: `x == -1`").at_span(span);
    let before = span.source.get_contents().get(..span.start as usize).unwrap_or_default();
    (span.text().starts_with('-') && !before.trim_end().ends_with(';')).then(problem)
}

/// Checks every rule of all modules.
pub(super) fn check(modules: &[Ref<Module>], problems: &mut Problems) {
    for rule in modules.iter().flat_map(|module| &module.policy) {
        let mut scopes: Vec<Vec<&Span>> = Vec::new();
        walk::rule(rule, &mut |seen| match seen {
            Seen::Opens(stmts) => {
                scopes.push(declared(stmts));
                problems.extend(stmts.iter().filter_map(|stmt| gone_through(stmt, &scopes)));
                let here = stmts.iter().filter_map(|stmt| twice_in_one(stmt).or_else(|| within(stmt)));
                let names = again(stmts).into_iter().chain(here);
                problems.extend(names.map(|name| problem(name, "is declared before, which OPA refuses")));
                let twice = stmts.iter().filter_map(assigned_twice);
                problems.extend(twice.map(|name| problem(name, "is assigned twice, which OPA refuses")));
                let gone = stmts.iter().filter_map(goes_by);
                problems.extend(gone.map(|name| {
                    problem(name, "gets its value beside an `every` that goes by it, from which the engine does not tell it")
                }));
                let lost = stmts.iter().filter_map(replaced);
                problems.extend(lost.map(|name| {
                    problem(name, "is declared by the `every` whose `with` reads it: OPA calls it unsafe")
                }));
                problems.extend(stmts.windows(2).filter_map(minus));
            }
            Seen::Binds(name, _) if matches!(name.text(), "input" | "data") => {
                problems.push(problem(name, "is a document"));
            }
            Seen::Binds(name, _) => scopes.last_mut().into_iter().for_each(|scope| scope.push(name)),
            Seen::Closes => drop(scopes.pop()),
            _ => {}
        });
        let Rule::Spec { head, bodies, .. } = rule.as_ref() else { continue };
        let said = match head {
            RuleHead::Compr { assign, .. } | RuleHead::Func { assign, .. } => {
                assign.as_ref().map(|assign| &assign.value)
            }
            RuleHead::Set { key, .. } => key.as_ref(),
        };
        let others = bodies.iter().filter_map(|body| body.assign.as_ref().map(|assign| &assign.value));
        said.into_iter().chain(others).for_each(|said| by_themselves(said, problems));
        let RuleHead::Func { args, .. } = head else { continue };
        let mut arguments = BTreeSet::new();
        for arg in args {
            binds::variables(arg, &mut |name| {
                arguments.insert(name.text());
            });
        }
        let bodies = bodies.iter().flat_map(|body| declared(&body.query.stmts));
        problems.extend(bodies.filter(|name| arguments.contains(name.text())).map(|name| {
            problem(name, "is an argument of the function, which OPA lets no body declare again")
        }));
    }
}
