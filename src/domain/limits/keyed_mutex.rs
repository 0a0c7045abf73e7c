//! Keyed mutex: serialises changes of the same object within one process.

use tokio::sync::{Mutex, MutexGuard};

use crate::domain::id::Striped;

/// Number of locks; large enough that a few hundred objects changed concurrently seldom share a lock.
const STRIPES: usize = 1_024;

/// Fair mutex per object id, striped over a fixed number of locks.
///
/// Compare-and-swap resolves conflicts between processes. Within one process, this mutex queues changes of the same
/// object in order of arrival, instead of letting them conflict and retry.
#[derive(Debug)]
pub(crate) struct KeyedMutex(Box<[Mutex<()>]>);

impl Default for KeyedMutex {
    fn default() -> Self {
        Self((0..STRIPES).map(|_| Mutex::default()).collect())
    }
}

impl KeyedMutex {
    /// Locks the stripe of `id`; waits while an object in the same stripe is locked.
    pub(crate) async fn lock(&self, id: impl Striped) -> MutexGuard<'_, ()> {
        self.0[id.stripe(STRIPES)].lock().await
    }
}
