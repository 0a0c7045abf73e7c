//! Asking for a transfer's state again and again: to show what changes, or to wait for something.

use std::collections::HashSet;
use std::time::{Duration, Instant};

use anyhow::Result;
use serde_json::Value;

use super::super::context::Context;
use super::super::exit::Exit;
use super::super::failure::Failure;
use super::super::records;
use super::{Arguments, Awaited, Output};
use crate::client::{Api, Silent};
use crate::domain::clock::{Clock, SystemClock};
use crate::domain::id::TransferId;
use crate::domain::transfer::Status;
use crate::domain::wire::TransferStatus;

/// The longest time between two questions.
const LONGEST_INTERVAL: Duration = Duration::from_secs(15);
/// How long the recipient of the last download is waited for.
const LAST_WORD: Duration = Duration::from_secs(10);
/// A slow server's records can come so much later than younger ones of others, in milliseconds.
const LATE_BY: u64 = 10_000;

/// Watches until the transfer has ended or what is waited for has happened. The inner error is that it never can.
pub(super) async fn watch(
    arguments: &Arguments,
    api: &Api,
    id: TransferId,
    context: &Context,
) -> Result<Result<(), Failure>> {
    let mut interval = arguments.poll;
    let mut shown: Option<TransferStatus> = None;
    let mut events = Events::default();
    let mut looked_again = false;
    let mut ended_at = None;
    loop {
        let status = context.patience().call(&Silent, || api.status(id)).await?;
        let changed = shown.as_ref() != Some(&status);
        let new =
            if arguments.watch && arguments.events { events.new_ones(api, id, context).await? } else { Vec::new() };
        if arguments.watch && (changed || !new.is_empty()) {
            let told = arguments.events.then_some(&*new);
            show(&status, changed, told, context)?;
        }
        // The count of an unlimited transfer may lag a little behind its end.
        let may_lag = status.max_downloads.is_none() && status.download_count == 0 && has_ended(&status);
        if !may_lag || looked_again || arguments.wait != Some(Awaited::Downloaded) {
            // The last recipient decrypts after the last download was counted, and may tell so.
            let may_be_told = arguments.events && status.status == Status::Exhausted && !events.all_told(&status);
            match outcome(&status, arguments.wait) {
                Some(outcome) if !may_be_told || is_over(&mut ended_at) => return Ok(outcome),
                _ => {}
            }
        }
        looked_again |= may_lag;
        interval = if changed || !new.is_empty() || ended_at.is_some() { arguments.poll } else { longer(interval) };
        shown = Some(status);
        tokio::time::sleep(interval).await;
    }
}

/// Whether the recipient of the last download was waited for long enough.
fn is_over(ended_at: &mut Option<Instant>) -> bool {
    ended_at.get_or_insert_with(Instant::now).elapsed() >= LAST_WORD
}

/// Half as long again, and no longer than [`LONGEST_INTERVAL`] unless it was asked for.
fn longer(interval: Duration) -> Duration {
    interval.mul_f64(1.5).min(LONGEST_INTERVAL.max(interval))
}

fn has_ended(status: &TransferStatus) -> bool {
    matches!(status.status, Status::Expired | Status::Exhausted | Status::Deleted)
}

/// How watching ends in this state; `None` where it goes on.
fn outcome(status: &TransferStatus, awaited: Option<Awaited>) -> Option<Result<(), Failure>> {
    let ended = has_ended(status);
    match awaited {
        Some(Awaited::Downloaded) if status.download_count > 0 => Some(Ok(())),
        Some(Awaited::Downloaded) if ended => Some(Err(never_downloaded(status.status))),
        None | Some(Awaited::Expired) if ended => Some(Ok(())),
        _ => None,
    }
}

fn never_downloaded(status: Status) -> Failure {
    let code = if status == Status::Deleted { "transfer_deleted" } else { "transfer_expired" };
    let message = format!("the transfer is {} and was never downloaded", status.as_str());
    let failure = Failure::new(Exit::Gone, code, message).hint("send it again");
    Failure { reason: Some(status.as_str()), ..failure }
}

fn show(status: &TransferStatus, changed: bool, events: Option<&[Value]>, context: &Context) -> Result<()> {
    let printer = &context.printer;
    if printer.is_json() {
        printer.json_of(&Output { status, events })?;
        return Ok(());
    }
    for event in events.into_iter().flatten() {
        printer.result(&records::line(event))?;
    }
    if changed {
        let most = status.max_downloads.map(|most| format!(" of {most}")).unwrap_or_default();
        let (now, count) = (records::time(SystemClock.now()), status.download_count);
        printer.result(&format!("{now}  {}  downloads {count}{most}", status.status.as_str()))?;
    }
    Ok(())
}

/// What has happened so far.
#[derive(Default)]
struct Events {
    /// The newest id behind which nothing can come late any more.
    settled: Option<String>,
    /// Those behind it that were seen.
    seen: HashSet<String>,
    /// How many recipients have told whether they could decrypt what they fetched.
    told: u64,
}

impl Events {
    /// Whether the recipient of every download has told how it ended.
    fn all_told(&self, status: &TransferStatus) -> bool {
        self.told >= status.download_count
    }

    async fn new_ones(&mut self, api: &Api, id: TransferId, context: &Context) -> Result<Vec<Value>> {
        let settled = self.settled.clone();
        let page = |after: Option<String>| {
            let after = after.or_else(|| settled.clone());
            let mut patience = context.patience();
            async move { patience.call(&Silent, || api.events(id, after.as_deref())).await }
        };
        let found = records::all(page).await?;
        Ok(self.take(found))
    }

    /// Those of `found`, which is everything behind what is settled, that were not seen yet.
    fn take(&mut self, found: Vec<Value>) -> Vec<Value> {
        let id_of = |event: &Value| event.get("id").and_then(Value::as_str).unwrap_or_default().to_owned();
        let at_of = |event: &Value| event.get("at").and_then(Value::as_u64).unwrap_or_default();
        let newest = found.iter().map(at_of).max().unwrap_or_default();
        let settled = found.iter().rev().find(|event| at_of(event) + LATE_BY <= newest).map(id_of);
        let before = std::mem::take(&mut self.seen);
        self.settled = settled.or_else(|| self.settled.take());
        let behind = |id: &String| self.settled.as_ref().is_none_or(|settled| id > settled);
        self.seen = found.iter().map(id_of).filter(behind).collect();
        let new: Vec<Value> = found.into_iter().filter(|event| !before.contains(&id_of(event))).collect();
        let is_last_word =
            |event: &&Value| matches!(event["kind"].as_str(), Some("decrypt_succeeded" | "decrypt_failed"));
        self.told += new.iter().filter(is_last_word).count() as u64;
        new
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn late_events_are_told_and_none_is_told_twice() {
        let event = |id: &str, at: u64| json!({"id": id, "at": at});
        let mut events = Events::default();
        assert_eq!(events.take(vec![event("a", 0), event("c", 1_000)]).len(), 2);
        assert_eq!(events.take(vec![event("a", 0), event("b", 500), event("c", 1_000)]), [event("b", 500)]);
        let all = vec![event("a", 0), event("b", 500), event("c", 1_000), event("d", 11_000)];
        assert_eq!(events.take(all), [event("d", 11_000)]);
        assert_eq!(events.settled.as_deref(), Some("c"));
        assert!(events.take(vec![event("d", 11_000)]).is_empty());
    }

    #[test]
    fn questions_become_rarer() {
        assert_eq!(longer(Duration::from_secs(2)), Duration::from_secs(3));
        assert_eq!(longer(Duration::from_secs(14)), LONGEST_INTERVAL);
        assert_eq!(longer(Duration::from_secs(20)), Duration::from_secs(20));
    }
}
