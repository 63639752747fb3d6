//! A policy whose statements say when they are begun, for its profile: `x := f(y)` is written
//! `x := begun(begins(7), f(y))`, whose first argument the engine evaluates first.

use regorus::unstable::{AssignOp, Expr, Literal, Module, Ref, Rule, RuleAssign, RuleHead};

use super::{Edit, Translated, reach};
use crate::builtins::{self, Known};
use crate::gate::names::{self, Names};
use crate::gate::walk::{self, Seen};
use crate::sources::Sources;

/// Notes that the mark of this number is reached.
pub(crate) const BEGINS: &str = "postern_begins__";
/// Gives its second argument.
pub(crate) const BEGUN: &str = "postern_begun__";

/// A place whose beginnings are counted, as its author has it.
#[derive(Clone, Debug)]
pub(crate) struct Mark {
    pub(crate) file: String,
    pub(crate) line: u32,
    pub(crate) column: u32,
}

/// The texts of all modules with marks, which count from 1.
pub(crate) fn marked(
    sources: &Sources,
    modules: &[Ref<Module>],
    texts: &[Translated],
) -> (Vec<Translated>, Vec<Mark>) {
    let names = Names::of(modules);
    let mut marks = Vec::new();
    let written = modules.iter().zip(texts).map(|(module, text)| {
        let Some(author) = sources.modules.get(text.of) else { return text.clone() };
        let mut edits = Vec::new();
        let mut mark = |expr: &Expr, begin: u32| {
            let Some((from, to)) = whole(&text.text, expr) else { return };
            let (line, column) = text.placed(&author.text, begin);
            marks.push(Mark { file: author.name.clone(), line, column });
            let opening = format!("{BEGUN}({BEGINS}({}), ", marks.len());
            edits.push(Edit::new(from, from, opening));
            edits.push(Edit::new(to, to, ")"));
        };
        for rule in &module.policy {
            // The outer one first: what begins in the same place stands around the other.
            heads(rule).for_each(|assign| mark(&assign.value, assign.value.span().start));
            walk::rule(rule, &mut |seen| {
                let Seen::Opens(stmts) = seen else { return };
                for stmt in stmts {
                    if let Some(expr) = noted(module, &names, &stmt.literal) {
                        mark(expr, stmt.span.start);
                    }
                }
            });
        }
        text.edited(edits).unwrap_or_else(|| text.clone())
    });
    (written.collect(), marks)
}

/// The values of a rule that are more than a word.
fn heads(rule: &Rule) -> impl Iterator<Item = &RuleAssign> {
    let (head, bodies) = match rule {
        Rule::Spec { head, bodies, .. } => (Some(head), bodies.as_slice()),
        Rule::Default { .. } => (None, &[][..]),
    };
    let of_head = head.and_then(|head| match head {
        RuleHead::Compr { assign, .. } | RuleHead::Func { assign, .. } => assign.as_ref(),
        RuleHead::Set { .. } => None,
    });
    let of_bodies = bodies.iter().filter_map(|body| body.assign.as_ref());
    of_head.into_iter().chain(of_bodies).filter(|assign| !walk::is_scalar(&assign.value))
}

/// From where to where an expression is written. To the engine an object begins at its last member, and so does what
/// begins with one.
fn whole(text: &str, expr: &Expr) -> Option<(u32, u32)> {
    let (from, to) = reach(text, expr);
    if let Expr::Object { fields, .. } = expr
        && let Some((first, ..)) = fields.first()
    {
        let before = text.get(..first.start as usize)?;
        let before = before.strip_suffix(['"', '`']).unwrap_or(before).trim_end().strip_suffix('{')?;
        return Some((u32::try_from(before.len()).ok()?, to));
    }
    let mut first = super::first(expr);
    while let Expr::RefDot { refr, .. } | Expr::RefBrack { refr, .. } = first {
        first = refr;
    }
    (!matches!(first, Expr::Object { .. })).then_some((from, to))
}

/// What of a statement can be written as an argument and mean the same; what binds its variables elsewhere cannot.
fn noted<'a>(module: &Module, names: &Names, literal: &'a Literal) -> Option<&'a Ref<Expr>> {
    let expr = match literal {
        Literal::SomeVars { .. } => return None,
        Literal::SomeIn { collection, .. } => return Some(collection),
        Literal::Every { domain, .. } => return Some(domain),
        Literal::Expr { expr, .. } | Literal::NotExpr { expr, .. } => expr,
    };
    match expr.as_ref() {
        Expr::AssignExpr { op: AssignOp::ColEq, rhs, .. } => no_pattern(module, names, rhs),
        Expr::AssignExpr { op: AssignOp::Eq, lhs, rhs, .. } => {
            no_pattern(module, names, rhs).or_else(|| no_pattern(module, names, lhs))
        }
        Expr::Membership { collection, .. } => Some(collection),
        _ => call(module, names, expr),
    }
}

/// A side of an assignment that takes no value from the other.
fn no_pattern<'a>(module: &Module, names: &Names, side: &'a Ref<Expr>) -> Option<&'a Ref<Expr>> {
    let mut binds = false;
    crate::gate::binds::variables(side, &mut |_| binds = true);
    if binds { None } else { call(module, names, side) }
}

/// Not a call that writes into its last argument, nor `walk` and `print`, which the engine knows where they stand.
fn call<'a>(module: &Module, names: &Names, expr: &'a Ref<Expr>) -> Option<&'a Ref<Expr>> {
    let Expr::Call { fcn, params, .. } = expr.as_ref() else { return Some(expr) };
    let called = names::path(fcn)?;
    let takes = match names.function(module, &called) {
        Some((_, arities)) => arities.contains(&params.len()),
        None if builtins::within(&called.join(".")) == u8::try_from(params.len()).ok() => true,
        None => match builtins::known(&called.join("."))? {
            Known::Engines(arity) | Known::Added(arity) => {
                called != ["walk"] && usize::from(arity) == params.len()
            }
            Known::Refused(_) => false,
        },
    };
    takes.then_some(expr)
}
