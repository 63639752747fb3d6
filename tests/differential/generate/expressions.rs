//! Expressions of a wanted type.

use super::calls::{CALLS, pool};
use super::values::{self, PATHS, Ty};
use super::{Known, Maker};
use crate::tree::{Tree, leaf, text};

fn fits(have: &Ty, wanted: &Ty) -> bool {
    match (have, wanted) {
        // Which of a set and an object stands first is not the same here and there; the page of differences says so.
        (have, Ty::Any) => !holds_a_set(have),
        (Ty::List(have), Ty::List(wanted))
        | (Ty::Set(have), Ty::Set(wanted))
        | (Ty::Object(have), Ty::Object(wanted)) => fits(have, wanted),
        _ => have == wanted,
    }
}

fn holds_a_set(ty: &Ty) -> bool {
    match ty {
        Ty::Set(_) => true,
        Ty::List(inside) | Ty::Object(inside) => holds_a_set(inside),
        Ty::Any | Ty::Num | Ty::Str | Ty::Bool => false,
    }
}

fn between(open: &'static str, parts: Vec<Tree>, close: &'static str) -> Tree {
    let mut all = vec![text(open)];
    all.extend(parts);
    all.push(text(close));
    Tree::Expr(all)
}

impl Maker {
    pub(super) fn any(&mut self) -> Ty {
        Ty::of(
            self.random
                .pick(&["n", "n", "s", "s", "b", "[n", "[s", "[x", "<s", "<n", "{n", "{s", "{[s", "x"]),
        )
    }

    pub(super) fn expr(&mut self, ty: &Ty, depth: usize) -> Tree {
        if depth == 0 {
            return self.small(ty);
        }
        match self.random.below(100) {
            0..34 => self.small(ty),
            34..60 => self.call(ty, depth),
            60..74 => self.operator(ty, depth),
            74..86 => self.comprehension(ty, depth),
            86..90 => self.built(ty, depth),
            90..93 => self.indexed(ty, depth),
            _ => self.function(ty, depth),
        }
    }

    /// A name, a path, or a literal.
    pub(super) fn small(&mut self, ty: &Ty) -> Tree {
        if self.random.percent(50) {
            let fitting: Vec<String> =
                self.scope.iter().filter(|(_, have)| fits(have, ty)).map(|(name, _)| name.clone()).collect();
            if !fitting.is_empty() {
                return leaf(self.random.pick(&fitting));
            }
        }
        match self.random.below(100) {
            0..35 => self.path(ty),
            35..50 => self.rule_value(ty),
            _ => self.literal(ty),
        }
    }

    pub(super) fn path(&mut self, ty: &Ty) -> Tree {
        let fitting: Vec<&str> =
            PATHS.iter().filter(|(_, code)| fits(&Ty::of(code), ty)).map(|(path, _)| *path).collect();
        if fitting.is_empty() { self.literal(ty) } else { leaf(self.random.pick(&fitting)) }
    }

    fn rule_value(&mut self, ty: &Ty) -> Tree {
        let fitting: Vec<Known> = self
            .known
            .iter()
            .filter(|known| known.arguments.is_none() && fits(&known.ty, ty))
            .cloned()
            .collect();
        if fitting.is_empty() {
            return self.path(ty);
        }
        let known = self.random.pick(&fitting);
        leaf(self.reference(&known))
    }

    pub(super) fn literal(&mut self, ty: &Ty) -> Tree {
        match ty {
            Ty::Num => self.number(),
            Ty::Str => leaf(values::string(&mut self.random)),
            Ty::Bool => leaf(self.random.pick(&["true", "false"])),
            Ty::Any => {
                let code = self.random.pick(&["n", "s", "b", "[n", "{s", "null"]);
                if code == "null" { leaf("null") } else { self.literal(&Ty::of(code)) }
            }
            Ty::List(_) | Ty::Set(_) | Ty::Object(_) => self.built(ty, 0),
        }
    }

    fn number(&mut self) -> Tree {
        let number = values::number(&mut self.random);
        if !values::NUMBERS.contains(&number) {
            self.shape("number edges");
        }
        leaf(number)
    }

    /// A list, set or object written out, or a text with expressions in it.
    fn built(&mut self, ty: &Ty, depth: usize) -> Tree {
        let below = depth.saturating_sub(1);
        let many = self.random.below(4);
        match ty {
            Ty::List(inside) => {
                let items = (0..many).map(|_| self.item(inside, below)).collect();
                between("[", vec![Tree::List(items, ", ")], "]")
            }
            Ty::Set(_) if many == 0 => leaf("set()"),
            Ty::Set(inside) => {
                // One that is computed stands alone: of two that turn out the same, OPA goes through both.
                let many = if self.random.percent(30) { 1 } else { many };
                let items = if many > 1 {
                    (0..many).map(|_| self.literal(inside)).collect()
                } else {
                    vec![self.item(inside, below)]
                };
                between("{", vec![Tree::List(items, ", ")], "}")
            }
            Ty::Object(inside) => {
                // One that is computed stands alone: of two that turn out the same, OPA and the engine take another one.
                let mut members = Vec::new();
                if self.random.percent(15) {
                    let key = self.small(&Ty::Str);
                    members.push(Tree::Group(vec![key, text(": "), self.item(inside, below)]));
                } else {
                    for key in ["\"a\"", "\"b\"", "\"alice\"", "\"x y\""].into_iter().take(many) {
                        members.push(Tree::Group(vec![leaf(key), text(": "), self.item(inside, below)]));
                    }
                }
                between("{", vec![Tree::List(members, ", ")], "}")
            }
            Ty::Str => self.template(depth),
            _ => self.small(ty),
        }
    }

    fn item(&mut self, ty: &Ty, depth: usize) -> Tree {
        if depth > 0 && self.random.percent(30) {
            self.expr(ty, depth)
        } else if self.random.percent(60) {
            self.literal(ty)
        } else {
            self.small(ty)
        }
    }

    fn template(&mut self, depth: usize) -> Tree {
        self.shape("interpolated text");
        let mut parts = vec![text("$\"")];
        for _ in 0..=self.random.below(2) {
            parts.push(text(self.random.pick(&["", "a ", "é", "\\n", "%", "\\\"", "/", "\\{"])));
            let ty = self.any();
            parts.push(text("{"));
            // A brace at its beginning would be read as two.
            let inside = self.expr(&ty, depth.min(1));
            parts.extend([inside, text("}")]);
        }
        parts.push(text(self.random.pick(&["", " b", "!"])));
        parts.push(text("\""));
        Tree::Expr(parts)
    }

    pub(super) fn call(&mut self, ty: &Ty, depth: usize) -> Tree {
        let fitting: Vec<_> = CALLS.iter().filter(|(_, _, gives)| fits(&Ty::of(gives), ty)).collect();
        if fitting.is_empty() {
            return self.small(ty);
        }
        let (name, takes, _) = *self.random.pick(&fitting);
        self.shape(family(name));
        let arguments = takes.iter().map(|code| self.argument(code, depth)).collect();
        Tree::Expr(vec![text(format!("{name}(")), Tree::Group(spaced(arguments)), text(")")])
    }

    fn argument(&mut self, code: &str, depth: usize) -> Tree {
        let below = depth.saturating_sub(1);
        match code.as_bytes()[0] {
            b'@' => {
                let pool = pool(&code[1..]);
                let first = if self.random.percent(50) { &pool[..pool.len().min(3)] } else { pool };
                leaf(self.random.pick(first))
            }
            b'"' => text(code.to_owned()),
            b'y' => {
                let ty = Ty::of(self.random.pick(&["x", "x", "x", "<n"]));
                self.expr(&ty, below)
            }
            b'j' => leaf(self.random.pick(&["0", "1", "2", "3", "-1", "5", "10", "-3"])),
            b'i' => leaf(self.random.pick(&[
                "0",
                "1",
                "2",
                "3",
                "-1",
                "5",
                "10",
                "input.n",
                "count(input.strs)",
                "1.0",
                "-3",
            ])),
            _ if self.random.percent(2) => {
                self.shape("argument of another type");
                self.path(&Ty::Any)
            }
            _ => self.expr(&Ty::of(code), below),
        }
    }

    pub(super) fn operator(&mut self, ty: &Ty, depth: usize) -> Tree {
        let below = depth - 1;
        let (left, sign, right) = match ty {
            Ty::Num => {
                self.shape("arithmetic");
                let sign = self.random.pick(&[" + ", " - ", " * ", " / ", " % ", " + ", "-"]);
                (self.expr(ty, below), sign, self.expr(ty, below))
            }
            Ty::Set(_) => {
                self.shape("set operators");
                let sign = self.random.pick(&[" | ", " & ", " - "]);
                (self.expr(ty, below), sign, self.expr(ty, below))
            }
            Ty::Bool if self.random.percent(25) => {
                self.shape("membership");
                let collection = Ty::of(self.random.pick(&["[s", "[n", "<s", "<n", "{n", "{s", "[x"]));
                let element = self.expr(&collection.element(), below);
                if self.random.percent(25) && !matches!(collection, Ty::Set(_)) {
                    let key = if matches!(collection, Ty::List(_)) { Ty::Num } else { Ty::Str };
                    let key = self.small(&key);
                    let inside = vec![key, text(", "), element, text(" in "), self.expr(&collection, below)];
                    return between("(", inside, ")");
                }
                (element, " in ", self.expr(&collection, below))
            }
            Ty::Bool => {
                self.shape("comparison");
                let of = self.any();
                let sign = self.random.pick(&[" == ", " != ", " < ", " <= ", " > ", " >= ", " == "]);
                (self.expr(&of, below), sign, self.expr(&of, below))
            }
            _ => return self.call(ty, depth),
        };
        between("(", vec![left, text(sign), right], ")")
    }

    /// A list, set or object of what holds; its value is looked at where something else is wanted.
    pub(super) fn comprehension(&mut self, ty: &Ty, depth: usize) -> Tree {
        if !matches!(ty, Ty::List(_) | Ty::Set(_) | Ty::Object(_)) {
            let (name, of) = match ty {
                Ty::Num => ("count(", "[x"),
                Ty::Bool => ("is_array(", "[x"),
                _ => return self.call(ty, depth),
            };
            let inside = self.comprehension(&Ty::of(of), depth);
            return Tree::Expr(vec![text(name), inside, text(")")]);
        }
        let below = depth - 1;
        self.scoped(|maker| {
            let body = maker.body(1, below);
            let inside = ty.element();
            match ty {
                Ty::Object(_) => {
                    maker.shape("object comprehension");
                    let key = if maker.random.percent(90) { Ty::Str } else { Ty::Num };
                    let key = maker.small(&key);
                    let value = maker.term(&inside, below);
                    between("{", vec![key, text(": "), value, text(" | "), Tree::List(body, "; ")], "}")
                }
                Ty::Set(_) => {
                    maker.shape("set comprehension");
                    let term = maker.term(&inside, below);
                    between("{", vec![term, text(" | "), Tree::List(body, "; ")], "}")
                }
                _ => {
                    maker.shape("list comprehension");
                    let term = maker.term(&inside, below);
                    between("[", vec![term, text(" | "), Tree::List(body, "; ")], "]")
                }
            }
        })
    }

    /// What a comprehension gives: now and then all members of something.
    fn term(&mut self, ty: &Ty, depth: usize) -> Tree {
        if self.random.percent(88) {
            return self.expr(ty, depth);
        }
        self.shape("all members as a term");
        let holder = self.path_or_name(&Ty::List(Box::new(ty.clone())));
        let member = Tree::Expr(vec![holder, text("[_]")]);
        if self.random.percent(60) {
            return member;
        }
        let other = self.literal(&Ty::Num);
        between("{", vec![text("\"b\": "), other, text(", \"a\": "), member], "}")
    }

    /// A member of a collection that has a name.
    fn indexed(&mut self, ty: &Ty, depth: usize) -> Tree {
        let (holder, key) = if self.random.percent(50) {
            (Ty::Object(Box::new(ty.clone())), Ty::Str)
        } else {
            (Ty::List(Box::new(ty.clone())), Ty::Num)
        };
        let holders: Vec<String> =
            self.scope.iter().filter(|(_, have)| fits(have, &holder)).map(|(name, _)| name.clone()).collect();
        let holder = if holders.is_empty() {
            self.rule_or_path(&holder)
        } else {
            Some(leaf(self.random.pick(&holders)))
        };
        let Some(holder) = holder else { return self.call(ty, depth) };
        self.shape("computed member");
        let key = self.index(key);
        Tree::Expr(vec![holder, text("["), key, text("]")])
    }

    /// A path, a name that has a value, or one that gets its value here, which nothing declares.
    fn index(&mut self, ty: Ty) -> Tree {
        if self.random.percent(65) {
            return self.path(&ty);
        }
        self.shape("a name that nothing declares");
        let names: Vec<String> =
            self.scope.iter().filter(|(_, have)| *have == ty).map(|(name, _)| name.clone()).collect();
        leaf(if names.is_empty() || self.random.percent(60) {
            self.bind(ty)
        } else {
            self.random.pick(&names)
        })
    }

    fn rule_or_path(&mut self, ty: &Ty) -> Option<Tree> {
        let made = if self.random.percent(50) { self.rule_value(ty) } else { self.path(ty) };
        made.written()
            .starts_with(|c: char| c.is_ascii_alphabetic())
            .then_some(made)
            .filter(|made| made.written() != "set()")
    }

    fn function(&mut self, ty: &Ty, depth: usize) -> Tree {
        let fitting: Vec<Known> = self
            .known
            .iter()
            .filter(|known| known.arguments.is_some() && fits(&known.ty, ty))
            .cloned()
            .collect();
        if fitting.is_empty() {
            return self.call(ty, depth);
        }
        let known = self.random.pick(&fitting);
        self.call_of(&known, depth)
    }

    pub(super) fn call_of(&mut self, known: &Known, depth: usize) -> Tree {
        self.shape("function call");
        let made_of = self.functions.get(&known.name).cloned().unwrap_or_default();
        self.shapes.extend(made_of);
        let name = self.reference(known);
        let arguments = known.arguments.iter().flatten().map(|ty| self.expr(ty, depth - 1)).collect();
        Tree::Expr(vec![text(format!("{name}(")), Tree::Group(spaced(arguments)), text(")")])
    }
}

/// With commas between.
pub(super) fn spaced(parts: Vec<Tree>) -> Vec<Tree> {
    let mut all = Vec::new();
    for part in parts {
        if !all.is_empty() {
            all.push(text(", "));
        }
        all.push(part);
    }
    all
}

/// What a builtin is counted under.
fn family(name: &'static str) -> &'static str {
    match name.split('.').next().unwrap_or(name) {
        "array" => "array.*",
        "base64" | "base64url" | "hex" => "base64.*, hex.*",
        "bits" => "bits.*",
        "crypto" => "crypto.*",
        "glob" => "glob.*",
        "graph" => "graph.*",
        "json" => "json.*",
        "net" => "net.*",
        "numbers" | "abs" | "ceil" | "floor" | "round" | "to_number" | "format_int" => "numbers",
        "sort" => "sort",
        "count" | "sum" | "product" | "max" | "min" => "aggregates",
        "object" => "object.*",
        "regex" => "regex.*",
        "semver" | "uuid" | "units" | "urlquery" => "semver, units, urlquery, uuid",
        "sprintf" => "sprintf",
        "time" => "time.*",
        "intersection" | "union" => "sets",
        name if name.starts_with("is_") || name == "type_name" => "types",
        _ => "strings",
    }
}
