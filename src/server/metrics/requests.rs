//! Metrics of requests: number, duration, bytes, and rejections by limits.

use std::time::Duration;

use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::{Registry, Unit};

use super::histogram;
use crate::domain::audit::ServiceName;
use crate::domain::limits::LimitName;

/// Metrics of requests.
#[derive(Debug)]
pub(in crate::server) struct RequestMetrics {
    requests: Family<RequestLabels, Counter>,
    durations: Family<RouteLabels, Histogram>,
    received: Family<ServiceLabels, Counter>,
    sent: Family<ServiceLabels, Counter>,
    limit_hits: Family<LimitLabels, Counter>,
}

/// Labels of a request counter.
///
/// Routes and methods come from fixed tables, so clients cannot create labels.
#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub(in crate::server) struct RequestLabels {
    pub(in crate::server) service: &'static str,
    pub(in crate::server) method: &'static str,
    pub(in crate::server) route: &'static str,
    pub(in crate::server) status: u16,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct RouteLabels {
    service: &'static str,
    route: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct ServiceLabels {
    service: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct LimitLabels {
    service: &'static str,
    limit: &'static str,
}

impl RequestMetrics {
    pub(super) fn register(registry: &mut Registry) -> Self {
        let (requests, received, sent, limit_hits) = Default::default();
        let durations = Family::new_with_constructor(histogram as fn() -> Histogram);
        let metrics = Self { requests, durations, received, sent, limit_hits };
        registry.register("requests", "Requests handled", metrics.requests.clone());
        let help = "Time to the response, without the transfer of payloads";
        registry.register_with_unit("request_duration", help, Unit::Seconds, metrics.durations.clone());
        registry.register("received_bytes", "Bytes of request bodies", metrics.received.clone());
        registry.register("sent_bytes", "Bytes of response bodies", metrics.sent.clone());
        registry.register("limit_hits", "Requests and connections rejected by a limit", metrics.limit_hits.clone());
        metrics
    }

    /// Adds the limits of a service, so that their counters start at 0.
    pub(in crate::server) fn add_service(&self, service: ServiceName) {
        for limit in LimitName::ALL {
            drop(self.limit_hits.get_or_create(&LimitLabels { service: service.as_str(), limit: limit.as_str() }));
        }
    }

    /// Counts a request and its duration.
    pub(in crate::server) fn count(&self, labels: &RequestLabels, duration: Duration) {
        let route = RouteLabels { service: labels.service, route: labels.route };
        self.durations.get_or_create(&route).observe(duration.as_secs_f64());
        self.requests.get_or_create(labels).inc();
    }

    /// Counts body bytes received and sent.
    pub(in crate::server) fn count_bytes(&self, service: ServiceName, received: u64, sent: u64) {
        let labels = ServiceLabels { service: service.as_str() };
        self.received.get_or_create(&labels).inc_by(received);
        self.sent.get_or_create(&labels).inc_by(sent);
    }

    /// Counts a request or connection that a limit rejected.
    pub(in crate::server) fn count_limit(&self, service: ServiceName, limit: LimitName) {
        self.limit_hits.get_or_create(&LimitLabels { service: service.as_str(), limit: limit.as_str() }).inc();
    }
}
