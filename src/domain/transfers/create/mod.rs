//! Creation of a transfer.

mod guest;

use serde::{Deserialize, Serialize};

use super::Transfers;
use super::links::{check_limit, lifetime};
use crate::domain::audit::{ChangeResult, EventKind, RequestScope};
use crate::domain::crypto::digest::Sha256;
use crate::domain::error::Error;
use crate::domain::id::{TokenId, TransferId};
use crate::domain::limits::{DEFAULT_LIFETIME, Limits};
use crate::domain::stats::{CounterDelta, StatusMoves};
use crate::domain::store::{Commit, StorageKey, StoreError, TransferIndexEntry, create, read};
use crate::domain::token::{QuotaEntry, ReservationMark, Token};
use crate::domain::transfer::{Guest, GuestUpload, Status, Transfer, TransferTerms};
use crate::domain::version::V1;
use crate::domain::wire::{CreateTransfer, UploadInstruction};

/// `creates/{…}.json`: idempotency record, with the created transfer and the hash of the request body.
#[derive(Debug, Serialize, Deserialize)]
pub(in crate::domain) struct IdempotencyRecord {
    v: V1,
    pub(in crate::domain) transfer_id: TransferId,
    body_sha256: Sha256,
}

/// Validates a request, and returns the terms of the new transfer.
///
/// # Errors
/// [`Error::InvalidRequest`] with the name of the invalid member; [`Error::PayloadTooLarge`].
pub fn new_terms(request: &CreateTransfer, limits: Limits) -> Result<TransferTerms, Error> {
    let reject = |text: String| Err(Error::InvalidRequest(text));
    if request.size_bytes == 0 {
        return reject("size_bytes must be at least 1".to_owned());
    }
    let lifetime = request.expires_in_s.map_or(Ok(DEFAULT_LIFETIME), lifetime)?;
    check_limit(request.max_downloads)?;
    let hex = |key: &String| key.len() == 64 && key.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'));
    if !request.idempotency_key.as_ref().is_none_or(hex) {
        return reject("idempotency_key must be 64 lower-case hex digits".to_owned());
    }
    if request.size_bytes > limits.max_payload_bytes() {
        return Err(Error::PayloadTooLarge { limit_bytes: limits.max_payload_bytes() });
    }
    Ok(TransferTerms {
        size_bytes: request.size_bytes,
        lifetime,
        max_downloads: request.max_downloads,
        access_sha256: request.access_sha256,
        access_from_passphrase: request.access_from_passphrase,
        notify: request.notify.unwrap_or_default(),
        own_link_closed: !request.own_link.is_open(),
    })
}

/// Created transfer, with the way to upload its payload.
#[derive(Debug)]
pub struct NewTransfer {
    /// State of the transfer.
    pub transfer: Transfer,
    /// Instruction for uploading the payload: through this service, or with the first presigned URLs.
    pub upload: UploadInstruction,
}

impl Transfers {
    /// Creates a transfer, or returns the transfer created earlier with the same idempotency key.
    ///
    /// # Errors
    /// Errors of [`new_terms`]; [`Error::IdempotencyMismatch`]; [`Error::QuotaExceeded`]; [`Error::StorageFull`].
    pub async fn create(
        &self,
        scope: &RequestScope,
        token: &Token,
        request: &CreateTransfer,
    ) -> Result<NewTransfer, Error> {
        let transfer = self.find_or_create(scope, token, None, request).await?;
        let upload = self.upload_instruction(&transfer).await?;
        Ok(NewTransfer { transfer, upload })
    }

    async fn find_or_create(
        &self,
        scope: &RequestScope,
        token: &Token,
        guest: Option<Guest<'_>>,
        request: &CreateTransfer,
    ) -> Result<Transfer, Error> {
        let terms = new_terms(request, self.settings().limits)?;
        let sender = guest.map_or(token, |guest| guest.owner);
        let terms = TransferTerms { notify: request.notify.unwrap_or(sender.notifications.choice), ..terms };
        // Rejects before writing an idempotency record, which is removed only together with a transfer.
        for charged in std::iter::once(token).chain(guest.map(|guest| guest.owner)) {
            if let Err(exceeded) = self.check_quota(charged, terms.size_bytes)
                && !self.is_known(token, request).await?
            {
                return Err(exceeded);
            }
        }
        let space = match self.check_free_space(terms.size_bytes).await {
            Err(full) if !self.is_known(token, request).await? => return Err(full),
            space => space,
        };
        let (id, created_under) = match &request.idempotency_key {
            None => (TransferId::random(), None),
            Some(key) => {
                let record_key = StorageKey::idempotency_record(token.token_id, key);
                let (id, known) = self.id_under(&record_key, guest, request).await?;
                if known && let Some(transfer) = self.created_before(scope, id).await? {
                    return Ok(transfer);
                }
                (id, Some(record_key))
            }
        };
        scope.set_transfer(id);
        space?;
        let reservation = self.reserve_quota(token, id, terms.size_bytes).await?;
        let guest = match guest {
            None => None,
            // If the owner's quota is full, the reservation of the request stays until it counts as abandoned: another
            // call with the same key may use it.
            Some(Guest { owner, proof_sha256 }) => {
                let owner_reservation = self.reserve_quota(owner, id, terms.size_bytes).await?;
                Some(GuestUpload { owner: owner.token_id, proof_sha256, owner_reservation })
            }
        };
        let now = self.now();
        let mut transfer = Transfer::new(id, token.token_id, &terms, now);
        transfer.created_under = created_under.map(|key| key.to_string());
        transfer.reservation = Some(reservation);
        transfer.holds_quota = true;
        transfer.guest = guest;
        self.offer_presigned(&mut transfer, now)?;
        // Signing the upload URLs, which may fail, decides the response.
        let result = if transfer.upload.is_some() { ChangeResult::Undetermined } else { ChangeResult::Created };
        let deadline = transfer.deadline().unwrap_or(transfer.own_link.expires_at);
        let counter_delta = CounterDelta {
            created: 1,
            status_moves: StatusMoves::one(None, Some(Status::Pending)),
            ..CounterDelta::on(now.day())
        };
        let with = Commit {
            schedule: vec![StorageKey::schedule_entry(deadline, id)],
            records: TransferIndexEntry::records_of(&transfer),
            counter_delta: Some(counter_delta),
            ..Commit::default()
        };
        let with = scope.transfer_commit(id, now, result, &[EventKind::TransferCreated], with);
        match create(self.store(), StorageKey::transfer(id), &transfer, with).await {
            Ok(()) => {
                scope.set_existing_transfer(id);
                for (token, mark) in reservations(token.token_id, reservation, guest) {
                    self.mark_entry_completed(token, QuotaEntry::reserved(id, mark));
                }
                Ok(transfer)
            }
            // A concurrent request with the same key was first: return its transfer.
            Err(StoreError::Conflict) => {
                let transfer = self.find(scope, id).await?;
                for (token, mark) in reservations(token.token_id, reservation, guest) {
                    self.cancel_quota(&transfer, token, mark).await?;
                }
                Ok(transfer)
            }
            // The transfer may exist despite the error, so its reservation stays until the outcome is known.
            Err(error) => Err(error.into()),
        }
    }

    /// Checks the quota, unless abandoned reservations in it may still be released.
    fn check_quota(&self, token: &Token, bytes: u64) -> Result<(), Error> {
        match token.quota.after_adding(bytes) {
            Err(_) if !self.abandoned_entries(token).is_empty() => Ok(()),
            checked => checked.map(drop),
        }
    }

    /// Returns whether an earlier request had the same idempotency key. Its transfer exists or has a reservation.
    async fn is_known(&self, token: &Token, request: &CreateTransfer) -> Result<bool, Error> {
        let Some(key) = &request.idempotency_key else { return Ok(false) };
        Ok(self.store().get(&StorageKey::idempotency_record(token.token_id, key)).await?.is_some())
    }

    /// Returns the transfer of an earlier request; `None` if the request did not create the transfer.
    async fn created_before(&self, scope: &RequestScope, id: TransferId) -> Result<Option<Transfer>, Error> {
        match self.find(scope, id).await {
            Ok(transfer) => Ok(Some(transfer)),
            Err(Error::TransferNotFound) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Returns the transfer id of an idempotency key, and whether an earlier request has used the key.
    ///
    /// Another guest proof is another request: its sender could not continue the existing upload.
    async fn id_under(
        &self,
        record_key: &StorageKey,
        guest: Option<Guest<'_>>,
        request: &CreateTransfer,
    ) -> Result<(TransferId, bool), Error> {
        let body = CreateTransfer { idempotency_key: None, ..request.clone() };
        let mut body = serde_json::to_vec(&body).map_err(|error| Error::Internal(error.into()))?;
        body.extend(guest.iter().flat_map(|guest| guest.proof_sha256.as_bytes()));
        let creation = IdempotencyRecord { v: V1, transfer_id: TransferId::random(), body_sha256: Sha256::of(&body) };
        match create(self.store(), record_key.clone(), &creation, Commit::default()).await {
            Ok(()) => return Ok((creation.transfer_id, false)),
            Err(StoreError::Conflict) => {}
            Err(error) => return Err(error.into()),
        }
        let first = read::<IdempotencyRecord>(self.store(), record_key).await?.ok_or(StoreError::Conflict)?.value;
        if first.body_sha256 != creation.body_sha256 {
            return Err(Error::IdempotencyMismatch);
        }
        Ok((first.transfer_id, true))
    }
}

/// Returns the marks of the reservations for a new transfer, with their tokens.
fn reservations(
    token: TokenId,
    mark: ReservationMark,
    guest: Option<GuestUpload>,
) -> impl Iterator<Item = (TokenId, ReservationMark)> {
    std::iter::once((token, mark)).chain(guest.map(|guest| (guest.owner, guest.owner_reservation)))
}
