//! Grants of unlimited links that the store has no room for.
//!
//! The budget of records is used up, or the disk is full.
//! Such a grant is valid only in this process: another server rejects it, and its end loses it. A new run of the client
//! then starts another download, which an unlimited link allows.

use std::hash::{Hash, Hasher};
use std::num::NonZeroUsize;
use std::sync::{Mutex, MutexGuard};

use crate::domain::address::NetworkKey;
use crate::domain::crypto::digest::Sha256;
use crate::domain::id::LinkId;
use crate::domain::limits::network_table::{NetworkTable, OfNetwork};
use crate::domain::transfer::GrantRecord;

/// Maximum number of such grants; a further grant evicts another.
const CAPACITY: NonZeroUsize = NonZeroUsize::new(65_536).unwrap();

/// Grants kept in memory only.
pub(super) struct UnstoredGrants(Mutex<NetworkTable<GrantKey, GrantRecord>>);

/// Key of a grant. Only the table's eviction depends on the network: another network may use the grant too.
#[derive(Clone, Copy, Debug)]
struct GrantKey {
    link_id: LinkId,
    sha256: Sha256,
    network: Option<NetworkKey>,
}

impl PartialEq for GrantKey {
    fn eq(&self, other: &Self) -> bool {
        (self.link_id, self.sha256) == (other.link_id, other.sha256)
    }
}

impl Eq for GrantKey {}

impl Hash for GrantKey {
    fn hash<H: Hasher>(&self, state: &mut H) {
        (self.link_id, self.sha256).hash(state);
    }
}

impl OfNetwork for GrantKey {
    fn network(&self) -> Option<NetworkKey> {
        self.network
    }
}

impl Default for UnstoredGrants {
    fn default() -> Self {
        Self(Mutex::new(NetworkTable::new(CAPACITY)))
    }
}

impl UnstoredGrants {
    /// Returns the grant with this digest.
    pub(super) fn find(&self, link_id: LinkId, sha256: Sha256) -> Option<GrantRecord> {
        self.grants().get_mut(&GrantKey { link_id, sha256, network: None }).copied()
    }

    /// Adds a grant to a client of `network`; returns whether it is new.
    pub(super) fn add(&self, link_id: LinkId, grant: GrantRecord, network: NetworkKey) -> bool {
        let mut is_new = false;
        self.grants().get_or_insert(GrantKey { link_id, sha256: grant.sha256, network: Some(network) }, || {
            is_new = true;
            grant
        });
        is_new
    }

    /// Removes the grant with this digest.
    pub(super) fn remove(&self, sha256: Sha256) {
        self.grants().retain(|grant| grant.sha256 != sha256);
    }

    fn grants(&self) -> MutexGuard<'_, NetworkTable<GrantKey, GrantRecord>> {
        self.0.lock().expect("nothing panics while it holds this lock")
    }
}
