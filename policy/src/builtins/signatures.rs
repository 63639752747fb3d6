//! What the builtins take and give: a constant of another kind fails each call, and OPA refuses it when it compiles.

use std::fmt;

/// Kinds of values, of which there may be several.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Kinds(u8);

const NAMES: [&str; 7] = ["null", "boolean", "number", "string", "array", "object", "set"];

pub(crate) const NULL: Kinds = Kinds(1);
pub(crate) const BOOL: Kinds = Kinds(1 << 1);
pub(crate) const NUMBER: Kinds = Kinds(1 << 2);
pub(crate) const TEXT: Kinds = Kinds(1 << 3);
pub(crate) const LIST: Kinds = Kinds(1 << 4);
pub(crate) const OBJECT: Kinds = Kinds(1 << 5);
pub(crate) const SET: Kinds = Kinds(1 << 6);
pub(crate) const ANY: Kinds = Kinds(0x7f);
const LISTS: Kinds = LIST.or(SET);
const TEXTS: Kinds = TEXT.or(LISTS);
const GROUPS: Kinds = LISTS.or(OBJECT);
const TIME: Kinds = NUMBER.or(LIST);

impl Kinds {
    /// These and those.
    pub(crate) const fn or(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    /// Whether a value may be of both.
    pub(crate) const fn meets(self, other: Self) -> bool {
        self.0 & other.0 != 0
    }
}

/// In the words of `type_name`.
impl fmt::Display for Kinds {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if *self == ANY {
            return f.write_str("any");
        }
        let named = NAMES.iter().enumerate().filter(|(bit, _)| self.0 >> bit & 1 == 1);
        let names: Vec<&str> = named.map(|(_, name)| *name).collect();
        f.write_str(&names.join("|"))
    }
}

/// What one builtin takes and gives.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Signature {
    name: &'static str,
    pub(crate) takes: &'static [Kinds],
    pub(crate) gives: Kinds,
}

/// As OPA writes it, `startswith(string, string) boolean`.
impl fmt::Display for Signature {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let takes: Vec<String> = self.takes.iter().map(ToString::to_string).collect();
        write!(f, "{}({}) {}", self.name, takes.join(", "), self.gives)
    }
}

/// What the builtin of this name takes and gives; none for what is refused whatever it is given.
pub(crate) fn signature(name: &str) -> Option<Signature> {
    let &(name, takes, gives) = SIGNATURES.iter().find(|(known, ..)| *known == name)?;
    Some(Signature { name, takes, gives })
}

/// Every builtin that a policy may call, with what it takes and gives, `startswith(string, string) boolean`.
#[must_use]
pub fn signatures() -> Vec<String> {
    SIGNATURES
        .iter()
        .filter_map(|(name, ..)| signature(name))
        .map(|signature| signature.to_string())
        .collect()
}

/// One line for each.
#[rustfmt::skip]
const SIGNATURES: &[(&str, &[Kinds], Kinds)] = &[
    ("abs", &[NUMBER], NUMBER),
    ("array.concat", &[LIST, LIST], LIST),
    ("array.flatten", &[LIST], LIST),
    ("array.reverse", &[LIST], LIST),
    ("array.slice", &[LIST, NUMBER, NUMBER], LIST),
    ("base64.decode", &[TEXT], TEXT),
    ("base64.encode", &[TEXT], TEXT),
    ("base64.is_valid", &[TEXT], BOOL),
    ("base64url.decode", &[TEXT], TEXT),
    ("base64url.encode", &[TEXT], TEXT),
    ("base64url.encode_no_pad", &[TEXT], TEXT),
    ("bits.and", &[NUMBER, NUMBER], NUMBER),
    ("bits.lsh", &[NUMBER, NUMBER], NUMBER),
    ("bits.negate", &[NUMBER], NUMBER),
    ("bits.or", &[NUMBER, NUMBER], NUMBER),
    ("bits.rsh", &[NUMBER, NUMBER], NUMBER),
    ("bits.xor", &[NUMBER, NUMBER], NUMBER),
    ("ceil", &[NUMBER], NUMBER),
    ("concat", &[TEXT, LISTS], TEXT),
    ("contains", &[TEXT, TEXT], BOOL),
    ("count", &[TEXTS.or(OBJECT)], NUMBER),
    ("crypto.hmac.equal", &[TEXT, TEXT], BOOL),
    ("crypto.hmac.sha1", &[TEXT, TEXT], TEXT),
    ("crypto.hmac.sha256", &[TEXT, TEXT], TEXT),
    ("crypto.hmac.sha512", &[TEXT, TEXT], TEXT),
    ("crypto.sha1", &[TEXT], TEXT),
    ("crypto.sha256", &[TEXT], TEXT),
    ("crypto.x509.parse_and_verify_certificates", &[TEXT], LIST),
    ("crypto.x509.parse_and_verify_certificates_with_options", &[TEXT, OBJECT], LIST),
    ("crypto.x509.parse_certificate_request", &[TEXT], OBJECT),
    ("crypto.x509.parse_certificates", &[TEXT], LIST),
    ("crypto.x509.parse_rsa_private_key", &[TEXT], OBJECT),
    ("endswith", &[TEXT, TEXT], BOOL),
    ("floor", &[NUMBER], NUMBER),
    ("format_int", &[NUMBER, NUMBER], TEXT),
    ("glob.match", &[TEXT, NULL.or(LIST), TEXT], BOOL),
    ("glob.quote_meta", &[TEXT], TEXT),
    ("graph.reachable", &[OBJECT, LISTS], SET),
    ("graph.reachable_paths", &[OBJECT, LISTS], SET),
    ("hex.decode", &[TEXT], TEXT),
    ("hex.encode", &[TEXT], TEXT),
    ("indexof", &[TEXT, TEXT], NUMBER),
    ("indexof_n", &[TEXT, TEXT], LIST),
    ("internal.member_2", &[ANY, ANY], BOOL),
    ("internal.member_3", &[ANY, ANY, ANY], BOOL),
    ("internal.metadata", &[TEXT], LIST.or(OBJECT)),
    ("internal.template_string", &[LIST], TEXT),
    ("intersection", &[SET], SET),
    ("io.jwt.decode", &[TEXT], LIST),
    ("io.jwt.decode_verify", &[TEXT, OBJECT], LIST),
    ("io.jwt.encode_sign", &[OBJECT, OBJECT, OBJECT], TEXT),
    ("io.jwt.encode_sign_raw", &[TEXT, TEXT, TEXT], TEXT),
    ("io.jwt.verify_eddsa", &[TEXT, TEXT], BOOL),
    ("io.jwt.verify_es256", &[TEXT, TEXT], BOOL),
    ("io.jwt.verify_es384", &[TEXT, TEXT], BOOL),
    ("io.jwt.verify_es512", &[TEXT, TEXT], BOOL),
    ("io.jwt.verify_hs256", &[TEXT, TEXT], BOOL),
    ("io.jwt.verify_hs384", &[TEXT, TEXT], BOOL),
    ("io.jwt.verify_hs512", &[TEXT, TEXT], BOOL),
    ("io.jwt.verify_ps256", &[TEXT, TEXT], BOOL),
    ("io.jwt.verify_ps384", &[TEXT, TEXT], BOOL),
    ("io.jwt.verify_ps512", &[TEXT, TEXT], BOOL),
    ("io.jwt.verify_rs256", &[TEXT, TEXT], BOOL),
    ("io.jwt.verify_rs384", &[TEXT, TEXT], BOOL),
    ("io.jwt.verify_rs512", &[TEXT, TEXT], BOOL),
    ("is_array", &[ANY], BOOL),
    ("is_boolean", &[ANY], BOOL),
    ("is_null", &[ANY], BOOL),
    ("is_number", &[ANY], BOOL),
    ("is_object", &[ANY], BOOL),
    ("is_set", &[ANY], BOOL),
    ("is_string", &[ANY], BOOL),
    ("json.filter", &[OBJECT, LISTS], OBJECT),
    ("json.is_valid", &[TEXT], BOOL),
    ("json.marshal", &[ANY], TEXT),
    ("json.marshal_with_options", &[ANY, OBJECT], TEXT),
    ("json.match_schema", &[TEXT.or(OBJECT), TEXT.or(OBJECT)], LIST),
    ("json.patch", &[ANY, LIST], ANY),
    ("json.remove", &[OBJECT, LISTS], OBJECT),
    ("json.unmarshal", &[TEXT], ANY),
    ("json.verify_schema", &[TEXT.or(OBJECT)], LIST),
    ("lower", &[TEXT], TEXT),
    ("max", &[LISTS], ANY),
    ("min", &[LISTS], ANY),
    ("net.cidr_contains", &[TEXT, TEXT], BOOL),
    ("net.cidr_contains_matches", &[TEXTS.or(OBJECT), TEXTS.or(OBJECT)], SET),
    ("net.cidr_expand", &[TEXT], SET),
    ("net.cidr_intersects", &[TEXT, TEXT], BOOL),
    ("net.cidr_is_valid", &[TEXT], BOOL),
    ("net.cidr_merge", &[LISTS], SET),
    ("numbers.range", &[NUMBER, NUMBER], LIST),
    ("numbers.range_step", &[NUMBER, NUMBER, NUMBER], LIST),
    ("object.filter", &[OBJECT, GROUPS], OBJECT),
    ("object.get", &[OBJECT, ANY, ANY], ANY),
    ("object.keys", &[OBJECT], SET),
    ("object.remove", &[OBJECT, GROUPS], OBJECT),
    ("object.subset", &[GROUPS, GROUPS], BOOL),
    ("object.union", &[OBJECT, OBJECT], OBJECT),
    ("object.union_n", &[LIST], OBJECT),
    ("path.matches", &[TEXT, TEXT.or(LIST)], BOOL),
    ("product", &[LISTS], NUMBER),
    ("providers.aws.sign_req", &[OBJECT, OBJECT, NUMBER], OBJECT),
    ("regex.find_all_string_submatch_n", &[TEXT, TEXT, NUMBER], LIST),
    ("regex.find_n", &[TEXT, TEXT, NUMBER], LIST),
    ("regex.globs_match", &[TEXT, TEXT], BOOL),
    ("regex.is_valid", &[TEXT], BOOL),
    ("regex.match", &[TEXT, TEXT], BOOL),
    ("regex.replace", &[TEXT, TEXT, TEXT], TEXT),
    ("regex.split", &[TEXT, TEXT], LIST),
    ("regex.template_match", &[TEXT, TEXT, TEXT, TEXT], BOOL),
    ("rego.metadata.chain", &[], LIST),
    ("rego.metadata.rule", &[], ANY),
    ("replace", &[TEXT, TEXT, TEXT], TEXT),
    ("round", &[NUMBER], NUMBER),
    ("semver.compare", &[TEXT, TEXT], NUMBER),
    ("semver.is_valid", &[ANY], BOOL),
    ("sort", &[LISTS], LIST),
    ("spiffe.matches", &[TEXT, TEXT], BOOL),
    ("spiffe.parse", &[TEXT], OBJECT),
    ("split", &[TEXT, TEXT], LIST),
    ("sprintf", &[TEXT, LIST], TEXT),
    ("startswith", &[TEXT, TEXT], BOOL),
    ("strings.any_prefix_match", &[TEXTS, TEXTS], BOOL),
    ("strings.any_suffix_match", &[TEXTS, TEXTS], BOOL),
    ("strings.count", &[TEXT, TEXT], NUMBER),
    ("strings.render_template", &[TEXT, OBJECT], TEXT),
    ("strings.replace_n", &[OBJECT, TEXT], TEXT),
    ("strings.reverse", &[TEXT], TEXT),
    ("substring", &[TEXT, NUMBER, NUMBER], TEXT),
    ("sum", &[LISTS], NUMBER),
    ("time.add_date", &[NUMBER, NUMBER, NUMBER, NUMBER], NUMBER),
    ("time.clock", &[TIME], LIST),
    ("time.date", &[TIME], LIST),
    ("time.diff", &[TIME, TIME], LIST),
    ("time.format", &[TIME], TEXT),
    ("time.now_ns", &[], NUMBER),
    ("time.parse_duration_ns", &[TEXT], NUMBER),
    ("time.parse_ns", &[TEXT, TEXT], NUMBER),
    ("time.parse_rfc3339_ns", &[TEXT], NUMBER),
    ("time.weekday", &[TIME], TEXT),
    ("time.within", &[TEXTS], BOOL),
    ("to_number", &[NULL.or(BOOL).or(NUMBER).or(TEXT)], NUMBER),
    ("trace", &[TEXT], BOOL),
    ("trim", &[TEXT, TEXT], TEXT),
    ("trim_left", &[TEXT, TEXT], TEXT),
    ("trim_prefix", &[TEXT, TEXT], TEXT),
    ("trim_right", &[TEXT, TEXT], TEXT),
    ("trim_space", &[TEXT], TEXT),
    ("trim_suffix", &[TEXT, TEXT], TEXT),
    ("type_name", &[ANY], TEXT),
    ("union", &[SET], SET),
    ("units.parse", &[TEXT], NUMBER),
    ("units.parse_bytes", &[TEXT], NUMBER),
    ("upper", &[TEXT], TEXT),
    ("urlquery.decode", &[TEXT], TEXT),
    ("urlquery.decode_object", &[TEXT], OBJECT),
    ("urlquery.encode", &[TEXT], TEXT),
    ("urlquery.encode_object", &[OBJECT], TEXT),
    ("uuid.parse", &[TEXT], OBJECT),
    ("walk", &[ANY], LIST),
];
