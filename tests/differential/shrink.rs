//! The smallest case that still shows what was seen.

use crate::generate::{Case, Module};
use crate::opa::Opa;
use crate::report::cause;
use crate::run::{Asked, run_once};
use crate::tree::Tree;

/// Most cases tried for one.
const TRIES: usize = 1_500;

/// Leaves out and makes smaller what can be, while the verdict stays.
pub fn shrink(opa: &mut Opa, case: &Case, seen: &Asked) -> (Case, Asked) {
    let input = case.inputs[seen.input].clone();
    let mut best = Case { inputs: vec![input], rules: vec![seen.rule.clone()], ..case.clone() };
    let wanted = (&seen.verdict, cause(seen));
    let mut ask = |case: &Case| {
        let asked = run_once(opa, case);
        asked.into_iter().find(|asked| *wanted.0 == asked.verdict && wanted.1 == cause(asked))
    };
    let Some(mut shown) = ask(&best) else {
        return (case.clone(), seen.clone());
    };
    let mut tries = 0;
    'again: loop {
        for smaller in smaller(&best) {
            tries += 1;
            if tries > TRIES {
                return (best, shown);
            }
            if let Some(asked) = ask(&smaller) {
                (best, shown) = (smaller, asked);
                continue 'again;
            }
        }
        return (best, shown);
    }
}

fn smaller(case: &Case) -> Vec<Case> {
    let mut all = Vec::new();
    for index in (0..case.modules.len()).rev() {
        let mut fewer = case.clone();
        fewer.modules.remove(index);
        all.push(fewer);
    }
    let nothing = Tree::Text("{}".into());
    if case.data != nothing {
        all.push(Case { data: nothing.clone(), ..case.clone() });
    }
    if case.inputs[0] != nothing {
        all.push(Case { inputs: vec![nothing], ..case.clone() });
    }
    for (index, module) in case.modules.iter().enumerate() {
        for tree in module.tree.smaller() {
            let mut changed = case.clone();
            changed.modules[index] = Module { name: module.name.clone(), tree };
            all.push(changed);
        }
    }
    all.extend(case.data.smaller().into_iter().map(|data| Case { data, ..case.clone() }));
    all.extend(
        case.inputs[0].smaller().into_iter().map(|input| Case { inputs: vec![input], ..case.clone() }),
    );
    all
}
