//! Which writes are known to have put their records.

use std::fmt;
use std::num::NonZeroUsize;
use std::sync::Mutex;

use lru::LruCache;

use super::stored::WriteId;

/// How many writes are known. One that is not is looked after once more than needed.
const KNOWN: NonZeroUsize = NonZeroUsize::new(8_192).expect("it is not zero");

/// The latest writes whose records were seen to be in the store.
pub(super) struct AppliedWrites(Mutex<LruCache<WriteId, ()>>);

impl Default for AppliedWrites {
    fn default() -> Self {
        Self(Mutex::new(LruCache::new(KNOWN)))
    }
}

impl AppliedWrites {
    pub(super) fn contains(&self, id: &WriteId) -> bool {
        self.0.lock().expect("nothing panics while it holds this lock").contains(id)
    }

    pub(super) fn insert(&self, id: WriteId) {
        self.0.lock().expect("nothing panics while it holds this lock").put(id, ());
    }
}

impl fmt::Debug for AppliedWrites {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("AppliedWrites")
    }
}
