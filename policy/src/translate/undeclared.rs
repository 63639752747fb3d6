//! `some x` without `in`, taken out once each name means one thing alone: of a name that is declared and has no value yet, the
//! engine finds nothing, without a word; of one that is not declared it says that it has none.

use regorus::unstable::{Literal, Module, Ref};

use super::{Edit, Translated, begin, each};
use crate::gate::walk::{self, Seen};

/// The texts of all modules without such statements; none where there is none.
pub(crate) fn names(modules: &[Ref<Module>], texts: &[Translated]) -> Option<Vec<Translated>> {
    each(modules, texts, |module, text| {
        let mut edits = Vec::new();
        for rule in &module.policy {
            walk::rule(rule, &mut |seen| {
                let Seen::Opens(stmts) = seen else { return };
                for (stmt, next) in stmts.iter().zip(stmts.iter().skip(1)) {
                    if matches!(stmt.literal, Literal::SomeVars { .. }) {
                        let (from, to) = (stmt.span.start, begin(&text.text, next));
                        let between = text.text.get(from as usize..to as usize).unwrap_or_default();
                        edits.push(Edit::new(from, to, "\n".repeat(between.matches('\n').count())));
                    }
                }
            });
        }
        edits
    })
}
