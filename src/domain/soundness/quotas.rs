//! What tokens count, and what their transfers hold.

use super::Check;
use crate::domain::id::TransferId;
use crate::domain::store::{StorageKey, StoreError, read};
use crate::domain::token::{Entry, Quota, Step};
use crate::domain::transfer::Transfer;

/// What is known of one token.
#[derive(Default)]
pub(super) struct Account {
    /// What its quota says is held, where it counts that.
    counted: Option<u64>,
    /// What of that its transfers may not yet say, after a crash: few, since the token's next transfer settles them.
    unsettled: Vec<(Entry, u64)>,
    /// What its transfers hold.
    pub(super) held: u64,
}

impl Account {
    pub(super) fn of(quota: Option<&Quota>) -> Self {
        let counted = quota.and_then(Quota::bytes_held);
        let unsettled = quota.filter(|_| counted.is_some()).map(|quota| quota.unsettled().collect());
        Self { counted, unsettled: unsettled.unwrap_or_default(), held: 0 }
    }
}

impl Check<'_> {
    /// What is on its way between a token and a transfer is no finding.
    pub(super) async fn quotas(&mut self) -> Result<(), StoreError> {
        for (id, account) in std::mem::take(&mut self.tokens) {
            let Some(counted) = account.counted else { continue };
            let (mut reserved, mut released) = (0, 0);
            for (entry, bytes) in account.unsettled {
                let transfer = self.read_transfer(entry.transfer_id).await?;
                match (entry.step, transfer) {
                    (Step::Reserved, Some(transfer)) if transfer.reservation == entry.mark => {}
                    (Step::Reserved, _) => reserved += bytes,
                    (Step::Released, Some(transfer)) if transfer.holds_quota => released += bytes,
                    (Step::Released, _) => {}
                }
            }
            let (counted, held) = (counted.saturating_add(released), account.held.saturating_add(reserved));
            let problem = format!("it counts {counted} bytes, and its transfers hold {held}");
            let key = StorageKey::token(id);
            if counted < held {
                self.find("quota", &key, problem, "revoke this token, and create another one");
            } else if counted > held {
                let advice = "create another token, and revoke this one: its sender is refused too early";
                self.find("quota_high", &key, problem, advice);
            }
        }
        Ok(())
    }

    /// The state of a transfer; `None` where there is none that can be read, which is found elsewhere.
    pub(super) async fn read_transfer(&self, id: TransferId) -> Result<Option<Transfer>, StoreError> {
        match read::<Transfer>(self.store, &StorageKey::transfer(id)).await {
            Ok(found) => Ok(found.map(|found| found.value)),
            Err(StoreError::Corrupt { .. }) => Ok(None),
            Err(error) => Err(error),
        }
    }
}
