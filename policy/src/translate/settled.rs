//! Names in brackets that `:=` or `some … in` gives a value, `users[n]` with `n := [a, b]`: where the engine puts such a
//! reference before that statement, it goes through the members for the name, and then refuses to give it another value.
//! Of `users[[n][0]]` it waits for the value.

use std::collections::BTreeSet;

use regorus::unstable::{Expr, Module, Ref};

use super::{Edit, Translated, each, reach};
use crate::gate::binds;
use crate::gate::walk::{self, Seen};

/// What the engine says of a policy in which there is such a name.
pub(crate) const UNSETTLED: &str = "used before definition";

/// The texts of all modules with `[n][0]` for each of these names; none where there is none.
pub(crate) fn indexes(modules: &[Ref<Module>], texts: &[Translated]) -> Option<Vec<Translated>> {
    each(modules, texts, |module, text| {
        let mut edits = Vec::new();
        for rule in &module.policy {
            let mut open: Vec<BTreeSet<String>> = Vec::new();
            walk::rule(rule, &mut |seen| match seen {
                Seen::Opens(stmts) => {
                    let mut names = Vec::new();
                    for stmt in stmts {
                        binds::given(stmt, &mut names);
                    }
                    open.push(names.into_iter().collect());
                }
                Seen::Closes => drop(open.pop()),
                Seen::Ref(refr) => written(&text.text, refr, &open, &mut edits),
                _ => {}
            });
        }
        edits
    })
}

fn written(text: &str, refr: &Expr, open: &[BTreeSet<String>], edits: &mut Vec<Edit>) {
    let mut rest = refr;
    while let Expr::RefDot { refr, .. } | Expr::RefBrack { refr, .. } = rest {
        if let Expr::RefBrack { index, .. } = rest {
            let mut names = Vec::new();
            binds::variables(index, &mut |name| names.push(name.text()));
            let given = |name: &&str| open.iter().any(|names| names.contains(*name));
            if !names.is_empty() && names.iter().all(given) {
                let (from, to) = reach(text, index);
                edits.extend([Edit::new(from, from, "["), Edit::new(to, to, "][0]")]);
            }
        }
        rest = refr;
    }
}
