//! Limits in-flight requests per connection.
//!
//! A request counts until it ends, even after the client has disconnected.

use std::sync::Arc;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// Maximum number of in-flight requests per connection.
pub(super) const MAX_IN_FLIGHT_PER_CONNECTION: u32 = 32;

/// Request slots of one connection; further requests wait for a free slot.
///
/// A closed connection counts against its listener's connection limit until its last in-flight request ends.
#[derive(Clone)]
pub(crate) struct RequestSlots {
    slots: Arc<Semaphore>,
    connection: Arc<OwnedSemaphorePermit>,
}

/// Slot of one in-flight request; dropping the slot releases it.
pub(crate) struct RequestSlot {
    _slot: OwnedSemaphorePermit,
    _connection: Arc<OwnedSemaphorePermit>,
}

impl RequestSlots {
    /// Creates `max` request slots for a connection. `connection` is the permit from the listener for this connection.
    pub(crate) fn new(max: u32, connection: OwnedSemaphorePermit) -> Self {
        Self { slots: Arc::new(Semaphore::new(max as usize)), connection: Arc::new(connection) }
    }

    /// Waits for a free slot.
    pub(crate) async fn acquire(&self) -> RequestSlot {
        let slot = self.slots.clone().acquire_owned().await.expect("the semaphore is never closed");
        RequestSlot { _slot: slot, _connection: self.connection.clone() }
    }
}
