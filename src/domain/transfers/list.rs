//! Paginated reads of a transfer's audit records.

use super::Transfers;
use crate::domain::audit::{Record, RecordKind};
use crate::domain::error::Error;
use crate::domain::id::{RecordId, TransferId};
use crate::domain::limits::page_size;
use crate::domain::store::{StorageKey, list};
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
        let size = page_size(limit)?;
        let records = self.records_after(id, kind, after, size + 1).await?;
        Ok(Page::of(records, size, |record| record.id().to_string()))
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
        let mut records = Vec::new();
        // Actions and events name their request. Requests are read last, so that no record is listed without its request
        // when both are written meanwhile.
        for kind in RecordKind::ALL.into_iter().rev() {
            records.extend(self.records_after(id, kind, after, size + 1).await?);
        }
        records.sort_unstable_by_key(Record::id);
        records.truncate(size + 1);
        Ok(Page::of(records, size, |record| record.id().to_string()))
    }

    async fn records_after(
        &self,
        id: TransferId,
        kind: RecordKind,
        after: Option<RecordId>,
        limit: usize,
    ) -> Result<Vec<Record>, Error> {
        let prefix = StorageKey::transfer_records(id, kind);
        let after = after.map(|after| prefix.object(&after));
        Ok(list(self.store(), &prefix, after.as_ref(), limit).await?)
    }
}
