use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use serde_json::json;

use super::board::Board;
use super::client::Client;
use crate::config::Endpoint;
use crate::fault::{causes, codes};
use crate::pace;

/// The least between two reports: what happens meanwhile goes into the next.
const LEAST: Duration = Duration::from_millis(100);
/// The longest between two tries.
const MOST: Duration = Duration::from_mins(1);

/// Tells a status service what became of each bundle (OPA, "Status"). Only the newest state is told, so that a service
/// that does not listen costs nothing.
pub struct Reporter {
    /// Where reports go.
    pub service: Arc<Endpoint>,
    /// What they say of this sidecar.
    pub labels: BTreeMap<String, String>,
    /// The way there.
    pub client: Client,
    /// What is reported.
    pub board: Board,
}

impl Reporter {
    /// Goes on until the task is dropped.
    pub async fn run(self) {
        let mut news = self.board.news();
        news.mark_changed();
        let mut failures = 0_u32;
        while news.changed().await.is_ok() {
            news.mark_unchanged();
            match self.client.report(&self.service, self.report()).await {
                Ok(()) => {
                    failures = 0;
                    self.board.reported(None);
                    tokio::time::sleep(LEAST).await;
                }
                Err(error) => {
                    failures = failures.saturating_add(1);
                    let (code, url) = (codes::STATUS_UNSENT, &self.service.url);
                    self.board.reported(Some(code));
                    tracing::warn!(code = code.id, url, "a status report was not taken: {}", causes(&error));
                    tokio::time::sleep(pace::doubling(LEAST, failures, MOST)).await;
                    news.mark_changed();
                }
            }
        }
    }

    fn report(&self) -> Vec<u8> {
        let mut labels = self.labels.clone();
        labels.insert("version".into(), env!("CARGO_PKG_VERSION").into());
        labels.extend(self.client.id().map(|id| ("id".into(), id)));
        let bundle = if self.board.is_ready() { "OK" } else { "NOT_READY" };
        let plugins = json!({"bundle": {"state": bundle}, "status": {"state": "OK"}});
        json!({"labels": labels, "bundles": self.board.bundles(), "plugins": plugins})
            .to_string()
            .into_bytes()
    }
}
