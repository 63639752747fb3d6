//! What a statement reads: references to input, data, rules and names that have a value already, and calls of the
//! policy's own functions.

use std::collections::BTreeSet;

use regorus::unstable::{Expr, Literal, LiteralStmt, Module, Span};

use super::clause::{Open, What};
use super::text::Stretch;
use super::{Policy, full, is_rule, text};
use crate::gate::names::{self, Path};
use crate::gate::walk::{self, Seen};
use crate::translate::reach;

/// Most values that are told of one statement.
const MOST: usize = 12;
/// Longest expression that is asked for, in bytes.
const LONGEST: usize = 1_000;

/// What one statement reads.
#[derive(Default)]
pub(super) struct Reads {
    /// Each value once.
    pub(super) values: Vec<Asked>,
    /// Full names of the rules that it reads.
    pub(super) rules: BTreeSet<Path>,
    /// Functions that it calls, and their arguments as they can be asked.
    pub(super) calls: Vec<(Path, Vec<String>)>,
}

/// A value that can be asked for where the statement stands.
pub(super) struct Asked {
    /// As its author wrote it, or nearly.
    pub(super) name: String,
    /// An expression of one line or more.
    pub(super) text: String,
}

impl Reads {
    fn add(&mut self, name: String, text: String) {
        let known = self.values.iter().any(|asked| asked.name == name);
        if !known && text.len() < LONGEST && self.values.len() < MOST {
            self.values.push(Asked { name, text });
        }
    }
}

/// What a step of a clause reads, where the steps before it have given these names their values.
pub(super) fn of_step(
    policy: &Policy<'_>,
    open: &Open<'_>,
    what: What<'_>,
    bound: &BTreeSet<String>,
) -> Reads {
    let mut seen = Vec::new();
    match what {
        What::Statement(stmt) => walk::statement(stmt, &mut |one| seen.push(one)),
        What::Value(value) => walk::expression(value, &mut |one| seen.push(one)),
        What::Pattern => {}
    }
    let own: BTreeSet<&str> = seen
        .iter()
        .filter_map(|one| if let Seen::Binds(name, _) = one { Some(name.text()) } else { None })
        .collect();
    let here = Here {
        policy,
        open,
        own: &own,
        bound: bound.iter().filter(|name| !own.contains(name.as_str())).cloned().collect(),
    };
    let mut reads = Reads::default();
    // Under a `with` the same words have other values, and those of rules cannot be told.
    let with = mocks(what);
    for one in &seen {
        match one {
            Seen::Ref(refr) => here.reference(refr, with, &mut reads),
            Seen::Call { fcn, params, .. } if with.is_empty() => {
                reads.calls.extend(call(policy, open.module, fcn, params, &here.bound, &own));
            }
            Seen::Call { .. }
            | Seen::With(_)
            | Seen::Binds(..)
            | Seen::Opens(_)
            | Seen::Object(_)
            | Seen::Comprehension(_)
            | Seen::Member(_)
            | Seen::Minus(_)
            | Seen::Closes
            | Seen::Compares(_)
            | Seen::Replaces(_)
            | Seen::Number(_)
            | Seen::Restores => {}
        }
    }
    if let What::Statement(stmt) = what {
        here.made(stmt, with, &mut reads);
    }
    reads
}

/// The `with` of a statement, to its end; nothing where there is none.
fn mocks(what: What<'_>) -> &str {
    let What::Statement(stmt) = what else { return "" };
    let (_, end) = text::statement(&stmt.span);
    stmt.with_mods.first().map_or("", |with| text::of(&stmt.span, (with.span.start, end)))
}

/// Where a statement stands.
struct Here<'a> {
    policy: &'a Policy<'a>,
    open: &'a Open<'a>,
    /// Names that the statement itself binds, within a comprehension too.
    own: &'a BTreeSet<&'a str>,
    /// Names that have a value before it.
    bound: BTreeSet<String>,
}

impl Here<'_> {
    fn reference(&self, refr: &Expr, with: &str, reads: &mut Reads) {
        let begin = names::begin(refr).text();
        if self.own.contains(begin) {
            return;
        }
        let name = names::constant(refr);
        let path = full(self.open.module, &name);
        let known = matches!(begin, "input" | "data") || self.bound.contains(begin);
        // What begins with no name, `[xs, r][0]`, means nothing of the package.
        let named = !name.is_empty() && !self.bound.contains(begin) && begin != "input";
        let rule = named && is_rule(self.policy.names, &path);
        if rule && with.is_empty() {
            reads.rules.insert(path);
        }
        let imported = names::through_imports(self.open.module, &[begin.to_owned()]).is_some();
        if !(known || rule || imported) {
            return;
        }
        let text = self.askable(refr);
        // What begins with a list is a second name, whose first stands beside it.
        if text == "input" || text == "data" || text.starts_with('[') {
            return;
        }
        // A name of ours stands for what its author wrote there.
        let ours = (text.ends_with("__") && self.is_ours(refr.span()))
            .then(|| self.stretch(refr.span(), text::statement(refr.span())));
        let name = ours.flatten().map_or_else(|| text.clone(), |(_, written)| written);
        reads.add(name, format!("{text} {with}"));
    }

    /// What the statement makes and compares: values of calls, of comprehensions and of sums; and of `every` the
    /// members for which it does not hold.
    fn made(&self, stmt: &LiteralStmt, with: &str, reads: &mut Reads) {
        let expr = match &stmt.literal {
            Literal::Every { key, value, domain, query, .. } => {
                let names = key.iter().chain([value]).map(Span::text).collect::<Vec<_>>().join(", ");
                let (Some((domain, _)), Some((body, _))) =
                    (self.written(domain), self.statements(&query.stmts))
                else {
                    return;
                };
                let shown = value.text().to_owned();
                let text = format!(
                    "[{shown} | some {names} in {domain}\ncount([true | {body}\n]) == 0\n][_] {with}"
                );
                return reads.add(shown, text);
            }
            Literal::Expr { expr, .. } | Literal::NotExpr { expr, .. } => expr,
            Literal::SomeVars { .. } | Literal::SomeIn { .. } => return,
        };
        let sides = match expr.as_ref() {
            Expr::BoolExpr { lhs, rhs, .. } => vec![lhs, rhs],
            Expr::Membership { value, collection, .. } => vec![value, collection],
            _ => return,
        };
        for side in sides.into_iter().filter(|side| is_made(side)) {
            if let Some((text, name)) = self.written(side) {
                reads.add(name, format!("{text} {with}"));
            }
        }
    }

    /// An expression as the engine reads it, and as its author wrote it, on one line.
    fn written(&self, expr: &Expr) -> Option<(String, String)> {
        if matches!(expr, Expr::Object { .. }) {
            // The engine does not know where it begins.
            return None;
        }
        let source = expr.span().source.get_contents();
        self.stretch(expr.span(), reach(source, expr))
    }

    fn statements(&self, stmts: &[LiteralStmt]) -> Option<(String, String)> {
        let (from, _) = text::statement(&stmts.first()?.span);
        let last = &stmts.last()?.span;
        self.stretch(last, (from, text::statement(last).1))
    }

    fn stretch(&self, span: &Span, (from, to): Stretch) -> Option<(String, String)> {
        let author = self.policy.author(self.open.index);
        let written = self.policy.texts.get(self.open.index)?.written(author, from, to);
        let name = written.split_whitespace().collect::<Vec<_>>().join(" ");
        Some((text::of(span, (from, to)).to_owned(), name))
    }

    fn is_ours(&self, span: &Span) -> bool {
        self.policy.texts.get(self.open.index).is_some_and(|read| read.is_ours(span.start))
    }

    /// A reference up to its first member that cannot be asked: what goes through all members has many values.
    fn askable(&self, refr: &Expr) -> String {
        askable(refr, &|name| {
            let member = std::slice::from_ref(name);
            let meant = || {
                names::through_imports(self.open.module, member).is_some()
                    || is_rule(self.policy.names, &full(self.open.module, member))
            };
            self.bound.contains(name) || (name == "_" || !self.own.contains(name.as_str())) && !meant()
        })
    }
}

/// Whether the author sees no value of it anywhere.
const fn is_made(expr: &Expr) -> bool {
    matches!(
        expr,
        Expr::Call { .. }
            | Expr::ArrayCompr { .. }
            | Expr::SetCompr { .. }
            | Expr::ObjectCompr { .. }
            | Expr::ArithExpr { .. }
            | Expr::BinExpr { .. }
    )
}

/// A call of a function of the policy, where its arguments can be asked.
fn call(
    policy: &Policy<'_>,
    module: &Module,
    fcn: &Expr,
    params: &[regorus::unstable::Ref<Expr>],
    bound: &BTreeSet<String>,
    own: &BTreeSet<&str>,
) -> Option<(Path, Vec<String>)> {
    let (path, arities) = policy.names.function(module, &names::path(fcn)?)?;
    // One argument more takes the value.
    let arity = *arities.iter().find(|arity| **arity == params.len() || **arity + 1 == params.len())?;
    let mut arguments = Vec::new();
    for (param, stands) in params.iter().zip(text::arguments(fcn, params)).take(arity) {
        let mut askable = true;
        walk::expression(param, &mut |seen| match seen {
            Seen::Ref(refr) => {
                let begin = names::begin(refr).text();
                let path = full(module, &names::constant(refr));
                let known = matches!(begin, "input" | "data") || bound.contains(begin);
                askable &= !own.contains(begin) && (known || is_rule(policy.names, &path));
            }
            Seen::Binds(..) | Seen::With(_) => askable = false,
            Seen::Call { .. }
            | Seen::Opens(_)
            | Seen::Closes
            | Seen::Object(_)
            | Seen::Comprehension(_)
            | Seen::Member(_)
            | Seen::Minus(_)
            | Seen::Compares(_)
            | Seen::Replaces(_)
            | Seen::Number(_)
            | Seen::Restores => {}
        });
        if !askable {
            return None;
        }
        arguments.push(text::of(param.span(), stands).to_owned());
    }
    Some((path, arguments))
}

/// A reference up to its first member that is neither constant nor a name of these.
fn askable(refr: &Expr, may: &dyn Fn(&String) -> bool) -> String {
    let mut members = Vec::new();
    let mut rest = refr;
    loop {
        match rest {
            Expr::RefDot { refr, field, .. } => {
                members.push(Some(format!(".{}", field.0.text())));
                rest = refr;
            }
            Expr::RefBrack { refr, index, .. } => {
                let text = match index.as_ref() {
                    Expr::String { value, .. } | Expr::RawString { value, .. } => Some(value.to_string()),
                    Expr::Number { span, .. } => Some(span.text().to_owned()),
                    Expr::Var { span, .. } => Some(span.text().to_owned()).filter(may),
                    Expr::RefDot { .. } | Expr::RefBrack { .. } => {
                        let text = askable(index, may);
                        (names::path(index).is_some() && text.starts_with("input")).then_some(text)
                    }
                    _ => None,
                };
                members.push(text.map(|text| format!("[{text}]")));
                rest = refr;
            }
            other => {
                let known = members.into_iter().rev().map_while(|member| member);
                return known.fold(other.span().text().to_owned(), |text, member| text + &member);
            }
        }
    }
}
