//! Metrics of store operations: number by outcome, and duration.

use std::sync::Arc;
use std::time::Instant;

use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::{Registry, Unit};

use super::histogram;
use crate::domain::store::StoreError;

/// Operation of a store.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::server) enum StoreOperation {
    /// Reads a record.
    Get,
    /// Lists keys, or reads the records of a page.
    List,
    /// Writes a commit.
    Commit,
    /// Looks up the length of a payload.
    PayloadLength,
    /// Opens a payload for writing.
    PayloadOpen,
    /// Writes bytes of a payload, or closes its writer.
    PayloadWrite,
    /// Finishes a payload.
    PayloadFinish,
    /// Opens a payload for reading; a failed read of its bytes counts, too.
    PayloadRead,
    /// Removes a payload.
    PayloadRemove,
    /// Lists payloads.
    PayloadList,
}

/// Outcomes of operations, as labels.
const OUTCOMES: [&str; 5] = ["ok", "rejected", "full", "busy", "failed"];

/// Metrics of the operations of a store.
#[derive(Clone, Debug)]
pub(in crate::server) struct StoreMetrics(Arc<[OperationMetrics]>);

#[derive(Debug)]
struct OperationMetrics {
    outcomes: [Counter; OUTCOMES.len()],
    duration: Histogram,
}

impl StoreOperation {
    /// All operations, in the order of their declaration.
    const ALL: [Self; 10] = [
        Self::Get,
        Self::List,
        Self::Commit,
        Self::PayloadLength,
        Self::PayloadOpen,
        Self::PayloadWrite,
        Self::PayloadFinish,
        Self::PayloadRead,
        Self::PayloadRemove,
        Self::PayloadList,
    ];

    const fn as_str(self) -> &'static str {
        match self {
            Self::Get => "get",
            Self::List => "list",
            Self::Commit => "commit",
            Self::PayloadLength => "payload_length",
            Self::PayloadOpen => "payload_open",
            Self::PayloadWrite => "payload_write",
            Self::PayloadFinish => "payload_finish",
            Self::PayloadRead => "payload_read",
            Self::PayloadRemove => "payload_remove",
            Self::PayloadList => "payload_list",
        }
    }
}

/// Returns the index of the outcome of an operation in [`OUTCOMES`].
///
/// A conflict, a missing payload, and a payload that another writer has are answers, not failures.
const fn outcome<T>(result: &Result<T, StoreError>) -> usize {
    match result {
        Ok(_) => 0,
        Err(
            StoreError::Conflict | StoreError::NoPayload | StoreError::WriterBusy | StoreError::OffsetMismatch { .. },
        ) => 1,
        Err(StoreError::Full) => 2,
        Err(StoreError::Busy) => 3,
        Err(
            StoreError::Corrupt { .. }
            | StoreError::Unusable(_)
            | StoreError::NewerLayout { .. }
            | StoreError::IncompleteCopy { .. }
            | StoreError::Unavailable(_),
        ) => 4,
    }
}

impl StoreMetrics {
    pub(super) fn register(registry: &mut Registry) -> Self {
        let operations = Family::<[(&'static str, &'static str); 2], Counter>::default();
        let constructor = histogram as fn() -> Histogram;
        let durations = Family::<[(&'static str, &'static str); 1], Histogram, _>::new_with_constructor(constructor);
        // Looked up once, so that an operation costs no lookup.
        let metrics = StoreOperation::ALL.map(|operation| {
            let name = ("operation", operation.as_str());
            let outcomes = OUTCOMES.map(|outcome| operations.get_or_create_owned(&[name, ("outcome", outcome)]));
            OperationMetrics { outcomes, duration: durations.get_or_create_owned(&[name]) }
        });
        registry.register("store_operations", "Operations of the store by outcome", operations);
        let help = "Duration of the operations of the store";
        registry.register_with_unit("store_operation_duration", help, Unit::Seconds, durations);
        Self(metrics.into())
    }

    /// Runs an operation, and counts it.
    pub(in crate::server) async fn measure<T>(
        &self,
        operation: StoreOperation,
        run: impl Future<Output = Result<T, StoreError>> + Send,
    ) -> Result<T, StoreError> {
        let began = Instant::now();
        let result = run.await;
        let metrics = &self.0[operation as usize];
        metrics.duration.observe(began.elapsed().as_secs_f64());
        metrics.outcomes[outcome(&result)].inc();
        result
    }

    /// Counts an operation that failed after it was counted as successful, such as a stream.
    pub(in crate::server) fn count_late_failure(&self, operation: StoreOperation) {
        self.0[operation as usize].outcomes[OUTCOMES.len() - 1].inc();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn operations_are_in_the_order_of_their_numbers() {
        for (number, operation) in StoreOperation::ALL.into_iter().enumerate() {
            assert_eq!(operation as usize, number, "{}", operation.as_str());
        }
    }
}
