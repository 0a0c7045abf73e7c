//! What this process has served, for monitoring: numbers by service and route, and nothing of who asked.

use std::time::Duration;

use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::encoding::text::encode;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::histogram::{Histogram, exponential_buckets};
use prometheus_client::registry::{Registry, Unit};

use crate::domain::audit::ServiceName;

/// What is counted, since the start of the process.
#[derive(Debug)]
pub(super) struct Metrics {
    registry: Registry,
    requests: Family<Answered, Counter>,
    durations: Family<Of, Histogram>,
    received: Family<Of, Counter>,
    sent: Family<Of, Counter>,
}

/// A route of a service, with what was answered. Only what stands in the table of routes: clients make no label.
#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub(super) struct Answered {
    pub(super) service: &'static str,
    pub(super) method: &'static str,
    pub(super) route: &'static str,
    pub(super) status: u16,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Of {
    service: &'static str,
}

/// From half a millisecond to a minute.
fn histogram() -> Histogram {
    Histogram::new(exponential_buckets(0.0005, 2.0, 18))
}

impl Default for Metrics {
    fn default() -> Self {
        let (requests, received, sent) = Default::default();
        let durations = Family::new_with_constructor(histogram as fn() -> Histogram);
        let mut registry = Registry::with_prefix("sgsend");
        registry.register("requests", "Requests that were answered", Family::clone(&requests));
        let help = "Time until requests were answered, without the payloads of answers";
        registry.register_with_unit("request_duration", help, Unit::Seconds, Family::clone(&durations));
        registry.register("received_bytes", "Bytes of the bodies of requests", Family::clone(&received));
        registry.register("sent_bytes", "Bytes of the bodies of answers", Family::clone(&sent));
        Self { registry, requests, durations, received, sent }
    }
}

impl Metrics {
    /// Counts a request that was answered.
    pub(super) fn count(&self, answered: &Answered, took: Duration) {
        self.durations.get_or_create(&Of { service: answered.service }).observe(took.as_secs_f64());
        self.requests.get_or_create(answered).inc();
    }

    /// Counts bytes that came in and went out.
    pub(super) fn count_bytes(&self, service: ServiceName, received: u64, sent: u64) {
        let of = Of { service: service.as_str() };
        self.received.get_or_create(&of).inc_by(received);
        self.sent.get_or_create(&of).inc_by(sent);
    }

    /// Everything, in the text form of `OpenMetrics` 1.0, which Prometheus reads.
    pub(super) fn to_text(&self) -> String {
        let mut text = String::new();
        encode(&mut text, &self.registry).expect("writing to a String cannot fail");
        text
    }
}
