//! Making durable what time has done: expiry, removal of payloads, the end of what was retained.
//!
//! Nothing waits for it: what a transfer may do is computed from the clock. Doing it twice is harmless, and a crash
//! anywhere leaves the hint that leads back.

use std::time::Duration;

use futures_util::{StreamExt, stream};

use super::{Transfers, moved};
use crate::domain::audit::{Event, Record, keyed};
use crate::domain::error::{Error, chain};
use crate::domain::id::TransferId;
use crate::domain::stats::{Moves, Tally};
use crate::domain::store::{Commit, DueHint, Prefix, StorageKey, Swap};
use crate::domain::timestamp::Timestamp;
use crate::domain::transfer::{PayloadFate, Transfer};

/// Hints read at once.
const PAGE: usize = 500;
/// Transfers looked at at once, so that their commits are written together.
const AT_ONCE: usize = 16;
/// Records removed in one commit.
const REMOVE_AT_ONCE: usize = 500;
/// How long the counters of a day are kept.
const KEEP_STATS: Duration = Duration::from_hours(24 * 400);
/// When something is looked at again that could not be finished.
const AGAIN_AFTER: Duration = Duration::from_mins(1);

/// What one round did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Swept {
    /// Transfers looked at.
    pub looked_at: u64,
    /// Payloads removed.
    pub payloads_removed: u64,
    /// Transfers whose last record went.
    pub forgotten: u64,
    /// Transfers that could not be dealt with, and are due again.
    pub failed: u64,
}

impl Swept {
    const fn and(self, other: Self) -> Self {
        Self {
            looked_at: self.looked_at + other.looked_at,
            payloads_removed: self.payloads_removed + other.payloads_removed,
            forgotten: self.forgotten + other.forgotten,
            failed: self.failed + other.failed,
        }
    }
}

impl Transfers {
    /// Looks at every transfer that is due, and removes the days that are too old. It can be given up at any point.
    pub async fn sweep(&self) -> Result<Swept, Error> {
        let now = self.now();
        self.remove_days(&StorageKey::all_service_records(), now.minus(self.rules().retain_audit), 0).await?;
        // The last day stays whatever its age: the totals stand in it.
        self.remove_days(&StorageKey::all_stats(), now.minus(KEEP_STATS), 1).await?;
        let mut swept = Swept::default();
        let mut after = None;
        loop {
            let page = self.store().keys(&StorageKey::all_due(), after.as_ref(), PAGE).await?;
            let Some(last) = page.last().cloned() else { return Ok(swept) };
            let minute = self.now().minute();
            let (due, later): (Vec<_>, Vec<_>) =
                page.into_iter().partition(|key| DueHint::from_key(key).is_none_or(|hint| hint.minute <= minute));
            let looking = stream::iter(due).map(|hint| self.look_at(hint)).buffer_unordered(AT_ONCE);
            swept = looking.fold(swept, async |swept, one| swept.and(one)).await;
            if !later.is_empty() {
                return Ok(swept);
            }
            after = Some(last);
        }
    }

    /// Removes what belongs to a day before that of `end`. Each page is read anew: what was removed is gone from it.
    async fn remove_days(&self, of: &Prefix, end: Timestamp, keep: usize) -> Result<(), Error> {
        let end = end.day();
        loop {
            let mut removals = self.store().keys(of, None, REMOVE_AT_ONCE).await?;
            removals.truncate(removals.len().saturating_sub(keep));
            removals.retain(|key| key.day().is_some_and(|day| day < end));
            if removals.is_empty() {
                return Ok(());
            }
            self.store().commit(Commit { removals, ..Commit::default() }).await?;
        }
    }

    /// Looks at one transfer. One that cannot be dealt with is left for later, and holds up no other.
    async fn look_at(&self, hint: StorageKey) -> Swept {
        let mut swept = Swept { looked_at: 1, ..Swept::default() };
        let Some(due) = DueHint::from_key(&hint) else {
            Self::report(None, self.drop_hint(hint, None).await);
            return swept;
        };
        let id = due.transfer_id;
        let dealt_with = match self.deal_with(id, hint.clone(), &mut swept).await {
            // Its creation never came about, or it is forgotten already.
            Err(Error::TransferNotFound) => self.drop_hint(hint.clone(), None).await,
            other => other,
        };
        if let Err(error) = dealt_with {
            swept.failed += 1;
            let again = StorageKey::due(self.now().plus(AGAIN_AFTER), id);
            Self::report(Some(id), Err(error));
            Self::report(Some(id), self.drop_hint(hint, Some(again)).await);
        }
        swept
    }

    fn report(id: Option<TransferId>, result: Result<(), Error>) {
        if let Err(error) = result {
            tracing::error!(?id, error = %chain(&error), "a transfer could not be swept");
        }
    }

    async fn deal_with(&self, id: TransferId, hint: StorageKey, swept: &mut Swept) -> Result<(), Error> {
        let mut transfer = self.settle(id).await?;
        if transfer.payload == PayloadFate::Released {
            transfer = self.remove_payload(&transfer, None).await?;
            swept.payloads_removed += 1;
        }
        let (now, retain) = (self.now(), self.rules().retain_audit);
        if transfer.payload == PayloadFate::Removed && transfer.upload_urls_until.is_some_and(|until| until <= now) {
            transfer = self.remove_late_payload(&transfer).await?;
        }
        let late = transfer.upload_urls_until.is_some();
        let over = transfer.payload == PayloadFate::Removed && !late && transfer.retained_until(retain) <= now;
        if over || transfer.forgotten {
            self.forget_reservation(&transfer).await?;
            self.count_out(id).await?;
            swept.forgotten += 1;
            return self.forget(&transfer, hint).await;
        }
        let next = transfer.next_due(now, retain).max(now.plus(AGAIN_AFTER));
        self.drop_hint(hint, Some(StorageKey::due(next, id))).await
    }

    /// Makes durable what time has done to a transfer.
    pub(super) async fn settle(&self, id: TransferId) -> Result<Transfer, Error> {
        let now = self.now();
        self.change(id, |mut transfer| {
            let before = transfer.state.status();
            let event = transfer.settle(now);
            let released = transfer.release(now);
            if event.is_none() && !released {
                return Ok(Swap::Keep(transfer));
            }
            let happened = |kind| Record::Event(Event::of_server(self.0.ids.next(now), None, now, kind));
            let with = Commit {
                records: keyed(id, &event.into_iter().map(happened).collect::<Vec<_>>()),
                tally: event.map(|_| moved(now, before, transfer.state.status())),
                ..Commit::default()
            };
            Ok(Swap::write(transfer.clone(), with, transfer))
        })
        .await
    }

    /// Replaces a hint. The new one is there before the old one goes.
    async fn drop_hint(&self, hint: StorageKey, next: Option<StorageKey>) -> Result<(), Error> {
        let removals = if next.as_ref() == Some(&hint) { Vec::new() } else { vec![hint] };
        self.store().commit(Commit { hints: next.into_iter().collect(), removals, ..Commit::default() }).await?;
        Ok(())
    }

    /// Removes everything about a transfer, its state last: a crash in between is gone on with.
    async fn forget(&self, transfer: &Transfer, hint: StorageKey) -> Result<(), Error> {
        let id = transfer.transfer_id;
        // What an upload may have left that began as the payload was being removed, and was cut short itself.
        self.store().remove(id).await?;
        let (state, everything) = (StorageKey::transfer(id), StorageKey::everything_of(id));
        loop {
            let mut removals = self.store().keys(&everything, None, REMOVE_AT_ONCE).await?;
            removals.retain(|key| *key != state);
            if removals.is_empty() {
                break;
            }
            self.store().commit(Commit { removals, ..Commit::default() }).await?;
        }
        let created_under = transfer.created_under.clone().map(StorageKey::from_backend);
        let removals = created_under.into_iter().chain([state, hint]).collect();
        self.store().commit(Commit { removals, ..Commit::default() }).await?;
        Ok(())
    }

    /// Takes a transfer out of the counters, once: several who sweep, or several hints, may have led here.
    async fn count_out(&self, id: TransferId) -> Result<(), Error> {
        let now = self.now();
        self.change(id, |mut transfer| {
            if transfer.forgotten {
                return Ok(Swap::Keep(()));
            }
            let with = Commit { tally: Some(gone(now, &transfer)), ..Commit::default() };
            transfer.forgotten = true;
            Ok(Swap::write(transfer, with, ()))
        })
        .await
    }
}

fn gone(now: Timestamp, transfer: &Transfer) -> Tally {
    Tally { moved: Moves::one(Some(transfer.state.status()), None), ..Tally::on(now.day()) }
}
