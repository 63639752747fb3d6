//! How deep an evaluation can go: the engine recurses with the text, and a worker's stack has an end.

use std::collections::{BTreeMap, BTreeSet};

use regorus::unstable::{Expr, Literal, Module, Ref, Span};

use super::heads;
use super::names::{self, Names, Path};
use super::walk::{self, Seen};
use crate::problem::{Problem, Problems};
use crate::translate::negation;

/// Deepest nesting of expressions along any chain of rules that read or call one another. A level takes the engine
/// up to a kilobyte of stack.
const DEPTH: usize = 600;
/// What a rule counts beside its expressions.
const RULE: usize = 4;

/// One name with what stands in all its definitions.
#[derive(Default)]
pub(super) struct Node {
    depth: usize,
    /// The references in it, each of which may mean many rules.
    pub(super) reads: BTreeSet<Path>,
    /// What stands behind `data[input.…]`, where no more is read than the rules of just this name in any package.
    pub(super) behind: BTreeSet<Path>,
    /// The functions that it calls.
    pub(super) calls: BTreeSet<Path>,
    /// What it puts in the place of functions, which then stands below all that it reads.
    pub(super) mocks: BTreeSet<Path>,
    /// The constant members of an object with computed ones, which the engine asks for with these.
    together: BTreeSet<Path>,
    /// Where it begins. The text of its module is shared, not copied for each of its rules.
    place: Option<Span>,
}

/// What to write for rules that read themselves.
const ENDLESS: &str = "rules that end; where a name in brackets (`data.keys[input.k]`) could be a package's, data and \
                       packages under different names";

/// Refuses rules that read themselves, and chains that go too deep.
pub(super) fn check(nodes: &BTreeMap<Path, Node>, names: &Names, problems: &mut Problems) {
    let mut search = Search {
        nodes,
        names,
        depths: BTreeMap::new(),
        below: BTreeMap::new(),
        behind: BTreeMap::new(),
        open: Vec::new(),
        cycle: None,
    };
    for path in nodes.keys() {
        let depth = search.depth(path);
        let (construct, why, instead) = if let Some(cycle) = search.cycle.take() {
            let chain: Vec<_> = cycle.iter().map(|path| path.join(".")).collect();
            let chain = chain.join(" → ");
            match cycle.windows(2).find_map(|two| together(nodes, two)) {
                // OPA asks for each of the two by itself.
                Some((whole, member)) => {
                    let why = format!(
                        "is asked for with the computed members of {whole}, and they read it: {chain}"
                    );
                    (member, why, "one of the two under another name")
                }
                None => (path.join("."), format!("reads itself: {chain}"), ENDLESS),
            }
        } else if depth > DEPTH {
            let why = format!("goes {depth} deep, more than {DEPTH}");
            (path.join("."), why, "shorter chains of expressions and rules")
        } else {
            continue;
        };
        problems.push(match nodes.get(path).and_then(|node| node.place.as_ref()) {
            Some(span) => Problem::of(span.source.get_path(), &construct, why, instead).at_span(span),
            None => Problem::of("", &construct, why, instead),
        });
        // The chains above repeat it.
        return;
    }
}

/// The names of an object and a member of it, where the second is read for it is asked for together with the first.
fn together(nodes: &BTreeMap<Path, Node>, two: &[&Path]) -> Option<(String, String)> {
    let [whole, member] = two else { return None };
    let joined = nodes.get(*whole)?.together.contains(*member);
    joined.then(|| (whole.join("."), member.join(".")))
}

/// Every rule, with what it reads.
pub(super) fn nodes(modules: &[Ref<Module>], names: &Names) -> BTreeMap<Path, Node> {
    let mut nodes: BTreeMap<Path, Node> = BTreeMap::new();
    let replaced = replaces_data(modules);
    let mut exact: BTreeMap<Path, bool> = BTreeMap::new();
    let mut behind = |refr: &Expr, input: &BTreeSet<&str>| {
        let behind = names::behind(refr, input).filter(|_| !replaced)?;
        let exact = exact.entry(behind.clone()).or_insert_with(|| is_exact(names, &behind));
        exact.then_some(behind)
    };
    for module in modules {
        let package = names::package(module);
        for rule in &module.policy {
            let (mut reads, mut calls, mut mocks) = (Vec::new(), Vec::new(), Vec::new());
            let (mut bound, mut read_behind, mut input) = (BTreeSet::new(), BTreeSet::new(), BTreeSet::new());
            let depth = walk::rule(rule, &mut |seen| match seen {
                Seen::Ref(refr) => match behind(refr, &input) {
                    Some(behind) => drop(read_behind.insert(behind)),
                    None => reads.push(names::constant(refr)),
                },
                Seen::Call { fcn, .. } => calls.push(names::constant(fcn)),
                Seen::Binds(name, _) => {
                    bound.insert(name.text().to_owned());
                }
                Seen::With(with) => {
                    mocks.push(names::constant(&with.r#as));
                    // OPA takes what is replaced for read.
                    let target = names::constant(&with.refr);
                    reads.extend(target.first().is_some_and(|root| root == "data").then_some(target));
                }
                Seen::Compares(_)
                | Seen::Object(_)
                | Seen::Comprehension(_)
                | Seen::Member(_)
                | Seen::Minus(_)
                | Seen::Replaces(_)
                | Seen::Number(_)
                | Seen::Restores
                | Seen::Closes => {}
                // What was taken out of a negation is still a part of the input.
                Seen::Opens(stmts) => input.extend(stmts.iter().filter_map(|stmt| {
                    let Literal::Expr { expr, .. } = &stmt.literal else { return None };
                    let (name, value) = negation::taken(expr)?;
                    names::is_of_input(value).then(|| name.text())
                })),
            });
            let node = nodes.entry(names::rule_path(&package, rule)).or_default();
            node.depth = node.depth.max(depth + RULE);
            node.place.get_or_insert_with(|| rule.span().clone());
            let local = |path: &&Path| path.first().is_some_and(|first| bound.contains(first));
            let means =
                |path: &Path| (!path.is_empty() && !local(&path)).then(|| names::resolve(module, path));
            node.reads.extend(reads.iter().filter_map(means));
            node.behind.append(&mut read_behind);
            node.mocks.extend(mocks.iter().filter_map(means));
            node.calls
                .extend(calls.iter().filter_map(|path| names.function(module, path)).map(|(path, _)| path));
        }
    }
    for head in heads::beside(modules).into_iter().filter(|head| head.last) {
        let (whole, member) = head.together;
        nodes.entry(whole).or_default().together.insert(member);
    }
    nodes
}

/// Whether a `with` puts something in the place of what is below `data`.
fn replaces_data(modules: &[Ref<Module>]) -> bool {
    let mut found = false;
    for module in modules {
        for rule in &module.policy {
            walk::rule(rule, &mut |seen| {
                if let Seen::With(with) = seen {
                    let target = names::resolve(module, &names::constant(&with.refr));
                    found |= target.first().is_some_and(|root| root == "data");
                }
            });
        }
    }
    found
}

/// Whether all that `data[…]` may read with this behind it are rules of just this name: of others the engine evaluates
/// all of the package, or none.
fn is_exact(names: &Names, behind: &[String]) -> bool {
    names.read_behind(behind).all(|rule| rule.len() == 2 + behind.len() && names.arities(rule).is_none())
}

struct Search<'a> {
    nodes: &'a BTreeMap<Path, Node>,
    names: &'a Names,
    depths: BTreeMap<&'a Path, usize>,
    /// Of a reference, that of the deepest rule that it may mean.
    below: BTreeMap<&'a Path, usize>,
    /// The same of what stands behind `data[input.…]`.
    behind: BTreeMap<&'a Path, usize>,
    open: Vec<&'a Path>,
    cycle: Option<Vec<&'a Path>>,
}

impl<'a> Search<'a> {
    /// The depth of a name with all it reads; notes the first cycle it meets.
    fn depth(&mut self, path: &'a Path) -> usize {
        if let Some(known) = self.depths.get(path) {
            return *known;
        }
        if let Some(begin) = self.open.iter().position(|open| *open == path) {
            let cycle = self.open.iter().skip(begin).chain([&path]);
            self.cycle.get_or_insert(cycle.copied().collect());
            return 0;
        }
        let Some(node) = self.nodes.get(path) else { return 0 };
        self.open.push(path);
        let behind = node.behind.iter().map(|behind| self.read_behind(behind)).max().unwrap_or(0);
        let together = node.together.iter().map(|member| self.depth(member)).max().unwrap_or(0);
        let reads =
            node.reads.iter().map(|refr| self.read(refr)).max().unwrap_or(0).max(behind).max(together);
        let calls = node.calls.iter().map(|call| self.depth(call)).max().unwrap_or(0);
        let mocks = node.mocks.iter().map(|mock| self.read(mock)).fold(0_usize, usize::saturating_add);
        self.open.pop();
        let depth = node.depth.saturating_add(reads.max(calls)).saturating_add(mocks);
        self.depths.insert(path, depth);
        depth
    }

    fn read_behind(&mut self, behind: &'a Path) -> usize {
        if let Some(known) = self.behind.get(behind) {
            return *known;
        }
        let deepest = self.names.read_behind(behind).map(|rule| self.depth(rule)).max().unwrap_or(0);
        self.behind.insert(behind, deepest);
        deepest
    }

    fn read(&mut self, refr: &'a Path) -> usize {
        if let Some(known) = self.below.get(refr) {
            return *known;
        }
        let below = self.names.read_by(refr).map(|rule| self.depth(rule)).max().unwrap_or(0);
        self.below.insert(refr, below);
        below
    }
}
