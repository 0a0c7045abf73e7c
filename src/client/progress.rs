//! Progress: what engines tell while they work.

use std::fmt;
use std::time::Duration;

use crate::domain::id::TransferId;

/// Hears how far a transfer is. Called often, and from any thread.
pub trait Progress: Send + Sync {
    /// The work begins: `total` bytes are to be moved.
    fn begin(&self, total: u64);

    /// So many of them are through. May go back, when a connection was lost.
    fn moved_to(&self, bytes: u64);

    /// The file of this name within an archive is worked on now. May be said of the same file again and again.
    fn at(&self, _name: &str) {}

    /// The connection failed because of `cause`; the next try is in `delay`.
    fn waiting(&self, cause: &dyn std::error::Error, delay: Duration);

    /// The payload store cannot be reached because of `cause`: the payload goes through the service.
    fn rerouted(&self, cause: &dyn std::error::Error);

    /// Another step is done, for those who want to know each. Nothing secret is said.
    fn step(&self, what: fmt::Arguments<'_>);

    /// What was left of an earlier try is of no use any more: the transfer of this id is gone.
    fn begins_anew(&self, gone: TransferId);

    /// The work is over, one way or the other.
    fn end(&self);
}

/// Tells nobody.
#[derive(Clone, Copy, Debug, Default)]
pub struct Silent;

impl Progress for Silent {
    fn begin(&self, _total: u64) {}
    fn moved_to(&self, _bytes: u64) {}
    fn waiting(&self, _cause: &dyn std::error::Error, _delay: Duration) {}
    fn rerouted(&self, _cause: &dyn std::error::Error) {}
    fn step(&self, _what: fmt::Arguments<'_>) {}
    fn begins_anew(&self, _gone: TransferId) {}
    fn end(&self) {}
}
