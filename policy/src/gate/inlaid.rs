//! Comprehensions that stand where a head is: OPA moves a reference in an object or a set of a head to the body and leaves the
//! names as they are that a comprehension in it declares, which are then bound by nothing. And those in the brackets of a
//! head's name, which OPA answers and the engine does not put in order.

use std::collections::BTreeSet;

use regorus::unstable::{Expr, Literal, LiteralStmt, Module, Query, Ref, Rule, RuleHead, Span};

use super::binds::{self, Binds};
use super::names;
use super::walk::{self, Seen, parts};
use crate::problem::{Problem, Problems};

/// Deeper than this nothing is looked at: the depth alone is reason enough to refuse.
const GIVE_UP: usize = 500;

pub(super) fn check(modules: &[Ref<Module>], problems: &mut Problems) {
    for rule in modules.iter().flat_map(|module| &module.policy) {
        let Rule::Spec { head, bodies, .. } = rule.as_ref() else { continue };
        let mut name = names::head_name(head).as_ref();
        while let Expr::RefDot { refr, .. } | Expr::RefBrack { refr, .. } = name {
            if let Expr::RefBrack { index, .. } = name {
                problems.extend(keyed(index));
            }
            name = refr;
        }
        let (value, args): (_, &[Ref<Expr>]) = match head {
            RuleHead::Compr { assign, .. } => (assign.as_ref().map(|assign| &assign.value), &[]),
            RuleHead::Func { args, assign, .. } => (assign.as_ref().map(|assign| &assign.value), args),
            RuleHead::Set { key, .. } => (key.as_ref(), &[]),
        };
        let others = bodies.iter().filter_map(|body| body.assign.as_ref()).map(|assign| &assign.value);
        let values = args.iter().chain(value).chain(others);
        let mut inlaid = Inlaid { found: None, depth: 0 };
        values.for_each(|value| inlaid.expr(value, false));
        if let Some((at, name)) = inlaid.found {
            let mut bound = BTreeSet::new();
            let mut note = |name: &'_ Span| {
                bound.insert(name.text().to_owned());
            };
            for arg in args {
                binds::variables(arg, &mut note);
            }
            for stmt in bodies.iter().flat_map(|body| &body.query.stmts) {
                binds::of(stmt, &mut |binds| binds.names(&mut note));
            }
            problems.push(unsafe_name(at, name, &bound));
        }
    }
}

/// A comprehension in a computed member of a head's name.
fn keyed(index: &Ref<Expr>) -> Option<Problem> {
    let mut at = None;
    walk::expression(index, &mut |seen| {
        if let Seen::Comprehension(expr) = seen {
            at.get_or_insert(expr.span());
        }
    });
    let why = "in the brackets of a head is not answered by the engine";
    let instead = "a name in the brackets, and `name := …` with the comprehension in the body";
    at.map(|at| Problem::of(at.source.get_path(), "comprehension", why, instead).at_span(at))
}

/// What is told of a name that is declared there; of `every`, where it is none.
fn unsafe_name(at: &Span, name: Option<&Span>, bound: &BTreeSet<String>) -> Problem {
    let name = name.map_or("every", Span::text);
    let does = match name {
        "every" => "fails at it",
        name if bound.contains(name) => "takes it for the one of the rule",
        _ => "calls it unsafe",
    };
    let why = format!("is declared in a reference in an object or a set of a head: OPA {does}");
    let instead = "`value := …` in the body, and `value` in the head";
    Problem::of(at.source.get_path(), name, why, instead).at_span(at)
}

/// Goes through the value of a head for the first comprehension in a reference in an object or a set; finds where it stands,
/// and a name that it declares.
struct Inlaid<'a> {
    found: Option<(&'a Span, Option<&'a Span>)>,
    depth: usize,
}

impl<'a> Inlaid<'a> {
    fn expr(&mut self, expr: &'a Expr, inside: bool) {
        self.deeper(|inlaid| inlaid.node(expr, inside));
    }

    fn deeper(&mut self, inside: impl FnOnce(&mut Self)) {
        if self.found.is_some() || self.depth >= GIVE_UP {
            return;
        }
        self.depth += 1;
        inside(self);
        self.depth -= 1;
    }

    fn node(&mut self, expr: &'a Expr, inside: bool) {
        match expr {
            Expr::RefDot { .. } | Expr::RefBrack { .. } if inside => self.reference(expr),
            // The reference is in the head of a comprehension, which OPA leaves where it is with its body.
            Expr::ArrayCompr { term, .. } | Expr::SetCompr { term, .. } if inside => self.expr(term, true),
            Expr::ObjectCompr { key, value, .. } if inside => {
                self.expr(key, true);
                self.expr(value, true);
            }
            // OPA reads its values as a body of their own.
            Expr::Call { fcn, .. } if is_template(fcn) => {}
            Expr::Set { .. } | Expr::Object { .. } => parts(expr, &mut |part| self.expr(part, true)),
            _ => parts(expr, &mut |part| self.expr(part, inside)),
        }
    }

    /// What stands in a reference. A call in its brackets is taken out first.
    fn reference(&mut self, refr: &'a Expr) {
        let mut rest = refr;
        while let Expr::RefDot { refr, .. } | Expr::RefBrack { refr, .. } = rest {
            if let Expr::RefBrack { index, .. } = rest {
                self.within(index);
            }
            rest = refr;
        }
        match rest {
            Expr::Call { params, .. } => params.iter().for_each(|param| self.given(param)),
            _ => self.within(rest),
        }
    }

    /// What a reference into the value of a call gives it, other calls too.
    fn given(&mut self, expr: &'a Expr) {
        if !walk::is_call(expr) {
            return self.within(expr);
        }
        self.deeper(|inlaid| parts(expr, &mut |part| inlaid.given(part)));
    }

    fn within(&mut self, expr: &'a Expr) {
        self.deeper(|inlaid| inlaid.part(expr));
    }

    fn part(&mut self, expr: &'a Expr) {
        match expr {
            Expr::Var { .. } => {}
            Expr::ArrayCompr { term, query, .. } | Expr::SetCompr { term, query, .. } => {
                self.declares(expr, query, &[term]);
            }
            Expr::ObjectCompr { key, value, query, .. } => self.declares(expr, query, &[key, value]),
            Expr::Call { fcn, params, .. } if is_template(fcn) => {
                for param in params {
                    self.within(param);
                }
            }
            _ if walk::is_call(expr) => parts(expr, &mut |part| self.expr(part, true)),
            Expr::RefDot { .. } | Expr::RefBrack { .. } => self.reference(expr),
            _ => parts(expr, &mut |part| self.within(part)),
        }
    }
    /// The first name that is declared in a comprehension. By `some x` and `=` OPA finds the values.
    fn declares(&mut self, comprehension: &'a Expr, query: &'a Query, said: &[&'a Ref<Expr>]) {
        let mut note = |at: &'a Span, name| {
            self.found.get_or_insert((at, name));
        };
        let mut declared = |stmts: &'a [LiteralStmt]| {
            for stmt in stmts {
                if let Literal::Every { .. } = stmt.literal {
                    note(comprehension.span(), None);
                }
                binds::of(stmt, &mut |binds| {
                    let any = matches!(binds, Binds::Key(_) | Binds::Member(..));
                    let value = !matches!(binds, Binds::Declared(_));
                    binds.names(&mut |name| {
                        if value && !(any && name.text() == "_") && !is_part(name.text()) {
                            note(name, Some(name));
                        }
                    });
                });
            }
        };
        declared(&query.stmts);
        let mut visit = |seen: Seen<'a>| {
            if let Seen::Opens(stmts) = seen {
                declared(stmts);
            }
        };
        query.stmts.iter().for_each(|stmt| walk::statement(stmt, &mut visit));
        for term in said {
            walk::expression(term, &mut visit);
        }
    }
}

fn is_template(fcn: &Expr) -> bool {
    names::path(fcn).is_some_and(|called| called == ["internal", "template_string"])
}

/// Whether this is what a value of a template is called.
fn is_part(name: &str) -> bool {
    let number = name.strip_prefix("part").and_then(|rest| rest.strip_suffix("__"));
    number.is_some_and(|number| !number.is_empty() && number.bytes().all(|digit| digit.is_ascii_digit()))
}
