//! A package that is read as a whole: the engine takes it for done after the first of its modules, so that what the
//! rules of the others read of it, or through an import, is undefined in silence.

use std::collections::{BTreeMap, BTreeSet};

use regorus::unstable::{Expr, Module, Ref};

use super::depth::{self, Node};
use super::names::{self, Names, Path};
use super::walk::{self, Seen};
use crate::problem::Problem;

/// Refuses a reference to all of a package that stands in more than one module, or has packages below it, where its
/// rules read one another.
pub(super) fn check(modules: &[Ref<Module>], names: &Names, problems: &mut Vec<Problem>) {
    let mut packages: Vec<Path> = modules.iter().map(|module| names::package(module)).collect();
    packages.sort();
    // In order, a package stands before all that is in it.
    let shared = |two: &[Path]| match two {
        [one, next] if next.starts_with(one) => Some(one.clone()),
        _ => None,
    };
    let shared: BTreeSet<Path> = packages.windows(2).filter_map(shared).collect();
    if shared.is_empty() {
        return;
    }
    let nodes = depth::nodes(modules, names);
    let missed: Vec<&Path> =
        shared.iter().filter(|package| imports(modules, package) || reads_itself(&nodes, package)).collect();
    for module in modules {
        for rule in &module.policy {
            let (mut refs, mut bound) = (Vec::new(), BTreeSet::new());
            walk::rule(rule, &mut |seen| match seen {
                Seen::Ref(refr) => refs.push((refr, names::constant(refr))),
                Seen::Binds(name) => {
                    bound.insert(name);
                }
                Seen::Call { .. } | Seen::With(_) | Seen::Opens(_) | Seen::Closes | Seen::Compares(_) => {}
            });
            let named = |path: &Path| path.first().is_some_and(|first| !bound.contains(first));
            for (refr, path) in refs.into_iter().filter(|(_, path)| named(path)) {
                let path = names::resolve(module, &path);
                if path.len() > 1 && missed.iter().any(|package| package.starts_with(&path)) {
                    problems.push(problem(refr, &path));
                }
            }
        }
    }
}

fn problem(refr: &Expr, path: &[String]) -> Problem {
    let span = names::begin(refr);
    let why = "reads a package of several modules as a whole: the engine would miss some of it";
    let instead = "its rules by their names, or all of them in one module";
    let problem = Problem::of(span.source.get_path(), &path.join("."), why, instead);
    problem.at(span.line, span.col, span.source.get_contents())
}

/// Whether a module of the package, or below it, imports documents.
fn imports(modules: &[Ref<Module>], package: &Path) -> bool {
    let mut below = modules.iter().filter(|module| names::package(module).starts_with(package));
    below.any(|module| {
        let document = |root: &String| root == "data" || root == "input";
        module.imports.iter().any(|import| names::constant(&import.refr).first().is_some_and(document))
    })
}

/// Whether a rule of the package, or what it reads elsewhere, reads a rule of it.
fn reads_itself(nodes: &BTreeMap<Path, Node>, package: &Path) -> bool {
    let mut open: Vec<&Path> = nodes.keys().filter(|path| path.starts_with(package)).collect();
    let mut known: BTreeSet<&Path> = open.iter().copied().collect();
    while let Some(node) = open.pop().and_then(|path| nodes.get(path)) {
        for read in node.reads.iter().chain(&node.mocks) {
            if read.starts_with(package) {
                return true;
            }
            if known.insert(read) {
                open.push(read);
            }
        }
    }
    false
}
