//! Background job that orders certificates when they are needed.

use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio_util::sync::CancellationToken;

use super::http_client::RetryAfter;
use super::schedule::OrderHistory;
use super::{Acme, Ordered};
use crate::domain::error::chain;
use crate::server::net::tls::Tls;
use crate::server::state::App;

/// Interval between two looks at the certificate. Failed orders wait longer.
const CHECK_INTERVAL: Duration = Duration::from_secs(10);

/// Obtains and renews the certificate of `tls` until `stop`.
///
/// A process that does not `order` uses the certificates that another process writes to the cache.
pub(crate) async fn renew_certificate(app: Arc<App>, tls: Arc<Tls>, order: bool, stop: CancellationToken) {
    let Some(acme) = tls.acme() else { return };
    if tls.validity().is_none() {
        let cache = acme.cache.folder().display();
        tracing::warn!(%cache, "the ACME cache has no certificate yet: TLS connections are refused until it has one");
    }
    if !order {
        tracing::info!("this process uses the certificate in the ACME cache; the public service obtains it");
        return;
    }
    let mut ticks = tokio::time::interval(CHECK_INTERVAL);
    let mut history = OrderHistory::default();
    loop {
        let forced = tokio::select! {
            () = stop.cancelled() => return,
            () = acme.retry.notified() => true,
            _ = ticks.tick() => false,
        };
        if forced {
            history.allow_now();
        }
        if history.allows_order(Instant::now()) && acme.needs_order(&tls, app.now()) {
            tokio::select! {
                () = stop.cancelled() => return,
                () = order_certificate(&app, acme, &tls, &mut history, forced) => {}
            }
        }
    }
}

/// Makes one order, and reports its result.
async fn order_certificate(app: &App, acme: &Acme, tls: &Tls, history: &mut OrderHistory, forced: bool) {
    let retry_after = RetryAfter::default();
    let result = acme.obtain(tls, &*app.clock, forced, retry_after.clone()).await;
    match result {
        Ok(Ordered::Unneeded) => return,
        Ok(Ordered::Issued(validity)) => {
            let expires = validity.map(|validity| validity.ends_at.utc());
            tracing::info!(expires, "obtained a TLS certificate");
            history.succeeded(Instant::now(), validity.map(|validity| validity.lifetime()).unwrap_or_default());
        }
        Err(error) => {
            let delay = history.failed(Instant::now(), retry_after.get());
            let continues = if tls.validity().is_some() { "the last one stays in use" } else { "there is none yet" };
            tracing::error!(error = %chain(&error), retry_in_s = delay.as_secs(), "cannot obtain a TLS certificate, {continues}");
        }
    }
    if let Some(validity) = tls.validity() {
        app.metrics.set_certificate_expiry(validity.ends_at);
    }
    app.metrics.count_certificate_order(history.failures());
}
