use std::collections::BTreeMap;
use std::sync::Arc;

use super::Resolver;
use crate::config::problem::Wrong;
use crate::config::rules::Rule;
use crate::config::tree::At;
use crate::config::{BodyInspection, EncodedSlash, Route, Upstream, draft, units};
use crate::model::{CredentialName, UpstreamName};

impl Resolver<'_> {
    pub(super) fn routes(
        &mut self,
        at: &At,
        listener: &draft::Listener,
        upstreams: &BTreeMap<UpstreamName, Arc<Upstream>>,
    ) -> Vec<Arc<Route>> {
        match (listener.protocol, listener.routes.len()) {
            (draft::Protocol::Tcp, count) if count != 1 => self.problems.rule(at, Rule::OneRoute(count)),
            (draft::Protocol::Http, 0) => self.problems.rule(at, Rule::Empty),
            _ => {}
        }
        let mut routes: Vec<Route> = Vec::new();
        for (name, route) in &listener.routes {
            let at = at.key(name);
            self.login_fits(&at, listener.protocol, route);
            if matches!(listener.protocol, draft::Protocol::Tcp) {
                self.nothing_of_http(&at, route);
            }
            let Some(route) = self.route(&at, name, route, upstreams) else { continue };
            let same = routes.iter().find(|one| one.host == route.host && one.segments == route.segments);
            if let Some(same) = same {
                self.problems.rule(&at, Rule::SameRoute(same.name.to_string()));
            }
            routes.push(route);
        }
        // Longest path first, a host before any host: then the first that fits is the one.
        routes.sort_by_key(|route| (std::cmp::Reverse(route.segments.len()), route.host.is_none()));
        routes.into_iter().map(Arc::new).collect()
    }

    fn route(
        &mut self,
        at: &At,
        name: &str,
        route: &draft::Route,
        upstreams: &BTreeMap<UpstreamName, Arc<Upstream>>,
    ) -> Option<Route> {
        let draft = self.draft;
        let name = self.name(at, name);
        let host = match &route.host {
            Some(host) => self.problems.unit(&at.key("host"), units::host(host)).map(Some),
            None => Some(None),
        };
        let segments = self.segments(&at.key("path"), &route.path);
        let credentials = self.permitted(&at.key("credentials"), route);
        let inspect = match &route.body {
            Some(body) => {
                let limit = self.size(&at.key("body").key("inspect"), &body.inspect, ("1B", "1MiB"));
                let tolerate = matches!(body.unreadable, draft::Unreadable::Judge);
                limit.map(|limit| Some(BodyInspection { limit, tolerate }))
            }
            None => Some(None),
        };
        let encoded_slash = match route.encoded_slash {
            draft::EncodedSlash::Refuse => EncodedSlash::Refuse,
            draft::EncodedSlash::Keep => EncodedSlash::Keep,
        };
        let upstream: UpstreamName =
            self.one_of(&at.key("upstream"), &route.upstream, "upstream", draft.upstreams.keys())?;
        Some(Route {
            name: name?,
            host: host?,
            segments: segments?,
            upstream: Arc::clone(upstreams.get(&upstream)?),
            credentials,
            encoded_slash,
            inspect: inspect?,
        })
    }

    /// The credentials a decision may name: they exist and may be sent to the route's upstream.
    fn permitted(&mut self, at: &At, route: &draft::Route) -> Vec<CredentialName> {
        let draft = self.draft;
        self.no_twins(at, &route.credentials);
        let mut permitted = Vec::new();
        for (index, name) in route.credentials.iter().enumerate() {
            let at = at.index(index);
            permitted.extend(self.one_of(&at, name, "credential", draft.credentials.keys()));
            let only_to = draft.credentials.get(name).map(|credential| credential.only_to.as_slice());
            let fits = only_to.is_none_or(|only| only.is_empty() || only.contains(&route.upstream));
            if !fits {
                let rule = Rule::NotFor { credential: name.clone(), upstream: route.upstream.clone() };
                self.problems.value(&at, Wrong::Rule(rule));
            }
        }
        permitted
    }

    /// An upstream with a login needs a credential, and a credential needs a place to be put.
    fn login_fits(&mut self, at: &At, protocol: draft::Protocol, route: &draft::Route) {
        let Some(upstream) = self.draft.upstreams.get(&route.upstream) else { return };
        let rule = match (protocol, &upstream.login, route.credentials.is_empty()) {
            (draft::Protocol::Tcp, _, false) => Rule::LoginOverTcp,
            (draft::Protocol::Http, Some(_), true) => Rule::NoCredential(route.upstream.clone()),
            (draft::Protocol::Http, None, false) => Rule::NoLogin(route.upstream.clone()),
            _ => return,
        };
        self.problems.rule(at, rule);
    }

    fn nothing_of_http(&mut self, at: &At, route: &draft::Route) {
        let said = [
            ("host", route.host.is_some()),
            ("path", route.path != "/"),
            ("encoded_slash", matches!(route.encoded_slash, draft::EncodedSlash::Keep)),
            ("body", route.body.is_some()),
        ];
        for (key, _) in said.into_iter().filter(|(_, said)| *said) {
            self.problems.rule(&at.key(key), Rule::NotOnTcp(key));
        }
    }

    /// Leading segments, as they must stand in a request.
    fn segments(&mut self, at: &At, path: &str) -> Option<Vec<String>> {
        let plain = |segment: &str| {
            !matches!(segment, "" | "." | "..")
                && segment
                    .bytes()
                    .all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'.' | b'_' | b'~'))
        };
        let inner = path.strip_prefix('/').map(|rest| rest.strip_suffix('/').unwrap_or(rest));
        let segments: Vec<&str> = match inner {
            Some("") if path == "/" => Vec::new(),
            Some(inner) => inner.split('/').collect(),
            None => vec![""],
        };
        if segments.iter().all(|segment| plain(segment)) {
            return Some(segments.into_iter().map(str::to_owned).collect());
        }
        self.problems.value(at, Wrong::Rule(Rule::RoutePath(path.to_owned())));
        None
    }
}
