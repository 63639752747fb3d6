//! What a policy may not contain, checked over its whole text before anything is evaluated.
//!
//! The engine reports an unknown function when a call of it is reached, answers some constructs with silence, and
//! runs as deep as the text says. A policy that would meet any of this is refused when it is loaded.

mod calls;
mod depth;
mod entrypoint;
mod mocks;
pub(crate) mod names;
mod shadows;
pub(crate) mod text;
pub(crate) mod walk;

use regorus::Value;
use regorus::unstable::{Module, Ref};

use crate::input::LeafSet;
use crate::problem::Problem;

/// What must hold before the engine's parser may see the text: its time grows with the nesting of brackets.
pub(crate) fn before_parsing(name: &str, text: &str, problems: &mut Vec<Problem>) {
    text::check(name, text, problems);
}

/// What must hold of the parsed modules. Gives the leaves of the input that they read.
pub(crate) fn after_parsing(
    modules: &[Ref<Module>],
    data: &Value,
    entrypoint: Option<&str>,
    problems: &mut Vec<Problem>,
) -> LeafSet {
    if let Some(entrypoint) = entrypoint {
        entrypoint::check(modules, entrypoint, problems);
    }
    let names = names::Names::of(modules);
    shadows::check(data, &names, problems);
    let mut leaves = LeafSet::Only(std::collections::BTreeSet::new());
    for module in modules {
        calls::check(module, &names, &mut leaves, problems);
    }
    mocks::check(modules, &names, problems);
    depth::check(modules, &names, problems);
    leaves
}
