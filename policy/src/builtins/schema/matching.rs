//! Where a document is not as its schema says.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::net::IpAddr;
use std::rc::Rc;
use std::sync::LazyLock;

use ::regex::Regex;
use regorus::Value;
use serde_json::{Map, Value as Json};

use super::{DEPTH, Draft, TOO_DEEP, canonical, named, whole};
use crate::builtins::{Fail, pattern, weigh};
use crate::document::exact::float_as_go;

/// Most steps: a value compared with a schema, a name with a pattern, an error made, a value written to be compared.
const STEPS: usize = 20_000;
/// How many names that are looked up in an object count as a step.
const LOOKUPS: usize = 16;
/// Most errors that are told.
const ERRORS: usize = 1_000;
/// Longest text that a pattern is asked of, in bytes, and most of all such texts together.
const PATTERN: usize = 8 * 1024;
const PATTERNS: usize = 64 * 1024;
/// What an error weighs beside its text, in bytes.
const ERROR: usize = 64;
const TOO_MANY: Fail = Fail::Limit("at most 20000 comparisons and 1000 errors");

/// All of them as OPA tells them: with `field`, `type`, `desc` and `error`.
pub(super) fn errors(root: &Json, draft: Draft, document: &Json) -> Result<Vec<Value>, Fail> {
    let mut matching = Matching::new(root, draft);
    let mut outcome = Outcome::default();
    matching.value(root, document, &Place::Root, 0, &mut outcome)?;
    if outcome.errors.len() > ERRORS {
        return Err(TOO_MANY);
    }
    outcome.errors.iter().map(Error::told).collect()
}

struct Error {
    field: String,
    kind: &'static str,
    said: String,
}

impl Error {
    fn told(&self) -> Result<Value, Fail> {
        weigh::pay(2 * (self.field.len() + self.said.len()))?;
        let mut members = regorus::value::Object::new();
        for (name, value) in [
            ("field", self.field.clone()),
            ("type", self.kind.to_owned()),
            ("desc", self.said.clone()),
            ("error", format!("{}: {}", self.field, self.said)),
        ] {
            members.insert(Value::from(name), Value::from(value));
        }
        Ok(members.into_value())
    }
}

/// Where in the document a value stands: written out only for an error.
enum Place<'p> {
    Root,
    Member(&'p Place<'p>, &'p str),
    Item(&'p Place<'p>, usize),
}

impl Place<'_> {
    fn field(&self) -> String {
        let part = |above: &Place<'_>, name: &str| match above {
            Place::Root => name.to_owned(),
            above => format!("{}.{name}", above.field()),
        };
        match self {
            Place::Root => "(Root)".to_owned(),
            Place::Member(above, name) => part(above, name),
            Place::Item(above, at) => part(above, &at.to_string()),
        }
    }
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
    /// Bytes of text that patterns were asked of.
    searched: usize,
    /// What is written out of each `enum` and `const`, by its place in memory.
    allowed: HashMap<*const Json, Rc<Allowed>>,
}

struct Allowed {
    values: HashSet<String>,
    said: String,
}

type Done = Result<(), Fail>;

impl<'a> Matching<'a> {
    fn new(root: &'a Json, draft: Draft) -> Self {
        Self { root, draft, steps: 0, searched: 0, allowed: HashMap::new() }
    }

    fn step(&mut self, steps: usize) -> Done {
        self.steps = self.steps.saturating_add(steps);
        if self.steps > STEPS { Err(TOO_MANY) } else { Ok(()) }
    }

    /// Counts and pays where an error is made: whether it will be told is known much later.
    fn error(
        &mut self,
        out: &mut Outcome,
        place: &Place<'_>,
        kind: &'static str,
        said: impl Into<String>,
    ) -> Done {
        self.step(1)?;
        let error = Error { field: place.field(), kind, said: said.into() };
        weigh::pay(ERROR + error.field.len() + error.said.len())?;
        out.errors.push(error);
        out.score -= 2;
        Ok(())
    }

    /// A value of the document as text that equal values have in common.
    fn written(&mut self, value: &Json) -> Result<String, Fail> {
        self.step(values(value))?;
        let written = canonical(value);
        weigh::pay(written.len())?;
        Ok(written)
    }

    /// What an `enum` or `const` allows, written out once.
    fn allowed(&mut self, of: &'a Json, values: &'a [Json]) -> Result<Rc<Allowed>, Fail> {
        if let Some(known) = self.allowed.get(&std::ptr::from_ref(of)) {
            return Ok(Rc::clone(known));
        }
        let written: Vec<String> = values.iter().map(canonical).collect();
        let said = written.join(", ");
        weigh::pay(2 * said.len())?;
        let allowed = Rc::new(Allowed { values: written.into_iter().collect(), said });
        self.allowed.insert(of, Rc::clone(&allowed));
        Ok(allowed)
    }

    fn fits_pattern(&mut self, written: &str, text: &str) -> Result<bool, Fail> {
        self.step(1)?;
        self.searched = self.searched.saturating_add(text.len());
        if text.len() > PATTERN || self.searched > PATTERNS {
            return Err(Fail::Limit(
                "a text of at most 8192 bytes for a pattern, and 64 KiB of all together",
            ));
        }
        Ok(pattern::compiled(written)?.is_match(text))
    }

    fn apart(
        &mut self,
        schema: &'a Json,
        value: &Json,
        place: &Place<'_>,
        depth: usize,
    ) -> Result<Outcome, Fail> {
        let mut outcome = Outcome::default();
        self.value(schema, value, place, depth, &mut outcome)?;
        Ok(outcome)
    }

    fn value(
        &mut self,
        schema: &'a Json,
        value: &Json,
        place: &Place<'_>,
        depth: usize,
        out: &mut Outcome,
    ) -> Done {
        self.step(1)?;
        if depth > DEPTH {
            return Err(TOO_DEEP);
        }
        let members = match schema {
            Json::Object(members) => members,
            Json::Bool(true) => return Ok(()),
            _ => {
                return self.error(out, place, "false", "False always fails validation");
            }
        };
        if let Some(refr) = members.get("$ref").and_then(Json::as_str) {
            let part = named(self.root, refr).ok_or(Fail::Argument("takes a `$ref` that names something"))?;
            return self.value(part, value, place, depth + 1, out);
        }
        if let Some(said) = wrong_type(members, value) {
            return self.error(out, place, "invalid_type", said);
        }
        self.together(members, value, place, depth, out)?;
        match value {
            Json::Array(items) => self.items(members, items, place, depth, out)?,
            Json::Object(object) => self.object(members, object, place, depth, out)?,
            Json::Number(_) => self.number(members, value, place, out)?,
            _ => {}
        }
        self.one_of_these(members, value, place, out)?;
        if let Json::String(text) = value {
            self.characters(members, text, place, out)?;
        }
        if let Json::Object(object) = value {
            let properties = members.get("properties").and_then(Json::as_object);
            self.step(properties.map_or(0, Map::len) / LOOKUPS)?;
            for (name, part) in properties.into_iter().flatten() {
                if let Some(inside) = object.get(name) {
                    self.value(part, inside, &Place::Member(place, name), depth + 1, out)?;
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
        place: &Place<'_>,
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
                self.error(out, place, "number_any_of", "Must validate at least one schema (anyOf)")?;
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
                self.error(out, place, "number_one_of", "Must validate one and only one schema (oneOf)")?;
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
                self.error(out, place, "number_all_of", "Must validate all the schemas (allOf)")?;
            }
        }
        if let Some(part) = members.get("not")
            && self.apart(part, value, place, depth + 1)?.fits()
        {
            self.error(out, place, "number_not", "Must not validate the schema (not)")?;
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
                    self.error(out, place, kind, said)?;
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
        place: &Place<'_>,
        depth: usize,
        out: &mut Outcome,
    ) -> Done {
        let (Some(dependencies), Json::Object(object)) = (members.get("dependencies"), value) else {
            return Ok(());
        };
        self.step(dependencies.as_object().map_or(0, Map::len) / LOOKUPS)?;
        for (name, needed) in dependencies.as_object().into_iter().flatten() {
            match needed {
                _ if !object.contains_key(name) => {}
                Json::Array(needed) => {
                    self.step(needed.len() / LOOKUPS)?;
                    for other in
                        needed.iter().filter_map(Json::as_str).filter(|other| !object.contains_key(*other))
                    {
                        self.error(out, place, "missing_dependency", format!("Has a dependency on {other}"))?;
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
        place: &Place<'_>,
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
                    self.error(
                        out,
                        place,
                        "array_no_additional_items",
                        "No additional items allowed on array",
                    )?;
                    break;
                }
                (None, Some(Json::Bool(_))) if positional => break,
                (None, Some(part)) if !positional || !first.is_empty() => part,
                _ => break,
            };
            let found = self.apart(part, item, &Place::Item(place, at), depth + 1)?;
            out.merge(found);
        }
        self.bounds(members, items.len(), ITEMS, place, out)?;
        if members.get("uniqueItems") == Some(&Json::Bool(true)) {
            let mut known = BTreeMap::new();
            for (at, item) in items.iter().enumerate() {
                if let Some(other) = known.insert(self.written(item)?, at) {
                    self.error(out, place, "unique", format!("array items[{other},{at}] must be unique"))?;
                }
            }
        }
        if let Some(part) = members.get("contains").filter(|_| self.draft >= Draft::Six) {
            let mut nearest: Option<Outcome> = None;
            let mut any = false;
            for (at, item) in items.iter().enumerate() {
                let found = self.apart(part, item, &Place::Item(place, at), depth + 1)?;
                if found.fits() {
                    any = true;
                    break;
                }
                nearer(&mut nearest, found);
            }
            if !any {
                self.error(out, place, "contains", "At least one of the items must match")?;
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
        place: &Place<'_>,
        depth: usize,
        out: &mut Outcome,
    ) -> Done {
        self.bounds(members, object.len(), PROPERTIES, place, out)?;
        let required = several(members, "required").unwrap_or_default();
        self.step((required.len() + object.len()) / LOOKUPS)?;
        for name in required.iter().filter_map(Json::as_str) {
            if object.contains_key(name) {
                out.score += 1;
            } else {
                self.error(out, place, "required", format!("{name} is required"))?;
            }
        }
        let properties = members.get("properties").and_then(Json::as_object);
        let patterns = members.get("patternProperties").and_then(Json::as_object);
        let additional = members.get("additionalProperties");
        for (name, inside) in object {
            let here = Place::Member(place, name);
            let mut described = properties.is_some_and(|properties| properties.contains_key(name));
            let mut by_pattern = false;
            for (written, part) in patterns.into_iter().flatten() {
                if self.fits_pattern(written, name)? {
                    by_pattern = true;
                    let found = self.apart(part, inside, &here, depth + 1)?;
                    out.merge(found);
                }
            }
            out.score += i64::from(by_pattern);
            described |= by_pattern;
            match additional {
                Some(Json::Bool(false)) if !described => self.error(
                    out,
                    place,
                    "additional_property_not_allowed",
                    format!("Additional property {name} is not allowed"),
                )?,
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
                    self.error(
                        out,
                        place,
                        "invalid_property_name",
                        format!("Property name of \"{name}\" does not match"),
                    )?;
                    out.merge(found);
                }
            }
        }
        out.score += 1;
        Ok(())
    }

    fn one_of_these(
        &mut self,
        members: &'a Map<String, Json>,
        value: &Json,
        place: &Place<'_>,
        out: &mut Outcome,
    ) -> Done {
        if let Some(only) = members.get("const").filter(|_| self.draft >= Draft::Six) {
            let allowed = self.allowed(only, std::slice::from_ref(only))?;
            if !allowed.values.contains(&self.written(value)?) {
                let said = format!("{} does not match: {}", place.field(), allowed.said);
                self.error(out, place, "const", said)?;
            }
        }
        if let Some((of, values)) = members.get("enum").zip(several(members, "enum")) {
            let allowed = self.allowed(of, values)?;
            if !allowed.values.contains(&self.written(value)?) {
                let said = format!("{} must be one of the following: {}", place.field(), allowed.said);
                self.error(out, place, "enum", said)?;
            }
        }
        if let (Some(format), Json::String(text)) = (members.get("format").and_then(Json::as_str), value)
            && !of_format(format, text)
        {
            self.error(out, place, "format", format!("Does not match format '{format}'"))?;
        }
        out.score += 1;
        Ok(())
    }

    fn bounds(
        &mut self,
        members: &Map<String, Json>,
        count: usize,
        bounds: Bounds,
        place: &Place<'_>,
        out: &mut Outcome,
    ) -> Done {
        let count = u64::try_from(count).unwrap_or(u64::MAX);
        for (index, (word, kind, said)) in bounds.into_iter().enumerate() {
            let bound = members.get(word).and_then(Json::as_u64);
            if let Some(bound) =
                bound.filter(|bound| if index == 0 { count < *bound } else { count > *bound })
            {
                self.error(out, place, kind, said.replace('#', &bound.to_string()))?;
            }
        }
        Ok(())
    }

    fn characters(
        &mut self,
        members: &Map<String, Json>,
        text: &str,
        place: &Place<'_>,
        out: &mut Outcome,
    ) -> Done {
        self.bounds(members, text.chars().count(), CHARACTERS, place, out)?;
        if let Some(written) = members.get("pattern").and_then(Json::as_str)
            && !self.fits_pattern(written, text)?
        {
            self.error(out, place, "pattern", format!("Does not match pattern '{written}'"))?;
        }
        out.score += 1;
        Ok(())
    }

    fn number(
        &mut self,
        members: &Map<String, Json>,
        value: &Json,
        place: &Place<'_>,
        out: &mut Outcome,
    ) -> Done {
        if let Some(step) = members.get("multipleOf")
            && !multiple(value, step)?
        {
            self.error(out, place, "multiple_of", format!("Must be a multiple of {}", shown(step)))?;
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
                self.error(out, place, kind, format!("Must be {said} to {}", shown(bound)))?;
            }
            if let Some(bound) = strict.filter(|bound| order(bound).is_le()) {
                let (kind, said) = if least { ("number_gt", "greater") } else { ("number_lt", "less") };
                self.error(out, place, kind, format!("Must be {said} than {}", shown(bound)))?;
            }
        }
        out.score += 1;
        Ok(())
    }
}

/// How many values stand in this one, itself included.
fn values(value: &Json) -> usize {
    1 + match value {
        Json::Array(items) => items.iter().map(values).sum::<usize>(),
        Json::Object(members) => members.values().map(values).sum(),
        _ => 0,
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
    if text.len() != "YYYY-MM-DD".len() {
        return false;
    }
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

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::builtins::turn;

    /// The steps of one matching, and how it ended.
    fn matched(schema: &Json, document: &Json) -> (usize, Result<usize, Fail>) {
        turn::begin(None);
        let mut matching = Matching::new(schema, Draft::Any);
        let mut outcome = Outcome::default();
        let done = matching.value(schema, document, &Place::Root, 0, &mut outcome);
        (matching.steps, done.map(|()| outcome.errors.len()))
    }

    #[test]
    fn an_error_counts_and_is_paid_for_where_it_is_made_also_if_it_is_never_told() {
        assert_eq!(matched(&json!({"required": ["a", "b", "c"]}), &json!({})), (4, Ok(3)));
        let either = json!({"anyOf": [{"required": ["a", "b", "c"]}, {}]});
        assert_eq!(matched(&either, &json!({})), (6, Ok(0)));

        let names: Vec<String> = (0..1_000).map(|name| name.to_string()).collect();
        let (steps, end) =
            matched(&json!({"items": {"required": names}}), &Json::from(vec![json!({}); 4_900]));
        assert_eq!((steps, end), (STEPS + 1, Err(TOO_MANY)));

        let mut long = Map::new();
        long.insert("a".repeat(64 * 1024), Json::from(vec![1; 4_900]));
        let each = json!({"additionalProperties": {"items": {"type": "string"}}});
        let (steps, end) = matched(&each, &Json::Object(long));
        // Of errors with 64 KiB of place each the purse pays for 127.
        assert_eq!((steps, end), (2 + 2 * 128, Err(Fail::Limit(weigh::PURSE_LIMIT))));
    }

    #[test]
    fn what_is_allowed_is_written_out_once_and_what_is_compared_with_it_each_time() {
        turn::begin(None);
        let values: Vec<u32> = (0..3_000).collect();
        let schema = json!({"items": {"enum": values, "const": 7}});
        let document = Json::from(vec![7; 4_900]);
        let mut matching = Matching::new(&schema, Draft::Any);
        let done = matching.value(&schema, &document, &Place::Root, 0, &mut Outcome::default());
        assert_eq!((done, matching.allowed.len(), matching.steps), (Ok(()), 2, 1 + 3 * 4_900));

        let nested = json!([[1, 2], [3, 4]]);
        assert_eq!(matched(&json!({"enum": [nested]}), &nested), (8, Ok(0)));
    }

    #[test]
    fn a_name_that_a_pattern_is_asked_of_is_a_step() {
        let schema = json!({"patternProperties": {"^a": true, "b": true}});
        // Each of three names of both patterns, and the values of the two that one of them fits.
        assert_eq!(matched(&schema, &json!({"a": 1, "b": 1, "c": 1})), (1 + 6 + 2, Ok(0)));

        let part = || (0..17).map(|name| (format!("{name}{}", "a".repeat(4_000)), Json::Null)).collect();
        let (_, end) = matched(&schema, &Json::Object(part()));
        assert!(matches!(end, Err(Fail::Limit(_))));
    }
}
