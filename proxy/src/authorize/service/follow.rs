use std::cell::Cell;
use std::path::PathBuf;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use postern_policy::Sources;
use tokio::sync::{Notify, mpsc, oneshot};
use tokio::time::Instant;

use super::board::Board;
use super::client::{Answer, Client};
use super::copy::{Copy, CopyError, Kept};
use super::error::ServiceError;
use crate::authorize::load;
use crate::config::{BundleService, Verify};
use crate::fault::{Code, Coded as _, causes, codes};
use crate::pace;

/// The first pause after a failure (OPA's own), and the least between two requests whatever happens.
const LEAST: Duration = Duration::from_millis(100);
/// A service that can wait, and has nothing new sooner than this, is asked like one that cannot.
const WAITED: Duration = Duration::from_secs(1);
/// How long a request goes on at least that was under way when another was asked for: it may be about to bring something.
/// It doubles with each that is cut off, so that who asks again and again keeps nothing from arriving.
const PATIENCE: Duration = Duration::from_secs(1);
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
    /// Tells to ask at once.
    pub hurry: Rc<Hurry>,
    /// What serves already.
    pub serving: Option<Arc<Sources>>,
}

/// Has a service asked at once, whatever it waits for.
#[derive(Default)]
pub struct Hurry {
    told: Notify,
    anew: Cell<bool>,
}

impl Hurry {
    /// Asks at once.
    pub fn ask(&self) {
        self.told.notify_one();
    }

    /// Asks at once for the bundle itself, although it came before.
    pub fn ask_anew(&self) {
        self.anew.set(true);
        self.ask();
    }
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
    /// As it was downloaded; none where it is the kept copy.
    pub archive: Option<Bytes>,
    /// Where it is kept.
    pub copy: Copy,
    /// Where its follower is told what became of it, once.
    pub outcome: Option<oneshot::Sender<Outcome>>,
}

impl Arrival {
    /// Keeps what serves for a start without its service.
    pub async fn keep(self) -> Result<(), CopyError> {
        let (Some(archive), copy) = (self.archive, self.copy) else { return Ok(()) };
        // A fault of ours is told by its panic.
        tokio::task::spawn_blocking(move || copy.keep(&archive)).await.unwrap_or(Ok(()))
    }
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
    /// When the newest that was taken was signed.
    newest: Option<i64>,
    /// How many requests were cut off since the last that ended.
    cut: u32,
}

impl Follower {
    /// Goes on until the task is dropped.
    ///
    /// Where nothing serves yet, the kept copy comes first, so that a service that hangs holds up nobody.
    pub async fn run(mut self) {
        let mut standing = Standing::default();
        self.forget_elsewhere().await;
        if let Some(serving) = self.serving.take() {
            standing.newest = serving.signed_at();
        } else if let Some(Kept { file, archive }) = self.kept().await {
            self.arrived(&mut standing, archive, Some(file)).await;
        }
        self.equipped().await;
        loop {
            let pause = self.once(&mut standing).await;
            tokio::select! {
                () = tokio::time::sleep(pause) => {}
                () = self.hurry.told.notified() => {}
            }
        }
    }

    async fn forget_elsewhere(&self) {
        let copy = self.copy.clone();
        if let Ok(Err(error)) = tokio::task::spawn_blocking(move || copy.forget_elsewhere()).await {
            self.unusable(&error).await;
        }
    }

    async fn kept(&self) -> Option<Kept> {
        let (copy, most) = (self.copy.clone(), self.service.size);
        match tokio::task::spawn_blocking(move || copy.held(most)).await.ok()? {
            Ok(kept) => kept,
            Err(error) => {
                self.unusable(&error).await;
                None
            }
        }
    }

    async fn unusable(&self, error: &CopyError) {
        let why = causes(error);
        self.board.refused(&self.name, error.code(), &why);
        self.tell(self.failure(error.code(), why)).await;
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
        // What could not be kept comes once more, and is kept then.
        if self.hurry.anew.take() || self.copy.is_behind() {
            standing.etag = None;
        }
        // Where nothing has come yet, nothing is waited for.
        let wait = self.service.long.filter(|_| standing.etag.is_some());
        self.board.asked(&self.name);
        let patience = PATIENCE.saturating_mul(1 << standing.cut.min(16));
        let asking = self.client.ask(&self.service, standing.etag.as_deref(), wait);
        let Some(asked) = self.unless_hurried(asking, begun + patience).await else {
            standing.cut = standing.cut.saturating_add(1);
            return Duration::ZERO;
        };
        standing.cut = 0;
        let outcome = match asked {
            Err(error) => return self.failed(standing, &error).await,
            Ok(Answer::Unchanged { etag, waits }) => {
                (standing.etag, standing.waits, standing.failing) = (etag, waits, None);
                self.board.unchanged(&self.name);
                if std::mem::take(&mut standing.refused) {
                    self.tell(News::Withdrawn(self.name.clone())).await;
                }
                Outcome::Same
            }
            Ok(Answer::Bundle { archive, etag, waits }) => {
                standing.waits = waits;
                self.board.downloaded(&self.name, archive.len());
                let outcome = self.arrived(standing, archive, None).await;
                // What is refused is asked for again, as OPA does: a key or another bundle may make it right.
                if outcome != Outcome::Refused {
                    standing.etag = etag;
                }
                outcome
            }
        };
        standing.failures = 0;
        let waited = outcome == Outcome::Serves || begun.elapsed() >= WAITED;
        if standing.waits && self.service.long.is_some() && waited && !standing.refused {
            return LEAST;
        }
        pace::between(self.service.min, self.service.max)
    }

    /// What is answered; nothing, where another request is wanted and this one, which may be one that waits or hangs, has
    /// had its time. One that ends before is followed by another at once.
    async fn unless_hurried<T>(&self, asking: impl Future<Output = T>, until: Instant) -> Option<T> {
        let mut asking = std::pin::pin!(asking);
        tokio::select! {
            asked = &mut asking => return Some(asked),
            () = self.hurry.told.notified() => {}
        }
        tokio::select! {
            asked = &mut asking => {
                self.hurry.ask();
                Some(asked)
            }
            () = tokio::time::sleep_until(until) => None,
        }
    }

    /// Reads what came, from the service or from `file`, and has it judged.
    async fn arrived(&self, standing: &mut Standing, archive: Bytes, file: Option<PathBuf>) -> Outcome {
        let outcome = match self.unpack(&archive, file.as_ref(), standing.newest).await {
            Ok(sources) => {
                standing.failing = None;
                let signed_at = sources.signed_at();
                let (tell, decided) = oneshot::channel();
                let (name, copy, outcome) = (self.name.clone(), self.copy.clone(), Some(tell));
                let archive = Some(archive).filter(|_| file.is_none());
                self.tell(News::Arrived(Arrival { name, sources, archive, copy, outcome })).await;
                let decided = decided.await.unwrap_or(Outcome::Refused);
                // The copy served once, whatever is said of it now. What is held may never serve; once it does, who
                // decides that compares.
                if matches!(decided, Outcome::Serves | Outcome::Same) || file.is_some() {
                    standing.newest = standing.newest.max(signed_at);
                }
                decided
            }
            Err((code, why)) => {
                self.board.refused(&self.name, code, &why);
                self.failing(standing, code, why).await;
                Outcome::Refused
            }
        };
        standing.refused = outcome == Outcome::Refused;
        outcome
    }

    async fn unpack(
        &self,
        archive: &Bytes,
        file: Option<&PathBuf>,
        newest: Option<i64>,
    ) -> Result<Arc<Sources>, (&'static Code, String)> {
        let (archive, verify) = (archive.clone(), self.verify.clone());
        let from = file.map_or_else(|| self.service.endpoint.url.clone(), |file| file.display().to_string());
        let unpack = move || load::unpack(&archive, &from, verify.as_ref(), newest);
        let error = match tokio::task::spawn_blocking(unpack).await {
            Ok(Ok(sources)) => return Ok(sources),
            Ok(Err(error)) => (error.code(), causes(&error)),
            Err(fault) => (codes::POLICY_REFUSED, fault.to_string()),
        };
        Err(if file.is_some() { (codes::BUNDLE_COPY, error.1) } else { error })
    }

    /// Forgets what the service calls the bundle, and tells when to ask again.
    async fn failed(&self, standing: &mut Standing, error: &ServiceError) -> Duration {
        let (code, why) = (error.code(), format!("{}: {}", self.service.endpoint.url, causes(error)));
        self.board.failed(&self.name, error, &why);
        standing.etag = None;
        standing.failures = standing.failures.saturating_add(1);
        tracing::debug!(bundle = self.name, code = code.id, failures = standing.failures, "{why}");
        self.failing(standing, code, why).await;
        pace::doubling(LEAST, standing.failures, self.service.max.max(LEAST))
    }

    /// Tells where it fails in another way than before.
    async fn failing(&self, standing: &mut Standing, code: &'static Code, why: String) {
        if standing.failing.replace(why.clone()).as_ref() != Some(&why) {
            self.tell(self.failure(code, why)).await;
        }
    }

    fn failure(&self, code: &'static Code, why: String) -> News {
        News::Failed { name: self.name.clone(), code, why }
    }

    /// Nobody listens any more where the process ends.
    async fn tell(&self, news: News) {
        let _ended = self.news.send(news).await;
    }
}
