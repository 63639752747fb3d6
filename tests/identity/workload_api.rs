use postern::fault::codes;
use postern::identify::SourceChange;
use postern_lab::Authority;
use postern_lab::authority::Entry;
use tempfile::TempDir;

use super::*;

struct Agent {
    authority: Authority,
    _folder: TempDir,
}

impl Agent {
    /// An authority that knows nobody yet.
    fn new(trust_domain: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let authority = Authority::start(trust_domain, &folder.path().join("agent.sock")).unwrap();
        Self { authority, _folder: folder }
    }

    fn admit(&self) {
        self.admit_as(ID);
    }

    fn admit_as(&self, id: &str) {
        let program = std::env::current_exe().unwrap().canonicalize().unwrap();
        self.authority.admit(Entry::for_program(id, &program).unwrap());
    }

    fn source(&self) -> IdentitySource {
        IdentitySource::WorkloadApi(self.authority.endpoint())
    }
}

#[tokio::test]
async fn svids_anchors_keys_and_a_token_of_ours_come_from_a_workload_api() {
    let agent = Agent::new(DOMAIN);
    agent.admit();
    watching(agent.source(), &[DOMAIN], async |mut seen: Watched| {
        seen.told(SourceChange::Svids).await;
        seen.until(|seen| seen.jwt_keys() == 1).await;

        assert_eq!(seen.id().as_deref(), Some(ID));
        assert_eq!(seen.anchors(), [(DOMAIN.to_owned(), 1)]);
        let token = seen.tokens.token("vault").await.unwrap();
        assert_eq!(token.expose().split('.').count(), 3);
        assert!(seen.tokens.token("").await.is_err());
    })
    .await;
}

#[tokio::test]
async fn a_short_lived_svid_is_replaced_before_it_ends_and_bundles_only_when_they_change() {
    let agent = Agent::new(DOMAIN);
    agent.admit();
    agent.authority.set_x509_ttl(Duration::from_secs(2));
    watching(agent.source(), &[DOMAIN], async |mut seen: Watched| {
        seen.told(SourceChange::Svids).await;
        seen.until(|seen| seen.jwt_keys() == 1).await;
        let before = seen.identities.bundles.generation();
        for _ in 0..5 {
            let ends = seen.identities.svids.load().value.expires_at();
            let event = seen.told(SourceChange::Svids).await;
            assert!(seen.identities.svids.load().value.expires_at() > ends, "{}", event.detail);
            assert_eq!(event.generation, Some(seen.identities.svids.generation()));
        }
        assert_eq!(seen.identities.bundles.generation(), before);

        agent.authority.rotate().unwrap();
        seen.until(|seen| seen.anchors() == [(DOMAIN.to_owned(), 2)] && seen.jwt_keys() == 2).await;
        agent.authority.retire();
        seen.until(|seen| seen.anchors() == [(DOMAIN.to_owned(), 1)] && seen.jwt_keys() == 1).await;
    })
    .await;
}

#[tokio::test]
async fn who_is_dismissed_holds_nothing_until_admitted_again() {
    let agent = Agent::new(DOMAIN);
    agent.admit();
    watching(agent.source(), &[DOMAIN], async |mut seen: Watched| {
        seen.until(|seen| seen.id().is_some() && seen.jwt_keys() == 1).await;

        agent.authority.dismiss(ID);
        let event = seen.told(SourceChange::Withdrawn).await;
        assert_eq!(event.code, Some(codes::SOURCE_DENIED));
        seen.until(|seen| seen.id().is_none() && seen.anchors().is_empty() && seen.jwt_keys() == 0).await;
        let refused = seen.tokens.token("vault").await.unwrap_err();
        assert!(refused.to_string().contains("Workload API"), "{refused}");

        agent.admit();
        seen.told(SourceChange::Recovered).await;
        seen.until(|seen| seen.id().is_some() && seen.jwt_keys() == 1).await;
    })
    .await;
}

#[tokio::test]
async fn an_identity_that_is_no_workloads_is_not_taken_in_place_of_the_one_held() {
    let agent = Agent::new(DOMAIN);
    agent.admit();
    watching(agent.source(), &[DOMAIN], async |mut seen: Watched| {
        seen.until(|seen| seen.id().is_some() && seen.jwt_keys() == 1).await;

        agent.authority.dismiss(ID);
        agent.admit_as("spiffe://lab.example");
        let event = seen.told(SourceChange::Failing).await;

        assert_eq!(event.code, Some(codes::SOURCE_MALFORMED), "{}", event.detail);
        assert_ne!(seen.id().as_deref(), Some("spiffe://lab.example"));
    })
    .await;
}

#[tokio::test]
async fn what_was_received_outlives_the_agent_until_it_is_back() {
    let agent = Agent::new(DOMAIN);
    agent.admit();
    watching(agent.source(), &[DOMAIN], async |mut seen: Watched| {
        seen.until(|seen| seen.id().is_some() && seen.jwt_keys() == 1).await;
        agent.authority.stop();
        let event = seen.told(SourceChange::Failing).await;
        assert_eq!(event.code, Some(codes::SOURCE_UNREACHABLE), "{}", event.detail);
        assert!(seen.tokens.token("vault").await.is_err());
        sleep(Duration::from_millis(500)).await;
        assert_eq!((seen.id().as_deref(), seen.jwt_keys()), (Some(ID), 1));

        let held = seen.identities.svids.generation();
        agent.authority.serve().unwrap();
        seen.told(SourceChange::Recovered).await;
        seen.until(|seen| seen.identities.svids.generation() > held).await;
    })
    .await;
}

#[tokio::test]
async fn an_agent_that_is_not_there_yet_is_waited_for() {
    let agent = Agent::new(DOMAIN);
    agent.admit();
    agent.authority.stop();
    watching(agent.source(), &[DOMAIN], async |mut seen: Watched| {
        let failing = seen.told(SourceChange::Failing).await;
        assert!(failing.detail.contains(&agent.authority.endpoint()), "{}", failing.detail);
        assert_eq!(seen.id(), None);
        // Both streams are tried several times meanwhile; they fail alike, and that has been said.
        sleep(Duration::from_secs(1)).await;
        assert!(seen.told.try_recv().is_err(), "said twice");
        agent.authority.serve().unwrap();
        seen.until(|seen| seen.id().is_some() && seen.jwt_keys() == 1).await;
        let recovered = seen.told(SourceChange::Recovered).await;
        assert_eq!(recovered.detail, agent.authority.endpoint());
    })
    .await;
}

#[tokio::test]
async fn bundles_of_trust_domains_that_are_not_listed_are_not_kept() {
    let (agent, partner, stranger) =
        (Agent::new(DOMAIN), Agent::new("partner.example"), Agent::new("stranger.example"));
    agent.admit();
    agent.authority.federate("partner.example", Some(partner.authority.bundle()));
    agent.authority.federate("stranger.example", Some(stranger.authority.bundle()));
    watching(agent.source(), &[DOMAIN, "partner.example"], async |seen: Watched| {
        let both = [(DOMAIN.to_owned(), 1), ("partner.example".to_owned(), 1)];
        seen.until(|seen| seen.anchors() == both && seen.jwt_keys() == 2).await;
        agent.authority.federate("partner.example", None);
        seen.until(|seen| seen.anchors() == both[..1] && seen.jwt_keys() == 1).await;
    })
    .await;
}
