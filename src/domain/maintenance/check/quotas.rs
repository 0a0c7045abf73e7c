//! Compares the quota use recorded in tokens with the sizes of their transfers.

use super::Check;
use crate::domain::id::TransferId;
use crate::domain::store::{StorageKey, StoreError, read};
use crate::domain::token::{Quota, QuotaEntry, QuotaStep};
use crate::domain::transfer::Transfer;

/// Quota use of one token, as recorded in the token and as computed from the transfers.
#[derive(Default)]
pub(super) struct Account {
    /// Bytes in use according to the token's quota; `None` without a byte limit.
    recorded: Option<u64>,
    /// Quota entries possibly not yet recorded in their transfers, after a crash. There are few entries, since the next
    /// transfer of the token completes the entries of earlier transfers.
    pending: Vec<(QuotaEntry, u64)>,
    /// Total encrypted bytes of the transfers that count against the quota.
    pub(super) actual: u64,
}

impl Account {
    pub(super) fn of(quota: Option<&Quota>) -> Self {
        let recorded = quota.and_then(Quota::bytes_held);
        let pending = quota.filter(|_| recorded.is_some()).map(|quota| quota.pending_entries().collect());
        Self { recorded, pending: pending.unwrap_or_default(), actual: 0 }
    }
}

impl Check<'_> {
    /// Reports tokens whose recorded quota use differs from their transfers.
    ///
    /// Reservations and releases recorded only in the token so far are expected, and therefore taken into account.
    pub(super) async fn quotas(&mut self) -> Result<(), StoreError> {
        for (id, account) in std::mem::take(&mut self.tokens) {
            let Some(recorded) = account.recorded else { continue };
            let (mut reserved, mut released) = (0, 0);
            for (entry, bytes) in account.pending {
                let transfer = self.read_transfer(entry.transfer_id).await?;
                match (entry.step, transfer) {
                    (QuotaStep::Reserved, Some(transfer)) if transfer.reservation == entry.mark => {}
                    (QuotaStep::Reserved, _) => reserved += bytes,
                    (QuotaStep::Released, Some(transfer)) if transfer.holds_quota => released += bytes,
                    (QuotaStep::Released, _) => {}
                }
            }
            let (recorded, actual) = (recorded.saturating_add(released), account.actual.saturating_add(reserved));
            let problem = format!("the quota records {recorded} bytes in use, but the transfers use {actual} bytes");
            let key = StorageKey::token(id);
            if recorded < actual {
                self.find("quota", &key, problem, "revoke this token and create a new one");
            } else if recorded > actual {
                let advice = "create a new token and revoke this one: its quota is exceeded too early";
                self.find("quota_high", &key, problem, advice);
            }
        }
        Ok(())
    }

    /// Reads a transfer; `None` if the transfer is missing or unreadable, which the transfer check reports.
    pub(super) async fn read_transfer(&self, id: TransferId) -> Result<Option<Transfer>, StoreError> {
        match read::<Transfer>(self.store, &StorageKey::transfer(id)).await {
            Ok(found) => Ok(found.map(|found| found.value)),
            Err(StoreError::Corrupt { .. }) => Ok(None),
            Err(error) => Err(error),
        }
    }
}
