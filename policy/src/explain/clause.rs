//! The clauses of a rule, and the steps that each is made of, in an order in which they can be asked.

use std::collections::BTreeSet;

use regorus::Value;
use regorus::unstable::{AssignOp, Expr, Literal, LiteralStmt, Module, Ref, Rule, RuleBody, RuleHead, Span};

use super::text::{self, Stretch};
use super::{Policy, Wanted, full, is_json, is_rule};
use crate::gate::binds::{given, named};
use crate::gate::names;
use crate::gate::walk::{self, Seen};

/// Names a probe's own variable; no author has it.
pub(super) const VALUE: &str = "postern_value__";

/// A clause that is to be looked at.
pub(super) struct Open<'a> {
    /// Place of its module in the list.
    pub(super) index: usize,
    pub(super) module: &'a Module,
    /// Where it begins, in the text that the engine read.
    pub(super) begin: &'a Span,
    /// Whether it is the default, and has no steps.
    pub(super) default: bool,
    /// Whether it is tried only when the clause before it in the list has not held.
    pub(super) is_else: bool,
    /// What gives the arguments their values.
    pub(super) arguments: Vec<String>,
    pub(super) steps: Vec<Step<'a>>,
}

/// A statement, a pattern of an argument, or the value of the head.
#[derive(Clone)]
pub(super) struct Step<'a> {
    /// As it is asked.
    pub(super) text: String,
    /// Where it stands in the text that the engine read.
    pub(super) stands: Stretch,
    pub(super) what: What<'a>,
    /// The names that have a value once it holds.
    pub(super) gives: Vec<String>,
}

/// Which of these a step is.
#[derive(Clone, Copy)]
pub(super) enum What<'a> {
    Statement(&'a LiteralStmt),
    Value(&'a Ref<Expr>),
    Pattern,
}

/// All clauses of the rule, and of what stands above and below its name.
pub(super) fn of<'a>(policy: &Policy<'a>, wanted: &Wanted) -> Vec<Open<'a>> {
    let meant: BTreeSet<_> = policy.names.read_by(&wanted.path).collect();
    let mut open = Vec::new();
    for (index, module) in policy.modules.iter().enumerate() {
        let package = names::package(module);
        for rule in &module.policy {
            let path = names::rule_path(&package, rule);
            let function = matches!(rule.as_ref(), Rule::Spec { head: RuleHead::Func { .. }, .. });
            if meant.contains(&path) && (function || wanted.arguments.is_none()) {
                of_rule(policy, index, rule, wanted.arguments.as_deref(), &mut open);
            }
        }
    }
    open
}

/// Those of one rule.
pub(super) fn of_rule<'a>(
    policy: &Policy<'a>,
    index: usize,
    rule: &'a Ref<Rule>,
    given: Option<&[Value]>,
    open: &mut Vec<Open<'a>>,
) {
    let Some(module) = policy.modules.get(index).map(AsRef::as_ref) else { return };
    let (head, bodies) = match rule.as_ref() {
        Rule::Default { refr, .. } => {
            let begin = names::begin(refr);
            let (default, is_else) = (true, false);
            open.push(Open {
                index,
                module,
                begin,
                default,
                is_else,
                arguments: Vec::new(),
                steps: Vec::new(),
            });
            return;
        }
        Rule::Spec { head, bodies, .. } => (head, bodies),
    };
    let begin = names::begin(names::head_name(head));
    let (arguments, patterns) = bound(head, given);
    let steps = |body: Option<&'a RuleBody>| {
        let mut steps = patterns.clone();
        steps.extend(body.into_iter().flat_map(|body| ordered(policy, index, module, &body.query.stmts)));
        steps.extend(value(head, body));
        steps
    };
    let one = |begin, is_else, steps| Open {
        index,
        module,
        begin,
        default: false,
        is_else,
        arguments: arguments.clone(),
        steps,
    };
    if bodies.is_empty() {
        open.push(one(begin, false, steps(None)));
    }
    for body in bodies {
        let begin = if body.is_else { &body.span } else { begin };
        open.push(one(begin, body.is_else, steps(Some(body))));
    }
}

/// What binds a function's arguments, and the patterns that they must fit.
fn bound<'a>(head: &'a RuleHead, given: Option<&[Value]>) -> (Vec<String>, Vec<Step<'a>>) {
    let (mut arguments, mut patterns) = (Vec::new(), Vec::new());
    let (RuleHead::Func { refr, args, .. }, Some(given)) = (head, given) else {
        return (arguments, patterns);
    };
    for ((arg, value), stands) in args.iter().zip(given).zip(text::arguments(refr, args)) {
        let value = serde_json::to_string(value).unwrap_or_default();
        match arg.as_ref() {
            Expr::Var { span, .. } if span.text() == "_" => {}
            Expr::Var { span, .. } => arguments.push(format!("{} := {value}", span.text())),
            _ => {
                let text = format!("{} = {value}", text::of(arg.span(), stands));
                patterns.push(Step { text, stands, what: What::Pattern, gives: Vec::new() });
            }
        }
    }
    (arguments, patterns)
}

/// The value of a clause, which may be undefined although its body holds.
fn value<'a>(head: &'a RuleHead, body: Option<&'a RuleBody>) -> Option<Step<'a>> {
    let (value, stands) = match (body.and_then(|body| body.assign.as_ref()), head) {
        (Some(assign), _)
        | (
            None,
            RuleHead::Compr { assign: Some(assign), .. } | RuleHead::Func { assign: Some(assign), .. },
        ) => (&assign.value, text::assigned(assign)),
        (None, RuleHead::Set { refr, key: Some(key), .. }) => (key, text::behind(refr, "contains", key)?),
        (None, _) => return None,
    };
    let text = format!("{VALUE} := {}", text::of(value.span(), stands));
    let step = Step { text, stands, what: What::Value(value), gives: Vec::new() };
    (!walk::is_scalar(value)).then_some(step)
}

/// The statements in the order of their author, but none before what gives its names their values.
fn ordered<'a>(
    policy: &Policy<'_>,
    index: usize,
    module: &Module,
    stmts: &'a [LiteralStmt],
) -> Vec<Step<'a>> {
    let one = |stmt| step(policy, index, module, stmt);
    let mut waiting: Vec<(Step<'_>, BTreeSet<String>)> = stmts.iter().map(one).collect();
    let mut steps = Vec::new();
    while !waiting.is_empty() {
        let free = |at: usize| {
            let uses = waiting.get(at).map(|(_, uses)| uses);
            let others = waiting.iter().enumerate().filter(|(other, _)| *other != at);
            let mut open = others.flat_map(|(_, (step, _))| &step.gives);
            uses.is_some_and(|uses| !open.any(|name| uses.contains(name)))
        };
        let next = (0..waiting.len()).find(|at| free(*at)).unwrap_or_default();
        steps.push(waiting.remove(next).0);
    }
    steps
}

fn step<'a>(
    policy: &Policy<'_>,
    index: usize,
    module: &Module,
    stmt: &'a LiteralStmt,
) -> (Step<'a>, BTreeSet<String>) {
    let mut gives = Vec::new();
    given(stmt, &mut gives);
    if let Literal::Expr { expr, .. } = &stmt.literal
        && let Expr::AssignExpr { op: AssignOp::Eq, lhs, rhs, .. } = expr.as_ref()
    {
        let mut either = Vec::new();
        named(lhs, &mut either);
        named(rhs, &mut either);
        // What has a meaning outside of the clause gets no value in it.
        let own = |name: &String| {
            let name = std::slice::from_ref(name);
            names::through_imports(module, name).is_none() && !is_rule(policy.names, &full(module, name))
        };
        gives.extend(either.into_iter().filter(own));
    }
    if let Literal::Expr { expr, .. } = &stmt.literal
        && let Some(result) = names::result(policy.names, module, expr)
    {
        named(result, &mut gives);
    }
    let mut uses = BTreeSet::new();
    walk::statement(stmt, &mut |seen| {
        if let Seen::Ref(refr) = seen {
            uses.insert(names::begin(refr).text().to_owned());
        }
    });
    let stands = text::statement(&stmt.span);
    let text = text::of(&stmt.span, stands).to_owned();
    let stands = policy.texts.get(index).and_then(|read| text::taken_out(read, stmt)).unwrap_or(stands);
    let step = Step { text, stands, what: What::Statement(stmt), gives };
    (step, uses)
}

impl Open<'_> {
    /// Leaves of the many cases of a test the one of these keys: a statement behind the one that gives a key its value.
    /// Whether that can be said of each key.
    pub(super) fn for_case(&mut self, keys: &[(String, Value)]) -> bool {
        keys.iter().all(|(key, value)| {
            let given =
                |name: &&str| self.steps.iter().position(|step| step.gives.iter().any(|gives| gives == name));
            let names = text::words(key);
            let constant = names.is_empty();
            let at = names.iter().filter_map(given).max();
            let Some(stands) = at.and_then(|at| self.steps.get(at)).map(|step| step.stands) else {
                return constant;
            };
            if !is_json(value) {
                return false;
            }
            let text = format!("{key} == {}", serde_json::to_string(value).unwrap_or_default());
            let step = Step { text, stands, what: What::Pattern, gives: Vec::new() };
            self.steps.insert(at.map_or(0, |at| at + 1), step);
            true
        })
    }
}

impl Step<'_> {
    /// Whether it says nothing that could fail.
    pub(super) const fn only_declares(&self) -> bool {
        matches!(self.what, What::Statement(LiteralStmt { literal: Literal::SomeVars { .. }, .. }))
    }
}
