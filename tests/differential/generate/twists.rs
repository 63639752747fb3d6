//! Rules as slips leave them: one name for two things, a declaration left out or put in, a statement said twice or before
//! what it needs.

use super::values::Ty;
use super::{Maker, is_name};
use crate::tree::{Tree, text};

/// A declaration that stands before what it is for.
const SOME: &str = "some ";

impl Maker {
    /// One slip, or two, in a whole rule. Most are nothing to OPA, or refused by both.
    pub(super) fn twisted(&mut self, mut rule: Tree) -> Tree {
        for _ in 0..=self.random.below(2) {
            match self.random.below(10) {
                0..3 => self.one_name_for_two(&mut rule),
                3..5 => self.inside_as_outside(&mut rule),
                5 => self.undeclared(&mut rule),
                6 | 7 => self.declared(&mut rule),
                8 => self.said_twice(&mut rule),
                _ => self.moved(&mut rule),
            }
        }
        rule
    }

    /// Most often for two that are meant to be of one type.
    fn one_name_for_two(&mut self, rule: &mut Tree) {
        let there = names(&rule.written());
        let entered: Vec<(String, Ty)> =
            self.entered.iter().filter(|(name, _)| there.contains(name)).cloned().collect();
        if entered.len() < 2 {
            return;
        }
        let (one, ty) = self.random.pick(&entered);
        let any = self.random.percent(25);
        let others: Vec<String> = entered
            .into_iter()
            .filter(|(other, of)| *other != one && (any || *of == ty))
            .map(|(other, _)| other)
            .collect();
        if others.is_empty() {
            return;
        }
        self.shape("one name for two things");
        let other = self.random.pick(&others);
        each_text(rule, &mut |of| *of = renamed(of, &other, &one));
    }

    /// A name of a comprehension, or of an `every`, as another one that stands around it, which most often nothing declares.
    fn inside_as_outside(&mut self, rule: &mut Tree) {
        let whole = rule.written();
        let mut pairs = Vec::new();
        each_inside(rule, &mut |of| {
            let inside = of.written();
            let outside = whole.replacen(&inside, "", 1);
            let outside = names(&outside);
            let inside: Vec<String> =
                names(&inside).into_iter().filter(|name| !outside.contains(name)).collect();
            if !inside.is_empty() && !outside.is_empty() {
                pairs.push((inside, outside));
            }
        });
        if pairs.is_empty() {
            return;
        }
        self.shape("a name inside as one around it");
        let (inside, outside) = self.random.pick(&pairs);
        let (inside, outside) = (self.random.pick(&inside), self.random.pick(&outside));
        if self.random.percent(60) {
            let alone = format!("{SOME}{outside}\n");
            each_text(rule, &mut |of| {
                if declaration(of).is_some_and(|end| of[..end] == alone) {
                    of.drain(..alone.len());
                }
            });
        }
        each_text(rule, &mut |of| *of = renamed(of, &inside, &outside));
    }

    /// Leaves out what `some x` declares for one of its statements.
    fn undeclared(&mut self, rule: &mut Tree) {
        let mut many = 0;
        each_text(rule, &mut |of| many += usize::from(declaration(of).is_some()));
        if many == 0 {
            return;
        }
        self.shape("a name that nothing declares");
        let mut left = self.random.below(many);
        each_text(rule, &mut |of| {
            let Some(end) = declaration(of) else { return };
            if left == 0 {
                of.drain(..end);
            }
            left = left.wrapping_sub(1);
        });
    }

    /// Declares a name at the beginning of a body that has it.
    fn declared(&mut self, rule: &mut Tree) {
        let random = &mut self.random;
        let found = in_a_body(rule, random, |body, random| {
            let inside: String = body.iter().map(Tree::written).collect();
            let names = names(&inside);
            if !names.is_empty() {
                let name = random.pick(&names);
                body.insert(0, text(format!("{SOME}{name}")));
            }
        });
        if found {
            self.shape("a name declared once more");
        }
    }

    fn said_twice(&mut self, rule: &mut Tree) {
        let random = &mut self.random;
        let found = in_a_body(rule, random, |body, random| {
            let again = random.pick(body);
            body.insert(random.below(body.len() + 1), again);
        });
        if found {
            self.shape("a statement said twice");
        }
    }

    fn moved(&mut self, rule: &mut Tree) {
        let random = &mut self.random;
        let found = in_a_body(rule, random, |body, random| {
            let (one, other) = (random.below(body.len()), random.below(body.len()));
            body.swap(one, other);
        });
        if found {
            self.shape("statements in another order");
        }
    }
}

/// The names that a text has as bodies bind them, each once.
fn names(text: &str) -> Vec<String> {
    let mut names: Vec<String> = text
        .split(|c: char| !c.is_ascii_alphanumeric())
        .filter(|word| is_name(word))
        .map(str::to_owned)
        .collect();
    names.sort();
    names.dedup();
    names
}

/// How far a declaration goes that a text begins with.
fn declaration(text: &str) -> Option<usize> {
    let end = text.starts_with(SOME).then(|| text.find('\n'))?? + 1;
    (!text[..end].contains(" in ")).then_some(end)
}

fn renamed(text: &str, from: &str, to: &str) -> String {
    let parts = text.split_inclusive(|c: char| !c.is_ascii_alphanumeric());
    let part = |part: &str| {
        let word = part.trim_end_matches(|c: char| !c.is_ascii_alphanumeric());
        if word == from { part.replacen(from, to, 1) } else { part.to_owned() }
    };
    parts.map(part).collect()
}

fn each_text(tree: &mut Tree, to: &mut impl FnMut(&mut String)) {
    match tree {
        Tree::Text(text) => to(text.to_mut()),
        Tree::Group(parts) | Tree::Expr(parts) | Tree::List(parts, _) => {
            for part in parts {
                each_text(part, to);
            }
        }
    }
}

fn each_body(tree: &mut Tree, to: &mut impl FnMut(&mut Vec<Tree>)) {
    match tree {
        Tree::Text(_) => {}
        Tree::Group(parts) | Tree::Expr(parts) | Tree::List(parts, _) => {
            for part in parts.iter_mut() {
                each_body(part, to);
            }
        }
    }
    if let Tree::List(statements, "; " | "\n") = tree
        && !statements.is_empty()
    {
        to(statements);
    }
}

/// Comprehensions and `every`, with what they declare.
fn each_inside(tree: &Tree, to: &mut impl FnMut(&Tree)) {
    let (Tree::Group(parts) | Tree::Expr(parts) | Tree::List(parts, _)) = tree else { return };
    if !matches!(tree, Tree::List(..)) && parts.iter().any(|part| matches!(part, Tree::List(_, "; "))) {
        to(tree);
    }
    for part in parts {
        each_inside(part, to);
    }
}

/// Does this to one of the rule's bodies; whether it has one.
fn in_a_body(
    rule: &mut Tree,
    random: &mut crate::random::Random,
    change: impl Fn(&mut Vec<Tree>, &mut crate::random::Random),
) -> bool {
    let mut many = 0;
    each_body(rule, &mut |_| many += 1);
    if many == 0 {
        return false;
    }
    let mut left = random.below(many);
    each_body(rule, &mut |body| {
        if left == 0 {
            change(body, random);
        }
        left = left.wrapping_sub(1);
    });
    true
}
