//! Who asks: as a listener would know the caller, or as a policy would see it.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use clap::Args;
use postern_policy::{Document, input_schema, nearest};
use serde_json::Value;

use crate::clock::Moment;
use crate::command::policy::given;
use crate::command::{Exit, Failure};
use crate::config::Callers;
use crate::identify::{IdentifyError, Peer, supposed_by_token};
use crate::model::SpiffeId;

/// Stands where a caller has to, and is not looked at.
const NOBODY: &str = "spiffe://any.example/nobody";

#[derive(Debug, Args)]
#[group(required = true, multiple = false)]
pub(super) struct Caller {
    /// Who asks, as by an X.509-SVID
    #[arg(long = "as", value_name = "SPIFFE-ID")]
    id: Option<SpiffeId>,
    /// The claims of the JWT-SVID by which the caller asks, JSON or `@FILE`
    #[arg(long, value_name = "JSON")]
    claims: Option<String>,
    /// Who asks, as `input.caller` says it, JSON or `@FILE`
    #[arg(long = "caller", value_name = "JSON")]
    described: Option<String>,
    /// A whole input document, or `-` for standard input, in the place of a caller and a request: one that was recorded, as
    /// `policy eval` takes it
    #[arg(long, short, value_name = "FILE")]
    pub(super) input: Option<PathBuf>,
}

/// The caller, read.
pub(super) enum Who {
    Certificate(SpiffeId),
    Token { claims: Value },
    Described { caller: Document, name: String, stands_for: SpiffeId },
}

impl Caller {
    pub(super) fn read(&self) -> Result<Who, Failure> {
        if let Some(id) = &self.id {
            return Ok(Who::Certificate(id.clone()));
        }
        if let Some(claims) = &self.claims {
            return Ok(Who::Token { claims: object("--claims", claims)? });
        }
        let caller = object("--caller", self.described.as_deref().unwrap_or_default())?;
        let usage = |why: &dyn std::fmt::Display| Failure::Said(Exit::Usage, format!("--caller: {why}"));
        fits(&caller, input_schema().pointer("/properties/caller").unwrap_or(&Value::Null), "input.caller")
            .map_err(|why| usage(&why))?;
        let name = caller.get("id").and_then(Value::as_str).unwrap_or("a caller without an id").to_owned();
        let caller = Document::from_json(&caller).map_err(|error| usage(&error))?;
        let stands_for = NOBODY.parse().map_err(|error| usage(&error))?;
        Ok(Who::Described { caller, name, stands_for })
    }
}

/// Whether a value has only members, types and words that the schema has of it; or what it has instead.
fn fits(value: &Value, schema: &Value, path: &str) -> Result<(), String> {
    let types = match schema.get("type") {
        Some(Value::Array(types)) => types.iter().filter_map(Value::as_str).collect(),
        Some(only) => Vec::from_iter(only.as_str()),
        None => return Ok(()),
    };
    let is = |name: &&str| match *name {
        "object" => value.is_object(),
        "array" => value.is_array(),
        "string" => value.is_string(),
        "integer" => value.is_u64(),
        "boolean" => value.is_boolean(),
        _ => value.is_null(),
    };
    if !types.iter().any(is) {
        return Err(format!("`{path}` is {}, not {value}", types.join(" or ")));
    }
    if let Some(words) = schema.get("enum").and_then(Value::as_array).filter(|words| !words.contains(value)) {
        return Err(format!(
            "`{path}` is never {value}; there is {}",
            listed(words.iter().filter_map(Value::as_str))
        ));
    }
    let properties = schema.get("properties").and_then(Value::as_object);
    for (name, member) in value.as_object().into_iter().flatten() {
        let Some(properties) = properties else { break };
        let Some(schema) = properties.get(name) else {
            let names: Vec<&String> = properties.keys().collect();
            let meant =
                nearest(name, &names).map(|near| format!("did you mean `{near}`? ")).unwrap_or_default();
            let there = listed(names.iter().map(|name| name.as_str()));
            return Err(format!("there is no `{path}.{name}`: {meant}there is {there}"));
        };
        fits(member, schema, &format!("{path}.{name}"))?;
    }
    match (value.as_array(), schema.get("items")) {
        (Some(items), Some(schema)) => {
            items.iter().try_for_each(|item| fits(item, schema, &format!("{path}[]")))
        }
        _ => Ok(()),
    }
}

pub(super) fn listed<'a>(names: impl Iterator<Item = &'a str>) -> String {
    names.map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ")
}

/// The claims by which a token is judged.
const READ: [&str; 5] = ["sub", "aud", "exp", "iat", "nbf"];

/// A JSON object that is written there, or stands in a file.
fn object(flag: &str, text: &str) -> Result<Value, Failure> {
    let usage = |why: &str| Failure::Said(Exit::Usage, format!("{flag}: {why}"));
    let text = match text.strip_prefix('@') {
        Some(file) => given::said(Path::new(file)).map_err(|why| Failure::Said(Exit::Configuration, why))?.1,
        None => text.to_owned(),
    };
    match serde_json::from_str(&text) {
        Ok(value @ Value::Object(_)) => Ok(value),
        Ok(_) => Err(usage("expected a JSON object")),
        Err(error) => Err(usage(&format!("expected a JSON object, or @FILE: {error}"))),
    }
}

impl Who {
    /// Whom a listener with these callers would know; or why it would refuse.
    pub(super) fn peer(&self, callers: &Callers, now: Moment) -> Result<Arc<Peer>, IdentifyError> {
        match self {
            Self::Certificate(id) => Peer::supposed_among(id.clone(), callers, now),
            Self::Token { claims } => supposed_by_token(claims.to_string().as_bytes(), callers, now),
            // Judged by what was said of it, and never as this one.
            Self::Described { stands_for, .. } => Ok(Peer::supposed(stands_for.clone(), now)),
        }
    }

    /// The input, with the caller that was described.
    pub(super) fn seen_in(&self, input: Document) -> Document {
        match self {
            Self::Certificate(_) | Self::Token { .. } => input,
            Self::Described { caller, .. } => input.with("caller", caller.clone()),
        }
    }

    /// The trust domain and the audience of a listener that lets this caller in.
    pub(super) fn expected(&self) -> (&str, &str) {
        let nobody = "any.example";
        match self {
            Self::Certificate(id) => (id.trust_domain(), NOBODY),
            Self::Described { .. } => (nobody, NOBODY),
            Self::Token { claims } => {
                let audience = match claims.get("aud") {
                    Some(Value::Array(all)) => all.first().and_then(Value::as_str),
                    other => other.and_then(Value::as_str),
                };
                let id =
                    claims.get("sub").and_then(Value::as_str).and_then(|id| id.strip_prefix("spiffe://"));
                let domain = id.and_then(|id| id.split('/').next()).filter(|domain| !domain.is_empty());
                (domain.unwrap_or(nobody), audience.unwrap_or(NOBODY))
            }
        }
    }

    /// Which claims made no difference.
    pub(super) fn note(&self) -> Option<String> {
        let Self::Token { claims } = self else { return None };
        let names = claims.as_object()?.keys().map(String::as_str);
        let dropped: Vec<_> = names.filter(|name| !READ.contains(name)).collect();
        let there =
            "read are `sub`, `aud`, `exp`, `iat`, `nbf`, and no claim but `aud` is in `input.caller.jwt`";
        (!dropped.is_empty())
            .then(|| format!("claims that no policy sees: {}; {there}", listed(dropped.into_iter())))
    }

    /// As it is told.
    pub(super) fn name(&self) -> &str {
        match self {
            Self::Certificate(id) => id.as_str(),
            Self::Token { claims } => claims.get("sub").and_then(Value::as_str).unwrap_or_default(),
            Self::Described { name, .. } => name,
        }
    }
}
