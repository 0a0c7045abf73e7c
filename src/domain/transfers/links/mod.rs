//! Links of a transfer: creation, lists, changes, and the end of a transfer with its last link.

mod change;
mod create;
mod end;
mod list;
mod remind;

use std::time::Duration;

use super::Transfers;
use crate::domain::audit::{Event, EventKind, Record};
use crate::domain::error::Error;
use crate::domain::id::LinkId;
use crate::domain::limits::{MAX_DOWNLOADS, MAX_LIFETIME, MIN_LIFETIME};
use crate::domain::timestamp::Timestamp;

/// Maximum number of further links per transfer, ended ones included.
pub(in crate::domain) const MAX_LINKS: usize = 1_000;

impl Transfers {
    /// Builds the record of a server event about a link that no request caused.
    pub(super) fn link_event_record(&self, link_id: Option<LinkId>, kind: EventKind, now: Timestamp) -> Record {
        Record::Event(Event { link_id, ..Event::server(self.0.ids.next(now), None, now, kind) })
    }
}

/// Validates the lifetime of a link, in seconds.
pub(super) fn lifetime(seconds: u64) -> Result<Duration, Error> {
    let lifetime = Duration::from_secs(seconds);
    if (MIN_LIFETIME..=MAX_LIFETIME).contains(&lifetime) {
        return Ok(lifetime);
    }
    let (min, max) = (MIN_LIFETIME.as_secs(), MAX_LIFETIME.as_secs());
    Err(Error::InvalidRequest(format!("expires_in_s must be between {min} and {max}")))
}

/// Validates a download limit; `None` means unlimited.
pub(super) fn check_limit(limit: Option<u32>) -> Result<(), Error> {
    if limit.is_some_and(|limit| !(1..=MAX_DOWNLOADS).contains(&limit)) {
        return Err(Error::InvalidRequest(format!("max_downloads must be between 1 and {MAX_DOWNLOADS}")));
    }
    Ok(())
}
