//! The one table. The reference page `errors.md` is generated from it, and a test fails when the
//! page is stale. Codes are never reused and never renumbered.

use super::{Code, Owner, Stage};

macro_rules! codes {
    ($($(#[$doc:meta])* $name:ident = $id:literal, $stage:ident, $owner:ident, $status:literal, $summary:literal, $hint:literal;)*) => {
        $(
            #[doc = $summary]
            pub const $name: &Code = &Code {
                id: $id, stage: Stage::$stage, owner: Owner::$owner, status: $status, summary: $summary, hint: $hint,
            };
        )*
        /// Every row, in the order of the path.
        pub const ALL: &[&Code] = &[$($name),*];
    };
}

codes! {
    CONNECTION_LIMIT = "PST-AC-001", Accept, Operator, 503, "too many connections",
        "raise limits.connections of the listener, or find out who holds so many";
    HANDSHAKE_LIMIT = "PST-AC-002", Accept, Operator, 503, "too many handshakes in flight",
        "a burst of new connections, or callers that stall: see postern_handshakes_in_flight; raise limits.handshakes";
    HANDSHAKE_TIMEOUT = "PST-AC-003", Accept, Caller, 408, "the handshake was not finished in time",
        "the caller withheld its part of the TLS handshake; raise limits.handshake only for slow links";
    HEAD_TIMEOUT = "PST-AC-004", Accept, Caller, 408, "the request head was not finished in time",
        "the caller sent its request head too slowly; limits.head says how long it may take";
    HEAD_TOO_LARGE = "PST-AC-005", Accept, Caller, 431, "the request head is too large",
        "see limits.head_size and limits.headers of the listener";
    HEAD_MALFORMED = "PST-AC-006", Accept, Caller, 400, "the request head is malformed",
        "the caller does not speak the listener's protocol correctly; the record's detail says what is wrong";
    CLOSED_EARLY = "PST-AC-007", Accept, Caller, 400, "the caller closed the connection before a request was complete",
        "look at the caller: it went away during the handshake or the head";
    ACCEPT_FAILED = "PST-AC-008", Accept, Operator, 503, "a connection could not be accepted",
        "the kernel refused: descriptors or memory are short; the log line has the system's error, and new connections wait until it is over";
    PROTOCOL_BROKEN = "PST-AC-009", Accept, Caller, 400, "the caller broke the rules of HTTP/2",
        "its client is faulty or hostile: a flood, a bad frame or headers without end; the record's detail names the rule";

    CONNECTION_OLD = "PST-AC-010", Accept, Caller, 503, "the connection has reached the age that is allowed here",
        "limits.age bounds it; callers are told some time before (GOAWAY, `Connection: close`) and must connect again";
    CALLER_FLOODS = "PST-AC-011", Accept, Caller, 429, "the caller floods its connection",
        "frames of HTTP/2 that ask for nothing (SETTINGS, PING, resets, empty DATA) by the thousand: look at the caller";

    NO_CLIENT_CERTIFICATE = "PST-ID-001", Identify, Caller, 401, "no client certificate was presented",
        "the listener demands an X.509-SVID: let the caller present the one its Workload API gives it";
    SVID_EXPIRED = "PST-ID-002", Identify, Caller, 401, "the caller's SVID has expired or is not valid yet",
        "check both clocks, then the caller's rotation";
    SVID_UNTRUSTED = "PST-ID-003", Identify, Caller, 401, "the caller's SVID does not verify against its trust domain's bundle",
        "the record's detail says what failed: compare the chain that the caller presents with the bundle of its trust domain; one of the two may have missed a rotation";
    SVID_MALFORMED = "PST-ID-004", Identify, Caller, 401, "the caller's certificate is not a valid X.509-SVID",
        "an SVID has exactly one URI SAN, a path, digitalSignature, and neither CA nor signing rights";
    TRUST_DOMAIN_NOT_LISTED = "PST-ID-005", Identify, Caller, 401, "the caller's trust domain is not accepted here",
        "add it to the listener's callers.trust (and to identity.trust) if it should be";
    NO_BUNDLE = "PST-ID-006", Identify, Operator, 503, "no trust bundle is held for the caller's trust domain",
        "the Workload API delivers none: check federation of that trust domain";
    NO_OWN_SVID = "PST-ID-007", Identify, Operator, 503, "this sidecar holds no live SVID of its own",
        "check the Workload API socket and the registration entry of this sidecar";
    NO_TOKEN = "PST-ID-008", Identify, Caller, 401, "no JWT-SVID was presented",
        "the listener demands `Authorization: Bearer <JWT-SVID>`, with its audience";
    TOKEN_MALFORMED = "PST-ID-009", Identify, Caller, 401, "the token is not a well-formed JWT-SVID",
        "compact form, one of the nine algorithms, kid, sub, aud and exp: nothing else is accepted";
    TOKEN_UNTRUSTED = "PST-ID-010", Identify, Caller, 401, "the JWT-SVID does not verify against its trust domain's keys",
        "compare its kid with the keys of the trust domain in `sub`";
    TOKEN_EXPIRED = "PST-ID-011", Identify, Caller, 401, "the JWT-SVID has expired, is not valid yet, or lives too long",
        "check both clocks; callers.max_token_life bounds how long a token may live";
    TOKEN_AUDIENCE = "PST-ID-012", Identify, Caller, 401, "the JWT-SVID is not for this audience alone",
        "let the caller fetch one for exactly callers.audience";
    IDENTITIES_DIFFER = "PST-ID-013", Identify, Caller, 401, "certificate and token name different identities",
        "where both are presented they must name the same SPIFFE ID";
    PEER_EXPIRED_OPEN = "PST-ID-014", Identify, Caller, 401, "the caller's SVID ended while the connection was open",
        "the caller must reconnect with its next SVID";
    BUNDLE_CHANGED = "PST-ID-015", Identify, Caller, 401, "the trust bundle no longer verifies the caller's chain",
        "the anchor that vouched for this connection was removed; the caller needs an SVID of a current one";
    TLS_FAILED = "PST-ID-016", Identify, Caller, 400, "the TLS handshake failed",
        "the listener speaks TLS 1.3 only; the record's detail has the alert";
    IDENTITY_FILE = "PST-ID-017", Identify, Operator, 503, "an identity file could not be used",
        "the log line names the file and what is wrong with it; what was read before still holds";
    SOURCE_UNREACHABLE = "PST-ID-018", Identify, Operator, 503, "the Workload API does not answer",
        "check that the agent runs and that this sidecar may open its socket; what was received before still holds";
    SOURCE_DENIED = "PST-ID-019", Identify, Operator, 503, "the Workload API issues this sidecar no identity",
        "register this sidecar: its SVIDs and bundles were withdrawn until an identity is issued again";
    SOURCE_MALFORMED = "PST-ID-020", Identify, Operator, 503, "the identity source sent something unusable",
        "the log line has the reason; what was received before still holds";

    NO_ROUTE = "PST-AZ-001", Authorize, Caller, 404, "no route of this listener fits the request",
        "compare host and path with the listener's routes";
    METHOD_REFUSED = "PST-AZ-002", Authorize, Caller, 405, "this method is never forwarded",
        "CONNECT and TRACE are refused, for TRACE would reflect the credential; and methods with small letters, which servers may take for others";
    TARGET_AMBIGUOUS = "PST-AZ-003", Authorize, Caller, 400, "the request target can be read in more than one way",
        "a path from `/` on, with no dot segments, empty segments, encoded slashes, backslashes, control characters or userinfo; one Host that agrees with the target";
    FRAMING_AMBIGUOUS = "PST-AZ-004", Authorize, Caller, 400, "the request's framing can be read in more than one way",
        "one Content-Length or Transfer-Encoding: chunked alone";
    HEADER_REFUSED = "PST-AZ-005", Authorize, Caller, 400, "a header is not acceptable",
        "a security header given twice, a value that is not UTF-8, or a Connection header that names what it may not is refused: look at what the caller sends";
    EXPECTATION_REFUSED = "PST-AZ-006", Authorize, Caller, 417, "this expectation cannot be met",
        "only `Expect: 100-continue` is known";
    BODY_TOO_LARGE = "PST-AZ-007", Authorize, Caller, 413, "the body is longer than this route reads",
        "raise body.inspect of the route, or let its policy decide on `too_large` bodies";
    BODY_MALFORMED = "PST-AZ-008", Authorize, Caller, 400, "the body is not the JSON that this route reads",
        "plain JSON in UTF-8, declared by its content type, no member named twice; or let the route's policy decide";
    POLICY_DENIED = "PST-AZ-010", Authorize, Caller, 403, "policy denied the request",
        "run `postern explain RECORD` to see the deciding rule";
    POLICY_ERROR = "PST-AZ-012", Authorize, Operator, 403, "policy failed on this request",
        "a builtin failed or the input is nested too deep: the decision's reason in the record has the engine's words with file and line";
    POLICY_LATE = "PST-AZ-013", Authorize, Operator, 403, "policy did not answer in time",
        "a decision took longer than policy.fuse, and so did a second try: bindings as data, keyed by id, are fast";
    POLICY_PANIC = "PST-AZ-014", Authorize, Postern, 403, "the policy engine failed",
        "a fault in the engine was contained; the log line has it: report it";
    DECISION_MALFORMED = "PST-AZ-015", Authorize, Operator, 403, "policy answered with something that is not a decision",
        "an unknown member or a wrong type is a denial; the record names the member";
    CREDENTIAL_NOT_PERMITTED = "PST-AZ-016", Authorize, Operator, 403, "policy named a credential that the route does not permit",
        "add it to the route's credentials, or name one of them; with several, the decision must say which";
    POLICY_CONFLICT = "PST-AZ-017", Authorize, Operator, 403, "two rules gave different answers",
        "a complete rule had two values for this input: the decision's reason in the record names it";

    POLICY_OVERSIZE = "PST-AZ-018", Authorize, Operator, 403, "policy asked a builtin for more than its cap",
        "the record names the builtin and its cap: bound what the policy computes from its input";

    POLICY_ABSENT = "PST-AZ-019", Authorize, Operator, 503, "no policy has arrived yet",
        "a bundle service has not answered since the start, and no copy of its bundle is kept: the log names the bundle and what the service did";

    VAULT_UNREACHABLE = "PST-CR-001", Credential, Operator, 503, "the vault did not answer",
        "check vaults.NAME.url, the network, and whether the vault runs";
    VAULT_SEALED = "PST-CR-002", Credential, Operator, 503, "the vault is sealed or not ready",
        "unseal the vault; requests on live leases go on until those end";
    VAULT_LOGIN = "PST-CR-003", Credential, Operator, 503, "the vault refused this sidecar's login",
        "compare the role's bound audience and subject with this sidecar's SPIFFE ID; the log line has the vault's words";
    VAULT_DENIED = "PST-CR-004", Credential, Operator, 503, "the vault refused to issue the credential",
        "give the sidecar's vault policy `read` on the credential's path";
    VAULT_BUSY = "PST-CR-005", Credential, Operator, 503, "the vault limits the rate of requests",
        "raise the vault's rate limit quota, or lengthen the leases";
    VAULT_ANSWER = "PST-CR-006", Credential, Operator, 503, "the vault's answer could not be used",
        "the path may be of another engine: compare credentials.NAME.read with the vault";
    CREDENTIAL_MISSING = "PST-CR-007", Credential, Operator, 503, "the vault holds no such credential",
        "check credentials.NAME.read: the path or role does not exist or was deleted";
    TOO_MANY_LEASES = "PST-CR-008", Credential, Operator, 503, "no further lease may be taken for this credential",
        "credentials.NAME.most bounds how many callers hold one at a time; idle ones are returned after `idle`";
    LEASE_ENDED = "PST-CR-009", Credential, Operator, 503, "the credential's lease has ended and no new one could be had",
        "the log says why, in the lines `a lease could not be renewed` and `a credential could not be fetched` that name the credential";
    LEASE_TOO_OLD = "PST-CR-010", Credential, Operator, 503, "no credential young enough could be had",
        "the decision's max_age is shorter than what the source can give: a file or a static role gives the same again until it is rotated";
    ACCESS_OVER = "PST-CR-011", Credential, Caller, 403, "the time that policy allowed for this access is over",
        "the decision's `until` has passed";
    CREDENTIAL_REFUSED = "PST-CR-012", Credential, Operator, 502, "the upstream refused the credential",
        "a fresh lease was refused too, or none may be fetched yet: check the account in the old system";
    SOURCE_FILE = "PST-CR-013", Credential, Operator, 503, "the credential's file could not be used",
        "check credentials.NAME.file: it must exist, be readable and hold {\"username\", \"password\"} or {\"token\"}";
    LEASE_NOT_FOR_UPSTREAM = "PST-CR-014", Credential, Operator, 503, "the credential is not meant for this upstream",
        "credentials.NAME.only_to lists where it may go";
    CREDENTIAL_TIMEOUT = "PST-CR-015", Credential, Operator, 503, "no credential could be had in time",
        "the vault was too slow: see its latency; the fetch goes on for the next request";
    JOURNAL_FAILED = "PST-CR-016", Credential, Operator, 503, "the lease could not be journalled",
        "the state directory cannot be written: a lease that might be orphaned is not used";

    UPSTREAM_UNREACHABLE = "PST-FW-001", Forward, Upstream, 502, "the upstream could not be reached",
        "check upstreams.NAME.address and whether the old system runs";
    UPSTREAM_UNPROVEN = "PST-FW-002", Forward, Operator, 502, "the upstream did not prove who it is",
        "its certificate does not fit upstreams.NAME.tls; no credential was sent";
    UPSTREAM_TIMEOUT = "PST-FW-003", Forward, Upstream, 504, "the upstream did not answer in time",
        "see upstreams.NAME.timeouts";
    UPSTREAM_BROKE_OFF = "PST-FW-004", Forward, Upstream, 502, "the upstream broke off",
        "it closed the connection or sent something that is not a response";
    UPSTREAM_BUSY = "PST-FW-005", Forward, Operator, 503, "too many connections to the upstream",
        "raise upstreams.NAME.connections, or find out why it is slow";
    BODY_BROKE_OFF = "PST-FW-006", Forward, Caller, 400, "the request body broke off or was malformed",
        "the caller stopped, went away in the middle, or sent a bad chunk";
    BODY_STALLED = "PST-FW-007", Forward, Caller, 408, "a body stood still for too long",
        "limits.idle of the listener bounds how long either side may pause; the record's bytes and upstream say which side stood still";
    UPGRADE_REFUSED = "PST-FW-008", Forward, Operator, 501, "a WebSocket cannot be carried to this upstream",
        "upstreams.NAME.http2 speaks HTTP/2 to it, and a WebSocket needs HTTP/1.1: give such paths a route to an upstream without http2";
    SECRET_LEAKED = "PST-FW-009", Forward, Upstream, 502, "the upstream's response contained the injected credential",
        "the old system echoes its credential: the copy was masked; look at the record's path";
    UPSTREAM_CROSSED = "PST-FW-010", Forward, Upstream, 502, "the upstream closed the connection as the request was on its way",
        "it may have been processed, so it was not sent again; let the upstream keep connections longer than upstreams.NAME.timeouts.idle";

    RECORDS_FULL = "PST-RC-001", Record, Operator, 503, "records cannot be written",
        "the disk of records.file or of the state folder is full or gone; with when_full: count requests go on and are counted";
    RECORDS_BUSY = "PST-RC-002", Record, Operator, 503, "too many records are waiting to be written",
        "the disk of records.file is too slow for this load";

    DRAINING = "PST-OP-001", Operate, Operator, 503, "this sidecar is shutting down",
        "try again: another instance answers";
    CONFIG_REFUSED = "PST-OP-002", Operate, Operator, 503, "the configuration was refused",
        "run `postern check --config FILE`; the old configuration serves on";
    POLICY_REFUSED = "PST-OP-003", Operate, Operator, 503, "the policy was refused",
        "the log names file, line and construct; a refused bundle stays as it was, the others move on";
    PANICKED = "PST-OP-004", Operate, Postern, 500, "an internal error ended the request",
        "a fault of ours was contained; the log line has it: report it";
    SERVICE_UNREACHABLE = "PST-OP-005", Operate, Operator, 503, "a bundle service did not answer",
        "check policy.bundles.NAME.url, its tls and the network; the bundle that it gave last serves on";
    SERVICE_DENIED = "PST-OP-006", Operate, Operator, 503, "a bundle service refused this sidecar",
        "check policy.bundles.NAME.token_file, or whether the service knows this sidecar's SVID (tls.present_svid); the bundle that it gave last serves on";
    SERVICE_ANSWER = "PST-OP-007", Operate, Operator, 503, "a bundle service answered with something that is no bundle",
        "the log says what it was: a redirect is never followed, and a page or an error is no bundle; the bundle that it gave last serves on";
    BUNDLE_COPY = "PST-OP-008", Operate, Operator, 503, "the kept copy of a bundle could not be used or made",
        "the log names the file in the state folder: what is damaged, a link or another user's is not used and can be removed; what cannot be written will be missing when the next start finds no service";
    STATUS_UNSENT = "PST-OP-009", Operate, Operator, 503, "a status report was not taken",
        "check policy.status: its url, tls and token_file; the log line has what the service did, and the newest state is sent again";
    BUNDLE_OLDER = "PST-OP-010", Operate, Operator, 503, "a bundle was signed before the one that served last",
        "a service that offers an old bundle is behind, or is lying; to go back on purpose, sign the old bundle anew";
    STATE_UNUSABLE = "PST-OP-011", Operate, Operator, 503, "the state folder cannot be used",
        "`state` names a folder of this instance alone, empty or Postern's own from before, which belongs to the user that it runs as and can be written by it: chown it, or name another";
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_id_stands_twice() {
        let mut ids: Vec<_> = ALL.iter().map(|code| code.id).collect();
        ids.sort_unstable();
        let all = ids.len();
        ids.dedup();
        assert_eq!(ids.len(), all);
    }

    #[test]
    fn an_id_says_its_stage() {
        for code in ALL {
            let letters = match code.stage {
                Stage::Accept => "AC",
                Stage::Identify => "ID",
                Stage::Authorize => "AZ",
                Stage::Credential => "CR",
                Stage::Forward => "FW",
                Stage::Record => "RC",
                Stage::Operate => "OP",
            };
            assert_eq!(code.id.get(4..6), Some(letters), "{}", code.id);
        }
    }
}
