//! `base64.decode` and `base64.is_valid`: OPA leaves out ends of lines and does not look at bits that are left over.

use ::base64::Engine as _;
use ::base64::alphabet::STANDARD;
use ::base64::engine::{GeneralPurpose, GeneralPurposeConfig};
use regorus::Value;

use super::row::{Builtin, By};
use super::signatures::{BOOL, TEXT};
use super::{Fail, text, weigh};

pub(super) const ROWS: &[Builtin] = &[
    Builtin::new("base64.decode", &[TEXT], TEXT, By::Ours(decode)),
    Builtin::new("base64.is_valid", &[TEXT], BOOL, By::Ours(is_valid)),
];

const GO: GeneralPurpose =
    GeneralPurpose::new(&STANDARD, GeneralPurposeConfig::new().with_decode_allow_trailing_bits(true));

/// The text that was encoded.
fn decode(args: &[Value]) -> Result<Value, Fail> {
    let bytes = decoded(args)?.ok_or(Fail::Argument("takes text in base64"))?;
    String::from_utf8(bytes).map(Value::from).map_err(|_| Fail::Argument("is not UTF-8 when decoded"))
}

/// Whether a text is base64.
fn is_valid(args: &[Value]) -> Result<Value, Fail> {
    Ok(Value::from(decoded(args)?.is_some()))
}

fn decoded(args: &[Value]) -> Result<Option<Vec<u8>>, Fail> {
    let [value] = args else { return Err(Fail::Argument("takes one text")) };
    weigh::linear(args)?;
    Ok(GO.decode(text(value)?.replace(['\r', '\n'], "")).ok())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::builtins::turn;

    #[test]
    fn ends_of_lines_and_left_over_bits_do_no_harm() {
        turn::begin(None);
        for (encoded, wanted) in [
            ("YQ==", Some("a")),
            ("YQ=\n=", Some("a")),
            ("YR==", Some("a")),
            ("", Some("")),
            ("YQ", None),
            ("!!", None),
        ] {
            assert_eq!(decode(&[Value::from(encoded)]).ok(), wanted.map(Value::from), "{encoded}");
            assert_eq!(is_valid(&[Value::from(encoded)]), Ok(Value::from(wanted.is_some())), "{encoded}");
        }
        assert!(decode(&[Value::from("/+8=")]).is_err());
    }
}
