//! What the shape of this file foresees and this version does not do. Refused by name, so that nobody looks for a
//! spelling mistake.

use super::tree::At;

/// Where, which words, and what there is instead.
const LATER: &[(&str, &[&str], &[&str])] = &[
    (
        "listeners.*.protocol",
        &[
            "postgres", "mysql", "mssql", "oracle", "mongodb", "redis", "ldap", "smtp", "imap", "ftp", "ssh",
            "amqp",
        ],
        &["http", "tcp"],
    ),
    ("listeners.*.direction", &["outbound"], &["inbound"]),
    ("listeners.*.mode", &["observe", "adopt"], &["enforce"]),
    ("listeners.*", &["until"], &["mode: enforce, which has no end"]),
    ("listeners.*.callers.any_of.*", &["process", "oidc"], &["x509_svid", "jwt_svid"]),
    (
        "upstreams.*.login",
        &["query", "cookie", "client_cert", "form"],
        &["basic", "bearer", "{ header: NAME }"],
    ),
    ("vaults.*.login", &["cert", "approle", "kubernetes"], &["{ jwt: { role } }", "{ token_file: PATH }"]),
];

/// What there is instead of `word` at this key path, if `word` is foreseen there.
pub(super) fn instead(at: &At, word: &str) -> Option<Vec<String>> {
    LATER
        .iter()
        .find(|(place, words, _)| at.is(place) && words.contains(&word))
        .map(|(_, _, supported)| supported.iter().map(ToString::to_string).collect())
}
