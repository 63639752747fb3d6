//! `internal.metadata`, which `rego.metadata.rule()` and `rego.metadata.chain()` stand for where a rule calls them.

use regorus::Value;

use super::row::{Builtin, By};
use super::signatures::{ANY, LIST, OBJECT, TEXT};
use super::{Fail, text, weigh};
use crate::document::exact::in_full;

pub(super) const ROWS: &[Builtin] = &[
    Builtin::new("internal.metadata", &[TEXT], LIST.or(OBJECT), By::Before(written)).said("rego.metadata"),
    Builtin::new("rego.metadata.chain", &[], LIST, By::Added(nowhere)),
    Builtin::new("rego.metadata.rule", &[], ANY, By::Added(nowhere)),
];

/// What the annotations say, written out as JSON.
fn written(args: &[Value]) -> Result<Value, Fail> {
    let [json] = args else { return Err(Fail::Argument("takes JSON")) };
    weigh::linear(args)?;
    Value::from_json_str(text(json)?).map(in_full).map_err(|_| Fail::Argument("takes JSON"))
}

/// Outside of a rule there are no annotations.
fn nowhere(_: &[Value]) -> Result<Value, Fail> {
    Err(Fail::Argument("must be called in a rule"))
}
