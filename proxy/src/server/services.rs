use std::collections::BTreeMap;
use std::rc::Rc;
use std::sync::Arc;

use postern_policy::Sources;
use tokio::sync::mpsc;
use tokio::task::{JoinHandle, JoinSet};

use super::material::Material;
use crate::authorize::load::{self, Bundles, PolicyError, Reread};
use crate::authorize::service::{
    Answer, Arrival, Board, Client, Copy, Follower, Hurry, News, Outcome, Reporter, ServiceError,
};
use crate::config::{BundleService, BundleSource, Config, Policy, Verify};

/// How much may wait to be heard; followers wait then.
const NEWS: usize = 16;

/// The bundle services of one configuration, each followed by a task, what they brought that does not serve yet, and who
/// reports on them.
pub(super) struct Services {
    tasks: Vec<JoinHandle<()>>,
    news: mpsc::Receiver<News>,
    /// Without services nobody else would hold it, and no news would be the end of news.
    _teller: mpsc::Sender<News>,
    waiting: BTreeMap<String, Arrival>,
    /// Has each service asked at once.
    hurry: BTreeMap<String, Rc<Hurry>>,
}

impl Services {
    /// Follows every service that the policy names, from now on.
    pub(super) fn follow(config: &Config, client: &Client, board: &Board, serving: &Bundles) -> Self {
        let (teller, news) = mpsc::channel(NEWS);
        let (mut tasks, mut hurry) = (Vec::new(), BTreeMap::<_, Rc<Hurry>>::new());
        board.keep(config.policy.bundles.keys());
        if let Some(service) = &config.policy.status {
            let (service, labels) = (Arc::clone(service), config.labels.clone());
            let reporter = Reporter { service, labels, client: client.clone(), board: board.clone() };
            tasks.push(tokio::task::spawn_local(reporter.run()));
        }
        for (name, bundle) in &config.policy.bundles {
            let BundleSource::Service(service) = &bundle.source else { continue };
            let follower = Follower {
                name: name.clone(),
                service: Arc::clone(service),
                verify: bundle.verify.clone(),
                copy: Copy::of(&config.state, name, &service.endpoint.url),
                client: client.clone(),
                board: board.clone(),
                news: teller.clone(),
                hurry: Rc::default(),
                serving: serving.get(name).cloned(),
            };
            hurry.insert(name.clone(), Rc::clone(&follower.hurry));
            tasks.push(tokio::task::spawn_local(follower.run()));
        }
        Self { tasks, news, _teller: teller, waiting: BTreeMap::new(), hurry }
    }

    /// Asks every service at once, whatever it waits for.
    pub(super) fn ask(&self) {
        self.hurry.values().for_each(|hurry| hurry.ask());
    }

    /// Forgets what waits and was verified, for its keys may be others now, and has it asked for anew.
    pub(super) fn verify_again(&mut self, policy: &Policy) {
        let is_verified = |name: &str| policy.bundles.get(name).is_some_and(|bundle| bundle.verify.is_some());
        self.waiting.retain(|name, _| {
            let hurry = self.hurry.get(name).filter(|_| is_verified(name));
            hurry.inspect(|hurry| hurry.ask_anew()).is_none()
        });
    }

    /// What comes next. Safe to drop.
    pub(super) async fn news(&mut self) -> News {
        match self.news.recv().await {
            Some(news) => news,
            None => std::future::pending().await,
        }
    }

    /// Keeps a bundle until it serves or a later one takes its place.
    pub(super) fn keep(&mut self, arrival: Arrival) {
        self.waiting.insert(arrival.name.clone(), arrival);
    }

    /// A bundle that is no longer offered.
    pub(super) fn withdraw(&mut self, name: &str) {
        self.waiting.remove(name);
    }

    /// What arrived and does not serve yet.
    pub(super) fn arrived(&self) -> Bundles {
        self.waiting.iter().map(|(name, arrival)| (name.clone(), Arc::clone(&arrival.sources))).collect()
    }

    /// Whether what arrived under this name is the kept copy.
    pub(super) fn is_kept(&self, name: &str) -> bool {
        self.waiting.get(name).is_some_and(|arrival| arrival.archive.is_none())
    }

    /// Tells followers what became of what they brought; gives what serves now.
    pub(super) fn settle(&mut self, outcome: &Reread, serving: &Bundles) -> Vec<Arrival> {
        let mut taken = Vec::new();
        for (name, mut arrival) in std::mem::take(&mut self.waiting) {
            let same = serving.get(&name).is_some_and(|bundle| bundle.is_same(&arrival.sources));
            let became = if outcome.accepted.contains(&name) {
                Outcome::Serves
            } else if same {
                Outcome::Same
            } else if outcome.refused.iter().any(|(refused, _)| *refused == name) {
                Outcome::Refused
            } else {
                Outcome::Held
            };
            if let Some(tell) = arrival.outcome.take() {
                // A follower that is gone need not know.
                let _gone = tell.send(became);
            }
            match became {
                Outcome::Serves | Outcome::Same => taken.push(arrival),
                Outcome::Held | Outcome::Refused => {
                    self.waiting.insert(name, arrival);
                }
            }
        }
        taken
    }
}

impl Drop for Services {
    fn drop(&mut self) {
        self.tasks.iter().for_each(JoinHandle::abort);
    }
}

/// Why a bundle of a new configuration cannot be had.
#[derive(Debug, thiserror::Error)]
pub(super) enum Unobtained {
    #[error("{url}: {}", crate::fault::causes(&**error))]
    Service { url: String, error: Box<ServiceError> },
    #[error(transparent)]
    Policy(#[from] PolicyError),
    #[error("reading it ended by a fault of ours")]
    Fault(#[from] tokio::task::JoinError),
}

/// An edited configuration whose new services are asked for their bundles: a service that cannot be asked is not to take
/// the place of one that could. All are asked at once, each for as long as its `timeout`.
pub(super) struct Edit {
    /// The configuration.
    pub(super) next: Arc<Config>,
    /// The certificates that it names.
    pub(super) material: Material,
    downloads: JoinSet<(String, Result<Arc<Sources>, Unobtained>)>,
    begun: Bundles,
}

impl Edit {
    /// Asks for every bundle that comes from elsewhere than in `before`, or is verified otherwise.
    pub(super) fn begin(
        (next, material): (Arc<Config>, Material),
        before: &Policy,
        serving: &Bundles,
        client: &Client,
    ) -> Self {
        let mut downloads = JoinSet::new();
        for (name, bundle) in &next.policy.bundles {
            let BundleSource::Service(service) = &bundle.source else { continue };
            if before.bundles.get(name) == Some(bundle) {
                continue;
            }
            let (service, verify) = (Arc::clone(service), bundle.verify.clone());
            let (name, client) = (name.clone(), client.clone());
            let newest = serving.get(&name).and_then(|sources| sources.signed_at());
            downloads.spawn_local(async move {
                let obtained = obtain(&service, verify, &client, newest).await;
                (name, obtained)
            });
        }
        Self { next, material, downloads, begun: Bundles::new() }
    }

    /// Whether services are still to answer.
    pub(super) fn waits(&self) -> bool {
        !self.downloads.is_empty()
    }

    /// What the new services gave, once all have; or why one did not. Safe to drop.
    pub(super) async fn begun(&mut self) -> Result<Bundles, (String, Unobtained)> {
        while let Some(joined) = self.downloads.join_next().await {
            let (name, obtained) = joined.map_err(|fault| ("of a new service".to_owned(), fault.into()))?;
            match obtained {
                Ok(sources) => self.begun.insert(name, sources),
                Err(error) => return Err((name, error)),
            };
        }
        Ok(std::mem::take(&mut self.begun))
    }
}

async fn obtain(
    service: &BundleService,
    verify: Option<Verify>,
    client: &Client,
    newest: Option<i64>,
) -> Result<Arc<Sources>, Unobtained> {
    let url = service.endpoint.url.clone();
    let error = match client.ask(service, None, None).await {
        Ok(Answer::Bundle { archive, .. }) => {
            let unpack = move || load::unpack(&archive, &url, verify.as_ref(), newest);
            return Ok(tokio::task::spawn_blocking(unpack).await??);
        }
        Ok(Answer::Unchanged { .. }) => ServiceError::NothingToKeep,
        Err(error) => error,
    };
    Err(Unobtained::Service { url, error: Box::new(error) })
}
