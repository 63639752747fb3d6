//! `semver.*`: OPA takes a version with a `v` before it, the engine does not.

use regorus::Value;

use super::row::{Builtin, By};
use super::signatures::{ANY, BOOL, NUMBER, TEXT};
use super::{Fail, engines, text, weigh};

pub(super) const ROWS: &[Builtin] = &[
    Builtin::new("semver.compare", &[TEXT, TEXT], NUMBER, By::Ours(compare)),
    Builtin::new("semver.is_valid", &[ANY], BOOL, By::Ours(is_valid)),
];

/// -1, 0 or 1, as the first is less than, the same as or more than the second.
fn compare(args: &[Value]) -> Result<Value, Fail> {
    weigh::linear(args)?;
    let plain: Vec<Value> = args.iter().map(|arg| text(arg).map(plain)).collect::<Result<_, _>>()?;
    engines("semver.compare", &plain).ok_or(Fail::Argument("takes two versions, `1.2.3`"))
}

/// Whether it is a version; what is not text is none.
fn is_valid(args: &[Value]) -> Result<Value, Fail> {
    weigh::linear(args)?;
    let [Value::String(version)] = args else { return Ok(Value::Bool(false)) };
    engines("semver.is_valid", &[plain(version)]).ok_or(Fail::Argument("takes a version"))
}

fn plain(version: &str) -> Value {
    Value::from(version.strip_prefix('v').unwrap_or(version))
}

#[cfg(test)]
mod tests {
    use crate::builtins::tests::assert_gives;

    #[test]
    fn a_version_may_have_one_v_before_it() {
        assert_gives("semver.is_valid", r#""v1.0.0""#, "true");
        assert_gives("semver.is_valid", r#""vv1.0.0""#, "false");
        assert_gives("semver.is_valid", "1", "false");
        assert_gives("semver.compare", r#""v1.2.0", "1.10.0""#, "-1");
    }
}
