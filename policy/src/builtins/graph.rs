//! `graph.reachable_paths(graph, initial)`: the engine's ends paths otherwise than OPA's.

use std::collections::BTreeSet;

use regorus::Value;
use regorus::value::Object;

use super::row::{Builtin, By};
use super::signatures::{LISTS, OBJECT, SET};
use super::{Fail, weigh};

pub(super) const ROWS: &[Builtin] =
    &[Builtin::new("graph.reachable_paths", &[OBJECT, LISTS], SET, By::Ours(reachable_paths))];

/// Longest path.
const LONGEST: usize = 128;
/// Most edges that are followed, and most nodes on all paths together.
const STEPS: usize = 20_000;

/// The paths from each initial node, as far as they lead; a node that a path has already ends it, but for the initial node
/// as its own neighbour.
fn reachable_paths(args: &[Value]) -> Result<Value, Fail> {
    let [graph, initial] = args else { return Err(Fail::Argument("takes a graph and its first nodes")) };
    weigh::deep(args)?;
    let graph = graph.as_object().map_err(|_| Fail::Argument("takes an object of lists or sets"))?;
    let initial = nodes(initial).ok_or(Fail::Argument("takes a list or a set of first nodes"))?;
    let mut walk = Walk { graph, left: STEPS, path: Vec::new(), paths: BTreeSet::new() };
    for node in initial.into_iter().filter(|node| graph.get(node).is_some()) {
        walk.visit(node)?;
    }
    Ok(Value::from(walk.paths))
}

/// The members of a list or a set; none of anything else.
fn nodes(value: &Value) -> Option<Vec<&Value>> {
    match value {
        Value::Array(items) => Some(items.iter().collect()),
        Value::Set(items) => Some(items.iter_sorted().collect()),
        _ => None,
    }
}

struct Walk<'a> {
    graph: &'a Object,
    left: usize,
    path: Vec<Value>,
    paths: BTreeSet<Value>,
}

impl<'a> Walk<'a> {
    fn visit(&mut self, node: &'a Value) -> Result<(), Fail> {
        self.spend(1)?;
        let Some(edges) = self.graph.get(node) else { return self.end() };
        if self.path.len() == LONGEST {
            return Err(Fail::Limit("paths of at most 128 nodes"));
        }
        self.path.push(node.clone());
        let neighbours = nodes(edges).unwrap_or_default();
        if neighbours.is_empty() {
            self.end()?;
        }
        for neighbour in neighbours {
            if self.path.len() > 1 && self.path.contains(neighbour) {
                self.end()?;
            } else {
                self.visit(neighbour)?;
            }
        }
        self.path.pop();
        Ok(())
    }

    /// What was walked so far is a path.
    fn end(&mut self) -> Result<(), Fail> {
        self.spend(self.path.len())?;
        self.paths.insert(Value::from(self.path.clone()));
        Ok(())
    }

    fn spend(&mut self, steps: usize) -> Result<(), Fail> {
        let left = self.left.checked_sub(steps);
        self.left = left.ok_or(Fail::Limit("at most 20000 edges and nodes of paths"))?;
        Ok(())
    }
}
