//! Every builtin of the engine, and what stands between it and a policy.
//!
//! The engine's fuse looks at the clock between steps, and one call of a builtin is one step: what a call costs
//! must be bounded by its arguments before it begins. So each builtin is let through as it is, asked about the
//! size of its arguments first, answered by us, or refused at load. A builtin that is not in the table, because a
//! newer engine brought it, is refused too.

mod cidr;
mod concat;
mod count;
mod glob;
mod index;
mod json;
mod numbers;
mod pattern;
pub(crate) mod regex;
mod replace;
mod split;
mod sprintf;
mod time_now;
pub(crate) mod turn;
mod units;
mod weigh;

use std::sync::LazyLock;

use regorus::unstable::{BUILTINS as ENGINE, BuiltinFcn, Expr, Ref, Span};
use regorus::{Engine, Source, Value};

/// What stands between a policy and a builtin.
#[derive(Clone, Copy)]
pub(crate) enum By {
    /// Nothing: its cost is small whatever its arguments are.
    Engine,
    /// A look at the arguments.
    Guard(fn(&[Value]) -> Result<(), Fail>),
    /// An answer of our own.
    Ours(fn(&[Value]) -> Result<Value, Fail>),
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

const NO_RANDOM: &str = "a value from the input: a decision must come out the same when it is replayed";
const NO_SERVER: &str = "input.context, which says what Postern knows of itself";

/// One line for each builtin of the engine.
#[rustfmt::skip]
const TABLE: &[(&str, By)] = &[
    ("__builtin_sets.intersection", By::Guard(weigh::linear)),
    ("__builtin_sets.union", By::Guard(weigh::linear)),
    ("abs", By::Engine),
    ("array.concat", By::Guard(weigh::linear)),
    ("array.reverse", By::Guard(weigh::linear)),
    ("array.slice", By::Guard(weigh::linear)),
    ("base64.decode", By::Guard(weigh::linear)),
    ("base64.encode", By::Guard(weigh::linear)),
    ("base64.is_valid", By::Guard(weigh::linear)),
    ("base64url.decode", By::Guard(weigh::linear)),
    ("base64url.encode", By::Guard(weigh::linear)),
    ("base64url.encode_no_pad", By::Guard(weigh::linear)),
    ("bits.and", By::Engine),
    ("bits.lsh", By::Guard(numbers::small_shift)),
    ("bits.negate", By::Engine),
    ("bits.or", By::Engine),
    ("bits.rsh", By::Engine),
    ("bits.xor", By::Engine),
    ("ceil", By::Engine),
    ("concat", By::Ours(concat::concat)),
    ("contains", By::Guard(weigh::linear)),
    ("count", By::Engine),
    ("endswith", By::Engine),
    ("floor", By::Engine),
    ("format_int", By::Engine),
    ("glob.match", By::Ours(glob::glob_match)),
    ("glob.quote_meta", By::Ours(glob::quote_meta)),
    ("graph.reachable", By::Guard(weigh::deep)),
    ("graph.reachable_paths", By::Refused("graph.reachable: the number of paths grows beyond any bound")),
    ("hex.decode", By::Guard(weigh::linear)),
    ("hex.encode", By::Guard(weigh::linear)),
    ("http.send", By::Refused("data that is loaded with the policy: a decision does not wait for the network")),
    ("indexof", By::Ours(index::indexof)),
    ("indexof_n", By::Ours(index::indexof_n)),
    ("intersection", By::Guard(weigh::deep)),
    ("is_array", By::Engine),
    ("is_boolean", By::Engine),
    ("is_null", By::Engine),
    ("is_number", By::Engine),
    ("is_object", By::Engine),
    ("is_set", By::Engine),
    ("is_string", By::Engine),
    ("json.filter", By::Guard(weigh::deep)),
    ("json.is_valid", By::Guard(weigh::linear)),
    ("json.marshal", By::Guard(weigh::deep)),
    ("json.marshal_with_options", By::Guard(json::small_indent)),
    ("json.match_schema", By::Refused("rules that test the members: the engine words its errors differently")),
    ("json.patch", By::Guard(json::few_copies)),
    ("json.remove", By::Guard(weigh::deep)),
    ("json.unmarshal", By::Guard(weigh::linear)),
    ("json.verify_schema", By::Refused("rules that test the members")),
    ("lower", By::Guard(weigh::linear)),
    ("max", By::Guard(weigh::linear)),
    ("min", By::Guard(weigh::linear)),
    ("net.cidr_contains", By::Engine),
    ("net.cidr_expand", By::Guard(cidr::few_addresses)),
    ("net.cidr_is_valid", By::Engine),
    ("numbers.range", By::Ours(numbers::range)),
    ("numbers.range_step", By::Ours(numbers::range_step)),
    ("object.filter", By::Guard(weigh::linear)),
    ("object.get", By::Engine),
    ("object.keys", By::Guard(weigh::linear)),
    ("object.remove", By::Guard(weigh::linear)),
    ("object.subset", By::Guard(weigh::deep)),
    ("object.union", By::Guard(weigh::deep)),
    ("object.union_n", By::Guard(weigh::deep)),
    ("opa.runtime", By::Refused(NO_SERVER)),
    ("product", By::Guard(numbers::small_product)),
    ("rand.intn", By::Refused(NO_RANDOM)),
    ("regex.find_all_string_submatch_n", By::Ours(regex::find_all)),
    ("regex.find_n", By::Ours(regex::find)),
    ("regex.is_valid", By::Ours(regex::is_valid)),
    ("regex.match", By::Ours(regex::is_match)),
    ("regex.replace", By::Ours(regex::replace)),
    ("regex.split", By::Ours(regex::split)),
    ("regex.template_match", By::Ours(regex::template_match)),
    ("replace", By::Ours(replace::replace)),
    ("round", By::Engine),
    ("semver.compare", By::Guard(weigh::linear)),
    ("semver.is_valid", By::Guard(weigh::linear)),
    ("sort", By::Guard(weigh::linear)),
    ("split", By::Ours(split::split)),
    ("sprintf", By::Ours(sprintf::sprintf)),
    ("startswith", By::Engine),
    ("strings.any_prefix_match", By::Guard(weigh::product)),
    ("strings.any_suffix_match", By::Guard(weigh::product)),
    ("strings.count", By::Ours(count::count)),
    ("strings.replace_n", By::Ours(replace::replace_n)),
    ("strings.reverse", By::Guard(weigh::linear)),
    ("substring", By::Guard(weigh::linear)),
    ("sum", By::Guard(weigh::linear)),
    ("time.add_date", By::Engine),
    ("time.clock", By::Engine),
    ("time.date", By::Engine),
    ("time.diff", By::Engine),
    ("time.format", By::Guard(weigh::linear)),
    ("time.now_ns", By::Ours(time_now::now_ns)),
    ("time.parse_duration_ns", By::Guard(weigh::linear)),
    ("time.parse_ns", By::Guard(weigh::linear)),
    ("time.parse_rfc3339_ns", By::Guard(weigh::linear)),
    ("time.weekday", By::Engine),
    ("to_number", By::Guard(weigh::linear)),
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
    ("units.parse_bytes", By::Guard(units::small_exponent)),
    ("upper", By::Guard(weigh::linear)),
    ("urlquery.decode", By::Guard(weigh::linear)),
    ("urlquery.decode_object", By::Guard(weigh::linear)),
    ("urlquery.encode", By::Guard(weigh::linear)),
    ("urlquery.encode_object", By::Guard(weigh::deep)),
    ("uuid.parse", By::Engine),
    ("uuid.rfc4122", By::Refused(NO_RANDOM)),
    ("walk", By::Guard(weigh::walked)),
    ("yaml.is_valid", By::Refused("json.is_valid")),
    ("yaml.marshal", By::Refused("json.marshal")),
    ("yaml.unmarshal", By::Refused("json.unmarshal")),
];

/// Builtins of OPA that the engine lacks, by how their names begin.
#[rustfmt::skip]
const LACKING: &[(&str, &str)] = &[
    ("array.flatten", "a comprehension: [x | some part in parts; some x in part]"),
    ("crypto.", "a value that is prepared in the data"),
    ("graphql.", "regex.match or split on the text of the query"),
    ("io.jwt.", "input.caller.jwt: Postern verifies a token before it asks"),
    ("net.cidr_", "net.cidr_contains, once for each network"),
    ("net.lookup_ip_addr", "input.context.peer.ip: a decision does not wait for the network"),
    ("providers.aws.", "a credential of the route: Postern puts it in"),
    ("regex.globs_match", "glob.match of both against the same text"),
    ("rego.", "the name of the rule, as `rule` of the decision"),
    ("strings.render_template", "sprintf"),
];

/// What is done with a builtin of this name, and how many arguments it takes; none when the engine or the table
/// does not know it.
pub(crate) fn known(name: &str) -> Option<(By, u8)> {
    let (_, arity) = ENGINE.get(name)?;
    TABLE.iter().find(|(known, _)| *known == name).map(|(_, by)| (*by, *arity))
}

/// What to write instead of a builtin that the engine lacks, where we know.
pub(crate) fn instead(name: &str) -> &'static str {
    if let Some((_, By::Refused(instead))) = TABLE.iter().find(|(known, _)| *known == name) {
        return instead;
    }
    let lacking = LACKING.iter().find(|(beginning, _)| name.starts_with(beginning));
    lacking.map_or("", |(_, instead)| instead)
}

/// Puts guards and our own builtins in the place of the engine's.
pub(crate) fn install(engine: &mut Engine) -> anyhow::Result<()> {
    for (name, by) in TABLE {
        let Some(builtin) = ENGINE.get(name).copied() else { continue };
        match *by {
            By::Engine | By::Refused(_) => {}
            By::Ours(answer) => {
                let ours = move |args: Vec<Value>| answer(&args).map_err(|fail| report(name, &fail));
                engine.add_extension((*name).to_owned(), builtin.1, Box::new(ours))?;
            }
            By::Guard(guard) => {
                let guarded = move |args: Vec<Value>| {
                    guard(&args).map_err(|fail| report(name, &fail))?;
                    run_engines(builtin, &args)
                };
                engine.add_extension((*name).to_owned(), builtin.1, Box::new(guarded))?;
            }
        }
    }
    Ok(())
}

fn report(name: &'static str, fail: &Fail) -> anyhow::Error {
    if let Fail::Limit(limit) = fail {
        turn::exceed(name, limit);
    }
    anyhow::anyhow!("{name}: {fail}")
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

/// The text of an argument.
fn text(value: &Value) -> Result<&str, Fail> {
    value.as_string().map(AsRef::as_ref).map_err(|_| Fail::Argument("takes text"))
}

#[cfg(test)]
mod tests;
