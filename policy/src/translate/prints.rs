//! A policy without its `print`: a decision of OPA's server prints nothing either, and what is printed counts in no
//! budget.

use regorus::unstable::{Module, Ref};

use super::{Edit, Translated};
use crate::gate::names::{self, Names};
use crate::gate::walk::{self, Seen};

/// The texts of all modules with `true`, which is what it gives, for each call of `print`; none where there is none.
pub(crate) fn erased(modules: &[Ref<Module>], texts: &[Translated]) -> Option<Vec<Translated>> {
    let names = Names::of(modules);
    let print = ["print".to_owned()];
    let mut any = false;
    let written = modules.iter().zip(texts).map(|(module, text)| {
        let mut edits: Vec<Edit> = Vec::new();
        let own = names.function(module, &print).is_some();
        for rule in module.policy.iter().filter(|_| !own) {
            walk::rule(rule, &mut |seen| {
                let Seen::Call { span, fcn, .. } = seen else { return };
                if names::path(fcn).is_none_or(|called| called != print) {
                    return;
                }
                let lines = span.text().matches('\n').count();
                let text = format!("true{}", "\n".repeat(lines));
                edits.push(Edit { from: span.start, to: span.end, text });
            });
        }
        // One in the arguments of another goes with it.
        edits.sort_by_key(|edit| edit.from);
        let mut end = 0;
        edits.retain(|edit| {
            let outer = edit.from >= end;
            end = end.max(edit.to);
            outer
        });
        let new = text.edited(edits);
        any |= new.is_some();
        new.unwrap_or_else(|| text.clone())
    });
    let written = written.collect();
    any.then_some(written)
}
