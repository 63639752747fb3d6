//! Whether a schema is one. In the words of OPA's library, as far as authors meet them.

use std::collections::BTreeSet;

use serde_json::{Map, Value as Json};

use super::{DEPTH, Draft, PATTERNS, TOO_DEEP, Wrong, canonical, named, none, unknown, whole};
use crate::builtins::{Fail, pattern};

const TYPES: [&str; 7] = ["array", "boolean", "integer", "number", "null", "object", "string"];
/// Formats that OPA looks at and we do not; what neither knows passes.
const OTHER_FORMATS: [&str; 12] = [
    "time",
    "date-time",
    "email",
    "idn-email",
    "uri",
    "uri-reference",
    "iri",
    "iri-reference",
    "uri-template",
    "regex",
    "json-pointer",
    "relative-json-pointer",
];

/// Checks a whole schema; gives the draft that it is written for.
pub(super) fn schema(root: &Json) -> Result<Draft, Wrong> {
    let draft = match root {
        Json::Bool(_) => Draft::Any,
        Json::Object(members) => match members.get("$schema") {
            None => Draft::Any,
            Some(Json::String(draft)) => match draft.trim_end_matches('#') {
                "http://json-schema.org/draft-04/schema" => Draft::Four,
                "http://json-schema.org/draft-06/schema" => Draft::Six,
                "http://json-schema.org/draft-07/schema" => Draft::Seven,
                _ => return unknown("takes a `$schema` of the drafts 4, 6 and 7"),
            },
            Some(_) => return none("$schema must be of type string"),
        },
        _ => return none("schema is invalid"),
    };
    addresses(root, true)?;
    Check { root, draft, followed: BTreeSet::new(), patterns: BTreeSet::new() }.schema(root, 0)?;
    Ok(draft)
}

/// A part that has a name of its own changes what every `$ref` in it means.
fn addresses(value: &Json, root: bool) -> Result<(), Wrong> {
    match value {
        Json::Array(items) => items.iter().try_for_each(|item| addresses(item, false)),
        Json::Object(members) => {
            for id in ["id", "$id"] {
                let address = members.get(id).and_then(Json::as_str);
                let plain = |c: char| c.is_ascii_alphanumeric() || "-._~/:".contains(c);
                if address.is_some_and(|address| {
                    let web = address.starts_with("https://") || address.starts_with("http://");
                    !root || !web || !address.chars().all(plain)
                }) {
                    return unknown("takes no `$id` but an address of the whole schema");
                }
            }
            for (name, member) in
                members.iter().filter(|(name, _)| !matches!(name.as_str(), "const" | "enum"))
            {
                match member {
                    Json::Object(parts)
                        if matches!(name.as_str(), "properties" | "dependencies" | "patternProperties") =>
                    {
                        parts.values().try_for_each(|part| addresses(part, false))?;
                    }
                    member => addresses(member, false)?,
                }
            }
            Ok(())
        }
        _ => Ok(()),
    }
}

struct Check<'a> {
    root: &'a Json,
    draft: Draft,
    followed: BTreeSet<&'a str>,
    patterns: BTreeSet<&'a str>,
}

impl<'a> Check<'a> {
    fn schema(&mut self, schema: &'a Json, depth: usize) -> Result<(), Wrong> {
        if depth > DEPTH {
            return Err(TOO_DEEP.into());
        }
        let members = match schema {
            Json::Bool(_) if self.draft >= Draft::Six => return Ok(()),
            Json::Object(members) => members,
            _ => return none("Expected: Valid Schema, given: Invalid JSON"),
        };
        let id = match self.draft {
            Draft::Four => "id",
            Draft::Any if members.contains_key("id") => "id",
            _ => "$id",
        };
        text(members, id)?;
        match members.get("definitions") {
            None => {}
            Some(Json::Object(parts)) => {
                for part in parts.values() {
                    if !matches!(part, Json::Bool(_) | Json::Object(_)) {
                        return none("Invalid type. Expected: Array Of Schemas, given: definitions");
                    }
                    self.schema(part, depth + 1)?;
                }
            }
            Some(_) => return none("Invalid type. Expected: Array Of Schemas, given: definitions"),
        }
        text(members, "title")?;
        text(members, "description")?;
        if let Some(refr) = text(members, "$ref")? {
            return self.refr(refr, depth);
        }
        types(members)?;
        self.parts(members, depth)?;
        self.numbers(members)?;
        self.texts(members)?;
        lists(members)
    }

    /// What stands beside a `$ref` means nothing.
    fn refr(&mut self, refr: &'a str, depth: usize) -> Result<(), Wrong> {
        let plain = |c: char| c.is_ascii_alphanumeric() || "-._~/$".contains(c);
        let below = refr.strip_prefix('#').filter(|below| below.is_empty() || below.starts_with('/'));
        let number = |part: &str| part.len() > 1 && part.starts_with('0');
        if below.is_none_or(|below| !below.chars().all(plain) || below.split('/').any(number)) {
            return unknown("takes a `$ref` into the same schema, #/…, of letters and digits");
        }
        match named(self.root, refr) {
            None => none(format!("Object has no key for '{refr}'")),
            Some(_) if !self.followed.insert(refr) => Ok(()),
            Some(part @ (Json::Bool(_) | Json::Object(_))) => self.schema(part, depth + 1),
            Some(_) => none("Valid Schema must be of type object"),
        }
    }

    /// Schemas within the schema.
    fn parts(&mut self, members: &'a Map<String, Json>, depth: usize) -> Result<(), Wrong> {
        for name in ["properties", "patternProperties", "dependencies"] {
            let parts = match members.get(name) {
                None => continue,
                Some(Json::Object(parts)) => parts,
                Some(_) => return none(format!("{name} must be of type object")),
            };
            for (property, part) in parts {
                if name == "patternProperties" {
                    self.pattern(property)?;
                }
                match part {
                    Json::Array(needed) if name == "dependencies" => {
                        if !needed.iter().all(Json::is_string) {
                            return none("Dependency must be of type Schema Or Array Of Strings");
                        }
                    }
                    part => self.schema(part, depth + 1)?,
                }
            }
        }
        for name in ["additionalProperties", "additionalItems"] {
            match members.get(name) {
                None | Some(Json::Bool(_)) => {}
                Some(part @ Json::Object(_)) => self.schema(part, depth + 1)?,
                Some(_) => {
                    return none(format!("Invalid type. Expected: boolean/Valid Schema, given: {name}"));
                }
            }
        }
        match members.get("items") {
            None => {}
            Some(Json::Array(items)) => {
                for item in items {
                    if !matches!(item, Json::Bool(_) | Json::Object(_)) {
                        return none("Invalid type. Expected: Valid Schema/Array Of Schemas, given: items");
                    }
                    self.schema(item, depth + 1)?;
                }
            }
            Some(item @ (Json::Bool(_) | Json::Object(_))) => self.schema(item, depth + 1)?,
            Some(_) => return none("Invalid type. Expected: Valid Schema/Array Of Schemas, given: items"),
        }
        let six = self.draft >= Draft::Six;
        let seven = self.draft >= Draft::Seven;
        let one = [
            ("propertyNames", six),
            ("contains", six),
            ("not", true),
            ("if", seven),
            ("then", seven),
            ("else", seven),
        ];
        for (name, _) in one.into_iter().filter(|(_, known)| *known) {
            match members.get(name) {
                None => {}
                Some(part @ (Json::Bool(_) | Json::Object(_))) => self.schema(part, depth + 1)?,
                Some(_) => return none(format!("{name} must be of an object")),
            }
        }
        for name in ["oneOf", "anyOf", "allOf"] {
            match members.get(name) {
                None => {}
                Some(Json::Array(parts)) => parts.iter().try_for_each(|part| self.schema(part, depth + 1))?,
                Some(_) => return none(format!("{name} must be of an array")),
            }
        }
        Ok(())
    }

    fn numbers(&self, members: &Map<String, Json>) -> Result<(), Wrong> {
        match members.get("multipleOf") {
            None => {}
            Some(Json::Number(number)) if number.as_f64().is_some_and(|number| number > 0.0) => {}
            Some(Json::Number(_)) => return none("multipleOf must be strictly greater than 0"),
            Some(_) => return none("Invalid type. Expected: Number, given: multipleOf"),
        }
        for (bound, exclusive) in [("minimum", "exclusiveMinimum"), ("maximum", "exclusiveMaximum")] {
            if members.get(bound).is_some_and(|value| !value.is_number()) {
                return none(format!("{bound} must be of a Number"));
            }
            match (members.get(exclusive), self.draft) {
                (None, _) | (Some(Json::Number(_)), Draft::Six | Draft::Seven | Draft::Any) => {}
                (Some(Json::Bool(_)), Draft::Four | Draft::Any) => {
                    if members.get(bound).is_none() {
                        return none(format!("{exclusive} cannot be used without {bound}"));
                    }
                }
                (Some(_), Draft::Four) => {
                    return none(format!("Invalid type. Expected: boolean, given: {exclusive}"));
                }
                (Some(_), Draft::Any) => {
                    return none(format!("Invalid type. Expected: boolean/number, given: {exclusive}"));
                }
                (Some(_), _) => return none(format!("Invalid type. Expected: number, given: {exclusive}")),
            }
        }
        for (least, most) in
            [("minLength", "maxLength"), ("minProperties", "maxProperties"), ("minItems", "maxItems")]
        {
            let (from, to) = (count(members, least)?, count(members, most)?);
            // OPA's library does not compare how many items there may be.
            if least != "minItems" && from.zip(to).is_some_and(|(from, to)| from > to) {
                return none(format!("{least} cannot be greater than {most}"));
            }
        }
        Ok(())
    }

    /// All of them stay compiled while a document is matched.
    fn pattern(&mut self, written: &'a str) -> Result<(), Fail> {
        if self.patterns.insert(written) && self.patterns.len() > PATTERNS {
            return Err(Fail::Limit("at most 64 patterns in one schema"));
        }
        pattern::compiled(written)?;
        Ok(())
    }

    fn texts(&mut self, members: &'a Map<String, Json>) -> Result<(), Wrong> {
        if let Some(written) = text(members, "pattern")? {
            self.pattern(written)?;
        }
        if let Some(format) = text(members, "format")?
            && OTHER_FORMATS.contains(&format)
        {
            return unknown(
                "takes of the formats that OPA knows date, hostname, ipv4, ipv6 and uuid: use `pattern`",
            );
        }
        Ok(())
    }
}

fn types(members: &Map<String, Json>) -> Result<(), Wrong> {
    let mut known = BTreeSet::new();
    let several = match members.get("type") {
        None => return Ok(()),
        Some(Json::Array(several)) => several.as_slice(),
        Some(one) => std::slice::from_ref(one),
    };
    for one in several {
        let Json::String(name) = one else {
            return none("Invalid type. Expected: string/Array Of Strings, given: type");
        };
        if !TYPES.contains(&name.as_str()) {
            let all = TYPES.join(" ");
            return none(format!(
                "has a primitive type that is NOT VALID -- given: /{name}/ Expected valid values are:[{all}]"
            ));
        }
        if !known.insert(name) {
            return none(format!("{name} type is duplicated"));
        }
    }
    Ok(())
}

fn lists(members: &Map<String, Json>) -> Result<(), Wrong> {
    let mut required = BTreeSet::new();
    for name in list(members, "required")? {
        match name {
            Json::String(name) if required.insert(name) => {}
            Json::String(_) => return none("required items must be unique"),
            _ => return none("Invalid type. Expected: string, given: required"),
        }
    }
    if members.get("uniqueItems").is_some_and(|unique| !unique.is_boolean()) {
        return none("uniqueItems must be of a boolean");
    }
    let mut values = BTreeSet::new();
    if !list(members, "enum")?.iter().all(|value| values.insert(canonical(value))) {
        return none("enum items must be unique");
    }
    Ok(())
}

fn list<'a>(members: &'a Map<String, Json>, name: &str) -> Result<&'a [Json], Wrong> {
    match members.get(name) {
        None => Ok(&[]),
        Some(Json::Array(items)) => Ok(items),
        Some(_) => none(format!("{name} must be of an array")),
    }
}

fn text<'a>(members: &'a Map<String, Json>, name: &str) -> Result<Option<&'a str>, Wrong> {
    match members.get(name) {
        None => Ok(None),
        Some(Json::String(text)) => Ok(Some(text)),
        Some(_) => none(format!("Invalid type. Expected: string, given: {name}")),
    }
}

fn count(members: &Map<String, Json>, name: &str) -> Result<Option<u64>, Wrong> {
    let Some(value) = members.get(name) else { return Ok(None) };
    if value.as_i64().is_some_and(|count| count < 0) {
        return none(format!("{name} must be greater than or equal to 0"));
    }
    match value.as_u64() {
        Some(count) => Ok(Some(count)),
        // Written with a fraction or an exponent, which OPA takes for no count at all.
        None if whole(value) => unknown("takes counts that are written as whole numbers"),
        None => none(format!("{name} must be of an integer")),
    }
}
