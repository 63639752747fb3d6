use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use postern_policy::Sources;
use tokio::sync::{mpsc, oneshot};
use tokio::time::Instant;

use super::board::Board;
use super::client::{Answer, Client, Download};
use super::copy::{Copy, Kept};
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
    /// What was kept of it.
    pub copy: Copy,
    /// The way to it.
    pub client: Client,
    /// Where it stands what became of it.
    pub board: Board,
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
    /// Whether it is the kept copy.
    pub kept: bool,
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

/// An archive that is to be judged.
struct Brought {
    archive: Bytes,
    etag: Option<String>,
    /// Where it was kept; none where it was downloaded.
    file: Option<PathBuf>,
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
    ///
    /// The service is asked before the kept copy counts, so that a service that answers is never behind its copy.
    pub async fn run(self) {
        self.equipped().await;
        let mut copy = self.kept().await;
        let etag = copy.as_ref().and_then(|copy| copy.etag.clone());
        let mut standing = Standing { etag, ..Standing::default() };
        loop {
            let pause = self.once(&mut standing, copy.take()).await;
            tokio::time::sleep(pause).await;
        }
    }

    async fn kept(&self) -> Option<Kept> {
        let (copy, service) = (self.copy.clone(), Arc::clone(&self.service));
        let held = tokio::task::spawn_blocking(move || copy.held(&service.endpoint.url, service.size)).await;
        match held.ok()? {
            Ok(kept) => kept,
            Err(error) => {
                let why = causes(&error);
                self.board.refused(&self.name, error.code(), &why);
                self.tell(self.failure(error.code(), why)).await;
                None
            }
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

    /// Asks once, and says when to ask again. Where that brings nothing that can serve, the copy serves.
    async fn once(&self, standing: &mut Standing, copy: Option<Kept>) -> Duration {
        let begun = Instant::now();
        // Nothing is waited for before something serves.
        let wait = self.service.long.filter(|_| standing.etag.is_some() && copy.is_none());
        self.board.asked(&self.name);
        let asked = self.client.ask(&self.service, standing.etag.as_deref(), wait).await;
        let outcome = match asked {
            Err(error) => {
                let pause = self.failed(standing, &error).await;
                self.fall_back(standing, copy).await;
                // It was not this service that said so.
                standing.etag = None;
                return pause;
            }
            Ok(Answer::Unchanged { etag, waits }) => {
                (standing.etag, standing.waits) = (etag, waits);
                self.board.unchanged(&self.name);
                if std::mem::take(&mut standing.refused) {
                    self.tell(News::Withdrawn(self.name.clone())).await;
                }
                self.fall_back(standing, copy).await.unwrap_or(Outcome::Same)
            }
            Ok(Answer::Bundle(Download { archive, etag, waits })) => {
                standing.waits = waits;
                self.board.downloaded(&self.name, archive.len());
                let outcome = self.arrived(standing, Brought { archive, etag, file: None }).await;
                if outcome == Outcome::Refused {
                    self.fall_back(standing, copy).await;
                    standing.refused = true;
                }
                outcome
            }
        };
        standing.failures = 0;
        standing.failing.take_if(|_| !standing.refused);
        let waited = outcome == Outcome::Serves || begun.elapsed() >= WAITED;
        if standing.waits && self.service.long.is_some() && waited && !standing.refused {
            return LEAST;
        }
        pace::between(self.service.min, self.service.max)
    }

    /// Has the kept copy judged, if there still is one to be judged.
    async fn fall_back(&self, standing: &mut Standing, copy: Option<Kept>) -> Option<Outcome> {
        let Kept { file, archive, etag } = copy?;
        let outcome = self.arrived(standing, Brought { archive, etag, file: Some(file) }).await;
        if outcome == Outcome::Refused {
            // The service must send it again, for it is not here.
            standing.etag = None;
        }
        Some(outcome)
    }

    /// Reads what came and has it judged.
    async fn arrived(&self, standing: &mut Standing, brought: Brought) -> Outcome {
        let sources = match self.unpack(&brought).await {
            Ok(sources) => sources,
            Err(why) => {
                standing.refused = true;
                let code = if brought.file.is_some() { codes::BUNDLE_COPY } else { codes::POLICY_REFUSED };
                self.board.refused(&self.name, code, &why);
                if standing.failing.replace(why.clone()).as_ref() != Some(&why) {
                    self.tell(self.failure(code, why)).await;
                }
                return Outcome::Refused;
            }
        };
        let (tell, decided) = oneshot::channel();
        let Brought { archive, etag, file } = brought;
        let (name, etag_said) = (self.name.clone(), etag.clone());
        let (kept, outcome) = (file.is_some(), Some(tell));
        self.tell(News::Arrived(Arrival { name, sources, archive, etag: etag_said, kept, outcome })).await;
        let decided = decided.await.unwrap_or(Outcome::Refused);
        standing.refused = decided == Outcome::Refused;
        // What is refused is asked for again, as OPA does: a key or another bundle may make it right.
        if !standing.refused {
            standing.etag = etag;
        }
        decided
    }

    async fn unpack(&self, brought: &Brought) -> Result<Arc<Sources>, String> {
        let (archive, verify) = (brought.archive.clone(), self.verify.clone());
        let from = match &brought.file {
            Some(file) => file.display().to_string(),
            None => self.service.endpoint.url.clone(),
        };
        let unpacking =
            tokio::task::spawn_blocking(move || load::unpack(&archive, &from, verify.as_ref())).await;
        unpacking.map_err(|fault| fault.to_string())?.map_err(|error: PolicyError| causes(&error))
    }

    /// Forgets what the service calls the bundle, and tells where it fails in another way than before.
    async fn failed(&self, standing: &mut Standing, error: &ServiceError) -> Duration {
        let (code, why) = (error.code(), format!("{}: {}", self.service.endpoint.url, causes(error)));
        self.board.failed(&self.name, error, &why);
        standing.etag = None;
        standing.failures = standing.failures.saturating_add(1);
        tracing::debug!(bundle = self.name, code = code.id, failures = standing.failures, "{why}");
        if standing.failing.replace(why.clone()).as_ref() != Some(&why) {
            self.tell(self.failure(code, why)).await;
        }
        pace::doubling(LEAST, standing.failures, self.service.max.max(LEAST))
    }

    fn failure(&self, code: &'static Code, why: String) -> News {
        News::Failed { name: self.name.clone(), code, why }
    }

    /// Nobody listens any more where the process ends.
    async fn tell(&self, news: News) {
        let _ended = self.news.send(news).await;
    }
}
