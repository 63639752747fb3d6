use std::ffi::OsString;
use std::path::Path;

use super::*;
use crate::clock::SystemClock;
use crate::fault::codes;

const POLICY: &str = "package postern\n\ndefault decision := {\"allow\": false, \"reason\": \"no\"}\n\n\
        decision := {\"allow\": true, \"rule\": \"clerks\"} if {\n\tinput.caller.path[0] == \"clerk\"\n\t\
        input.request.segments == [\"ledger\", \"a/b\"]\n\tinput.request.headers[\"x-branch\"][0] == \"042\"\n\t\
        input.request.body.value.amount < 100\n\tinput.credentials.app.state == \"none\"\n}\n";

fn folder() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    let root = folder.path().display();
    std::fs::create_dir(folder.path().join("policy")).unwrap();
    std::fs::write(folder.path().join("policy/main.rego"), POLICY).unwrap();
    std::fs::write(folder.path().join("app.json"), r#"{"username": "a", "password": "b"}"#).unwrap();
    let text = format!(
            "version: 1
state: {root}/state
identity: {{ workload_api: \"unix://{root}/none.sock\", trust: [td.example] }}
credentials: {{ app: {{ file: {root}/app.json }} }}
upstreams: {{ app: {{ address: \"127.0.0.1:9\", login: basic }} }}
policy: {{ bundles: {{ main: {{ path: {root}/policy }} }} }}
listeners:
  front:
    bind: \"127.0.0.1:9443\"
    protocol: http
    routes: {{ all: {{ path: /ledger, upstream: app, credentials: [app], encoded_slash: keep, body: {{ inspect: 1KiB }} }} }}
"
        );
    std::fs::write(folder.path().join("postern.yaml"), text).unwrap();
    folder
}

fn asked(folder: &Path, url: &str, body: &str, more: &[&str]) -> Outcome {
    let config = folder.join("postern.yaml").display().to_string();
    let words = ["postern", "why", "--as", "spiffe://td.example/clerk/7", "POST", url, "--body", body];
    let headers = ["-H", "X-Branch: 042", "-H", "content-type: application/json", "--config", &config];
    crate::command::main(words.iter().chain(&headers).chain(more).map(OsString::from))
}

#[test]
fn a_request_is_judged_as_a_live_one_would_be() {
    let folder = folder();

    let yes = asked(folder.path(), "/ledger/a%2Fb?x=1", r#"{"amount": 12}"#, &[]);
    let no = asked(folder.path(), "https://h.example/ledger/a%2Fb", r#"{"amount": 120}"#, &[]);

    assert_eq!(yes.exit, Exit::Done, "{}{}", yes.out, yes.err);
    assert!(yes.out.starts_with("verdict     allowed  clerks\n"), "{}", yes.out);
    assert!(yes.out.contains("credential  app\n"), "{}", yes.out);
    assert_eq!(no.exit, Exit::DENIED, "{}{}", no.out, no.err);
    for said in
        ["verdict     denied  no\n", "PST-AZ-010", ":9:2  input.request.body.value.amount < 100", "is 120"]
    {
        assert!(no.out.contains(said), "`{said}` is not in:\n{}", no.out);
    }
}

#[test]
fn what_would_not_come_before_policy_is_said_and_so_is_another_policy() {
    let folder = folder();
    let other = folder.path().join("other.rego");
    std::fs::write(&other, "package postern\n\ndefault decision := false\n").unwrap();

    for (url, body, code) in [
        ("/elsewhere", "{}", "PST-AZ-001"),
        ("/ledger/%2e%2e", "{}", "PST-AZ-003"),
        ("/ledger", "{", "PST-AZ-008"),
    ] {
        let outcome = asked(folder.path(), url, body, &["--format", "json"]);
        assert_eq!(outcome.exit, Exit::DENIED, "{url}");
        let said: Value = serde_json::from_str(&outcome.out).unwrap();
        let notes = if body == "{" {
            json!(["the body: EOF while parsing an object at line 1 column 1"])
        } else {
            json!([])
        };
        assert_eq!(said, json!({"allow": false, "code": code, "notes": notes, "explanation": null}), "{url}");
    }
    let missing = folder.path().join("missing").display().to_string();
    let unread = asked(folder.path(), "/ledger/a%2Fb", "{}", &["--policy", &missing]);
    assert_eq!(unread.exit, Exit::Configuration, "{}{}", unread.out, unread.err);
    assert!(unread.err.contains(&missing), "{}", unread.err);
    let policy = other.display().to_string();
    let ask = || asked(folder.path(), "/ledger/a%2Fb", r#"{"amount": 12}"#, &["--policy", &policy]);
    let outcome = ask();
    assert_eq!(outcome.exit, Exit::DENIED, "{}{}", outcome.out, outcome.err);
    std::fs::write(&other, "package postern\n\ndecision if nobody_knows(1)\n").unwrap();
    assert_eq!(ask().exit, Exit::Policy);
    // The same of what the configuration names.
    std::fs::remove_dir_all(folder.path().join("policy")).unwrap();
    assert_eq!(asked(folder.path(), "/ledger/a%2Fb", "{}", &[]).exit, Exit::Configuration);
}

#[test]
fn a_caller_by_token_is_judged_by_its_claims_and_refused_as_a_listener_would() {
    let folder = folder();
    let file = folder.path().join("postern.yaml");
    let text = std::fs::read_to_string(&file).unwrap();
    let callers =
        "protocol: http\n    callers: { any_of: [jwt_svid], audience: \"spiffe://td.example/app\" }";
    std::fs::write(&file, text.replace("protocol: http", callers)).unwrap();
    let policy = folder.path().join("policy/main.rego");
    std::fs::write(
        &policy,
        "package postern\n\ndefault decision := false\n\ndecision := {\"allow\": true, \"rule\": \"token\"} if {\n\t\
         input.caller.proof == \"jwt_svid\"\n\tinput.caller.jwt.audience == \"spiffe://td.example/app\"\n\t\
         input.caller.path == [\"batch\"]\n}\n",
    )
    .unwrap();
    let now = SystemClock.now().unix_seconds();
    let claims = |sub: &str, aud: &str, ends: u64| {
        json!({"sub": sub, "aud": [aud], "exp": ends, "iat": now - 1}).to_string()
    };
    let (batch, ours) = ("spiffe://td.example/batch", "spiffe://td.example/app");
    let config = file.display().to_string();
    let asked = |claims: &str| {
        let words = ["postern", "why", "--claims", claims, "GET", "/ledger", "--config", &config];
        crate::command::main(words.map(OsString::from))
    };

    let yes = asked(&claims(batch, ours, now + 60));
    assert_eq!(yes.exit, Exit::Done, "{}{}", yes.out, yes.err);
    assert!(yes.out.contains("as spiffe://td.example/batch\n"), "{}", yes.out);
    let no = asked(&claims("spiffe://td.example/other", ours, now + 60));
    assert!(no.exit == Exit::DENIED && no.out.contains("input.caller.path is [\"other\"]"), "{}", no.out);
    for (claims, code) in [
        (claims(batch, "spiffe://td.example/elsewhere", now + 60), codes::TOKEN_AUDIENCE),
        (claims(batch, ours, now - 1), codes::TOKEN_EXPIRED),
        (claims("spiffe://other.example/batch", ours, now + 60), codes::TRUST_DOMAIN_NOT_LISTED),
        (claims("batch", ours, now + 60), codes::TOKEN_MALFORMED),
    ] {
        let refused = asked(&claims);
        assert!(refused.exit == Exit::DENIED, "{claims}: {}{}", refused.out, refused.err);
        assert!(refused.out.starts_with("verdict     refused before policy is asked\n"), "{}", refused.out);
        assert!(refused.out.contains(code.id), "{}", refused.out);
    }
    // A certificate is nothing to a listener that takes tokens alone.
    let words = ["postern", "why", "--as", batch, "GET", "/ledger", "--config", &config];
    let certificate = crate::command::main(words.map(OsString::from));
    assert!(certificate.out.contains("refused before policy"), "{}{}", certificate.out, certificate.err);
}

#[test]
fn a_request_is_judged_by_the_time_that_is_named() {
    let folder = folder();
    let policy = folder.path().join("hours.rego");
    let text = "package postern\n\ndefault decision := false\n\ndecision if time.within(\"08:00-18:00 Europe/Berlin\")\n";
    std::fs::write(&policy, text).unwrap();
    let policy = policy.display().to_string();
    let ask = |at: &str| {
        let caller = ["postern", "why", "--as", "spiffe://td.example/x", "GET", "/"];
        crate::command::main(caller.iter().chain(&["--bundle", &policy, "--at", at]).map(OsString::from))
    };
    for (at, exit) in [
        ("2026-11-22T08:00:00+01:00", Exit::Done),
        ("2026-11-22T07:59:59+01:00", Exit::DENIED),
        ("2026-11-22T17:00:00Z", Exit::DENIED),
        ("2026-11-22 08:00", Exit::Usage),
        ("1969-12-31T23:59:59Z", Exit::Usage),
    ] {
        let outcome = ask(at);
        assert_eq!(outcome.exit, exit, "{at}\n{}{}", outcome.out, outcome.err);
    }
    assert!(ask("2026-11-22T08:00:00+01:00").out.contains("\nat          2026-11-22T07:00:00Z\n"));
    let denied = ask("2026-11-22T07:59:59+01:00").out;
    assert!(denied.contains(":5:13  time.within(\"08:00-18:00 Europe/Berlin\")\n"), "{denied}");
}

#[test]
fn a_policy_by_itself_is_asked_of_whatever_caller_it_may_see() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(
        folder.path().join("main.rego"),
        "package site\n\ndefault verdict := false\n\nverdict := {\"allow\": true, \"rule\": \"local\"} if {\n\t\
         input.caller.kind == \"process\"\n\tinput.caller.process.uid == 1000\n}\n\n\
         verdict := {\"allow\": true, \"rule\": \"token\"} if input.caller.jwt.audience == \"app\"\n\n\
         verdict := {\"allow\": true, \"rule\": \"clerk\"} if input.caller.path == [\"clerk\"]\n",
    )
    .unwrap();
    let bundle = folder.path().display().to_string();
    let asked = |who: [&str; 2], more: &[&str]| {
        let words =
            ["postern", "why", who[0], who[1], "GET", "/a/b", "--bundle", &bundle, "-e", "site/verdict"];
        crate::command::main(words.iter().chain(more).map(OsString::from))
    };
    let process = r#"{"id": "uid:1000", "kind": "process", "process": {"uid": 1000}}"#;
    let ends = SystemClock.now().unix_seconds() + 60;
    let token = json!({"sub": "spiffe://td.example/x", "aud": "app", "exp": ends}).to_string();
    for (who, rule, name) in [
        (["--caller", process], "local", "uid:1000"),
        (["--claims", &token], "token", "spiffe://td.example/x"),
        (["--as", "spiffe://td.example/clerk"], "clerk", "spiffe://td.example/clerk"),
    ] {
        let outcome = asked(who, &[]);
        assert_eq!(outcome.exit, Exit::Done, "{who:?}: {}{}", outcome.out, outcome.err);
        assert!(outcome.out.starts_with(&format!("verdict     allowed  {rule}\n")), "{}", outcome.out);
        assert!(outcome.out.contains(&format!("as {name}\n")), "{}", outcome.out);
    }
    let other = asked(["--caller", &process.replace("1000", "0")], &["--format", "json"]);
    let said: Value = serde_json::from_str(&other.out).unwrap();
    assert_eq!((other.exit, &said["code"]), (Exit::DENIED, &json!("PST-AZ-010")), "{said}");
    assert_eq!(asked(["--claims", "@/nonexistent.json"], &[]).exit, Exit::Configuration);
    let body = asked(["--as", "spiffe://td.example/clerk"], &["--body", "{}"]);
    assert!(
        body.out.contains("note        no header says that the body is plain JSON"),
        "{}{}",
        body.out,
        body.err
    );
    let none = asked(["--claims", r#"{"sub": "spiffe://td.example/x", "aud": "a"}"#], &[]).out;
    assert!(
        none.contains("note        JWT-SVID refused: its claim 'exp' is missing or of the wrong kind\n"),
        "{none}"
    );
    for wrong in [["--caller", "[]"], ["--claims", "{"], ["--as", "clerk"]] {
        assert_eq!(asked(wrong, &[]).exit, Exit::Usage, "{wrong:?}");
    }
    let clerk = ["--as", "spiffe://td.example/clerk"];
    assert_eq!(asked(clerk, &["--config", "x"]).exit, Exit::Usage);
    let words = ["postern", "why", clerk[0], clerk[1], "GET", "/", "--config", "/nonexistent.yaml"];
    let lost = crate::command::main(words.map(OsString::from));
    assert!(lost.exit == Exit::Configuration && lost.err.contains("--bundle PATH"), "{}", lost.err);
}

#[test]
fn what_a_caller_cannot_have_is_refused_by_name_and_claims_that_are_dropped_are_told() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("main.rego"), "package postern\n\ndefault decision := false\n")
        .unwrap();
    let bundle = folder.path().display().to_string();
    let asked = |who: [&str; 2], more: &[&str]| {
        let words = ["postern", "why", who[0], who[1], "GET", "/a", "--bundle", &bundle];
        crate::command::main(words.iter().chain(more).map(OsString::from))
    };
    for (caller, words) in [
        (
            json!({"id": "u:1", "roles": ["admin"]}),
            &["no `input.caller.roles`", "`actors`", "`trust_domain`"][..],
        ),
        (
            json!({"kind": "user"}),
            &["`input.caller.kind` is never \"user\"", "`workload`, `process`, `person`"],
        ),
        (json!({"jwt": {"audiense": "a"}}), &["no `input.caller.jwt.audiense`", "did you mean `audience`?"]),
        (json!({"path": "clerk"}), &["`input.caller.path` is array, not \"clerk\""]),
        (json!({"path": ["clerk", 7]}), &["`input.caller.path[]` is string, not 7"]),
    ] {
        let refused = asked(["--caller", &caller.to_string()], &[]);
        assert_eq!((refused.exit, refused.out.as_str()), (Exit::Usage, ""), "{caller}");
        for word in words {
            assert!(refused.err.contains(word), "`{word}` is not in: {}", refused.err);
        }
    }
    // All that the schema has, with null where it has null.
    let whole = json!({"id": "u:1", "kind": "person", "path": [], "proof": "oidc", "expires_at": 1, "x509": null,
        "jwt": {"audience": "a", "key_id": "k"}, "process": {"uid": 1000}, "actors": [], "trust_domain": ""});
    assert_eq!(asked(["--caller", &whole.to_string()], &[]).exit, Exit::DENIED);

    let ends = SystemClock.now().unix_seconds() + 60;
    let claims = |more: &str| {
        format!("{{\"sub\": \"spiffe://td.example/x\", \"aud\": \"app\", \"exp\": {ends}{more}}}")
    };
    let told = asked(["--claims", &claims(", \"roles\": [\"admin\"]")], &[]);
    assert!(
        told.out.contains("note        claims that no policy sees: `roles`; read are `sub`"),
        "{}",
        told.out
    );
    assert!(!asked(["--claims", &claims("")], &[]).out.contains("note  "));
    let json = asked(["--claims", &claims(", \"roles\": []")], &["--format", "json"]).out;
    let json: Value = serde_json::from_str(&json).unwrap();
    assert!(json["notes"][0].as_str().unwrap().contains("`roles`"), "{json}");
}

#[test]
fn a_services_bundle_is_read_from_the_copy_that_is_kept_and_verified_as_at_a_start() {
    let folder = folder();
    let at = |name: &str| folder.path().join(name);
    let (file, url) = (at("postern.yaml"), "https://bundles.example/main.tar.gz");
    let text = std::fs::read_to_string(&file).unwrap();
    let by_path = format!("path: {}", at("policy").display());
    std::fs::write(&file, text.replace(&by_path, &format!("url: \"{url}\""))).unwrap();
    let ask = || asked(folder.path(), "/ledger/a%2Fb", r#"{"amount": 12}"#, &[]);
    let none = ask();
    assert_eq!(none.exit, Exit::Configuration, "{}{}", none.out, none.err);
    assert!(none.err.contains("comes from a service: name a copy of it with --policy"), "{}", none.err);

    let built = at("main.tar.gz").display().to_string();
    let words = ["postern", "policy", "build", &at("policy").display().to_string(), "-r", "r7", "-o", &built];
    let outcome = crate::command::main(words.map(OsString::from));
    assert_eq!(outcome.exit, Exit::Done, "{}{}", outcome.out, outcome.err);
    let copy = authorize::service::Copy::of(&at("state"), "main", url);
    copy.keep(&std::fs::read(&built).unwrap().into()).unwrap();
    let kept = copy.held(1 << 20).unwrap().unwrap().file;
    let then = SystemClock.now().wall - Duration::from_secs(3 * 3_600 + 5);
    std::fs::File::options().write(true).open(&kept).unwrap().set_modified(then).unwrap();
    let said = format!("bundle main: revision r7, the copy kept 3 h ago; {url} was not asked");

    let yes = ask();
    assert_eq!(yes.exit, Exit::Done, "{}{}", yes.out, yes.err);
    assert!(yes.out.contains(&format!("note        {said}\n")), "{}", yes.out);
    let record = json!({"kind": "request", "id": "r-1", "decision": {"allow": false, "policy": {"main": "r7"},
        "input": {"document": {"caller": {"id": "x"}}}}});
    std::fs::write(at("records.jsonl"), record.to_string()).unwrap();
    let records = at("records.jsonl").display().to_string();
    let config = file.display().to_string();
    let words = ["postern", "explain", "r-1", "--records", &records, "--config", &config];
    let again = crate::command::main(words.map(OsString::from)).out;
    assert!(again.contains(&said) && !again.contains("the policy is another"), "{again}");

    // With a key it must be signed, as at a start.
    let text = std::fs::read_to_string(&file).unwrap();
    std::fs::write(at("key.pem"), "a secret of sixteen bytes").unwrap();
    let verify = format!(
        "url: \"{url}\", verify: {{ keys: {{ k: {{ file: {}, algorithm: HS256 }} }} }}",
        at("key.pem").display()
    );
    std::fs::write(&file, text.replace(&format!("url: \"{url}\""), &verify)).unwrap();
    let unsigned = ask();
    assert_eq!(unsigned.exit, Exit::Configuration, "{}{}", unsigned.out, unsigned.err);
    assert!(unsigned.err.contains("sign"), "{}", unsigned.err);
    std::fs::write(&file, text).unwrap();
    std::fs::write(&kept, "changed").unwrap();
    let changed = ask();
    assert_eq!(changed.exit, Exit::Configuration, "{}{}", changed.out, changed.err);
    assert!(changed.err.contains("its SHA-256 is another: name a copy"), "{}", changed.err);
}

#[test]
fn a_recorded_input_is_asked_in_the_place_of_a_request() {
    let folder = folder();
    let at = |name: &str| folder.path().join(name).display().to_string();
    let input = |amount: u32| {
        json!({"caller": {"path": ["clerk"]}, "credentials": {"app": {"state": "none"}}, "now": 1_800_000_000,
            "request": {"segments": ["ledger", "a/b"], "headers": {"x-branch": ["042"]},
                "body": {"value": {"amount": amount}}}})
    };
    std::fs::write(at("yes.json"), input(12).to_string()).unwrap();
    std::fs::write(at("no.json"), input(120).to_string()).unwrap();
    let asked =
        |words: &[&str]| crate::command::main(["postern", "why"].iter().chain(words).map(OsString::from));
    let (yes, no, policy, config) = (at("yes.json"), at("no.json"), at("policy"), at("postern.yaml"));
    for by in [["--bundle", &policy], ["--config", &config], ["--policy", &policy]] {
        let allowed = asked(&["-i", &yes, by[0], by[1]]);
        assert_eq!(allowed.exit, Exit::Done, "{}{}", allowed.out, allowed.err);
        assert!(allowed.out.starts_with("verdict     allowed  clerks\n"), "{}", allowed.out);
        let denied = asked(&["--input", &no, by[0], by[1]]);
        assert_eq!(denied.exit, Exit::DENIED, "{}{}", denied.out, denied.err);
        for said in
            ["PST-AZ-010", "input.request.body.value.amount < 100", "is 120", "asked       the input of "]
        {
            assert!(denied.out.contains(said), "`{said}` is not in:\n{}", denied.out);
        }
    }
    // Of a policy in two places, and with what no listener gives.
    std::fs::create_dir_all(at("main")).unwrap();
    std::fs::create_dir_all(at("library")).unwrap();
    std::fs::write(
        at("main/main.rego"),
        "package postern\n\nimport data.library.yes\n\ndefault decision := false\n\ndecision if yes.is(input.now)\n",
    )
    .unwrap();
    std::fs::write(at("library/yes.rego"), "package library.yes\n\nis(now) if now > 1\n").unwrap();
    let (main, library) = (at("main"), at("library"));
    let both = asked(&["-i", &yes, "--bundle", &main, "--bundle", &library]);
    assert_eq!(both.exit, Exit::Done, "{}{}", both.out, both.err);
    assert!(both.out.contains("no listener gives such an input: `input` lacks"), "{}", both.out);
    assert!(asked(&["-i", &yes, "--bundle", &main]).err.contains("`data.library.yes` is a package of which"));
    let request = ["--as", "spiffe://td.example/x", "GET", "/", "-b", &main, "-b", &library];
    let requested = asked(&request);
    assert!(requested.exit == Exit::Done && !requested.out.contains("no listener"), "{}", requested.out);

    let json = asked(&["-i", &no, "-b", &policy, "-e", "postern/decision", "--format", "json"]).out;
    let json: Value = serde_json::from_str(&json).unwrap();
    assert_eq!(
        (&json["allow"], &json["reason"], &json["route"]),
        (&json!(false), &json!("no"), &json!(null))
    );

    for (words, exit, said) in [
        (
            &["-i", &yes, "--as", "spiffe://td.example/x", "--bundle", &policy][..],
            Exit::Usage,
            "cannot be used with",
        ),
        (&["-i", &yes, "GET", "/", "--bundle", &policy], Exit::Usage, "cannot be used with"),
        (
            &["-i", &yes, "--at", "2026-11-22T08:00:00Z", "--bundle", &policy],
            Exit::Usage,
            "cannot be used with",
        ),
        (&["-i", &yes, "-H", "a: b", "--bundle", &policy], Exit::Usage, "cannot be used with"),
        (&["--as", "spiffe://td.example/x", "--bundle", &policy], Exit::Usage, "<METHOD>"),
        (&["GET", "/", "--bundle", &policy], Exit::Usage, "--input <FILE>"),
        (&["-i", "/nonexistent", "--bundle", &policy], Exit::Configuration, "/nonexistent"),
    ] {
        let refused = asked(words);
        assert_eq!((refused.exit, refused.out.as_str()), (exit, ""), "{words:?}: {}", refused.err);
        assert!(refused.err.contains(said), "`{said}` is not in: {}", refused.err);
    }
}

#[test]
fn an_input_that_names_its_route_is_let_through_as_far_as_that_permits() {
    let folder = folder();
    let at = |name: &str| folder.path().join(name).display().to_string();
    let policy = "package postern\n\ndefault decision := false\n\ndecision := {\"allow\": true, \"credential\": input.wants}\n";
    std::fs::write(at("policy/main.rego"), policy.replace("input.wants", "input.request.method")).unwrap();
    let asked = |route: &str, wants: &str, by: &[&str]| {
        let input = json!({"listener": "front", "route": route, "request": {"method": wants}});
        std::fs::write(at("input.json"), input.to_string()).unwrap();
        let words = ["postern", "why", "-i", &at("input.json")];
        crate::command::main(words.iter().chain(by).map(OsString::from))
    };
    let (config, bundle) = (at("postern.yaml"), at("policy"));
    let (config, bundle) = (["--config", config.as_str()], ["--bundle", bundle.as_str()]);

    let yes = asked("all", "app", &config);
    assert!(yes.exit == Exit::Done && yes.out.contains("\ncredential  app\n"), "{}{}", yes.out, yes.err);
    assert!(yes.out.contains("\nroute       all\n") && !yes.out.contains("not asked"), "{}", yes.out);
    let no = asked("all", "other", &config);
    assert_eq!(no.exit, Exit::DENIED, "{}{}", no.out, no.err);
    assert!(no.out.contains(codes::CREDENTIAL_NOT_PERMITTED.id), "{}", no.out);
    for (route, by, note) in [
        ("gone", config, "has no route `gone` of a listener `front`: what routes permit was not asked"),
        ("all", bundle, "judged by the policy alone: what routes permit was not asked"),
    ] {
        let alone = asked(route, "other", &by);
        assert!(alone.exit == Exit::Done && alone.out.contains(note), "{}{}", alone.out, alone.err);
    }
}

#[test]
fn headers_that_end_before_policy_are_told() {
    let folder = folder();
    let more = ["-H", "X-Forwarded-For: 10.0.0.1", "-H", "cookie: a=b"];
    let told = asked(folder.path(), "/ledger/a%2Fb", r#"{"amount": 12}"#, &more).out;
    let note = "note        headers that no policy sees: `x-forwarded-for`, `cookie`; ";
    assert!(told.contains(note), "{told}");
    let none = asked(folder.path(), "/ledger/a%2Fb", r#"{"amount": 12}"#, &[]).out;
    assert!(!none.contains("note  "), "{none}");
}

#[test]
fn of_a_policy_that_reads_no_other_rule_none_is_told() {
    let folder = tempfile::tempdir().unwrap();
    let policy = "package postern\n\ndefault decision := false\n\nsecret := {\"k\": input.request.headers}\n\n\
                  decision if {\n\tr := \"q\"\n\tevery y in input.request.segments { y == r }\n}\n";
    std::fs::write(folder.path().join("main.rego"), policy).unwrap();
    let bundle = folder.path().display().to_string();
    let words = ["postern", "why", "--as", "spiffe://td.example/x", "GET", "/q/q", "--bundle", &bundle];
    let told = crate::command::main(words.map(OsString::from));
    assert!(told.out.contains("rule        data.postern.decision is true"), "{}{}", told.out, told.err);
    assert!(!told.out.contains("secret") && told.out.matches("rule  ").count() == 1, "{}", told.out);
}
