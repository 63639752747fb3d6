//! Variables that no statement declares and that have the name of a builtin. In a body OPA gives them another name, except
//! where a `with` of the rule has it too; in a comprehension they are the builtin to it. What is called by the name of a
//! variable, operators too, OPA does not find.

use std::collections::BTreeSet;

use regorus::unstable::{
    ArithOp, AssignOp, BinOp, BoolOp, Expr, LiteralStmt, Module, Ref, Span, WithModifier,
};

use super::names::{self, Names};
use super::walk::{self, Seen};
use super::{mocks, operators, safety};
use crate::builtins;
use crate::problem::{Problem, Problems};

/// Checks every rule of all modules, in the text as its author wrote it.
pub(super) fn check(modules: &[Ref<Module>], problems: &mut Problems) {
    let names = Names::of(modules);
    for module in modules {
        let globals = safety::globals(module, &names);
        for rule in &module.policy {
            let mut search = Search::of(&globals);
            walk::rule(rule, &mut |seen| {
                if let Seen::With(with) = seen
                    && mocks::is_called(module, &names, &with.refr)
                {
                    search.stands_in(&with.r#as);
                }
                search.see(&seen);
            });
            problems.extend(search.found());
        }
    }
}

/// A query of a rule.
struct Query<'a> {
    /// The one around it.
    around: Option<usize>,
    /// The body that it stands in.
    body: usize,
    in_comprehension: bool,
    declared: BTreeSet<&'a str>,
    /// Its variables that nothing declares.
    used: BTreeSet<&'a str>,
}

/// The body of a rule or of an `else`, with those of its `every`.
#[derive(Default)]
struct Body<'a> {
    declared: BTreeSet<&'a str>,
    used: BTreeSet<&'a str>,
}

struct Search<'a, 's> {
    globals: &'s BTreeSet<String>,
    queries: Vec<Query<'a>>,
    open: Vec<usize>,
    bodies: Vec<Body<'a>>,
    /// Whether a comprehension is what opens next.
    comprehension: bool,
    /// The names in every `with`, and where those stand that are put in as they are.
    with: BTreeSet<&'a str>,
    put_in: BTreeSet<u32>,
    /// Each with the query that it stands in.
    variables: Vec<(&'a Span, usize)>,
    calls: Vec<(Call<'a>, usize)>,
    /// What begins the builtins of several words that stand in for functions.
    mocks: Vec<(&'a Span, usize)>,
}

/// A call, or an operator that OPA calls by a name.
struct Call<'a> {
    /// What the name begins with.
    first: &'a str,
    span: &'a Span,
    operator: bool,
}

impl<'a, 's> Search<'a, 's> {
    const fn of(globals: &'s BTreeSet<String>) -> Self {
        Self {
            globals,
            queries: Vec::new(),
            open: Vec::new(),
            bodies: Vec::new(),
            comprehension: false,
            with: BTreeSet::new(),
            put_in: BTreeSet::new(),
            variables: Vec::new(),
            calls: Vec::new(),
            mocks: Vec::new(),
        }
    }

    fn see(&mut self, seen: &Seen<'a>) {
        match seen {
            Seen::Comprehension(_) => self.comprehension = true,
            Seen::Opens(stmts) => self.opens(stmts),
            Seen::Closes => drop(self.open.pop()),
            Seen::Binds(name, _) => {
                if let Some(query) = self.open.last().and_then(|at| self.queries.get_mut(*at)) {
                    query.declared.insert(name.text());
                }
            }
            Seen::With(with) => self.with(with),
            Seen::Ref(refr) => self.variable(names::begin(refr)),
            Seen::Call { fcn, .. } => {
                let span = names::begin(fcn);
                self.call(Call { first: span.text(), span, operator: false });
            }
            Seen::Compares(expr) | Seen::Minus(expr) => {
                if let Some(first) = operator(expr) {
                    self.call(Call { first, span: expr.span(), operator: true });
                }
            }
            Seen::Replaces(_) | Seen::Restores | Seen::Number(_) | Seen::Member(_) | Seen::Object(_) => {}
        }
    }

    fn opens(&mut self, stmts: &'a [LiteralStmt]) {
        let around = self.open.last().copied();
        // The arguments stand around all bodies.
        if self.open.len() == 1 {
            self.bodies.push(Body::default());
        }
        let in_comprehension = std::mem::take(&mut self.comprehension)
            || around.and_then(|at| self.queries.get(at)).is_some_and(|query| query.in_comprehension);
        let declared = mocks::declared_by(stmts);
        if let Some(body) = self.bodies.last_mut().filter(|_| !in_comprehension) {
            body.declared.extend(&declared);
        }
        let body = self.bodies.len().saturating_sub(1);
        self.open.push(self.queries.len());
        self.queries.push(Query { around, body, in_comprehension, declared, used: BTreeSet::new() });
    }

    fn with(&mut self, with: &'a WithModifier) {
        let mut within = 0_usize;
        for expr in [&with.refr, &with.r#as] {
            walk::expression(expr, &mut |seen| match seen {
                Seen::Opens(_) => within += 1,
                Seen::Closes => within = within.saturating_sub(1),
                Seen::Ref(refr) => {
                    let name = names::begin(refr);
                    self.with.insert(name.text());
                    if within == 0 {
                        self.put_in.insert(name.start);
                    }
                }
                _ => {}
            });
        }
    }

    /// What replaces a function.
    fn stands_in(&mut self, value: &'a Expr) {
        let begin = names::begin(value);
        let global = self.globals.contains(begin.text()) || self.is_declared(begin.text());
        let builtin = names::path(value)
            .is_some_and(|path| path.len() > 1 && builtins::known(&path.join(".")).is_some());
        if builtin && !global {
            self.mocks.extend(self.open.last().map(|at| (begin, *at)));
        }
    }

    fn variable(&mut self, span: &'a Span) {
        let name = span.text();
        if self.put_in.contains(&span.start) || self.is_declared(name) || self.globals.contains(name) {
            return;
        }
        let Some((at, query)) = self.open.last().and_then(|at| Some((*at, self.queries.get_mut(*at)?)))
        else {
            return;
        };
        query.used.insert(name);
        if let Some(body) = self.bodies.get_mut(query.body).filter(|_| !query.in_comprehension) {
            body.used.insert(name);
        }
        if is_builtin(name) {
            self.variables.push((span, at));
        }
    }

    fn call(&mut self, call: Call<'a>) {
        let declared = self.is_declared(call.first);
        // Of others that are declared the safety of the variables tells.
        let asked = if declared { call.operator } else { !self.globals.contains(call.first) };
        if asked {
            self.calls.extend(self.open.last().map(|at| (call, *at)));
        }
    }

    fn is_declared(&self, name: &str) -> bool {
        let mut open = self.open.iter().filter_map(|at| self.queries.get(*at));
        open.any(|query| query.declared.contains(name))
    }

    /// Whether a query, or one around it, has a variable of this name.
    fn has(&self, at: usize, name: &str) -> bool {
        let around = |at: &usize| self.queries.get(*at).and_then(|query| query.around);
        std::iter::successors(Some(at), around)
            .filter_map(|at| self.queries.get(at))
            .any(|query| query.used.contains(name) || query.declared.contains(name))
    }

    /// Whether OPA gives a variable of the body around a query another name.
    fn is_renamed(&self, at: usize, name: &str) -> bool {
        let body = self.queries.get(at).and_then(|query| self.bodies.get(query.body));
        body.is_some_and(|body| body.used.contains(name) && !body.declared.contains(name))
            && !self.with.contains(name)
    }

    fn found(&self) -> impl Iterator<Item = Problem> {
        let variables = self.variables.iter().filter(|(span, at)| !self.is_renamed(*at, span.text()));
        let mocks = self.mocks.iter().filter(|(span, at)| self.has(*at, span.text()));
        let variables = variables.chain(mocks).map(|(span, _)| {
            let why = "is a builtin to OPA, which gets another value here: it is declared by nothing";
            problem(span, span.text(), why, "another name for the variable, or `some` before it")
        });
        let calls = self.calls.iter().filter(|(call, at)| self.has(*at, call.first));
        let calls = calls.map(|(call, _)| {
            let why = if call.operator {
                let sign = operators::sign(call.first).unwrap_or("in");
                format!("is a variable here, and what OPA calls for `{sign}`")
            } else {
                "is a variable here, and called as a function".to_owned()
            };
            problem(call.span, call.first, &why, "another name for the variable")
        });
        variables.chain(calls)
    }
}

fn is_builtin(name: &str) -> bool {
    name == "print" || operators::sign(name).is_some() || builtins::known(name).is_some()
}

/// What OPA calls for an operator.
fn operator(expr: &Expr) -> Option<&'static str> {
    operators::called(match expr {
        Expr::BoolExpr { op, .. } => match op {
            BoolOp::Lt => "<",
            BoolOp::Le => "<=",
            BoolOp::Eq => "==",
            BoolOp::Ge => ">=",
            BoolOp::Gt => ">",
            BoolOp::Ne => "!=",
        },
        Expr::ArithExpr { op, .. } => match op {
            ArithOp::Add => "+",
            ArithOp::Sub => "-",
            ArithOp::Mul => "*",
            ArithOp::Div => "/",
            ArithOp::Mod => "%",
        },
        Expr::BinExpr { op, .. } => match op {
            BinOp::Intersection => "&",
            BinOp::Union => "|",
        },
        Expr::UnaryExpr { expr, .. } if !walk::is_scalar(expr) => "-",
        Expr::AssignExpr { op: AssignOp::Eq, .. } => "=",
        Expr::Membership { .. } => return Some("internal"),
        _ => return None,
    })
}

fn problem(span: &Span, construct: &str, why: &str, instead: &str) -> Problem {
    Problem::of(span.source.get_path(), construct, why, instead).at_span(span)
}
