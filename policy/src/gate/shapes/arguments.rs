//! Arguments and operands as far as they are known: what is of a kind that a builtin does not take, or is no pattern
//! where it takes one, fails in every request. OPA refuses the kinds when it compiles.

use regorus::unstable::{ArithOp, Expr, Module, Ref, Rule, RuleHead, Span};

use super::super::kinds::said;
use super::super::names::{self, Names};
use super::{Rules, Scopes, text_of};
use crate::builtins::signatures::{self, Kinds};
use crate::builtins::{self, Text};
use crate::kind::Kind;
use crate::problem::Problem;

/// The first argument with which a call of a builtin fails each time; `alone` is a statement of its own, where one
/// argument more is compared with the result.
pub(super) fn check<'a>(
    scopes: &Scopes<'a, '_>,
    names: &Names,
    rules: &Rules<'_>,
    (fcn, params, alone): (&Expr, &'a [Ref<Expr>], bool),
) -> Option<Problem> {
    let called = names::path(fcn)?;
    let name = called.join(".");
    if let Some((path, arities)) = names.function(scopes.module(), &called) {
        let result = params.last().filter(|_| alone && arities.contains(&(params.len() - 1)))?;
        let gives = rules.get(&path).map_or(signatures::ANY, |rules| function(names, rules));
        return other_result(scopes, names, &name, result, gives, &format!("a {gives} in this place"));
    }
    let signature = signatures::signature(&name)?;
    let wrong = params.iter().zip(signature.takes).find_map(|(param, takes)| {
        let given = given(scopes, names, param);
        let why = || format!("takes {takes} in this place, and is given {given}");
        (!given.meets(*takes)).then(|| super::at_span(place(param), &name, &why(), &signature.to_string()))
    });
    let wrong = wrong.or_else(|| {
        let times = params.iter().zip(signature.takes).filter(|(_, takes)| **takes == signatures::TIME);
        times.map(|(param, _)| param).find_map(|param| time(scopes, names, &name, param))
    });
    let wrong = wrong.or_else(|| {
        let result = params.get(signature.takes.len()).filter(|_| alone)?;
        other_result(scopes, names, &name, result, signature.gives, &signature.to_string())
    });
    wrong.or_else(|| {
        let texts: Vec<Vec<Text<'_>>> = params.iter().map(|param| texts(scopes, param)).collect();
        let (span, fail, instead) = builtins::wrong_constant(&name, &texts)?;
        Some(super::at_span(span, &name, &format!("{fail}; this one is not"), instead))
    })
}

/// A list that is written out where a time is asked for, and is none: not all of these fail, and OPA loads none of them.
fn time<'a>(scopes: &Scopes<'a, '_>, names: &Names, name: &str, param: &'a Expr) -> Option<Problem> {
    let known = scopes.known(param);
    let [only] = known.as_slice() else { return None };
    let Some(Expr::Array { items, .. }) = only.said_here().filter(|_| !only.is_handed()) else { return None };
    let (longest, instead) = match name {
        "time.format" => (3, "`[ns, \"Europe/Paris\"]` or `[ns, \"Europe/Paris\", \"2006-01-02\"]`"),
        _ => (2, "`[ns, \"Europe/Paris\"]`"),
    };
    let takes = [signatures::NUMBER, signatures::TEXT, signatures::TEXT];
    let mut kinds = items.iter().zip(takes);
    let fits = (2..=longest).contains(&items.len())
        && kinds.all(|(item, takes)| said(scopes.module(), names, item).meets(takes));
    let why = "takes a time or a list of it and its zone, and OPA loads no other list written out here";
    (!fits).then(|| super::at_span(place(param), name, why, instead))
}

/// One argument more that the result never equals.
fn other_result<'a>(
    scopes: &Scopes<'a, '_>,
    names: &Names,
    name: &str,
    result: &'a Expr,
    gives: Kinds,
    instead: &str,
) -> Option<Problem> {
    let given = given(scopes, names, result);
    let why =
        format!("has one argument more than it takes, {given}, and its result is {gives}: never the same");
    (!given.meets(gives)).then(|| super::at_span(place(result), name, &why, instead))
}

/// What a function of the policy gives, as far as its heads say.
fn function(names: &Names, rules: &[(&Module, &Rule)]) -> Kinds {
    let mut all = Vec::new();
    for (module, rule) in rules {
        let mut value = |value: Option<&Ref<Expr>>| {
            all.push(value.map_or(signatures::BOOL, |value| said(module, names, value)));
        };
        match rule {
            Rule::Default { value: default, .. } => value(Some(default)),
            Rule::Spec { head, bodies, .. } => {
                let RuleHead::Func { assign, .. } = head else { return signatures::ANY };
                value(assign.as_ref().map(|assign| &assign.value));
                bodies
                    .iter()
                    .skip(1)
                    .for_each(|body| value(body.assign.as_ref().map(|assign| &assign.value)));
            }
        }
    }
    all.into_iter().reduce(Kinds::or).unwrap_or(signatures::ANY)
}

/// The first operand that cannot be computed with.
pub(super) fn operands<'a>(scopes: &Scopes<'a, '_>, names: &Names, expr: &'a Expr) -> Option<Problem> {
    let (what, takes, lhs, rhs) = match expr {
        Expr::ArithExpr { op: ArithOp::Sub, lhs, rhs, .. } => {
            ("-", signatures::NUMBER.or(signatures::SET), lhs, rhs)
        }
        Expr::ArithExpr { op, lhs, rhs, .. } => (symbol(op), signatures::NUMBER, lhs, rhs),
        Expr::BinExpr { lhs, rhs, .. } => ("a set operator", signatures::SET, lhs, rhs),
        _ => return None,
    };
    [lhs, rhs].into_iter().find_map(|operand| {
        let given = given(scopes, names, operand);
        let why = || format!("takes {takes} in this place, and is given {given}");
        let instead = || {
            hyphened(scopes, operand).unwrap_or_else(|| {
                let joins = given == signatures::TEXT && what == "+";
                let text = "`concat(\"\", [a, b])` or `$\"{a}{b}\"`, which join text";
                (if joins { text } else { "what computes with this kind" }.to_owned(), 0)
            })
        };
        (!given.meets(takes)).then(|| {
            let (instead, covers) = instead();
            Problem { covers, ..super::at_span(place(operand), what, &why(), &instead) }
        })
    })
}

/// A member whose name goes on behind a hyphen, which is a minus behind a dot: `headers.x-branch`. How it is written, and
/// how many characters the author took for it.
fn hyphened<'a>(scopes: &Scopes<'a, '_>, operand: &'a Expr) -> Option<(String, u32)> {
    let Expr::RefDot { refr, field, .. } = operand else { return None };
    let above = scopes.place(refr).ok()?.into_iter().next()?;
    let span = &field.0;
    let rest = span.source.get_contents().get(span.start as usize..)?;
    let end =
        rest.find(|c: char| !c.is_ascii_alphanumeric() && !matches!(c, '_' | '-')).unwrap_or(rest.len());
    let name = rest.get(..end).filter(|name| name.contains('-') && !name.ends_with('-'))?;
    let whole = place(operand).start as usize..(span.start as usize).checked_add(name.len())?;
    let taken = span.source.get_contents().get(whole)?.chars().count();
    Some((format!("`{}[\"{name}\"]`", above.path()), u32::try_from(taken).ok()?))
}

const fn symbol(op: &ArithOp) -> &'static str {
    match op {
        ArithOp::Add => "+",
        ArithOp::Sub => "-",
        ArithOp::Mul => "*",
        ArithOp::Div => "/",
        ArithOp::Mod => "%",
    }
}

/// What an expression may be.
pub(super) fn given<'a>(scopes: &Scopes<'a, '_>, names: &Names, expr: &'a Expr) -> Kinds {
    let kinds = scopes.known(expr).into_iter().map(|place| match place.said_here() {
        _ if place.is_handed() => signatures::ANY,
        Some(value) => said(scopes.module(), names, value),
        None => place.kind().map_or(signatures::ANY, of),
    });
    kinds.reduce(Kinds::or).unwrap_or(signatures::ANY)
}

pub(super) const fn of(kind: Kind) -> Kinds {
    match kind {
        Kind::Text | Kind::Word(_) => signatures::TEXT,
        Kind::Number => signatures::NUMBER,
        Kind::Bool => signatures::BOOL,
        Kind::List(_) => signatures::LIST,
        Kind::Map(_) | Kind::Headers | Kind::Object(_) | Kind::Leaves(_) => signatures::OBJECT,
        Kind::OrNull(kind) => of(*kind).or(signatures::NULL),
        Kind::Any => signatures::ANY,
    }
}

/// The texts that are written out in an argument or in the constant that it names: itself, or what it lists.
fn texts<'a>(scopes: &Scopes<'a, '_>, param: &'a Expr) -> Vec<Text<'a>> {
    let text = |expr: &'a Expr| Some((expr.span(), text_of(expr)?));
    let param = scopes.literal(param).unwrap_or(param);
    match param {
        Expr::Array { items, .. } | Expr::Set { items, .. } => {
            items.iter().filter_map(|item| text(item)).collect()
        }
        Expr::Object { fields, .. } => fields.iter().filter_map(|(_, _, value)| text(value)).collect(),
        _ => text(param).into_iter().collect(),
    }
}

/// Where an argument begins.
fn place(expr: &Expr) -> &Span {
    match expr {
        Expr::Call { fcn, .. } => names::begin(fcn),
        _ => names::begin(expr),
    }
}
