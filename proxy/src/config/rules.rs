//! What must hold between values.

/// Values that do not go together.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Rule {
    /// A version this program does not read.
    #[error("version {0} of the configuration is not known")]
    Version(u32),
    /// No Workload API, no files, no environment variable.
    #[error("nothing says where our own SVIDs come from")]
    NoIdentity,
    /// The environment variable does not hold an endpoint.
    #[error("SPIFFE_ENDPOINT_SOCKET: {0}")]
    EndpointVariable(super::units::UnitError),
    /// Both of two keys that exclude each other.
    #[error("`{0}` and `{1}` exclude each other")]
    Both(&'static str, &'static str),
    /// Neither of several keys of which one is needed.
    #[error("one of {0} is needed")]
    OneOf(&'static str),
    /// A key without what it belongs to.
    #[error("`{0}` means nothing {1}")]
    Useless(&'static str, &'static str),
    /// A least that is above its most.
    #[error("`{0}` is more than `{1}`")]
    Order(&'static str, &'static str),
    /// A list that needs an entry.
    #[error("at least one entry is needed")]
    Empty,
    /// The same entry twice.
    #[error("`{0}` stands twice")]
    Twice(String),
    /// A trust domain accepted by a listener alone.
    #[error("`{0}` is not in identity.trust")]
    NotTrusted(String),
    /// JWT-SVIDs are accepted for no audience.
    #[error("callers may present a JWT-SVID, but no audience says for whom it must be")]
    NoAudience,
    /// An audience that nothing is compared with.
    #[error("an audience is named, but no JWT-SVID is accepted")]
    UselessAudience,
    /// A token on a connection that has no headers.
    #[error("a `tcp` listener cannot be shown a JWT-SVID")]
    TokenOverTcp,
    /// The files lack what a login or listener needs.
    #[error("identity.files lacks `{0}`, which {1} needs")]
    FileLacking(&'static str, &'static str),
    /// The upstream wants a login that no credential can give.
    #[error("the upstream `{0}` wants a login, but the route names no credential")]
    NoCredential(String),
    /// A credential that would never be put in.
    #[error("the upstream `{0}` takes no login, so no credential can be put in")]
    NoLogin(String),
    /// A credential sent where it may not go.
    #[error("the credential `{credential}` may not be sent to `{upstream}`")]
    NotFor {
        /// The credential.
        credential: String,
        /// The route's upstream.
        upstream: String,
    },
    /// A login over bytes.
    #[error("a `tcp` route cannot put a credential in: bytes have no place for it")]
    LoginOverTcp,
    /// HTTP matters on a TCP route.
    #[error("`{0}` means nothing on a `tcp` route")]
    NotOnTcp(&'static str),
    /// A TCP listener with none or several routes.
    #[error("a `tcp` listener has exactly one route, this one has {0}")]
    OneRoute(usize),
    /// Two routes that fit the same requests.
    #[error("fits exactly the requests of the route `{0}`")]
    SameRoute(String),
    /// Two listeners on one address.
    #[error("the listener `{0}` has this address too")]
    SameAddress(String),
    /// A path that is not plain leading segments.
    #[error("`{0}` is not a plain leading path")]
    RoutePath(String),
    /// Not a header's name.
    #[error("`{0}` is not the name of a header")]
    HeaderName(String),
    /// A header that frames messages or that Postern sets itself.
    #[error("the header `{0}` cannot hold a credential")]
    HeaderTaken(String),
    /// A socket cannot be asked for a name.
    #[error("an upstream behind a Unix socket has no host name to be valid for")]
    NoServerName,
    /// Nothing readable.
    #[error("is empty or holds control characters")]
    Unprintable,
    /// Not a path into `data`.
    #[error("`{0}` is not the path of a rule")]
    Entrypoint(String),
    /// Nothing of the input that is masked.
    #[error("`{0}` is nothing that is masked of the input")]
    InputPlace(String),
    /// More of a pattern than is matched.
    #[error("`{0}` is no pattern of names")]
    Pattern(String),
}

impl Rule {
    /// What to do next.
    #[must_use]
    pub const fn next(&self) -> &'static str {
        match self {
            Self::Version(_) => "this program reads version: 1",
            Self::NoIdentity => {
                "name identity.workload_api or identity.files, or set SPIFFE_ENDPOINT_SOCKET=unix:///path/to/agent.sock"
            }
            Self::EndpointVariable(_) => "expected: unix:///absolute/path or tcp://IP:PORT",
            Self::Both(..) => "keep the one that is meant",
            Self::OneOf(_) | Self::OneRoute(_) => "name exactly one",
            Self::Empty => "name what is meant: nothing is implied",
            Self::Twice(_) => "remove one of them",
            Self::NotTrusted(_) => "add it to identity.trust, or remove it here",
            Self::NoAudience => "add `audience:`, the one audience that callers fetch their JWT-SVID for",
            Self::UselessAudience => "add jwt_svid to any_of, or remove the audience",
            Self::TokenOverTcp => "take jwt_svid out of any_of",
            Self::FileLacking(..) => "add it, or use a Workload API",
            Self::NoCredential(_) => "add `credentials:` to the route, or remove the upstream's login",
            Self::NoLogin(_) => {
                "add `login:` to the upstream (basic, bearer or { header: NAME }), or remove them here"
            }
            Self::NotFor { .. } => {
                "add the upstream to the credential's only_to, or remove the credential here"
            }
            Self::LoginOverTcp => "use protocol: http, or remove the credentials of the route",
            Self::NotOnTcp(_) | Self::Useless(..) => "remove it",
            Self::Order(..) => "say both, the smaller one first",
            Self::SameRoute(_) => "change host or path of one of them, or remove one",
            Self::SameAddress(_) => "give each listener an address of its own",
            Self::RoutePath(_) => {
                "expected: / or segments like /postings/2026 in letters, digits and -._~ without encoding"
            }
            Self::HeaderName(_) => "expected: letters, digits and hyphens, like X-Api-Key",
            Self::HeaderTaken(_) => {
                "use a header that the old system reads the token from; for Authorization: bearer"
            }
            Self::NoServerName => "add tls.server_name, or prove it by spiffe_id or pin",
            Self::Unprintable => "write what is meant, in printable characters",
            Self::InputPlace(_) => {
                "expected: a place below request.headers, request.query, request.body.value or caller.jwt, like request.headers.x-tenant"
            }
            Self::Pattern(_) => "expected: a file below the bundle's root, with * and ? for what varies",
            Self::Entrypoint(_) => "expected: data, then names, like data.postern.decision",
        }
    }
}
