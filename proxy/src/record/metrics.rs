//! What is counted. Labels are bounded: names of the configuration and codes, never caller data.
//! Records are counted by their writer, off the request path.

use prometheus::core::Collector;
use prometheus::{
    Encoder as _, HistogramOpts, HistogramVec, IntCounter, IntCounterVec, IntGauge, IntGaugeVec, Opts,
    Registry, TextEncoder,
};

use super::entry::{Entry, Outcome};

/// Counters and gauges, with the registry that prints them.
pub struct Metrics {
    registry: Registry,
    requests: IntCounterVec,
    duration: HistogramVec,
    refused: IntCounterVec,
    leaks: IntCounterVec,
    accesses_open: IntGaugeVec,
    accesses_ended: IntCounterVec,
    sessions_open: IntGauge,
    reloads: IntCounterVec,
    lost: IntCounter,
    /// Open connections, by listener.
    pub connections: IntGaugeVec,
    /// Handshakes in flight, by listener.
    pub handshakes: IntGaugeVec,
    /// Generation of each live value: `config`, `identity`, `bundles`, `policy`.
    pub generation: IntGaugeVec,
    /// Seconds since each live value was published.
    pub age: IntGaugeVec,
    /// Leases that may be used.
    pub leases: IntGauge,
    /// Seconds since the oldest of them was issued.
    pub oldest_lease: IntGauge,
    /// Leases that are over for us and not yet known to be gone from their vault, an earlier run's included.
    pub leases_ending: IntGauge,
    /// What came of bundles, by bundle, outcome and code.
    pub bundle_outcomes: IntCounterVec,
    /// Unix seconds of a bundle's last `request`, `successful_request` and `activation`.
    pub bundle_times: IntGaugeVec,
    /// Status reports, by the code of their failure.
    pub status_reports: IntCounterVec,
    /// Calls to vaults.
    pub vault_calls: IntCounter,
    /// Those of them that gave no usable answer.
    pub vault_failures: IntCounter,
}

/// Why metrics could not be set up: a name stands twice. A fault of ours, found by the first test that starts.
#[derive(Debug, thiserror::Error)]
#[error("metrics cannot be registered")]
pub struct MetricsError(#[from] prometheus::Error);

impl Metrics {
    /// All of them at zero, in a registry of their own.
    pub fn new() -> Result<Self, MetricsError> {
        let registry = Registry::new();
        let counters = |name, help, labels: &[&str]| -> Result<IntCounterVec, MetricsError> {
            register(&registry, IntCounterVec::new(Opts::new(name, help), labels)?)
        };
        let gauges = |name, help, labels: &[&str]| -> Result<IntGaugeVec, MetricsError> {
            register(&registry, IntGaugeVec::new(Opts::new(name, help), labels)?)
        };
        let gauge = |name, help| register(&registry, IntGauge::new(name, help)?);
        let counter = |name, help| register(&registry, IntCounter::new(name, help)?);
        let buckets =
            vec![0.000_5, 0.001, 0.002_5, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0, 60.0];
        let duration =
            HistogramOpts::new("postern_request_duration_seconds", "From a request's head to its end.");
        Ok(Self {
            requests: counters(
                "postern_requests_total",
                "Requests, by how they went.",
                &["listener", "route", "outcome", "code"],
            )?,
            duration: register(&registry, HistogramVec::new(duration.buckets(buckets), &["listener"])?)?,
            refused: counters(
                "postern_refused_connections_total",
                "What never became a request.",
                &["listener", "code"],
            )?,
            leaks: counters(
                "postern_leaks_total",
                "Responses that held the injected credential.",
                &["upstream"],
            )?,
            accesses_open: gauges(
                "postern_accesses_open",
                "Callers using a lease at an upstream.",
                &["credential"],
            )?,
            accesses_ended: counters(
                "postern_accesses_ended_total",
                "Accesses that are over, by reason.",
                &["credential", "reason"],
            )?,
            sessions_open: gauge("postern_sessions_open", "Streams, WebSockets and tunnels that are open.")?,
            reloads: counters(
                "postern_reloads_total",
                "Replacements tried, by what and whether they serve.",
                &["what", "accepted"],
            )?,
            lost: counter("postern_records_lost_total", "Records that could not be kept.")?,
            connections: gauges("postern_connections_open", "Open connections.", &["listener"])?,
            handshakes: gauges(
                "postern_handshakes_in_flight",
                "Handshakes not finished yet.",
                &["listener"],
            )?,
            generation: gauges("postern_generation", "How often each live value was replaced.", &["what"])?,
            age: gauges("postern_age_seconds", "Seconds since each live value was replaced.", &["what"])?,
            leases: gauge("postern_leases", "Leases that may be used.")?,
            oldest_lease: gauge(
                "postern_oldest_lease_age_seconds",
                "Age of the oldest lease that may be used.",
            )?,
            leases_ending: gauge(
                "postern_leases_ending",
                "Leases not yet known to be gone from their vault.",
            )?,
            bundle_outcomes: counters(
                "postern_bundle_outcomes_total",
                "What came of asking for bundles and judging them.",
                &["bundle", "outcome", "code"],
            )?,
            bundle_times: gauges(
                "postern_bundle_last_timestamp_seconds",
                "When a bundle was last asked for, answered and activated.",
                &["bundle", "what"],
            )?,
            status_reports: counters(
                "postern_status_reports_total",
                "Status reports tried, by the code of their failure.",
                &["code"],
            )?,
            vault_calls: counter("postern_vault_calls_total", "Calls to vaults.")?,
            vault_failures: counter(
                "postern_vault_failures_total",
                "Calls to vaults that gave no usable answer.",
            )?,
            registry,
        })
    }

    /// Counts what a record says.
    pub fn count(&self, entry: &Entry) {
        match entry {
            Entry::Request(request) => {
                let route = request.route.as_ref().map_or("", |route| route.as_str());
                let labels =
                    [request.listener.as_str(), route, outcome(request.outcome), request.code.unwrap_or("")];
                self.requests.with_label_values(&labels).inc();
                #[expect(clippy::cast_precision_loss, reason = "microseconds of a request fit a float")]
                let seconds = request.us as f64 / 1e6;
                self.duration.with_label_values(&[request.listener.as_str()]).observe(seconds);
                if let (true, Some(upstream)) = (request.leak, &request.upstream) {
                    self.leaks.with_label_values(&[upstream.name.as_str()]).inc();
                }
            }
            Entry::Refused(refused) => {
                self.refused
                    .with_label_values(&[refused.listener.as_str(), refused.code])
                    .inc_by(1 + refused.more);
            }
            Entry::AccessOpened(opened) => {
                self.accesses_open.with_label_values(&[opened.credential.as_str()]).inc();
            }
            Entry::AccessEnded(ended) => {
                // One that a crash left behind was opened by a process whose gauge is gone.
                if ended.reason != "crash" {
                    self.accesses_open.with_label_values(&[ended.credential.as_str()]).dec();
                }
                self.accesses_ended.with_label_values(&[ended.credential.as_str(), ended.reason]).inc();
            }
            Entry::SessionOpened(_) => self.sessions_open.inc(),
            Entry::SessionEnded(_) => self.sessions_open.dec(),
            Entry::Reload(reload) => {
                self.reloads
                    .with_label_values(&[reload.what, if reload.accepted { "true" } else { "false" }])
                    .inc();
            }
            Entry::Gap(_) => {}
        }
    }

    /// So many records could not be kept.
    pub fn lost(&self, records: u64) {
        self.lost.inc_by(records);
    }

    /// The exposition text, as Prometheus scrapes it.
    #[must_use]
    pub fn exposition(&self) -> Vec<u8> {
        let mut text = Vec::new();
        if let Err(error) = TextEncoder::new().encode(&self.registry.gather(), &mut text) {
            tracing::error!(%error, "metrics could not be printed");
        }
        text
    }
}

fn register<C: Collector + Clone + 'static>(registry: &Registry, collector: C) -> Result<C, MetricsError> {
    registry.register(Box::new(collector.clone()))?;
    Ok(collector)
}

const fn outcome(outcome: Outcome) -> &'static str {
    match outcome {
        Outcome::Forwarded => "forwarded",
        Outcome::Refused => "refused",
        Outcome::Failed => "failed",
        Outcome::Abandoned => "abandoned",
    }
}
