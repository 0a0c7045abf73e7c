//! Compares the counters of the latest day with the transfers.

use bytes::Bytes;

use super::{Check, PAGE_SIZE};
use crate::domain::maintenance::repair::Repair;
use crate::domain::stats::{CounterDelta, DayStats};
use crate::domain::store::{StorageKey, StoreError, Version};
use crate::domain::timestamp::Day;

/// Stored counters of the latest day, with their version.
pub(super) struct LatestDay {
    key: StorageKey,
    version: Version,
    stored: Bytes,
}

impl Check<'_> {
    /// Reads the counters of the latest day before the transfers are counted.
    ///
    /// If they are the same afterwards, no transfer has changed its status in between.
    pub(super) async fn note_latest_day(&mut self) -> Result<(), StoreError> {
        let (all, mut after) = (StorageKey::all_stats(), None);
        while let Some(last) = self.store.keys(&all, after.as_ref(), PAGE_SIZE).await?.pop() {
            after = Some(last);
        }
        let Some(key) = after else { return Ok(()) };
        let found = self.store.get(&key).await?;
        self.latest_day = found.map(|found| LatestDay { key, version: found.version, stored: found.value });
        Ok(())
    }

    /// Reports unreadable counters, and counters of the latest day that differ from the transfers.
    pub(super) async fn stats(&mut self) -> Result<(), StoreError> {
        let (mut pages, mut days) = (self.pages(StorageKey::all_stats()), Vec::new());
        while let Some(page) = pages.next().await? {
            days.extend(page);
        }
        let latest = days.pop();
        let mut before = None;
        for (key, value) in &days {
            before = self.day(key, value, None).or(before);
        }
        let Some((key, value)) = latest else { return Ok(()) };
        let unchanged = self.latest_day.take().filter(|day| day.key == key && day.stored == value);
        let rebuilt = || {
            let day = Day::from(key.name().to_owned());
            self.corrected(DayStats::after(before.clone(), &CounterDelta::on(day)))
        };
        let remedy = |stats| unchanged.map(|day| Repair::SetCounters(day.version, Box::new(stats)));
        let Ok(stats) = DayStats::parse(key.as_str(), &value) else {
            let remedy = remedy(rebuilt());
            self.day(&key, &value, remedy);
            return Ok(());
        };
        self.day(&key, &value, None);
        let corrected = self.corrected(stats.clone());
        if corrected != stats {
            let problem = format!(
                "the counters say {:?} and {} bytes, the store has {:?} and {} bytes",
                stats.transfers.non_negative(),
                stats.bytes_stored,
                corrected.transfers.non_negative(),
                corrected.bytes_stored
            );
            let advice = "stop the services and check again; a remaining difference only affects `sgsend stats`";
            self.find_repairable("counters", &key, problem, advice, remedy(corrected));
        }
        Ok(())
    }

    /// Checks one day's counters; `remedy` mends unreadable ones.
    fn day(&mut self, key: &StorageKey, value: &Bytes, remedy: Option<Repair>) -> Option<DayStats> {
        let stats: DayStats = self.parse_repairable(key, value, remedy)?;
        self.name_is(key, stats.day.as_str());
        Some(stats)
    }

    /// Returns counters with the totals of the checked store.
    fn corrected(&self, stats: DayStats) -> DayStats {
        DayStats { transfers: self.sums, bytes_stored: self.bytes_stored, ..stats }
    }
}
