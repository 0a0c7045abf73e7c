//! Limits in-flight requests per connection.
//!
//! A request counts until it ends, even after the client has disconnected.

use std::sync::Arc;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// The request slots of one connection: a limit without keys, which makes requests wait.
///
/// A closed connection counts against its listener's connection limit until its last in-flight request ends.
#[derive(Clone)]
pub(crate) struct RequestSlots {
    slots: Arc<Semaphore>,
    connection: Arc<OwnedSemaphorePermit>,
}

/// The slot of one in-flight request, released on drop.
pub(crate) struct RequestSlot {
    _slot: OwnedSemaphorePermit,
    _connection: Arc<OwnedSemaphorePermit>,
}

impl RequestSlots {
    /// Creates `max` request slots for a connection; `connection` is its permit from the listener.
    pub(crate) fn new(max: usize, connection: OwnedSemaphorePermit) -> Self {
        Self { slots: Arc::new(Semaphore::new(max)), connection: Arc::new(connection) }
    }

    /// Waits for a free slot.
    pub(crate) async fn acquire(&self) -> RequestSlot {
        let slot = self.slots.clone().acquire_owned().await.expect("the semaphore is never closed");
        RequestSlot { _slot: slot, _connection: self.connection.clone() }
    }
}
