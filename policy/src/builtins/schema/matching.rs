//! Where a document is not as its schema says.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::LazyLock;

use ::regex::Regex;
use regorus::Value;
use serde_json::{Map, Value as Json};

use super::{DEPTH, Draft, TOO_DEEP, canonical, joined, named, whole};
use crate::builtins::{Fail, pattern, weigh};
use crate::bundle::canonical::float_as_go;

/// Most comparisons of a value with a schema.
const STEPS: usize = 20_000;
/// Most errors that are told.
const ERRORS: usize = 1_000;

/// All of them as OPA tells them: with `field`, `type`, `desc` and `error`.
pub(super) fn errors(root: &Json, draft: Draft, document: &Json) -> Result<Vec<Value>, Fail> {
    let mut matching = Matching { root, draft, steps: 0 };
    let mut outcome = Outcome::default();
    matching.value(root, document, "(Root)", 0, &mut outcome)?;
    outcome.errors.iter().map(Error::told).collect()
}

struct Error {
    place: String,
    kind: &'static str,
    said: String,
}

impl Error {
    fn told(&self) -> Result<Value, Fail> {
        let field = field(&self.place);
        weigh::pay(2 * (field.len() + self.said.len()))?;
        let mut members = regorus::value::Object::new();
        for (name, value) in [
            ("field", field.to_owned()),
            ("type", self.kind.to_owned()),
            ("desc", self.said.clone()),
            ("error", format!("{field}: {}", self.said)),
        ] {
            members.insert(Value::from(name), Value::from(value));
        }
        Ok(members.into_value())
    }
}

fn field(place: &str) -> &str {
    place.strip_prefix("(Root).").unwrap_or(place)
}

/// What one comparison found. The score says which of several schemas was nearest, whose errors are told.
#[derive(Default)]
struct Outcome {
    errors: Vec<Error>,
    score: i64,
}

impl Outcome {
    fn fits(&self) -> bool {
        self.errors.is_empty()
    }

    fn error(&mut self, place: &str, kind: &'static str, said: impl Into<String>) {
        self.errors.push(Error { place: place.to_owned(), kind, said: said.into() });
        self.score -= 2;
    }

    fn merge(&mut self, other: Self) {
        self.errors.extend(other.errors);
        self.score += other.score;
    }
}

/// Keeps the one that fits better.
fn nearer(nearest: &mut Option<Outcome>, found: Outcome) {
    if nearest.as_ref().is_none_or(|nearest| found.score > nearest.score) {
        *nearest = Some(found);
    }
}

struct Matching<'a> {
    root: &'a Json,
    draft: Draft,
    steps: usize,
}

type Done = Result<(), Fail>;

impl<'a> Matching<'a> {
    fn apart(&mut self, schema: &'a Json, value: &Json, place: &str, depth: usize) -> Result<Outcome, Fail> {
        let mut outcome = Outcome::default();
        self.value(schema, value, place, depth, &mut outcome)?;
        Ok(outcome)
    }

    fn value(
        &mut self,
        schema: &'a Json,
        value: &Json,
        place: &str,
        depth: usize,
        out: &mut Outcome,
    ) -> Done {
        self.steps += 1;
        if self.steps > STEPS || out.errors.len() > ERRORS {
            return Err(Fail::Limit("at most 20000 comparisons and 1000 errors"));
        }
        if depth > DEPTH {
            return Err(TOO_DEEP);
        }
        let members = match schema {
            Json::Object(members) => members,
            Json::Bool(true) => return Ok(()),
            _ => {
                out.error(place, "false", "False always fails validation");
                return Ok(());
            }
        };
        if let Some(refr) = members.get("$ref").and_then(Json::as_str) {
            let part = named(self.root, refr).ok_or(Fail::Argument("takes a `$ref` that names something"))?;
            return self.value(part, value, place, depth + 1, out);
        }
        if let Some(said) = wrong_type(members, value) {
            out.error(place, "invalid_type", said);
            return Ok(());
        }
        self.together(members, value, place, depth, out)?;
        match value {
            Json::Array(items) => self.items(members, items, place, depth, out)?,
            Json::Object(object) => self.object(members, object, place, depth, out)?,
            Json::Number(_) => number(members, value, place, out)?,
            _ => {}
        }
        self.one_of_these(members, value, place, out);
        if let Json::String(text) = value {
            characters(members, text, place, out)?;
        }
        if let Json::Object(object) = value {
            let properties = members.get("properties").and_then(Json::as_object);
            for (name, part) in properties.into_iter().flatten() {
                if let Some(inside) = object.get(name) {
                    self.value(part, inside, &format!("{place}.{name}"), depth + 1, out)?;
                }
            }
        }
        out.score += 1;
        Ok(())
    }

    /// Schemas that are joined.
    fn together(
        &mut self,
        members: &'a Map<String, Json>,
        value: &Json,
        place: &str,
        depth: usize,
        out: &mut Outcome,
    ) -> Done {
        if let Some(parts) = several(members, "anyOf") {
            let mut nearest: Option<Outcome> = None;
            let mut any = false;
            for part in parts {
                let found = self.apart(part, value, place, depth + 1)?;
                if found.fits() {
                    any = true;
                    break;
                }
                nearer(&mut nearest, found);
            }
            if !any {
                out.error(place, "number_any_of", "Must validate at least one schema (anyOf)");
                out.merge(nearest.unwrap_or_default());
            }
        }
        if let Some(parts) = several(members, "oneOf") {
            let (mut nearest, mut fitting): (Option<Outcome>, _) = (None, 0);
            for part in parts {
                let found = self.apart(part, value, place, depth + 1)?;
                if found.fits() {
                    fitting += 1;
                } else if fitting == 0 {
                    nearer(&mut nearest, found);
                }
            }
            if fitting != 1 {
                out.error(place, "number_one_of", "Must validate one and only one schema (oneOf)");
                out.merge(nearest.filter(|_| fitting == 0).unwrap_or_default());
            }
        }
        if let Some(parts) = several(members, "allOf") {
            let mut all = true;
            for part in parts {
                let found = self.apart(part, value, place, depth + 1)?;
                all &= found.fits();
                out.merge(found);
            }
            if !all {
                out.error(place, "number_all_of", "Must validate all the schemas (allOf)");
            }
        }
        if let Some(part) = members.get("not")
            && self.apart(part, value, place, depth + 1)?.fits()
        {
            out.error(place, "number_not", "Must not validate the schema (not)");
        }
        self.dependencies(members, value, place, depth, out)?;
        if let Some(part) = members.get("if").filter(|_| self.draft >= Draft::Seven) {
            let (name, kind, said) = if self.apart(part, value, place, depth + 1)?.fits() {
                ("then", "condition_then", "Must validate \"then\" as \"if\" was valid")
            } else {
                ("else", "condition_else", "Must validate \"else\" as \"if\" was not valid")
            };
            if let Some(part) = members.get(name) {
                let found = self.apart(part, value, place, depth + 1)?;
                if !found.fits() {
                    out.error(place, kind, said);
                    out.merge(found);
                }
            }
        }
        out.score += 1;
        Ok(())
    }

    fn dependencies(
        &mut self,
        members: &'a Map<String, Json>,
        value: &Json,
        place: &str,
        depth: usize,
        out: &mut Outcome,
    ) -> Done {
        let (Some(dependencies), Json::Object(object)) = (members.get("dependencies"), value) else {
            return Ok(());
        };
        for (name, needed) in dependencies.as_object().into_iter().flatten() {
            match needed {
                _ if !object.contains_key(name) => {}
                Json::Array(needed) => {
                    for other in
                        needed.iter().filter_map(Json::as_str).filter(|other| !object.contains_key(*other))
                    {
                        out.error(place, "missing_dependency", format!("Has a dependency on {other}"));
                    }
                }
                part => self.value(part, value, place, depth + 1, out)?,
            }
        }
        Ok(())
    }

    fn items(
        &mut self,
        members: &'a Map<String, Json>,
        items: &[Json],
        place: &str,
        depth: usize,
        out: &mut Outcome,
    ) -> Done {
        let (each, first) = match members.get("items") {
            Some(Json::Array(first)) => (members.get("additionalItems"), first.as_slice()),
            each => (each, &[][..]),
        };
        // Behind a list of schemas `true` says nothing, and so does an empty list.
        let positional = matches!(members.get("items"), Some(Json::Array(_)));
        for (at, item) in items.iter().enumerate() {
            let part = match (first.get(at), each) {
                (Some(part), _) => part,
                (None, Some(Json::Bool(false))) if positional && !first.is_empty() => {
                    out.error(place, "array_no_additional_items", "No additional items allowed on array");
                    break;
                }
                (None, Some(Json::Bool(_))) if positional => break,
                (None, Some(part)) if !positional || !first.is_empty() => part,
                _ => break,
            };
            let found = self.apart(part, item, &format!("{place}.{at}"), depth + 1)?;
            out.merge(found);
        }
        bounds(members, items.len(), ITEMS, place, out);
        if members.get("uniqueItems") == Some(&Json::Bool(true)) {
            let mut known = BTreeMap::new();
            for (at, item) in items.iter().enumerate() {
                if let Some(other) = known.insert(canonical(item), at) {
                    out.error(place, "unique", format!("array items[{other},{at}] must be unique"));
                }
            }
        }
        if let Some(part) = members.get("contains").filter(|_| self.draft >= Draft::Six) {
            let mut nearest: Option<Outcome> = None;
            let mut any = false;
            for (at, item) in items.iter().enumerate() {
                let found = self.apart(part, item, &format!("{place}.{at}"), depth + 1)?;
                if found.fits() {
                    any = true;
                    break;
                }
                nearer(&mut nearest, found);
            }
            if !any {
                out.error(place, "contains", "At least one of the items must match");
                out.merge(nearest.unwrap_or_default());
            }
        }
        out.score += 1;
        Ok(())
    }

    fn object(
        &mut self,
        members: &'a Map<String, Json>,
        object: &Map<String, Json>,
        place: &str,
        depth: usize,
        out: &mut Outcome,
    ) -> Done {
        bounds(members, object.len(), PROPERTIES, place, out);
        for name in several(members, "required").unwrap_or_default().iter().filter_map(Json::as_str) {
            if object.contains_key(name) {
                out.score += 1;
            } else {
                out.error(place, "required", format!("{name} is required"));
            }
        }
        let properties = members.get("properties").and_then(Json::as_object);
        let patterns = members.get("patternProperties").and_then(Json::as_object);
        let additional = members.get("additionalProperties");
        for (name, inside) in object {
            let here = format!("{place}.{name}");
            let mut described = properties.is_some_and(|properties| properties.contains_key(name));
            let mut by_pattern = false;
            for (written, part) in patterns.into_iter().flatten() {
                if pattern::compiled(written)?.is_match(name) {
                    by_pattern = true;
                    let found = self.apart(part, inside, &here, depth + 1)?;
                    out.merge(found);
                }
            }
            out.score += i64::from(by_pattern);
            described |= by_pattern;
            match additional {
                Some(Json::Bool(false)) if !described => out.error(
                    place,
                    "additional_property_not_allowed",
                    format!("Additional property {name} is not allowed"),
                ),
                Some(part @ Json::Object(_)) if !described => {
                    let found = self.apart(part, inside, &here, depth + 1)?;
                    out.merge(found);
                }
                _ => {}
            }
        }
        if let Some(part) = members.get("propertyNames").filter(|_| self.draft >= Draft::Six) {
            for name in object.keys() {
                let found = self.apart(part, &Json::from(name.as_str()), place, depth + 1)?;
                if !found.fits() {
                    out.error(
                        place,
                        "invalid_property_name",
                        format!("Property name of \"{name}\" does not match"),
                    );
                    out.merge(found);
                }
            }
        }
        out.score += 1;
        Ok(())
    }

    fn one_of_these(&self, members: &Map<String, Json>, value: &Json, place: &str, out: &mut Outcome) {
        if let Some(only) = members.get("const").filter(|_| self.draft >= Draft::Six)
            && canonical(only) != canonical(value)
        {
            out.error(place, "const", format!("{} does not match: {}", field(place), canonical(only)));
        }
        if let Some(values) = several(members, "enum") {
            let values: Vec<String> = values.iter().map(canonical).collect();
            if !values.contains(&canonical(value)) {
                let all = joined(values.iter(), ", ");
                out.error(place, "enum", format!("{} must be one of the following: {all}", field(place)));
            }
        }
        if let (Some(format), Json::String(text)) = (members.get("format").and_then(Json::as_str), value)
            && !of_format(format, text)
        {
            out.error(place, "format", format!("Does not match format '{format}'"));
        }
        out.score += 1;
    }
}

fn several<'a>(members: &'a Map<String, Json>, name: &str) -> Option<&'a [Json]> {
    let several = members.get(name)?.as_array()?;
    // Of nothing none can be chosen; the other words say nothing then.
    (name == "enum" || !several.is_empty()).then_some(several.as_slice())
}

fn wrong_type(members: &Map<String, Json>, value: &Json) -> Option<String> {
    let wanted: Vec<&str> = match members.get("type")? {
        Json::Array(several) => several.iter().filter_map(Json::as_str).collect(),
        one => one.as_str().into_iter().collect(),
    };
    let given = match value {
        Json::Null => "null",
        Json::Bool(_) => "boolean",
        Json::Number(_) if whole(value) => "integer",
        Json::Number(_) => "number",
        Json::String(_) => "string",
        Json::Array(_) => "array",
        Json::Object(_) => "object",
    };
    let fits = |name: &&str| *name == given || (*name == "number" && given == "integer");
    if wanted.is_empty() || wanted.iter().any(fits) {
        return None;
    }
    let expected = if let [one] = wanted[..] { one.to_owned() } else { format!("[{}]", wanted.join(",")) };
    Some(format!("Invalid type. Expected: {expected}, given: {given}"))
}

/// The least and the most that there may be: the word, the kind of error, and what is said, `#` for the number.
type Bounds = [(&'static str, &'static str, &'static str); 2];

const ITEMS: Bounds = [
    ("minItems", "array_min_items", "Array must have at least # items"),
    ("maxItems", "array_max_items", "Array must have at most # items"),
];
const PROPERTIES: Bounds = [
    ("minProperties", "array_min_properties", "Must have at least # properties"),
    ("maxProperties", "array_max_properties", "Must have at most # properties"),
];
const CHARACTERS: Bounds = [
    ("minLength", "string_gte", "String length must be greater than or equal to #"),
    ("maxLength", "string_lte", "String length must be less than or equal to #"),
];

fn bounds(members: &Map<String, Json>, count: usize, bounds: Bounds, place: &str, out: &mut Outcome) {
    let count = u64::try_from(count).unwrap_or(u64::MAX);
    for (index, (word, kind, said)) in bounds.into_iter().enumerate() {
        let bound = members.get(word).and_then(Json::as_u64);
        if let Some(bound) = bound.filter(|bound| if index == 0 { count < *bound } else { count > *bound }) {
            out.error(place, kind, said.replace('#', &bound.to_string()));
        }
    }
}

fn characters(members: &Map<String, Json>, text: &str, place: &str, out: &mut Outcome) -> Done {
    bounds(members, text.chars().count(), CHARACTERS, place, out);
    if let Some(written) = members.get("pattern").and_then(Json::as_str) {
        if text.len() > 8_192 {
            return Err(Fail::Limit("a text of at most 8192 bytes for a pattern"));
        }
        if !pattern::compiled(written)?.is_match(text) {
            out.error(place, "pattern", format!("Does not match pattern '{written}'"));
        }
    }
    out.score += 1;
    Ok(())
}

fn number(members: &Map<String, Json>, value: &Json, place: &str, out: &mut Outcome) -> Done {
    if let Some(step) = members.get("multipleOf")
        && !multiple(value, step)?
    {
        out.error(place, "multiple_of", format!("Must be a multiple of {}", shown(step)));
    }
    for (bound, exclusive, least) in
        [("maximum", "exclusiveMaximum", false), ("minimum", "exclusiveMinimum", true)]
    {
        // In draft 4 the one says of the other that it does not belong to what is allowed.
        let (inclusive, strict) = match members.get(exclusive) {
            Some(Json::Bool(true)) => (None, members.get(bound)),
            Some(strict @ Json::Number(_)) => (members.get(bound), Some(strict)),
            _ => (members.get(bound), None),
        };
        let order = |bound: &Json| if least { compared(value, bound) } else { compared(bound, value) };
        if let Some(bound) = inclusive.filter(|bound| order(bound).is_lt()) {
            let (kind, said) = if least {
                ("number_gte", "greater than or equal")
            } else {
                ("number_lte", "less than or equal")
            };
            out.error(place, kind, format!("Must be {said} to {}", shown(bound)));
        }
        if let Some(bound) = strict.filter(|bound| order(bound).is_le()) {
            let (kind, said) = if least { ("number_gt", "greater") } else { ("number_lt", "less") };
            out.error(place, kind, format!("Must be {said} than {}", shown(bound)));
        }
    }
    out.score += 1;
    Ok(())
}

fn compared(one: &Json, other: &Json) -> std::cmp::Ordering {
    let exact = |value: &Json| value.as_i64().map(i128::from).or_else(|| value.as_u64().map(i128::from));
    if let Some((one, other)) = exact(one).zip(exact(other)) {
        return one.cmp(&other);
    }
    one.as_f64().unwrap_or_default().total_cmp(&other.as_f64().unwrap_or_default())
}

/// Digits, and the power of ten of the last.
fn decimal(value: &Json) -> Option<(i128, i32)> {
    let written = match value.as_f64().filter(|_| value.is_f64()) {
        Some(float) => format!("{float:e}"),
        None => format!("{value}e0"),
    };
    let (digits, power) = written.split_once('e')?;
    let (before, after) = digits.split_once('.').unwrap_or((digits, ""));
    let fraction = i32::try_from(after.len()).ok()?;
    Some((format!("{before}{after}").parse().ok()?, power.parse::<i32>().ok()? - fraction))
}

/// Exact, as written in decimals.
fn multiple(value: &Json, step: &Json) -> Result<bool, Fail> {
    let exact = || {
        let ((value, of), (step, per)) = (decimal(value)?, decimal(step)?);
        let power = of.min(per);
        let scaled = |digits: i128, from: i32| {
            digits.checked_mul(10_i128.checked_pow(u32::try_from(from - power).ok()?)?)
        };
        scaled(value, of)?.checked_rem(scaled(step, per)?)
    };
    exact().map(|rest| rest == 0).ok_or(Fail::Argument("takes numbers of at most 38 digits for `multipleOf`"))
}

/// A bound as Go writes it: with an exponent from a million on, and below a ten-thousandth.
fn shown(value: &Json) -> String {
    let float = value.as_f64().unwrap_or_default();
    if float == 0.0 || (1e-4..1e6).contains(&float.abs()) {
        return float_as_go(float);
    }
    let written = format!("{float:e}");
    let Some((digits, power)) = written.split_once('e') else { return written };
    let (sign, power) = power.strip_prefix('-').map_or(('+', power), |power| ('-', power));
    format!("{digits}e{sign}{power:0>2}")
}

fn of_format(format: &str, text: &str) -> bool {
    static UUID: LazyLock<Option<Regex>> =
        LazyLock::new(|| Regex::new("^[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}$").ok());
    static HOSTNAME: LazyLock<Option<Regex>> = LazyLock::new(|| {
        let part = "[a-zA-Z0-9](?:[a-zA-Z0-9-]{0,61}[a-zA-Z0-9])?";
        Regex::new(&format!("^{part}(?:\\.{part})*$")).ok()
    });
    let is = |pattern: &Option<Regex>| pattern.as_ref().is_some_and(|pattern| pattern.is_match(text));
    match format {
        "date" => day(text),
        "hostname" => text.len() < 256 && is(&HOSTNAME),
        // An IPv4 address within an IPv6 one is both to OPA.
        "ipv4" => text.contains('.') && text.parse::<IpAddr>().is_ok(),
        "ipv6" => text.contains(':') && text.parse::<IpAddr>().is_ok(),
        "uuid" => is(&UUID),
        _ => true,
    }
}

/// A day of the calendar, YYYY-MM-DD.
fn day(text: &str) -> bool {
    let parts: Vec<&str> = text.split('-').collect();
    let [year, month, day] = parts[..] else { return false };
    let number = |text: &str, digits: usize| {
        let fits = text.len() == digits && text.bytes().all(|byte| byte.is_ascii_digit());
        text.parse::<u32>().ok().filter(|_| fits)
    };
    let (Some(year), Some(month), Some(day)) = (number(year, 4), number(month, 2), number(day, 2)) else {
        return false;
    };
    let leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    let days = match month {
        2 => 28 + u32::from(leap),
        4 | 6 | 9 | 11 => 30,
        1..=12 => 31,
        _ => return false,
    };
    (1..=days).contains(&day)
}
