//! Metrics of notifications.

use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::Registry;

use crate::domain::notification::{TargetHealth, TargetOverview};

/// Counts of deliveries, and numbers of targets.
#[derive(Debug)]
pub(in crate::server) struct NotificationMetrics {
    deliveries: Family<[(&'static str, &'static str); 1], Counter>,
    targets: Family<[(&'static str, &'static str); 1], Gauge>,
}

impl NotificationMetrics {
    pub(super) fn register(registry: &mut Registry) -> Self {
        let (deliveries, targets) = Default::default();
        let metrics = Self { deliveries, targets };
        let help = "Attempts to deliver a notification, and dropped notifications, by result";
        registry.register("notifications", help, metrics.deliveries.clone());
        let help = "Targets of notifications by health, as of the last minute";
        registry.register("notification_targets", help, metrics.targets.clone());
        metrics.count_round(0, 0);
        metrics.count_dropped(0);
        metrics.set_targets(&[]);
        metrics
    }

    /// Counts one round of deliveries to a target.
    pub(in crate::server) fn count_round(&self, delivered: u64, failed: u64) {
        self.deliveries.get_or_create(&[("result", "delivered")]).inc_by(delivered);
        self.deliveries.get_or_create(&[("result", "failed")]).inc_by(failed);
    }

    /// Counts notifications that were dropped.
    pub(in crate::server) fn count_dropped(&self, dropped: u64) {
        self.deliveries.get_or_create(&[("result", "dropped")]).inc_by(dropped);
    }

    /// Sets the numbers of targets.
    pub(in crate::server) fn set_targets(&self, targets: &[TargetOverview]) {
        for (name, health) in
            [("ok", TargetHealth::Ok), ("retrying", TargetHealth::Retrying), ("dead", TargetHealth::Dead)]
        {
            let count = targets.iter().filter(|target| target.health == health).count();
            self.targets.get_or_create(&[("health", name)]).set(i64::try_from(count).unwrap_or(i64::MAX));
        }
    }
}
