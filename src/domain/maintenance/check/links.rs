//! Checks of further links and their grants.

use super::Check;
use crate::domain::id::LinkId;
use crate::domain::maintenance::repair::Repair;
use crate::domain::store::{StorageKey, StoreError, read};
use crate::domain::transfer::{FurtherLink, GrantRecord, Transfer};

impl Check<'_> {
    /// Checks the objects of all further links. Each link belongs to a transfer that lists it, each grant to a link.
    pub(super) async fn links(&mut self) -> Result<(), StoreError> {
        let mut stray = None;
        let mut pages = self.pages(StorageKey::all_links());
        while let Some(page) = pages.next().await? {
            for (key, value) in &page {
                let Some(id) = key.link_id() else {
                    self.find("wrong_id", key, "the key contains no valid link id", "remove this object");
                    continue;
                };
                if key.is_link() {
                    let Some(link) = self.parse::<FurtherLink>(key, value) else { continue };
                    self.name_is(key, &link.link_id.to_string());
                    if link.link_id == id && !is_listed(self.store, &link).await? {
                        self.stray_link(id, "no transfer lists this link");
                    }
                } else if let Some(grant) = self.parse::<GrantRecord>(key, value) {
                    self.name_is(key, &grant.sha256.to_string());
                    // Reported once per link.
                    if stray != Some(id) && self.store.get(&StorageKey::link(id)).await?.is_none() {
                        stray = Some(id);
                        self.stray_link(id, "the link is missing, but has grants");
                    }
                }
            }
        }
        Ok(())
    }

    fn stray_link(&mut self, id: LinkId, problem: &'static str) {
        let advice = "remove the objects of this link: nobody can use it, and no sweep removes it";
        self.find_repairable("stray_link", &StorageKey::link(id), problem, advice, Repair::RemoveLink(id));
    }
}

/// Returns whether the transfer of a link lists it. A transfer lists a link before it is created.
pub(in crate::domain::maintenance) async fn is_listed(
    store: &dyn crate::domain::store::Store,
    link: &FurtherLink,
) -> Result<bool, StoreError> {
    match read::<Transfer>(store, &StorageKey::transfer(link.transfer_id)).await {
        Ok(found) => Ok(found.is_some_and(|found| found.value.links.contains(&link.link_id))),
        // The check of the transfer reports it.
        Err(StoreError::Corrupt { .. }) => Ok(true),
        Err(error) => Err(error),
    }
}
