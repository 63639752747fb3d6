//! `x[1.0]`: in brackets OPA tells a number from another by how it is written where `x` is a list, a rule's member or data,
//! and by its value elsewhere. The engine goes by the value. And so for the key in `some 1.0, v in x` and `1.0, v in x`.

use regorus::Value;
use regorus::unstable::{Expr, Literal, Module, Ref, Rule};

use super::walk::{self, Seen};
use super::{names, numbers};
use crate::problem::{Problem, Problems};

/// Checks every reference of all modules, the keys of loops and memberships, and the heads of rules.
pub(super) fn check(modules: &[Ref<Module>], problems: &mut Problems) {
    for rule in modules.iter().flat_map(|module| &module.policy) {
        let head = match rule.as_ref() {
            Rule::Spec { head, .. } => names::head_name(head),
            Rule::Default { refr, .. } => refr,
        };
        problems.extend(of(head));
        walk::rule(rule, &mut |seen| match seen {
            Seen::Ref(refr) => problems.extend(of(refr)),
            Seen::With(with) => problems.extend(of(&with.refr)),
            Seen::Member(Expr::Membership { key, .. }) => problems.extend(another(key.as_ref())),
            Seen::Replaces(stmt) => {
                if let Literal::SomeIn { key, .. } = &stmt.literal {
                    problems.extend(another(key.as_ref()));
                }
            }
            _ => {}
        });
    }
}

/// The first number in brackets that is not written as the value is.
fn of(mut refr: &Expr) -> Option<Problem> {
    let mut found = None;
    while let Expr::RefDot { refr: of, .. } | Expr::RefBrack { refr: of, .. } = refr {
        if let Expr::RefBrack { index, .. } = refr {
            found = another(Some(index)).or(found);
        }
        refr = of;
    }
    found
}

/// A number that is not written as its value is.
fn another(member: Option<&Ref<Expr>>) -> Option<Problem> {
    let number = member?.as_ref();
    let Expr::Number { span, value, .. } = number else { return None };
    let Value::Number(of) = value else { return None };
    let (text, whole) = (span.text(), of.as_big());
    // What is computed has no exponent but where it is very small, and then another one than here.
    let name = whole.map_or_else(|| of.format_decimal(), |whole| whole.to_string());
    let small = value.to_string().contains('e') && !of.is_integer();
    if text == name && !small || numbers::other(number).is_some() {
        return None;
    }
    let why = "is no name of a member as it is written: to OPA it is another than its value in lists, rules and data";
    let instead = if small { format!("`some k, v in …`, and `k == {text}`") } else { format!("`{name}`") };
    Some(Problem::of(span.source.get_path(), text, why, instead).at_span(span))
}
