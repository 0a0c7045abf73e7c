//! Where the stores under test are, and what the cases say again and again.

use std::ops::Range;
use std::sync::Arc;

use bytes::Bytes;
use futures_util::TryStreamExt;
use sgsend::domain::id::TransferId;
use sgsend::domain::store::{
    Change, Commit, Condition, MemoryStore, PayloadWriter, StorageKey, Store, StoreError, Version,
};
use sgsend::server::store::{Durability, FileStore, S3Store};
use tempfile::TempDir;

#[path = "../support/bucket.rs"]
pub(crate) mod bucket;

/// A store as the cases take it.
pub(crate) type Place = Arc<dyn Store>;

/// An empty store in memory.
pub(crate) async fn memory() -> (Place, ()) {
    (Arc::new(MemoryStore::default()), ())
}

/// An empty store in a directory that goes with the case.
pub(crate) async fn file_directory() -> (Place, TempDir) {
    let directory = tempfile::tempdir().unwrap();
    (Arc::new(open(&directory)), directory)
}

/// An empty store in a bucket of its own, on the server that `tests/s3.sh` has started.
pub(crate) async fn s3() -> (Place, ()) {
    (Arc::new(S3Store::open(&bucket::fresh().await).await), ())
}

/// The store in `directory`.
pub(crate) fn open(directory: &TempDir) -> FileStore {
    FileStore::open(directory.path(), Durability::Full).unwrap()
}

/// Any key.
pub(crate) fn key(text: &str) -> StorageKey {
    StorageKey::from_backend(text.to_owned())
}

/// A commit that creates one object.
pub(crate) fn creating(at: &str, value: &'static str) -> Commit {
    changing(at, Condition::Absent, value)
}

/// A commit that changes one object.
pub(crate) fn changing(at: &str, condition: Condition, value: impl Into<Bytes>) -> Commit {
    Commit::of(Change { key: key(at), condition, value: value.into() })
}

/// A commit that puts one record.
pub(crate) fn recording(at: &str, value: impl Into<Bytes>) -> Commit {
    Commit { records: vec![(key(at), value.into())], ..Commit::default() }
}

/// The value at a key.
pub(crate) async fn value(store: &dyn Store, at: &str) -> Option<Bytes> {
    store.get(&key(at)).await.unwrap().map(|found| found.value)
}

/// The version of an object that is there.
pub(crate) async fn version(store: &dyn Store, at: &str) -> Version {
    store.get(&key(at)).await.unwrap().expect("the object is there").version
}

/// What stands at these places of every payload here.
pub(crate) fn pattern(range: Range<u64>) -> Bytes {
    range.map(|at| at.wrapping_mul(0x9e37_79b9_7f4a_7c15).to_be_bytes()[0]).collect()
}

/// Writes a range of the pattern and closes the writer.
pub(crate) async fn upload(store: &dyn Store, id: TransferId, range: Range<u64>) -> Result<u64, StoreError> {
    let mut writer = store.writer(id, range.start).await?;
    writer.write(pattern(range)).await?;
    writer.close().await
}

/// A payload of this size, finished.
pub(crate) async fn finished(store: &dyn Store, size: u64) -> TransferId {
    let id = TransferId::random();
    assert_eq!(upload(store, id, 0..size).await.unwrap(), size);
    assert_eq!(store.finish(id, size).await.unwrap(), size);
    id
}

/// What a range reads as.
pub(crate) async fn content(store: &dyn Store, id: TransferId, range: Range<u64>) -> Result<Vec<u8>, StoreError> {
    let pieces: Vec<Bytes> = store.read(id, range).await?.try_collect().await?;
    Ok(pieces.concat())
}

/// A writer at the end, once the last write of the one before is over; and where that is.
pub(crate) async fn next_writer(store: &dyn Store, id: TransferId) -> (u64, Box<dyn PayloadWriter>) {
    loop {
        let end = store.received(id).await.unwrap();
        match store.writer(id, end).await {
            Ok(writer) => return (end, writer),
            Err(StoreError::WriterBusy | StoreError::OffsetMismatch { .. }) => tokio::task::yield_now().await,
            Err(error) => panic!("{error}"),
        }
    }
}
