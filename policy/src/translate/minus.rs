//! A minus before a name, a reference or a call, and before a number that is computed with: `-x * 2` is `(0 - x) * 2` to
//! OPA, and `-(x * 2)` to the engine, which evaluates none but of a number.

use regorus::unstable::{Expr, Module, Ref};

use super::{Edit, Translated, each, first, reach};
use crate::gate::text;
use crate::gate::walk::{self, Seen};

/// The texts of all modules with `(0 - x)` for these; none where there is none.
pub(crate) fn subtracted(modules: &[Ref<Module>], texts: &[Translated]) -> Option<Vec<Translated>> {
    each(modules, texts, |module, text| {
        let mut edits = Vec::new();
        for rule in &module.policy {
            walk::rule(rule, &mut |seen| {
                if let Seen::Minus(expr) = seen {
                    edits.extend(edit(&text.text, expr).into_iter().flatten());
                }
            });
        }
        edits
    })
}

fn edit(text: &str, minus: &Expr) -> Option<[Edit; 2]> {
    let Expr::UnaryExpr { span, expr, .. } = minus else { return None };
    let behind = text.get(span.start as usize..)?.strip_prefix('-')?;
    let behind = text::said(behind);
    // The engine has the minus go on over all that is computed behind it.
    let single = first(expr);
    let end = reach(text, single).1;
    let written = match single {
        // A parenthesis OPA does not take.
        Expr::Var { .. } | Expr::RefDot { .. } | Expr::RefBrack { .. } | Expr::Call { .. }
            if behind.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_') =>
        {
            "(0 - "
        }
        Expr::Number { .. }
            if !std::ptr::eq(single, expr.as_ref()) && behind.starts_with(|c: char| c.is_ascii_digit()) =>
        {
            "(-"
        }
        _ => return None,
    };
    Some([Edit::new(span.start, span.start + 1, written), Edit::new(end, end, ")")])
}
