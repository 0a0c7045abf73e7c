//! Repairs of derived numbers: quotas and counters.

use super::{Repair, Repaired, Repairs};
use crate::domain::id::TokenId;
use crate::domain::maintenance::check::{StoreFinding, check};
use crate::domain::stats::DayStats;
use crate::domain::store::{Change, Commit, Condition, StorageKey, StoreError, Version, read, to_json};
use crate::domain::token::Token;

impl Repairs<'_> {
    /// Sets the use of a quota, unless the token has changed since the check began.
    ///
    /// Every change of a transfer's share changes the token first, so the sum of the check is exact then.
    pub(super) async fn set_quota(
        &self,
        finding: &StoreFinding,
        id: TokenId,
        version: &Version,
        (transfers, bytes): (u64, u64),
    ) -> Result<Repaired, StoreError> {
        let key = StorageKey::token(id);
        let Some(found) = read::<Token>(self.store, &key).await? else { return Ok(Repaired::Changed) };
        if found.version != *version {
            return Ok(Repaired::Changed);
        }
        let mut token = found.value;
        token.quota.set_use(transfers, bytes);
        let change = Change { key, condition: Condition::Is(found.version), value: to_json(&token) };
        self.store.commit(Commit { change: Some(change), ..self.service_commit(finding) }).await?;
        Ok(Repaired::Done)
    }

    /// Writes the counters, unless they have changed since the check began.
    ///
    /// In a backend that adds counters later, waits until every server must have added its own, and checks again: if the
    /// result is the same, none was pending.
    pub(super) async fn set_counters(
        &self,
        finding: &StoreFinding,
        version: &Version,
        stats: &DayStats,
    ) -> Result<Repaired, StoreError> {
        let delay = self.store.counter_delay();
        if !delay.is_zero() {
            tokio::time::sleep(delay).await;
            let same = Repair::SetCounters(version.clone(), Box::new(stats.clone()));
            let findings = Box::pin(check(self.store)).await?.findings;
            if !findings.iter().any(|finding| finding.remedy.as_ref() == Some(&same)) {
                return Ok(Repaired::Changed);
            }
        }
        let key = StorageKey::stats(&stats.day);
        let change = Change { key, condition: Condition::Is(version.clone()), value: to_json(stats) };
        self.store.commit(Commit { change: Some(change), ..self.service_commit(finding) }).await?;
        Ok(Repaired::Done)
    }
}
