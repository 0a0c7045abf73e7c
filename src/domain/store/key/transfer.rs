//! Keys of a transfer's objects: state, audit records and grants.

use super::{Prefix, READS, StorageKey, class_folder};
use crate::domain::audit::{Record, RecordClass, RecordKind};
use crate::domain::crypto::digest::Sha256;
use crate::domain::id::{RecordId, TransferId};
use crate::domain::timestamp::Timestamp;

impl StorageKey {
    /// Returns the key of a transfer's state.
    #[must_use]
    pub fn transfer(id: TransferId) -> Self {
        Self(format!("transfers/{id}/meta.json"))
    }

    /// Returns the key of an audit record of a transfer.
    #[must_use]
    pub fn transfer_record(id: TransferId, class: RecordClass, record: &Record) -> Self {
        Self::transfer_records(id, class, record.kind()).object(&record.id())
    }

    /// Returns the prefix of a transfer's audit records of one class and kind; key order is oldest first.
    #[must_use]
    pub fn transfer_records(id: TransferId, class: RecordClass, kind: RecordKind) -> Prefix {
        Prefix(format!("transfers/{id}/{}{}/", class_folder(class), kind.folder()))
    }

    /// Returns transfer and time of a read record of a transfer; `None` for other keys.
    #[must_use]
    pub fn read_record(&self) -> Option<(TransferId, Timestamp)> {
        let (id, rest) = self.0.strip_prefix("transfers/")?.split_once('/')?;
        rest.starts_with(READS).then(|| Some((id.parse().ok()?, self.name().parse::<RecordId>().ok()?.at())))?
    }

    /// Returns the prefix of all objects of a transfer.
    #[must_use]
    pub fn all_of_transfer(id: TransferId) -> Prefix {
        Prefix(format!("transfers/{id}/"))
    }

    /// Returns the transfer id in the path; `None` for objects outside a transfer.
    #[must_use]
    pub fn transfer_id(&self) -> Option<TransferId> {
        self.0.strip_prefix("transfers/")?.split_once('/')?.0.parse().ok()
    }

    /// Returns a key that sorts after all objects of a transfer and before the next transfer.
    #[must_use]
    pub fn after_transfer(id: TransferId) -> Self {
        // `0` is the character after `/`.
        Self(format!("transfers/{id}0"))
    }

    /// Returns the prefix of the grants of a transfer's own link, which it has while it is unlimited.
    #[must_use]
    pub fn grants(id: TransferId) -> Prefix {
        Prefix(format!("transfers/{id}/grants/"))
    }

    /// Returns the key of a grant of an unlimited own link.
    #[must_use]
    pub fn grant(id: TransferId, grant: &Sha256) -> Self {
        Self::grants(id).object(grant)
    }
}
