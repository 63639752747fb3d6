//! A middle-sized estate: 50 roles of 5 permissions, 500 callers of 3 roles each, and the request that is asked about.

use clap::ValueEnum;
use serde_json::{Map, Value, json};

/// Who calls.
pub(crate) const CALLER: &str = "spiffe://bench.example/ns/batch/sa/eod";
/// Who is called.
pub(crate) const GATE: &str = "spiffe://bench.example/gate";

const METHODS: [&str; 5] = ["GET", "POST", "PUT", "DELETE", "HEAD"];

/// How the same policy is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, ValueEnum)]
pub(crate) enum Spelling {
    /// Callers and permissions are members of objects, looked up by name; what the other measurements use.
    LookedUp,
    /// They stand in lists that the policy searches.
    Searched,
}

impl Spelling {
    pub(crate) const ALL: [Self; 2] = [Self::LookedUp, Self::Searched];

    /// Of its folder.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::LookedUp => "looked-up",
            Self::Searched => "searched",
        }
    }

    pub(crate) const fn rego(self) -> &'static str {
        match self {
            Self::LookedUp => include_str!("../policy/looked_up.rego"),
            Self::Searched => include_str!("../policy/searched.rego"),
        }
    }
}

/// The data of the policy: the same estate in both spellings.
pub(crate) fn data(spelling: Spelling) -> Value {
    let roles = (0..50).map(|role| {
        // The 8th role may do everything with postings, every other with something else.
        let resource = if role == 7 { "postings".to_owned() } else { format!("resource-{role}") };
        let permissions = match spelling {
            Spelling::LookedUp => {
                METHODS.map(|method| (method.to_owned(), json!([resource]))).into_iter().collect()
            }
            Spelling::Searched => {
                Value::from(METHODS.map(|method| json!({"method": method, "resource": resource})).to_vec())
            }
        };
        (format!("role-{role}"), permissions)
    });
    let roles: Map<String, Value> = roles.collect();
    let bindings = (0..500).map(|caller| {
        // The 251st is ours, with the roles 10, 25 and 7.
        let ours = caller == 250;
        let id = if ours { CALLER.to_owned() } else { format!("spiffe://bench.example/sa/{caller}") };
        let held = if ours { [10, 25, 7] } else { [caller % 50, (caller + 1) % 50, (caller + 2) % 50] };
        (id, held.map(|role| format!("role-{role}")))
    });
    let bindings: Value = match spelling {
        Spelling::LookedUp => bindings.map(|(id, roles)| (id, json!(roles))).collect::<Map<_, _>>().into(),
        Spelling::Searched => {
            bindings.map(|(id, roles)| json!({"caller": id, "roles": roles})).collect::<Vec<_>>().into()
        }
    };
    json!({"roles": roles, "bindings": bindings, "freeze": {"active": false}})
}

/// The input document of the load generator's request, whole.
pub(crate) fn input() -> Value {
    json!({
        "v": 1,
        "caller": {"id": CALLER, "kind": "workload", "trust_domain": "bench.example", "path": ["ns", "batch", "sa", "eod"],
                   "proof": "x509_svid", "expires_at": 1_795_310_400,
                   "x509": {"serial": "5f3a", "anchor": "sha256:9c"}, "jwt": null, "process": null, "actors": []},
        "listener": "front", "direction": "inbound", "route": "all",
        "upstream": {"name": "ledger", "proof": "none"},
        "request": {"protocol": "http/1.1", "method": "GET", "scheme": "https", "host": "localhost",
                    "path": "/postings/2026/7", "segments": ["postings", "2026", "7"], "query": {"branch": ["042"]},
                    "headers": {"accept": ["text/csv"], "user-agent": ["postern-benches"]},
                    "body": {"state": "absent"}},
        "credentials": {"ledger": {"state": "live", "issued_at": 1_795_300_000, "expires_at": 1_795_303_600, "callers": 1}},
        "context": {"sidecar": GATE, "labels": {}, "peer": {"ip": "127.0.0.1"}},
        "now": 1_795_300_123
    })
}
