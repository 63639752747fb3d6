//! Bodies: what is bound, asked, iterated, denied and replaced.

use super::values::Ty;
use super::{Known, Maker};
use crate::tree::{Tree, leaf, text};

impl Maker {
    /// A few statements; what they bind stays bound.
    pub(super) fn body(&mut self, least: usize, depth: usize) -> Vec<Tree> {
        let many = least + self.random.below(3);
        let mut statements: Vec<Tree> = (0..many).map(|_| self.statement(depth)).collect();
        if many > 1 && self.random.percent(8) {
            self.shape("statements in another order");
            for last in (1..many).rev() {
                statements.swap(last, self.random.below(last + 1));
            }
            statements = statements.into_iter().map(unified).collect();
        }
        statements
    }

    /// Statements that bind names, and a condition now and then.
    pub(super) fn binding_body(&mut self, depth: usize) -> Vec<Tree> {
        let many = 2 + self.random.below(3);
        let one = |maker: &mut Self| match maker.random.below(20) {
            0..4 => maker.assignment(depth),
            4..8 => maker.some_in(depth),
            8..13 => maker.some_index(depth),
            13 | 14 => maker.pattern(depth),
            15 => maker.unification(depth),
            16 => maker.both_sides(depth),
            17 => maker.negation(depth),
            18 => maker.every(depth),
            _ => maker.condition(depth),
        };
        (0..many).map(|_| one(self)).collect()
    }

    fn statement(&mut self, depth: usize) -> Tree {
        // What it is replaced by knows nothing of what the statement binds.
        let many = if self.random.percent(6) { 1 + self.random.below(6) / 5 } else { 0 };
        let with: Vec<Tree> = (0..many).map(|_| self.replaced(depth)).collect();
        let made = match self.random.below(100) {
            0..22 => self.assignment(depth),
            22..40 => self.some_in(depth),
            40..50 => self.some_index(depth),
            50..56 => self.pattern(depth),
            56..62 => self.unification(depth),
            62..68 => self.every(depth),
            68..78 => self.negation(depth),
            78..81 => self.walked(),
            81 => self.both_sides(depth),
            82..86 => {
                let ty = self.any();
                bare(self.expr(&ty, depth))
            }
            _ => self.condition(depth),
        };
        if with.is_empty() {
            return made;
        }
        Tree::Group(vec![computed(made), Tree::List(with, "")])
    }

    pub(super) fn bind(&mut self, ty: Ty) -> String {
        // Now and then a name that already means something outside.
        let again: Vec<String> = self
            .known
            .iter()
            .filter(|known| known.package == self.package)
            .map(|known| known.name.clone())
            .collect();
        let name = if !again.is_empty() && self.random.percent(2) {
            let name = self.random.pick(&again);
            if name.contains(['.', '[']) || self.scope.iter().any(|(bound, _)| *bound == name) {
                self.fresh("v")
            } else {
                self.shape("shadowed name");
                name
            }
        } else {
            self.fresh("v")
        };
        self.enter(&name, ty);
        name
    }

    fn assignment(&mut self, depth: usize) -> Tree {
        let ty = self.any();
        let value = self.expr(&ty, depth);
        let name = self.bind(ty);
        self.shape(":=");
        Tree::Group(vec![text(format!("{name} := ")), value])
    }

    fn collection(&mut self) -> Ty {
        Ty::of(self.random.pick(&["[n", "[s", "[x", "<s", "<n", "{n", "{s", "{[s", "[{x", "[{n", "{{n"]))
    }

    fn some_in(&mut self, depth: usize) -> Tree {
        let ty = self.collection();
        let from = self.expr(&ty, depth.min(1));
        let keyed = self.random.percent(40);
        let key = if !keyed {
            None
        } else if self.random.percent(12) {
            Some(if matches!(ty, Ty::Object(_)) { "\"a\"".to_owned() } else { "0".to_owned() })
        } else {
            let key = match &ty {
                Ty::List(_) => Ty::Num,
                Ty::Object(_) => Ty::Str,
                Ty::Set(inside) => (**inside).clone(),
                _ => Ty::Any,
            };
            Some(self.bind(key))
        };
        let value = match ty.element() {
            Ty::Object(inside) if self.random.percent(40) => self.members(&inside),
            element if self.random.percent(92) => self.bind(element),
            _ => "_".to_owned(),
        };
        self.shape(if keyed { "some k, v in" } else { "some x in" });
        let names = key.map_or(value.clone(), |key| format!("{key}, {value}"));
        Tree::Group(vec![text(format!("some {names} in ")), from])
    }

    /// `some i; x = coll[i]`, and the forms of it.
    fn some_index(&mut self, depth: usize) -> Tree {
        let ty = self.collection();
        let key = match &ty {
            Ty::List(_) => Ty::Num,
            Ty::Object(_) => Ty::Str,
            Ty::Set(inside) => (**inside).clone(),
            _ => Ty::Any,
        };
        let holder = self.path_or_name(&ty);
        self.shape("some x and unification");
        let below = depth.saturating_sub(1);
        match self.random.below(5) {
            0 => {
                let name = self.bind(ty.element());
                Tree::Group(vec![text(format!("{name} := ")), holder, text("[_]")])
            }
            1 => {
                let wanted = self.expr(&ty.element(), below);
                let index = self.bind(key);
                let declared = self.some_of(&index);
                Tree::Group(vec![declared, holder, text(format!("[{index}] == ")), wanted])
            }
            2 => {
                let (index, value) = (self.bind(key), self.bind(ty.element()));
                let declared = self.some_of(&format!("{index}, {value}"));
                Tree::Group(vec![declared, holder, text(format!("[{index}] = {value}"))])
            }
            3 => self.index_twice(holder, key, &ty.element(), below),
            _ => {
                let wanted = self.expr(&ty.element(), below);
                Tree::Group(vec![holder, text("[_] == "), wanted])
            }
        }
    }

    /// The declaration of names, which authors leave out now and then.
    fn some_of(&mut self, names: &str) -> Tree {
        if self.random.percent(75) {
            return text(format!("some {names}\n"));
        }
        self.shape("a name that nothing declares");
        text("")
    }

    /// `some i; coll[i] = [i, x]`: the name in brackets stands in the other side too.
    fn index_twice(&mut self, holder: Tree, key: Ty, element: &Ty, depth: usize) -> Tree {
        self.shape("the name in brackets on both sides");
        let index = self.bind(key);
        let (pattern, value) = match self.random.below(4) {
            0 => (text(index.clone()), None),
            1 => {
                let value = self.bind(Ty::Any);
                (text(format!("[{index}, {value}]")), Some(value))
            }
            2 => {
                let value = self.bind(Ty::Any);
                (text(format!("{{\"a\": {value}, \"k\": {index}}}")), Some(value))
            }
            _ => (self.expr(element, depth), None),
        };
        let read = Tree::Group(vec![holder, text(format!("[{index}]"))]);
        let (one, other) = if self.random.percent(50) { (read, pattern) } else { (pattern, read) };
        let names = value.map_or_else(|| index.clone(), |value| format!("{index}, {value}"));
        let declared = self.some_of(&names);
        Tree::Group(vec![declared, one, text(" = "), other])
    }

    pub(super) fn path_or_name(&mut self, ty: &Ty) -> Tree {
        let rules: Vec<Known> =
            self.known.iter().filter(|known| known.arguments.is_none() && known.ty == *ty).cloned().collect();
        let names: Vec<String> =
            self.scope.iter().filter(|(_, have)| have == ty).map(|(name, _)| name.clone()).collect();
        if !names.is_empty() && self.random.percent(40) {
            return leaf(self.random.pick(&names));
        }
        if !rules.is_empty() && self.random.percent(50) {
            let known = self.random.pick(&rules);
            return leaf(self.reference(&known));
        }
        let path = self.path(ty);
        if path.written().starts_with(['i', 'd']) {
            return path;
        }
        leaf(match ty {
            Ty::Object(_) => "input.obj",
            _ => "input.mixed",
        })
    }

    /// A pattern of one or two members, which has a name at least.
    pub(super) fn members(&mut self, inside: &Ty) -> String {
        self.shape("pattern of an object");
        let mut members = Vec::new();
        for key in ["a", "b"].into_iter().take(1 + self.random.below(2)) {
            let value = if members.is_empty() || self.random.percent(50) {
                self.bind(inside.clone())
            } else {
                let scope = std::mem::take(&mut self.scope);
                let constant = self.literal(inside).written();
                self.scope = scope;
                constant
            };
            members.push(format!("\"{key}\": {value}"));
        }
        format!("{{{}}}", members.join(", "))
    }

    fn pattern(&mut self, depth: usize) -> Tree {
        self.shape("pattern");
        let below = depth.saturating_sub(1);
        if self.random.percent(25) {
            let inside = Ty::of(self.random.pick(&["n", "s"]));
            let value = self.expr(&Ty::Object(Box::new(inside.clone())), below);
            let sign = self.random.pick(&[" := ", " = "]);
            let pattern = self.members(&inside);
            return Tree::Group(vec![text(format!("{pattern}{sign}")), value]);
        }
        let (one, other) = (self.any(), self.any());
        if self.random.percent(60) {
            let values = vec![self.expr(&one, below), text(", "), self.expr(&other, below)];
            let (first, second) = (self.bind(one), self.bind(other));
            let mut parts = vec![text(format!("[{first}, {second}] := ["))];
            parts.extend(values);
            parts.push(text("]"));
            return Tree::Group(parts);
        }
        let value = self.expr(&one, below);
        let constant = self.literal(&Ty::Str);
        let given = if self.random.percent(70) { constant.clone() } else { self.small(&Ty::Str) };
        let name = self.bind(one);
        Tree::Group(vec![
            text(format!("some {name}\n{{\"k\": {name}, \"c\": ")),
            constant,
            text("} = {\"k\": "),
            value,
            text(", \"c\": "),
            given,
            text("}"),
        ])
    }

    fn unification(&mut self, depth: usize) -> Tree {
        self.shape("=");
        let ty = self.any();
        let value = self.expr(&ty, depth.saturating_sub(1));
        if self.random.percent(40) {
            let other = self.small(&ty);
            return Tree::Group(vec![other, text(" = "), value]);
        }
        let name = self.bind(ty.clone());
        let first = self.random.percent(50);
        if first {
            Tree::Group(vec![text(format!("some {name}\n{name} = ")), value])
        } else {
            Tree::Group(vec![text(format!("some {name}\n")), self.small(&ty), text(format!(" = {name}"))])
        }
    }

    /// Two lists with names on either side.
    fn both_sides(&mut self, depth: usize) -> Tree {
        self.shape("names on both sides of =");
        let below = depth.saturating_sub(1);
        let (one, other) = (self.any(), self.any());
        let (first, second) = (self.expr(&one, below), self.expr(&other, below));
        let left = self.bind(one);
        let right = if self.random.percent(75) { self.bind(other) } else { left.clone() };
        match self.random.below(3) {
            0 => Tree::Group(vec![
                text(format!("[{left}, ")),
                second,
                text("] = ["),
                first,
                text(format!(", {right}]")),
            ]),
            1 => Tree::Group(vec![text(format!("[{left}, {right}] = [{right}, ")), second, text("]")]),
            _ => Tree::Group(vec![
                text(format!("[{left}, {right}] = [")),
                first,
                text(", "),
                second,
                text("]"),
            ]),
        }
    }

    /// A function called with one argument more, which is compared with its result, or bound to it.
    fn result(&mut self, depth: usize) -> Tree {
        let functions: Vec<Known> =
            self.known.iter().filter(|known| known.arguments.is_some()).cloned().collect();
        if functions.is_empty() {
            return self.small(&Ty::Bool);
        }
        self.shape("result as an argument");
        let known = self.random.pick(&functions);
        let Tree::Expr(mut parts) = self.call_of(&known, depth) else { return self.small(&Ty::Bool) };
        parts.pop();
        let names: Vec<String> = self.scope.iter().map(|(name, _)| name.clone()).collect();
        let name = if names.is_empty() || self.random.percent(40) {
            self.bind(known.ty)
        } else {
            self.random.pick(&names)
        };
        parts.push(text(format!(", {name})")));
        Tree::Group(parts)
    }

    /// Whether a set or an object has a member, by brackets: a name, or a list of names and constants.
    fn bracketed(&mut self) -> Tree {
        let composed = self.random.percent(60);
        let ty = Ty::of(if composed { "<[s" } else { self.random.pick(&["<s", "<n", "{n", "{s"]) });
        let holder = self.path_or_name(&ty);
        self.shape("member by brackets");
        let key = if matches!(ty, Ty::Object(_)) { Ty::Str } else { ty.element() };
        let mut name = |of: &Ty| {
            let names: Vec<String> =
                self.scope.iter().filter(|(_, have)| have == of).map(|(name, _)| name.clone()).collect();
            if names.is_empty() || self.random.percent(30) {
                self.small(of)
            } else {
                leaf(self.random.pick(&names))
            }
        };
        let inside = if composed {
            Tree::Group(vec![text("["), name(&Ty::Str), text(", "), name(&Ty::Str), text("]")])
        } else {
            name(&key)
        };
        Tree::Group(vec![holder, text("["), inside, text("]")])
    }

    fn every(&mut self, depth: usize) -> Tree {
        self.shape("every");
        let ty = self.collection();
        let from = self.expr(&ty, depth.min(1));
        self.scoped(|maker| {
            let keyed = maker.random.percent(30);
            let key = if matches!(ty, Ty::Object(_)) {
                Ty::Str
            } else if let Ty::Set(inside) = &ty {
                (**inside).clone()
            } else {
                Ty::Num
            };
            let key = if keyed { format!("{}, ", maker.name(key)) } else { String::new() };
            let value = maker.name(ty.element());
            let body = maker.body(1, depth.saturating_sub(1));
            every(&format!("{key}{value}"), from, body)
        })
    }

    fn name(&mut self, ty: Ty) -> String {
        let name = self.fresh("v");
        self.enter(&name, ty);
        name
    }

    fn negation(&mut self, depth: usize) -> Tree {
        self.shape("not");
        let inside = match self.random.below(4) {
            0 => {
                let path = self.path(&Ty::Any);
                if path.written().ends_with(".missing") || path.written().ends_with(".absent") {
                    self.shape("not of what is never there");
                }
                path
            }
            1 => {
                let ty = self.any();
                bare(self.expr(&ty, depth))
            }
            _ => self.condition(depth),
        };
        Tree::Group(vec![text("not "), computed(inside)])
    }

    fn walked(&mut self) -> Tree {
        self.shape("walk");
        let of = self.path(&Ty::Any);
        let (path, value) = (self.bind(Ty::of("[x")), self.bind(Ty::Any));
        Tree::Group(vec![text("walk("), of, text(format!(", [{path}, {value}])"))])
    }

    /// Holds or does not.
    pub(super) fn condition(&mut self, depth: usize) -> Tree {
        let depth = depth.max(1);
        match self.random.below(22) {
            20 => self.result(depth),
            21 => self.bracketed(),
            0..12 => {
                // Without the parentheses of an operator that stands inside.
                let ty = self.any();
                let sign = self.random.pick(&[" == ", " != ", " < ", " <= ", " > ", " >= ", " == "]);
                self.shape("comparison");
                let mut left = self.expr(&ty, depth - 1);
                if left.written().starts_with('(') {
                    left = self.small(&ty);
                }
                Tree::Group(vec![left, text(sign), self.expr(&ty, depth - 1)])
            }
            12..16 => bare(self.operator(&Ty::Bool, depth)),
            16..18 => self.call(&Ty::Bool, depth),
            _ => self.small(&Ty::Bool),
        }
    }

    /// With another input, data, or, in tests, function.
    fn replaced(&mut self, depth: usize) -> Tree {
        let below = depth.min(1);
        let functions: Vec<Known> = self
            .known
            .iter()
            .filter(|known| known.arguments.is_some() && known.package == self.package)
            .cloned()
            .collect();
        let (target, value) = match self.random.below(if self.mocks { 8 } else { 5 }) {
            0 => ("input.n".to_owned(), self.expr(&Ty::Num, below)),
            1 => ("input.s".to_owned(), self.expr(&Ty::Str, below)),
            2 => ("input".to_owned(), leaf("{\"n\": 7, \"s\": \"alice\", \"nums\": [3, 1]}")),
            3 => ("data.d.list".to_owned(), self.expr(&Ty::of("[s"), below)),
            4 => ("input.deep.a".to_owned(), self.expr(&Ty::of("{n"), below)),
            5 if !functions.is_empty() => {
                let known = self.random.pick(&functions);
                (known.name.clone(), self.literal(&known.ty))
            }
            6 => ("count".to_owned(), leaf("42")),
            _ => ("time.now_ns".to_owned(), leaf("1700000000000000000")),
        };
        self.shape(if target.starts_with("input") || target.starts_with("data") {
            "with"
        } else {
            "with for a function"
        });
        Tree::Group(vec![text(format!(" with {target} as ")), value])
    }
}

pub(super) fn every(names: &str, from: Tree, body: Vec<Tree>) -> Tree {
    Tree::Group(vec![
        text(format!("every {names} in ")),
        from,
        text(" { "),
        Tree::List(body, "; "),
        text(" }"),
    ])
}

/// No constant: OPA takes `not true`, and `true with …`, for a body that says nothing.
fn computed(expr: Tree) -> Tree {
    if matches!(expr.written().as_str(), "true" | "false") { leaf("input.b") } else { expr }
}

/// A name that `=` gives its value, and not `:=`: where it stands is then nothing to OPA.
fn unified(statement: Tree) -> Tree {
    let Tree::Group(mut parts) = statement else { return statement };
    if let Some(Tree::Text(first)) = parts.first_mut()
        && first.starts_with('v')
        && let Some(name) = first.strip_suffix(" := ")
    {
        *first = format!("{name} = ").into();
    }
    Tree::Group(parts)
}

/// Without its parentheses: at the beginning of a line they would be taken for those of a call above.
fn bare(expr: Tree) -> Tree {
    match expr {
        Tree::Expr(mut parts) if parts.first() == Some(&text("(")) => {
            parts.remove(0);
            parts.pop();
            Tree::Expr(parts)
        }
        expr => expr,
    }
}
