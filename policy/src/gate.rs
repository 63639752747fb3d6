//! What a policy may not contain, checked over its whole text before anything is evaluated.
//!
//! The engine reports an unknown function when a call of it is reached, answers some constructs with silence, and
//! runs as deep as the text says. A policy that would meet any of this is refused when it is loaded.

mod absent;
pub(crate) mod binds;
pub(crate) mod bodies;
mod calls;
mod conflicts;
mod depth;
mod entrypoint;
pub(crate) mod every;
mod functions;
pub(crate) mod heads;
pub(crate) mod imports;
mod indexed;
mod inlaid;
pub(crate) mod kinds;
pub(crate) mod loops;
mod members;
mod mocks;
pub(crate) mod names;
mod nearly;
mod numbers;
mod operators;
mod order;
mod ours;
pub(crate) mod packages;
mod patterns;
mod redeclared;
mod safety;
mod shadows;
mod shapes;
mod spelled;
mod taken;
mod templates;
pub(crate) mod text;
mod types;
pub(crate) mod walk;

pub(crate) use calls::MISSING;
use regorus::Value;
use regorus::unstable::{Module, Ref};
pub(crate) use safety::globals;

use crate::input::LeafSet;
use crate::problem::Problems;
use crate::translate::Translated;

/// What must hold before the engine's parser may see the text: its time grows with the nesting of brackets.
pub(crate) fn before_parsing(name: &str, text: &str, problems: &mut Problems) {
    text::check(name, text, problems);
}

/// What must hold once all modules are parsed and before anything else looks at them: what follows takes its time with
/// the length of a body.
pub(crate) fn first_after_parsing(
    modules: &[Ref<Module>],
    texts: &[Translated],
    purpose: &Purpose,
    problems: &mut Problems,
) {
    if !matches!(purpose, Purpose::Questions) {
        ours::check(modules, texts, problems);
        inlaid::check(modules, problems);
    }
    imports::keywords(modules, problems);
    bodies::check(modules, problems);
    numbers::check(modules, problems);
    spelled::check(modules, problems);
    redeclared::check(modules, problems);
    mocks::declared(modules, problems);
    taken::check(modules, problems);
    templates::check(modules, problems);
}

/// Comparisons that are never true, references that lead nowhere, and bodies that OPA leaves out, in the text as its author
/// wrote it: to be told where nothing else is wrong. Doubts are what a check warns of.
pub(crate) fn types(
    modules: &[Ref<Module>],
    purpose: &Purpose,
    problems: &mut Problems,
    doubts: &mut Problems,
) {
    if !matches!(purpose, Purpose::Questions) {
        types::check(modules, problems, doubts);
        indexed::check(modules, problems);
    }
    match purpose {
        Purpose::Decisions(entrypoint) => nearly::check(modules, entrypoint, doubts),
        Purpose::Tests => doubts.extend(absent::unread(modules)),
        _ => {}
    }
}

/// What a policy is loaded for.
#[derive(Clone, Debug)]
pub(crate) enum Purpose {
    /// Live decisions of this entrypoint: the input is a request.
    Decisions(String),
    /// Its tests, whose inputs are requests too.
    Tests,
    /// The same, where nobody reads what they print.
    Proof,
    /// Queries of the workbench, and OPA's own cases: the input is what they bring, the entrypoint what they ask.
    Queries,
    /// The same, beside questions of ours that are made of what was loaded: the translation wrote in it already.
    Questions,
    /// The same, of which each line is to be told.
    Profile,
}

/// What must hold of the rule that decides, once every module is parsed.
pub(crate) fn entrypoint(modules: &[Ref<Module>], purpose: &Purpose, problems: &mut Problems) {
    if let Purpose::Decisions(entrypoint) = purpose {
        entrypoint::check(modules, entrypoint, problems);
    }
}

/// What must hold of the parsed modules. Gives the leaves of the input that they read.
/// `whole` says that there are no others, which do not parse.
pub(crate) fn after_parsing(
    modules: &[Ref<Module>],
    whole: bool,
    data: &Value,
    purpose: &Purpose,
    problems: &mut Problems,
) -> LeafSet {
    let names = names::Names::of(modules);
    shadows::check(data, &names, problems);
    let written = matches!(purpose, Purpose::Questions);
    let mut leaves = LeafSet::Only(std::collections::BTreeSet::new());
    for module in modules {
        calls::check(module, &names, (whole, written), &mut leaves, problems);
        functions::check(module, &names, problems);
        loops::check(module, &names, problems);
        every::check(module, &names, problems);
        operators::check(module, problems);
        patterns::check(module, problems);
        members::check(module, &names, problems);
    }
    conflicts::check(modules, problems);
    heads::check(modules, &names, problems);
    imports::check(modules, &names, problems);
    let nodes = depth::nodes(modules, &names);
    packages::check(modules, &names, &nodes, problems);
    // A query brings its own input, and may bring no data.
    let requests = !matches!(purpose, Purpose::Queries | Purpose::Questions | Purpose::Profile);
    if requests {
        absent::check(modules, &names, data, problems);
    }
    mocks::check(modules, &names, problems);
    let entrypoint =
        if let Purpose::Decisions(entrypoint) = purpose { Some(entrypoint.as_str()) } else { None };
    shapes::check(modules, &names, &nodes, requests, entrypoint, problems);
    let before = problems.len();
    depth::check(&nodes, &names, problems);
    // It goes as deep as the text.
    if problems.len() == before {
        for module in modules {
            order::check(module, problems);
            safety::check(module, &names, written, problems);
        }
    }
    leaves
}
