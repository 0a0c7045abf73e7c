//! A few files that are open because they are read piece by piece.

use std::num::NonZeroUsize;
use std::sync::{Arc, Mutex, MutexGuard};

use lru::LruCache;

use crate::client::upload::Watched;

/// How many stay open. Segments are read by a few threads at once, each at its own place.
const KEPT: NonZeroUsize = NonZeroUsize::new(8).expect("it is not zero");

/// Those that were read last, by the number of their entry.
#[derive(Debug)]
pub(super) struct OpenFiles(Mutex<LruCache<usize, Arc<Watched>>>);

impl Default for OpenFiles {
    fn default() -> Self {
        Self(Mutex::new(LruCache::new(KEPT)))
    }
}

impl OpenFiles {
    /// The file of this entry, if it is open.
    pub(super) fn get(&self, index: usize) -> Option<Arc<Watched>> {
        self.files().get(&index).cloned()
    }

    /// Keeps the file of this entry, in place of the one that was read longest ago.
    pub(super) fn keep(&self, index: usize, file: Arc<Watched>) {
        self.files().put(index, file);
    }

    fn files(&self) -> MutexGuard<'_, LruCache<usize, Arc<Watched>>> {
        self.0.lock().expect("nothing panics while it holds this lock")
    }
}
