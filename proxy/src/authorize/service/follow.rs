use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use postern_policy::Sources;
use tokio::sync::{mpsc, oneshot};
use tokio::time::Instant;

use super::client::{Answer, Client, Download};
use super::error::ServiceError;
use crate::authorize::load::{self, PolicyError};
use crate::config::{BundleService, Verify};
use crate::fault::{Code, Coded as _, causes, codes};
use crate::pace;

/// The first pause after a failure (OPA's own), and the least between two requests whatever happens.
const LEAST: Duration = Duration::from_millis(100);
/// A service that can wait, and has nothing new sooner than this, is asked like one that cannot.
const WAITED: Duration = Duration::from_secs(1);
/// How long our own SVID may be waited for at start.
const EQUIPPED: Duration = Duration::from_secs(5);

/// Asks one service for its bundle, again and again.
pub struct Follower {
    /// The bundle's name.
    pub name: String,
    /// Its service.
    pub service: Arc<BundleService>,
    /// Who must have signed it.
    pub verify: Option<Verify>,
    /// The way to it.
    pub client: Client,
    /// Who decides what serves.
    pub news: mpsc::Sender<News>,
}

/// What came of asking.
#[derive(Debug)]
pub enum News {
    /// A bundle that can be read.
    Arrived(Arrival),
    /// The service no longer offers what arrived last and was refused.
    Withdrawn(String),
    /// It failed in a way that it did not fail in before.
    Failed {
        /// The bundle.
        name: String,
        /// How.
        code: &'static Code,
        /// In words.
        why: String,
    },
}

/// A bundle that was downloaded and can be read.
#[derive(Debug)]
pub struct Arrival {
    /// Its name.
    pub name: String,
    /// What it holds; its signature, where one is asked for, is right.
    pub sources: Arc<Sources>,
    /// As it was downloaded.
    pub archive: Bytes,
    /// What the service calls it.
    pub etag: Option<String>,
    /// Where its follower is told what became of it, once.
    pub outcome: Option<oneshot::Sender<Outcome>>,
}

/// What became of a bundle that arrived.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// It serves from now on.
    Serves,
    /// It says what serves already.
    Same,
    /// It waits for others to arrive.
    Held,
    /// The policy does not pass with it.
    Refused,
}

/// What is known of the service.
#[derive(Default)]
struct Standing {
    /// Of what arrived last and was not refused.
    etag: Option<String>,
    failures: u32,
    /// In which way it fails.
    failing: Option<String>,
    /// Whether what arrived last was refused.
    refused: bool,
    /// Whether the service can wait for something new.
    waits: bool,
}

impl Follower {
    /// Goes on until the task is dropped.
    pub async fn run(self) {
        self.equipped().await;
        let mut standing = Standing::default();
        loop {
            let pause = self.once(&mut standing).await;
            tokio::time::sleep(pause).await;
        }
    }

    /// Our own SVID comes from elsewhere, and asking without it only fails.
    async fn equipped(&self) {
        let waiting = async {
            while !self.client.is_equipped(&self.service.endpoint) {
                tokio::time::sleep(LEAST / 4).await;
            }
        };
        // Without it, what fails says so.
        let _late = tokio::time::timeout(EQUIPPED, waiting).await;
    }

    /// Asks once, and says when to ask again.
    async fn once(&self, standing: &mut Standing) -> Duration {
        let begun = Instant::now();
        // Nothing is waited for before something is there.
        let wait = self.service.long.filter(|_| standing.etag.is_some());
        let asked = self.client.ask(&self.service, standing.etag.as_deref(), wait).await;
        let is_new = match asked {
            Err(error) => return self.failed(standing, &error).await,
            Ok(Answer::Unchanged { etag, waits }) => {
                (standing.etag, standing.waits) = (etag, waits);
                if std::mem::take(&mut standing.refused) {
                    self.tell(News::Withdrawn(self.name.clone())).await;
                }
                false
            }
            Ok(Answer::Bundle(download)) => {
                standing.waits = download.waits;
                self.arrived(standing, download).await
            }
        };
        (standing.failures, standing.failing) = (0, None);
        let waited = is_new || begun.elapsed() >= WAITED;
        if standing.waits && self.service.long.is_some() && waited && !standing.refused {
            return LEAST;
        }
        pace::between(self.service.min, self.service.max)
    }

    /// Reads what was downloaded and has it judged; whether it serves now and did not before.
    async fn arrived(&self, standing: &mut Standing, download: Download) -> bool {
        let Download { archive, etag, .. } = download;
        let sources = match self.unpack(&archive).await {
            Ok(sources) => sources,
            Err(error) => {
                standing.refused = true;
                let (code, why) = (codes::POLICY_REFUSED, error);
                self.tell(News::Failed { name: self.name.clone(), code, why }).await;
                return false;
            }
        };
        let (outcome, decided) = oneshot::channel();
        let arrival =
            Arrival { name: self.name.clone(), sources, archive, etag: etag.clone(), outcome: Some(outcome) };
        self.tell(News::Arrived(arrival)).await;
        let decided = decided.await.unwrap_or(Outcome::Refused);
        standing.refused = decided == Outcome::Refused;
        // What is refused is asked for again, as OPA does: a key or another bundle may make it right.
        if decided != Outcome::Refused {
            standing.etag = etag;
        }
        decided == Outcome::Serves
    }

    async fn unpack(&self, archive: &Bytes) -> Result<Arc<Sources>, String> {
        let (archive, from, verify) =
            (archive.clone(), self.service.endpoint.url.clone(), self.verify.clone());
        let unpacking =
            tokio::task::spawn_blocking(move || load::unpack(&archive, &from, verify.as_ref())).await;
        unpacking.map_err(|fault| fault.to_string())?.map_err(|error: PolicyError| causes(&error))
    }

    /// Forgets what the service calls the bundle, and tells where it fails in another way than before.
    async fn failed(&self, standing: &mut Standing, error: &ServiceError) -> Duration {
        let (code, why) = (error.code(), format!("{}: {}", self.service.endpoint.url, causes(error)));
        standing.etag = None;
        standing.failures = standing.failures.saturating_add(1);
        tracing::warn!(bundle = self.name, code = code.id, failures = standing.failures, "{why}");
        if standing.failing.replace(why.clone()).as_ref() != Some(&why) {
            self.tell(News::Failed { name: self.name.clone(), code, why }).await;
        }
        pace::doubling(LEAST, standing.failures, self.service.max.max(LEAST))
    }

    /// Nobody listens any more where the process ends.
    async fn tell(&self, news: News) {
        let _ended = self.news.send(news).await;
    }
}
