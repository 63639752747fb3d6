//! What reads base64 and hexadecimal digits. OPA leaves out ends of lines in base64 and does not look at bits that are left
//! over. Its texts hold any bytes, ours UTF-8 alone: the engine would put other characters in the place of the rest.

use ::base64::Engine as _;
use ::base64::alphabet::{Alphabet, STANDARD, URL_SAFE};
use ::base64::engine::{GeneralPurpose, GeneralPurposeConfig};
use regorus::Value;

use super::row::{Builtin, By};
use super::signatures::{BOOL, TEXT};
use super::{Fail, text, weigh};

pub(super) const ROWS: &[Builtin] = &[
    Builtin::new("base64.decode", &[TEXT], TEXT, By::Ours(decode)),
    Builtin::new("base64.is_valid", &[TEXT], BOOL, By::Ours(is_valid)),
    Builtin::new("base64url.decode", &[TEXT], TEXT, By::Ours(decode_url)),
    Builtin::new("hex.decode", &[TEXT], TEXT, By::Ours(decode_hex)),
];

const NO_URL: Fail = Fail::Argument("takes text in base64url");
const GO: GeneralPurpose = as_go(&STANDARD);
const GO_URL: GeneralPurpose = as_go(&URL_SAFE);

const fn as_go(alphabet: &Alphabet) -> GeneralPurpose {
    GeneralPurpose::new(alphabet, GeneralPurposeConfig::new().with_decode_allow_trailing_bits(true))
}

/// The text that was encoded.
fn decode(args: &[Value]) -> Result<Value, Fail> {
    written(decoded(args)?.ok_or(Fail::Argument("takes text in base64"))?)
}

/// The same in the alphabet for URLs, with the padding or without.
fn decode_url(args: &[Value]) -> Result<Value, Fail> {
    let [value] = args else { return Err(Fail::Argument("takes one text")) };
    weigh::linear(args)?;
    let encoded = text(value)?;
    // OPA counts the ends of lines here, which it leaves out behind.
    let padding = match encoded.len() % 4 {
        _ if encoded.ends_with('=') => "",
        0 => "",
        2 => "==",
        3 => "=",
        _ => return Err(NO_URL),
    };
    let whole = format!("{}{padding}", encoded.replace(['\r', '\n'], ""));
    written(GO_URL.decode(whole).map_err(|_| NO_URL)?)
}

/// The text whose bytes stand as two digits each.
fn decode_hex(args: &[Value]) -> Result<Value, Fail> {
    let [value] = args else { return Err(Fail::Argument("takes one text")) };
    weigh::linear(args)?;
    let digit = |c: u8| char::from(c).to_digit(16).and_then(|digit| u8::try_from(digit).ok());
    let byte = |two: &[u8]| match two {
        [high, low] => Some(digit(*high)? << 4 | digit(*low)?),
        _ => None,
    };
    let bytes: Option<Vec<u8>> = text(value)?.as_bytes().chunks(2).map(byte).collect();
    written(bytes.ok_or(Fail::Argument("takes pairs of hexadecimal digits"))?)
}

fn written(bytes: Vec<u8>) -> Result<Value, Fail> {
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
    }

    #[test]
    fn bytes_that_are_no_text_are_an_error_and_no_other_text() {
        turn::begin(None);
        for (call, encoded) in [
            (decode as fn(&[Value]) -> Result<Value, Fail>, "/+8="),
            (decode_url, "_-8="),
            (decode_url, "_-8"),
            (decode_hex, "ffef"),
        ] {
            assert_eq!(call(&[Value::from(encoded)]), Err(Fail::Argument("is not UTF-8 when decoded")));
        }
    }

    #[test]
    fn text_for_urls_and_digits_are_read_as_by_go() {
        turn::begin(None);
        for (encoded, wanted) in [
            ("w7_Dvw==", Some("ÿÿ")),
            ("w7_Dvw", Some("ÿÿ")),
            ("YQ", Some("a")),
            ("YR==", Some("a")),
            ("YWI=", Some("ab")),
            ("", Some("")),
            ("YQ\n==", Some("a")),
            ("YWJj\n", None),
            ("YQ=", None),
            ("Y", None),
            ("w7/Dvw==", None),
        ] {
            assert_eq!(decode_url(&[Value::from(encoded)]).ok(), wanted.map(Value::from), "{encoded}");
        }
        for (encoded, wanted) in
            [("6142", Some("aB")), ("C3bF", Some("ÿ")), ("", Some("")), ("6", None), ("6g", None)]
        {
            assert_eq!(decode_hex(&[Value::from(encoded)]).ok(), wanted.map(Value::from), "{encoded}");
        }
    }
}
