//! Polls the state of a transfer: prints changes (`--watch`), or waits for a state (`--wait`).

use std::collections::HashSet;
use std::time::{Duration, Instant};

use anyhow::Result;
use serde_json::Value;

use super::{Arguments, Output, ViewedLink, WatchCondition, complete, state_text};
use crate::cli::commands::history::record_end;
use crate::cli::context::Context;
use crate::cli::failure::Failure;
use crate::cli::failure::exit::Exit;
use crate::cli::output::{records, time};
use crate::client::NoProgress;
use crate::domain::clock::{Clock, SystemClock};
use crate::domain::transfer::Status;
use crate::domain::wire::TransferStatus;

/// Maximum interval between two polls.
const MAX_INTERVAL: Duration = Duration::from_secs(15);
/// Time to wait, after the last download, for the recipient's event about decryption.
const FINAL_EVENT_TIMEOUT: Duration = Duration::from_secs(10);
/// Maximum delay of a record in milliseconds. A list may contain newer records of other servers first.
const MAX_DELAY_MS: u64 = 10_000;

/// Polls until the transfer has ended or has reached the awaited state.
///
/// The inner error reports that the awaited state can no longer be reached.
pub(super) async fn watch(
    arguments: &Arguments,
    viewed: &ViewedLink<'_>,
    context: &Context,
) -> Result<Result<(), Failure>> {
    let (api, id) = (viewed.api, viewed.id);
    let mut interval = arguments.poll;
    let mut previous: Option<TransferStatus> = None;
    let mut events = Events::default();
    let mut polled_again = false;
    let mut end_seen_at = None;
    loop {
        let status = complete(context.retry_policy().call(&NoProgress, || viewed.status()).await?)?;
        let changed = previous.as_ref() != Some(&status);
        let new = if arguments.watch && arguments.events { events.poll(viewed, context).await? } else { Vec::new() };
        if arguments.watch && (changed || !new.is_empty()) {
            let new_events = arguments.events.then_some(&*new);
            show(&status, changed, new_events, context)?;
        }
        // Without a download limit, the download counter may lag behind the end of the transfer: poll once more.
        let may_lag = status.max_downloads.is_none() && status.download_count == 0 && has_ended(&status);
        if !may_lag || polled_again || arguments.wait != Some(WatchCondition::Downloaded) {
            // The server counts a download before the recipient decrypts the payload and reports the result.
            let event_expected =
                arguments.events && status.status == Status::Exhausted && !events.all_reported(&status);
            match outcome(&status, arguments.wait) {
                Some(outcome) if !event_expected || has_timed_out(&mut end_seen_at) => {
                    record_end(id, status.status, Some(api.base_url()));
                    return Ok(outcome);
                }
                _ => {}
            }
        }
        polled_again |= may_lag;
        interval =
            if changed || !new.is_empty() || end_seen_at.is_some() { arguments.poll } else { next_interval(interval) };
        previous = Some(status);
        tokio::time::sleep(interval).await;
    }
}

/// Returns whether [`FINAL_EVENT_TIMEOUT`] has passed since the first call.
fn has_timed_out(end_seen_at: &mut Option<Instant>) -> bool {
    end_seen_at.get_or_insert_with(Instant::now).elapsed() >= FINAL_EVENT_TIMEOUT
}

/// Returns the interval increased by half, up to [`MAX_INTERVAL`]; a longer interval stays unchanged.
fn next_interval(interval: Duration) -> Duration {
    interval.mul_f64(1.5).min(MAX_INTERVAL.max(interval))
}

fn has_ended(status: &TransferStatus) -> bool {
    matches!(status.status, Status::Expired | Status::Exhausted | Status::Deleted | Status::Closed)
}

/// Returns the result of polling in this state; `None` to continue.
fn outcome(status: &TransferStatus, awaited: Option<WatchCondition>) -> Option<Result<(), Failure>> {
    let is_ended = has_ended(status);
    match awaited {
        Some(WatchCondition::Downloaded) if status.download_count > 0 => Some(Ok(())),
        Some(WatchCondition::Downloaded) if is_ended => Some(Err(never_downloaded(status.status))),
        None | Some(WatchCondition::Expired) if is_ended => Some(Ok(())),
        _ => None,
    }
}

fn never_downloaded(status: Status) -> Failure {
    let code = if status == Status::Deleted { "transfer_deleted" } else { "transfer_expired" };
    let message = format!("the transfer is {} and was never downloaded", state_text(status));
    let failure = Failure::new(Exit::Gone, code, message).hint("upload the files again");
    Failure { reason: Some(status.as_str()), ..failure }
}

fn show(status: &TransferStatus, changed: bool, events: Option<&[Value]>, context: &Context) -> Result<()> {
    let printer = &context.printer;
    if printer.is_json() {
        let status = &TransferStatus { info: None, wrapped_key: None, signature: None, ..status.clone() };
        printer.json_of(&Output { status, content: None, events, links: None })?;
        return Ok(());
    }
    for event in events.into_iter().flatten() {
        printer.result(&records::line(event))?;
    }
    if changed {
        let limit = status.max_downloads.map(|limit| format!(" of {limit}")).unwrap_or_default();
        let (now, count) = (time::to_second(SystemClock.now()), status.download_count);
        printer.result(&format!("{now}  {}  downloads {count}{limit}", state_text(status.status)))?;
    }
    Ok(())
}

/// The events seen so far.
#[derive(Default)]
struct Events {
    /// Id of the last event that is at least [`MAX_DELAY_MS`] older than the newest event.
    ///
    /// No event can still appear before this id.
    stable_before: Option<String>,
    /// Ids of the seen events after `stable_before`.
    seen: HashSet<String>,
    /// Number of recipients that have reported whether decryption succeeded.
    reported: u64,
}

impl Events {
    /// Returns whether the recipient of every download has reported its result.
    fn all_reported(&self, status: &TransferStatus) -> bool {
        self.reported >= status.download_count
    }

    /// Reads the events after `stable_before` and returns the unseen ones.
    async fn poll(&mut self, viewed: &ViewedLink<'_>, context: &Context) -> Result<Vec<Value>> {
        let stable_before = self.stable_before.clone();
        let page = |after: Option<String>| {
            let after = after.or_else(|| stable_before.clone());
            let mut retry_policy = context.retry_policy();
            async move {
                let call = || viewed.api.events(viewed.id, after.as_deref(), viewed.proof.as_ref());
                retry_policy.call(&NoProgress, call).await
            }
        };
        let found = records::all(page).await?;
        Ok(self.take(found))
    }

    /// Marks the events in `found` as seen and returns the new events.
    ///
    /// `found` has all events after `stable_before`.
    fn take(&mut self, found: Vec<Value>) -> Vec<Value> {
        let id_of = |event: &Value| event.get("id").and_then(Value::as_str).unwrap_or_default().to_owned();
        let at_of = |event: &Value| event.get("at").and_then(Value::as_u64).unwrap_or_default();
        let newest = found.iter().map(at_of).max().unwrap_or_default();
        let stable_before = found.iter().rev().find(|event| at_of(event) + MAX_DELAY_MS <= newest).map(id_of);
        let before = std::mem::take(&mut self.seen);
        self.stable_before = stable_before.or_else(|| self.stable_before.take());
        let is_after = |id: &String| self.stable_before.as_ref().is_none_or(|stable_before| id > stable_before);
        self.seen = found.iter().map(id_of).filter(is_after).collect();
        let new: Vec<Value> = found.into_iter().filter(|event| !before.contains(&id_of(event))).collect();
        let is_final_event =
            |event: &&Value| matches!(event["kind"].as_str(), Some("decrypt_succeeded" | "decrypt_failed"));
        self.reported += new.iter().filter(is_final_event).count() as u64;
        new
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn late_events_are_returned_and_none_is_returned_twice() {
        let event = |id: &str, at: u64| json!({"id": id, "at": at});
        let mut events = Events::default();
        assert_eq!(events.take(vec![event("a", 0), event("c", 1_000)]).len(), 2);
        assert_eq!(events.take(vec![event("a", 0), event("b", 500), event("c", 1_000)]), [event("b", 500)]);
        let all = vec![event("a", 0), event("b", 500), event("c", 1_000), event("d", 11_000)];
        assert_eq!(events.take(all), [event("d", 11_000)]);
        assert_eq!(events.stable_before.as_deref(), Some("c"));
        assert!(events.take(vec![event("d", 11_000)]).is_empty());
    }

    #[test]
    fn the_polling_interval_grows() {
        assert_eq!(next_interval(Duration::from_secs(2)), Duration::from_secs(3));
        assert_eq!(next_interval(Duration::from_secs(14)), MAX_INTERVAL);
        assert_eq!(next_interval(Duration::from_secs(20)), Duration::from_secs(20));
    }
}
