//! Finds orphaned payloads and leftovers of uploads.

use futures_util::{StreamExt, TryStreamExt, stream};

use super::{CONCURRENCY, Check, PAGE_SIZE};
use crate::domain::maintenance::repair::Repair;
use crate::domain::store::{PayloadObjects, StorageKey, StoreError, transfer_of_payload};
use crate::domain::transfer::{PayloadState, State, Transfer};

impl Check<'_> {
    pub(super) async fn payloads(&mut self) -> Result<(), StoreError> {
        let mut after = None;
        loop {
            let page = self.store.list_stored(after, PAGE_SIZE).await?;
            after = match page.last() {
                Some(last) => Some(last.id),
                None => return Ok(()),
            };
            let with_owner =
                async |objects: PayloadObjects| Ok::<_, StoreError>((objects, self.owner(&objects).await?));
            let payloads: Vec<_> =
                Box::pin(stream::iter(page).map(with_owner).buffered(CONCURRENCY).try_collect()).await?;
            for (objects, owner) in payloads {
                self.payload_of(&objects, owner);
            }
        }
    }

    async fn owner(&self, objects: &PayloadObjects) -> Result<Owner, StoreError> {
        let Some(id) = transfer_of_payload(self.store, objects.id).await? else {
            // The check of the transfer reports its missing index entry.
            let is_known = self.unindexed_payloads.contains(&objects.id);
            return Ok(if is_known { Owner::Unreadable } else { Owner::None });
        };
        match self.read_transfer(id).await? {
            Some(transfer) if transfer.payload_id() == objects.id => Ok(Owner::Transfer(Box::new(transfer))),
            // The transfer check reports unreadable transfers.
            None if self.store.get(&StorageKey::transfer(id)).await?.is_some() => Ok(Owner::Unreadable),
            _ => Ok(Owner::None),
        }
    }

    fn payload_of(&mut self, objects: &PayloadObjects, owner: Owner) {
        const REMOVE: &str = "remove this payload: it can't be downloaded, and no sweep removes it";
        let key = StorageKey::payload(objects.id);
        let description = if objects.finished { "a payload" } else { "a partial payload" };
        let transfer = match owner {
            Owner::Transfer(transfer) => transfer,
            Owner::Unreadable => return,
            // It may be the payload of that transfer.
            Owner::None if self.has_unreadable_transfer => {
                let (problem, advice) = (
                    format!("{description} exists without a transfer, or with an unreadable one"),
                    "restore the unreadable transfer first",
                );
                return self.find("stray_payload", &key, problem, advice);
            }
            Owner::None => {
                let problem = format!("{description} exists without a transfer");
                return self.find_repairable("stray_payload", &key, problem, REMOVE, Repair::RemovePayload(objects.id));
            }
        };
        match transfer.payload {
            // While something may write the payload anew, the sweeper still has to remove it again.
            PayloadState::Removed if transfer.second_removal_at().is_none() => {
                let problem = format!("{description} exists, but is recorded as removed");
                self.find_repairable("payload_left", &key, problem, REMOVE, Repair::RemovePayload(objects.id));
            }
            PayloadState::Stored if transfer.state != State::Pending && objects.finished && objects.unfinished => {
                let advice =
                    "leave the objects if there is enough free space: they are removed together with the payload";
                self.find("upload_left", &key, "parts of an upload remain beside the complete payload", advice);
            }
            // The sweeper removes released payloads, and pending transfers expire.
            _ => {}
        }
    }
}

/// Transfer of a payload.
enum Owner {
    Transfer(Box<Transfer>),
    Unreadable,
    None,
}
