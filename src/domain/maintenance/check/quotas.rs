//! Compares the quota use recorded in tokens with the sizes of their transfers.

use super::Check;
use crate::domain::id::{TokenId, TransferId};
use crate::domain::maintenance::repair::Repair;
use crate::domain::store::{StorageKey, StoreError, Version, read};
use crate::domain::token::{QuotaEntry, QuotaStep, Token};
use crate::domain::transfer::Transfer;

/// Quota use of one token, as recorded in the token and as computed from the transfers.
#[derive(Default)]
pub(super) struct Account {
    /// Transfers created and bytes in use according to the token.
    ///
    /// `None` if the token was removed meanwhile, or older layouts did not count them.
    recorded: Option<(u64, u64)>,
    /// Version of the token before the transfers were summed.
    version: Option<Version>,
    /// Sums of the entries below before the transfers were summed.
    before: EntrySums,
    /// Quota entries possibly not yet recorded in their transfers, after a crash. There are few entries, since the next
    /// transfer of the token completes the entries of earlier transfers.
    pending: Vec<(QuotaEntry, u64)>,
    /// Total encrypted bytes of the transfers that count against the quota.
    pub(super) actual: u64,
    /// Number of existing transfers.
    pub(super) transfers: u64,
}

/// Bytes of quota entries that their transfers do not show.
#[derive(Clone, Copy, Default, PartialEq, Eq)]
struct EntrySums {
    /// Reserved, without a transfer that uses the reservation.
    reserved: u64,
    /// Released, with a transfer that still counts them.
    released: u64,
}

impl Check<'_> {
    /// Reads the quota of a token, with the token's version.
    pub(super) async fn account(&self, token: &Token) -> Result<Account, StoreError> {
        let Some(found) = read::<Token>(self.store, &StorageKey::token(token.token_id)).await? else {
            return Ok(Account::default());
        };
        let (quota, pending) = (&found.value.quota, found.value.quota.pending_entries().collect::<Vec<_>>());
        let recorded = if quota.counts_all() {
            Some((quota.transfers_created(), quota.bytes_held()))
        } else {
            quota.max_total_bytes.map(|_| (u64::MAX, quota.bytes_held()))
        };
        let before = self.sums_of(token.token_id, &pending).await?;
        Ok(Account { recorded, version: Some(found.version), before, pending, ..Account::default() })
    }

    async fn sums_of(&self, token: TokenId, entries: &[(QuotaEntry, u64)]) -> Result<EntrySums, StoreError> {
        let mut sums = EntrySums::default();
        for (entry, bytes) in entries {
            let transfer = self.read_transfer(entry.transfer_id).await?;
            match (entry.step, transfer) {
                (QuotaStep::Reserved, Some(transfer)) if transfer.reservation_in(token) == entry.mark => {}
                (QuotaStep::Reserved, _) => sums.reserved += bytes,
                (QuotaStep::Released, Some(transfer)) if transfer.holds_quota => sums.released += bytes,
                (QuotaStep::Released, _) => {}
            }
        }
        Ok(sums)
    }

    /// Reports tokens whose recorded quota use differs from their transfers.
    ///
    /// Reservations and releases recorded only in the token so far are expected, and therefore taken into account.
    pub(super) async fn quotas(&mut self) -> Result<(), StoreError> {
        for (id, account) in std::mem::take(&mut self.tokens) {
            let Some((created, recorded)) = account.recorded else { continue };
            let sums = self.sums_of(id, &account.pending).await?;
            // The transfers of a token in use were not summed at one point in time.
            let now = self.store.get(&StorageKey::token(id)).await?.map(|found| found.version);
            if now != account.version {
                continue;
            }
            let (recorded, actual) =
                (recorded.saturating_add(sums.released), account.actual.saturating_add(sums.reserved));
            // An entry whose transfer has changed meanwhile may have been counted twice, or not at all.
            let version = account.version.filter(|_| sums == account.before);
            let used = (account.transfers, actual.saturating_sub(sums.released));
            let remedy = version.map(|version| Repair::SetQuota(id, version, used));
            let problem = format!("the quota records {recorded} bytes in use, but the transfers use {actual} bytes");
            let key = StorageKey::token(id);
            if recorded < actual {
                self.find_repairable("quota", &key, problem, "revoke this token and create a new one", remedy);
            } else if recorded > actual {
                let advice = "create a new token and revoke this one: its quota is exceeded too early";
                self.find_repairable("quota_high", &key, problem, advice, remedy);
            } else if created < account.transfers {
                let problem = format!("the token records {created} transfers, but {} exist", account.transfers);
                let advice = "no action needed if the token has no limit of transfers; else create a new one";
                self.find_repairable("quota", &key, problem, advice, remedy);
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
