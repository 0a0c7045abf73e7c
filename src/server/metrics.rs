//! Prometheus metrics by service and route. Labels never identify a client.

use std::time::Duration;

use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::encoding::text::encode;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::{Histogram, exponential_buckets};
use prometheus_client::registry::{Registry, Unit};

use crate::domain::audit::ServiceName;
use crate::domain::limits::free_space::FreeSpaceLevel;
use crate::domain::timestamp::Timestamp;
use crate::domain::wire::StorageSpace;

/// The metrics since the start of the process.
#[derive(Debug)]
pub(super) struct Metrics {
    registry: Registry,
    requests: Family<RequestLabels, Counter>,
    durations: Family<ServiceLabels, Histogram>,
    received: Family<ServiceLabels, Counter>,
    sent: Family<ServiceLabels, Counter>,
    storage: StorageGauges,
    clock_jumped: Gauge,
    certificate_expiry: Family<NoLabels, Gauge>,
}

/// Label set without labels: such a gauge is absent until it is set.
type NoLabels = [(&'static str, &'static str); 0];

/// Gauges of the store's free space; a size without a known value is absent.
#[derive(Clone, Debug, Default)]
struct StorageGauges {
    free: Family<NoLabels, Gauge>,
    total: Family<NoLabels, Gauge>,
    min_free: Family<NoLabels, Gauge>,
    reserve: Family<NoLabels, Gauge>,
    reserve_target: Family<NoLabels, Gauge>,
    full: Gauge,
}

/// Labels of a request counter.
///
/// Routes and methods come from fixed tables, so clients cannot create labels.
#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub(super) struct RequestLabels {
    pub(super) service: &'static str,
    pub(super) method: &'static str,
    pub(super) route: &'static str,
    pub(super) status: u16,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct ServiceLabels {
    service: &'static str,
}

/// Creates a histogram with 18 buckets from 0.5 ms to 65 s, each twice the previous one.
fn histogram() -> Histogram {
    Histogram::new(exponential_buckets(0.0005, 2.0, 18))
}

impl Default for Metrics {
    fn default() -> Self {
        let (requests, received, sent) = Default::default();
        let durations = Family::new_with_constructor(histogram as fn() -> Histogram);
        let mut registry = Registry::with_prefix("sgsend");
        registry.register("requests", "Requests handled", Family::clone(&requests));
        let help = "Time to the response, without the transfer of payloads";
        registry.register_with_unit("request_duration", help, Unit::Seconds, Family::clone(&durations));
        registry.register("received_bytes", "Bytes of request bodies", Family::clone(&received));
        registry.register("sent_bytes", "Bytes of response bodies", Family::clone(&sent));
        let storage = StorageGauges::default();
        for (name, help, gauge) in [
            ("storage_free", "Free space of the store's disk, without what its reserve lacks", &storage.free),
            ("storage_total", "Size of the store's disk", &storage.total),
            ("storage_min_free", "Free space that uploads must leave", &storage.min_free),
            ("storage_reserve", "Allocated reserve for deletions on a full disk", &storage.reserve),
            ("storage_reserve_target", "Size of the whole reserve", &storage.reserve_target),
        ] {
            registry.register_with_unit(name, help, Unit::Bytes, Family::clone(gauge));
        }
        let help = "1 if the store has no space for ordinary writes, else 0";
        registry.register("storage_full", help, storage.full.clone());
        let clock_jumped = Gauge::default();
        let help = "1 while clean-up waits since the clock has jumped, else 0";
        registry.register("clock_jumped", help, clock_jumped.clone());
        let certificate_expiry = Family::<NoLabels, Gauge>::default();
        let help = "Expiry time of the TLS certificate, since 1970 (UTC)";
        registry.register_with_unit(
            "tls_certificate_expiry_timestamp",
            help,
            Unit::Seconds,
            Family::clone(&certificate_expiry),
        );
        Self { registry, requests, durations, received, sent, storage, clock_jumped, certificate_expiry }
    }
}

impl Metrics {
    /// Counts a request and its duration.
    pub(super) fn count(&self, labels: &RequestLabels, duration: Duration) {
        self.durations.get_or_create(&ServiceLabels { service: labels.service }).observe(duration.as_secs_f64());
        self.requests.get_or_create(labels).inc();
    }

    /// Counts body bytes received and sent.
    pub(super) fn count_bytes(&self, service: ServiceName, received: u64, sent: u64) {
        let labels = ServiceLabels { service: service.as_str() };
        self.received.get_or_create(&labels).inc_by(received);
        self.sent.get_or_create(&labels).inc_by(sent);
    }

    /// Sets the gauge of the clock.
    pub(super) fn set_clock_jumped(&self, jumped: bool) {
        self.clock_jumped.set(i64::from(jumped));
    }

    /// Sets the gauge of the TLS certificate, which services without TLS do not have.
    pub(super) fn set_certificate_expiry(&self, at: Timestamp) {
        self.certificate_expiry.get_or_create(&[]).set(i64::try_from(at.as_millis() / 1_000).unwrap_or(i64::MAX));
    }

    /// Sets the gauges of the store's free space.
    pub(super) fn set_storage(&self, space: &StorageSpace) {
        let gauges = &self.storage;
        for (gauge, bytes) in [
            (&gauges.free, space.free_bytes),
            (&gauges.total, space.total_bytes),
            (&gauges.min_free, space.min_free_bytes),
            (&gauges.reserve, space.reserve_bytes),
            (&gauges.reserve_target, space.reserve_target_bytes),
        ] {
            if let Some(bytes) = bytes {
                gauge.get_or_create(&[]).set(i64::try_from(bytes).unwrap_or(i64::MAX));
            }
        }
        gauges.full.set(i64::from(space.level == FreeSpaceLevel::Full));
    }

    /// Renders all metrics in the `OpenMetrics` 1.0 text format, which Prometheus reads.
    pub(super) fn to_text(&self) -> String {
        let mut text = String::new();
        encode(&mut text, &self.registry).expect("writing to a String cannot fail");
        text
    }
}
