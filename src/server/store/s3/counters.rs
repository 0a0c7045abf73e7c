//! Counters: gathered in memory, and added to the bucket's once in a while and at the end.

use std::collections::BTreeMap;
use std::sync::Mutex;

use super::S3Store;
use super::records::backoff;
use crate::domain::stats::{CounterDelta, DayStats};
use crate::domain::store::{Change, Commit, Condition, Records, StorageKey, StoreError, Versioned, read, to_json};
use crate::domain::timestamp::Day;

/// Days listed at once: more than are kept.
const DAYS: usize = 1_000;

/// What commits have added, by day, since the counters were last written.
#[derive(Debug, Default)]
pub(super) struct Sums(Mutex<BTreeMap<Day, CounterDelta>>);

impl Sums {
    /// Adds what a commit adds.
    pub(super) fn add(&self, tally: &CounterDelta) {
        let mut days = self.0.lock().expect("nothing panics while it holds this lock");
        days.entry(tally.day.clone()).or_insert_with(|| CounterDelta::on(tally.day.clone())).merge(tally);
    }

    fn take_first(&self) -> Option<CounterDelta> {
        let first = self.0.lock().expect("nothing panics while it holds this lock").pop_first();
        first.map(|(_, tally)| tally)
    }
}

impl S3Store {
    /// Adds what was gathered to the counters; what cannot be added stays gathered.
    pub(super) async fn write_sums(&self) -> Result<(), StoreError> {
        while let Some(sum) = self.0.sums.take_first() {
            if let Err(error) = self.write_sum(&sum).await {
                self.0.sums.add(&sum);
                return Err(error);
            }
        }
        Ok(())
    }

    async fn write_sum(&self, sum: &CounterDelta) -> Result<(), StoreError> {
        let mut backoff = backoff();
        loop {
            match self.add_to_latest(sum).await {
                Err(StoreError::Conflict) if !backoff.is_over() => backoff.pause().await,
                added => return added,
            }
        }
    }

    async fn add_to_latest(&self, sum: &CounterDelta) -> Result<(), StoreError> {
        let Some(latest) = self.latest_day().await? else {
            let first = DayStats::after(None, sum);
            return self.write_day(first, Condition::Absent).await;
        };
        if !latest.value.closed && latest.value.day >= sum.day {
            let more = DayStats::after(Some(latest.value), sum);
            return self.write_day(more, Condition::Is(latest.version)).await;
        }
        // A new day takes over the totals. Those of the old one must stand still first.
        let mut last = latest.value;
        if !last.closed {
            last.closed = true;
            self.write_day(last.clone(), Condition::Is(latest.version)).await?;
        }
        // What comes late for a closed day counts for the next one, which whoever closed it may not have written yet.
        let day = if last.day < sum.day { sum.day.clone() } else { last.day.next() };
        self.write_day(DayStats::after(Some(last), &CounterDelta { day, ..sum.clone() }), Condition::Absent).await
    }

    async fn latest_day(&self) -> Result<Option<Versioned<DayStats>>, StoreError> {
        let days = self.keys(&StorageKey::all_stats(), None, DAYS).await?;
        match days.last() {
            Some(key) => read(self, key).await,
            None => Ok(None),
        }
    }

    async fn write_day(&self, stats: DayStats, condition: Condition) -> Result<(), StoreError> {
        let change = Change { key: StorageKey::stats(&stats.day), condition, value: to_json(&stats) };
        self.commit(Commit::of(change)).await.map(drop)
    }
}
