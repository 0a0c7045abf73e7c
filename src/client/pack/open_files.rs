//! LRU cache of open files that are being read in pieces.

use std::num::NonZeroUsize;
use std::sync::{Arc, Mutex, MutexGuard};

use lru::LruCache;

use crate::client::upload::WatchedFile;

/// Maximum number of cached files. A few threads read different segments of the archive in parallel.
const CAPACITY: NonZeroUsize = NonZeroUsize::new(8).expect("the capacity is not zero");

/// Most recently read files, by entry index.
#[derive(Debug)]
pub(super) struct OpenFiles(Mutex<LruCache<usize, Arc<WatchedFile>>>);

impl Default for OpenFiles {
    fn default() -> Self {
        Self(Mutex::new(LruCache::new(CAPACITY)))
    }
}

impl OpenFiles {
    /// Returns the open file of an entry, if it is cached.
    pub(super) fn get(&self, index: usize) -> Option<Arc<WatchedFile>> {
        self.files().get(&index).cloned()
    }

    /// Caches the file of an entry; evicts the least recently read file.
    pub(super) fn insert(&self, index: usize, file: Arc<WatchedFile>) {
        self.files().put(index, file);
    }

    fn files(&self) -> MutexGuard<'_, LruCache<usize, Arc<WatchedFile>>> {
        self.0.lock().expect("no code panics while holding this lock")
    }
}
