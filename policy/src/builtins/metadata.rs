//! `internal.metadata`, which `rego.metadata.rule()` and `rego.metadata.chain()` stand for where a rule calls them.

use regorus::Value;

use super::{Fail, text, weigh};

/// What the annotations say, written out as JSON.
pub(super) fn written(args: &[Value]) -> Result<Value, Fail> {
    let [json] = args else { return Err(Fail::Argument("takes JSON")) };
    weigh::linear(args)?;
    Value::from_json_str(text(json)?).map_err(|_| Fail::Argument("takes JSON"))
}

/// Outside of a rule there are no annotations.
pub(super) fn nowhere(_: &[Value]) -> Result<Value, Fail> {
    Err(Fail::Argument("must be called in a rule"))
}
