//! How many requests of one connection are worked on at once, whatever the connection does.

use std::sync::Arc;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// The places of one connection's requests. They outlive it: while one of its requests is worked on, a connection that
/// was closed still counts as one of its listener's.
#[derive(Clone)]
pub(super) struct Places {
    places: Arc<Semaphore>,
    connection: Arc<OwnedSemaphorePermit>,
}

/// A place, until it is dropped.
pub(super) struct Place {
    _place: OwnedSemaphorePermit,
    _connection: Arc<OwnedSemaphorePermit>,
}

impl Places {
    /// So many places for the connection that holds this slot of its listener.
    pub(super) fn new(places: usize, connection: OwnedSemaphorePermit) -> Self {
        Self { places: Arc::new(Semaphore::new(places)), connection: Arc::new(connection) }
    }

    /// Waits for a place.
    pub(super) async fn take(&self) -> Place {
        let place = self.places.clone().acquire_owned().await.expect("the semaphore is never closed");
        Place { _place: place, _connection: self.connection.clone() }
    }
}
