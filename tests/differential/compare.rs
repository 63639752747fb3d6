//! Two answers to one question, and what it means that they are the same or not.

use std::collections::BTreeMap;
use std::fmt;

use serde_json::value::RawValue;

/// JSON whose numbers are as they were written.
#[derive(Clone, Debug, PartialEq)]
pub enum Json {
    /// `null`, `true` or `false`.
    Word(String),
    Number(String),
    Text(String),
    List(Vec<Json>),
    Object(BTreeMap<String, Json>),
}

impl Json {
    pub fn parse(text: &str) -> Option<Self> {
        let text = text.trim();
        Some(match text.chars().next()? {
            '"' => Self::Text(serde_json::from_str(text).ok()?),
            '[' => {
                let items: Vec<&RawValue> = serde_json::from_str(text).ok()?;
                Self::List(items.into_iter().map(|item| Self::parse(item.get())).collect::<Option<_>>()?)
            }
            '{' => {
                let members: BTreeMap<String, &RawValue> = serde_json::from_str(text).ok()?;
                let member = |(name, value): (String, &RawValue)| Some((name, Self::parse(value.get())?));
                Self::Object(members.into_iter().map(member).collect::<Option<_>>()?)
            }
            '-' | '0'..='9' => Self::Number(text.to_owned()),
            _ => Self::Word(text.to_owned()),
        })
    }

    pub fn take(&mut self, name: &str) -> Option<Self> {
        match self {
            Self::Object(members) => members.remove(name),
            _ => None,
        }
    }
}

impl fmt::Display for Json {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Word(text) | Self::Number(text) => f.write_str(text),
            Self::Text(text) => f.write_str(&serde_json::Value::from(text.as_str()).to_string()),
            Self::List(items) => {
                let items: Vec<String> = items.iter().map(ToString::to_string).collect();
                write!(f, "[{}]", items.join(","))
            }
            Self::Object(members) => {
                let member = |(name, value): (&String, &Self)| {
                    format!("{}:{value}", serde_json::Value::from(name.as_str()))
                };
                let members: Vec<String> = members.iter().map(member).collect();
                write!(f, "{{{}}}", members.join(","))
            }
        }
    }
}

/// What `opa` answers.
#[derive(Clone, Debug, PartialEq)]
pub enum Theirs {
    Value(Json),
    Undefined,
    /// While evaluating, builtin errors among them.
    Error {
        code: String,
        message: String,
        place: Option<Place>,
    },
    /// The policy is not loaded.
    Refused {
        code: String,
        message: String,
    },
}

/// Where in which module, counted from 1.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    pub module: String,
    pub row: u64,
    pub column: u64,
}

/// What Postern answers.
#[derive(Clone, Debug, PartialEq)]
pub enum Ours {
    Value(Json),
    Undefined,
    /// Denied, with the kind of the cause and its words.
    Error {
        kind: &'static str,
        detail: String,
    },
    /// No answer in time, or a panic.
    Broken(String),
    /// The gate refuses it.
    Refused {
        construct: String,
        detail: String,
    },
}

/// What a pair of answers means.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Verdict {
    /// The same value, or undefined for both.
    Same,
    /// The same but for a difference that the page of differences names.
    Allowed(Allowed),
    /// Neither gives an answer.
    BothFail,
    /// Postern denies where OPA answers, by kind.
    Stricter(String),
    /// Postern refuses at load, by name, what OPA loads.
    Refused(String),
    /// OPA refuses at load; Postern loads it and the rule is undefined.
    Laxer(String),
    /// The answers differ, or Postern answers where OPA does not, or it broke.
    Differs(String),
}

/// What may differ, the least first; each is counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Allowed {
    /// The last digits of a fraction: OPA has 64 bits of it, the engine 53.
    Digits,
    /// How a number is written in a text or a name: OPA keeps `1.0`.
    Spelling,
    /// In a set that holds both, sets stand before objects.
    Order,
    /// In a name that an object is, its members stand in the order of their values, in OPA in that of their letters.
    Within,
    /// Two values of another rule or a function, or two members of a comprehension, contradict each other, which OPA
    /// comes by and the engine, in its order, does not.
    Conflict,
    /// OPA fails by a fault of its own, one of [`OPAS_OWN`].
    Theirs,
    /// Postern answers as OPA does without strict builtin errors, as it runs by default: the two differ in what they
    /// evaluate first, and one came by the error.
    Lenient,
}

impl Allowed {
    pub const fn name(self) -> &'static str {
        match self {
            Self::Digits => "last digits of a fraction",
            Self::Spelling => "how a number is written in a text",
            Self::Order => "sets stand before objects in a set",
            Self::Within => "the order within a name that an object is",
            Self::Conflict => "a conflict that OPA alone comes by",
            Self::Theirs => "OPA's own fault",
            Self::Lenient => "as OPA without strict builtin errors",
        }
    }
}

fn differs(how: &str) -> Verdict {
    Verdict::Differs(how.to_owned())
}

/// Words of the errors that OPA comes to where a policy gives it no reason: a comprehension that reads a variable before
/// OPA has bound it, and `json.filter` of an object that holds an object of data.
const OPAS_OWN: [&str; 2] = ["that requires evaluation", "invalid object value type"];
/// Words of what is refused by a fault of Postern's own.
const SPOILT: [&str; 2] = ["is written anew for the engine", "is to be written anew"];
/// Words of a conflict inside a statement.
pub const CONTRADICT: &str = "object keys must be unique";

/// Whether OPA misses a name that is bound: each of the form `v1` is, and in a list or an object in a template OPA does not
/// see what a comprehension around it binds.
fn overlooked(message: &str) -> bool {
    let name = message.strip_prefix("var v").and_then(|rest| rest.strip_suffix(" is undeclared"));
    name.is_some_and(|number| number.parse::<u32>().is_ok())
}

/// Whether an answer can stand for a statement that had no value.
fn nothing(ours: &Ours) -> bool {
    match ours {
        Ours::Undefined => true,
        Ours::Value(Json::Word(word)) => word == "false",
        Ours::Value(Json::List(items)) => items.is_empty(),
        Ours::Value(Json::Object(members)) => members.is_empty(),
        _ => false,
    }
}

/// Whether OPA should be asked again without strict builtin errors.
pub fn strict_error(ours: &Ours, theirs: &Theirs) -> bool {
    let code = |code: &str| matches!(code, "eval_builtin_error" | "eval_type_error");
    matches!(ours, Ours::Value(_) | Ours::Undefined)
        && matches!(theirs, Theirs::Error { code: of, .. } if code(of))
}

pub fn judge(ours: &Ours, theirs: &Theirs) -> Verdict {
    match (ours, theirs) {
        (Ours::Broken(_), _) => differs("late or panicked"),
        (Ours::Refused { .. } | Ours::Error { .. }, Theirs::Refused { .. } | Theirs::Error { .. }) => {
            Verdict::BothFail
        }
        (Ours::Refused { construct, .. }, _) if SPOILT.iter().any(|spoilt| construct.contains(spoilt)) => {
            differs("does not compile as it is written anew")
        }
        (Ours::Refused { construct, .. }, _) => Verdict::Refused(construct.clone()),
        (Ours::Error { kind, .. }, Theirs::Value(_) | Theirs::Undefined) => {
            Verdict::Stricter((*kind).to_owned())
        }
        (Ours::Value(_) | Ours::Undefined, Theirs::Refused { code, message })
            if code == "rego_compile_error" && overlooked(message) =>
        {
            Verdict::Allowed(Allowed::Theirs)
        }
        (Ours::Undefined, Theirs::Refused { code, message }) => Verdict::Laxer(class(code, message)),
        (Ours::Value(_), Theirs::Refused { code, message }) if code == "rego_type_error" => {
            Verdict::Laxer(class(code, message))
        }
        (Ours::Value(_), Theirs::Refused { code, message }) => {
            Verdict::Differs(format!("answers what OPA does not load: {}", class(code, message)))
        }
        (_, Theirs::Error { message, .. }) if OPAS_OWN.iter().any(|own| message.contains(own)) => {
            Verdict::Allowed(Allowed::Theirs)
        }
        (_, Theirs::Error { message, .. }) if message.contains(CONTRADICT) && nothing(ours) => {
            Verdict::Allowed(Allowed::Conflict)
        }
        (Ours::Undefined, Theirs::Error { .. }) => differs("undefined where OPA fails"),
        (Ours::Value(_), Theirs::Error { .. }) => differs("answers where OPA fails"),
        (Ours::Undefined, Theirs::Undefined) => Verdict::Same,
        (Ours::Value(_), Theirs::Undefined) => differs("a value where OPA has none"),
        (Ours::Undefined, Theirs::Value(_)) => differs("undefined where OPA has a value"),
        (Ours::Value(ours), Theirs::Value(theirs)) => match likeness(ours, theirs) {
            Likeness::Equal => Verdict::Same,
            Likeness::But(allowed) => Verdict::Allowed(allowed),
            Likeness::Other => differs("another value"),
        },
    }
}

/// The code of an error, and its words without the names.
fn class(code: &str, message: &str) -> String {
    let words =
        message.split_whitespace().filter(|word| word.chars().all(|c| c.is_ascii_alphabetic() || c == ':'));
    format!("{code}: {}", words.take(6).collect::<Vec<_>>().join(" "))
}

/// How alike two values are, the most first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Likeness {
    Equal,
    But(Allowed),
    Other,
}

fn likeness(one: &Json, other: &Json) -> Likeness {
    let least = |all: &mut dyn Iterator<Item = Likeness>| all.max().unwrap_or(Likeness::Equal);
    match (one, other) {
        (Json::Number(one), Json::Number(other)) => numbers(one, other),
        (Json::List(one), Json::List(other)) if one != other && sets_first(one) && put_first(one, other) => {
            Likeness::But(Allowed::Order)
        }
        (Json::List(one), Json::List(other)) if one.len() == other.len() => {
            least(&mut one.iter().zip(other).map(|(one, other)| likeness(one, other)))
        }
        (Json::Object(one), Json::Object(other)) if one.len() == other.len() => {
            least(&mut one.iter().map(|(name, one)| member(name, one, other)))
        }
        (Json::Text(one), Json::Text(other)) if one != other && alike(one, other) => {
            Likeness::But(Allowed::Spelling)
        }
        _ if one == other => Likeness::Equal,
        _ => Likeness::Other,
    }
}

/// Whether all objects of a list stand behind all lists, which sets are written as.
fn sets_first(of: &[Json]) -> bool {
    let mut rest = of.iter().skip_while(|item| !matches!(item, Json::Object(_)));
    rest.all(|item| matches!(item, Json::Object(_)))
}

/// Whether two lists are the same but for where the objects stand in them.
fn put_first(one: &[Json], other: &[Json]) -> bool {
    let parts = |of: &[Json]| -> (Vec<Json>, Vec<Json>) {
        of.iter().cloned().partition(|item| matches!(item, Json::Object(_)))
    };
    parts(one) == parts(other)
}

fn numbers(one: &str, other: &str) -> Likeness {
    if decimal(one).is_some() && decimal(one) == decimal(other) {
        return Likeness::Equal;
    }
    let whole = |number: &str| !number.contains(['.', 'e', 'E']);
    match (one.parse::<f64>(), other.parse::<f64>()) {
        (Ok(_), Ok(_)) if whole(one) && whole(other) => Likeness::Other,
        (Ok(one), Ok(other)) if (one - other).abs() <= 4.0 * f64::EPSILON * one.abs() => {
            Likeness::But(Allowed::Digits)
        }
        _ => Likeness::Other,
    }
}

fn member(name: &str, value: &Json, other: &BTreeMap<String, Json>) -> Likeness {
    if let Some(other) = other.get(name) {
        return likeness(value, other);
    }
    if let Some((_, other)) = other.iter().find(|(other, _)| alike(name, &unescaped(other))) {
        return likeness(value, other).max(Likeness::But(Allowed::Spelling));
    }
    // Read as JSON, the members of an object are in no order.
    let read = Json::parse(name);
    let same = |other: &str| read.is_some() && read == Json::parse(&unescaped(other));
    let ordered = other.iter().find(|(other, _)| same(other));
    ordered.map_or(Likeness::Other, |(_, other)| likeness(value, other).max(Likeness::But(Allowed::Within)))
}

/// Whether two texts differ in nothing but how the numbers in them are written: OPA keeps `1.0`, the engine writes `1`.
fn alike(one: &str, other: &str) -> bool {
    let (one, other) = (tokens(one), tokens(other));
    // What is written otherwise is a number to both: no address, no version, no digits with zeros before them.
    let number = |text: &str| serde_json::from_str::<serde_json::Number>(text).is_ok();
    let same = |one: &str, other: &str| {
        one == other || (number(one) && number(other) && numbers(one, other) != Likeness::Other)
    };
    one.len() == other.len() && one.iter().zip(&other).all(|(one, other)| same(one, other))
}

/// A name without the escapes that OPA writes in names that are lists.
fn unescaped(name: &str) -> String {
    let signs = [("<", "003c"), (">", "003e"), ("&", "0026"), ("\u{2028}", "2028"), ("\u{2029}", "2029")];
    signs.iter().fold(name.to_owned(), |name, (sign, code)| name.replace(&format!("\\u{code}"), sign))
}

/// Numbers, and the single characters between them.
fn tokens(text: &str) -> Vec<String> {
    let mut all: Vec<String> = Vec::new();
    let mut number = false;
    for c in text.chars() {
        let goes_on = c.is_ascii_digit()
            || (number && (c == '.' || c == 'e' || c == 'E'))
            || (number
                && (c == '-' || c == '+')
                && all.last().is_some_and(|last| last.ends_with(['e', 'E'])));
        match all.last_mut() {
            Some(last) if goes_on && number => last.push(c),
            Some(last) if goes_on && last == "-" => last.push(c),
            _ => all.push(c.to_string()),
        }
        number = goes_on;
    }
    all
}

/// Sign, digits without zeros at either end, and the power of ten of the last digit.
fn decimal(number: &str) -> Option<(bool, String, i64)> {
    let (mantissa, exponent) = match number.split_once(['e', 'E']) {
        Some((mantissa, exponent)) => (mantissa, exponent.parse::<i64>().ok()?),
        None => (number, 0),
    };
    let (negative, mantissa) = mantissa.strip_prefix('-').map_or((false, mantissa), |rest| (true, rest));
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    if !whole.chars().chain(fraction.chars()).all(|c| c.is_ascii_digit()) {
        return None;
    }
    let digits = format!("{whole}{fraction}");
    let cut = digits.trim_end_matches('0');
    let zeros = i64::try_from(digits.len() - cut.len()).ok()?;
    let cut = cut.trim_start_matches('0');
    if cut.is_empty() {
        return Some((false, String::new(), 0));
    }
    Some((negative, cut.to_owned(), exponent - i64::try_from(fraction.len()).ok()? + zeros))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_equal_by_what_they_are_and_not_by_how_they_are_written() {
        let same =
            |one: &str, other: &str| likeness(&Json::parse(one).unwrap(), &Json::parse(other).unwrap());
        assert_eq!(same("[1.0, {\"a\": 1e3}]", "[1,{\"a\":1000}]"), Likeness::Equal);
        assert_eq!(same("-0.0", "0"), Likeness::Equal);
        assert_eq!(same("0.3", "0.30000000000000004"), Likeness::But(Allowed::Digits));
        assert_eq!(same("\"a 1.0, -2e3\"", "\"a 1, -2000\""), Likeness::But(Allowed::Spelling));
        assert_eq!(same("{\"1.0\": 1}", "{\"1\": 1}"), Likeness::But(Allowed::Spelling));
        assert_eq!(same("[1, [2], {}]", "[1, {}, [2]]"), Likeness::But(Allowed::Order));
        let (ours, theirs) = (r#"{"{\"a\":1,\"[]\":2}": 3}"#, r#"{"{\"[]\":2,\"a\":1}": 3}"#);
        assert_eq!(same(ours, theirs), Likeness::But(Allowed::Within));
        assert_eq!(same(ours, &theirs.replace(": 3", ": 4")), Likeness::Other);
        assert_eq!(same(ours, &theirs.replace(":2", ":1")), Likeness::Other);

        assert_eq!(same("\"a 1.0\"", "\"b 1\""), Likeness::Other);
        assert_eq!(same("\"10\"", "\"1\""), Likeness::Other);
        assert_eq!(same("12345678901234567891", "12345678901234567892"), Likeness::Other);
        assert_eq!(same("\"10.0.0.10/32\"", "\"10.0.0.1/32\""), Likeness::Other);
        assert_eq!(same("\"2024-01-05\"", "\"2024-1-5\""), Likeness::Other);
        assert_eq!(same("\"00042\"", "\"42\""), Likeness::Other);
        assert_eq!(same("1", "1.001"), Likeness::Other);
        assert_eq!(same("1", "\"1\""), Likeness::Other);
        assert_eq!(same("[1, 2]", "[2, 1]"), Likeness::Other);
        assert_eq!(same("[{}, [1]]", "[[1], {}]"), Likeness::Other);
        assert_eq!(same("[[1], [2], {}]", "[{}, [2], [1]]"), Likeness::Other);
        assert_eq!(same("{\"a\": 1}", "{\"b\": 1}"), Likeness::Other);
    }

    #[test]
    fn only_what_both_say_is_agreement() {
        let value = |text| Json::parse(text).unwrap();
        let fails =
            || Theirs::Error { code: "eval_conflict_error".into(), message: String::new(), place: None };
        let unloaded = |code: &str| Theirs::Refused { code: code.into(), message: "var x is unsafe".into() };
        let error = || Ours::Error { kind: "error", detail: String::new() };
        assert_eq!(judge(&Ours::Value(value("1")), &Theirs::Value(value("1.0"))), Verdict::Same);
        assert_eq!(judge(&error(), &fails()), Verdict::BothFail);
        assert_eq!(judge(&error(), &Theirs::Undefined), Verdict::Stricter("error".into()));
        assert!(matches!(judge(&Ours::Undefined, &fails()), Verdict::Differs(_)));
        assert!(matches!(judge(&Ours::Value(value("1")), &fails()), Verdict::Differs(_)));
        assert!(matches!(judge(&Ours::Value(value("1")), &Theirs::Undefined), Verdict::Differs(_)));
        assert!(matches!(judge(&Ours::Undefined, &unloaded("rego_unsafe_var_error")), Verdict::Laxer(_)));
        assert!(matches!(
            judge(&Ours::Value(value("1")), &unloaded("rego_parse_error")),
            Verdict::Differs(_)
        ));
        let (ours, theirs) = (Ours::Value(value("[900719925474099200]")), value("[900719925474099300]"));
        assert!(matches!(judge(&ours, &Theirs::Value(theirs)), Verdict::Differs(_)));
        assert!(matches!(judge(&Ours::Broken("late".into()), &fails()), Verdict::Differs(_)));
    }
}
