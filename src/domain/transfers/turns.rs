//! Taking turns at changing a transfer, within one process.

use tokio::sync::{Mutex, MutexGuard};

use crate::domain::id::TransferId;

/// Enough that two of a few hundred transfers that change at once seldom share one.
const STRIPES: usize = 1_024;

/// Compare-and-swap decides between processes; within one, those who change the same transfer queue instead of
/// colliding, in the order in which they came.
#[derive(Debug)]
pub(super) struct Turns(Box<[Mutex<()>]>);

impl Default for Turns {
    fn default() -> Self {
        Self((0..STRIPES).map(|_| Mutex::default()).collect())
    }
}

impl Turns {
    /// Waits for a turn at the transfer `id`, or at one that shares its stripe.
    pub(super) async fn wait(&self, id: TransferId) -> MutexGuard<'_, ()> {
        self.0[id.stripe(STRIPES)].lock().await
    }
}
