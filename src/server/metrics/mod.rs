//! Prometheus metrics of a process. Labels come from fixed tables, and never identify a client.
//!
//! docs/operations.md lists every metric. Tests compare that table, the dashboard and the alert rules with the output.

mod listener;
mod notifications;
mod requests;
mod scrape;
mod storage;
mod store;
mod sweeps;
#[cfg(test)]
mod tests;

use prometheus_client::encoding::text::encode;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::{Registry, Unit};

pub(super) use listener::{OPEN_METRICS, listen};
use notifications::NotificationMetrics;
pub(super) use requests::{RequestLabels, RequestMetrics};
pub(super) use scrape::{TotalsCache, scrape};
use storage::StorageGauges;
pub(super) use store::{StoreMetrics, StoreOperation};
pub(super) use sweeps::{SweepMetrics, SweepOutcome};

use crate::domain::error::ErrorCode;
use crate::domain::timestamp::Timestamp;

/// Upper bounds of the buckets of all histograms, in seconds.
const BUCKETS: [f64; 13] = [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 5.0, 30.0];

/// Label set without labels: such a gauge is absent until it is set.
type NoLabels = [(&'static str, &'static str); 0];

/// Gauge that is absent until it is set.
type OptionalGauge = Family<NoLabels, Gauge>;

/// The metrics since the start of the process.
#[derive(Debug)]
pub(super) struct Metrics {
    registry: Registry,
    pub(super) requests: RequestMetrics,
    pub(super) store: StoreMetrics,
    pub(super) sweeps: SweepMetrics,
    /// Deliveries of notifications.
    pub(super) notifications: NotificationMetrics,
    storage: StorageGauges,
    failed_checks: Family<[(&'static str, &'static str); 1], Counter>,
    clock_jumped: Gauge,
    certificate_expiry: OptionalGauge,
    certificate_orders: Family<[(&'static str, &'static str); 1], Counter>,
    certificate_order_failures: OptionalGauge,
}

/// Counter of log lines that could not be written.
#[derive(Clone, Debug, Default)]
pub struct DroppedLines(Counter);

impl DroppedLines {
    /// Adds dropped lines.
    pub fn add(&self, lines: u64) {
        self.0.inc_by(lines);
    }

    /// Returns the number of dropped lines.
    #[must_use]
    pub fn count(&self) -> u64 {
        self.0.get()
    }
}

/// Properties of the process that do not change.
pub(super) struct ProcessInfo<'a> {
    /// Kind of the storage, such as `file`.
    pub(super) storage: &'static str,
    /// Time of the start.
    pub(super) started_at: Timestamp,
    /// Counter of lost log lines.
    pub(super) dropped_lines: &'a DroppedLines,
}

/// Creates a histogram with the common buckets.
fn histogram() -> Histogram {
    Histogram::new(BUCKETS)
}

/// Returns a time as a gauge has it: whole seconds since 1970 (UTC).
fn seconds(at: Timestamp) -> i64 {
    i64::try_from(at.as_millis() / 1_000).unwrap_or(i64::MAX)
}

impl Metrics {
    /// Creates the metrics of a process.
    pub(super) fn new(process: &ProcessInfo) -> Self {
        let mut registry = Registry::with_prefix("sgsend");
        let build = Family::<[(&'static str, &'static str); 2], Gauge>::default();
        build.get_or_create(&[("version", env!("CARGO_PKG_VERSION")), ("storage", process.storage)]).set(1);
        registry.register("build_info", "Version and kind of the storage, as labels", build);
        let started = Gauge::<i64>::default();
        started.set(seconds(process.started_at));
        registry.register_with_unit(
            "start_timestamp",
            "Start of the process, since 1970 (UTC)",
            Unit::Seconds,
            started,
        );
        let requests = RequestMetrics::register(&mut registry);
        let store = StoreMetrics::register(&mut registry);
        let storage = StorageGauges::register(&mut registry);
        let sweeps = SweepMetrics::register(&mut registry);
        let notifications = NotificationMetrics::register(&mut registry);
        let failed_checks = Family::<[(&'static str, &'static str); 1], Counter>::default();
        for code in READINESS_CODES {
            drop(failed_checks.get_or_create(&[("check", code.as_str())]));
        }
        let help = "Failed checks of /health/ready, which runs when it is asked";
        registry.register("failed_checks", help, failed_checks.clone());
        let clock_jumped = Gauge::default();
        let help = "1 while clean-up waits since the clock has jumped, else 0";
        registry.register("clock_jumped", help, clock_jumped.clone());
        let certificate_expiry = OptionalGauge::default();
        let help = "Expiry time of the TLS certificate, since 1970 (UTC)";
        registry.register_with_unit(
            "tls_certificate_expiry_timestamp",
            help,
            Unit::Seconds,
            certificate_expiry.clone(),
        );
        let certificate_orders = Family::<[(&'static str, &'static str); 1], Counter>::default();
        registry.register("acme_orders", "Orders of a TLS certificate by ACME", certificate_orders.clone());
        let certificate_order_failures = OptionalGauge::default();
        let help = "Orders of a TLS certificate that have failed since the last success";
        registry.register("acme_order_failures", help, certificate_order_failures.clone());
        let help = "Log lines lost since stderr was not read in time or refused them";
        registry.register("log_lines_dropped", help, process.dropped_lines.0.clone());
        Self {
            registry,
            requests,
            store,
            sweeps,
            notifications,
            storage,
            failed_checks,
            clock_jumped,
            certificate_expiry,
            certificate_orders,
            certificate_order_failures,
        }
    }

    /// Counts a failed check of the readiness.
    pub(super) fn count_failed_check(&self, code: ErrorCode) {
        self.failed_checks.get_or_create(&[("check", code.as_str())]).inc();
    }

    /// Sets the gauge of the TLS certificate, which services without TLS do not have.
    pub(super) fn set_certificate_expiry(&self, at: Timestamp) {
        self.certificate_expiry.get_or_create(&[]).set(seconds(at));
    }

    /// Counts an order of a TLS certificate. `failures`: orders that have failed since the last success.
    pub(super) fn count_certificate_order(&self, failures: u32) {
        let result = if failures == 0 { "issued" } else { "failed" };
        self.certificate_orders.get_or_create(&[("result", result)]).inc();
        self.certificate_order_failures.get_or_create(&[]).set(failures.into());
    }

    /// Renders all metrics in the `OpenMetrics` 1.0 text format, which Prometheus reads.
    pub(super) fn to_text(&self) -> String {
        let mut text = String::new();
        encode(&mut text, &self.registry).expect("writing to a String cannot fail");
        text
    }
}

/// Codes of the checks of the readiness.
pub(super) const READINESS_CODES: [ErrorCode; 6] = [
    ErrorCode::StorageUpgraded,
    ErrorCode::RecordsNotReadable,
    ErrorCode::RecordsNotWritable,
    ErrorCode::PayloadsNotWritable,
    ErrorCode::PayloadsNotReadable,
    ErrorCode::StorageFull,
];
