//! Paginated reads of a transfer's audit records.

use super::Transfers;
use crate::domain::audit::{Record, RecordKind};
use crate::domain::error::Error;
use crate::domain::id::{RecordId, TransferId};
use crate::domain::limits::page_size;
use crate::domain::store::{Listed, StorageKey, from_json, list};
use crate::domain::wire::Page;

impl Transfers {
    /// Lists a page of records of one kind, oldest first.
    ///
    /// # Errors
    /// [`Error::InvalidRequest`] for a page size outside 1 to 1 000.
    pub async fn list_records(
        &self,
        id: TransferId,
        kind: RecordKind,
        after: Option<RecordId>,
        limit: Option<u32>,
    ) -> Result<Page<Record>, Error> {
        let prefix = StorageKey::transfer_records(id, kind);
        let after = after.map(|after| prefix.object(&after));
        Ok(Page::of(list(self.store(), &prefix, after.as_ref(), page_size(limit)?).await?))
    }

    /// Lists a page of records of all kinds merged, oldest first.
    ///
    /// # Errors
    /// [`Error::InvalidRequest`] for a page size outside 1 to 1 000.
    pub async fn list_everything(
        &self,
        id: TransferId,
        after: Option<RecordId>,
        limit: Option<u32>,
    ) -> Result<Page<Record>, Error> {
        let size = page_size(limit)?;
        let mut keys = Vec::new();
        // Actions and events name their request. Requests are listed last, so that no record is listed without its
        // request when both are written meanwhile.
        for kind in RecordKind::ALL.into_iter().rev() {
            let prefix = StorageKey::transfer_records(id, kind);
            let after = after.map(|after| prefix.object(&after));
            keys.extend(self.store().keys(&prefix, after.as_ref(), size + 1).await?);
        }
        // Keys are small, so only the objects of this page are read.
        keys.sort_unstable_by(|one, other| one.name().cmp(other.name()));
        let Listed { items: keys, next } = Listed::of(keys, size, StorageKey::clone);
        let found = self.store().get_all(&keys).await?;
        let listed = Listed { items: found, next };
        Ok(Page::of(listed.try_map(|(key, value)| from_json::<Record>(key.as_str(), &value))?))
    }
}
