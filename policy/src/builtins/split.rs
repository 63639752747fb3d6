//! `split(text, delimiter)` and `strings.split_n`: capped, since each part is a value of its own.

use regorus::Value;

use super::row::{Builtin, By};
use super::signatures::{LIST, NUMBER, TEXT};
use super::{Fail, text, weigh};

pub(super) const ROWS: &[Builtin] = &[
    Builtin::new("split", &[TEXT, TEXT], LIST, By::Ours(split)),
    Builtin::new("strings.split_n", &[TEXT, TEXT, NUMBER], LIST, By::Added(split_n)),
];

/// Most parts.
const MOST: usize = 10_000;

/// The parts between the delimiters; with an empty delimiter, the characters.
fn split(args: &[Value]) -> Result<Value, Fail> {
    let [value, delimiter] = args else { return Err(Fail::Argument("takes a text and a delimiter")) };
    weigh::linear(args)?;
    let (value, delimiter) = (text(value)?, text(delimiter)?);
    let parts: Vec<Value> = if delimiter.is_empty() {
        value.chars().take(MOST + 1).map(|c| Value::from(c.to_string())).collect()
    } else {
        value.split(delimiter).take(MOST + 1).map(Value::from).collect()
    };
    if parts.len() > MOST {
        return Err(Fail::Limit("at most 10000 parts"));
    }
    weigh::pay(parts.len() * 8)?;
    Ok(Value::from(parts))
}

/// The first parts, as many as are asked for; the last ones where the number is negative.
fn split_n(args: &[Value]) -> Result<Value, Fail> {
    let [value, delimiter, count] = args else {
        return Err(Fail::Argument("takes a text, a delimiter and a number"));
    };
    weigh::linear(args)?;
    let (value, delimiter) = (text(value)?, text(delimiter)?);
    let count = count.as_i64().map_err(|_| Fail::Argument("takes a whole number of parts"))?;
    let most = usize::try_from(count.unsigned_abs()).unwrap_or(usize::MAX);
    let taken = most.min(MOST + 1);
    let parts: Vec<Value> = if count >= 0 {
        pieces(value, delimiter).take(taken).map(Value::from).collect()
    } else {
        let before = pieces(value, delimiter).count().saturating_sub(most);
        pieces(value, delimiter).skip(before).take(taken).map(Value::from).collect()
    };
    if parts.len() > MOST {
        return Err(Fail::Limit("at most 10000 parts"));
    }
    weigh::pay(parts.len() * 8)?;
    Ok(Value::from(parts))
}

/// The parts between the delimiters, which an empty one puts around each character.
fn pieces<'a>(value: &'a str, delimiter: &'a str) -> Box<dyn Iterator<Item = &'a str> + 'a> {
    if delimiter.is_empty() {
        Box::new(value.split("").filter(|part| !part.is_empty()))
    } else {
        Box::new(value.split(delimiter))
    }
}

#[cfg(test)]
mod tests {
    use crate::builtins::tests::assert_gives;

    #[test]
    fn the_first_or_the_last_parts_are_given() {
        for (count, parts) in
            [("2", r#"["a", "b"]"#), ("-1", r#"["c"]"#), ("0", "[]"), ("9", r#"["a", "b", "c"]"#)]
        {
            assert_gives("strings.split_n", &format!("\"a,b,c\", \",\", {count}"), parts);
        }
        assert_gives("strings.split_n", "\"aeö\", \"\", -2", r#"["e", "ö"]"#);
    }
}
