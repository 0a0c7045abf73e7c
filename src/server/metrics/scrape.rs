//! Renders the metrics, with the values that are measured when they are asked for.

use std::sync::Arc;
use std::time::Duration;

use crate::domain::clock::ClockState;
use crate::domain::error::chain;
use crate::domain::transfers::{StoreTotals, store_totals};
use crate::server::shared_run::SharedRun;
use crate::server::state::App;

/// Age up to which the store's totals are shown again, so that frequent scrapes do not load the store.
const MAX_AGE: Duration = Duration::from_secs(15);
/// Maximum wait for the store's totals; later, the scrape shows those before.
const TIMEOUT: Duration = Duration::from_secs(1);

/// The totals of the store, as last read; `None` after a failure.
pub(in crate::server) type TotalsCache = SharedRun<Option<Arc<StoreTotals>>>;

/// Returns the metrics of the process as text.
pub(in crate::server) async fn scrape(app: &App) -> String {
    let metrics = &app.metrics;
    metrics.clock_jumped.set(i64::from(app.clock_guard.check(None) != ClockState::Trusted));
    metrics.storage.set_space(&app.transfers.storage_space());
    metrics.storage.set_open_uploads(app.transfers.open_uploads());
    let read = || {
        let (store, now) = (app.store.clone(), app.now());
        async move {
            match store_totals(&*store, now).await {
                Ok(totals) => Some(Arc::new(totals)),
                Err(error) => {
                    tracing::warn!(error = %chain(&error), "cannot read the totals of the store for the metrics");
                    None
                }
            }
        }
    };
    if let Some(Some(totals)) = app.store_totals.get(TIMEOUT, |_| MAX_AGE, read).await {
        metrics.storage.set_totals(&totals);
    }
    metrics.to_text()
}
