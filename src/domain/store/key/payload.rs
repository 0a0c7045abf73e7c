//! Keys of payloads in backends that store them as objects, and of the index of their transfers.

use super::{Prefix, StorageKey};
use crate::domain::id::{PayloadId, TransferId};

/// Folder of payloads with an id of their own.
const PAYLOADS: &str = "payloads/";
/// Folder of the index of the transfers of payloads.
const BY_PAYLOAD: &str = "by-payload/";

impl StorageKey {
    /// Returns the key of a complete payload.
    #[must_use]
    pub fn payload(id: PayloadId) -> Self {
        payload_folder(id).with("payload.enc")
    }

    /// Returns the key of an incomplete upload's manifest, in backends without appendable files.
    #[must_use]
    pub fn upload_manifest(id: PayloadId) -> Self {
        payload_folder(id).with("upload.json")
    }

    /// Returns the key of a piece of an incomplete upload.
    #[must_use]
    pub fn payload_piece(id: PayloadId, name: &str) -> Self {
        Self::payload_pieces(id).with(name)
    }

    /// Returns the prefix of all pieces of an incomplete upload.
    #[must_use]
    pub fn payload_pieces(id: PayloadId) -> Prefix {
        Prefix(payload_folder(id).with("upload/").0)
    }

    /// Returns whether the key belongs to a payload or an incomplete upload; all other keys are records.
    #[must_use]
    pub fn belongs_to_payload(&self) -> bool {
        self.payload_id().is_some() || self.0.starts_with(PAYLOADS)
    }

    /// Returns the id of the payload that the key belongs to; `None` for a record.
    #[must_use]
    pub fn payload_id(&self) -> Option<PayloadId> {
        let is_part = |name: &str| matches!(name, "payload.enc" | "upload.json") || name.starts_with("upload/");
        let (folder, rest) = self.0.split_once('/')?;
        let (id, name) = rest.split_once('/')?;
        let id = id.parse().ok().filter(|_| is_part(name))?;
        let is_in_place = match folder {
            "payloads" => PayloadId::as_transfer(id).is_none(),
            "transfers" => PayloadId::as_transfer(id).is_some(),
            _ => false,
        };
        is_in_place.then_some(id)
    }

    /// Returns the folders of payloads, each with the key after the objects of the payloads up to `after`.
    #[must_use]
    pub fn payload_folders(after: Option<PayloadId>) -> [(Prefix, Option<Self>); 2] {
        let own = after.map(|id| match id.as_transfer() {
            // `0` is the character after `/`.
            None => Self(format!("{PAYLOADS}{id}0")),
            // The random id with the same digits sorts after that of the transfer.
            Some(_) => Self(format!("{PAYLOADS}p{}", id.digits())),
        });
        let of_transfers = after.map(|id| Self(format!("transfers/{}0", id.digits())));
        [(Prefix(PAYLOADS.to_owned()), own), (Self::all_transfers(), of_transfers)]
    }

    /// Returns the key of the index entry that names the transfer of a payload.
    #[must_use]
    pub fn payload_owner(payload: PayloadId, transfer: TransferId) -> Self {
        Self::payload_owners(payload).with(&transfer.to_string())
    }

    /// Returns the prefix of the index entry that names the transfer of a payload; at most one exists.
    #[must_use]
    pub fn payload_owners(payload: PayloadId) -> Prefix {
        Prefix(format!("{BY_PAYLOAD}{payload}-"))
    }

    /// Returns the prefix of all index entries that name the transfer of a payload.
    #[must_use]
    pub fn all_payload_owners() -> Prefix {
        Prefix(BY_PAYLOAD.to_owned())
    }

    /// Returns payload and transfer of an index entry that names them; `None` for other keys.
    #[must_use]
    pub fn as_payload_owner(&self) -> Option<(PayloadId, TransferId)> {
        let (payload, transfer) = self.0.strip_prefix(BY_PAYLOAD)?.split_once('-')?;
        let payload: PayloadId = payload.parse().ok()?;
        Some((payload, transfer.parse().ok()?)).filter(|_| payload.as_transfer().is_none())
    }
}

/// Returns the folder of a payload's objects.
fn payload_folder(id: PayloadId) -> Prefix {
    match id.as_transfer() {
        Some(transfer) => StorageKey::all_of_transfer(transfer),
        None => Prefix(format!("{PAYLOADS}{id}/")),
    }
}
