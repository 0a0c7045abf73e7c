//! Metrics of the sweeper.

use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::registry::{Registry, Unit};

use super::{OptionalGauge, seconds};
use crate::domain::timestamp::Timestamp;
use crate::domain::transfers::SweepResult;

/// Family of counters with one label.
type LabelledCounter = Family<[(&'static str, &'static str); 1], Counter>;

/// Outcome of one run of the sweeper.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::server) enum SweepOutcome {
    /// The sweeper reached the end of the schedule at a time.
    Done(SweepResult, Timestamp),
    /// The store failed.
    Failed,
    /// The sweeper waits, since the clock has jumped.
    Skipped,
}

/// Metrics of the sweeper.
#[derive(Debug)]
pub(in crate::server) struct SweepMetrics {
    runs: LabelledCounter,
    swept: LabelledCounter,
    last_success: OptionalGauge,
}

impl SweepMetrics {
    pub(super) fn register(registry: &mut Registry) -> Self {
        let (runs, swept, last_success) = Default::default();
        let metrics = Self { runs, swept, last_success };
        registry.register("sweeps", "Runs of the sweeper by outcome", metrics.runs.clone());
        registry.register("swept", "Work of the sweeper by result", metrics.swept.clone());
        let help = "End of the last complete run of the sweeper, since 1970 (UTC)";
        registry.register_with_unit("last_sweep_timestamp", help, Unit::Seconds, metrics.last_success.clone());
        for outcome in ["done", "failed", "skipped"] {
            add(&metrics.runs, "outcome", outcome, 0);
        }
        metrics.add_swept(SweepResult::default());
        metrics
    }

    /// Counts a run.
    pub(in crate::server) fn count(&self, outcome: SweepOutcome) {
        let name = match outcome {
            SweepOutcome::Done(swept, at) => {
                self.add_swept(swept);
                self.last_success.get_or_create(&[]).set(seconds(at));
                "done"
            }
            SweepOutcome::Failed => "failed",
            SweepOutcome::Skipped => "skipped",
        };
        add(&self.runs, "outcome", name, 1);
    }

    fn add_swept(&self, swept: SweepResult) {
        for (result, count) in [
            ("processed", swept.processed),
            ("payload_removed", swept.payloads_removed),
            ("transfer_removed", swept.removed),
            ("failed", swept.failed),
        ] {
            add(&self.swept, "result", result, count);
        }
    }
}

/// Adds to the counter with this label.
fn add(counters: &LabelledCounter, label: &'static str, value: &'static str, count: u64) {
    counters.get_or_create(&[(label, value)]).inc_by(count);
}
