use std::path::PathBuf;

use super::load::parse;
use super::resolve::Surroundings;
use super::*;

fn around(endpoint: Option<&str>) -> Surroundings {
    let file = PathBuf::from("/etc/postern/postern.yaml");
    Surroundings { file, endpoint: endpoint.map(String::from), roots: None }
}

fn config(text: &str) -> Result<Config, ConfigErrors> {
    parse(text, &around(Some("unix:///run/agent.sock")))
}

/// The minimal configuration, with one text replaced.
fn with(from: &str, to: &str) -> Result<Config, ConfigErrors> {
    let text = include_str!("../../../deploy/config/minimal.yaml");
    assert!(text.contains(from), "{from}");
    config(&text.replacen(from, to, 1))
}

#[track_caller]
fn refused(from: &str, to: &str, words: &[&str]) {
    let said = with(from, to).expect_err(to).to_string();
    for word in words {
        assert!(said.contains(word), "`{word}` is not in:\n{said}");
    }
}

#[test]
fn the_least_that_works_is_filled_with_defaults() {
    let config = with("version: 1", "version: 1").unwrap_or_else(|e| panic!("{e}"));
    assert_eq!(config.workers.get(), 1);
    assert!(
        matches!(&config.identity.source, IdentitySource::WorkloadApi(at) if at == "unix:///run/agent.sock")
    );
    assert_eq!(config.policy.bundles["main"].source, BundleSource::Path("/etc/postern/./policy".into()));
    assert_eq!(config.policy.fuse, Duration::from_millis(20));
    let front = &config.listeners["front"];
    assert_eq!(front.callers.any_of, [ProofKind::X509Svid]);
    assert_eq!(front.callers.trust, config.identity.trust);
    assert_eq!(front.routes[0].segments.len(), 0);
    assert_eq!(config.vaults["main"].roots.as_deref(), Some("/etc/ssl/certs/ca-certificates.crt".as_ref()));
    assert!(
        matches!(&config.vaults["main"].login, VaultLogin::Jwt { mount, audience, .. } if mount == "jwt" && audience == "vault")
    );
}

#[test]
fn the_full_example_means_what_it_says() {
    let config = config(include_str!("../../../deploy/config/full.yaml")).unwrap_or_else(|e| panic!("{e}"));
    let front = &config.listeners["front"];
    let order: Vec<_> = front.routes.iter().map(|route| route.name.as_str()).collect();
    assert_eq!(order, ["postings", "print", "rest"]);
    let ledger = front.route("ledger.bank.example", &["postings", "2026"]).unwrap();
    assert_eq!(ledger.name.as_str(), "postings");
    assert_eq!(front.route("other", &["postings"]).unwrap().name.as_str(), "rest");
    assert_eq!(front.route("other", &["postings-old"]).unwrap().name.as_str(), "rest");
    assert_eq!(ledger.inspect.unwrap().limit, 65_536);
    assert_eq!(config.credentials["spooler"].lease_per, LeasePer::Listener);
    assert!(matches!(config.upstreams["archive"].tls.as_ref().unwrap().proof, UpstreamProof::SpiffeId(_)));
    assert_eq!(config.listeners["archive"].protocol, "tcp");
}

#[test]
fn the_contract_s_own_example_parses() {
    let text = r#"
version: 1
state: /var/lib/postern
workers: 1
labels: { env: prod, site: fra1 }
identity: { workload_api: "unix:///run/spire/agent.sock", trust: [bank.example, partner.example] }
vaults:
  main: { url: "https://bao.bank.example:8200", login: { jwt: { role: ledger-gate, audience: vault } } }
credentials:
  ledger-read: { vault: main, read: database/creds/ledger-read, lease_per: caller, idle: 5m, most: 200, only_to: [ledger] }
  ledger-post: { vault: main, read: database/creds/ledger-post, lease_per: caller, idle: 1m, most: 50, only_to: [ledger] }
upstreams:
  ledger:
    address: "ledger.internal:8443"
    tls: { roots: /etc/postern/ledger-ca.pem, min: "1.2" }
    login: basic
policy:
  entrypoint: data.postern.decision
  bundles: { main: { path: /etc/postern/policy } }
  fuse: 20ms
listeners:
  front:
    bind: "0.0.0.0:9443"
    protocol: http
    direction: inbound
    certificate: svid
    callers: { any_of: [x509_svid, jwt_svid], audience: "spiffe://bank.example/ledger", trust: [bank.example] }
    mode: enforce
    routes:
      postings: { host: ledger.bank.example, path: /postings, upstream: ledger, credentials: [ledger-read, ledger-post], body: { inspect: 64KiB } }
      rest: { path: /, upstream: ledger, credentials: [ledger-read] }
records: { file: /var/log/postern/records.jsonl, when_full: refuse }
admin: { socket: /run/postern/admin.sock, metrics: "127.0.0.1:9464" }
"#;
    config(text).unwrap_or_else(|e| panic!("{e}"));
}

#[test]
fn a_longer_path_comes_first_and_a_host_before_any_host() {
    let routes = "{ all: { upstream: app, credentials: [app] }, z: { path: /a, upstream: app, credentials: [app] },
        h: { host: h, upstream: app, credentials: [app] }, y: { path: /a/b/, upstream: app, credentials: [app] } }";
    let config = with("{ all: { path: /, upstream: app, credentials: [app] } }", routes)
        .unwrap_or_else(|e| panic!("{e}"));
    let order: Vec<_> = config.listeners["front"].routes.iter().map(|route| route.name.as_str()).collect();
    assert_eq!(order, ["y", "z", "h", "all"]);
}

#[test]
fn all_problems_are_reported_at_once_with_their_places() {
    let text = "version: 2\nstate: /s\nidentity: { trust: [Bad] }\nupstreams: { a: { address: nowhere } }\n\
                policy: { bundles: { main: { path: p } }, fuse: 20 }\nlisteners:\n  front: { bind: x, protocol: http, \
                routes: { all: { upstream: b } } }\n";
    let errors = config(text).unwrap_err();
    let said = errors.to_string();
    let lines: Vec<_> = errors.problems.iter().map(|problem| problem.line.unwrap()).collect();
    assert_eq!(lines, [1, 3, 4, 5, 7, 7], "{said}");
    assert!(said.contains("/etc/postern/postern.yaml:5:49: policy.fuse: `20` is not a duration"), "{said}");
    assert!(said.contains("no upstream is called `b`"), "{said}");
    assert!(said.contains("6 problems"), "{said}");
}

#[test]
fn an_unknown_key_is_refused_with_what_was_meant_and_without_its_value() {
    let text = "version: 1\nstat: /s\nidentity: { trust: [a], workload: x }\npassword: hunter2\n";
    let said = config(text).unwrap_err().to_string();
    assert!(said.contains("there is no key `stat` here"), "{said}");
    assert!(said.contains("did you mean `state`?"), "{said}");
    assert!(said.contains("identity.workload: there is no key `workload`"), "{said}");
    assert!(said.contains("`upstreams` is missing"), "{said}");
    assert!(!said.contains("hunter2"), "{said}");
}

#[test]
fn what_comes_later_is_refused_by_name() {
    refused(
        "protocol: http",
        "protocol: postgres",
        &["`postgres` is not supported yet", "supported: http, tcp"],
    );
    refused(
        "login: basic",
        "login: form",
        &["`form` is not supported yet", "basic, bearer, { header: NAME }"],
    );
    refused("login: basic", "login: { query: key }", &["`query` is not supported yet"]);
    refused(
        "{ jwt: { role: billing } }",
        "{ approle: { role: x } }",
        &["`approle` is not supported yet", "token_file"],
    );
    refused(
        "protocol: http",
        "protocol: http, mode: observe",
        &["`observe` is not supported yet", "enforce"],
    );
    refused("protocol: http", "protocol: http, direction: outbound", &["`outbound` is not supported yet"]);
}

#[test]
fn yaml_is_read_strictly() {
    refused("state: /var", "state: /a\nstate: /var", &["this key stands here twice", ":4:1"]);
    refused("version: 1", "version: one", &["a text stands here, but a whole number is needed"]);
    refused("version: 1", "version: [", &["postern.yaml:"]);
    let bomb = "a: &a [x,x,x,x,x,x,x,x,x]\nb: &b [*a,*a,*a,*a,*a,*a,*a,*a,*a]\nc: &c [*b,*b,*b,*b,*b,*b,*b,*b,*b]\n\
                d: &d [*c,*c,*c,*c,*c,*c,*c,*c,*c]\ne: &e [*d,*d,*d,*d,*d,*d,*d,*d,*d]\nf: [*e,*e,*e,*e,*e,*e,*e,*e,*e]\n";
    assert!(config(bomb).unwrap_err().to_string().contains("1 problem"));
    assert!(config(&"[".repeat(10_000)).is_err());
    assert!(config("").is_err());
}

#[test]
fn names_must_resolve() {
    refused("vault: main", "vault: mian", &["no vault is called `mian`", "did you mean `main`?"]);
    refused("upstream: app", "upstream: ap", &["no upstream is called `ap`", "there is: app"]);
    refused("[app] }", "[apq] }", &["no credential is called `apq`"]);
    refused(
        "read: database/creds/app",
        "read: database/creds/app, only_to: [x]",
        &["no upstream is called `x`"],
    );
    refused("credentials: { app:", "credentials: { App:", &["`App` cannot be a name"]);
}

#[test]
fn a_bundle_comes_from_a_service_with_everything_filled_in() {
    let config =
        with("path: ./policy", "url: 'https://b.example/main.tar.gz'").unwrap_or_else(|e| panic!("{e}"));
    let BundleSource::Service(service) = &config.policy.bundles["main"].source else { panic!("a service") };
    assert_eq!(
        (service.min, service.max, service.long),
        (Duration::from_mins(1), Duration::from_mins(2), None)
    );
    assert_eq!((service.size, service.endpoint.timeout), (64 << 20, Duration::from_secs(30)));
    assert_eq!((service.endpoint.host.as_str(), service.endpoint.port), ("b.example", 443));
    let tls = service.endpoint.tls.as_ref().unwrap();
    assert_eq!(tls.proof, UpstreamProof::Roots("/etc/ssl/certs/ca-certificates.crt".into()));

    let status = "path: ./policy } }, status: { url: 'https://b.example/opa/', partition: eu";
    let config = with("path: ./policy }", status).unwrap_or_else(|e| panic!("{e}"));
    assert_eq!(config.policy.status.as_ref().unwrap().path, "/opa/status/eu");
}

#[test]
fn a_bundle_has_one_source_and_nothing_of_the_other() {
    refused("path: ./policy", "path: ./policy, url: 'https://x/y'", &["one of `path` and `url`"]);
    refused("{ path: ./policy }", "{}", &["one of `path` and `url`"]);
    refused("path: ./policy", "path: ./policy, polling: {}", &["`polling` means nothing without `url`"]);
    refused("path: ./policy", "url: 'http://b.example/y'", &["clear text to another machine", "https://"]);
    refused("path: ./policy", "url: 'https://b.example/y?sig=1'", &["is not the URL of a service", "query"]);
    let long = |polling: &str| format!("url: 'https://x/y', polling: {{ {polling} }}");
    refused("path: ./policy", &long("min: 3m"), &["`min` is more than `max`"]);
    refused("path: ./policy", &long("long: 2h"), &["outside 1s to 1h"]);
    refused("path: ./policy", &long("lnog: 1s"), &["did you mean `long`"]);
    let tls = "url: 'http://127.0.0.1/y', tls: { roots: r.pem }";
    refused("path: ./policy", tls, &["`tls` means nothing over http://"]);
    refused("path: ./policy", "url: 'https://x/y', tls: { present_svid: true }", &["one of `roots`"]);
    refused("path: ./policy", "url: 'https://x/y', size: 1GiB", &["outside 1KiB to 64MiB"]);
}

#[test]
fn values_must_go_together() {
    refused(", credentials: [app]", "", &["wants a login, but the route names no credential"]);
    refused(", login: basic", "", &["takes no login"]);
    refused("protocol: http", "protocol: tcp", &["bytes have no place for it"]);
    refused("protocol: http", "protocol: http, callers: { any_of: [jwt_svid] }", &["no audience says"]);
    refused("protocol: http", "protocol: http, callers: { audience: x }", &["no JWT-SVID is accepted"]);
    refused(
        "protocol: http",
        "protocol: http, callers: { trust: [other.org] }",
        &["is not in identity.trust"],
    );
    refused("path: /,", "path: /a/../b,", &["not a plain leading path"]);
    refused("database/creds/app", "database/../app", &["not a constant path inside a vault"]);
    refused("login: basic", "login: { header: Host }", &["cannot hold a credential"]);
    refused("login: basic", "login: { header: 'a b' }", &["is not the name of a header"]);
    refused("login: basic", "login: basic, tls: { min: '1.3' }", &["one of `roots`, `spiffe_id` and `pin`"]);
    refused(
        "{ vault: main, read: database/creds/app }",
        "{ vault: main }",
        &["`vault` with `read`, or `file`"],
    );
    refused(
        "path: /, upstream: app, credentials: [app] }",
        "path: /, upstream: app, credentials: [app] }, two: { upstream: app, credentials: [app] }",
        &["fits exactly the requests"],
    );
    refused("trust: [example.org]", "trust: []", &["identity.trust: at least one entry"]);
    refused("main: { path: ./policy }", "", &["policy.bundles: at least one entry"]);
    let verify =
        |with: &str| format!("path: ./policy, verify: {{ keys: {{ ci: {{ file: k.pem }} }}, {with} }} }}");
    refused("path: ./policy }", &verify("keyid: cj"), &["policy.bundles.main.verify.keyid", "`ci`"]);
    refused("path: ./policy }", &verify("exclude_files: ['[a]']"), &["`[a]` is no pattern"]);
    let keys = "path: ./policy, verify: { keys: { ci: { file: k.pem, algorithm: none } } } }";
    refused("path: ./policy }", keys, &["`none` is none of", "ES256"]);
    refused(
        "path: ./policy }",
        "path: ./policy, verify: { keys: {} } }",
        &["verify.keys: at least one entry"],
    );
    let second = "listeners:\n  second: { bind: '0.0.0.0:9443', protocol: http, routes: { all: { upstream: app, credentials: [app] } } }";
    refused("listeners:", second, &["the listener `front` has this address too"]);
}

#[test]
fn a_tcp_listener_has_one_route_and_nothing_of_http() {
    let text = |routes: &str| {
        format!(
            "version: 1\nstate: /s\nidentity: {{ trust: [a] }}\nupstreams: {{ db: {{ address: 'db:1' }} }}\n\
             policy: {{ bundles: {{ main: {{ path: p }} }} }}\nlisteners: {{ t: {{ bind: '127.0.0.1:1', protocol: tcp, routes: {routes} }} }}\n"
        )
    };
    assert!(config(&text("{ all: { upstream: db } }")).is_ok());
    let two = config(&text("{ a: { upstream: db }, b: { upstream: db } }")).unwrap_err().to_string();
    assert!(two.contains("exactly one route"), "{two}");
    let path = config(&text("{ a: { upstream: db, path: /x, host: h } }")).unwrap_err().to_string();
    assert!(path.contains("`path` means nothing") && path.contains("`host` means nothing"), "{path}");
}

#[test]
fn an_identity_comes_from_the_file_the_environment_or_not_at_all() {
    let text = include_str!("../../../deploy/config/minimal.yaml");
    let said = parse(text, &around(None)).unwrap_err().to_string();
    assert!(said.contains("nothing says where our own SVIDs come from"), "{said}");
    let said = parse(text, &around(Some("/run/agent.sock"))).unwrap_err().to_string();
    assert!(said.contains("SPIFFE_ENDPOINT_SOCKET: `/run/agent.sock`"), "{said}");
    refused("{ trust", "{ workload_api: 'tcp://localhost:1', trust", &["not a Workload API endpoint"]);
    let files = "{ files: { svid: s, key: k, bundle: b }, trust";
    refused("{ trust", files, &["identity.files lacks `token`"]);
}

#[test]
fn where_to_ask_is_known_without_the_environment_that_the_rest_needs() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("postern.yaml");
    std::fs::write(&file, include_str!("../../../deploy/config/minimal.yaml")).unwrap();
    let admin = load_admin(&file).unwrap_or_else(|error| panic!("{error}"));
    assert_eq!(admin.socket.as_deref(), Some("/run/postern/admin.sock".as_ref()));

    let text = include_str!("../../../deploy/config/minimal.yaml");
    std::fs::write(&file, text.replace("socket: /run/postern/admin.sock", "metrics: here")).unwrap();
    let said = load_admin(&file).unwrap_err().to_string();
    assert!(said.contains("admin.metrics"), "{said}");
}

#[test]
fn a_password_in_a_url_is_refused_and_not_shown() {
    let said = with("https://bao:8200", "https://root:hunter2@bao:8200").unwrap_err().to_string();
    assert!(said.contains("is not the URL of a vault") && !said.contains("hunter2"), "{said}");
}

#[test]
fn a_file_that_cannot_be_read_is_one_problem() {
    let said = load(std::path::Path::new("/nonexistent/postern.yaml")).unwrap_err().to_string();
    assert!(said.contains("/nonexistent/postern.yaml: the file cannot be read"), "{said}");
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("large.yaml");
    std::fs::write(&file, "#".repeat((1 << 20) + 1)).unwrap();
    assert!(load(&file).unwrap_err().to_string().contains("larger than 1 MiB"));
}
