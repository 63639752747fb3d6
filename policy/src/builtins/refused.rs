//! What the gate refuses, each with what to write instead.

use super::row::Builtin;

const OLD: &str = "what took its place: OPA itself refuses it in Rego v1";
const NO_RANDOM: &str = "a value from the input: a decision must come out the same when it is replayed";
const NO_MD5: &str = "crypto.sha256 or crypto.hmac.sha256: MD5 is broken";
const NO_GRAPHQL: &str = "regex.match or split on the text of the query";
const NO_KEYS: &str = "a key that stays where it is kept, and a credential that the route puts in; for a key that signs tokens \
                       crypto.x509.parse_rsa_private_key";
const NO_YAML: &str = "JSON with json.*, or a data.yaml in the bundle, which is read when it is loaded";
const NO_SERVER: &str = "input.context, which says what Postern knows of itself";

pub(super) const ROWS: &[Builtin] = &[
    Builtin::refused("all", OLD),
    Builtin::refused("any", OLD),
    Builtin::refused("cast_array", OLD),
    Builtin::refused("cast_boolean", OLD),
    Builtin::refused("cast_null", OLD),
    Builtin::refused("cast_object", OLD),
    Builtin::refused("cast_set", OLD),
    Builtin::refused("cast_string", OLD),
    Builtin::refused("crypto.hmac.md5", NO_MD5),
    Builtin::refused("crypto.md5", NO_MD5),
    Builtin::refused("crypto.parse_private_keys", NO_KEYS),
    Builtin::refused("crypto.x509.parse_keypair", NO_KEYS),
    Builtin::refused("graphql.is_valid", NO_GRAPHQL),
    Builtin::refused("graphql.parse", NO_GRAPHQL),
    Builtin::refused("graphql.parse_and_verify", NO_GRAPHQL),
    Builtin::refused("graphql.parse_query", NO_GRAPHQL),
    Builtin::refused("graphql.parse_schema", NO_GRAPHQL),
    Builtin::refused("graphql.schema_is_valid", NO_GRAPHQL),
    Builtin::refused(
        "http.send",
        "data that is loaded with the policy: a decision does not wait for the network",
    ),
    Builtin::refused("net.cidr_overlap", OLD),
    Builtin::refused("net.lookup_ip_addr", "input.context.peer.ip: a decision does not wait for the network"),
    Builtin::refused("opa.runtime", NO_SERVER),
    Builtin::refused("rand.intn", NO_RANDOM),
    Builtin::refused("re_match", OLD),
    Builtin::refused("rego.parse_module", "data that is prepared: a policy does not read policies"),
    Builtin::refused("set_diff", OLD),
    Builtin::refused("uuid.rfc4122", NO_RANDOM),
    Builtin::refused("yaml.is_valid", NO_YAML),
    Builtin::refused("yaml.marshal", NO_YAML),
    Builtin::refused("yaml.unmarshal", NO_YAML),
];
