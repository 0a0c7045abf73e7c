//! Paginated reads of a transfer's audit records.

use super::Transfers;
use crate::domain::audit::{Record, RecordClass, RecordKind};
use crate::domain::error::Error;
use crate::domain::id::RecordId;
use crate::domain::limits::page_size;
use crate::domain::store::{Listed, StorageKey, from_json};
use crate::domain::transfer::Transfer;
use crate::domain::wire::{Page, RecordPage};

impl Transfers {
    /// Lists a page of records of one kind, oldest first.
    ///
    /// # Errors
    /// [`Error::InvalidRequest`] for a page size outside 1 to 1 000.
    pub async fn list_records(
        &self,
        transfer: &Transfer,
        kind: RecordKind,
        after: Option<RecordId>,
        limit: Option<u32>,
    ) -> Result<RecordPage, Error> {
        self.list_kinds(transfer, [kind], after, limit).await
    }

    /// Lists a page of records of all kinds merged, oldest first.
    ///
    /// # Errors
    /// [`Error::InvalidRequest`] for a page size outside 1 to 1 000.
    pub async fn list_everything(
        &self,
        transfer: &Transfer,
        after: Option<RecordId>,
        limit: Option<u32>,
    ) -> Result<RecordPage, Error> {
        // Actions and events name their request. Requests are listed last, so that no record is listed without its
        // request when both are written meanwhile.
        self.list_kinds(transfer, RecordKind::ALL.into_iter().rev(), after, limit).await
    }

    /// Lists a page of records of several kinds merged, oldest first.
    ///
    /// Omits records of reads after their retention, removed or not.
    async fn list_kinds(
        &self,
        transfer: &Transfer,
        kinds: impl IntoIterator<Item = RecordKind>,
        after: Option<RecordId>,
        limit: Option<u32>,
    ) -> Result<RecordPage, Error> {
        let size = page_size(limit)?;
        let reads_since = self.now().minus(self.settings().retention.reads());
        let reads_after = after.max(Some(RecordId::before(reads_since)));
        let mut keys = Vec::new();
        for kind in kinds {
            for (class, after) in [(RecordClass::Read, reads_after), (RecordClass::Change, after)] {
                let prefix = StorageKey::transfer_records(transfer.transfer_id, class, kind);
                let after = after.map(|after| prefix.object(&after));
                keys.extend(self.store().keys(&prefix, after.as_ref(), size + 1).await?);
            }
        }
        // Keys are small, so only the objects of this page are read.
        keys.sort_unstable_by(|one, other| one.name().cmp(other.name()));
        let Listed { items: keys, next } = Listed::of(keys, size, StorageKey::clone);
        let found = self.store().get_all(&keys).await?;
        let listed = Listed { items: found, next };
        let Page { items, next } = Page::of(listed.try_map(|(key, value)| from_json::<Record>(key.as_str(), &value))?);
        Ok(RecordPage { items, next, reads_since: (transfer.created_at < reads_since).then_some(reads_since) })
    }
}
