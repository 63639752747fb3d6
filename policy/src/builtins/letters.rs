//! `lower` and `upper`: each letter becomes one other, as in Go. The engine makes `SS` of `ß`, and looks at what stands
//! around a sigma.

use regorus::Value;

use super::row::{Builtin, By};
use super::signatures::TEXT;
use super::{Fail, text, weigh};

pub(super) const ROWS: &[Builtin] = &[
    Builtin::new("lower", &[TEXT], TEXT, By::Ours(lower)),
    Builtin::new("upper", &[TEXT], TEXT, By::Ours(upper)),
];

/// Greek letters with an iota below: to the engine's library their capitals are two letters, to Go one.
const IOTAS: [(std::ops::RangeInclusive<char>, u32); 6] = [
    ('\u{1f80}'..='\u{1f87}', 8),
    ('\u{1f90}'..='\u{1f97}', 8),
    ('\u{1fa0}'..='\u{1fa7}', 8),
    ('\u{1fb3}'..='\u{1fb3}', 9),
    ('\u{1fc3}'..='\u{1fc3}', 9),
    ('\u{1ff3}'..='\u{1ff3}', 9),
];

/// The text in small letters.
fn lower(args: &[Value]) -> Result<Value, Fail> {
    // Of `İ` alone the small letter has two characters: an `i`, and a dot above it.
    each(args, |c| c.to_lowercase().next().unwrap_or(c))
}

/// The text in capitals.
fn upper(args: &[Value]) -> Result<Value, Fail> {
    each(args, |c| {
        let mut capital = c.to_uppercase();
        match (capital.next(), capital.next()) {
            (Some(one), None) => one,
            _ => with_iota(c),
        }
    })
}

fn with_iota(c: char) -> char {
    let step = IOTAS.iter().find(|(range, _)| range.contains(&c)).map(|(_, step)| step);
    step.and_then(|step| char::from_u32(u32::from(c) + step)).unwrap_or(c)
}

fn each(args: &[Value], letter: fn(char) -> char) -> Result<Value, Fail> {
    let [value] = args else { return Err(Fail::Argument("takes a text")) };
    weigh::linear(args)?;
    Ok(Value::from(text(value)?.chars().map(letter).collect::<String>()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::builtins::turn;

    #[test]
    fn a_letter_becomes_one_other_or_stays() {
        turn::begin(None);
        let gives = |of: fn(&[Value]) -> Result<Value, Fail>, given: &str, want: &str| {
            assert_eq!(of(&[given.into()]), Ok(Value::from(want)), "{given}");
        };
        gives(lower, "GET \u{130}ΑΣ", "get iασ");
        gives(upper, "straße ŉﬁᾳᾀᾈΰé", "STRAßE ŉﬁᾼᾈᾈΰÉ");
    }
}
