//! What kinds of values an expression may have, as far as it says so itself.

use regorus::unstable::{ArithOp, Expr, Module};

use super::names::{self, Names};
use crate::builtins::signatures::{self, ANY, BOOL, Kinds, LIST, NULL, NUMBER, OBJECT, SET, TEXT};

/// What an expression is by itself.
pub(crate) fn said(module: &Module, names: &Names, expr: &Expr) -> Kinds {
    match expr {
        Expr::String { .. } | Expr::RawString { .. } => TEXT,
        Expr::Bool { .. } | Expr::BoolExpr { .. } | Expr::Membership { .. } => BOOL,
        Expr::Null { .. } => NULL,
        Expr::Array { .. } | Expr::ArrayCompr { .. } => LIST,
        Expr::Set { .. } | Expr::SetCompr { .. } | Expr::BinExpr { .. } => SET,
        Expr::Object { .. } | Expr::ObjectCompr { .. } => OBJECT,
        Expr::ArithExpr { op: ArithOp::Sub, .. } => NUMBER.or(SET),
        Expr::Number { .. } | Expr::UnaryExpr { .. } | Expr::ArithExpr { .. } => NUMBER,
        Expr::Call { fcn, .. } => names::path(fcn)
            .filter(|called| names.function(module, called).is_none())
            .and_then(|called| signatures::signature(&called.join(".")))
            .map_or(ANY, |signature| signature.gives),
        Expr::Var { .. } | Expr::RefDot { .. } | Expr::RefBrack { .. } | Expr::AssignExpr { .. } => ANY,
    }
}
