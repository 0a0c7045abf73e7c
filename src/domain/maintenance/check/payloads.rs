//! Finds orphaned payloads and leftovers of uploads.

use std::collections::{HashMap, VecDeque};

use super::{Check, PAGE_SIZE};
use crate::domain::id::{PayloadId, TransferId};
use crate::domain::maintenance::repair::Repair;
use crate::domain::store::{PayloadObjects, StorageKey, Store, StoreError, transfer_of_payload};
use crate::domain::transfer::{PayloadState, State, Transfer};

/// Number of payloads per list request: a folder with many payloads is read as a whole for each.
const PAYLOAD_PAGE: usize = 4_096;

/// Index entries from payloads to their transfers, read in the order of the payloads.
struct PayloadOwners<'a> {
    store: &'a dyn Store,
    after: Option<StorageKey>,
    has_ended: bool,
    /// Entries that were read, and belong to later payloads.
    rest: VecDeque<(PayloadId, TransferId)>,
}

impl PayloadOwners<'_> {
    /// Returns the transfers of the payloads up to `last`, beginning after those of the call before.
    async fn until(&mut self, last: PayloadId) -> Result<HashMap<PayloadId, TransferId>, StoreError> {
        let mut owners = HashMap::new();
        loop {
            while let Some((payload, transfer)) = self.rest.pop_front_if(|(payload, _)| *payload <= last) {
                owners.insert(payload, transfer);
            }
            if self.has_ended || !self.rest.is_empty() {
                return Ok(owners);
            }
            let keys = self.store.keys(&StorageKey::all_payload_owners(), self.after.as_ref(), PAGE_SIZE).await?;
            self.has_ended = keys.is_empty();
            self.rest.extend(keys.iter().filter_map(StorageKey::as_payload_owner));
            self.after = keys.into_iter().next_back().or(self.after.take());
        }
    }
}

impl Check<'_> {
    pub(super) async fn payloads(&mut self) -> Result<(), StoreError> {
        let mut owners = PayloadOwners { store: self.store, after: None, has_ended: false, rest: VecDeque::new() };
        let mut after = None;
        loop {
            let page = self.store.list_stored(after, PAYLOAD_PAGE).await?;
            let Some(last) = page.last().map(|objects| objects.id) else { return Ok(()) };
            after = Some(last);
            let found = self.owners(&page, owners.until(last).await?).await?;
            for (objects, owner) in page.iter().zip(found) {
                self.payload_of(objects, owner);
            }
        }
    }

    /// Returns the owner of each payload. `indexed` may lack payloads of transfers that were created meanwhile.
    async fn owners(
        &self,
        page: &[PayloadObjects],
        indexed: HashMap<PayloadId, TransferId>,
    ) -> Result<Vec<Owner>, StoreError> {
        let mut ids = Vec::with_capacity(page.len());
        for objects in page {
            ids.push(match objects.id.as_transfer().or_else(|| indexed.get(&objects.id).copied()) {
                None => transfer_of_payload(self.store, objects.id).await?,
                found => found,
            });
        }
        let keys: Vec<_> = ids.iter().flatten().map(|id| StorageKey::transfer(*id)).collect();
        let mut values = HashMap::with_capacity(keys.len());
        for keys in keys.chunks(PAGE_SIZE) {
            values.extend(self.store.get_all(keys).await?);
        }
        let owner = |(objects, id): (&PayloadObjects, Option<TransferId>)| {
            let Some(id) = id else {
                // The check of the transfer reports its missing index entry.
                let is_known = self.unindexed_payloads.contains(&objects.id);
                return if is_known { Owner::Unreadable } else { Owner::None };
            };
            let Some(value) = values.get(&StorageKey::transfer(id)) else { return Owner::None };
            match serde_json::from_slice::<Transfer>(value) {
                Ok(transfer) if transfer.payload_id() == objects.id => Owner::Transfer(Box::new(transfer)),
                Ok(_) => Owner::None,
                // The transfer check reports unreadable transfers.
                Err(_) => Owner::Unreadable,
            }
        };
        Ok(page.iter().zip(ids).map(owner).collect())
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
