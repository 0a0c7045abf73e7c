//! Background jobs of a server: writing counts, sweeping, and reloading the TLS certificate.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::Notify;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use super::metrics::SweepOutcome;
use super::net::tls::Tls;
use super::net::tls::acme::renew_certificate;
use super::notify::deliver_periodically;
use super::state::App;
use crate::domain::clock::ClockState;
use crate::domain::crypto::random;
use crate::domain::error::chain;
use crate::domain::store::{Store, check_layout};
use crate::domain::transfers::Transfers;

/// Interval for adding counted downloads to their transfers.
const COUNT_INTERVAL: Duration = Duration::from_secs(1);
/// Interval for writing counters buffered in the store.
const FLUSH_INTERVAL: Duration = Duration::from_mins(1);
/// Interval between sweeps for expired transfers and other due clean-up.
const SWEEP_INTERVAL: Duration = Duration::from_mins(1);

/// Interval between two looks at the files of the TLS certificate.
const CERTIFICATE_INTERVAL: Duration = Duration::from_secs(10);

/// Starts all jobs, which run until `stop`. `reload` asks for the files of the certificate at once.
///
/// A process that does not `order` certificates by ACME uses those of another process.
pub(super) fn start(
    app: &Arc<App>,
    tls: Option<Arc<Tls>>,
    order: bool,
    reload: Arc<Notify>,
    stop: &CancellationToken,
) -> JoinSet<()> {
    let mut jobs = JoinSet::new();
    if let Some(tls) = tls.clone() {
        jobs.spawn(renew_certificate(app.clone(), tls, order, stop.clone()));
    }
    jobs.spawn(reload_certificate(app.clone(), tls, reload, stop.clone()));
    jobs.spawn(write_counts_periodically(app.transfers.clone(), stop.clone()));
    jobs.spawn(flush_periodically(app.store.clone(), stop.clone()));
    jobs.spawn(sweep_periodically(app.clone(), stop.clone()));
    jobs.spawn(deliver_periodically(app.clone(), stop.clone()));
    jobs
}

/// Adds counted downloads at each [`COUNT_INTERVAL`] until `stop`.
async fn write_counts_periodically(transfers: Transfers, stop: CancellationToken) {
    let mut ticks = tokio::time::interval(COUNT_INTERVAL);
    loop {
        tokio::select! {
            () = stop.cancelled() => return,
            _ = ticks.tick() => {}
        }
        transfers.flush_counts().await;
    }
}

/// Writes buffered counters, and measures the space of the store, until `stop`.
async fn flush_periodically(store: Arc<dyn Store>, stop: CancellationToken) {
    let mut ticks = tokio::time::interval(FLUSH_INTERVAL);
    loop {
        tokio::select! {
            () = stop.cancelled() => return,
            _ = ticks.tick() => {}
        }
        store.measure_space().await;
        flush(&*store).await;
    }
}

/// Writes counters buffered in the store; they stay buffered if that fails.
pub(super) async fn flush(store: &dyn Store) {
    if let Err(error) = store.flush().await {
        tracing::error!(error = %chain(&error), "cannot write counters, will retry");
    }
}

/// Sweeps, unless the clock has jumped: nothing must be removed that would not have expired. Returns whether it swept.
async fn sweep_unless_jumped(app: &App) -> bool {
    if let ClockState::Jumped { noticed_at } = app.clock_state().await {
        tracing::warn!(
            clock = %app.now().minute(), noticed_at = %noticed_at.minute(),
            "the clock has jumped, so nothing is removed; correct it, or run `sgsend sweep --accept-clock`"
        );
        app.metrics.sweeps.count(SweepOutcome::Skipped);
        return false;
    }
    if let Err(error) = check_layout(&*app.store).await {
        tracing::error!(error = %chain(&error), "nothing is swept");
        return false;
    }
    match app.transfers.sweep().await {
        Ok(swept) => {
            tracing::debug!(?swept, "swept");
            app.metrics.sweeps.count(SweepOutcome::Done(swept, app.now()));
        }
        Err(error) => {
            tracing::error!(error = %chain(&error), "sweep failed");
            app.metrics.sweeps.count(SweepOutcome::Failed);
        }
    }
    true
}

/// Sweeps at each [`SWEEP_INTERVAL`] until `stop`, which also aborts a running sweep.
async fn sweep_periodically(app: Arc<App>, stop: CancellationToken) {
    // A random first delay spreads the sweeps of several servers on one store over the interval.
    let first = tokio::time::Instant::now() + SWEEP_INTERVAL.mul_f64(f64::from(random::bytes::<1>()[0]) / 255.0);
    let mut ticks = tokio::time::interval_at(first, SWEEP_INTERVAL);
    let sweeping = async {
        loop {
            ticks.tick().await;
            sweep_unless_jumped(&app).await;
        }
    };
    tokio::select! {
        () = stop.cancelled() => {}
        () = sweeping => {}
    }
}

/// Reloads the certificate when its files change, or when `reload` asks for it, until `stop`.
async fn reload_certificate(app: Arc<App>, tls: Option<Arc<Tls>>, reload: Arc<Notify>, stop: CancellationToken) {
    let mut ticks = tokio::time::interval(CERTIFICATE_INTERVAL);
    let (mut failure, mut warned_on) = (None, None);
    loop {
        let requested = tokio::select! {
            () = stop.cancelled() => return,
            () = reload.notified() => true,
            _ = ticks.tick() => false,
        };
        let Some(tls) = tls.clone() else {
            if requested {
                tracing::info!("nothing to reload: this service has no TLS certificate");
            }
            continue;
        };
        if requested {
            tls.expect_change();
        }
        let validity = || tls.validity();
        let checked = tokio::task::spawn_blocking({
            let tls = tls.clone();
            move || tls.reload_if_changed()
        });
        match checked.await.expect("loading a certificate never panics") {
            Ok(true) => {
                let ends_at = validity().map(|validity| validity.ends_at.utc());
                tracing::info!(expires = ends_at, "loaded the TLS certificate again");
                (failure, warned_on) = (None, None);
            }
            Ok(false) => {}
            Err(error) => {
                // Each failure is reported once, since the files are tried again every few seconds.
                let text = chain(&error);
                if requested || failure.as_ref() != Some(&text) {
                    tracing::error!(error = %text, "cannot load the TLS certificate again, the last one stays in use");
                }
                failure = Some(text);
            }
        }
        let Some(validity) = validity() else { continue };
        app.metrics.set_certificate_expiry(validity.ends_at);
        let today = app.now().day();
        if validity.is_ending(app.now()) && warned_on.as_ref() != Some(&today) {
            tracing::warn!(expires = %validity.ends_at.utc(), "the TLS certificate expires soon or has expired: renew it");
            warned_on = Some(today);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::clock::{Clock, ManualClock};
    use crate::domain::store::{Change, Commit, Condition, StorageKey};
    use crate::domain::timestamp::Timestamp;
    use crate::server::{Server, Settings};

    #[tokio::test]
    async fn nothing_is_swept_after_a_jump_until_an_administrator_accepts_the_clock() {
        let clock = Arc::new(ManualClock::at(Timestamp::from_millis(1_700_000_000_000)));
        let server = Server::open(Settings::new("memory:".parse().unwrap()), clock.clone()).await.unwrap();
        assert!(sweep_unless_jumped(&server.app).await);
        clock.set(clock.now().plus(Duration::from_hours(24 * 365)));
        assert!(!sweep_unless_jumped(&server.app).await, "swept by a clock that has jumped");
        server.accept_clock().await.unwrap();
        assert!(sweep_unless_jumped(&server.app).await);
    }

    #[tokio::test]
    async fn nothing_is_swept_from_a_store_that_a_newer_version_has_upgraded() {
        let clock = Arc::new(ManualClock::at(Timestamp::from_millis(1_700_000_000_000)));
        let server = Server::open(Settings::new("memory:".parse().unwrap()), clock.clone()).await.unwrap();
        assert!(sweep_unless_jumped(&server.app).await);
        let (store, key) = (&server.app.store, StorageKey::header());
        let condition = Condition::Is(store.get(&key).await.unwrap().unwrap().version);
        let value = r#"{"v":5,"retain_audit_s":60}"#.into();
        store.commit(Commit::of(Change { key, condition, value })).await.unwrap();
        assert!(!sweep_unless_jumped(&server.app).await, "swept a newer store");
    }
}
