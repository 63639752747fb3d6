//! An annotation as `rego.metadata.*` gives it, in OPA's words: what is empty is left out.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use regex::Regex;
use serde::Deserialize;
use serde_json::{Map, Value, json};

use crate::bundle::yaml::is_number;

/// What stands in the YAML. A text may be written as a number or a truth value there; its spelling is kept.
#[derive(Default, Deserialize)]
#[serde(default)]
struct Written {
    title: Option<String>,
    description: Option<String>,
    entrypoint: Option<Value>,
    organizations: Option<Vec<String>>,
    related_resources: Option<Vec<Value>>,
    authors: Option<Vec<Value>>,
    schemas: Option<Vec<BTreeMap<String, Value>>>,
    custom: Option<Map<String, Value>>,
    labels: Option<Map<String, Value>>,
    compile: Option<Map<String, Value>>,
}

/// What is wrong with an annotation, also where nothing asks for what it says; else whether it is about an entrypoint.
pub(super) fn check(yaml: &str) -> Result<bool, String> {
    if tab_before_a_word(yaml) {
        return Err("has a tab before the first word of a line, where YAML has spaces".to_owned());
    }
    let written = written(yaml)?;
    for given in written.related_resources.iter().flatten() {
        resource(given)?;
    }
    for given in written.authors.iter().flatten() {
        author(given)?;
    }
    for given in written.schemas.iter().flatten() {
        schema(given)?;
    }
    compile(written.compile.as_ref())?;
    entrypoint(written.entrypoint.as_ref())
}

/// Whether a tab stands where a word of YAML may begin: anywhere but behind the first line of a text of several.
fn tab_before_a_word(yaml: &str) -> bool {
    let begins_text = |line: &str| {
        let line = line.trim_end().trim_end_matches(['-', '+']);
        line.ends_with('|') || line.ends_with('>')
    };
    let (mut in_text, mut begun) = (false, false);
    yaml.lines().any(|line| {
        let inside = in_text && !begun && !line.starts_with('\t');
        begun = begins_text(line);
        in_text = in_text || begun;
        let word = line.trim_start_matches([' ', '\t', '-']);
        !inside && line.strip_suffix(word).is_some_and(|before| before.contains('\t'))
    })
}

fn written(yaml: &str) -> Result<Written, String> {
    // As OPA reads YAML: `yes` is text, `017` is 15.
    let options = serde_saphyr::options! {
        strict_booleans: true,
        legacy_octal_numbers: true,
        reject_unsupported_tags: true,
    };
    serde_saphyr::from_str_with_options(yaml, options)
        .map_err(|error| format!("is not read: {}", super::first_line(&error.without_snippet().to_string())))
}

/// All but the scope, which says what the annotation is about; or what is wrong with it.
pub(super) fn members(yaml: &str) -> Result<Map<String, Value>, String> {
    let written = written(yaml)?;
    let mut members = Map::new();
    let mut add = |name: &str, value: Value| {
        let empty = match &value {
            Value::String(text) => text.is_empty(),
            Value::Array(items) => items.is_empty(),
            Value::Object(members) => members.is_empty(),
            value => *value != Value::Bool(true),
        };
        if !empty {
            members.insert(name.to_owned(), value);
        }
    };
    add("title", json!(written.title.unwrap_or_default()));
    add("description", json!(written.description.unwrap_or_default()));
    add("entrypoint", json!(entrypoint(written.entrypoint.as_ref())?));
    add("organizations", json!(written.organizations.unwrap_or_default()));
    let related = written.related_resources.unwrap_or_default();
    add("related_resources", related.iter().map(plain_resource).collect::<Result<_, _>>()?);
    add("authors", written.authors.unwrap_or_default().iter().map(author).collect::<Result<_, _>>()?);
    add("schemas", written.schemas.unwrap_or_default().iter().map(plain_schema).collect::<Result<_, _>>()?);
    for (name, given) in [("custom", written.custom), ("labels", written.labels)] {
        let given = Value::Object(given.unwrap_or_default());
        certain(&given, yaml)?;
        add(name, given);
    }
    Ok(members)
}

/// OPA takes `yes` and its like here too, in quotes or not.
fn entrypoint(written: Option<&Value>) -> Result<bool, String> {
    match written {
        None | Some(Value::Null) => Ok(false),
        Some(Value::Bool(entrypoint)) => Ok(*entrypoint),
        Some(Value::String(text))
            if ["y", "Y", "yes", "Yes", "YES", "on", "On", "ON"].contains(&text.as_str()) =>
        {
            Ok(true)
        }
        Some(Value::String(text))
            if ["n", "N", "no", "No", "NO", "off", "Off", "OFF"].contains(&text.as_str()) =>
        {
            Ok(false)
        }
        Some(other) => Err(format!("has {other} for `entrypoint`, which is neither true nor false")),
    }
}

/// What is unknown when OPA turns the policy into a query, and the rule that masks: references.
fn compile(written: Option<&Map<String, Value>>) -> Result<(), String> {
    let named = |name: &str| written.and_then(|written| written.get(name));
    let unknowns =
        named("unknowns").and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_str);
    for text in unknowns {
        if !is_document(text) {
            return Err(format!("has {text} among `unknowns`, which is no reference"));
        }
    }
    match named("mask_rule").and_then(Value::as_str) {
        Some(text) if !is_reference(text) && !is_reference(text.trim_matches('"')) => {
            Err(format!("has the `mask_rule` {text}, which is no reference"))
        }
        _ => Ok(()),
    }
}

/// `Jane Doe <jane@example.org>`, or `name` and `email`.
fn author(written: &Value) -> Result<Value, String> {
    let (name, email) = match written {
        Value::String(text) => {
            let mut words: Vec<&str> = text.split_whitespace().collect();
            let email = words.last().and_then(|last| last.strip_prefix('<')?.strip_suffix('>'));
            if email.is_some() {
                words.pop();
            }
            (words.join(" "), email.unwrap_or_default().to_owned())
        }
        Value::Object(_) => (trimmed(written, "name"), trimmed(written, "email")),
        _ => return Err("has an author that is neither text nor `name` and `email`".to_owned()),
    };
    if name.is_empty() && email.is_empty() {
        return Err("has an author without name and address".to_owned());
    }
    Ok(present([("name", name), ("email", email)]))
}

/// An address, or `ref` and `description`.
fn resource(written: &Value) -> Result<(String, String), String> {
    // What Go's library takes.
    static ADDRESS: LazyLock<Option<Regex>> = LazyLock::new(|| {
        let escaped = "%[0-9A-Fa-f]{2}";
        let path = format!(r"(?:[^%?#\x00-\x1f\x7f]|{escaped})*");
        let user = format!(r"(?:(?:[A-Za-z0-9._~!$&'()*+,;=:@-]|{escaped})*@)?");
        let name = r#"(?:[A-Za-z0-9._~!$&'()*+,;=<>"-]|[^\x00-\x7f]|%[89A-Fa-f][0-9A-Fa-f])*"#;
        let host = format!(r"(?:{name}|\[[0-9A-Fa-f:.]+\])(?::[0-9]*)?");
        let scheme = "[A-Za-z][A-Za-z0-9+.-]*:";
        // A scheme and anything; a host; a path, which does not look like either.
        Regex::new(&format!(
            r"^(?:{scheme}(?:[^/?#\x00-\x1f\x7f][^?#\x00-\x1f\x7f]*)?|(?:{scheme})?//{user}{host}(?:/{path})?|(?:{scheme})?/(?:(?:[^/%?#\x00-\x1f\x7f]|{escaped}){path})?|///{path}|(?:(?:[^:/%?#\x00-\x1f\x7f]|{escaped})+(?:/{path})?)?)(?:\?[^#\x00-\x1f\x7f]*)?(?:#(?:[^%\x00-\x1f\x7f]|{escaped})*)?$"
        ))
        .ok()
    });
    let (address, description) = match written {
        Value::String(text) => (text.clone(), String::new()),
        _ => (trimmed(written, "ref"), trimmed(written, "description")),
    };
    if address.is_empty() || !ADDRESS.as_ref().is_some_and(|taken| taken.is_match(&address)) {
        return Err("has a related resource whose address is none".to_owned());
    }
    Ok((address, description))
}

fn plain_resource(written: &Value) -> Result<Value, String> {
    // What Go's library writes as it read it.
    static PLAIN: LazyLock<Option<Regex>> = LazyLock::new(|| {
        let path = "[A-Za-z0-9._~!$&'()*+,;=@/-]|%[0-9A-F]{2}";
        Regex::new(&format!(
            "^(?:[a-z][a-z0-9+.-]*://[A-Za-z0-9.-]+(?::[0-9]+)?(?:/(?:{path}|:)*)?|(?:{path})+)\
             (?:\\?(?:{path}|[:?])+)?(?:#(?:{path}|[:?])+)?$"
        ))
        .ok()
    });
    let (address, description) = resource(written)?;
    if !PLAIN.as_ref().is_some_and(|plain| plain.is_match(&address)) {
        return Err("has a related resource with something unescaped in its address".to_owned());
    }
    Ok(present([("ref", address), ("description", description)]))
}

/// `input.request: schema.request`. OPA judges the module by a schema that stands here itself, which nothing here does.
fn schema(written: &BTreeMap<String, Value>) -> Result<(&str, &str), String> {
    let mut pairs = written.iter();
    let (Some((path, schema)), None) = (pairs.next(), pairs.next()) else {
        return Err("has a schema that is not one reference and what it is".to_owned());
    };
    if !is_document(path) {
        return Err(format!("has a schema for {path}, which is no document"));
    }
    match schema {
        Value::String(schema) if is_reference(schema) && schema.split(['.', '[']).next() == Some("schema") => {
            Ok((path, schema))
        }
        Value::Object(_) => {
            Err("has a schema written out, by which nothing is checked here: write it to a file, name it, `schema.NAME`, \
                 and check with `opa check --schema`"
                .to_owned())
        }
        _ => Err(format!("has the schema {schema}, which is no reference that begins with `schema`")),
    }
}

fn plain_schema(written: &BTreeMap<String, Value>) -> Result<Value, String> {
    let (path, schema) = schema(written)?;
    Ok(json!({"path": reference(path)?, "schema": reference(schema)?}))
}

/// Names with dots between, and text and numbers in brackets.
fn is_reference(text: &str) -> bool {
    static REFERENCE: LazyLock<Option<Regex>> = LazyLock::new(|| {
        let name = "[A-Za-z_][A-Za-z0-9_]*";
        Regex::new(&format!(r#"^{name}(?:\.{name}|\["[^"\\\x00-\x1f]*"\]|\[(?:{name}|[0-9]+)\])*$"#)).ok()
    });
    REFERENCE.as_ref().is_some_and(|reference| reference.is_match(text))
}

/// A name alone is a variable to OPA.
fn is_document(text: &str) -> bool {
    is_reference(text) && (["input", "data"].contains(&text) || text.contains(['.', '[']))
}

fn reference(text: &str) -> Result<Vec<&str>, String> {
    let plain = |part: &str| {
        let letter = |c: char| c.is_ascii_alphabetic() || c == '_';
        part.starts_with(letter) && part.chars().all(|c| letter(c) || c.is_ascii_digit())
    };
    let parts: Vec<&str> = text.split('.').collect();
    if !parts.iter().all(|part| plain(part)) {
        return Err(format!("has a schema with the reference {text}, which is not names with dots between"));
    }
    Ok(parts)
}

fn trimmed(members: &Value, name: &str) -> String {
    members.get(name).and_then(Value::as_str).unwrap_or_default().trim().to_owned()
}

fn present<const N: usize>(members: [(&str, String); N]) -> Value {
    let members = members.into_iter().filter(|(_, text)| !text.is_empty());
    Value::Object(members.map(|(name, text)| (name.to_owned(), Value::from(text))).collect())
}

/// Refuses what OPA reads otherwise: a day without quotes is a time there, and a whole number has 64 bits. Whole seconds
/// with a `Z` behind them are written again as they stand.
fn certain(value: &Value, yaml: &str) -> Result<(), String> {
    static WHOLE: LazyLock<Option<Regex>> =
        LazyLock::new(|| Regex::new("^[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}Z$").ok());
    static TIME: LazyLock<Option<Regex>> = LazyLock::new(|| {
        Regex::new("^[0-9]{4}-[0-9]{1,2}-[0-9]{1,2}(?:[Tt ][0-9:.]+(?:Z|[+-][0-9:]+)?)?$").ok()
    });
    match value {
        Value::String(text) if underlined(text) && bare(text, yaml) => Err(format!(
            "has the number {text}, which OPA reads without `_`: write it without them, or in quotes"
        )),
        Value::Number(number) if number.as_f64().is_none_or(|number| number.abs() > LARGEST) => {
            Err(format!("has the number {number}, which is beyond 1e308"))
        }
        Value::String(text) if TIME.as_ref().is_none_or(|time| time.is_match(text)) => {
            let same = WHOLE.as_ref().is_some_and(|whole| whole.is_match(text));
            if !same && bare(text, yaml) {
                return Err(format!(
                    "has the time {text} without quotes, which OPA writes in another way: write it in quotes"
                ));
            }
            Ok(())
        }
        Value::Number(number) if number.as_i64().is_none() && !number.is_f64() => {
            Err(format!("has the number {number}, which is beyond 64 bits"))
        }
        Value::Array(items) => items.iter().try_for_each(|item| certain(item, yaml)),
        Value::Object(members) => members.iter().try_for_each(|(name, member)| {
            if underlined(name) && bare(name, yaml) {
                return Err(format!("has the name {name}, which is a number to OPA: write it in quotes"));
            }
            certain(member, yaml)
        }),
        _ => Ok(()),
    }
}

/// The engine does not write numbers much larger.
const LARGEST: f64 = 1e308;

/// Whether it stands somewhere without quotes.
fn bare(text: &str, yaml: &str) -> bool {
    let quoted = [format!("\"{text}\""), format!("'{text}'")];
    yaml.matches(text).count() > quoted.iter().map(|quoted| yaml.matches(quoted).count()).sum()
}

/// Whether OPA reads a number where this reader sees text.
fn underlined(text: &str) -> bool {
    text.contains('_') && is_number(text)
}
