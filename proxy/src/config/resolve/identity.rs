use super::Resolver;
use crate::config::problem::Wrong;
use crate::config::rules::Rule;
use crate::config::tree::At;
use crate::config::{Identity, IdentitySource, draft, units};

impl Resolver<'_> {
    pub(super) fn identity(&mut self, at: &At) -> Option<Identity> {
        let identity = &self.draft.identity;
        let trust = self.trust(&at.key("trust"), &identity.trust);
        let source = match (&identity.workload_api, &identity.files) {
            (Some(_), Some(_)) => {
                self.problems.rule(at, Rule::Both("workload_api", "files"));
                None
            }
            (Some(endpoint), None) => self
                .problems
                .unit(&at.key("workload_api"), units::workload_api(endpoint))
                .map(IdentitySource::WorkloadApi),
            (None, Some(files)) => self.files(&at.key("files"), files),
            (None, None) => self.endpoint_of_the_environment(at),
        };
        Some(Identity { source: source?, trust })
    }

    /// SPIFFE Workload Endpoint, 4: without configuration, the environment says where it is.
    fn endpoint_of_the_environment(&mut self, at: &At) -> Option<IdentitySource> {
        let wrong = match self.around.endpoint.as_deref() {
            None => Rule::NoIdentity,
            Some(endpoint) => match units::workload_api(endpoint) {
                Ok(endpoint) => return Some(IdentitySource::WorkloadApi(endpoint)),
                Err(wrong) => Rule::EndpointVariable(wrong),
            },
        };
        self.problems.key(at, Wrong::Rule(wrong));
        None
    }

    fn files(&mut self, at: &At, files: &draft::Files) -> Option<IdentitySource> {
        let listens_to_tokens =
            self.draft.listeners.values().any(|listener| {
                listener.callers.any_of.iter().any(|one| matches!(one, draft::Accepts::JwtSvid))
            });
        if listens_to_tokens && files.jwt_bundle.is_none() {
            self.problems.rule(at, Rule::FileLacking("jwt_bundle", "a listener that accepts jwt_svid"));
        }
        let logs_in_by_token =
            self.draft.vaults.values().any(|vault| matches!(vault.login, draft::VaultLogin::Jwt(_)));
        if logs_in_by_token && files.token.is_none() {
            self.problems.rule(at, Rule::FileLacking("token", "a vault's login by jwt"));
        }
        let svid = self.file(&at.key("svid"), &files.svid);
        let key = self.file(&at.key("key"), &files.key);
        let bundle = self.file(&at.key("bundle"), &files.bundle);
        let jwt_bundle = self.file_if(&at.key("jwt_bundle"), files.jwt_bundle.as_ref());
        let token = self.file_if(&at.key("token"), files.token.as_ref());
        Some(IdentitySource::Files {
            svid: svid?,
            key: key?,
            bundle: bundle?,
            jwt_bundle: jwt_bundle?,
            token: token?,
        })
    }
}
