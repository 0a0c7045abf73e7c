//! Notifications: their log, the entries of the outbox, and the states of targets.

use super::{Check, PAGE_SIZE};
use crate::domain::maintenance::repair::Repair;
use crate::domain::notification::{DispatcherState, Notification, TargetState};
use crate::domain::store::{OutboxEntry, StorageKey, StoreError};

impl Check<'_> {
    /// Checks the objects of notifications. An entry without its notification is normal: its commit may have failed.
    pub(super) async fn notifications(&mut self) -> Result<(), StoreError> {
        let mut pages = self.pages(StorageKey::all_notifications());
        while let Some(page) = pages.next().await? {
            for (key, value) in &page {
                if let Some(notification) = self.parse::<Notification>(key, value) {
                    self.name_is(key, &notification.id.to_string());
                }
            }
        }
        let (outbox, mut after) = (StorageKey::whole_outbox(), None);
        loop {
            let keys = self.store.keys(&outbox, after.as_ref(), PAGE_SIZE).await?;
            for key in keys.iter().filter(|key| OutboxEntry::from_key(key).is_none()) {
                let remedy = Repair::RemoveEntry(key.clone());
                let problem = "the key is not a valid entry of the outbox";
                self.find_repairable("unreadable", key, problem, "remove this object", remedy);
            }
            after = keys.last().cloned();
            if after.is_none() {
                break;
            }
        }
        let mut pages = self.pages(StorageKey::all_targets());
        while let Some(page) = pages.next().await? {
            for (key, value) in &page {
                if *key == StorageKey::dispatcher() {
                    self.parse::<DispatcherState>(key, value);
                } else if let Some(state) = self.parse::<TargetState>(key, value) {
                    self.name_is(key, &state.target_id().to_string());
                }
            }
        }
        Ok(())
    }
}
