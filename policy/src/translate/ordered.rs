//! `a < b` and the like: to the engine a set stands before an object, to OPA behind it. Where both sides may be made of
//! others, they go through a builtin of ours, which has OPA's order.

use regorus::unstable::{BoolOp, Expr, Module, Ref};

use super::{Edit, Translated, each, reach, sign};
use crate::builtins::signatures::{LIST, OBJECT, SET};
use crate::gate::kinds;
use crate::gate::names::Names;
use crate::gate::walk::{self, Seen};

/// The texts of all modules with `internal.lt(a, b)` for these; none where there is none.
pub(crate) fn calls(modules: &[Ref<Module>], texts: &[Translated]) -> Option<Vec<Translated>> {
    let names = Names::of(modules);
    each(modules, texts, |module, text| {
        let mut edits = Vec::new();
        for rule in &module.policy {
            walk::rule(rule, &mut |seen| {
                if let Seen::Compares(expr) = seen {
                    edits.extend(edit(module, &names, &text.text, expr).into_iter().flatten());
                }
            });
        }
        edits
    })
}

fn edit(module: &Module, names: &Names, text: &str, expr: &Expr) -> Option<[Edit; 3]> {
    let Expr::BoolExpr { op, lhs, rhs, .. } = expr else { return None };
    let (name, written) = match op {
        BoolOp::Lt => ("internal.lt(", "<"),
        BoolOp::Le => ("internal.lte(", "<="),
        BoolOp::Gt => ("internal.gt(", ">"),
        BoolOp::Ge => ("internal.gte(", ">="),
        BoolOp::Eq | BoolOp::Ne => return None,
    };
    let composed = |side: &Expr| kinds::said(module, names, side).meets(LIST.or(OBJECT).or(SET));
    if !composed(lhs) || !composed(rhs) || (of_a_document(lhs) && of_a_document(rhs)) {
        return None;
    }
    let at = sign(text, reach(text, lhs).1, written)?;
    let behind = at + u32::try_from(written.len()).ok()?;
    let (begin, end) = reach(text, expr);
    Some([Edit::new(begin, begin, name), Edit::new(at, behind, ","), Edit::new(end, end, ")")])
}

/// Whether this is a part of the input, where no set is.
fn of_a_document(expr: &Expr) -> bool {
    match expr {
        Expr::RefDot { refr, .. } | Expr::RefBrack { refr, .. } => of_a_document(refr),
        Expr::Var { span, .. } => span.text() == "input",
        _ => false,
    }
}
