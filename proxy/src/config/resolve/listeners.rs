use std::collections::BTreeMap;
use std::sync::Arc;

use super::Resolver;
use crate::config::problem::Wrong;
use crate::config::rules::Rule;
use crate::config::tree::At;
use crate::config::{Callers, Limits, Listener, ListenerCertificate, ProofKind, Upstream, draft, units};
use crate::model::{Direction, ListenerName, Mode, UpstreamName};

impl Resolver<'_> {
    pub(super) fn listeners(
        &mut self,
        at: &At,
        upstreams: &BTreeMap<UpstreamName, Arc<Upstream>>,
    ) -> BTreeMap<ListenerName, Arc<Listener>> {
        if self.draft.listeners.is_empty() {
            self.problems.rule(at, Rule::Empty);
        }
        let mut listeners = BTreeMap::new();
        let mut taken = BTreeMap::new();
        for (name, listener) in &self.draft.listeners {
            let at = at.key(name);
            if let Ok(bind) = units::listen(&listener.bind)
                && let Some(before) = taken.insert(bind, name)
            {
                self.problems.value(&at.key("bind"), Wrong::Rule(Rule::SameAddress(before.clone())));
            }
            if let Some(listener) = self.listener(&at, name, listener, upstreams) {
                listeners.insert(listener.name.clone(), Arc::new(listener));
            }
        }
        listeners
    }

    fn listener(
        &mut self,
        at: &At,
        name: &str,
        listener: &draft::Listener,
        upstreams: &BTreeMap<UpstreamName, Arc<Upstream>>,
    ) -> Option<Listener> {
        let name = self.name(at, name);
        let bind = self.problems.unit(&at.key("bind"), units::listen(&listener.bind));
        let certificate = self.certificate(&at.key("certificate"), &listener.certificate);
        let callers = self.callers(&at.key("callers"), listener);
        let limits = self.limits(&at.key("limits"), &listener.limits);
        let routes = self.routes(&at.key("routes"), listener, upstreams);
        let protocol = match listener.protocol {
            draft::Protocol::Http => "http",
            draft::Protocol::Tcp => "tcp",
        };
        let draft::Way::Inbound = listener.direction;
        let draft::Listens::Enforce = listener.mode;
        Some(Listener {
            name: name?,
            bind: bind?,
            protocol: protocol.to_owned(),
            direction: Direction::Inbound,
            certificate: certificate?,
            callers: callers?,
            mode: Mode::Enforce,
            routes,
            limits: limits?,
        })
    }

    fn certificate(&mut self, at: &At, certificate: &draft::Certificate) -> Option<ListenerCertificate> {
        match certificate {
            draft::Certificate::Svid(_) => Some(ListenerCertificate::Svid),
            draft::Certificate::Files(files) => {
                let chain = self.file(&at.key("chain"), &files.chain);
                let key = self.file(&at.key("key"), &files.key);
                Some(ListenerCertificate::Files { chain: chain?, key: key? })
            }
        }
    }

    fn callers(&mut self, at: &At, listener: &draft::Listener) -> Option<Callers> {
        let callers = &listener.callers;
        let tokens = callers.any_of.iter().any(|one| matches!(one, draft::Accepts::JwtSvid));
        match (tokens, listener.protocol, &callers.audience) {
            (true, draft::Protocol::Tcp, _) => self.problems.rule(&at.key("any_of"), Rule::TokenOverTcp),
            (true, _, None) => self.problems.rule(at, Rule::NoAudience),
            (false, _, Some(_)) => self.problems.rule(&at.key("audience"), Rule::UselessAudience),
            _ => {}
        }
        let audience = match &callers.audience {
            Some(audience) => Some(self.text(&at.key("audience"), audience)?),
            None => None,
        };
        let trusted = &self.draft.identity.trust;
        let trust = match &callers.trust {
            Some(names) => self.trust(&at.key("trust"), names),
            // What is wrong with those has been noted where they stand.
            None => trusted.iter().filter_map(|name| name.parse().ok()).collect(),
        };
        for (index, name) in callers.trust.iter().flatten().enumerate() {
            if !trusted.contains(name) {
                let at = at.key("trust").index(index);
                self.problems.value(&at, Wrong::Rule(Rule::NotTrusted(name.clone())));
            }
        }
        let any_of = self.proofs(&at.key("any_of"), &callers.any_of);
        let life = self.duration(&at.key("max_token_life"), &callers.max_token_life, ("1s", "1d"));
        Some(Callers { any_of, audience, trust, max_token_life: life? })
    }

    fn proofs(&mut self, at: &At, accepted: &[draft::Accepts]) -> Vec<ProofKind> {
        if accepted.is_empty() {
            self.problems.rule(at, Rule::Empty);
        }
        let mut proofs = Vec::new();
        for (index, one) in accepted.iter().enumerate() {
            let (proof, word) = match one {
                draft::Accepts::X509Svid => (ProofKind::X509Svid, "x509_svid"),
                draft::Accepts::JwtSvid => (ProofKind::JwtSvid, "jwt_svid"),
            };
            if proofs.contains(&proof) {
                self.problems.value(&at.index(index), Wrong::Rule(Rule::Twice(word.to_owned())));
            }
            proofs.push(proof);
        }
        proofs
    }

    fn limits(&mut self, at: &At, limits: &draft::Limits) -> Option<Limits> {
        let handshake = self.duration(&at.key("handshake"), &limits.handshake, ("100ms", "1m"));
        let head = self.duration(&at.key("head"), &limits.head, ("100ms", "5m"));
        let idle = self.duration(&at.key("idle"), &limits.idle, ("100ms", "1d"));
        let age = self.duration(&at.key("age"), &limits.age, ("1s", "30d"));
        let head_size = self.size(&at.key("head_size"), &limits.head_size, ("8KiB", "1MiB"));
        Some(Limits {
            connections: limits.connections as usize,
            handshakes: limits.handshakes as usize,
            handshake: handshake?,
            head: head?,
            head_size: head_size?,
            headers: limits.headers as usize,
            idle: idle?,
            age: age?,
            streams: limits.streams,
        })
    }
}
