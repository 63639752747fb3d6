//! `every x in xs { x = 1 }`, in a comprehension there too: the engine gives `x` that value, and holds. So it does in
//! brackets, `granted[[x, 1]]`, and where a call puts its result, `f(1, x)`. Such a name gets its value by a statement,
//! behind which the engine compares; one that a `walk` before the `every` gives is refused.

use std::collections::{BTreeMap, BTreeSet};

use regorus::unstable::{AssignOp, Expr, Literal, Module, Ref, Rule, Span};

use super::binds;
use super::names::{self, Names};
use super::walk::{self, Seen};
use crate::problem::{Problem, Problems};

/// Checks the rules of one module.
pub(super) fn check(module: &Module, names: &Names, problems: &mut Problems) {
    for rule in &module.policy {
        problems.extend(unified(module, names, rule).problems);
    }
}

/// Where the names of `every` stand in one module that the engine would give another value.
pub(crate) fn given(module: &Module, names: &Names) -> BTreeSet<u32> {
    module.policy.iter().flat_map(|rule| unified(module, names, rule).given).collect()
}

fn unified<'a>(module: &Module, names: &Names, rule: &'a Rule) -> Unified<'a> {
    let mut unified = Unified::default();
    walk::rule(rule, &mut |seen| unified.see(module, names, &seen));
    unified
}

#[derive(Default)]
struct Unified<'a> {
    /// Where the names of each `every` stand.
    of_every: BTreeSet<u32>,
    scopes: Vec<Scope<'a>>,
    /// Where the names of `every` stand that would get another value.
    given: BTreeSet<u32>,
    problems: Vec<Problem>,
}

#[derive(Default)]
struct Scope<'a> {
    /// What it binds.
    names: BTreeMap<&'a str, By>,
    /// Whether an `every` opened it.
    every: bool,
}

#[derive(Clone, Copy, PartialEq)]
enum By {
    /// By the name that stands here.
    Every(u32),
    Walk,
    Other,
}

impl<'a> Unified<'a> {
    fn see(&mut self, module: &Module, names: &Names, seen: &Seen<'a>) {
        match *seen {
            Seen::Ref(refr) => {
                let mut rest = refr;
                while let Expr::RefDot { refr, .. } | Expr::RefBrack { refr, .. } = rest {
                    if let Expr::RefBrack { index, .. } = rest
                        && matches!(index.as_ref(), Expr::Array { .. } | Expr::Object { .. })
                    {
                        self.given(index.span(), &[index], "`k := …` before, and `k` in the brackets");
                    }
                    rest = refr;
                }
            }
            Seen::Call { span, fcn, params, .. } => {
                let walks = names::constant(fcn) == ["walk"];
                let result = if walks { params.get(1) } else { names::result_of(names, module, fcn, params) };
                self.given(span, result.as_slice(), "another name there, and `==` behind");
            }
            Seen::Opens(stmts) => {
                let mut scope = Scope::default();
                for stmt in stmts {
                    match &stmt.literal {
                        Literal::Every { key, value, .. } => {
                            self.of_every.extend(key.iter().chain([value]).map(|name| name.start));
                        }
                        Literal::Expr { expr, .. } => self.walked(expr, &mut scope),
                        _ => {}
                    }
                }
                self.scopes.push(scope);
            }
            Seen::Closes => drop(self.scopes.pop()),
            Seen::Binds(name, _) => {
                let every = self.of_every.contains(&name.start);
                if let Some(scope) = self.scopes.last_mut() {
                    scope.every |= every;
                    scope.names.insert(name.text(), if every { By::Every(name.start) } else { By::Other });
                }
            }
            Seen::Compares(Expr::AssignExpr { op: AssignOp::Eq, span, lhs, rhs, .. }) => {
                self.given(span, &[lhs, rhs], "`==` in the place of `=`");
            }
            _ => {}
        }
    }

    /// The names that `walk(x, [path, value])` gives values to: those that have none outside.
    fn walked(&self, expr: &'a Expr, scope: &mut Scope<'a>) {
        let Expr::Call { fcn, params, .. } = expr else { return };
        if names::constant(fcn) == ["walk"]
            && let [_, pattern] = params.as_slice()
        {
            binds::variables(pattern, &mut |name| {
                if !self.scopes.iter().any(|outer| outer.names.contains_key(name.text())) {
                    scope.names.insert(name.text(), By::Walk);
                }
            });
        }
    }

    /// Finds such names in patterns.
    fn given(&mut self, span: &Span, patterns: &[&Ref<Expr>], instead: &str) {
        let mut walked = None;
        for pattern in patterns {
            binds::variables(pattern, &mut |name| match self.by(name.text()) {
                Some(By::Every(at)) => drop(self.given.insert(at)),
                Some(By::Walk) => walked = walked.or(Some(name)),
                Some(By::Other) | None => {}
            });
        }
        let why = "is given a value in the body of `every`, and compared with none";
        self.problems.extend(
            walked.map(|name| Problem::of(span.source.get_path(), name.text(), why, instead).at_span(span)),
        );
    }

    /// What binds a name that a pattern would give a value to where it should compare.
    fn by(&self, name: &str) -> Option<By> {
        let mut in_every = false;
        for scope in self.scopes.iter().rev() {
            if let Some(by) = scope.names.get(name) {
                return (*by != By::Walk || in_every).then_some(*by);
            }
            in_every |= scope.every;
        }
        None
    }
}
