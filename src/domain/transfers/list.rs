//! Paginated reads of a transfer's audit records.

use super::Transfers;
use crate::domain::audit::{Record, RecordClass, RecordKind};
use crate::domain::error::Error;
use crate::domain::id::RecordId;
use crate::domain::limits::page_size;
use crate::domain::store::{Listed, StorageKey, from_json};
use crate::domain::timestamp::Timestamp;
use crate::domain::transfer::{ResolvedLink, Transfer};
use crate::domain::wire::RecordPage;

/// Number of records that one list of a link's records reads per page.
const SCAN_SIZE: usize = 500;
/// Number of records that one list of a link's records reads at most.
const MAX_SCANNED: usize = 5_000;

impl Transfers {
    /// Lists a page of all records of one kind, oldest first.
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

    /// Lists a page of the records of one kind that concern `link`, oldest first.
    ///
    /// Under the own link, these are all records but those of further links. The value of `next` names a record of the
    /// link too, or no record at all: it must not tell the records of other links.
    ///
    /// # Errors
    /// [`Error::InvalidRequest`] for a page size outside 1 to 1 000.
    pub async fn list_records_of_link(
        &self,
        link: &ResolvedLink,
        kind: RecordKind,
        mut after: Option<RecordId>,
        limit: Option<u32>,
    ) -> Result<RecordPage, Error> {
        let size = page_size(limit)?;
        if link.transfer.links.is_empty() {
            return self.list_records(&link.transfer, kind, after, limit).await;
        }
        let (mut items, mut scanned) = (Vec::new(), 0);
        let next = loop {
            let found = self.scan([kind], &link.transfer, after, SCAN_SIZE).await?;
            scanned += found.items.len();
            items.extend(found.items.into_iter().filter(|record| record.link_id() == link.further_id()));
            if items.len() > size {
                items.truncate(size);
                break items.last().map(Record::id);
            }
            let Some(last) = found.next else { break None };
            after = last.name().parse().ok();
            if scanned >= MAX_SCANNED {
                break after.map(|last| RecordId::before(last.at()));
            }
        };
        let reads_since = self.reads_since();
        Ok(RecordPage {
            items,
            next: next.map(|id| id.to_string()),
            reads_since: (link.created_at() < reads_since).then_some(reads_since),
        })
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
    async fn list_kinds(
        &self,
        transfer: &Transfer,
        kinds: impl IntoIterator<Item = RecordKind>,
        after: Option<RecordId>,
        limit: Option<u32>,
    ) -> Result<RecordPage, Error> {
        let Listed { items, next } = self.scan(kinds, transfer, after, page_size(limit)?).await?;
        let reads_since = self.reads_since();
        Ok(RecordPage {
            items,
            next: next.map(|key| key.name().to_owned()),
            reads_since: (transfer.created_at < reads_since).then_some(reads_since),
        })
    }

    /// Reads up to `size` records of several kinds merged, oldest first.
    ///
    /// Omits records of reads after their retention, removed or not. May return fewer than there are, since records can
    /// be removed meanwhile: only `next` tells whether there are more.
    async fn scan(
        &self,
        kinds: impl IntoIterator<Item = RecordKind>,
        transfer: &Transfer,
        after: Option<RecordId>,
        size: usize,
    ) -> Result<Listed<Record>, Error> {
        let reads_after = after.max(Some(RecordId::before(self.reads_since())));
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
        Ok(Listed { items: found, next }.try_map(|(key, value)| from_json::<Record>(key.as_str(), &value))?)
    }

    /// Returns the time before which records of reads are not listed any more.
    fn reads_since(&self) -> Timestamp {
        self.now().minus(self.settings().retention.reads())
    }
}
