//! Policies of the shapes that authors write, with inputs, from a seed.

mod calls;
mod expressions;
mod few;
mod rules;
mod statements;
mod twists;
mod values;

use std::collections::{BTreeMap, BTreeSet};

use crate::random::Random;
use crate::tree::{Tree, text};
use values::Ty;

/// How many of a hundred rules have slips in them.
const TWISTED: usize = 30;

/// A policy, its data and inputs, and the rules to ask.
#[derive(Clone, Debug)]
pub struct Case {
    /// In an order in which each refers to earlier ones alone.
    pub modules: Vec<Module>,
    /// What stands under `data.d`.
    pub data: Tree,
    pub inputs: Vec<Tree>,
    /// Full names.
    pub rules: Vec<String>,
    /// What each rule is made of, by its full name.
    pub shapes: BTreeMap<String, BTreeSet<&'static str>>,
}

#[derive(Clone, Debug, PartialEq)]
pub struct Module {
    pub name: String,
    pub tree: Tree,
}

/// The case of a seed.
pub fn case(seed: u64) -> Case {
    let mut random = Random::from(seed);
    let data = values::data(&mut random);
    let inputs = (0..3).map(|_| values::input(&mut random)).collect();
    let mut maker = Maker { mocks: random.percent(8), few: random.percent(40), random, ..Maker::default() };
    let packages: &[&str] = match maker.random.below(10) {
        0..6 => &["fz.a"],
        6..8 => &["fz.a", "fz.b"],
        8 => &["fz.a", "fz.a"],
        _ => &["fz.lib.names", "fz.b", "fz.b"],
    };
    let modules: Vec<Module> =
        packages.iter().enumerate().map(|(number, package)| maker.module(number, package)).collect();
    Case { modules, data, inputs, rules: maker.asked, shapes: maker.made }
}

/// Writes `_` for what `some` and `every` declare and nothing uses, as OPA wants it.
fn unused(whole: &str, tree: &mut Tree) {
    match tree {
        Tree::Text(text) if text.starts_with("some ") || text.starts_with("every ") => {
            let names: Vec<&str> = text.split([' ', ',', '\n']).filter(|word| is_name(word)).collect();
            let alone = |name: &&&str| {
                whole.split(|c: char| !c.is_ascii_alphanumeric()).filter(|word| word == *name).count() == 1
            };
            let alone: Vec<String> = names.iter().filter(alone).map(ToString::to_string).collect();
            let without = |text: String, name: &String| text.replacen(&format!(" {name}"), " _", 1);
            *text = alone.iter().fold(text.to_string(), without).into();
        }
        Tree::Text(_) => {}
        Tree::Group(parts) | Tree::Expr(parts) | Tree::List(parts, _) => {
            for part in parts {
                unused(whole, part);
            }
        }
    }
}

/// Whether this is a name as bodies bind it.
pub fn is_name(word: &str) -> bool {
    word.strip_prefix('v').is_some_and(|rest| !rest.is_empty() && rest.chars().all(|c| c.is_ascii_digit()))
}

/// A rule or function that later ones may use.
#[derive(Clone, Debug)]
struct Known {
    package: String,
    name: String,
    /// None for a rule.
    arguments: Option<Vec<Ty>>,
    ty: Ty,
}

struct Maker {
    random: Random,
    /// Of the rule that is being made.
    shapes: BTreeSet<&'static str>,
    /// Of those that are made.
    made: BTreeMap<String, BTreeSet<&'static str>>,
    /// Bound names, the innermost last.
    scope: Vec<(String, Ty)>,
    /// Those that the rule has ever bound.
    entered: Vec<(String, Ty)>,
    known: Vec<Known>,
    /// What each function is made of.
    functions: BTreeMap<String, BTreeSet<&'static str>>,
    asked: Vec<String>,
    package: String,
    /// Names of imports, and the packages they mean.
    imports: Vec<(String, String)>,
    names: usize,
    /// Whether functions and builtins are replaced, as only tests may.
    mocks: bool,
    /// Whether most rules are of few names.
    few: bool,
}

impl Default for Maker {
    fn default() -> Self {
        Self {
            random: Random::from(0),
            shapes: BTreeSet::new(),
            made: BTreeMap::new(),
            scope: Vec::new(),
            entered: Vec::new(),
            known: Vec::new(),
            functions: BTreeMap::new(),
            asked: Vec::new(),
            package: String::new(),
            imports: Vec::new(),
            names: 0,
            mocks: false,
            few: false,
        }
    }
}

impl Maker {
    fn shape(&mut self, name: &'static str) {
        self.shapes.insert(name);
    }

    fn fresh(&mut self, prefix: &str) -> String {
        self.names += 1;
        format!("{prefix}{}", self.names)
    }

    fn module(&mut self, number: usize, package: &str) -> Module {
        package.clone_into(&mut self.package);
        self.imports.clear();
        let mut head = vec![text(format!("package {package}\n\n"))];
        let others: BTreeSet<String> = self.known.iter().map(|known| known.package.clone()).collect();
        for other in others.iter().filter(|other| *other != package) {
            match self.random.below(3) {
                0 => {
                    let last = other.rsplit('.').next().unwrap_or(other).to_owned();
                    head.push(text(format!("import data.{other}\n")));
                    self.imports.push((last, other.clone()));
                }
                1 => {
                    head.push(text(format!("import data.{other} as far\n")));
                    self.imports.push(("far".to_owned(), other.clone()));
                }
                _ => {}
            }
        }
        let many = if self.few { 8 } else { 3 + self.random.below(4) };
        let several = number > 0;
        let rules = (0..many).map(|_| self.noted(several)).collect();
        head.push(Tree::List(rules, "\n\n"));
        head.push(text("\n"));
        let mut tree = Tree::Group(head);
        unused(&tree.written(), &mut tree);
        let ending = if self.mocks { "_test" } else { "" };
        Module { name: format!("m{number}{ending}.rego"), tree }
    }

    /// A rule, with its shapes written down.
    fn noted(&mut self, several: bool) -> Tree {
        let before = self.asked.len();
        if several {
            self.shape("several modules");
        }
        self.entered.clear();
        let mut tree = self.rule();
        if self.random.percent(TWISTED) {
            tree = self.twisted(tree);
        }
        let shapes = std::mem::take(&mut self.shapes);
        self.made.extend(self.asked[before..].iter().map(|rule| (rule.clone(), shapes.clone())));
        tree
    }

    /// How a rule or function is written where the current module uses it.
    fn reference(&mut self, known: &Known) -> String {
        let import = self.imports.iter().find(|(_, package)| *package == known.package).cloned();
        match import {
            _ if known.package == self.package && self.random.percent(85) => known.name.clone(),
            Some((alias, _)) if self.random.percent(80) => {
                self.shape(if alias == "far" { "import with alias" } else { "import" });
                format!("{alias}.{}", known.name)
            }
            _ => format!("data.{}.{}", known.package, known.name),
        }
    }

    fn enter(&mut self, name: &str, ty: Ty) {
        self.entered.push((name.to_owned(), ty.clone()));
        self.scope.push((name.to_owned(), ty));
    }

    /// Runs `inside` and forgets what it has bound.
    fn scoped<T>(&mut self, inside: impl FnOnce(&mut Self) -> T) -> T {
        let bound = self.scope.len();
        let made = inside(self);
        self.scope.truncate(bound);
        made
    }
}
