//! Counting transfers against the quota of their sender's token.

use std::collections::{HashMap, HashSet};
use std::sync::{Mutex, MutexGuard};
use std::time::Duration;

use super::Transfers;
use crate::domain::error::Error;
use crate::domain::id::{TokenId, TransferId};
use crate::domain::store::{Backoff, Change, Commit, Condition, StorageKey, StoreError, Swap, read, swap, to_json};
use crate::domain::timestamp::Timestamp;
use crate::domain::token::{Entry, Mark, Quota, Step, Token, Verdict};
use crate::domain::transfer::Transfer;

/// Pauses before a release is tried again.
const FIRST_PAUSE: Duration = Duration::from_millis(1);
const LONGEST_PAUSE: Duration = Duration::from_millis(100);

/// Entries in quotas of which this process knows that they are settled: the next write of their token drops them.
#[derive(Debug, Default)]
pub(super) struct Settled(Mutex<HashMap<TokenId, HashSet<Entry>>>);

impl Settled {
    fn note(&self, token: TokenId, entry: Entry) {
        self.lock().entry(token).or_default().insert(entry);
    }

    fn of(&self, token: TokenId) -> HashSet<Entry> {
        self.lock().get(&token).cloned().unwrap_or_default()
    }

    fn forget(&self, token: TokenId, known: &HashSet<Entry>) {
        let mut settled = self.lock();
        if let Some(entries) = settled.get_mut(&token) {
            entries.retain(|entry| !known.contains(entry));
            if entries.is_empty() {
                settled.remove(&token);
            }
        }
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<TokenId, HashSet<Entry>>> {
        self.0.lock().expect("nothing panics while it holds this lock")
    }
}

impl Transfers {
    /// Reserves what a transfer of `bytes` takes of the quota of `token`, if that has one.
    ///
    /// # Errors
    /// [`Error::QuotaExceeded`].
    pub(super) async fn reserve_quota(&self, token: &Token, id: TransferId, bytes: u64) -> Result<Option<Mark>, Error> {
        let Some(quota) = &token.quota else { return Ok(None) };
        let now = self.now();
        let verdicts = self.look_for_abandoned(quota, now).await?;
        self.change_quota(token.token_id, |quota| {
            quota.end_abandoned(&verdicts, now);
            quota.reserve(id, bytes, now)
        })
        .await
    }

    /// Gives back a reservation that the transfer, which somebody else has created, does not live on.
    pub(super) async fn cancel_quota(&self, transfer: &Transfer, mark: Mark) -> Result<(), Error> {
        let id = transfer.transfer_id;
        if transfer.reservation == Some(mark) {
            self.note_settled(transfer.token_id, Entry::reserved(id, mark));
            return Ok(());
        }
        let cancelled = self.change_quota(transfer.token_id, |quota| {
            quota.cancel(id, mark);
            Ok(())
        });
        cancelled.await.map(drop)
    }

    /// Gives back what a transfer holds, whose payload is gone; `false` where it holds nothing. Its own record is to say
    /// so next.
    ///
    /// In each try the token is read before the transfer: whoever else has released it has either changed the token
    /// since, or has left an entry in it, or the transfer says so.
    pub(super) async fn release_quota(&self, id: TransferId, token: TokenId) -> Result<bool, Error> {
        let _turn = self.0.token_turns.wait(token).await;
        let key = StorageKey::token(token);
        let mut backoff = Backoff::between(FIRST_PAUSE, LONGEST_PAUSE);
        loop {
            let mut found = read::<Token>(self.store(), &key).await?.ok_or(Error::TokenNotFound)?;
            let transfer = read::<Transfer>(self.store(), &StorageKey::transfer(id)).await?;
            let transfer = transfer.map(|found| found.value).filter(|transfer| transfer.holds_quota);
            let (Some(transfer), Some(quota)) = (transfer, &mut found.value.quota) else { return Ok(false) };
            quota.release(id, transfer.size_bytes, self.now());
            let change =
                Change { key: key.clone(), condition: Condition::Is(found.version), value: to_json(&found.value) };
            match self.store().commit(Commit { change: Some(change), ..Commit::default() }).await {
                Ok(_) => return Ok(true),
                Err(StoreError::Conflict) if !backoff.is_over() => backoff.pause().await,
                Err(error) => return Err(error.into()),
            }
        }
    }

    /// Notes that the record of a transfer says by now what its token's quota counts.
    pub(super) fn note_settled(&self, token: TokenId, entry: Entry) {
        self.0.settled.note(token, entry);
    }

    /// Drops what is left of the reservation of a transfer that is about to be forgotten: later it would seem that the
    /// transfer never came.
    pub(super) async fn forget_reservation(&self, transfer: &Transfer) -> Result<(), Error> {
        let Some(mark) = transfer.reservation else { return Ok(()) };
        let entry = Entry::reserved(transfer.transfer_id, mark);
        let key = StorageKey::token(transfer.token_id);
        let dropped = swap(
            self.store(),
            &key,
            || Error::TokenNotFound,
            |mut token: Token| {
                let there = token.quota.as_mut().is_some_and(|quota| quota.settle(entry));
                Ok(if there { Swap::write(token, Commit::default(), ()) } else { Swap::Keep(()) })
            },
        );
        dropped.await
    }

    /// Changes a quota by compare-and-swap; `None` where the token has none.
    async fn change_quota<A: Send>(
        &self,
        token: TokenId,
        mut decide: impl FnMut(&mut Quota) -> Result<A, Error> + Send,
    ) -> Result<Option<A>, Error> {
        let _turn = self.0.token_turns.wait(token).await;
        let settled = self.0.settled.of(token);
        let changed = swap(
            self.store(),
            &StorageKey::token(token),
            || Error::TokenNotFound,
            |mut token: Token| {
                let Some(quota) = &mut token.quota else { return Ok(Swap::Keep(None)) };
                for entry in &settled {
                    quota.settle(*entry);
                }
                let answer = decide(quota)?;
                Ok(Swap::write(token, Commit::default(), Some(answer)))
            },
        )
        .await?;
        self.0.settled.forget(token, &settled);
        Ok(changed)
    }

    /// What became of the transfers whose entries were left behind. Such are rare: each is a process that was killed.
    async fn look_for_abandoned(&self, quota: &Quota, now: Timestamp) -> Result<HashMap<Entry, Verdict>, Error> {
        let mut verdicts = HashMap::new();
        for entry in quota.abandoned(now) {
            let key = StorageKey::transfer(entry.transfer_id);
            let found = read::<Transfer>(self.store(), &key).await?.map(|found| found.value);
            let verdict = match (found, entry.step) {
                (Some(transfer), Step::Reserved) if transfer.reservation == entry.mark => Some(Verdict::Settled),
                (_, Step::Reserved) => Some(Verdict::NeverCame),
                // Whoever gave its bytes back is still to say so there: the sweeper will.
                (Some(transfer), Step::Released) if transfer.holds_quota => None,
                (_, Step::Released) => Some(Verdict::Settled),
            };
            verdicts.extend(verdict.map(|verdict| (entry, verdict)));
        }
        Ok(verdicts)
    }
}
