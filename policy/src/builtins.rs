//! Every builtin of OPA, ours beside them, and what stands between each and a policy.
//!
//! The engine's fuse looks at the clock between steps, and one call of a builtin is one step: what a call costs
//! must be bounded by its arguments before it begins. So each builtin is let through as it is, asked about the
//! size of its arguments first, answered by us, or refused at load. A builtin that is not in the table, because a
//! newer engine brought it, is refused too. The page of the reference is written from the same table.

mod add_date;
mod array;
mod aws;
mod base64;
mod cidr;
mod concat;
mod count;
mod glob;
mod globs;
mod graph;
mod hash;
mod index;
mod json;
mod jwt;
mod letters;
mod member;
mod metadata;
mod numbers;
mod page;
mod paths;
mod pattern;
mod pattern_names;
mod print;
mod regex;
mod render;
mod replace;
mod schema;
mod segments;
mod semver;
pub(crate) mod signatures;
mod split;
mod sprintf;
mod subset;
mod template;
mod time_format;
mod time_layout;
mod time_now;
mod time_parse;
pub(crate) mod turn;
mod units;
mod urlquery;
mod uuid;
mod weigh;
mod window;
mod x509;

pub use page::builtins_page;
pub(crate) use segments::{is_spiffe_id, is_spiffe_segment};
pub use signatures::signatures;

use std::sync::LazyLock;

use regorus::unstable::{BUILTINS as ENGINE, BuiltinFcn, Expr, Ref, Span};
use regorus::{Engine, Source, Value};

use crate::nearest::nearest;
use crate::problem::Said;

/// What stands between a policy and a builtin.
#[derive(Clone, Copy)]
enum By {
    /// Nothing: its cost is small whatever its arguments are.
    Engine,
    /// A look at the arguments.
    Guard(fn(&[Value]) -> Result<(), Fail>),
    /// An answer of our own.
    Ours(fn(&[Value]) -> Result<Value, Fail>),
    /// An answer of our own to what the engine does not have; with how many arguments it takes.
    Added(u8, fn(&[Value]) -> Result<Value, Fail>),
    /// The same, but only the translation writes it; an author is refused, with what to write instead.
    Within(u8, fn(&[Value]) -> Result<Value, Fail>, &'static str),
    /// The same, but it is written before the gate looks: the translation refuses an author that calls it.
    Before(u8, fn(&[Value]) -> Result<Value, Fail>),
    /// The gate, with what to write instead.
    Refused(&'static str),
}

/// Why a builtin gives no value.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Fail {
    /// It was asked for more than its cap.
    #[error("{0}")]
    Limit(&'static str),
    /// An argument is not what it takes.
    #[error("{0}")]
    Argument(&'static str),
}

const OLD: &str = "what took its place: OPA itself refuses it in Rego v1";
const NO_RANDOM: &str = "a value from the input: a decision must come out the same when it is replayed";
const NO_MD5: &str = "crypto.sha256 or crypto.hmac.sha256: MD5 is broken";
const NO_GRAPHQL: &str = "regex.match or split on the text of the query";
const NO_KEYS: &str = "a key that stays where it is kept, and a credential that the route puts in; for a key that signs tokens \
                       crypto.x509.parse_rsa_private_key";
const NO_YAML: &str = "JSON with json.*, or a data.yaml in the bundle, which is read when it is loaded";
const NO_SERVER: &str = "input.context, which says what Postern knows of itself";

/// One line for each.
#[rustfmt::skip]
const TABLE: &[(&str, By)] = &[
    ("__builtin_sets.intersection", By::Guard(weigh::linear)),
    ("__builtin_sets.union", By::Guard(weigh::linear)),
    ("abs", By::Engine),
    ("all", By::Refused(OLD)),
    ("any", By::Refused(OLD)),
    ("array.concat", By::Guard(weigh::linear)),
    ("array.flatten", By::Added(1, array::flatten)),
    ("array.reverse", By::Guard(weigh::linear)),
    ("array.slice", By::Guard(numbers::small_places)),
    ("base64.decode", By::Ours(base64::decode)),
    ("base64.encode", By::Guard(weigh::linear)),
    ("base64.is_valid", By::Ours(base64::is_valid)),
    ("base64url.decode", By::Guard(weigh::linear)),
    ("base64url.encode", By::Guard(weigh::linear)),
    ("base64url.encode_no_pad", By::Guard(weigh::linear)),
    ("bits.and", By::Ours(|args| numbers::bits("bits.and", args))),
    ("bits.lsh", By::Ours(numbers::shift)),
    ("bits.negate", By::Ours(|args| numbers::bits("bits.negate", args))),
    ("bits.or", By::Ours(|args| numbers::bits("bits.or", args))),
    ("bits.rsh", By::Ours(|args| numbers::bits("bits.rsh", args))),
    ("bits.xor", By::Ours(|args| numbers::bits("bits.xor", args))),
    ("cast_array", By::Refused(OLD)),
    ("cast_boolean", By::Refused(OLD)),
    ("cast_null", By::Refused(OLD)),
    ("cast_object", By::Refused(OLD)),
    ("cast_set", By::Refused(OLD)),
    ("cast_string", By::Refused(OLD)),
    ("ceil", By::Guard(numbers::not_nearly_zero)),
    ("concat", By::Ours(concat::concat)),
    ("contains", By::Guard(weigh::linear)),
    ("count", By::Ours(count::length)),
    ("crypto.hmac.equal", By::Added(2, hash::equal)),
    ("crypto.hmac.md5", By::Refused(NO_MD5)),
    ("crypto.hmac.sha1", By::Added(2, hash::hmac_sha1)),
    ("crypto.hmac.sha256", By::Added(2, hash::hmac_sha256)),
    ("crypto.hmac.sha512", By::Added(2, hash::hmac_sha512)),
    ("crypto.md5", By::Refused(NO_MD5)),
    ("crypto.parse_private_keys", By::Refused(NO_KEYS)),
    ("crypto.sha1", By::Added(1, hash::sha1)),
    ("crypto.sha256", By::Added(1, hash::sha256)),
    ("crypto.x509.parse_and_verify_certificates", By::Added(1, x509::verified)),
    ("crypto.x509.parse_and_verify_certificates_with_options", By::Added(2, x509::verified_with)),
    ("crypto.x509.parse_certificate_request", By::Added(1, x509::request)),
    ("crypto.x509.parse_certificates", By::Added(1, x509::certificates)),
    ("crypto.x509.parse_keypair", By::Refused(NO_KEYS)),
    ("crypto.x509.parse_rsa_private_key", By::Added(1, x509::rsa_private_key)),
    ("endswith", By::Engine),
    ("floor", By::Guard(numbers::not_nearly_zero)),
    ("format_int", By::Ours(numbers::format_int)),
    ("glob.match", By::Ours(glob::glob_match)),
    ("glob.quote_meta", By::Ours(glob::quote_meta)),
    ("graph.reachable", By::Guard(weigh::deep)),
    ("graph.reachable_paths", By::Ours(graph::reachable_paths)),
    ("graphql.is_valid", By::Refused(NO_GRAPHQL)),
    ("graphql.parse", By::Refused(NO_GRAPHQL)),
    ("graphql.parse_and_verify", By::Refused(NO_GRAPHQL)),
    ("graphql.parse_query", By::Refused(NO_GRAPHQL)),
    ("graphql.parse_schema", By::Refused(NO_GRAPHQL)),
    ("graphql.schema_is_valid", By::Refused(NO_GRAPHQL)),
    ("hex.decode", By::Guard(weigh::linear)),
    ("hex.encode", By::Guard(weigh::linear)),
    ("http.send", By::Refused("data that is loaded with the policy: a decision does not wait for the network")),
    ("indexof", By::Ours(index::indexof)),
    ("indexof_n", By::Ours(index::indexof_n)),
    ("internal.collection", By::Within(1, member::collection, "in")),
    ("internal.member_2", By::Added(2, member::member)),
    ("internal.member_3", By::Added(3, member::member_at)),
    ("internal.metadata", By::Before(1, metadata::written)),
    ("internal.now.decode_verify", By::Within(3, |args| at(args, jwt::decode_verify), "io.jwt.decode_verify")),
    ("internal.now.verify", By::Within(2, |args| at(args, x509::verified), "crypto.x509.parse_and_verify_certificates")),
    ("internal.now.verify_with", By::Within(3, |args| at(args, x509::verified_with), "crypto.x509.parse_and_verify_certificates_with_options")),
    ("internal.now.within", By::Within(2, |args| at(args, window::within), "time.within")),
    ("internal.print", By::Within(2, print::print, "print")),
    ("internal.shaped", By::Within(2, member::shaped, "a pattern of an object")),
    ("internal.shaped_members", By::Within(3, member::shaped_members, "a pattern of an object")),
    ("internal.template_string", By::Added(1, template::template_string)),
    ("internal.test_case", By::Within(1, print::test_case, "print")),
    ("intersection", By::Guard(weigh::deep)),
    ("io.jwt.decode", By::Added(1, jwt::decode)),
    ("io.jwt.decode_verify", By::Added(2, jwt::decode_verify)),
    ("io.jwt.encode_sign", By::Added(3, jwt::encode_sign)),
    ("io.jwt.encode_sign_raw", By::Added(3, jwt::encode_sign_raw)),
    ("io.jwt.verify_eddsa", By::Added(2, |args| jwt::verify("EdDSA", args))),
    ("io.jwt.verify_es256", By::Added(2, |args| jwt::verify("ES256", args))),
    ("io.jwt.verify_es384", By::Added(2, |args| jwt::verify("ES384", args))),
    ("io.jwt.verify_es512", By::Added(2, |args| jwt::verify("ES512", args))),
    ("io.jwt.verify_hs256", By::Added(2, |args| jwt::verify("HS256", args))),
    ("io.jwt.verify_hs384", By::Added(2, |args| jwt::verify("HS384", args))),
    ("io.jwt.verify_hs512", By::Added(2, |args| jwt::verify("HS512", args))),
    ("io.jwt.verify_ps256", By::Added(2, |args| jwt::verify("PS256", args))),
    ("io.jwt.verify_ps384", By::Added(2, |args| jwt::verify("PS384", args))),
    ("io.jwt.verify_ps512", By::Added(2, |args| jwt::verify("PS512", args))),
    ("io.jwt.verify_rs256", By::Added(2, |args| jwt::verify("RS256", args))),
    ("io.jwt.verify_rs384", By::Added(2, |args| jwt::verify("RS384", args))),
    ("io.jwt.verify_rs512", By::Added(2, |args| jwt::verify("RS512", args))),
    ("is_array", By::Engine),
    ("is_boolean", By::Engine),
    ("is_null", By::Engine),
    ("is_number", By::Engine),
    ("is_object", By::Engine),
    ("is_set", By::Engine),
    ("is_string", By::Engine),
    ("json.filter", By::Ours(paths::filter)),
    ("json.is_valid", By::Ours(json::is_valid)),
    ("json.marshal", By::Ours(json::marshal)),
    ("json.marshal_with_options", By::Ours(json::marshal_with_options)),
    ("json.match_schema", By::Added(2, schema::matches)),
    ("json.patch", By::Guard(json::few_copies)),
    ("json.remove", By::Ours(paths::remove)),
    ("json.unmarshal", By::Guard(numbers::kept)),
    ("json.verify_schema", By::Added(1, schema::verify)),
    ("lower", By::Ours(letters::lower)),
    ("max", By::Guard(weigh::linear)),
    ("min", By::Guard(weigh::linear)),
    ("net.cidr_contains", By::Ours(cidr::contains)),
    ("net.cidr_contains_matches", By::Added(2, cidr::contains_matches)),
    ("net.cidr_expand", By::Ours(cidr::expand)),
    ("net.cidr_intersects", By::Added(2, cidr::intersects)),
    ("net.cidr_is_valid", By::Ours(cidr::is_valid)),
    ("net.cidr_merge", By::Added(1, cidr::merge)),
    ("net.cidr_overlap", By::Refused(OLD)),
    ("net.lookup_ip_addr", By::Refused("input.context.peer.ip: a decision does not wait for the network")),
    ("numbers.range", By::Ours(numbers::range)),
    ("numbers.range_step", By::Ours(numbers::range_step)),
    ("object.filter", By::Guard(weigh::linear)),
    ("object.get", By::Engine),
    ("object.keys", By::Guard(weigh::linear)),
    ("object.remove", By::Guard(weigh::linear)),
    ("object.subset", By::Ours(subset::subset)),
    ("object.union", By::Guard(weigh::deep)),
    ("object.union_n", By::Guard(weigh::deep)),
    ("opa.runtime", By::Refused(NO_SERVER)),
    ("path.matches", By::Added(2, segments::path_matches)),
    ("product", By::Guard(numbers::small_product)),
    ("providers.aws.sign_req", By::Added(3, aws::sign_req)),
    ("rand.intn", By::Refused(NO_RANDOM)),
    ("re_match", By::Refused(OLD)),
    ("regex.find_all_string_submatch_n", By::Ours(regex::find_all)),
    ("regex.find_n", By::Ours(regex::find)),
    ("regex.globs_match", By::Added(2, globs::globs_match)),
    ("regex.is_valid", By::Ours(regex::is_valid)),
    ("regex.match", By::Ours(regex::is_match)),
    ("regex.replace", By::Ours(regex::replace)),
    ("regex.split", By::Ours(regex::split)),
    ("regex.template_match", By::Ours(regex::template_match)),
    ("rego.metadata.chain", By::Added(0, metadata::nowhere)),
    ("rego.metadata.rule", By::Added(0, metadata::nowhere)),
    ("rego.parse_module", By::Refused("data that is prepared: a policy does not read policies")),
    ("replace", By::Ours(replace::replace)),
    ("round", By::Guard(numbers::of_64_bits)),
    ("semver.compare", By::Ours(semver::compare)),
    ("semver.is_valid", By::Ours(semver::is_valid)),
    ("set_diff", By::Refused(OLD)),
    ("sort", By::Guard(weigh::linear)),
    ("spiffe.matches", By::Added(2, segments::id_matches)),
    ("spiffe.parse", By::Added(1, segments::parse)),
    ("split", By::Ours(split::split)),
    ("sprintf", By::Ours(sprintf::sprintf)),
    ("startswith", By::Engine),
    ("strings.any_prefix_match", By::Guard(weigh::product)),
    ("strings.any_suffix_match", By::Guard(weigh::product)),
    ("strings.count", By::Ours(count::count)),
    ("strings.render_template", By::Added(2, render::render_template)),
    ("strings.replace_n", By::Ours(replace::replace_n)),
    ("strings.reverse", By::Guard(weigh::linear)),
    ("substring", By::Guard(numbers::small_places)),
    ("sum", By::Guard(weigh::linear)),
    ("time.add_date", By::Ours(add_date::add_date)),
    ("time.clock", By::Guard(weigh::linear)),
    ("time.date", By::Guard(weigh::linear)),
    ("time.diff", By::Guard(weigh::linear)),
    ("time.format", By::Ours(time_format::format)),
    ("time.now_ns", By::Ours(time_now::now_ns)),
    ("time.parse_duration_ns", By::Guard(weigh::linear)),
    ("time.parse_ns", By::Ours(time_parse::parse_ns)),
    ("time.parse_rfc3339_ns", By::Ours(time_parse::parse_rfc3339_ns)),
    ("time.weekday", By::Guard(weigh::linear)),
    ("time.within", By::Added(1, window::within)),
    ("to_number", By::Guard(numbers::one_kept)),
    ("trace", By::Engine),
    ("trim", By::Guard(weigh::product)),
    ("trim_left", By::Guard(weigh::product)),
    ("trim_prefix", By::Engine),
    ("trim_right", By::Guard(weigh::product)),
    ("trim_space", By::Engine),
    ("trim_suffix", By::Engine),
    ("type_name", By::Engine),
    ("union", By::Guard(weigh::deep)),
    ("units.parse", By::Guard(units::small_exponent)),
    ("units.parse_bytes", By::Ours(units::parse_bytes)),
    ("upper", By::Ours(letters::upper)),
    ("urlquery.decode", By::Ours(urlquery::decode)),
    ("urlquery.decode_object", By::Ours(urlquery::decode_object)),
    ("urlquery.encode", By::Ours(urlquery::encode)),
    ("urlquery.encode_object", By::Ours(urlquery::encode_object)),
    ("uuid.parse", By::Ours(uuid::parse)),
    ("uuid.rfc4122", By::Refused(NO_RANDOM)),
    ("walk", By::Guard(weigh::walked)),
    ("yaml.is_valid", By::Refused(NO_YAML)),
    ("yaml.marshal", By::Refused(NO_YAML)),
    ("yaml.unmarshal", By::Refused(NO_YAML)),
];

/// What the gate asks about a builtin.
pub(crate) enum Known {
    /// The engine has it; with how many arguments it takes.
    Engines(u8),
    /// The engine does not have it and Postern adds it; with how many arguments it takes.
    Added(u8),
    /// Not let through; with what to write instead.
    Refused(&'static str),
}

/// The builtin of this name; none when the engine or the table does not know it.
pub(crate) fn known(name: &str) -> Option<Known> {
    let (_, by) = TABLE.iter().find(|(known, _)| *known == name)?;
    match by {
        By::Added(arity, _) | By::Before(arity, _) => Some(Known::Added(*arity)),
        By::Refused(instead) | By::Within(_, _, instead) => Some(Known::Refused(instead)),
        By::Engine | By::Guard(_) | By::Ours(_) => ENGINE.get(name).map(|(_, arity)| Known::Engines(*arity)),
    }
}

/// With how many arguments a builtin is called that only the translation writes.
pub(crate) fn within(name: &str) -> Option<u8> {
    TABLE.iter().find_map(|(known, by)| match by {
        By::Within(arity, ..) if *known == name => Some(*arity),
        _ => None,
    })
}

/// The names that the translation writes, and OPA none of an author's for; `x in xs` OPA writes so too.
pub(crate) fn written() -> impl Iterator<Item = &'static str> {
    let names = TABLE.iter().map(|(name, _)| *name);
    names.filter(|name| name.starts_with("internal.") && !name.starts_with("internal.member_"))
}

/// What the translation writes for a builtin that answers by the clock: the same, with the time before its arguments.
pub(crate) fn clocked(name: &str) -> Option<&'static str> {
    TABLE.iter().find_map(|(known, by)| match by {
        By::Within(_, _, of) if *of == name && known.starts_with("internal.now.") => Some(*known),
        _ => None,
    })
}

/// The builtin that was probably meant.
pub(crate) fn meant(name: &str) -> Option<String> {
    let offered =
        TABLE.iter().filter(|(_, by)| !matches!(by, By::Refused(_) | By::Within(..) | By::Before(..)));
    let names: Vec<&str> = offered.map(|(known, _)| *known).collect();
    nearest(name, &names).map(str::to_owned)
}

/// Whether a builtin answers by the time of the request.
pub(crate) fn reads_now(name: &str) -> bool {
    matches!(
        name,
        "time.now_ns"
            | "time.within"
            | "io.jwt.decode_verify"
            | "crypto.x509.parse_and_verify_certificates"
            | "crypto.x509.parse_and_verify_certificates_with_options"
    )
}

/// A text that is written out in a policy, and where.
pub(crate) type Text<'a> = (&'a Span, &'a str);

/// The first text among the arguments of a builtin, or in the lists that they are, with which every call fails; with
/// what is wrong with it, and what to write instead.
pub(crate) fn wrong_constant<'a>(
    name: &str,
    arguments: &[Vec<Text<'a>>],
) -> Option<(&'a Span, Fail, &'static str)> {
    type Wrong = fn(&str) -> Option<(Fail, &'static str)>;
    let checks: &[(usize, Wrong)] = match name {
        "regex.match" | "regex.find_n" | "regex.find_all_string_submatch_n" | "regex.split" => {
            &[(0, regex::wrong_constant)]
        }
        "regex.replace" => &[(1, regex::wrong_constant)],
        "glob.match" => &[(0, glob::wrong_pattern), (1, glob::wrong_delimiter)],
        "net.cidr_contains" | "net.cidr_contains_matches" => {
            &[(0, cidr::wrong_network), (1, cidr::wrong_inner)]
        }
        "net.cidr_intersects" => &[(0, cidr::wrong_network), (1, cidr::wrong_network)],
        "net.cidr_expand" => &[(0, cidr::wrong_expanded)],
        "net.cidr_merge" => &[(0, cidr::wrong_merged)],
        "path.matches" => &[(0, segments::wrong_path_pattern)],
        "spiffe.matches" => &[(0, segments::wrong_id_pattern)],
        "spiffe.parse" => &[(0, segments::wrong_id)],
        "time.within" => &[(0, window::wrong_constant)],
        _ => return None,
    };
    checks.iter().find_map(|(at, wrong)| {
        let texts = arguments.get(*at)?;
        texts.iter().find_map(|(span, text)| wrong(text).map(|(fail, instead)| (*span, fail, instead)))
    })
}

/// Puts guards and our own builtins in the place of the engine's.
pub(crate) fn install(engine: &mut Engine) -> anyhow::Result<()> {
    for (name, by) in TABLE {
        let builtin = ENGINE.get(name).copied();
        match (*by, builtin) {
            (By::Engine | By::Refused(_), _) | (By::Ours(_) | By::Guard(_), None) => {}
            (By::Ours(answer), Some((_, arity)))
            | (By::Added(arity, answer) | By::Within(arity, answer, _) | By::Before(arity, answer), _) => {
                let called = if let By::Within(_, _, of) = by { of } else { name };
                let ours = move |args: Vec<Value>| answer(&args).map_err(|fail| report(called, &fail));
                engine.add_extension((*name).to_owned(), arity, Box::new(ours))?;
            }
            (By::Guard(guard), Some(builtin)) => {
                let guarded = move |args: Vec<Value>| {
                    guard(&args).map_err(|fail| report(name, &fail))?;
                    run_engines(builtin, &args).map_err(|error| engines_own(name, &error))
                };
                engine.add_extension((*name).to_owned(), builtin.1, Box::new(guarded))?;
            }
        }
    }
    Ok(())
}

fn report(name: &'static str, fail: &Fail) -> anyhow::Error {
    if let Fail::Limit(limit) = fail {
        turn::exceed(said(name), limit);
    }
    anyhow::anyhow!("{}: {fail}", said(name))
}

/// What the engine's own builtin says, by its name and without a place, which the engine adds around it.
fn engines_own(name: &str, error: &anyhow::Error) -> anyhow::Error {
    let message = error.to_string();
    let why = Said::of(&message).why;
    if why.contains(name) { anyhow::anyhow!("{why}") } else { anyhow::anyhow!("{name}: {why}") }
}

/// The name of a builtin as authors write it: the translation writes some in the place of what they wrote.
pub(crate) fn said(name: &str) -> &str {
    match name {
        "internal.member_2" | "internal.member_3" => "in",
        "internal.template_string" => "$\"…\"",
        "__builtin_sets.intersection" => "&",
        "__builtin_sets.union" => "|",
        "internal.metadata" => "rego.metadata",
        name => match TABLE.iter().find(|(known, _)| *known == name) {
            Some((_, By::Within(_, _, of))) => of,
            _ => name,
        },
    }
}

/// Runs the engine's own builtin. It wants the source of its arguments for its messages; the engine adds the real
/// place of the call around ours.
fn run_engines(builtin: BuiltinFcn, args: &[Value]) -> anyhow::Result<Value> {
    static PLACE: LazyLock<Option<(Span, Vec<Ref<Expr>>)>> = LazyLock::new(|| {
        let source = Source::from_contents("call".to_owned(), "argument".to_owned()).ok()?;
        let span = Span { source, line: 1, col: 1, start: 0, end: 8 };
        let argument = || Ref::new(Expr::Null { span: span.clone(), value: Value::Null, eidx: 0 });
        Some((span.clone(), vec![argument(), argument(), argument(), argument()]))
    });
    let Some((span, params)) = PLACE.as_ref() else { anyhow::bail!("no source text for messages") };
    let params = params.get(..args.len()).unwrap_or_default();
    builtin.0(span, params, args, true)
}

/// Answers by the time that stands before the arguments; where there is none, by that of the decision.
fn at(args: &[Value], answer: fn(&[Value]) -> Result<Value, Fail>) -> Result<Value, Fail> {
    let Some((Value::Array(now), args)) = args.split_first() else { return Err(time_now::NO_TIME) };
    match now.first() {
        None => answer(args),
        Some(now) => {
            let now =
                now.as_u64().map_err(|_| Fail::Argument("takes the time from input.now, a whole number"))?;
            turn::at(now, || answer(args))
        }
    }
}

/// What the engine's own builtin answers; none when it fails.
fn engines(name: &str, args: &[Value]) -> Option<Value> {
    run_engines(*ENGINE.get(name)?, args).ok().filter(|value| *value != Value::Undefined)
}

/// The text of an argument.
fn text(value: &Value) -> Result<&str, Fail> {
    value.as_string().map(AsRef::as_ref).map_err(|_| Fail::Argument("takes text"))
}

#[cfg(test)]
mod tests;
