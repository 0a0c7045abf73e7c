//! Behaviour specific to the `file:` store.

use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use futures_util::FutureExt;
use sgsend::domain::id::PayloadId;
use sgsend::domain::store::{Condition, Payloads, Records, StorageKey, StoreError};
use sgsend::server::store::{Durability, FileStore, FolderError};

use crate::backends::{changing, content, creating, finished, key, next_writer, open, pattern, upload, value, version};

#[tokio::test(flavor = "multi_thread")]
async fn reopening_keeps_all_state() {
    let directory = tempfile::tempdir().unwrap();
    let partial = PayloadId::random();
    let (whole, before) = {
        let store = open(&directory);
        store.commit(creating("a.json", "object")).await.unwrap();
        upload(&store, partial, 0..1000).await.unwrap();
        (finished(&store, 1000).await, version(&store, "a.json").await)
    };
    let store = open(&directory);
    assert_eq!(value(&store, "a.json").await.unwrap(), "object");
    assert_eq!(version(&store, "a.json").await, before);
    let after = store.commit(changing("a.json", Condition::Is(before.clone()), "new")).await.unwrap().unwrap();
    assert_ne!(after, before);
    assert_eq!(content(&store, whole, 0..1000).await.unwrap(), pattern(0..1000));
    assert_eq!(upload(&store, partial, 1000..2000).await.unwrap(), 2000);
    assert_eq!(store.finish(partial, 2000).await.unwrap(), 2000);
}

#[tokio::test(flavor = "multi_thread")]
async fn two_handles_are_one_store() {
    let directory = tempfile::tempdir().unwrap();
    let (one, other) = (open(&directory), open(&directory));
    let first = one.commit(creating("a.json", "first")).await.unwrap().unwrap();
    assert_eq!(version(&other, "a.json").await, first);
    other.commit(changing("a.json", Condition::Is(first.clone()), "second")).await.unwrap();
    assert_eq!(value(&one, "a.json").await.unwrap(), "second");
    let late = one.commit(changing("a.json", Condition::Is(first), "third")).await;
    assert!(matches!(late, Err(StoreError::Conflict)));

    let id = PayloadId::random();
    let writer = one.writer(id, 0).await.unwrap();
    assert!(matches!(other.writer(id, 0).await.err(), Some(StoreError::WriterBusy)));
    assert!(matches!(other.finish(id, 0).await, Err(StoreError::WriterBusy)));
    drop(writer);
    let (_, writer) = next_writer(&other, id).await;
    writer.close().await.unwrap();

    // Closing a handle keeps the locks of the other handle.
    drop(one);
    other.commit(creating("b.json", "still")).await.unwrap();
    assert_eq!(value(&other, "b.json").await.unwrap(), "still");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_child_process_inherits_no_lock() {
    let directory = tempfile::tempdir().unwrap();
    let store = open(&directory);
    let over = Arc::new(AtomicBool::new(false));
    let starting = std::thread::spawn({
        let over = Arc::clone(&over);
        move || {
            // The failing spawn forks first: the child briefly holds copies of all open files.
            while !over.load(Ordering::Relaxed) {
                assert!(Command::new(directory.path().join("no such program")).spawn().is_err());
            }
        }
    });
    for _ in 0..300 {
        finished(&store, 10).await;
    }
    over.store(true, Ordering::Relaxed);
    starting.join().unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_new_store_is_opened_by_many_at_once() {
    for _ in 0..5 {
        let directory = Arc::new(tempfile::tempdir().unwrap());
        let tasks: Vec<_> = (0..8)
            .map(|n| {
                let directory = Arc::clone(&directory);
                tokio::spawn(async move {
                    let store = tokio::task::spawn_blocking(move || open(&directory)).await.unwrap();
                    store.commit(creating(&format!("tokens/{n}"), "object")).await.unwrap();
                })
            })
            .collect();
        for task in tasks {
            task.await.unwrap();
        }
        let listed = open(&directory).keys(&StorageKey::tokens(), None, 99).await.unwrap();
        assert_eq!(listed.len(), 8);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn closing_waits_for_queued_commits() {
    let directory = tempfile::tempdir().unwrap();
    let store = open(&directory);
    for n in 0..100 {
        // A single poll queues the commit; the future is never polled again.
        let _ = store.commit(creating(&format!("tokens/{n:02}"), "object")).now_or_never();
    }
    drop(store);
    assert!(!directory.path().join("records.sqlite-wal").exists(), "the write-ahead log was not checkpointed");
    let store = open(&directory);
    assert_eq!(value(&store, "tokens/99").await.unwrap(), "object");
    assert!(store.get(&key("tokens/00")).await.unwrap().is_some());
}

#[tokio::test(flavor = "multi_thread")]
async fn durability_none_stores_the_same_data() {
    let directory = tempfile::tempdir().unwrap();
    let store = FileStore::open(directory.path(), Durability::None).unwrap();
    store.commit(creating("a.json", "object")).await.unwrap();
    let id = finished(&store, 3 << 20).await;
    drop(store);
    let store = open(&directory);
    assert_eq!(value(&store, "a.json").await.unwrap(), "object");
    assert!(content(&store, id, 0..3 << 20).await.unwrap() == pattern(0..3 << 20));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_payload_is_one_file_with_only_its_bytes() {
    let directory = tempfile::tempdir().unwrap();
    let store = open(&directory);
    let id = PayloadId::random();
    let shard = directory.path().join("payloads").join(&id.digits()[..2]);
    let names = || {
        let entries = std::fs::read_dir(&shard).unwrap();
        entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect::<Vec<_>>()
    };
    upload(&store, id, 0..1000).await.unwrap();
    assert_eq!(names(), [format!("{id}.part")]);
    store.finish(id, 1000).await.unwrap();
    assert_eq!(names(), [format!("{id}.enc")]);
    assert_eq!(std::fs::read(shard.join(format!("{id}.enc"))).unwrap(), pattern(0..1000));
    store.remove(id).await.unwrap();
    assert_eq!(names(), [""; 0]);
}

#[test]
fn other_folders_are_not_opened() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("file");
    std::fs::write(&file, "text").unwrap();
    assert!(matches!(FileStore::open(&file, Durability::Full), Err(FolderError::Directory { .. })));
    std::fs::write(directory.path().join("records.sqlite"), "no database, whatever its name says").unwrap();
    let result = FileStore::open(directory.path(), Durability::Full);
    assert!(matches!(result, Err(FolderError::Records { .. })), "{result:?}");
}

#[cfg(unix)]
#[tokio::test(flavor = "multi_thread")]
async fn other_users_cannot_read_the_store() {
    use std::os::unix::fs::PermissionsExt;
    let parent = tempfile::tempdir().unwrap();
    let directory = parent.path().join("new/store");
    let store = FileStore::open(&directory, Durability::Full).unwrap();
    store.commit(creating("a.json", "object")).await.unwrap();
    let id = finished(&store, 10).await;
    let payload = format!("payloads/{}/{id}.enc", &id.digits()[..2]);
    for (path, mode) in [
        ("", 0o700),
        ("payloads", 0o700),
        (&payload[..11], 0o700),
        (payload.as_str(), 0o600),
        ("records.sqlite", 0o600),
        ("records.sqlite-wal", 0o600),
        ("records.sqlite-shm", 0o600),
    ] {
        let found = std::fs::metadata(directory.join(path)).unwrap().permissions().mode() & 0o777;
        assert_eq!(found, mode, "{path:?} is {found:o}");
    }
}
