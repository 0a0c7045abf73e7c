//! Creating a transfer.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::Transfers;
use crate::domain::audit::{Answer, EventKind, RequestScope};
use crate::domain::digest::Sha256;
use crate::domain::error::Error;
use crate::domain::id::TransferId;
use crate::domain::limits::{DEFAULT_LIFETIME, Limits, MAX_DOWNLOADS, MAX_LIFETIME, MIN_LIFETIME};
use crate::domain::stats::{Moves, Tally};
use crate::domain::store::{Commit, StorageKey, StoreError, create, read};
use crate::domain::token::{Entry, Token};
use crate::domain::transfer::{Status, Terms, Transfer};
use crate::domain::version::V1;
use crate::domain::wire::CreateTransfer;

/// The transfer is there, and URLs for its payload are still to be signed: how that goes decides the answer.
const SIGNING: Answer = Answer::Later;
/// The answer to a request that created something.
const CREATED: Answer = Answer::Whole { status: 201 };

/// `creates/{…}.json`: which transfer an idempotency key made, and of what body.
#[derive(Debug, Serialize, Deserialize)]
pub(in crate::domain) struct Creation {
    v: V1,
    pub(in crate::domain) transfer_id: TransferId,
    body_sha256: Sha256,
}

/// The terms that a request asks for.
///
/// # Errors
/// [`Error::InvalidRequest`] that names the member; [`Error::PayloadTooLarge`].
pub fn new_terms(wanted: &CreateTransfer, limits: Limits) -> Result<Terms, Error> {
    let refuse = |text: String| Err(Error::InvalidRequest(text));
    if wanted.size_bytes == 0 {
        return refuse("size_bytes must be at least 1".to_owned());
    }
    let lifetime = wanted.expires_in_s.map_or(DEFAULT_LIFETIME, Duration::from_secs);
    if !(MIN_LIFETIME..=MAX_LIFETIME).contains(&lifetime) {
        return refuse(format!(
            "expires_in_s must be between {} and {}",
            MIN_LIFETIME.as_secs(),
            MAX_LIFETIME.as_secs()
        ));
    }
    if wanted.max_downloads.is_some_and(|limit| !(1..=MAX_DOWNLOADS).contains(&limit)) {
        return refuse(format!("max_downloads must be between 1 and {MAX_DOWNLOADS}"));
    }
    let hex = |key: &String| key.len() == 64 && key.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'));
    if !wanted.idempotency_key.as_ref().is_none_or(hex) {
        return refuse("idempotency_key must be 64 lower-case hex digits".to_owned());
    }
    if wanted.size_bytes > limits.max_payload_bytes() {
        return Err(Error::PayloadTooLarge { limit_bytes: limits.max_payload_bytes() });
    }
    Ok(Terms {
        size_bytes: wanted.size_bytes,
        lifetime,
        max_downloads: wanted.max_downloads,
        access_sha256: wanted.access_sha256,
    })
}

impl Transfers {
    /// Creates a transfer of `token`, or finds the one that the same idempotency key made before.
    ///
    /// # Errors
    /// As [`new_terms`]; [`Error::IdempotencyMismatch`]; [`Error::QuotaExceeded`].
    pub async fn create(
        &self,
        scope: &RequestScope,
        token: &Token,
        wanted: &CreateTransfer,
    ) -> Result<Transfer, Error> {
        let terms = new_terms(wanted, self.rules().limits)?;
        // Refused before anything is written that only a transfer would lead to.
        if let Err(exceeded) = self.check_quota(token, terms.size_bytes)
            && !self.is_known(token, wanted).await?
        {
            return Err(exceeded);
        }
        let room = match self.check_room(terms.size_bytes).await {
            Err(full) if !self.is_known(token, wanted).await? => return Err(full),
            room => room,
        };
        let (id, created_under) = match &wanted.idempotency_key {
            None => (TransferId::random(), None),
            Some(key) => {
                let under = StorageKey::create(token.token_id, key);
                let (id, known) = self.id_under(&under, wanted).await?;
                if known && let Some(transfer) = self.created_before(scope, id).await? {
                    return Ok(transfer);
                }
                (id, Some(under))
            }
        };
        scope.note_named(id);
        room?;
        let reservation = self.reserve_quota(token, id, terms.size_bytes).await?;
        let now = self.now();
        let mut transfer = Transfer::new(id, token.token_id, &terms, now);
        transfer.created_under = created_under.map(|key| key.to_string());
        transfer.reservation = reservation;
        transfer.holds_quota = token.quota.as_ref().is_some_and(|quota| quota.max_total_bytes.is_some());
        self.offer_presigned(&mut transfer, now)?;
        let answer = if transfer.upload.is_some() { SIGNING } else { CREATED };
        let deadline = transfer.deadline().unwrap_or(transfer.expires_at);
        let tally = Tally { created: 1, moved: Moves::one(None, Some(Status::Pending)), ..Tally::on(now.day()) };
        let with = Commit {
            hints: vec![StorageKey::due(deadline, id)],
            ..Self::documented(id, scope, now, answer, &[EventKind::TransferCreated], tally)
        };
        match create(self.store(), StorageKey::transfer(id), &transfer, with).await {
            Ok(()) => {
                scope.note_exists(id);
                scope.note_committed(answer);
                if let Some(mark) = reservation {
                    self.note_settled(token.token_id, Entry::reserved(id, mark));
                }
                Ok(transfer)
            }
            // A request with the same key was faster: what it made is the answer again.
            Err(StoreError::Conflict) => {
                let transfer = self.find(scope, id).await?;
                if let Some(mark) = reservation {
                    self.cancel_quota(&transfer, mark).await?;
                }
                Ok(transfer)
            }
            // It may have been created all the same: what it reserved stays until that is known.
            Err(error) => Err(error.into()),
        }
    }

    /// Refuses what a quota cannot take, unless something in it was left behind that may come back.
    fn check_quota(&self, token: &Token, bytes: u64) -> Result<(), Error> {
        match &token.quota {
            Some(quota) if quota.abandoned(self.now()).next().is_none() => quota.with(bytes).map(drop),
            _ => Ok(()),
        }
    }

    /// Whether an earlier request had the same idempotency key: its transfer is there, or what it needs is reserved.
    async fn is_known(&self, token: &Token, wanted: &CreateTransfer) -> Result<bool, Error> {
        let Some(key) = &wanted.idempotency_key else { return Ok(false) };
        Ok(self.store().get(&StorageKey::create(token.token_id, key)).await?.is_some())
    }

    /// The transfer that an earlier request has created, if it came to that.
    async fn created_before(&self, scope: &RequestScope, id: TransferId) -> Result<Option<Transfer>, Error> {
        match self.find(scope, id).await {
            Ok(transfer) => Ok(Some(transfer)),
            Err(Error::TransferNotFound) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// The id that belongs to an idempotency key: a new one, or the one that it was first used for, and then `true`.
    async fn id_under(&self, under: &StorageKey, wanted: &CreateTransfer) -> Result<(TransferId, bool), Error> {
        let body = CreateTransfer { idempotency_key: None, ..wanted.clone() };
        let body = serde_json::to_vec(&body).map_err(|error| Error::Internal(error.into()))?;
        let creation = Creation { v: V1, transfer_id: TransferId::random(), body_sha256: Sha256::of(&body) };
        match create(self.store(), under.clone(), &creation, Commit::default()).await {
            Ok(()) => return Ok((creation.transfer_id, false)),
            Err(StoreError::Conflict) => {}
            Err(error) => return Err(error.into()),
        }
        let first = read::<Creation>(self.store(), under).await?.ok_or(StoreError::Conflict)?.value;
        if first.body_sha256 != creation.body_sha256 {
            return Err(Error::IdempotencyMismatch);
        }
        Ok((first.transfer_id, true))
    }
}
