//! Job that works through the outbox: distributes new notifications, and delivers those of each target.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use tokio::task::JoinSet;
use tokio::time::{Instant, MissedTickBehavior};
use tokio_util::sync::CancellationToken;

use crate::domain::error::{Error, chain};
use crate::domain::id::TargetId;
use crate::domain::notification::DeliveryRound;
use crate::server::state::App;

/// Interval at which a server looks for notifications in its own store.
const LOCAL_INTERVAL: Duration = Duration::from_secs(1);
/// Interval at which a server looks for notifications in a bucket, where each look costs a request.
const REMOTE_INTERVAL: Duration = Duration::from_secs(5);
/// Interval at which queues are bounded and targets forgotten.
const MAINTENANCE_INTERVAL: Duration = Duration::from_mins(1);

/// Returns the interval at which a server looks for notifications in its store.
pub(in crate::server) const fn poll_interval(is_remote: bool) -> Duration {
    if is_remote { REMOTE_INTERVAL } else { LOCAL_INTERVAL }
}

/// Works through the outbox until `stop`; deliveries in progress end first.
pub(in crate::server) async fn deliver_periodically(app: Arc<App>, stop: CancellationToken) {
    let mut ticks = tokio::time::interval(poll_interval(app.is_remote));
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut running = JoinSet::new();
    let mut busy = HashMap::new();
    let mut maintained: Option<Instant> = None;
    loop {
        tokio::select! {
            () = stop.cancelled() => break,
            Some(ended) = running.join_next_with_id() => {
                let id = ended.as_ref().map_or_else(tokio::task::JoinError::id, |(id, ())| *id);
                busy.remove(&id);
                continue;
            }
            _ = ticks.tick() => {}
        }
        if maintained.is_none_or(|at| at.elapsed() >= MAINTENANCE_INTERVAL) {
            maintained = Some(Instant::now());
            maintain(&app).await;
        }
        for target in due(&app).await {
            if busy.values().all(|one| *one != target) {
                let app = app.clone();
                let task = running.spawn(async move { deliver(&app, target).await });
                busy.insert(task.id(), target);
            }
        }
    }
    app.outbox.stop();
    while running.join_next().await.is_some() {}
}

/// Works through the outbox once, for a server that runs now and then.
#[cfg(feature = "lambda")]
pub(in crate::server) async fn deliver_once(app: &App) {
    maintain(app).await;
    let targets = due(app).await;
    futures_util::future::join_all(targets.into_iter().map(|target| deliver(app, target))).await;
}

/// Bounds the queues, and measures the health of the targets.
async fn maintain(app: &App) {
    report(app.outbox.maintain().await);
    match app.outbox.overview().await {
        Ok(targets) => app.metrics.notifications.set_targets(&targets),
        Err(error) => report(Err(error)),
    }
}

/// Distributes new notifications. Returns the targets with a queue.
async fn due(app: &App) -> Vec<TargetId> {
    let dispatched = app.outbox.dispatch().await;
    match dispatched {
        Ok(result) => app.metrics.notifications.count_dropped(result.dropped),
        Err(error) => report(Err(error)),
    }
    app.outbox.queues().await.unwrap_or_else(|error| {
        report(Err(error));
        Vec::new()
    })
}

async fn deliver(app: &App, target: TargetId) {
    match app.outbox.deliver(target, &*app.notifier).await {
        Ok(DeliveryRound { delivered, failed }) => app.metrics.notifications.count_round(delivered, failed),
        Err(error) => report(Err(error)),
    }
}

fn report(result: Result<(), Error>) {
    if let Err(error) = result {
        tracing::warn!(error = %chain(&error), "cannot work on notifications, will retry");
    }
}
