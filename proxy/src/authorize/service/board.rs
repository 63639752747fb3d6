use std::cell::RefCell;
use std::collections::BTreeMap;
use std::rc::Rc;
use std::sync::Arc;

use serde::Serialize;
use serde_json::{Value, json};
use tokio::sync::watch;

use super::error::ServiceError;
use crate::authorize::load::PolicyError;
use crate::clock::SharedClock;
use crate::fault::{Code, Coded as _};
use crate::record::metrics::Metrics;

/// What became of each bundle, under OPA's names: shown in the state, counted in metrics, reported to a status
/// service. On the control thread; cheap to clone.
#[derive(Clone)]
pub struct Board {
    bundles: Rc<RefCell<BTreeMap<String, BundleStatus>>>,
    metrics: Arc<Metrics>,
    clock: SharedClock,
    news: Rc<watch::Sender<()>>,
}

/// What became of one bundle. Times are RFC 3339; what never happened is missing.
#[derive(Clone, Debug, Default, Serialize)]
pub struct BundleStatus {
    name: String,
    #[serde(skip_serializing_if = "String::is_empty")]
    active_revision: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    last_request: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    last_successful_request: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    last_successful_download: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    last_successful_activation: Option<String>,
    /// Of what came; we take no other than `snapshot`.
    #[serde(skip_serializing_if = "Option::is_none")]
    r#type: Option<&'static str>,
    /// Of what serves, in bytes as it was downloaded.
    #[serde(skip_serializing_if = "Option::is_none")]
    size: Option<usize>,
    /// Of what was downloaded last.
    #[serde(skip)]
    downloaded: Option<usize>,
    #[serde(flatten)]
    trouble: Option<Trouble>,
}

/// Why it is not as it should be.
#[derive(Clone, Debug, Serialize)]
struct Trouble {
    /// OPA's, which has one for all of it.
    code: &'static str,
    /// Ours.
    postern_code: &'static str,
    message: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    http_code: Option<u16>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    errors: Vec<Value>,
}

impl Board {
    /// A board that nothing stands on.
    #[must_use]
    pub fn new(metrics: Arc<Metrics>, clock: SharedClock) -> Self {
        Self { bundles: Rc::default(), metrics, clock, news: Rc::new(watch::channel(()).0) }
    }

    /// What stands on it.
    #[must_use]
    pub fn bundles(&self) -> BTreeMap<String, BundleStatus> {
        self.bundles.borrow().clone()
    }

    /// Keeps only these bundles: those of the configuration that serves.
    pub fn keep<'n>(&self, names: impl Iterator<Item = &'n String>) {
        let names: Vec<_> = names.collect();
        self.bundles.borrow_mut().retain(|name, _| names.contains(&name));
    }

    /// Whether every bundle serves.
    pub(super) fn is_ready(&self) -> bool {
        let bundles = self.bundles.borrow();
        !bundles.is_empty() && bundles.values().all(|status| status.last_successful_activation.is_some())
    }

    /// Tells when a status service is told of something: as OPA does, after each poll.
    #[must_use]
    pub fn news(&self) -> watch::Receiver<()> {
        self.news.subscribe()
    }

    /// A service was asked.
    pub(super) fn asked(&self, name: &str) {
        let now = self.now(name, "request");
        self.change(name, |status| status.last_request = Some(now));
    }

    /// It had nothing new, and so what serves is what it offers.
    pub(super) fn unchanged(&self, name: &str) {
        self.count(name, "not_modified", None);
        let now = self.now(name, "successful_request");
        self.change(name, |status| {
            status.last_successful_request = Some(now);
            status.trouble = None;
        });
        self.tell();
    }

    /// It gave a bundle of so many bytes.
    pub(super) fn downloaded(&self, name: &str, size: usize) {
        self.count(name, "downloaded", None);
        let now = self.now(name, "successful_request");
        self.change(name, |status| {
            status.last_successful_request = Some(now.clone());
            status.last_successful_download = Some(now);
            status.downloaded = Some(size);
            status.r#type = Some("snapshot");
        });
    }

    /// It gave none.
    pub(super) fn failed(&self, name: &str, error: &ServiceError, message: &str) {
        self.count(name, "failed", Some(error.code()));
        self.trouble(name, error.code(), message, error.status(), Vec::new());
    }

    /// What it gave serves from now on.
    pub fn activated(&self, name: &str, revision: &str) {
        self.count(name, "activated", None);
        let now = self.now(name, "activation");
        self.change(name, |status| {
            revision.clone_into(&mut status.active_revision);
            status.last_successful_activation = Some(now);
            status.size = status.downloaded;
            status.r#type = Some("snapshot");
            status.trouble = None;
        });
        self.tell();
    }

    /// What it gave says what serves already.
    pub fn same(&self, name: &str) {
        self.count(name, "unchanged", None);
        self.change(name, |status| status.trouble = None);
        self.tell();
    }

    /// What it gave, or what was kept of it, cannot serve.
    pub fn refused(&self, name: &str, code: &'static Code, message: &str) {
        self.count(name, "refused", Some(code));
        self.trouble(name, code, message, None, Vec::new());
    }

    /// What serves could not be kept for a start without its service.
    pub fn unkept(&self, name: &str, code: &'static Code, message: &str) {
        self.count(name, "unkept", Some(code));
        self.trouble(name, code, message, None, Vec::new());
    }

    /// The policy does not pass with it.
    pub fn unfit(&self, name: &str, error: &PolicyError) {
        let mut errors = Vec::new();
        if let PolicyError::Refused(refused) = error {
            errors.extend(refused.problems.iter().map(|problem| {
                let location = json!({"file": problem.file, "row": problem.line, "col": problem.column});
                json!({"code": "rego_compile_error", "message": problem.to_string(), "location": location})
            }));
        }
        self.count(name, "refused", Some(error.code()));
        self.trouble(name, error.code(), &error.to_string(), None, errors);
    }

    /// A status report was taken, or was not.
    pub(super) fn reported(&self, code: Option<&Code>) {
        self.metrics.status_reports.with_label_values(&[code.map_or("", |code| code.id)]).inc();
    }

    fn trouble(&self, name: &str, code: &Code, message: &str, http_code: Option<u16>, errors: Vec<Value>) {
        let (postern_code, message) = (code.id, message.to_owned());
        let trouble = Trouble { code: "bundle_error", postern_code, message, http_code, errors };
        self.change(name, |status| status.trouble = Some(trouble));
        self.tell();
    }

    fn change(&self, name: &str, how: impl FnOnce(&mut BundleStatus)) {
        let mut bundles = self.bundles.borrow_mut();
        let new = || BundleStatus { name: name.to_owned(), ..BundleStatus::default() };
        how(bundles.entry(name.to_owned()).or_insert_with(new));
    }

    /// The time as it is shown; metrics hold it too.
    fn now(&self, name: &str, what: &str) -> String {
        let now = self.clock.now();
        let seconds = i64::try_from(now.unix_seconds()).unwrap_or(i64::MAX);
        self.metrics.bundle_times.with_label_values(&[name, what]).set(seconds);
        format!("{:.3}", jiff::Timestamp::try_from(now.wall).unwrap_or_default())
    }

    fn count(&self, name: &str, outcome: &str, code: Option<&Code>) {
        let code = code.map_or("", |code| code.id);
        self.metrics.bundle_outcomes.with_label_values(&[name, outcome, code]).inc();
    }

    fn tell(&self) {
        self.news.send_replace(());
    }
}
