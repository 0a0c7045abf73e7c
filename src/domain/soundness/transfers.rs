//! Transfers, with what lies below each of them.

use super::Check;
use crate::domain::audit::Record;
use crate::domain::id::TransferId;
use crate::domain::store::{StorageKey, StoreError};
use crate::domain::transfer::{GrantRecord, PayloadFate, State, Transfer};

impl Check<'_> {
    pub(super) async fn transfers(&mut self) -> Result<(), StoreError> {
        let (mut pages, mut current) = (self.pages(StorageKey::all_transfers()), None);
        while let Some(page) = pages.next().await? {
            for (key, value) in &page {
                let mut parts = key.as_str().split('/').skip(1);
                let Some(id) = parts.next().and_then(|id| id.parse::<TransferId>().ok()) else {
                    self.find("wrong_id", key, "it belongs to nothing", "remove this object");
                    continue;
                };
                if current != Some(id) {
                    current = Some(id);
                    self.transfer(id).await?;
                }
                match parts.next() {
                    Some("requests" | "actions" | "events") => {
                        if let Some(record) = self.parse::<Record>(key, value) {
                            self.name_is(key, &record.id().to_string());
                        }
                    }
                    Some("grants") => {
                        if let Some(grant) = self.parse::<GrantRecord>(key, value) {
                            self.name_is(key, &grant.sha256.to_string());
                        }
                    }
                    _ => {}
                }
            }
        }
        Ok(())
    }

    async fn transfer(&mut self, id: TransferId) -> Result<(), StoreError> {
        let key = StorageKey::transfer(id);
        let Some(found) = self.store.get(&key).await? else {
            self.find("no_transfer", &key, "it is missing, and records of it are there", "remove what is left of it");
            return Ok(());
        };
        let Some(transfer) = self.parse::<Transfer>(&key, &found.value) else { return Ok(()) };
        if transfer.transfer_id != id {
            let advice = "put this object back from a backup: it stands in another one's place";
            self.find("wrong_id", &key, format!("it says that it is {}", transfer.transfer_id), advice);
            return Ok(());
        }
        self.count(&transfer);
        match self.tokens.get_mut(&transfer.token_id) {
            Some((_, held)) if transfer.holds_quota => *held += transfer.size_bytes,
            Some(_) => {}
            None => self.find("no_token", &key, "its token is missing", "put the token back from a backup"),
        }
        if !self.due.contains(&id) {
            let advice = "delete it with `sgsend delete` when it is not wanted any more: nothing else ends it";
            self.find("not_due", &key, "no sweep will ever look at it", advice);
        }
        self.payload(&transfer, &key).await
    }

    fn count(&mut self, transfer: &Transfer) {
        if transfer.forgotten {
            return;
        }
        *self.sums.of(transfer.state.status()) += 1;
        if transfer.state.completed_at().is_some() && transfer.payload != PayloadFate::Removed {
            self.bytes_stored += i64::try_from(transfer.size_bytes).unwrap_or(i64::MAX);
        }
    }

    async fn payload(&mut self, transfer: &Transfer, key: &StorageKey) -> Result<(), StoreError> {
        let (id, size) = (transfer.transfer_id, transfer.size_bytes);
        let there = self.store.received(id).await?;
        let urls_live = transfer.upload_urls_until.is_some_and(|until| until > self.now);
        let served = matches!(transfer.state, State::Completed { .. } | State::Exhausted { .. });
        match transfer.payload {
            PayloadFate::Kept if served => {
                let advice = "delete the transfer and have it sent again, or put the payload back from a backup";
                if there != size {
                    self.find("payload", key, format!("{there} bytes of its payload are there, not {size}"), advice);
                } else if let Err(StoreError::NoPayload) = self.store.read(id, 0..size).await.map(drop) {
                    self.find("payload", key, "its payload is not finished", advice);
                }
            }
            PayloadFate::Removed if there > 0 && !urls_live => {
                let problem = format!("{there} bytes of a payload are there that should be gone");
                self.find("payload_left", key, problem, "remove the payload; nobody is served it");
            }
            // The sweeper removes it, and looks again after the last upload URL.
            _ => {}
        }
        Ok(())
    }
}
