//! What would become of a request: the configuration and its policy, and nothing that is running.

use std::path::PathBuf;
use std::sync::Arc;

use clap::Args;
use postern_policy::{AskError, Explanation, explain};
use serde_json::json;

use super::at_hand::{AtHand, PATIENCE};
use super::policy::Format;
use super::reasons::{self, line};
use super::{ConfigFile, Exit, Outcome};
use crate::authorize::load::{self, LoadedPolicy};
use crate::authorize::{Action, Authorizer, Request, Surroundings};
use crate::clock::{SharedClock, SystemClock};
use crate::config::{self, Config, Listener};
use crate::fault::Code;
use crate::identify::{Identities, OwnSvids, Peer, TrustBundles};
use crate::live::live;
use crate::model::{CredentialFacts, CredentialState, SpiffeId};
use crate::protocol::http::Supposed;
use crate::record::DecisionFacts;

pub(super) const HELP: &str = "\
Reads the request as a listener does, judges it with the policy of the configuration or the one named here, and says \
what came of it and why: which clauses held, at which statement the others stopped, and what that read. Nothing is \
asked but files: no lease is held, so that `credentials` says none, and `context.sidecar` is null.

Examples:
  postern why --as spiffe://example.org/clerk GET /ledger --config postern.yaml
  postern why --as spiffe://example.org/clerk POST https://ledger.example/postings --body @posting.json \\
      --header 'content-type: application/json' --policy policy/

Exits with 0 if it would be let through and with 1 if not; with 3 when the configuration or a file cannot be used, \
with 4 when the policy would not be loaded.";

#[derive(Debug, Args)]
pub(super) struct Why {
    /// Who asks, as by an X.509-SVID
    #[arg(long = "as", value_name = "SPIFFE-ID")]
    caller: SpiffeId,
    /// The method
    method: String,
    /// A path, or an https URL whose host is asked for
    url: String,
    /// A header, `NAME: VALUE`; may be repeated
    #[arg(long, short = 'H', value_name = "NAME: VALUE")]
    header: Vec<String>,
    /// The body, or `@FILE`
    #[arg(long, value_name = "TEXT")]
    body: Option<String>,
    /// Which listener; not needed where there is one alone
    #[arg(long, value_name = "NAME")]
    listener: Option<String>,
    /// The address it comes from
    #[arg(long, value_name = "IP", default_value = "127.0.0.1")]
    from: std::net::IpAddr,
    /// Folder or bundle of the policy; without it, that of the configuration
    #[arg(long, value_name = "PATH")]
    policy: Option<PathBuf>,
    /// How it is printed
    #[arg(long, short, value_enum, default_value_t = Format::Pretty)]
    format: Format,
    #[command(flatten)]
    config: ConfigFile,
}

pub(super) fn why(arguments: &Why) -> Outcome {
    let failed = |exit, why: String| Outcome::failed(exit, format!("{why}\n"));
    let config = match config::load(&arguments.config.config) {
        Ok(config) => config,
        Err(errors) => return failed(Exit::Configuration, errors.to_string()),
    };
    let listener = match listener(arguments, &config) {
        Ok(listener) => listener,
        Err(why) => return failed(Exit::Usage, why),
    };
    let at_hand = match AtHand::read(arguments.policy.as_deref(), Some(&config)) {
        Ok(at_hand) => at_hand,
        Err((exit, why)) => return failed(exit, why),
    };
    let (head, body) = match request(arguments) {
        Ok(request) => request,
        Err(why) => return failed(Exit::Usage, why),
    };
    let request = match Supposed::read(listener, head, body.as_deref()) {
        Ok(request) => request,
        // It would not come before policy.
        Err(fault) => return unjudged(fault.code(), arguments.format),
    };
    match judged(arguments, &config, listener, &at_hand, &request) {
        Ok(judged) => judged.outcome(arguments),
        Err(why) => failed(Exit::Policy, why),
    }
}

fn listener<'c>(arguments: &Why, config: &'c Config) -> Result<&'c Arc<Listener>, String> {
    let http = config.listeners.values().filter(|listener| listener.protocol == "http");
    let known: Vec<_> = http.collect();
    let wanted = |listener: &&&Arc<Listener>| {
        arguments.listener.as_ref().is_none_or(|name| listener.name.as_str() == name)
    };
    let mut fitting = known.iter().filter(wanted);
    if let (Some(only), None) = (fitting.next(), fitting.next()) {
        return Ok(only);
    }
    let names: Vec<_> = known.iter().map(|listener| listener.name.as_str()).collect();
    Err(format!("name one listener of protocol http with --listener: {}", names.join(", ")))
}

type Asked = (http::request::Parts, Option<Vec<u8>>);

fn request(arguments: &Why) -> Result<Asked, String> {
    let mut request = http::Request::builder().method(arguments.method.as_str()).uri(arguments.url.as_str());
    if arguments.url.starts_with('/') {
        request = request.header("host", "localhost");
    }
    for header in &arguments.header {
        let (name, value) =
            header.split_once(':').ok_or_else(|| format!("{header}: expected NAME: VALUE"))?;
        request = request.header(name.trim().to_ascii_lowercase(), value.trim());
    }
    let body = match arguments.body.as_deref().map(|body| (body, body.strip_prefix('@'))) {
        None => None,
        Some((_, Some(file))) => Some(std::fs::read(file).map_err(|error| format!("{file}: {error}"))?),
        Some((text, None)) => Some(text.as_bytes().to_vec()),
    };
    let request = request.body(()).map_err(|error| format!("the request: {error}"))?;
    Ok((request.into_parts().0, body))
}

/// What came of it.
struct Judged {
    code: Option<&'static Code>,
    credential: Option<String>,
    decision: DecisionFacts,
    route: String,
    explanation: Explanation,
}

fn judged(
    arguments: &Why,
    config: &Config,
    listener: &Arc<Listener>,
    at_hand: &AtHand,
    request: &Supposed,
) -> Result<Judged, String> {
    let clock: SharedClock = Arc::new(SystemClock);
    let now = clock.now();
    let set = load::alone(&at_hand.sources, &config.policy).map_err(|error| error.to_string())?;
    let policy = LoadedPolicy {
        set: Some(set),
        revisions: Arc::new(at_hand.revisions.clone()),
        bundles: load::Bundles::new(),
    };
    // Published once, and held until the answer is there.
    let (_policy, policy) = live(policy, now.wall);
    let (_svids, svids) = live(OwnSvids::default(), now.wall);
    let (_bundles, bundles) = live(TrustBundles::default(), now.wall);
    let surroundings =
        Surroundings { identities: Identities { svids, bundles }, labels: config.labels.clone() };
    let authorizer = Authorizer::new(policy, surroundings, config.records.input.clone(), clock);
    let none = |name: &crate::model::CredentialName| CredentialFacts {
        name: name.clone(),
        state: CredentialState::None,
    };
    let credentials: Vec<_> = request.route.credentials.iter().map(none).collect();
    let (peer, action) = (Peer::supposed(arguments.caller.clone(), now), Action::Http(request.action()));
    let from = Arc::from(arguments.from.to_string());
    let asked = Request {
        peer: &peer,
        listener,
        route: &request.route,
        action: &action,
        from: Some(&from),
        credentials: &credentials,
    };
    let (code, credential, decision) = match authorizer.judge(&asked) {
        Ok((grant, decision)) => (None, grant.credential().map(|name| name.as_str().to_owned()), decision),
        Err(denial) => (Some(denial.code), None, denial.decision),
    };
    let input = authorizer.input(&asked, now.unix_seconds());
    let explanation =
        explain(&at_hand.sources, &at_hand.entrypoint, input, Some(now.unix_seconds()), PATIENCE);
    let explanation = explanation.map_err(|error| match error {
        AskError::Refused(error) => error.to_string(),
        AskError::Failed(cause) => cause.to_string(),
    })?;
    Ok(Judged { code, credential, decision, route: request.route.name.as_str().to_owned(), explanation })
}

/// Refused before policy is asked.
fn unjudged(code: &Code, format: Format) -> Outcome {
    let out = match format {
        Format::Pretty => {
            let mut text = String::new();
            line(&mut text, "verdict", "refused before policy is asked");
            line(&mut text, "code", &format!("{}  {}", code.id, code.summary));
            line(&mut text, "next", code.hint);
            text
        }
        Format::Json => printed(&json!({"allow": false, "code": code.id, "explanation": null})),
    };
    Outcome { exit: Exit::DENIED, ..Outcome::said(out) }
}

fn printed(value: &serde_json::Value) -> String {
    serde_json::to_string_pretty(value).unwrap_or_default() + "\n"
}

impl Judged {
    fn outcome(&self, arguments: &Why) -> Outcome {
        let out = match arguments.format {
            Format::Pretty => self.text(arguments),
            Format::Json => printed(&json!({
                "allow": self.code.is_none(),
                "code": self.code.map(|code| code.id),
                "route": self.route,
                "credential": self.credential,
                "rule": self.decision.rule,
                "reason": self.decision.reason,
                "explanation": reasons::json(&self.explanation),
            })),
        };
        Outcome { exit: if self.code.is_none() { Exit::Done } else { Exit::DENIED }, ..Outcome::said(out) }
    }

    fn text(&self, arguments: &Why) -> String {
        let mut text = String::new();
        let word = if self.code.is_none() { "allowed" } else { "denied" };
        let said = [Some(word), self.decision.rule.as_deref(), self.decision.reason.as_deref()];
        line(&mut text, "verdict", &said.into_iter().flatten().collect::<Vec<_>>().join("  "));
        if let Some(code) = self.code {
            line(&mut text, "code", &format!("{}  {}", code.id, code.summary));
        }
        line(
            &mut text,
            "asked",
            &format!("{} {}  as {}", arguments.method, arguments.url, arguments.caller.as_str()),
        );
        line(&mut text, "route", &self.route);
        if let Some(credential) = &self.credential {
            line(&mut text, "credential", credential);
        }
        text + &reasons::text(&self.explanation)
    }
}

#[cfg(test)]
mod tests {
    use std::ffi::OsString;
    use std::path::Path;

    use super::*;

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
        for said in [
            "verdict     denied  no\n",
            "PST-AZ-010",
            ":9:2  input.request.body.value.amount < 100",
            "is 120",
        ] {
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
            let said: serde_json::Value = serde_json::from_str(&outcome.out).unwrap();
            assert_eq!(said, json!({"allow": false, "code": code, "explanation": null}), "{url}");
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
}
