use std::collections::BTreeMap;
use std::num::NonZeroUsize;
use std::sync::Arc;

use http::HeaderName;

use super::Resolver;
use crate::config::problem::Wrong;
use crate::config::rules::Rule;
use crate::config::tree::At;
use crate::config::{
    Login, TlsVersion, Upstream, UpstreamAddress, UpstreamProof, UpstreamTimeouts, UpstreamTls, draft, units,
};
use crate::model::UpstreamName;

/// Headers that frame messages, route them or belong to the connection: a credential there would change what the
/// request is.
const TAKEN: &[&str] = &[
    "authorization",
    "connection",
    "content-length",
    "content-type",
    "expect",
    "host",
    "keep-alive",
    "proxy-connection",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
];

impl Resolver<'_> {
    pub(super) fn upstreams(&mut self, at: &At) -> BTreeMap<UpstreamName, Arc<Upstream>> {
        if self.draft.upstreams.is_empty() {
            self.problems.rule(at, Rule::Empty);
        }
        let mut upstreams = BTreeMap::new();
        for (name, upstream) in &self.draft.upstreams {
            if let Some(upstream) = self.upstream(&at.key(name), name, upstream) {
                upstreams.insert(upstream.name.clone(), Arc::new(upstream));
            }
        }
        upstreams
    }

    fn upstream(&mut self, at: &At, name: &str, upstream: &draft::Upstream) -> Option<Upstream> {
        let name = self.name(at, name);
        let address = self.problems.unit(&at.key("address"), units::upstream(&upstream.address));
        let tls = match &upstream.tls {
            Some(tls) => self.tls(&at.key("tls"), tls, address.as_ref()).map(Some),
            None => Some(None),
        };
        let login = match &upstream.login {
            Some(login) => self.login(&at.key("login"), login).map(Some),
            None => Some(None),
        };
        let timeouts = self.timeouts(&at.key("timeouts"), &upstream.timeouts);
        Some(Upstream {
            name: name?,
            address: address?,
            tls: tls?,
            login: login?,
            timeouts: timeouts?,
            connections: NonZeroUsize::new(upstream.connections as usize)?,
            http2: upstream.http2,
            scrub: upstream.scrub,
        })
    }

    fn timeouts(&mut self, at: &At, timeouts: &draft::UpstreamTimeouts) -> Option<UpstreamTimeouts> {
        let range = ("1ms", "1h");
        let connect = self.duration(&at.key("connect"), &timeouts.connect, range);
        let response = self.duration(&at.key("response"), &timeouts.response, range);
        let idle = self.duration(&at.key("idle"), &timeouts.idle, range);
        Some(UpstreamTimeouts { connect: connect?, response: response?, idle: idle? })
    }

    pub(super) fn tls(
        &mut self,
        at: &At,
        tls: &draft::Tls,
        address: Option<&UpstreamAddress>,
    ) -> Option<UpstreamTls> {
        let proof = self.proof(at, tls);
        let server_name = match &tls.server_name {
            Some(name) => self.problems.unit(&at.key("server_name"), units::host(name)).map(Some),
            None => Some(None),
        };
        let nameless = matches!(address, Some(UpstreamAddress::Unix(_))) && tls.server_name.is_none();
        if nameless && tls.roots.is_some() {
            self.problems.rule(at, Rule::NoServerName);
        }
        let min = match tls.min {
            draft::TlsMin::V12 => TlsVersion::V12,
            draft::TlsMin::V13 => TlsVersion::V13,
        };
        Some(UpstreamTls { proof: proof?, server_name: server_name?, min, present_svid: tls.present_svid })
    }

    fn proof(&mut self, at: &At, tls: &draft::Tls) -> Option<UpstreamProof> {
        match (&tls.roots, &tls.spiffe_id, &tls.pin) {
            (Some(roots), None, None) => self.file(&at.key("roots"), roots).map(UpstreamProof::Roots),
            (None, Some(id), None) => self.spiffe_id(&at.key("spiffe_id"), id).map(UpstreamProof::SpiffeId),
            (None, None, Some(pin)) => {
                self.problems.unit(&at.key("pin"), units::pin(pin)).map(UpstreamProof::Pin)
            }
            _ => {
                self.problems.rule(at, Rule::OneOf("`roots`, `spiffe_id` and `pin`"));
                None
            }
        }
    }

    fn login(&mut self, at: &At, login: &draft::Login) -> Option<Login> {
        let name = match login {
            draft::Login::Basic => return Some(Login::Basic),
            draft::Login::Bearer => return Some(Login::Bearer),
            draft::Login::Header(name) => name,
        };
        let at = at.key("header");
        let Ok(header) = HeaderName::try_from(name) else {
            self.problems.value(&at, Wrong::Rule(Rule::HeaderName(name.clone())));
            return None;
        };
        if TAKEN.contains(&header.as_str()) {
            self.problems.value(&at, Wrong::Rule(Rule::HeaderTaken(name.clone())));
            return None;
        }
        Some(Login::Header(header))
    }
}
