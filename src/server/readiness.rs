//! Readiness of the store: records and payloads can be read and written.

use std::future::Future;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use super::metrics::READINESS_CODES;
use super::shared_run::SharedRun;
use super::state::App;
use crate::domain::error::{ErrorCode, chain};
use crate::domain::limits::free_space::FreeSpaceLevel;
use crate::domain::store::{
    PayloadProbeError, Store, StoreError, probe_reading, probe_writing, remove_probe_leftovers,
};
use crate::domain::timestamp::Timestamp;

/// Maximum duration of all checks.
const TIMEOUT: Duration = Duration::from_secs(2);
/// Time for which a successful check is not repeated.
///
/// Anybody may ask for the readiness, and the checks write to the store.
const MAX_AGE: Duration = Duration::from_secs(10);
/// Time for which a failed check is not repeated.
const MAX_FAILURE_AGE: Duration = Duration::from_secs(2);

/// Result of one check: the code of what fails.
type CheckResult = Result<(), ErrorCode>;

/// The checks of a store, with their last results.
#[derive(Debug, Default)]
pub(super) struct ReadinessProbe {
    records_read: SharedRun<CheckResult>,
    records_write: SharedRun<CheckResult>,
    payloads: SharedRun<CheckResult>,
    has_cleaned: AtomicBool,
}

impl ReadinessProbe {
    /// Returns the codes of the failed checks, the most important first; none if the store can be used.
    ///
    /// A check that takes longer than 2 s has failed, and later callers do not start it again before it ends.
    pub(super) async fn failed_checks(&self, app: &App) -> Vec<ErrorCode> {
        // A store that was full may have space by now.
        let is_full = app.transfers.free_space_level() == FreeSpaceLevel::Full;
        let max_age = move |result: &CheckResult| match result {
            Ok(()) if !is_full => MAX_AGE,
            _ => MAX_FAILURE_AGE,
        };
        if !self.has_cleaned.swap(true, Ordering::Relaxed) {
            tokio::spawn(remove_leftovers(app.store.clone(), app.now()));
        }
        let (records_read, records_write, payloads) = tokio::join!(
            self.records_read.get(TIMEOUT, max_age, || Self::read_records(app)),
            self.records_write.get(TIMEOUT, max_age, || Self::write_records(app, is_full)),
            self.payloads.get(TIMEOUT, max_age, || Self::check_payloads(app)),
        );
        let results = [
            records_read.unwrap_or(Err(ErrorCode::RecordsNotReadable)),
            records_write.unwrap_or(Err(ErrorCode::RecordsNotWritable)),
            payloads.unwrap_or(Err(ErrorCode::PayloadsNotWritable)),
        ];
        let is_full = app.transfers.free_space_level() == FreeSpaceLevel::Full;
        let full = is_full.then_some(ErrorCode::StorageFull);
        let mut failed: Vec<ErrorCode> = full.into_iter().chain(results.into_iter().filter_map(Result::err)).collect();
        // A full store is named as such, and once.
        failed.sort_by_key(|code| {
            (*code != ErrorCode::StorageFull, READINESS_CODES.iter().position(|known| known == code))
        });
        failed.dedup();
        for code in &failed {
            app.metrics.count_failed_check(*code);
        }
        failed
    }

    fn read_records(app: &App) -> impl Future<Output = CheckResult> + use<> {
        let store = app.store.clone();
        async move { result_of(probe_reading(&*store).await, ErrorCode::RecordsNotReadable) }
    }

    fn write_records(app: &App, is_full: bool) -> impl Future<Output = CheckResult> + use<> {
        let (store, id) = (app.store.clone(), app.ids.next(app.now()));
        async move {
            if is_full {
                store.measure_space().await;
            }
            result_of(probe_writing(&*store, id).await, ErrorCode::RecordsNotWritable)
        }
    }

    fn check_payloads(app: &App) -> impl Future<Output = CheckResult> + use<> {
        let store = app.store.clone();
        async move {
            match store.probe_payloads().await {
                Ok(()) => Ok(()),
                Err(PayloadProbeError::Write(error)) => result_of(Err(error), ErrorCode::PayloadsNotWritable),
                Err(PayloadProbeError::Read(error)) => result_of(Err(error), ErrorCode::PayloadsNotReadable),
            }
        }
    }
}

/// Removes what crashes during earlier checks have left.
async fn remove_leftovers(store: Arc<dyn Store>, now: Timestamp) {
    if let Err(error) = remove_probe_leftovers(&*store, now).await {
        tracing::debug!(error = %chain(&error), "cannot remove objects of earlier readiness checks");
    }
}

/// Returns the result of a check that fails with `code`, and logs its cause.
fn result_of(result: Result<(), StoreError>, code: ErrorCode) -> CheckResult {
    let Err(error) = result else { return Ok(()) };
    let code = match error {
        StoreError::Full => ErrorCode::StorageFull,
        StoreError::NewerLayout { .. } => ErrorCode::StorageUpgraded,
        _ => code,
    };
    tracing::error!(check = code.as_str(), error = %chain(&error), "a readiness check failed");
    Err(code)
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::AtomicBool;

    use tokio::time::Instant;

    use super::*;
    use crate::domain::clock::SystemClock;
    use crate::domain::store::{Commit, FaultInjector, FaultyStore, MemoryStore, StorageKey, create};
    use crate::server::{Server, Settings};

    /// Returns the state of a server whose readiness is that of `store`.
    async fn app_over(store: Arc<dyn Store>) -> App {
        let server = Server::open(Settings::new("memory:".parse().unwrap()), Arc::new(SystemClock)).await.unwrap();
        let mut app = Arc::into_inner(server.app).expect("a server that does not run");
        app.store = store;
        app
    }

    async fn memory_with_header() -> MemoryStore {
        let memory = MemoryStore::default();
        create(&memory, StorageKey::header(), &1, Commit::default()).await.unwrap();
        memory
    }

    async fn failed_checks(app: &App) -> Vec<ErrorCode> {
        app.readiness.failed_checks(app).await
    }

    #[tokio::test(start_paused = true)]
    async fn floods_of_requests_cost_the_store_a_few_operations() {
        let store = Arc::new(FaultyStore::over(memory_with_header().await));
        let app = app_over(store.clone()).await;
        for _ in 0..1_000 {
            assert_eq!(failed_checks(&app).await, []);
        }
        // The header, a list of leftovers, a commit and a payload.
        assert_eq!(store.operations(), 4);
        tokio::time::advance(MAX_AGE).await;
        assert_eq!(failed_checks(&app).await, []);
        assert_eq!(store.operations(), 7, "later checks look for no leftovers");
    }

    #[tokio::test(start_paused = true)]
    async fn each_failure_is_named_and_recovery_noticed() {
        let store = Arc::new(FaultyStore::default());
        let app = app_over(store).await;
        assert_eq!(failed_checks(&app).await, [ErrorCode::RecordsNotReadable], "a store without a header is read");
        let full = Arc::new(AtomicBool::new(true));
        let faults = FaultInjector::full_while(full.clone());
        let app = app_over(Arc::new(FaultyStore::over(memory_with_header().await).with(faults))).await;
        assert_eq!(failed_checks(&app).await, [ErrorCode::StorageFull]);
        full.store(false, Ordering::Relaxed);
        assert_eq!(failed_checks(&app).await, [ErrorCode::StorageFull], "a failed check is repeated at once");
        tokio::time::advance(MAX_FAILURE_AGE).await;
        assert_eq!(failed_checks(&app).await, []);
        let app = app_over(Arc::new(FaultyStore::default().with(FaultInjector::failing_after(0)))).await;
        let all = [ErrorCode::RecordsNotReadable, ErrorCode::RecordsNotWritable, ErrorCode::PayloadsNotWritable];
        assert_eq!(failed_checks(&app).await, all);
        assert!(app.metrics.to_text().contains("sgsend_failed_checks_total{check=\"payloads_not_writable\"} 1"));
    }

    #[tokio::test(start_paused = true)]
    async fn a_store_that_hangs_is_not_ready_within_two_seconds_and_gets_no_further_checks() {
        let faults = FaultInjector::default().delaying(|| Duration::from_hours(1));
        let store = Arc::new(FaultyStore::over(memory_with_header().await).with(faults));
        let app = app_over(store.clone()).await;
        let began = Instant::now();
        let all = [ErrorCode::RecordsNotReadable, ErrorCode::RecordsNotWritable, ErrorCode::PayloadsNotWritable];
        assert_eq!(failed_checks(&app).await, all);
        assert_eq!(began.elapsed(), TIMEOUT);
        for _ in 0..1_000 {
            assert_eq!(failed_checks(&app).await, all);
        }
        // The three checks, and the list of leftovers.
        assert_eq!((began.elapsed(), store.operations()), (TIMEOUT, 4));
    }
}
