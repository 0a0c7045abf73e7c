//! Objects: compare-and-swap changes, together with their records, schedule entries and removals.

use bytes::Bytes;
use futures_util::future::join_all;
use sgsend::domain::stats::CounterDelta;
use sgsend::domain::store::{Commit, Condition, StorageKey, StoreError, Version};
use sgsend::domain::timestamp::Day;
use tokio::task::JoinSet;

use crate::backends::{SharedStore, changing, creating, key, recording, value, version};

pub(crate) async fn an_object_is_created_once(store: SharedStore) {
    assert_eq!(store.get(&key("a.json")).await.unwrap(), None);
    let created = store.commit(creating("a.json", "first")).await.unwrap();
    assert_eq!(created, Some(version(&*store, "a.json").await));
    let second = store.commit(creating("a.json", "second")).await;
    assert!(matches!(second, Err(StoreError::Conflict)));
    assert_eq!(value(&*store, "a.json").await.unwrap(), "first");
}

pub(crate) async fn an_object_changes_only_from_the_version_read(store: SharedStore) {
    let nothing = store.commit(changing("a.json", Condition::Is(Version("1".to_owned())), "x")).await;
    assert!(matches!(nothing, Err(StoreError::Conflict)));
    let first = store.commit(creating("a.json", "first")).await.unwrap().unwrap();
    let second = store.commit(changing("a.json", Condition::Is(first.clone()), "second")).await.unwrap().unwrap();
    assert_ne!(first, second);
    let late = store.commit(changing("a.json", Condition::Is(first), "third")).await;
    assert!(matches!(late, Err(StoreError::Conflict)));
    assert_eq!(value(&*store, "a.json").await.unwrap(), "second");
    store.commit(changing("a.json", Condition::Is(second), "fourth")).await.unwrap();
    assert_eq!(value(&*store, "a.json").await.unwrap(), "fourth");
}

pub(crate) async fn a_conflict_writes_nothing(store: SharedStore) {
    store.commit(creating("a.json", "first")).await.unwrap();
    let rejected = Commit {
        records: vec![(key("events/1.json"), "event".into())],
        counter_delta: Some(CounterDelta { created: 1, ..CounterDelta::on(Day::from("2026-01-01".to_owned())) }),
        removals: vec![key("a.json")],
        ..creating("a.json", "second")
    };
    assert!(matches!(store.commit(rejected).await, Err(StoreError::Conflict)));
    assert_eq!(value(&*store, "a.json").await.unwrap(), "first");
    assert_eq!(value(&*store, "events/1.json").await, None);
    store.flush().await.unwrap();
    assert_eq!(store.keys(&StorageKey::all_stats(), None, 9).await.unwrap(), []);
}

pub(crate) async fn a_conflict_leaves_no_hints(store: SharedStore) {
    store.commit(creating("a.json", "first")).await.unwrap();
    let rejected = Commit { schedule: vec![key("due/2026-01-01T00:00/x")], ..creating("a.json", "second") };
    assert!(matches!(store.commit(rejected).await, Err(StoreError::Conflict)));
    assert_eq!(store.keys(&StorageKey::all_schedule_entries(), None, 9).await.unwrap(), []);
}

pub(crate) async fn records_are_written_once(store: SharedStore) {
    assert_eq!(store.commit(recording("events/1.json", "first")).await.unwrap(), None);
    let with_another = Commit {
        records: vec![(key("events/1.json"), "second".into()), (key("events/2.json"), "other".into())],
        ..creating("a.json", "object")
    };
    store.commit(with_another).await.unwrap();
    assert_eq!(value(&*store, "events/1.json").await.unwrap(), "first");
    assert_eq!(value(&*store, "events/2.json").await.unwrap(), "other");
    assert_eq!(value(&*store, "a.json").await.unwrap(), "object");
}

pub(crate) async fn hints_can_be_put_repeatedly(store: SharedStore) {
    let hints = vec![key("due/2026-01-01T00:00/x"), key("due/2026-01-01T00:01/y")];
    for _ in 0..2 {
        assert_eq!(store.commit(Commit { schedule: hints.clone(), ..Commit::default() }).await.unwrap(), None);
    }
    assert_eq!(store.keys(&StorageKey::all_schedule_entries(), None, 9).await.unwrap(), hints);
    assert_eq!(value(&*store, "due/2026-01-01T00:00/x").await.unwrap(), "");
}

pub(crate) async fn removals_are_repeatable(store: SharedStore) {
    store.commit(creating("a.json", "a")).await.unwrap();
    store.commit(creating("b.json", "b")).await.unwrap();
    let removing = Commit { removals: vec![key("a.json"), key("never.json")], ..Commit::default() };
    store.commit(removing.clone()).await.unwrap();
    store.commit(removing).await.unwrap();
    assert_eq!(value(&*store, "a.json").await, None);
    assert_eq!(value(&*store, "b.json").await.unwrap(), "b");
    // Moving a schedule entry puts the new entry and removes the old entry in one commit.
    let moving = Commit { schedule: vec![key("due/2")], removals: vec![key("b.json")], ..Commit::default() };
    store.commit(moving).await.unwrap();
    assert_eq!((value(&*store, "b.json").await, value(&*store, "due/2").await), (None, Some(Bytes::new())));
}

pub(crate) async fn values_are_kept_byte_for_byte(store: SharedStore) {
    for (at, kept) in
        [("empty", Bytes::new()), ("zeros", vec![0; 5].into()), ("large", crate::backends::pattern(0..700_000))]
    {
        store.commit(changing(at, Condition::Absent, kept.clone())).await.unwrap();
        assert_eq!(value(&*store, at).await.unwrap(), kept);
    }
}

pub(crate) async fn versions_are_never_reused(store: SharedStore) {
    let mut seen: Vec<Version> = Vec::new();
    for _ in 0..3 {
        let created = store.commit(creating("a.json", "new")).await.unwrap().unwrap();
        let changed = store.commit(changing("a.json", Condition::Is(created.clone()), "old")).await.unwrap().unwrap();
        for old in &seen {
            assert!(*old != created && *old != changed, "{old:?} came twice");
            let rejected = store.commit(changing("a.json", Condition::Is(old.clone()), "lost")).await;
            assert!(matches!(rejected, Err(StoreError::Conflict)));
        }
        seen.extend([created, changed]);
        store.commit(Commit { removals: vec![key("a.json")], ..Commit::default() }).await.unwrap();
    }
}

pub(crate) async fn racing_tasks_lose_no_update(store: SharedStore) {
    store.commit(creating("counter.json", "0")).await.unwrap();
    let mut tasks = JoinSet::new();
    for _ in 0..32 {
        let store = store.clone();
        tasks.spawn(async move {
            let mut added = 0;
            while added < 8 {
                let found = store.get(&key("counter.json")).await.unwrap().unwrap();
                let count: u32 = std::str::from_utf8(&found.value).unwrap().parse().unwrap();
                let next = changing("counter.json", Condition::Is(found.version), (count + 1).to_string());
                match store.commit(next).await {
                    Ok(_) => added += 1,
                    Err(StoreError::Conflict) => {}
                    Err(error) => panic!("{error}"),
                }
            }
        });
    }
    tasks.join_all().await;
    assert_eq!(value(&*store, "counter.json").await.unwrap(), "256");
}

pub(crate) async fn refused_commits_do_not_affect_others(store: SharedStore) {
    store.commit(creating("taken.json", "first")).await.unwrap();
    let commits = (0..200).map(|n| {
        let at = if n % 3 == 0 { "taken.json".to_owned() } else { format!("new/{n}.json") };
        let record = (key(&format!("events/{n}.json")), Bytes::from("event"));
        store.commit(Commit { records: vec![record], ..creating(&at, "object") })
    });
    for (n, response) in join_all(commits).await.into_iter().enumerate() {
        let rejected = n % 3 == 0;
        assert_eq!(matches!(response, Err(StoreError::Conflict)), rejected, "commit {n}: {response:?}");
        assert_eq!(value(&*store, &format!("events/{n}.json")).await.is_none(), rejected);
        assert_eq!(value(&*store, &format!("new/{n}.json")).await.is_none(), rejected);
    }
    assert_eq!(value(&*store, "taken.json").await.unwrap(), "first");
}
