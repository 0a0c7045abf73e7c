//! Progress reports of the upload and download engines.

use std::fmt;
use std::time::Duration;

use crate::domain::crypto::info::ContentInfo;
use crate::domain::id::TransferId;
use crate::domain::people::sender_signature::ClaimedSender;

/// Receives progress reports of a transfer. Called often, and from any thread.
pub trait Progress: Send + Sync {
    /// Starts the transfer of `total` bytes.
    fn begin(&self, total: u64);

    /// Reports the total number of bytes transferred. May decrease after a lost connection.
    fn transferred(&self, bytes: u64);

    /// Reports the current file of an archive. May report the same file repeatedly.
    fn at(&self, _name: &str) {}

    /// Reports what the sender says about the content, before a download is counted.
    fn described(&self, _info: &ContentInfo) {}

    /// Reports who is said to have signed the content. Nothing is counted or verified yet.
    fn claimed(&self, _sender: &ClaimedSender) {}

    /// Reports that the connection failed because of `cause`, and that a retry follows after `delay`.
    fn waiting(&self, cause: &dyn std::error::Error, delay: Duration);

    /// Reports that the payload goes through the service, as the store is unreachable because of `cause`.
    fn rerouted(&self, cause: &dyn std::error::Error);

    /// Reports a completed step, for verbose output. The message contains no secrets.
    fn step(&self, message: fmt::Arguments<'_>);

    /// Reports that an upload starts over, since its unfinished transfer `old_transfer` no longer exists.
    fn restarting(&self, old_transfer: TransferId);

    /// Reports that no other process can resume the upload. Its state cannot be saved because of `cause`.
    fn unresumable(&self, _cause: &dyn std::error::Error) {}

    /// Ends the reports, after success and after failure.
    fn end(&self);
}

/// Discards all progress reports.
#[derive(Clone, Copy, Debug, Default)]
pub struct NoProgress;

impl Progress for NoProgress {
    fn begin(&self, _total: u64) {}
    fn transferred(&self, _bytes: u64) {}
    fn waiting(&self, _cause: &dyn std::error::Error, _delay: Duration) {}
    fn rerouted(&self, _cause: &dyn std::error::Error) {}
    fn step(&self, _message: fmt::Arguments<'_>) {}
    fn restarting(&self, _gone: TransferId) {}
    fn end(&self) {}
}
