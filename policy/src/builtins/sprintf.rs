//! `sprintf`: the engine takes any width, and gives nothing for verbs it does not know.
//!
//! The verbs of Go's `fmt` that OPA's arguments can have. What Go would answer with a `%!` note is an error.

use std::fmt::Write as _;
use std::iter::Peekable;
use std::str::Chars;
use std::sync::LazyLock;

use ::regex::Regex;
use regorus::Value;

use super::fraction::Fraction;
use super::row::{Builtin, By};
use super::signatures::{LIST, TEXT};
use super::{Fail, text, weigh};

pub(super) const ROWS: &[Builtin] = &[Builtin::new("sprintf", &[TEXT, LIST], TEXT, By::Ours(sprintf))];

/// Largest width and precision.
const WIDTH: usize = 1_024;
/// Most bytes that come out.
const MOST: usize = 256 * 1024;
const LIMIT: Fail = Fail::Limit("at most 256 KiB of text");

/// How one verb wants its argument written.
#[derive(Clone, Copy)]
struct Verb {
    /// What stands before a number that is not negative.
    plus: &'static str,
    fill: Fill,
    width: usize,
    precision: Option<usize>,
}

/// What is put where, up to the width.
#[derive(Clone, Copy, PartialEq)]
enum Fill {
    BlanksBefore,
    BlanksAfter,
    Zeros,
}

/// `sprintf(format, arguments)`.
fn sprintf(args: &[Value]) -> Result<Value, Fail> {
    let [format, values] = args else { return Err(Fail::Argument("takes a format and a list")) };
    weigh::deep(args)?;
    let values = values.as_array().map_err(|_| Fail::Argument("takes a list of arguments"))?;
    let mut left = (1..).zip(values.iter());
    let mut rest = text(format)?.chars().peekable();
    let mut out = String::new();
    while let Some(c) = rest.next() {
        if c != '%' {
            out.push(c);
        } else if rest.next_if_eq(&'%').is_some() {
            out.push('%');
        } else {
            let verb = Verb::parse(&mut rest)?;
            let letter = rest.next().ok_or(Fail::Argument("format ends inside a verb"))?;
            let wrong = |at| move |why| Fail::Verb { letter, at, why };
            let (at, value) = left
                .next()
                .ok_or(wrong(values.len() + 1)("is not there: there are fewer arguments than verbs"))?;
            out.push_str(&verb.write(letter, value).map_err(wrong(at))?);
        }
        if out.len() > MOST {
            return Err(LIMIT);
        }
    }
    if left.next().is_some() {
        return Err(Fail::Argument("has more arguments than verbs"));
    }
    weigh::pay(out.len())?;
    Ok(Value::from(out))
}

impl Verb {
    fn parse(rest: &mut Peekable<Chars<'_>>) -> Result<Self, Fail> {
        let mut verb = Self { plus: "", fill: Fill::BlanksBefore, width: 0, precision: None };
        while let Some(flag) = rest.next_if(|c| "-+ 0".contains(*c)) {
            match (flag, verb) {
                ('-', _) => verb.fill = Fill::BlanksAfter,
                ('+', _) => verb.plus = "+",
                (' ', Self { plus: "", .. }) => verb.plus = " ",
                ('0', Self { fill: Fill::BlanksBefore, .. }) => verb.fill = Fill::Zeros,
                _ => {}
            }
        }
        verb.width = number(rest)?.unwrap_or(0);
        if rest.next_if_eq(&'.').is_some() {
            verb.precision = Some(number(rest)?.unwrap_or(0));
        }
        Ok(verb)
    }

    fn write(self, letter: char, value: &Value) -> Result<String, &'static str> {
        match (letter, value) {
            ('v' | 's', Value::Number(_)) | ('d', _) if self.precision.is_some() => {
                Err("takes no precision for whole numbers")
            }
            ('s', Value::Number(number)) if is_small(value) => {
                self.no_text(number.is_integer(), &decimal(value))
            }
            // A plus asks Go for more of a structure, and nothing of a number; one beyond 64 bits writes it for itself.
            ('v', Value::Number(_)) if self.plus == "+" && is_small(value) => {
                Ok(Self { plus: "", ..self }.number(&decimal(value)))
            }
            ('v' | 's', Value::Number(_)) => Ok(self.number(&decimal(value))),
            ('v' | 's', _) => Ok(self.pad(&self.cut(&shown(value)))),
            ('d' | 'b' | 'o' | 'O' | 'x' | 'X', Value::Number(number)) if number.is_integer() => Ok(self
                .number(&match letter {
                    'd' => decimal(value),
                    'b' => signed(number.is_positive(), &number.abs().format_bin(), ""),
                    'o' => signed(number.is_positive(), &number.abs().format_octal(), ""),
                    'O' => signed(number.is_positive(), &number.abs().format_octal(), "0o"),
                    'x' => signed(number.is_positive(), &number.abs().format_hex(), ""),
                    _ => signed(number.is_positive(), &number.abs().format_big_hex(), ""),
                })),
            // Go notes these, unless they were written as fractions, which is not kept.
            ('f' | 'F' | 'e' | 'E', Value::Number(number)) if number.is_integer() => {
                Err("takes fractions: a whole number with %d or %v")
            }
            ('f' | 'F', Value::Number(_)) => {
                Ok(self.number(&format!("{:.*}", self.precision.unwrap_or(6), float(value)?)))
            }
            ('e' | 'E', Value::Number(_)) => {
                let written = exponent(&format!("{:.*e}", self.precision.unwrap_or(6), float(value)?));
                Ok(self.number(&if letter == 'E' { written.to_uppercase() } else { written }))
            }
            ('c', Value::Number(number)) => {
                let code = number.as_u64().and_then(|code| u32::try_from(code).ok()).and_then(char::from_u32);
                let shown = code.ok_or("takes a character's number")?;
                Ok(self.pad(shown.encode_utf8(&mut [0; 4])))
            }
            // What is no number is text to OPA, as it writes it.
            ('q', of) if !is_number(of) && self.plus == "+" => Err("takes no +"),
            ('x' | 'X', of) if !is_number(of) && self.plus == " " => Err("takes no blank for text"),
            ('q', of) if !is_number(of) => Ok(self.pad(&quoted(&self.cut(&shown(of))))),
            ('x' | 'X', of) if !is_number(of) => Ok(self.pad(&hex(&shown(of), letter == 'X'))),
            _ => Err("does not fit it: use %v, %s, %q, %d, %x, %f or %e"),
        }
    }

    /// A number where text is wanted, as Go notes it. Beyond 64 bits it is text to OPA.
    fn no_text(self, whole: bool, number: &str) -> Result<String, &'static str> {
        if self.width > 0 || self.fill != Fill::BlanksBefore || !self.plus.is_empty() {
            return Err("takes no flags for numbers: use %v or %d");
        }
        let kind = if whole { "int64" } else { "float64" };
        Ok(format!("%!s({kind}={number})"))
    }

    /// The first characters, as many as the precision says.
    fn cut(self, text: &str) -> String {
        text.chars().take(self.precision.unwrap_or(usize::MAX)).collect()
    }

    fn pad(self, text: &str) -> String {
        let missing = self.width.saturating_sub(text.chars().count());
        match self.fill {
            Fill::BlanksBefore => " ".repeat(missing) + text,
            Fill::BlanksAfter => text.to_owned() + &" ".repeat(missing),
            Fill::Zeros => "0".repeat(missing) + text,
        }
    }

    /// Sign first, then zeros, as many as the width asks for.
    fn number(self, written: &str) -> String {
        let (sign, digits) = match written.strip_prefix('-') {
            Some(digits) => ("-", digits),
            None => (self.plus, written),
        };
        if self.fill == Fill::Zeros {
            let missing = self.width.saturating_sub(sign.len() + digits.len());
            return format!("{sign}{}{digits}", "0".repeat(missing));
        }
        self.pad(&format!("{sign}{digits}"))
    }
}

const fn is_number(value: &Value) -> bool {
    matches!(value, Value::Number(_))
}

fn number(rest: &mut Peekable<Chars<'_>>) -> Result<Option<usize>, Fail> {
    let mut number = None;
    while let Some(digit) = rest.peek().and_then(|c| c.to_digit(10)) {
        rest.next();
        let next = number.unwrap_or(0) * 10 + usize::try_from(digit).unwrap_or(0);
        if next > WIDTH {
            return Err(Fail::Limit("a width and a precision of at most 1024"));
        }
        number = Some(next);
    }
    Ok(number)
}

fn float(value: &Value) -> Result<f64, &'static str> {
    let float = value.as_f64().map_err(|_| "takes numbers that fit a float")?;
    Ok(Fraction::written(float))
}

/// Whether a number is of 64 bits, or a fraction.
fn is_small(value: &Value) -> bool {
    matches!(value, Value::Number(number) if number.as_i64().is_some() || !number.is_integer())
}

/// A number by itself: fractions as Go has them, from 1e6 on and below 1e-4 with an exponent. Within others OPA writes
/// them as they are in JSON.
fn decimal(value: &Value) -> String {
    let Value::Number(number) = value else { return String::new() };
    let written = number.format_decimal();
    if number.is_integer() {
        return if written == "-0" { "0".to_owned() } else { written };
    }
    let Some(float) = number.as_f64().map(Fraction::written) else { return written };
    let (written, scientific) = (float.to_string(), format!("{float:e}"));
    let power = scientific.split_once('e').and_then(|(_, power)| power.parse::<i32>().ok());
    if power.is_some_and(|power| (-4..6).contains(&power)) { written } else { exponent(&scientific) }
}

fn signed(positive: bool, digits: &str, prefix: &str) -> String {
    if positive { format!("{prefix}{digits}") } else { format!("-{prefix}{digits}") }
}

/// Rust writes `1.5e0` where Go writes `1.5e+00`.
fn exponent(written: &str) -> String {
    let Some((digits, power)) = written.split_once('e') else { return written.to_owned() };
    let (sign, power) = power.strip_prefix('-').map_or(('+', power), |power| ('-', power));
    format!("{digits}e{sign}{power:0>2}")
}

fn hex(text: &str, upper: bool) -> String {
    let digits = text.bytes().flat_map(|byte| [byte >> 4, byte & 15]);
    let hex: String = digits.filter_map(|digit| char::from_digit(digit.into(), 16)).collect();
    if upper { hex.to_uppercase() } else { hex }
}

/// Text as it is; everything else as Rego writes it.
pub(super) fn shown(value: &Value) -> String {
    match value {
        Value::String(text) => text.to_string(),
        _ => rego(value),
    }
}

fn rego(value: &Value) -> String {
    let joined = |parts: Vec<String>| parts.join(", ");
    match value {
        Value::Null => "null".to_owned(),
        Value::Bool(value) => value.to_string(),
        Value::Number(number) => number.format_decimal(),
        Value::String(text) => quoted(text),
        Value::Array(items) => format!("[{}]", joined(items.iter().map(rego).collect())),
        Value::Set(items) if items.is_empty() => "set()".to_owned(),
        Value::Set(items) => format!("{{{}}}", joined(items.iter_sorted().map(rego).collect())),
        Value::Object(members) => {
            let pairs = members.iter_sorted().map(|(name, value)| format!("{}: {}", rego(name), rego(value)));
            format!("{{{}}}", joined(pairs.collect()))
        }
        Value::Undefined => "undefined".to_owned(),
    }
}

/// What Go prints as it is: neither blanks, other than the plain one, nor marks that are not seen.
fn printed(c: char) -> bool {
    static PRINTED: LazyLock<Option<Regex>> =
        LazyLock::new(|| Regex::new(r"^[\p{L}\p{M}\p{N}\p{P}\p{S}]$").ok());
    PRINTED.as_ref().is_none_or(|printed| printed.is_match(c.encode_utf8(&mut [0; 4])))
}

/// In double quotes, as Go and Rego write text.
fn quoted(text: &str) -> String {
    let mut out = String::from('"');
    for c in text.chars() {
        match c {
            '"' | '\\' => out.extend(['\\', c]),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            '\u{7}' => out.push_str("\\a"),
            '\u{8}' => out.push_str("\\b"),
            '\u{b}' => out.push_str("\\v"),
            '\u{c}' => out.push_str("\\f"),
            c if c.is_ascii_control() => escape(&mut out, 'x', 2, c),
            c if c.is_ascii() || printed(c) => out.push(c),
            c if u32::from(c) < 0x1_0000 => escape(&mut out, 'u', 4, c),
            c => escape(&mut out, 'U', 8, c),
        }
    }
    out.push('"');
    out
}

/// A character by its number, of so many digits.
fn escape(out: &mut String, letter: char, digits: usize, c: char) {
    let _written = write!(out, "\\{letter}{:0digits$x}", u32::from(c));
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::builtins::turn;

    fn answer(format: &str, values: &str) -> Result<Value, Fail> {
        turn::begin(None);
        sprintf(&[format.into(), Value::from_json_str(values).unwrap()])
    }

    #[test]
    fn verbs_flags_and_widths_print_as_in_go() {
        for (format, values, want) in [
            ("%s %s", "[3, 1.5]", "%!s(int64=3) %!s(float64=1.5)"),
            ("%s is %d of %v", r#"["a", 3, [1, "b", null]]"#, r#"a is 3 of [1, "b", null]"#),
            ("%5d|%-5d|%05d|%+d|% d", "[3, 3, -3, 3, 3]", "    3|3    |-0003|+3| 3"),
            ("%6s|%-6s|%.2s", r#"["ab", "ab", "abc"]"#, "    ab|ab    |ab"),
            ("%x %X %o %O %b", "[255, 255, 8, 8, 5]", "ff FF 10 0o10 101"),
            ("%x %q", r#"["abc", "a\"b\n"]"#, r#"616263 "a\"b\n""#),
            ("%f %.2f %6.1f %e", "[1.5, 3.14159, 2.25, 1500.5]", "1.500000 3.14    2.2 1.500500e+03"),
            ("%c%%", "[233]", "é%"),
            ("%q %v", r#"["\u00a0é\u0007", ["\u2028\u0001"]]"#, r#""\u00a0é\a" ["\u2028\x01"]"#),
            (
                "%v %v",
                r#"[{"b": 1, "a": true}, 18446744073709551615]"#,
                "{\"a\": true, \"b\": 1} 18446744073709551615",
            ),
        ] {
            assert_eq!(answer(format, values), Ok(Value::from(want)), "{format}");
        }
    }

    #[test]
    fn what_go_would_mark_as_wrong_is_an_error() {
        for (format, values) in [
            ("%d", r#"["a"]"#),
            ("%t", "[true]"),
            ("%", "[]"),
            ("%d", "[]"),
            ("a", "[1]"),
            ("%d", "[1.5]"),
            ("%.2f", "[5]"),
            ("%e", "[5]"),
            ("%*d", "[1, 2]"),
        ] {
            assert!(matches!(answer(format, values), Err(Fail::Argument(_) | Fail::Verb { .. })), "{format}");
        }
    }

    #[test]
    fn a_verb_that_does_not_fit_is_named_with_its_argument() {
        for (format, values, said) in [
            ("%s of %-5d", r#"["a", "b"]"#, "%d for argument 2 does not fit it: use %v"),
            ("%v%% of %.2f", "[1, 5]", "%f for argument 2 takes fractions"),
            ("%v and %v", "[1]", "%v for argument 2 is not there: "),
            ("%\n", "[1]", "%\\n for argument 1 does not fit it"),
        ] {
            let told = answer(format, values).unwrap_err().to_string();
            assert!(told.starts_with(said), "{format}: {told}");
        }
    }

    #[test]
    fn a_huge_width_hits_the_cap() {
        for format in ["%100000000d", "%.100000000f", "%99999999999999999999d"] {
            assert!(matches!(answer(format, "[1]"), Err(Fail::Limit(_))), "{format}");
        }
    }
}
