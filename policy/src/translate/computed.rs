//! `a * b`: where either may be a fraction, it goes through a builtin of ours, which computes as OPA does. What is said to be
//! whole stays the engine's.

use std::collections::BTreeSet;

use regorus::unstable::{ArithOp, Expr, Module, Ref};

use super::{Edit, Translated, each, reach, sign};
use crate::gate::names::{self, Names};
use crate::gate::walk::{self, Seen};

/// The texts of all modules with `internal.mul(a, b)` for these; none where there is none.
pub(crate) fn calls(modules: &[Ref<Module>], texts: &[Translated]) -> Option<Vec<Translated>> {
    let names = Names::of(modules);
    let replaced = replaced(modules);
    each(modules, texts, |module, text| {
        let mut written = Written {
            module,
            names: &names,
            replaced: &replaced,
            text: &text.text,
            seen: BTreeSet::new(),
            edits: Vec::new(),
        };
        for rule in &module.policy {
            walk::rule(rule, &mut |seen| {
                if let Seen::Compares(expr) | Seen::Minus(expr) = seen {
                    written.expr(expr);
                }
            });
        }
        written.edits
    })
}

/// What a `with` of any module replaces, which may then be a fraction.
fn replaced(modules: &[Ref<Module>]) -> BTreeSet<String> {
    let mut replaced = BTreeSet::new();
    for module in modules {
        for rule in &module.policy {
            walk::rule(rule, &mut |seen| {
                if let Seen::With(with) = seen {
                    let target = names::resolve(module, &names::constant(&with.refr)).join(".");
                    replaced.insert(if target == "input" { NOW.join(".") } else { target });
                    replaced.insert(names::constant(&with.refr).join("."));
                }
            });
        }
    }
    replaced
}

/// In seconds, unless a `with` says otherwise.
const NOW: [&str; 2] = ["input", "now"];

struct Written<'a, 'm> {
    module: &'a Module,
    names: &'m Names,
    replaced: &'m BTreeSet<String>,
    text: &'m str,
    seen: BTreeSet<*const Expr>,
    edits: Vec<Edit>,
}

impl Written<'_, '_> {
    /// In the order of the text, since one may begin or end where the other does.
    fn expr(&mut self, expr: &Expr) {
        if let Expr::UnaryExpr { expr: of, .. } = expr {
            self.expr(of);
        }
        let Expr::ArithExpr { op, lhs, rhs, .. } = expr else { return };
        if !self.seen.insert(std::ptr::from_ref(expr)) {
            return;
        }
        let (name, operator) = match op {
            ArithOp::Add => ("internal.plus(", "+"),
            ArithOp::Sub => ("internal.minus(", "-"),
            ArithOp::Mul => ("internal.mul(", "*"),
            ArithOp::Div => ("internal.div(", "/"),
            ArithOp::Mod => ("", "%"),
        };
        let at = sign(self.text, reach(self.text, lhs).1, operator);
        let ((begin, end), at) = match at {
            Some(at) if !name.is_empty() && !self.is_whole(expr) => (reach(self.text, expr), at),
            _ => {
                self.expr(lhs);
                self.expr(rhs);
                return;
            }
        };
        self.edits.push(Edit::new(begin, begin, name));
        self.expr(lhs);
        self.edits.push(Edit::new(at, at + 1, ","));
        self.expr(rhs);
        self.edits.push(Edit::new(end, end, ")"));
    }

    /// Whether an expression says by itself that it is a whole number.
    fn is_whole(&self, expr: &Expr) -> bool {
        match expr {
            Expr::Number { span, .. } => span.text().bytes().all(|byte| byte.is_ascii_digit()),
            Expr::UnaryExpr { expr, .. } => self.is_whole(expr),
            // Of fractions it is an error.
            Expr::ArithExpr { op: ArithOp::Mod, .. } => true,
            Expr::ArithExpr { op: ArithOp::Add | ArithOp::Sub | ArithOp::Mul, lhs, rhs, .. } => {
                self.is_whole(lhs) && self.is_whole(rhs)
            }
            Expr::RefDot { .. } => {
                names::resolve(self.module, &names::constant(expr)) == NOW
                    && !self.replaced.contains(&NOW.join("."))
            }
            Expr::Call { fcn, .. } => names::path(fcn).is_some_and(|called| {
                self.names.function(self.module, &called).is_none()
                    && WHOLE.contains(&called.join(".").as_str())
                    && !self.replaced.contains(&called.join("."))
            }),
            _ => false,
        }
    }
}

/// Builtins that give a whole number, and are often computed with.
const WHOLE: [&str; 6] =
    ["count", "indexof", "time.add_date", "time.now_ns", "time.parse_duration_ns", "time.parse_rfc3339_ns"];

#[cfg(test)]
mod tests {
    use super::*;
    use regorus::Engine;

    #[test]
    fn what_may_be_a_fraction_is_computed_by_the_builtin() {
        for (author, wanted) in [
            ("y := a + 1", "y := internal.plus(a , 1)"),
            ("y := a*b+c", "y := internal.plus(internal.mul(a,b),c)"),
            ("y := a+b*c", "y := internal.plus(a,internal.mul(b,c))"),
            (
                "y := (a + (b)) * (c - f(a / 2))",
                "y := internal.mul((internal.plus(a , (b))) , (internal.minus(c , f(internal.div(a , 2)))))",
            ),
            ("y := 1 + 2 * count(a) - input.now", "y := 1 + 2 * count(a) - input.now"),
            ("y := 1 / 3", "y := internal.div(1 , 3)"),
            ("y := a % 2 + 1", "y := a % 2 + 1"),
            ("y := (a + b) % 2 + c", "y := internal.plus((internal.plus(a , b)) % 2 , c)"),
            ("y := (a + b) % 2", "y := (internal.plus(a , b)) % 2"),
            ("y := -1 - a", "y := internal.minus(-1 , a)"),
            (
                "y if a * 2 >= b[c + 1] / 3",
                "y if internal.mul(a , 2) >= internal.div(b[internal.plus(c , 1)] , 3)",
            ),
            ("y if a + # b\n 1.5 == c", "y if internal.plus(a , # b\n 1.5) == c"),
            ("y := \"a\" + a", "y := internal.plus(\"a\" , a)"),
        ] {
            let module = |rule: &str| format!("package a\na := 1\nb := [1, 2]\nc := 1\nf(x) := x\n{rule}\n");
            let mut engine = Engine::new();
            engine.add_policy("a.rego".to_owned(), module(author)).unwrap();
            let texts = [Translated { text: module(author), ..Translated::default() }];
            let written = calls(engine.get_modules(), &texts);
            let written = written.map_or_else(|| module(author), |mut written| written.remove(0).text);
            assert_eq!(written, module(wanted));
        }
    }
}
