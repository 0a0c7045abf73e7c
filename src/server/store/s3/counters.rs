//! Daily counters: summed in memory, and added to the bucket periodically and at shutdown.

use std::collections::BTreeMap;
use std::sync::Mutex;

use super::S3Store;
use super::records::backoff;
use crate::domain::stats::{CounterDelta, DayStats};
use crate::domain::store::{Change, Commit, Condition, Records, StorageKey, StoreError, Versioned, read, to_json};
use crate::domain::timestamp::Day;

/// Maximum number of listed days; more days than are kept.
const DAYS: usize = 1_000;

/// Counter changes by day since the last write to the bucket.
#[derive(Debug, Default)]
pub(super) struct CounterBuffer(Mutex<BTreeMap<Day, CounterDelta>>);

impl CounterBuffer {
    /// Adds the counter changes of a commit.
    pub(super) fn add(&self, counter_delta: &CounterDelta) {
        let mut days = self.0.lock().expect("no thread panics while holding the lock");
        days.entry(counter_delta.day.clone())
            .or_insert_with(|| CounterDelta::on(counter_delta.day.clone()))
            .merge(counter_delta);
    }

    fn take_first(&self) -> Option<CounterDelta> {
        let first = self.0.lock().expect("no thread panics while holding the lock").pop_first();
        first.map(|(_, counter_delta)| counter_delta)
    }
}

impl S3Store {
    /// Adds the pending changes to the counters in the bucket; keeps those that cannot be written.
    pub(super) async fn write_counters(&self) -> Result<(), StoreError> {
        while let Some(sum) = self.0.counters.take_first() {
            if let Err(error) = self.write_sum(&sum).await {
                self.0.counters.add(&sum);
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
        // A new day starts with the totals of the old day, which must be closed first so that they no longer change.
        let mut last = latest.value;
        if !last.closed {
            last.closed = true;
            self.write_day(last.clone(), Condition::Is(latest.version)).await?;
        }
        // Late changes of a closed day count for the next day. The server that closed the day may not have created the
        // next one yet.
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
