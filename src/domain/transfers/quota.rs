//! Counting transfers against the quota of their sender's token.

use std::collections::{HashMap, HashSet};
use std::sync::{Mutex, MutexGuard};

use super::Transfers;
use crate::domain::error::Error;
use crate::domain::id::{TokenId, TransferId};
use crate::domain::store::{Backoff, Change, Commit, Condition, StorageKey, StoreError, read, to_json};
use crate::domain::timestamp::Timestamp;
use crate::domain::token::{Entry, Mark, Quota, Step, Token, Verdict};
use crate::domain::transfer::Transfer;

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
        self.change_quota(token.token_id, None, |quota, _| {
            quota.end_abandoned(&verdicts, now);
            quota.reserve(id, bytes, now).map(Some)
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
        let cancelled = self.change_quota(transfer.token_id, None, |quota, _| {
            quota.cancel(id, mark);
            Ok(Some(()))
        });
        cancelled.await.map(drop)
    }

    /// Gives back what a transfer holds, whose payload is gone; `false` where it holds nothing. Its own record is to say
    /// so next.
    ///
    /// Whoever else has released it has either changed the token since it was read, or has left an entry in it, or the
    /// transfer, which is read after it, says so.
    pub(super) async fn release_quota(&self, id: TransferId, token: TokenId) -> Result<bool, Error> {
        let now = self.now();
        let released = self.change_quota(token, Some(id), |quota, transfer| {
            let holder = transfer.filter(|transfer| transfer.holds_quota);
            Ok(holder.map(|transfer| quota.release(id, transfer.size_bytes, now)))
        });
        Ok(released.await?.is_some())
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
        let dropped = self.change_quota(transfer.token_id, None, |quota, _| Ok(quota.settle(entry).then_some(())));
        dropped.await.map(drop)
    }

    /// Changes a quota by compare-and-swap, and drops from it what is settled; `None` where the token has none, or
    /// `decide` changes nothing. The transfer that it is `about` is read after the token, in each try.
    async fn change_quota<A: Send>(
        &self,
        token: TokenId,
        about: Option<TransferId>,
        mut decide: impl FnMut(&mut Quota, Option<&Transfer>) -> Result<Option<A>, Error> + Send,
    ) -> Result<Option<A>, Error> {
        let _turn = self.0.token_turns.wait(token).await;
        let settled = self.0.settled.of(token);
        let key = StorageKey::token(token);
        let mut backoff = Backoff::of_changes();
        loop {
            let mut found = read::<Token>(self.store(), &key).await?.ok_or(Error::TokenNotFound)?;
            let transfer = match about {
                Some(id) => read::<Transfer>(self.store(), &StorageKey::transfer(id)).await?,
                None => None,
            };
            let Some(quota) = &mut found.value.quota else { return Ok(None) };
            let dropped = settled.iter().filter(|entry| quota.settle(**entry)).count();
            let answer = decide(quota, transfer.as_ref().map(|found| &found.value))?;
            if answer.is_none() && dropped == 0 {
                return Ok(None);
            }
            let change =
                Change { key: key.clone(), condition: Condition::Is(found.version), value: to_json(&found.value) };
            match self.store().commit(Commit { change: Some(change), ..Commit::default() }).await {
                Ok(_) => {
                    self.0.settled.forget(token, &settled);
                    return Ok(answer);
                }
                Err(StoreError::Conflict) if !backoff.is_over() => backoff.pause().await,
                Err(error) => return Err(error.into()),
            }
        }
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
