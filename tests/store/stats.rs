//! Counters: the deltas that commits add.

use futures_util::future::join_all;
use sgsend::domain::stats::{CounterDelta, DayStats, StatusMoves};
use sgsend::domain::store::{Commit, StorageKey, Store};
use sgsend::domain::timestamp::Day;
use sgsend::domain::transfer::Status;

use crate::backends::{SharedStore, creating};

fn delta_on(day: &str) -> CounterDelta {
    CounterDelta::on(Day::from(day.to_owned()))
}

async fn all(store: &dyn Store) -> Vec<DayStats> {
    store.flush().await.unwrap();
    let stored = store.list(&StorageKey::all_stats(), None, 99).await.unwrap().items;
    stored.iter().map(|(key, value)| DayStats::parse(key.as_str(), value).unwrap()).collect()
}

pub(crate) async fn tallies_are_added_per_day(store: SharedStore) {
    let created = CounterDelta {
        created: 1,
        status_moves: StatusMoves::one(None, Some(Status::Pending)),
        ..delta_on("2026-01-01")
    };
    let completed = CounterDelta {
        completed: 1,
        bytes: 70,
        downloads: 2,
        status_moves: StatusMoves::one(Some(Status::Pending), Some(Status::Completed)),
        ..delta_on("2026-01-03")
    };
    let late = CounterDelta { downloads: 1, ..delta_on("2026-01-02") };
    for (at, counter_delta) in [("a", created.clone()), ("b", created), ("c", completed), ("d", late)] {
        store.commit(Commit { counter_delta: Some(counter_delta), ..creating(at, "object") }).await.unwrap();
        // Flushes first, so that the late delta is also late for backends that batch deltas.
        store.flush().await.unwrap();
    }
    let days = all(&*store).await;
    let [first, third] = days.as_slice() else { panic!("expected two days: {days:?}") };
    assert_eq!((first.day.as_str(), first.created, first.transfers.pending), ("2026-01-01", 2, 2));
    assert_eq!((third.day.as_str(), third.created, third.downloads, third.downloads_ever), ("2026-01-03", 0, 3, 3));
    assert_eq!((third.transfers.pending, third.transfers.completed, third.bytes_stored), (1, 1, 70));
}

pub(crate) async fn racing_tallies_all_count(store: SharedStore) {
    let commits = (0..100).map(|_| {
        let counter_delta = CounterDelta { downloads: 1, ..delta_on("2026-01-01") };
        store.commit(Commit { counter_delta: Some(counter_delta), ..Commit::default() })
    });
    assert!(join_all(commits).await.into_iter().all(|response| matches!(response, Ok(None))));
    assert_eq!(all(&*store).await[0].downloads, 100);
}
