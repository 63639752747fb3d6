//! Rules of few names: any of them at any place, declared or not, inside and outside, so that each may mean two things.

use super::expressions::spaced;
use super::rules::braces;
use super::statements::every;
use super::values::Ty;
use super::{Known, Maker};
use crate::tree::{Tree, leaf, text};

/// What names go through: members of each kind are there in most documents.
const COLLECTIONS: &[&str] = &[
    "input.nums",
    "input.strs",
    "input.obj",
    "input.users",
    "input.mixed",
    "input.grants",
    "data.d.list",
    "data.d.levels",
    "data.d.perms",
    "data.d.rows",
    "[1, 2]",
    "[\"a\", \"b\"]",
    "[[1, 2], [\"a\", \"a\"]]",
    "[{\"a\": 1, \"b\": 1}, {\"a\": \"a\", \"b\": 2}]",
    "{\"a\": 1, \"b\": \"a\"}",
    "{\"a\": \"a\", \"b\": \"b\"}",
    "{1, \"a\"}",
    "{[1, 2], [0, 0]}",
];
/// As few as make each likely to stand twice.
const NAMES: usize = 4;

/// The names of one rule, as a body sees them.
struct Names {
    all: Vec<String>,
    /// Those that have a value, from around the body too.
    bound: Vec<String>,
    /// Those that the body itself declares, or has named so that it cannot any more.
    settled: Vec<String>,
}

impl Names {
    /// Those that the body may still declare.
    fn free(&self) -> Vec<String> {
        self.all.iter().filter(|name| !self.settled.contains(name)).cloned().collect()
    }

    /// As a body inside of this one begins.
    fn inside(&self) -> Self {
        Self { all: self.all.clone(), bound: self.bound.clone(), settled: Vec::new() }
    }
}

impl Maker {
    /// A set of all that its names are bound to, or a rule that holds.
    pub(super) fn few_names(&mut self) -> Tree {
        self.shape("few names");
        let name = self.fresh("r");
        let all = (0..NAMES).map(|_| self.fresh("v")).collect();
        let mut names = Names { all, bound: Vec::new(), settled: Vec::new() };
        let mut body = self.few_statements(&mut names, 2);
        let told: Vec<Tree> = (0..2).map(|_| self.few(&mut names, 1)).collect();
        let (head, ty) = match self.random.below(6) {
            0 => (vec![text(name.clone())], Ty::Bool),
            1 => (vec![text(format!("{name} contains ")), self.few(&mut names, 2)], Ty::Any),
            2 => {
                let value = self.few(&mut names, 0);
                body.push(Tree::Group(vec![text("\tvalue := "), self.few(&mut names, 2)]));
                (vec![text(format!("{name}[")), value, text("] contains value")], Ty::Any)
            }
            _ => {
                let mut head = vec![text(format!("{name} contains ["))];
                head.extend(spaced(told));
                head.push(text("]"));
                (head, Ty::Any)
            }
        };
        let made = Tree::Group(head.into_iter().chain(braces(body)).collect());
        self.learn(&name, ty, None);
        if made.written().starts_with(&format!("{name}[")) {
            return Tree::List(vec![made, self.whole(&name)], "\n\n");
        }
        made
    }

    fn few_statements(&mut self, names: &mut Names, depth: usize) -> Vec<Tree> {
        let least = if depth == 2 { 2 } else { 1 };
        (0..least + self.random.below(3)).map(|_| self.few_statement(names, depth)).collect()
    }

    fn few_statement(&mut self, names: &mut Names, depth: usize) -> Tree {
        let below = depth.saturating_sub(1);
        let from = text(self.random.pick(COLLECTIONS));
        let group = |before: String, middle: Tree, after: String| {
            Tree::Group(vec![text(before), middle, text(after)])
        };
        match self.random.below(24) {
            0 | 1 => {
                let (one, other) = (self.declare(names), self.bind_any(names));
                group(format!("some {one}\n"), from, format!("[{one}] = {other}"))
            }
            2 | 3 => group(format!("some {} in ", self.declare(names)), from, String::new()),
            4 => {
                let one = self.declare(names);
                let other = if names.free().is_empty() { "_".to_owned() } else { self.declare(names) };
                group(format!("some {one}, {other} in "), from, String::new())
            }
            5 => group(format!("{} := ", self.declare(names)), from, "[_]".to_owned()),
            6 | 7 => {
                let value = self.few(names, depth);
                group(format!("{} := ", self.declare(names)), value, String::new())
            }
            8 | 9 => {
                let (one, other) = (self.bind_any(names), self.bind_any(names));
                group(String::new(), from, format!("[{one}] = {other}"))
            }
            10 => {
                let (one, other) = (self.bind_any(names), self.bind_any(names));
                group(format!("{one} = "), from, format!("[{other}]"))
            }
            11 => {
                let value = self.few(names, depth);
                group(format!("{} = ", self.bind_any(names)), value, String::new())
            }
            12 => group(String::new(), from, format!("[{}]", self.bind_any(names))),
            13 => group(String::new(), from, format!("[{}][{}]", self.bind_any(names), self.bind_any(names))),
            14 => group(
                format!("[{}, {}] = ", self.bind_any(names), self.bind_any(names)),
                from,
                "[_]".to_owned(),
            ),
            15 => {
                let (one, other) = (self.bind_any(names), self.bind_any(names));
                group(format!("{{\"a\": {one}, \"b\": {other}}} = "), from, "[_]".to_owned())
            }
            16 | 17 if depth > 0 => {
                let mut inside = names.inside();
                group("not ".to_owned(), self.few_condition(&mut inside), String::new())
            }
            18 | 19 if depth > 0 => {
                let mut inside = names.inside();
                let key = if self.random.percent(30) {
                    format!("{}, ", self.declare(&mut inside))
                } else {
                    String::new()
                };
                let value = self.declare(&mut inside);
                let body = self.few_statements(&mut inside, 0);
                every(&format!("{key}{value}"), from, body)
            }
            20 | 21 => self.few_condition(names),
            22 => {
                let (left, right) = (self.few(names, below), self.few(names, below));
                Tree::Group(vec![left, text(" = "), right])
            }
            _ => group(format!("{} = ", self.bind_any(names)), leaf(self.read(names)), String::new()),
        }
    }

    /// Binds nothing that is not bound.
    fn few_condition(&mut self, names: &mut Names) -> Tree {
        let from = text(self.random.pick(COLLECTIONS));
        let one = self.read(names);
        match self.random.below(6) {
            0 => Tree::Group(vec![text(format!("{one} in ")), from]),
            1 => Tree::Group(vec![from, text(format!("[{one}]"))]),
            2 => Tree::Group(vec![from, text(format!("[_] = {one}"))]),
            3 => Tree::Group(vec![text(format!("{one} in ")), self.few(names, 1)]),
            _ => {
                let sign = self.random.pick(&["==", "!=", "<"]);
                Tree::Group(vec![text(format!("{one} {sign} ")), self.few(names, 1)])
            }
        }
    }

    /// One that the body may still declare, if there is one.
    fn declare(&mut self, names: &mut Names) -> String {
        let free = names.free();
        let name = self.random.pick(if free.is_empty() { &names.all } else { &free });
        names.settled.push(name.clone());
        names.bound.push(name.clone());
        name
    }

    /// Any, which has a value from here on.
    fn bind_any(&mut self, names: &mut Names) -> String {
        let name = self.random.pick(&names.all);
        names.settled.push(name.clone());
        names.bound.push(name.clone());
        name
    }

    /// Most often one that has a value.
    fn read(&mut self, names: &mut Names) -> String {
        let any = names.bound.is_empty() || self.random.percent(5);
        let name = self.random.pick(if any { &names.all } else { &names.bound });
        names.settled.push(name.clone());
        name
    }

    /// An expression in which these names stand.
    fn few(&mut self, names: &mut Names, depth: usize) -> Tree {
        let below = depth.saturating_sub(1);
        let from = self.random.pick(COLLECTIONS);
        if depth > 0 && self.random.percent(35) {
            let mut inside = names.inside();
            let body = Tree::List(self.few_statements(&mut inside, below.min(1)), "; ");
            let (one, other) = (self.read(&mut inside), self.read(&mut inside));
            let (open, term, close) = match self.random.below(4) {
                0 => ("[", one, "]"),
                1 => ("{", format!("{one}: {other}"), "}"),
                2 => ("{", format!("[{one}, {other}]"), "}"),
                _ => ("{", one, "}"),
            };
            return Tree::Expr(vec![text(open), text(term), text(" | "), body, text(close)]);
        }
        let (one, other) = (self.read(names), self.read(names));
        let functions: Vec<Known> = self
            .known
            .iter()
            .filter(|known| known.arguments.as_ref().is_some_and(|of| of.len() == 1))
            .cloned()
            .collect();
        match self.random.below(16) {
            0..5 => leaf(one),
            5 => leaf(format!("lower({one})")),
            6 => leaf(format!("{one} + 1")),
            7 => leaf(format!("[{one}, {other}]")),
            8 => leaf(format!("{{\"a\": {one}, \"b\": {other}}}")),
            9 => leaf(format!("{{{one}}}")),
            10 => leaf(format!("$\"{{{one}}} {{{other}}}\"")),
            11 => leaf(format!("count({from})")),
            12 if !functions.is_empty() => {
                let known = self.random.pick(&functions);
                leaf(format!("{}({one})", self.reference(&known)))
            }
            13 => leaf(self.random.pick(&["1", "\"a\"", "\"b\"", "2"])),
            _ if from.starts_with(['i', 'd']) => leaf(format!("{from}[{one}]")),
            _ => leaf(other),
        }
    }
}
