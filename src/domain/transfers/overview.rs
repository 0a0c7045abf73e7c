//! Service-wide statistics.

use std::collections::HashMap;

use super::Transfers;
use crate::domain::error::Error;
use crate::domain::stats::{DayStats, TransferCounts};
use crate::domain::store::{StorageKey, Store};
use crate::domain::timestamp::Timestamp;
use crate::domain::token::service::Tokens;
use crate::domain::wire::{DayOverview, StatsOverview};

/// Number of days in the overview.
const DAYS: u32 = 30;
const DAY: std::time::Duration = std::time::Duration::from_hours(24);

/// Totals of a store, as the last daily counters have them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct StoreTotals {
    /// Number of transfers per state.
    pub transfers: TransferCounts,
    /// Encrypted bytes of the payloads.
    pub bytes_stored: u64,
}

/// Returns the totals of `store`, by a list of the last days and one read.
///
/// # Errors
/// The error of the store.
pub async fn store_totals(store: &dyn Store, now: Timestamp) -> Result<StoreTotals, Error> {
    // Of services in use, the last counters are those of today or, just after midnight, of yesterday.
    let recent = last_stats(store, Some(StorageKey::stats(&now.minus(DAY * 2).day()))).await?;
    let last = match recent {
        Some(last) => Some(last),
        None => last_stats(store, None).await?,
    };
    Ok(last.map_or_else(StoreTotals::default, |stats| StoreTotals {
        transfers: stats.transfers.non_negative(),
        bytes_stored: u64::try_from(stats.bytes_stored).unwrap_or(0),
    }))
}

/// Reads the most recent daily counters after the key `after`; `None` if no later counters exist.
async fn last_stats(store: &dyn Store, mut after: Option<StorageKey>) -> Result<Option<DayStats>, Error> {
    let prefix = StorageKey::all_stats();
    let mut last = None;
    loop {
        let page = store.keys(&prefix, after.as_ref(), 1_000).await?;
        let Some(key) = page.into_iter().last() else { break };
        let found = store.get(&key).await?;
        last = found.map(|found| DayStats::parse(key.as_str(), &found.value)).transpose()?;
        after = Some(key);
    }
    Ok(last)
}

impl Transfers {
    /// Returns the statistics of all transfers and tokens, with daily counters of the last 30 UTC days.
    pub async fn overview(&self, tokens: &Tokens) -> Result<StatsOverview, Error> {
        let now = self.now();
        let mut days = Vec::new();
        let mut latest: Option<DayStats> = None;
        let month: Vec<_> = (0..DAYS).rev().map(|days_ago| now.minus(DAY.saturating_mul(days_ago)).day()).collect();
        let keys: Vec<_> = month.iter().map(StorageKey::stats).collect();
        let mut stored: HashMap<_, _> = self.store().get_all(&keys).await?.into_iter().collect();
        for (day, key) in month.into_iter().zip(&keys) {
            let stats = stored.remove(key).map(|value| DayStats::parse(key.as_str(), &value)).transpose()?;
            let total = |count: fn(&DayStats) -> u64| stats.as_ref().map_or(0, count);
            days.push(DayOverview {
                created: total(|stats| stats.created),
                completed: total(|stats| stats.completed),
                downloads: total(|stats| stats.downloads),
                bytes: total(|stats| stats.bytes),
                day,
            });
            latest = stats.or(latest);
        }
        // The totals are in the most recent stored day, which is after today if the clock was set back or is slow.
        let after = latest.is_some().then(|| StorageKey::stats(&now.day()));
        latest = last_stats(self.store(), after).await?.or(latest);
        Ok(StatsOverview {
            transfers: latest.as_ref().map(|stats| stats.transfers.non_negative()).unwrap_or_default(),
            bytes_stored: latest.as_ref().map_or(0, |stats| u64::try_from(stats.bytes_stored).unwrap_or(0)),
            downloads: latest.as_ref().map_or(0, |stats| stats.downloads_ever),
            tokens: tokens.count().await?,
            storage: self.storage_space(),
            days,
            as_of: now,
            untrusted_proxy: None,
            failing_targets: Vec::new(),
        })
    }
}
