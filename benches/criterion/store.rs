//! Operations of the stores in memory and in a folder.

use std::sync::atomic::{AtomicU64, Ordering};

use bytes::Bytes;
use criterion::{Bencher, Criterion};
use sgsend::domain::store::{Change, Commit, Condition, MemoryStore, Records, StorageKey};
use sgsend::server::store::{Durability, FileStore};
use tokio::runtime::Runtime;

use crate::records::transfer;

/// Number of objects in the store before the measurement.
const STORED: u64 = 1_000;
/// Number of listed objects, as in a page of a list.
const LISTED: usize = 100;

/// Commits, reads and lists records. The commits of `file:` are durable; `file:, not synced` shows the share of the disk.
pub(crate) fn stores(criterion: &mut Criterion) {
    let folder = tempfile::tempdir().expect("the temporary folder is writable");
    let open = |name: &str, durability| {
        FileStore::open(&folder.path().join(name), durability).expect("the temporary folder is writable")
    };
    measure(criterion, "memory:", &MemoryStore::default());
    measure(criterion, "file:", &open("full", Durability::Full));
    measure(criterion, "file:, not synced", &open("none", Durability::None));
}

fn measure(criterion: &mut Criterion, name: &str, store: &impl Records) {
    let runtime = Runtime::new().expect("the system has threads");
    let value = Bytes::from(serde_json::to_vec(&transfer()).expect("a transfer is valid JSON"));
    let next = AtomicU64::new(0);
    let create = || async {
        let number = next.fetch_add(1, Ordering::Relaxed);
        let change = Change { key: key(number), condition: Condition::Absent, value: value.clone() };
        store.commit(Commit::of(change)).await.expect("the key is new")
    };
    for _ in 0..STORED {
        runtime.block_on(create());
    }
    let mut group = criterion.benchmark_group(name);
    group.bench_function("commit one object", |bencher: &mut Bencher| bencher.to_async(&runtime).iter(create));
    group.bench_function("read one object", |bencher| {
        let read = || async { store.get(&key(7)).await.expect("the store works").expect("the object exists") };
        bencher.to_async(&runtime).iter(read);
    });
    group.bench_function("list 100 objects", |bencher| {
        let list = || async {
            let listed = store.list(&StorageKey::all_transfers(), None, LISTED).await.expect("the store works");
            assert_eq!(listed.items.len(), LISTED);
        };
        bencher.to_async(&runtime).iter(list);
    });
    group.finish();
}

fn key(number: u64) -> StorageKey {
    StorageKey::from_backend(format!("transfers/{number:032x}/meta.json"))
}
