//! What would become of a request: the configuration and its policy, and nothing that is running.

mod caller;

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, UNIX_EPOCH};

use clap::Args;
use postern_policy::{Explanation, Facts as _, How, Problem, Verdict, explain, unlike_recorded};
use serde_json::{Value, json};

use super::at_hand::{AtHand, ENTRYPOINT, PATIENCE};
use super::policy::{Format, entrypoint, given};
use super::reasons::{self, line, printable};
use super::{ConfigFile, Exit, Failure, Outcome, pretty_json};
use crate::authorize::load::{self, LoadedPolicy};
use crate::authorize::{self, Action, Authorizer, Request, Supposition, Surroundings};
use crate::clock::{Clock as _, Moment, SystemClock};
use crate::config::{self, Config, Listener, Route};
use crate::fault::{Code, Coded as _, codes};
use crate::identify::{Identities, OwnSvids, Peer, TrustBundles};
use crate::live::live;
use crate::model::{CredentialFacts, CredentialState};
use crate::protocol::http::Supposed;
use crate::record::DecisionFacts;
use caller::{Caller, Who, listed};

pub(super) const HELP: &str = "\
Reads the request as a listener does, judges it with the policy of the configuration or the one named here, and says \
what came of it and why: which clauses held, at which statement the others stopped, and what that read. Nothing is \
asked but files: no lease is held, so that `credentials` says none, and `context.sidecar` is null.

The caller comes by an X.509-SVID (--as), by a JWT-SVID that its trust domain signed (--claims: sub, aud, exp, and iat and \
nbf if there are; no other claim comes before policy, and one that is given is named in a note), or as the policy would \
see it (--caller, like input.caller of `postern schema --of input`, with no other member: for processes and people, whom \
no listener lets in by itself).

Or a whole input document (--input, as `postern policy eval -i` takes it: one that was recorded), in the place of a caller, METHOD, URL \
and all that is said of a request. The policy judges it as it stands, by the `now` in it; values that read `(masked)` are judged \
as that text. Whether the route permits what is allowed is asked where the configuration has the `listener` and `route` of the \
input; a note says where it has not, and with --bundle.

A bundle of a service is read from the copy that the state folder keeps of it, verified as at a start; a note says its \
revision and how long it has been kept. Where none is kept, --policy names one.

The time of the request is now, or that of --at; by it the policy's `input.now` and clock are asked, and the claims of a token \
judged.

--bundle needs no configuration: listener, route and upstream are called `any`, every path leads there, JSON bodies up to \
1 MiB are inspected, and there is no credential.

Examples:
  postern why --as spiffe://example.org/clerk GET /ledger --config postern.yaml
  postern why --as spiffe://example.org/clerk GET /ledger --bundle policy/
  postern why --as spiffe://example.org/clerk GET /ledger --bundle policy/ --at 2026-11-22T03:00:00+01:00
  postern why --claims @claims.json GET /ledger --config postern.yaml
  postern why --caller '{\"id\": \"uid:1000\", \"kind\": \"process\", \"process\": {\"uid\": 1000}}' GET / --bundle policy/
  postern why --as spiffe://example.org/clerk POST https://ledger.example/postings --body @posting.json \\
      --header 'content-type: application/json' --policy policy/
  postern why -i request.json --bundle policy/ --bundle library/
  jq .decision.input.document record.json | postern why -i - --bundle policy/

Exits with 0 if it would be let through and with 1 if not; with 3 when the configuration or a file cannot be used, \
with 4 when the policy would not be loaded. With --format json, what went wrong is a list `errors` on standard output.";

#[derive(Debug, Args)]
pub(super) struct Why {
    #[command(flatten)]
    caller: Caller,
    /// The method
    #[arg(required_unless_present = "input", conflicts_with = "input")]
    method: Option<String>,
    /// A path, or an https URL whose host is asked for
    #[arg(required_unless_present = "input", conflicts_with = "input")]
    url: Option<String>,
    /// A header, `NAME: VALUE`; may be repeated
    #[arg(long, short = 'H', value_name = "NAME: VALUE", conflicts_with = "input")]
    header: Vec<String>,
    /// The body, or `@FILE`
    #[arg(long, value_name = "TEXT", conflicts_with = "input")]
    body: Option<String>,
    /// Which listener; not needed where there is one alone
    #[arg(long, value_name = "NAME", conflicts_with = "input")]
    listener: Option<String>,
    /// The address it comes from
    #[arg(long, value_name = "IP", default_value = "127.0.0.1", conflicts_with = "input")]
    from: std::net::IpAddr,
    /// When it asks, like 2026-11-22T18:30:00+01:00; without it, now, or what an --input says
    #[arg(long, value_name = "TIME", value_parser = moment, conflicts_with = "input")]
    at: Option<Moment>,
    /// Folder or bundle of the policy, in the place of the configuration's; may be repeated
    #[arg(long, value_name = "PATH")]
    policy: Vec<PathBuf>,
    /// Folder or bundle of a policy that is asked by itself, without a configuration; may be repeated
    #[arg(long, short, value_name = "PATH", conflicts_with_all = ["policy", "config", "listener"])]
    bundle: Vec<PathBuf>,
    /// The rule that decides, with --bundle: data.postern.decision or, as OPA writes it, postern/decision
    #[arg(long, short, value_name = "RULE", requires = "bundle", default_value = ENTRYPOINT,
          value_parser = entrypoint)]
    entrypoint: String,
    /// How it is printed
    #[arg(long, short, value_enum, default_value_t = Format::Pretty)]
    format: Format,
    #[command(flatten)]
    config: ConfigFile,
}

impl Why {
    /// Empty only where the input stands in its place.
    fn method(&self) -> &str {
        self.method.as_deref().unwrap_or_default()
    }

    /// Where the policy is, if not where the configuration says.
    fn paths(&self) -> &[PathBuf] {
        if self.bundle.is_empty() { &self.policy } else { &self.bundle }
    }

    /// Empty where the input stands in its place.
    fn url(&self) -> &str {
        self.url.as_deref().unwrap_or_default()
    }
}

pub(super) fn why(arguments: &Why) -> Outcome {
    told(arguments).unwrap_or_else(|failure| failure.outcome(arguments.format))
}

fn told(arguments: &Why) -> Result<Outcome, Failure> {
    if let Some(file) = &arguments.caller.input {
        return Ok(recorded(arguments, file)?.outcome(arguments));
    }
    let usage = |why| Failure::Said(Exit::Usage, why);
    let caller = arguments.caller.read()?;
    let config = configuration(arguments, &caller).map_err(|why| Failure::Said(Exit::Configuration, why))?;
    let listener = listener(arguments, &config).map_err(usage)?;
    let at_hand = AtHand::read(arguments.paths(), Some(&config))?;
    let (head, body) = request(arguments)?;
    let now = arguments.at.unwrap_or_else(|| SystemClock.now());
    let peer = match caller.peer(&listener.callers, now) {
        Ok(peer) => peer,
        // The handshake or the token would end it.
        Err(error) => return Ok(unjudged(error.code(), Some(error.to_string()), arguments.format)),
    };
    let headers = head.headers.clone();
    let request = match Supposed::read(listener, head, body.as_deref()) {
        Ok(request) => request,
        // It would not come before policy.
        Err(fault) => {
            let note = body.filter(|_| fault.code().id == codes::BODY_MALFORMED.id);
            let note = note.and_then(|body| Supposed::wrong_body(&headers, &body));
            return Ok(unjudged(fault.code(), note, arguments.format));
        }
    };
    let words = format!("{} {}", arguments.method(), arguments.url());
    let asking =
        Asking { from: arguments.from, config: &config, listener, peer: &peer, caller: &caller, words };
    Ok(asking.judged(&at_hand, &request, now)?.outcome(arguments))
}

/// What the policy says of an input: no listener has read it, and no route says what it permits.
fn recorded(arguments: &Why, file: &Path) -> Result<Judged, Failure> {
    let unusable = |why| Failure::Said(Exit::Configuration, why);
    let (name, text) = given::said(file).map_err(unusable)?;
    let input = given::parsed(&name, &text).map_err(unusable)?;
    let mut config = None;
    let mut at_hand = if arguments.bundle.is_empty() {
        config = arguments.config.if_any().map_err(unusable)?;
        if arguments.policy.is_empty() && config.is_none() {
            let why = "name the policy with --bundle, or its configuration with --config";
            return Err(Failure::Said(Exit::Usage, why.to_owned()));
        }
        AtHand::read(&arguments.policy, config.as_ref())?
    } else {
        AtHand::read(&arguments.bundle, None)?
    };
    if !arguments.bundle.is_empty() {
        at_hand.entrypoint.clone_from(&arguments.entrypoint);
    }
    let explanation =
        explain(&at_hand.sources, &at_hand.entrypoint, input.document(), input.now(), PATIENCE)?;
    let routed = match &config {
        None => Err("judged by the policy alone: what routes permit was not asked".to_owned()),
        Some(config) => route(config, input.json()),
    };
    let (code, credential, rule, reason) = match &explanation.verdict {
        Verdict::Allow(yes) => {
            let given = routed.as_ref().map(|route| authorize::permitted(yes, route));
            let (code, credential) = match given {
                Ok(Ok((credential, _))) => (None, credential),
                Ok(Err(code)) => (Some(code), None),
                Err(_not_asked) => (None, None),
            };
            (code, credential, &yes.rule, &yes.reason)
        }
        Verdict::Deny(no) => (Some(authorize::code(&no.cause)), None, &no.rule, &no.reason),
    };
    let (rule, reason) = (rule.clone(), reason.clone());
    let credential = credential.map(|name| name.as_str().to_owned());
    let (route, note) = match routed {
        Ok(route) => (Some(route.name.as_str().to_owned()), None),
        Err(note) => (None, Some(note)),
    };
    let notes = at_hand.notes.into_iter().chain(note).chain(unlike(input.json())).collect();
    let asked = format!("the input of {name}");
    Ok(Judged { code, credential, rule, reason, asked, route, explanation, notes })
}

/// The route that an input names; or why what it permits cannot be asked.
fn route<'c>(config: &'c Config, input: &Value) -> Result<&'c Route, String> {
    let [listener, route] = ["listener", "route"].map(|name| input.get(name).and_then(Value::as_str));
    let (Some(listener), Some(route)) = (listener, route) else {
        return Err("the input names no listener and route: what routes permit was not asked".to_owned());
    };
    let mut routes = config.listeners.get(listener).into_iter().flat_map(|listener| &listener.routes);
    routes.find(|known| known.name.as_str() == route).map(|found| &**found).ok_or_else(|| {
        let (listener, route) = (printable(listener), printable(route));
        format!(
            "the configuration has no route `{route}` of a listener `{listener}`: what routes permit was not asked"
        )
    })
}

/// What an input has that no listener gives, or lacks that each gives: the policy is asked all the same.
fn unlike(input: &Value) -> Option<String> {
    let Problem { construct, why, .. } = unlike_recorded(input)?;
    Some(format!("no listener gives such an input: `{construct}` {why}"))
}

/// A time of the calendar, from 1970 on.
fn moment(text: &str) -> Result<Moment, String> {
    let seconds = config::time(text).map_err(|error| error.told())?;
    let since = u64::try_from(seconds).map(Duration::from_secs);
    let wall = since.ok().and_then(|since| UNIX_EPOCH.checked_add(since)).ok_or("a time before 1970")?;
    Ok(Moment { wall, ..SystemClock.now() })
}

/// The configuration that is named, or as much of one as a policy by itself needs.
fn configuration(arguments: &Why, caller: &Who) -> Result<Config, String> {
    let file = &arguments.config.config;
    if !arguments.bundle.is_empty() {
        let (domain, audience) = caller.expected();
        let config = config::around_policy(&arguments.entrypoint, domain, audience);
        return config.map_err(|errors| errors.to_string());
    }
    let without =
        if file.exists() { "" } else { "\nwithout a configuration: --bundle PATH asks a policy by itself" };
    config::load_at_rest(file).map_err(|errors| format!("{errors}{without}"))
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

fn request(arguments: &Why) -> Result<Asked, Failure> {
    let usage = |why| Failure::Said(Exit::Usage, why);
    let mut request = http::Request::builder().method(arguments.method()).uri(arguments.url());
    if arguments.url().starts_with('/') {
        request = request.header("host", "localhost");
    }
    for header in &arguments.header {
        let (name, value) =
            header.split_once(':').ok_or_else(|| usage(format!("{header}: expected NAME: VALUE")))?;
        request = request.header(name.trim().to_ascii_lowercase(), value.trim());
    }
    let body = match arguments.body.as_deref().map(|body| (body, body.strip_prefix('@'))) {
        None => None,
        Some((_, Some(file))) => Some(
            std::fs::read(file)
                .map_err(|error| Failure::Said(Exit::Configuration, format!("{file}: {error}")))?,
        ),
        Some((text, None)) => Some(text.as_bytes().to_vec()),
    };
    let request = request.body(()).map_err(|error| usage(format!("the request: {error}")))?;
    Ok((request.into_parts().0, body))
}

/// What came of it.
struct Judged {
    code: Option<&'static Code>,
    credential: Option<String>,
    rule: Option<String>,
    reason: Option<String>,
    /// Of whom and for what, in words.
    asked: String,
    /// None where no listener was asked.
    route: Option<String>,
    explanation: Explanation,
    /// What it was judged with, and without, in words.
    notes: Vec<String>,
}

/// What a request is judged in.
struct Asking<'a> {
    from: std::net::IpAddr,
    config: &'a Config,
    listener: &'a Arc<Listener>,
    peer: &'a Arc<Peer>,
    caller: &'a Who,
    /// Method and URL, as they were given.
    words: String,
}

impl Asking<'_> {
    fn judged(&self, at_hand: &AtHand, request: &Supposed, now: Moment) -> Result<Judged, Failure> {
        let authorizer = self.authorizer(at_hand, now)?;
        let none = |name: &crate::model::CredentialName| CredentialFacts {
            name: name.clone(),
            state: CredentialState::None,
        };
        let credentials: Vec<_> = request.route.credentials.iter().map(none).collect();
        let action = Action::Http(request.action());
        let from = Arc::from(self.from.to_string());
        let asked = Request {
            peer: self.peer,
            listener: self.listener,
            route: &request.route,
            action: &action,
            from: Some(&from),
            credentials: &credentials,
        };
        let seconds = now.unix_seconds();
        let input = self.caller.seen_in(authorizer.input(&asked, seconds));
        let Supposition { code, credential, decision } = authorizer.judge_supposed(&asked, &input, seconds);
        let credential = credential.map(|name| name.as_str().to_owned());
        let explanation = explain(&at_hand.sources, &at_hand.entrypoint, input, Some(seconds), PATIENCE)?;
        let route = Some(request.route.name.as_str().to_owned());
        let DecisionFacts { rule, reason, .. } = decision;
        let asked = format!("{}  as {}", self.words, self.caller.name());
        let unseen = (!request.unseen.is_empty()).then(|| {
            let names = listed(request.unseen.iter().map(http::HeaderName::as_str));
            format!("headers that no policy sees: {names}; `input.request.headers` goes without them")
        });
        let notes = at_hand.notes.iter().cloned().chain(self.caller.note()).chain(unseen).collect();
        Ok(Judged { code, credential, rule, reason, asked, route, explanation, notes })
    }

    fn authorizer(&self, at_hand: &AtHand, now: Moment) -> Result<Authorizer, Failure> {
        let set = load::alone(&at_hand.sources, &self.config.policy)?;
        let policy = LoadedPolicy {
            set: Some(set),
            revisions: Arc::new(at_hand.revisions.clone()),
            bundles: load::Bundles::new(),
        };
        // What was published last stays readable when nobody can publish any more.
        let (_, policy) = live(policy, now.wall);
        let (_, svids) = live(OwnSvids::default(), now.wall);
        let (_, bundles) = live(TrustBundles::default(), now.wall);
        let identities = Identities { svids, bundles };
        let surroundings = Surroundings { identities, labels: self.config.labels.clone() };
        let keeps = self.config.records.input.clone();
        Ok(Authorizer::new(policy, surroundings, keeps, Arc::new(SystemClock)))
    }
}

/// Refused before policy is asked.
fn unjudged(code: &Code, note: Option<String>, format: Format) -> Outcome {
    let out = match format {
        Format::Pretty => {
            let mut text = String::new();
            line(&mut text, "verdict", "refused before policy is asked");
            line(&mut text, "code", &format!("{}  {}", code.id, code.summary));
            if let Some(note) = &note {
                line(&mut text, "note", note);
            }
            line(&mut text, "next", code.hint);
            text
        }
        Format::Json => {
            let notes = Vec::from_iter(note);
            pretty_json(&json!({"allow": false, "code": code.id, "notes": notes, "explanation": null}))
        }
    };
    Outcome { exit: Exit::DENIED, ..Outcome::said(out) }
}

impl Judged {
    fn outcome(&self, arguments: &Why) -> Outcome {
        let out = match arguments.format {
            Format::Pretty => self.text(arguments),
            Format::Json => pretty_json(&json!({
                "allow": self.code.is_none(),
                "code": self.code.map(|code| code.id),
                "route": self.route,
                "credential": self.credential,
                "rule": self.rule,
                "reason": self.reason,
                "notes": self.notes,
                "explanation": reasons::json(&self.explanation),
            })),
        };
        Outcome { exit: if self.code.is_none() { Exit::Done } else { Exit::DENIED }, ..Outcome::said(out) }
    }

    fn text(&self, arguments: &Why) -> String {
        let mut text = String::new();
        let word = if self.code.is_none() { "allowed" } else { "denied" };
        let said = [Some(word), self.rule.as_deref(), self.reason.as_deref()];
        line(&mut text, "verdict", &said.into_iter().flatten().collect::<Vec<_>>().join("  "));
        if let Some(code) = self.code {
            line(&mut text, "code", &format!("{}  {}", code.id, code.summary));
        }
        line(&mut text, "asked", &self.asked);
        if let Some(at) = arguments.at {
            line(&mut text, "at", &jiff::Timestamp::try_from(at.wall).unwrap_or_default().to_string());
        }
        if let Some(route) = &self.route {
            line(&mut text, "route", route);
        }
        if let Some(credential) = &self.credential {
            line(&mut text, "credential", credential);
        }
        for note in &self.notes {
            line(&mut text, "note", note);
        }
        text += &reasons::text(&self.explanation);
        // Nothing allows it: its author asks what does.
        if self.code.is_some() && self.by_default() {
            line(
                &mut text,
                "next",
                "mend what `failed` names, or ask as another caller; what a record refused: \
                 `postern explain ID`, and as a test `postern policy test --from-record ID`",
            );
        }
        text
    }

    /// Whether it is the default that decides.
    fn by_default(&self) -> bool {
        let decides = self.explanation.rules.first();
        let counts = |clause: &postern_policy::Clause| matches!(clause.how, How::Default { counts: true });
        decides.is_some_and(|rule| rule.clauses.iter().any(counts))
    }
}

#[cfg(test)]
mod tests;
