//! How many statements one body has: the engine puts them in order, and takes for that the square of their number.

use regorus::unstable::{Module, Ref};

use super::walk::{self, Seen};
use crate::problem::{Problem, Problems};

/// Most statements of one body, of a rule or of a comprehension.
pub(crate) const STATEMENTS: usize = 2_000;

/// Names the first statement beyond the limit in each module.
pub(super) fn check(modules: &[Ref<Module>], problems: &mut Problems) {
    for module in modules {
        let mut first = None;
        for rule in &module.policy {
            walk::rule(rule, &mut |seen| {
                if let Seen::Opens(stmts) = seen
                    && let Some(stmt) = stmts.get(STATEMENTS)
                {
                    first.get_or_insert(&stmt.span);
                }
            });
        }
        problems.extend(first.map(|span| {
            let why = format!("has more than {STATEMENTS} statements");
            Problem::of(span.source.get_path(), "body", why, "several rules, or data").at_span(span)
        }));
    }
}
