//! `x[1.0]`: in brackets OPA tells a number from another by how it is written where `x` is a list, a rule's member or data,
//! and by its value elsewhere. The engine goes by the value.

use regorus::unstable::{Expr, Module, Rule};

use super::names;
use super::walk::{self, Seen};
use crate::problem::{Problem, Problems};

/// Checks every reference of one module, and the heads of its rules.
pub(super) fn check(module: &Module, problems: &mut Problems) {
    for rule in &module.policy {
        let head = match rule.as_ref() {
            Rule::Spec { head, .. } => names::head_name(head),
            Rule::Default { refr, .. } => refr,
        };
        problems.extend(of(head));
        walk::rule(rule, &mut |seen| match seen {
            Seen::Ref(refr) => problems.extend(of(refr)),
            Seen::With(with) => problems.extend(of(&with.refr)),
            _ => {}
        });
    }
}

/// The first number in brackets that is not written as the value is.
fn of(mut refr: &Expr) -> Option<Problem> {
    let mut found = None;
    while let Expr::RefDot { refr: of, .. } | Expr::RefBrack { refr: of, .. } = refr {
        if let Expr::RefBrack { index, .. } = refr
            && let Expr::Number { span, value, .. } = index.as_ref()
            && span.text() != value.to_string()
        {
            let why = "is no name of a member as it is written: to OPA it is another than its value in lists, rules and data";
            let instead = format!("`[{value}]`");
            found = Some(Problem::of(span.source.get_path(), span.text(), why, instead).at_span(span));
        }
        refr = of;
    }
    found
}
