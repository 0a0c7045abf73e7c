//! The stores under test, and shared helpers of the cases.

use std::ops::Range;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures_util::TryStreamExt;
use sgsend::domain::id::PayloadId;
use sgsend::domain::store::{
    Change, Commit, Condition, MemoryStore, PayloadWriter, StorageKey, Store, StoreError, Version,
};
use sgsend::server::store::{Durability, FileStore, S3Store};
use tempfile::TempDir;

#[path = "../support/bucket.rs"]
pub(crate) mod bucket;

/// A store, as passed to the cases.
pub(crate) type SharedStore = Arc<dyn Store>;

/// Opens an empty store in memory.
pub(crate) async fn memory() -> (SharedStore, ()) {
    (Arc::new(MemoryStore::default()), ())
}

/// Opens an empty store in a temporary directory.
pub(crate) async fn file_directory() -> (SharedStore, TempDir) {
    let directory = tempfile::tempdir().unwrap();
    (Arc::new(open(&directory)), directory)
}

/// Opens an empty store in a new bucket on the server started by `tests/s3.sh`.
pub(crate) async fn s3() -> (SharedStore, ()) {
    (Arc::new(S3Store::open(&bucket::fresh().await).await), ())
}

/// Opens the store in `directory`.
pub(crate) fn open(directory: &TempDir) -> FileStore {
    FileStore::open(directory.path(), Durability::Full).unwrap()
}

/// Returns an arbitrary key.
pub(crate) fn key(text: &str) -> StorageKey {
    StorageKey::from_backend(text.to_owned())
}

/// Returns a commit that creates one object.
pub(crate) fn creating(at: &str, value: &'static str) -> Commit {
    changing(at, Condition::Absent, value)
}

/// Returns a commit that changes one object.
pub(crate) fn changing(at: &str, condition: Condition, value: impl Into<Bytes>) -> Commit {
    Commit::of(Change { key: key(at), condition, value: value.into() })
}

/// Returns a commit that puts one record.
pub(crate) fn recording(at: &str, value: impl Into<Bytes>) -> Commit {
    Commit { records: vec![(key(at), value.into())], ..Commit::default() }
}

/// Returns the value at a key.
pub(crate) async fn value(store: &dyn Store, at: &str) -> Option<Bytes> {
    store.get(&key(at)).await.unwrap().map(|found| found.value)
}

/// Returns the version of an existing object.
pub(crate) async fn version(store: &dyn Store, at: &str) -> Version {
    store.get(&key(at)).await.unwrap().expect("an existing object").version
}

/// Returns the bytes at these offsets of every test payload.
pub(crate) fn pattern(range: Range<u64>) -> Bytes {
    range.map(|at| at.wrapping_mul(0x9e37_79b9_7f4a_7c15).to_be_bytes()[0]).collect()
}

/// Writes a range of the pattern, and closes the writer.
pub(crate) async fn upload(store: &dyn Store, id: PayloadId, range: Range<u64>) -> Result<u64, StoreError> {
    let mut writer = store.writer(id, range.start).await?;
    writer.write(pattern(range)).await?;
    writer.close().await
}

/// Stores a finished payload of this size.
pub(crate) async fn finished(store: &dyn Store, size: u64) -> PayloadId {
    let id = PayloadId::random();
    assert_eq!(upload(store, id, 0..size).await.unwrap(), size);
    assert_eq!(store.finish(id, size).await.unwrap(), size);
    id
}

/// Reads a range of a payload.
pub(crate) async fn content(store: &dyn Store, id: PayloadId, range: Range<u64>) -> Result<Vec<u8>, StoreError> {
    let pieces: Vec<Bytes> = store.read(id, range).await?.try_collect().await?;
    Ok(pieces.concat())
}

/// Waits for the previous writer's last write; returns the end of the payload, and a writer at the end.
pub(crate) async fn next_writer(store: &dyn Store, id: PayloadId) -> (u64, Box<dyn PayloadWriter>) {
    loop {
        let end = store.received(id).await.unwrap();
        match store.writer(id, end).await {
            Ok(writer) => return (end, writer),
            Err(StoreError::WriterBusy | StoreError::OffsetMismatch { .. }) => {
                tokio::time::sleep(Duration::from_millis(1)).await;
            }
            Err(error) => panic!("{error}"),
        }
    }
}
