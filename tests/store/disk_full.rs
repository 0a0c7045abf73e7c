//! `file:` store on a full disk. Needs the right to mount a small tmpfs: root on Linux.

use futures_util::future::join_all;
use sgsend::domain::id::PayloadId;
use sgsend::domain::stats::CounterDelta;
use sgsend::domain::store::{Commit, Condition, Payloads, Records, StorageKey, StoreError};
use sgsend::domain::timestamp::Day;
use sgsend::server::store::{Durability, FileStore};

use crate::backends::{changing, content, creating, finished, key, next_writer, pattern, recording, upload, value};
use crate::small_disk::SmallDisk;

const MIB: u64 = 1 << 20;

fn small_disk() -> Option<SmallDisk> {
    SmallDisk::mount("2m")
}

fn open(disk: &SmallDisk) -> FileStore {
    FileStore::open(disk.path(), Durability::Full).unwrap()
}

/// Puts records until the disk is full; returns the number of stored records.
async fn fill(store: &FileStore, folder: &str) -> usize {
    for n in 0..1000 {
        match store.commit(recording(&format!("{folder}/{n}"), pattern(0..4000))).await {
            Ok(_) => {}
            Err(StoreError::Full) => return n,
            Err(error) => panic!("{error}: {error:?}"),
        }
    }
    panic!("a disk of 2 MiB stored 4 MB of records");
}

#[tokio::test(flavor = "multi_thread")]
async fn records_can_be_written_once_space_is_freed() {
    let Some(disk) = small_disk() else { return };
    let store = open(&disk);
    store.commit(creating("old.json", "object")).await.unwrap();
    let room = finished(&store, MIB).await;
    let filled = fill(&store, "events").await;
    assert!(filled > 10, "only {filled} records fit");

    let whole = Commit {
        schedule: vec![key("due/2026-01-01T00:00/x")],
        records: vec![(key("large"), pattern(0..MIB)), (key("small"), "event".into())],
        counter_delta: Some(CounterDelta { created: 1, ..CounterDelta::on(Day::from("2026-01-01".to_owned())) }),
        removals: vec![key("old.json")],
        ..creating("new.json", "object")
    };
    assert!(matches!(store.commit(whole.clone()).await, Err(StoreError::Full)));
    for absent in ["new.json", "large", "small", "due/2026-01-01T00:00/x"] {
        assert_eq!(value(&store, absent).await, None, "{absent} was written");
    }
    assert_eq!(store.keys(&StorageKey::all_stats(), None, 9).await.unwrap(), []);
    assert_eq!(value(&store, "old.json").await.unwrap(), "object");
    assert_eq!(value(&store, &format!("events/{}", filled - 1)).await.unwrap(), pattern(0..4000));

    store.remove(room).await.unwrap();
    store.commit(recording("events/again", "event")).await.unwrap();
    let removals = (0..filled).map(|n| key(&format!("events/{n}"))).collect();
    store.commit(Commit { removals, ..Commit::default() }).await.unwrap();
    assert!(fill(&store, "more").await > 10);
    drop(store);

    let database = rusqlite::Connection::open(disk.path().join("records.sqlite")).unwrap();
    let checked: String = database.query_row("PRAGMA integrity_check", [], |row| row.get(0)).unwrap();
    assert_eq!(checked, "ok");
    drop(database);
    let store = open(&disk);
    assert_eq!(value(&store, "events/again").await.unwrap(), "event");
    assert_eq!(value(&store, "old.json").await.unwrap(), "object");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_commit_too_large_fails_alone() {
    let Some(disk) = small_disk() else { return };
    let store = open(&disk);
    let commits = (0..40).map(|n| {
        let value = if n % 10 == 5 { pattern(0..3 * MIB) } else { pattern(0..100) };
        store.commit(changing(&format!("objects/{n}"), Condition::Absent, value))
    });
    for (n, response) in join_all(commits).await.into_iter().enumerate() {
        let full = matches!(response, Err(StoreError::Full));
        assert_eq!(full, n % 10 == 5, "commit {n}: {response:?}");
        assert_eq!(value(&store, &format!("objects/{n}")).await.is_none(), full);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn payloads_resume_once_space_is_freed() {
    let Some(disk) = small_disk() else { return };
    let store = open(&disk);
    let finished_payload = finished(&store, MIB / 2).await;
    let id = PayloadId::random();

    // The bytes that fitted stay, so that the upload can resume.
    let mut writer = store.writer(id, 0).await.unwrap();
    let mut written = Ok(());
    for quarter in 0..16 {
        let start = quarter * MIB / 4;
        written = writer.write(pattern(start..start + MIB / 4)).await;
        if written.is_err() {
            break;
        }
    }
    assert!(matches!(written, Err(StoreError::Full)), "{written:?}");
    assert!(writer.write(pattern(0..1)).await.is_err(), "bytes were written after a failed write");
    let end = writer.close().await.unwrap();
    assert_eq!(store.received(id).await.unwrap(), end);
    assert!(end > MIB / 2 && end < 2 * MIB, "{end} bytes are stored");

    // A writer that is closed immediately reports the full disk on close, and a discarded writer frees its space.
    assert!(matches!(upload(&store, id, end..end + MIB / 2).await, Err(StoreError::Full)));
    let other = PayloadId::random();
    store.remove(id).await.unwrap();
    let mut writer = store.writer(other, 0).await.unwrap();
    let _ = writer.write(pattern(0..3 * MIB)).await;
    writer.discard().await.unwrap();
    assert_eq!(store.received(other).await.unwrap(), 0);
    assert_eq!(upload(&store, other, 0..MIB).await.unwrap(), MIB);
    assert_eq!(store.finish(other, MIB).await.unwrap(), MIB);
    assert!(content(&store, other, 0..MIB).await.unwrap() == pattern(0..MIB));

    // Removal frees space for the payload that did not fit.
    store.remove(other).await.unwrap();
    let (end, mut writer) = next_writer(&store, id).await;
    writer.write(pattern(end..MIB)).await.unwrap();
    assert_eq!(writer.close().await.unwrap(), MIB);
    assert!(content(&store, finished_payload, 0..MIB / 2).await.unwrap() == pattern(0..MIB / 2));
    store.commit(creating("a.json", "object")).await.unwrap();
}
