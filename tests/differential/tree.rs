//! Text with the places where something can be left out or made smaller.

use std::borrow::Cow;

/// A piece of a policy or of a document.
#[derive(Clone, Debug, PartialEq)]
pub enum Tree {
    Text(Cow<'static, str>),
    /// Pieces one after the other.
    Group(Vec<Tree>),
    /// The same where another expression may stand: any of those inside it, or a constant.
    Expr(Vec<Tree>),
    /// Pieces that may be left out, one or all.
    List(Vec<Tree>, &'static str),
}

/// What may stand for any expression, in Rego and in JSON.
const CONSTANTS: [&str; 3] = ["1", "\"a\"", "true"];

pub fn text(text: impl Into<Cow<'static, str>>) -> Tree {
    Tree::Text(text.into())
}

/// An expression without parts.
pub fn leaf(of: impl Into<Cow<'static, str>>) -> Tree {
    Tree::Expr(vec![text(of)])
}

impl Tree {
    pub fn written(&self) -> String {
        let mut out = String::new();
        self.write(&mut out);
        out
    }

    fn write(&self, out: &mut String) {
        match self {
            Self::Text(text) => out.push_str(text),
            Self::Group(parts) | Self::Expr(parts) => parts.iter().for_each(|part| part.write(out)),
            Self::List(items, between) => {
                for (index, item) in items.iter().enumerate() {
                    if index > 0 {
                        out.push_str(between);
                    }
                    item.write(out);
                }
            }
        }
    }

    /// All that differ from this one in one step towards less, the large steps first.
    pub fn smaller(&self) -> Vec<Self> {
        let mut all = Vec::new();
        match self {
            Self::Text(_) => {}
            Self::Group(parts) => within(parts, Self::Group, &mut all),
            Self::Expr(parts) => {
                let written = self.written();
                let constants = CONSTANTS.iter().filter(|constant| constant.len() < written.len());
                all.extend(constants.map(|constant| leaf(*constant)));
                expressions(parts, &mut all);
                within(parts, Self::Expr, &mut all);
            }
            Self::List(items, between) => {
                if items.len() > 2 {
                    let (front, back) = items.split_at(items.len() / 2);
                    all.extend([front, back].map(|half| Self::List(half.to_vec(), between)));
                }
                for index in (0..items.len()).rev() {
                    let mut fewer = items.clone();
                    fewer.remove(index);
                    all.push(Self::List(fewer, between));
                }
                within(items, |items| Self::List(items, between), &mut all);
            }
        }
        all
    }
}

fn within(parts: &[Tree], made: impl Fn(Vec<Tree>) -> Tree, all: &mut Vec<Tree>) {
    for (index, part) in parts.iter().enumerate() {
        for smaller in part.smaller() {
            let mut parts = parts.to_vec();
            parts[index] = smaller;
            all.push(made(parts));
        }
    }
}

/// The outermost expressions of these parts.
fn expressions(parts: &[Tree], all: &mut Vec<Tree>) {
    for part in parts {
        match part {
            Tree::Text(_) => {}
            Tree::Expr(_) => all.push(part.clone()),
            Tree::Group(parts) | Tree::List(parts, _) => expressions(parts, all),
        }
    }
}
