//! Counting transfers against the quota of their sender's token.

use std::collections::{HashMap, HashSet};
use std::sync::Mutex;

use super::Transfers;
use crate::domain::error::Error;
use crate::domain::id::{TokenId, TransferId};
use crate::domain::store::{Commit, StorageKey, Swap, read, swap};
use crate::domain::timestamp::Timestamp;
use crate::domain::token::{Quota, Reservation, Step, Token, Verdict};
use crate::domain::transfer::Transfer;

/// Entries in quotas of which this process knows that they are settled: the next write of their token drops them.
#[derive(Debug, Default)]
pub(super) struct Settled(Mutex<HashMap<TokenId, HashSet<(TransferId, Step)>>>);

impl Settled {
    pub(super) fn note(&self, token: TokenId, transfer: TransferId, step: Step) {
        let mut settled = self.0.lock().expect("nothing panics while it holds this lock");
        settled.entry(token).or_default().insert((transfer, step));
    }

    fn of(&self, token: TokenId) -> HashSet<(TransferId, Step)> {
        let settled = self.0.lock().expect("nothing panics while it holds this lock");
        settled.get(&token).cloned().unwrap_or_default()
    }

    fn forget(&self, token: TokenId, known: &HashSet<(TransferId, Step)>) {
        let mut settled = self.0.lock().expect("nothing panics while it holds this lock");
        if let Some(entries) = settled.get_mut(&token) {
            entries.retain(|entry| !known.contains(entry));
            if entries.is_empty() {
                settled.remove(&token);
            }
        }
    }
}

impl Transfers {
    /// Reserves what a transfer of `bytes` takes of the quota of `token`, if that has one.
    ///
    /// # Errors
    /// [`Error::QuotaExceeded`].
    pub(super) async fn reserve_quota(
        &self,
        token: &Token,
        id: TransferId,
        bytes: u64,
    ) -> Result<Option<Reservation>, Error> {
        let Some(quota) = &token.quota else { return Ok(None) };
        let now = self.now();
        let verdicts = self.look_for_abandoned(quota, now).await?;
        self.change_quota(token.token_id, |quota| {
            quota.end_abandoned(&verdicts, now);
            quota.reserve(id, bytes, now)
        })
        .await
    }

    /// Gives back a reservation for a transfer that somebody else has created.
    pub(super) async fn cancel_quota(&self, token: TokenId, id: TransferId) -> Result<(), Error> {
        self.change_quota(token, |quota| {
            quota.cancel(id);
            Ok(())
        })
        .await
        .map(drop)
    }

    /// Gives back what a transfer holds, whose payload is gone. Its own record is to say so next.
    pub(super) async fn release_quota(&self, transfer: &Transfer) -> Result<(), Error> {
        let now = self.now();
        self.change_quota(transfer.token_id, |quota| {
            quota.release(transfer.transfer_id, transfer.size_bytes, now);
            Ok(())
        })
        .await
        .map(drop)
    }

    /// Notes that the record of a transfer says by now what its token's quota counts.
    pub(super) fn note_settled(&self, token: TokenId, transfer: TransferId, step: Step) {
        self.0.settled.note(token, transfer, step);
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
                for (id, step) in &settled {
                    quota.settle(*id, *step);
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
    async fn look_for_abandoned(
        &self,
        quota: &Quota,
        now: Timestamp,
    ) -> Result<HashMap<(TransferId, Step), Verdict>, Error> {
        let mut verdicts = HashMap::new();
        for (id, step) in quota.abandoned(now) {
            let found = read::<Transfer>(self.store(), &StorageKey::transfer(id)).await?.map(|found| found.value);
            let verdict = match (found, step) {
                (None, Step::Reserved) => Some(Verdict::NeverCame),
                // Whoever gave its bytes back is still to say so there: the sweeper will.
                (Some(transfer), Step::Released) if transfer.holds_quota => None,
                (Some(_), Step::Reserved) | (_, Step::Released) => Some(Verdict::Settled),
            };
            verdicts.extend(verdict.map(|verdict| ((id, step), verdict)));
        }
        Ok(verdicts)
    }
}
