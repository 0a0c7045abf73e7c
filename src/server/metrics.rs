//! Prometheus metrics by service and route. Labels never identify a client.

use std::time::Duration;

use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::encoding::text::encode;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::histogram::{Histogram, exponential_buckets};
use prometheus_client::registry::{Registry, Unit};

use crate::domain::audit::ServiceName;

/// The metrics since the start of the process.
#[derive(Debug)]
pub(super) struct Metrics {
    registry: Registry,
    requests: Family<RequestLabels, Counter>,
    durations: Family<ServiceLabels, Histogram>,
    received: Family<ServiceLabels, Counter>,
    sent: Family<ServiceLabels, Counter>,
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
        Self { registry, requests, durations, received, sent }
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

    /// Renders all metrics in the `OpenMetrics` 1.0 text format, which Prometheus reads.
    pub(super) fn to_text(&self) -> String {
        let mut text = String::new();
        encode(&mut text, &self.registry).expect("writing to a String cannot fail");
        text
    }
}
