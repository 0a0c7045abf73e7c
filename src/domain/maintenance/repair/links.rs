//! Repairs of further links that belong to no transfer.

use super::{Repaired, Repairs};
use crate::domain::id::LinkId;
use crate::domain::maintenance::check::{StoreFinding, is_listed};
use crate::domain::store::{Commit, StorageKey, StoreError, read};
use crate::domain::transfer::FurtherLink;

/// Number of keys per list request, and of removals per commit.
const PAGE_SIZE: usize = 500;

impl Repairs<'_> {
    /// Removes a further link that no transfer lists, with its grants. Grants go first: without them, nothing is left.
    pub(super) async fn remove_link(&self, finding: &StoreFinding, id: LinkId) -> Result<Repaired, StoreError> {
        let link = read::<FurtherLink>(self.store, &StorageKey::link(id)).await?;
        if let Some(link) = &link
            && is_listed(self.store, &link.value).await?
        {
            return Ok(Repaired::Changed);
        }
        let mut commit = Some(self.service_commit(finding));
        loop {
            let mut removals = self.store.keys(&StorageKey::link_grants(id), None, PAGE_SIZE).await?;
            let is_last = removals.len() < PAGE_SIZE;
            if is_last && link.is_some() {
                removals.push(StorageKey::link(id));
            }
            if removals.is_empty() {
                return Ok(if commit.is_none() { Repaired::Done } else { Repaired::Changed });
            }
            let commit = commit.take().unwrap_or_else(Commit::with_reserve);
            self.store.commit(Commit { removals, ..commit }).await?;
            if is_last {
                return Ok(Repaired::Done);
            }
        }
    }
}
