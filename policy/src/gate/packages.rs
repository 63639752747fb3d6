//! A package that is read as a whole: the engine takes it for done after the first of its modules, so that what the
//! rules of the others read of it, or through an import, is undefined in silence.

use std::collections::{BTreeMap, BTreeSet};

use regorus::unstable::{Expr, Module, Ref};

use super::depth::Node;
use super::names::{self, Names, Path};
use super::walk::{self, Seen};
use crate::problem::{Problem, Problems};

/// A package that is called by digits, which the engine would find by a number too.
fn numbered(module: &Module) -> Option<Problem> {
    let span = module.package.refr.span();
    let package = names::package(module);
    let digits = |name: &String| !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_digit());
    let name = package.iter().find(|name| digits(name))?;
    let why = format!("has `{name}` in it, which is read by the number too");
    Some(Problem::of(span.source.get_path(), "package", why, "a name with a letter in it").at_span(span))
}

/// Refuses a reference to all of a package that stands in more than one module, or has packages below it, where its
/// rules read one another.
pub(super) fn check(
    modules: &[Ref<Module>],
    names: &Names,
    nodes: &BTreeMap<Path, Node>,
    problems: &mut Problems,
) {
    problems.extend(modules.iter().filter_map(|module| numbered(module)));
    let mut packages: Vec<(Path, bool)> =
        modules.iter().map(|module| (names::package(module), imports(module))).collect();
    packages.sort();
    // In order, a package stands before all that is in it.
    let shared = |two: &[(Path, bool)]| match two {
        [(one, _), (next, _)] if next.starts_with(one) => Some(one.clone()),
        _ => None,
    };
    let shared: BTreeSet<Path> = packages.windows(2).filter_map(shared).collect();
    if shared.is_empty() {
        return;
    }
    let importing = |package: &Path| {
        let begin = packages.partition_point(|(other, _)| other < package);
        let mut below = packages.iter().skip(begin).take_while(|(other, _)| other.starts_with(package));
        below.any(|(_, imports)| *imports)
    };
    let missed = |package: &Path| importing(package) || reads_itself(nodes, names, package);
    let missed: BTreeSet<Path> = shared.into_iter().filter(missed).collect();
    if missed.is_empty() {
        return;
    }
    for module in modules {
        for rule in &module.policy {
            let (mut read, mut bound) = (Vec::new(), BTreeSet::new());
            walk::rule(rule, &mut |seen| match seen {
                Seen::Ref(refr) => read.push((refr, names::constant(refr))),
                Seen::Binds(name, _) => {
                    bound.insert(name.text().to_owned());
                }
                Seen::Call { .. }
                | Seen::With(_)
                | Seen::Compares(_)
                | Seen::Object(_)
                | Seen::Comprehension(_)
                | Seen::Member(_)
                | Seen::Minus(_)
                | Seen::Replaces(_)
                | Seen::Number(_)
                | Seen::Restores
                | Seen::Opens(_)
                | Seen::Closes => {}
            });
            let global = |path: &Path| path.first().is_some_and(|first| !bound.contains(first));
            for (refr, path) in read.into_iter().filter(|(_, path)| global(path)) {
                let path = names::resolve(module, &path);
                let first = missed.range(path.clone()..).next();
                if path.len() > 1 && first.is_some_and(|package| package.starts_with(&path)) {
                    problems.push(problem(refr, &path));
                }
            }
        }
    }
}

/// Why such a reference is refused.
pub(crate) const WHOLE: &str =
    "reads a package of several modules as a whole: the engine would miss some of it";

fn problem(refr: &Expr, path: &[String]) -> Problem {
    let span = names::begin(refr);
    let instead = "its rules by their names, or all of them in one module";
    let problem = Problem::of(span.source.get_path(), &path.join("."), WHOLE, instead);
    problem.at_span(span)
}

/// Whether a module imports documents.
fn imports(module: &Module) -> bool {
    let document = |root: &String| root == "data" || root == "input";
    module.imports.iter().any(|import| names::constant(&import.refr).first().is_some_and(document))
}

/// Whether a rule of the package, or what it reads elsewhere, reads a rule of it.
fn reads_itself(nodes: &BTreeMap<Path, Node>, names: &Names, package: &Path) -> bool {
    let inside = nodes.range(package.clone()..).take_while(|(path, _)| path.starts_with(package));
    let mut open: Vec<&Path> = inside.map(|(path, _)| path).collect();
    let mut known: BTreeSet<&Path> = open.iter().copied().collect();
    let mut followed: BTreeSet<&Path> = BTreeSet::new();
    let mut behinds: BTreeSet<&Path> = BTreeSet::new();
    while let Some(node) = open.pop().and_then(|path| nodes.get(path)) {
        let new = node.reads.iter().chain(&node.mocks).filter(|refr| followed.insert(refr));
        let behind = node.behind.iter().filter(|behind| behinds.insert(behind));
        let behind = behind.flat_map(|behind| names.read_behind(behind));
        for rule in new.flat_map(|refr| names.read_by(refr)).chain(behind).chain(&node.calls) {
            if rule.starts_with(package) {
                return true;
            }
            if known.insert(rule) {
                open.push(rule);
            }
        }
    }
    false
}
