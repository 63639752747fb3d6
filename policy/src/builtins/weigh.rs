//! How large arguments are, found out without doing the work that is being bounded.

use regorus::Value;

use super::{Fail, turn};

/// Most bytes of text, a member of a collection counting [`MEMBER`], for builtins that pass over them once.
const LINEAR: usize = 256 * 1024;
/// Most values for builtins that go into nested values. Shared parts count each time they are met, since such a
/// builtin meets them each time too.
const VALUES: usize = 50_000;
/// Most bytes of text in nested values.
const DEEP: usize = 1024 * 1024;
/// Most values that are walked.
const WALKED: usize = 10_000;
/// What one member of a collection counts.
const MEMBER: usize = 8;
/// Most steps for builtins that compare everything in one argument with everything in another.
const STEPS: usize = 1_000_000;

const LINEAR_LIMIT: &str = "at most 256 KiB of text or 32768 members";
const DEEP_LIMIT: &str = "at most 50000 nested values and 1 MiB of text";
const WALK_LIMIT: &str = "at most 10000 nested values";
const STEPS_LIMIT: &str = "at most 1000000 comparisons";
pub(super) const PURSE_LIMIT: &str = "8 MiB for all builtins of one decision together";

/// For builtins that pass once over text or over the members of a collection.
pub(super) fn linear(args: &[Value]) -> Result<(), Fail> {
    let weight = args.iter().map(surface).fold(0_usize, usize::saturating_add);
    if weight > LINEAR {
        return Err(Fail::Limit(LINEAR_LIMIT));
    }
    pay(weight)
}

/// For what copies a collection each time it is gone through, however large it is.
pub(super) fn members(collection: &Value) -> Result<(), Fail> {
    pay(surface(collection))
}

/// For builtins that go into nested values.
pub(super) fn deep(args: &[Value]) -> Result<(), Fail> {
    values(args, VALUES)
}

/// For `walk`, which gives every nested value with its path.
pub(super) fn walked(args: &[Value]) -> Result<(), Fail> {
    values(args, WALKED)
        .map_err(|fail| if fail == Fail::Limit(DEEP_LIMIT) { Fail::Limit(WALK_LIMIT) } else { fail })
}

/// As [`deep`] with another cap, for builtins that build more of each value.
pub(super) fn values(args: &[Value], most: usize) -> Result<(), Fail> {
    let mut left = most;
    let mut bytes = 0_usize;
    for arg in args {
        descend(arg, &mut left, &mut bytes).ok_or(Fail::Limit(DEEP_LIMIT))?;
    }
    pay(bytes + (most - left) * MEMBER)
}

/// How many values stand in this one, itself included; none above the cap.
pub(super) fn nested(value: &Value) -> Result<usize, Fail> {
    let (mut left, mut bytes) = (VALUES, 0);
    descend(value, &mut left, &mut bytes).ok_or(Fail::Limit(DEEP_LIMIT))?;
    Ok(VALUES - left)
}

/// For builtins that compare everything in their first argument with everything in their second.
pub(super) fn product(args: &[Value]) -> Result<(), Fail> {
    let steps = args.iter().map(|arg| surface(arg).max(1)).fold(1_usize, usize::saturating_mul);
    if steps > STEPS * MEMBER {
        return Err(Fail::Limit(STEPS_LIMIT));
    }
    linear(args)
}

/// Takes what is about to be built out of the purse.
pub(super) fn pay(bytes: usize) -> Result<(), Fail> {
    if turn::spend(bytes) { Ok(()) } else { Err(Fail::Limit(PURSE_LIMIT)) }
}

fn surface(value: &Value) -> usize {
    match value {
        Value::String(text) => text.len(),
        Value::Array(items) => items.len().saturating_mul(MEMBER),
        Value::Set(items) => items.len().saturating_mul(MEMBER),
        Value::Object(members) => members.len().saturating_mul(MEMBER),
        _ => 0,
    }
}

fn descend(value: &Value, left: &mut usize, bytes: &mut usize) -> Option<()> {
    *left = left.checked_sub(1)?;
    match value {
        Value::String(text) => {
            *bytes = bytes.saturating_add(text.len());
            if *bytes > DEEP {
                return None;
            }
        }
        Value::Array(items) => items.iter().try_for_each(|item| descend(item, left, bytes))?,
        Value::Set(items) => items.iter().try_for_each(|item| descend(item, left, bytes))?,
        Value::Object(members) => members.iter().try_for_each(|(name, item)| {
            descend(name, left, bytes)?;
            descend(item, left, bytes)
        })?,
        _ => {}
    }
    Some(())
}
