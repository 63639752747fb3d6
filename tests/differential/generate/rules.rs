//! Rules: complete, partial, with references as heads, and functions.

use super::expressions::spaced;
use super::values::Ty;
use super::{Known, Maker};
use crate::tree::{Tree, leaf, text};

const DEPTH: usize = 3;

impl Maker {
    pub(super) fn rule(&mut self) -> Tree {
        self.scope.clear();
        if self.few && self.random.percent(80) {
            return self.few_names();
        }
        match self.random.below(100) {
            0..26 => self.complete(),
            26..30 => self.calls(),
            30..42 => self.holds(),
            42..54 => self.partial_set(),
            54..62 => self.all_bound(),
            62..70 => self.partial_object(),
            70..80 => self.head_reference(),
            _ => self.define_function(),
        }
    }

    /// Later ones may use it; what a function is made of counts for those that call it.
    pub(super) fn learn(&mut self, name: &str, ty: Ty, arguments: Option<Vec<Ty>>) {
        if arguments.is_some() {
            self.functions.insert(name.to_owned(), self.shapes.clone());
        }
        if arguments.is_none() {
            self.asked.push(format!("data.{}.{name}", self.package));
        }
        self.known.push(Known { package: self.package.clone(), name: name.to_owned(), arguments, ty });
    }

    fn depth(&mut self) -> usize {
        1 + self.random.below(DEPTH)
    }

    /// ` if { … }`, with its own scope after the arguments; the value first, though made last.
    fn clause(&mut self, head: &str, ty: &Ty, body: bool) -> Tree {
        let depth = self.depth();
        self.scoped(|maker| {
            let statements = if body { maker.body(1, depth) } else { Vec::new() };
            let value = maker.expr(ty, depth.min(2));
            let mut parts = vec![text(format!("{head} := ")), value];
            parts.extend(braces(statements));
            Tree::Group(parts)
        })
    }

    fn complete(&mut self) -> Tree {
        let name = self.fresh("r");
        let ty = self.any();
        let mut rules = Vec::new();
        if self.random.percent(35) {
            self.shape("default");
            let value = self.constant(&ty);
            rules.push(Tree::Group(vec![text(format!("default {name} := ")), value]));
        }
        if self.random.percent(25) {
            self.shape("else");
            rules.push(self.chain(&name, &ty));
        } else if self.random.percent(30) {
            self.shape("complete rule of several clauses");
            for _ in 0..2 + self.random.below(2) {
                rules.push(self.clause(&name, &ty, true));
            }
        } else {
            self.shape("complete rule");
            let body = self.random.percent(75);
            rules.push(self.clause(&name, &ty, body));
        }
        self.learn(&name, ty, None);
        Tree::List(rules, "\n\n")
    }

    /// Rules that are what one builtin gives, so that its value shows.
    fn calls(&mut self) -> Tree {
        self.shape("rule of one call");
        let mut rules = Vec::new();
        for _ in 0..4 {
            let (name, ty) = (self.fresh("r"), self.any());
            rules.push(Tree::Group(vec![text(format!("{name} := ")), self.call(&ty, 1)]));
            self.learn(&name, ty, None);
        }
        Tree::List(rules, "\n\n")
    }

    fn constant(&mut self, ty: &Ty) -> Tree {
        let scope = std::mem::take(&mut self.scope);
        let made = match ty {
            Ty::Num | Ty::Str | Ty::Bool => self.literal(ty),
            Ty::List(_) => leaf("[]"),
            Ty::Set(_) => leaf("set()"),
            Ty::Object(_) => leaf("{}"),
            Ty::Any => leaf("null"),
        };
        self.scope = scope;
        made
    }

    fn chain(&mut self, head: &str, ty: &Ty) -> Tree {
        let first = self.clause(head, ty, true);
        let mut others = Vec::new();
        for _ in 0..=self.random.below(2) {
            let body = self.random.percent(85);
            others.push(self.clause(" else", ty, body));
            if !body {
                break;
            }
        }
        Tree::Group(vec![first, Tree::List(others, "")])
    }

    fn holds(&mut self) -> Tree {
        self.shape("rule that holds");
        let name = self.fresh("r");
        let mut rules = Vec::new();
        if self.random.percent(50) {
            self.shape("default");
            rules.push(text(format!("default {name} := false")));
        }
        for _ in 0..=self.random.below(2) {
            let depth = self.depth();
            let body = self.scoped(|maker| maker.body(1, depth));
            let mut parts = vec![text(name.clone())];
            parts.extend(braces(body));
            rules.push(Tree::Group(parts));
        }
        self.learn(&name, Ty::Bool, None);
        Tree::List(rules, "\n\n")
    }

    fn partial_set(&mut self) -> Tree {
        self.shape("partial set");
        let name = self.fresh("r");
        let inside = Ty::of(self.random.pick(&["s", "s", "n", "x", "[s", "[s", "{n"]));
        let mut rules = Vec::new();
        for _ in 0..=self.random.below(2) {
            rules.push(self.contains(&name, &inside));
        }
        self.learn(&name, Ty::Set(Box::new(inside)), None);
        Tree::List(rules, "\n\n")
    }

    /// All that the names of a body are bound to.
    fn all_bound(&mut self) -> Tree {
        self.shape("all that names are bound to");
        let name = self.fresh("r");
        let depth = 1 + self.random.below(2);
        let made = self.scoped(|maker| {
            let body = maker.binding_body(depth);
            let bound: Vec<String> = maker.scope.iter().map(|(name, _)| name.clone()).collect();
            let mut parts = vec![text(format!("{name} contains [{}]", bound.join(", ")))];
            parts.extend(braces(body));
            Tree::Group(parts)
        });
        self.learn(&name, Ty::Any, None);
        made
    }

    fn contains(&mut self, head: &str, inside: &Ty) -> Tree {
        let depth = self.depth();
        self.scoped(|maker| {
            let body = if maker.random.percent(85) { maker.body(1, depth) } else { Vec::new() };
            let mut parts = vec![text(format!("{head} contains ")), maker.expr(inside, 1)];
            parts.extend(braces(body));
            Tree::Group(parts)
        })
    }

    fn partial_object(&mut self) -> Tree {
        self.shape("partial object");
        let name = self.fresh("r");
        let inside = Ty::of(self.random.pick(&["n", "s", "b", "[s", "x"]));
        let mut rules = Vec::new();
        for _ in 0..=self.random.below(2) {
            let key = if self.random.percent(85) { Ty::Str } else { Ty::Num };
            rules.push(self.keyed(&format!("{name}["), &key, "]", &inside));
        }
        self.learn(&name, Ty::Object(Box::new(inside)), None);
        rules.push(self.whole(&name));
        Tree::List(rules, "\n\n")
    }

    /// `before KEY after := value if { … }`
    fn keyed(&mut self, before: &str, key: &Ty, after: &str, inside: &Ty) -> Tree {
        let depth = self.depth();
        self.scoped(|maker| {
            let mut body = maker.body(1, depth);
            let key = if after == "]" { maker.small(key) } else { maker.key(&mut body) };
            let value = maker.expr(inside, 1);
            let mut parts = vec![text(before.to_owned()), key, text(format!("{after} := ")), value];
            parts.extend(braces(body));
            Tree::Group(parts)
        })
    }

    fn head_reference(&mut self) -> Tree {
        self.shape("reference as head");
        let name = self.fresh("r");
        let inside = Ty::of(self.random.pick(&["n", "s", "b", "[s", "{n"]));
        let mut members = Ty::Any;
        let mut rules = Vec::new();
        match self.random.below(6) {
            0 => {
                for member in ["a.b", "a.c", "d"].iter().take(1 + self.random.below(3)) {
                    let body = self.random.percent(60);
                    rules.push(self.clause(&format!("{name}.{member}"), &inside, body));
                }
            }
            1 => {
                members = Ty::Set(Box::new(inside.clone()));
                for member in ["a", "b"] {
                    rules.push(self.contains(&format!("{name}.{member}"), &inside));
                }
            }
            2 => {
                members = Ty::Set(Box::new(inside.clone()));
                let depth = self.depth();
                rules.push(self.scoped(|maker| {
                    let body = maker.body(1, depth);
                    let mut parts =
                        vec![text(format!("{name}[")), maker.small(&Ty::Str), text("] contains ")];
                    parts.push(maker.expr(&inside, 1));
                    parts.extend(braces(body));
                    Tree::Group(parts)
                }));
            }
            3 => {
                for _ in 0..=self.random.below(2) {
                    let depth = self.depth();
                    rules.push(self.scoped(|maker| {
                        let mut body = maker.body(1, depth);
                        let one = maker.key(&mut body);
                        let other = maker.small(&Ty::Str);
                        let mut parts = vec![text(format!("{name}[")), one, text("]["), other, text("] := ")];
                        parts.push(maker.expr(&inside, 1));
                        parts.extend(braces(body));
                        Tree::Group(parts)
                    }));
                }
            }
            4 => {
                rules.push(self.keyed(&format!("{name}.a["), &Ty::Str, "]", &inside));
                if self.random.percent(50) {
                    rules.push(self.clause(&format!("{name}.b"), &inside, true));
                }
            }
            _ => {
                rules.push(self.keyed(&format!("{name}["), &Ty::Str, "].x", &inside));
                if self.random.percent(40) {
                    rules.push(self.clause(&format!("{name}.a.y"), &inside, true));
                }
            }
        }
        self.learn(&name, Ty::Object(Box::new(members)), None);
        rules.push(self.whole(&name));
        Tree::List(rules, "\n\n")
    }

    /// A rule that is the object another makes up: only a whole rule can be asked for.
    pub(super) fn whole(&mut self, name: &str) -> Tree {
        let whole = self.fresh("r");
        self.asked.pop();
        self.asked.push(format!("data.{}.{whole}", self.package));
        text(format!("{whole} := {name}"))
    }

    /// A computed member that is not the last one: most often a variable of the body.
    fn key(&mut self, body: &mut Vec<Tree>) -> Tree {
        if self.random.percent(10) {
            return self.small(&Ty::Str);
        }
        let name = self.fresh("v");
        let value = self.expr(&Ty::Str, 1);
        let statement = if self.random.percent(50) {
            Tree::Group(vec![text(format!("\t{name} := ")), value])
        } else {
            Tree::Group(vec![text(format!("\tsome {name} in [")), value, text("]")])
        };
        body.push(statement);
        leaf(name)
    }

    fn define_function(&mut self) -> Tree {
        self.shape("function");
        let name = self.fresh("f");
        let ty = self.any();
        let arguments: Vec<Ty> = (0..=self.random.below(2)).map(|_| self.any()).collect();
        let mut rules = Vec::new();
        if self.random.percent(30) {
            self.shape("function with default");
            let blanks = vec!["_"; arguments.len()].join(", ");
            let value = self.constant(&ty);
            rules.push(Tree::Group(vec![text(format!("default {name}({blanks}) := ")), value]));
        }
        let clauses = 1 + self.random.below(3);
        for _ in 0..clauses {
            self.scope.clear();
            let head = Tree::Group(spaced(arguments.iter().map(|ty| self.parameter(ty)).collect())).written();
            let head = format!("{name}({head})");
            let body = self.random.percent(70);
            if self.random.percent(15) {
                self.shape("function with else");
                rules.push(self.chain(&head, &ty));
            } else {
                rules.push(self.clause(&head, &ty, body));
            }
        }
        self.learn(&name, ty, Some(arguments));
        if self.random.percent(80) {
            rules.push(self.calling());
        }
        Tree::List(rules, "\n\n")
    }

    /// A rule that is what the last function gives.
    fn calling(&mut self) -> Tree {
        self.scope.clear();
        let known = self.known.last().cloned().expect("a function is there");
        let name = self.fresh("r");
        let value = self.call_of(&known, 2);
        let body = if self.random.percent(50) { self.body(1, 1) } else { Vec::new() };
        let mut parts = vec![text(format!("{name} := ")), value];
        parts.extend(braces(body));
        self.learn(&name, known.ty, None);
        Tree::Group(parts)
    }

    fn parameter(&mut self, ty: &Ty) -> Tree {
        match self.random.below(10) {
            0 | 1 if matches!(ty, Ty::Num | Ty::Str | Ty::Bool) => {
                self.shape("function with constant arguments");
                let scope = std::mem::take(&mut self.scope);
                let made = self.literal(ty);
                self.scope = scope;
                made
            }
            2 => {
                if let Ty::Object(inside) = ty {
                    return leaf(self.members(inside));
                }
                if let Ty::List(inside) = ty {
                    self.shape("function with patterns");
                    let (one, other) = (self.fresh("v"), self.fresh("v"));
                    self.enter(&one, (**inside).clone());
                    self.enter(&other, (**inside).clone());
                    return leaf(format!("[{one}, {other}]"));
                }
                leaf("_")
            }
            _ => {
                let name = self.fresh("v");
                self.enter(&name, ty.clone());
                leaf(name)
            }
        }
    }
}

/// Nothing for an empty body.
pub(super) fn braces(mut statements: Vec<Tree>) -> Vec<Tree> {
    if statements.is_empty() {
        return Vec::new();
    }
    // By what it says itself: the same case has the same layout.
    let layout = statements.iter().map(|statement| statement.written().len()).sum::<usize>() % 9;
    if let (0, [one]) = (layout, statements.as_mut_slice())
        && !one.written().contains('\n')
        // It would be the brace of the body.
        && !one.written().starts_with('{')
    {
        return vec![text(" if "), statements.remove(0)];
    }
    if layout == 1 {
        statements = statements
            .into_iter()
            .map(|statement| Tree::Group(vec![statement, text(" # in {\"a\": [(not `")]))
            .collect();
    }
    let statements =
        statements.into_iter().map(|statement| Tree::Group(vec![text("\t"), statement])).collect();
    vec![text(" if {\n"), Tree::List(statements, "\n"), text("\n}")]
}
