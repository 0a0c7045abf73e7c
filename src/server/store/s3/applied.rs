//! Cache of writes whose outbox records are known to be stored.

use std::fmt;
use std::num::NonZeroUsize;
use std::sync::Mutex;

use lru::LruCache;

use super::object_format::WriteId;

/// Maximum number of remembered writes. The records of a forgotten write are written again needlessly.
const CAPACITY: NonZeroUsize = NonZeroUsize::new(8_192).expect("the capacity is not zero");

/// LRU cache of the latest writes whose outbox records are stored.
pub(super) struct AppliedWrites(Mutex<LruCache<WriteId, ()>>);

impl Default for AppliedWrites {
    fn default() -> Self {
        Self(Mutex::new(LruCache::new(CAPACITY)))
    }
}

impl AppliedWrites {
    pub(super) fn contains(&self, id: &WriteId) -> bool {
        self.0.lock().expect("no thread panics while holding the lock").contains(id)
    }

    pub(super) fn insert(&self, id: WriteId) {
        self.0.lock().expect("no thread panics while holding the lock").put(id, ());
    }
}

impl fmt::Debug for AppliedWrites {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("AppliedWrites")
    }
}
