//! Taking turns at changing an object, within one process.

use tokio::sync::{Mutex, MutexGuard};

use crate::domain::id::Spread;

/// Enough that two of a few hundred objects that change at once seldom share one.
const STRIPES: usize = 1_024;

/// Compare-and-swap decides between processes; within one, those who change the same object queue instead of
/// colliding, in the order in which they came.
#[derive(Debug)]
pub(super) struct Turns(Box<[Mutex<()>]>);

impl Default for Turns {
    fn default() -> Self {
        Self((0..STRIPES).map(|_| Mutex::default()).collect())
    }
}

impl Turns {
    /// Waits for a turn at the object of `id`, or at one that shares its stripe.
    pub(super) async fn wait(&self, id: impl Spread) -> MutexGuard<'_, ()> {
        self.0[id.stripe(STRIPES)].lock().await
    }
}
