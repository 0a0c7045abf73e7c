//! Expected state of the shared store, updated by each write that takes effect.

use std::collections::{BTreeMap, BTreeSet};

use super::links::LinkModel;
use crate::domain::crypto::digest::Sha256;
use crate::domain::id::{LinkId, RecordId, TokenId, TransferId};
use crate::domain::timestamp::Timestamp;
use crate::domain::transfer::Transfer;

/// Transfer as last written, and what clients were told about it.
#[derive(Debug)]
#[allow(clippy::struct_excessive_bools, reason = "independent facts, not states")]
pub(super) struct TransferModel {
    pub(super) last: Transfer,
    /// Whether the transfer has ever been recorded as expired. A deletion may follow.
    pub(super) was_expired: bool,
    /// Whether a request to delete the transfer has started.
    pub(super) deletion_started: bool,
    /// Whether a server has acknowledged the deletion.
    pub(super) deletion_acknowledged: bool,
    /// Step at which a server first acknowledged the last byte of the payload.
    pub(super) upload_acknowledged: Option<u64>,
    /// Step at which a server first acknowledged the completion.
    pub(super) completion_acknowledged: Option<u64>,
    /// Deadline at the creation; a later deadline is earlier only by differences of clocks.
    pub(super) first_deadline: Timestamp,
    /// Earliest expiry time that the own link ever had.
    pub(super) first_expiry: Timestamp,
    /// Whether the transfer's records were removed after their retention.
    pub(super) removed: bool,
    /// Number of requests in progress that may write bytes of the payload.
    pub(super) uploads_in_progress: u32,
    /// Whether a crash or a failed store operation may have left bytes of an upload.
    pub(super) upload_interrupted: bool,
    /// Number of grants of an unlimited transfer.
    pub(super) grants: u64,
    /// Whether the own link was ever unlimited.
    pub(super) was_unlimited: bool,
    /// Whether a request to close the own link has started.
    pub(super) close_started: bool,
    /// Grants of acknowledged downloads under the own link.
    pub(super) acknowledged: BTreeSet<Sha256>,
    /// Latest time at which an issued upload URL is valid.
    pub(super) url_expires_at: Option<Timestamp>,
}

/// Token as last written.
#[derive(Debug, Default)]
pub(super) struct TokenModel {
    /// Limits of the quota: transfers and bytes.
    pub(super) limits: (Option<u64>, Option<u64>),
    /// Number of transfers ever created with the token.
    pub(super) created: u64,
    /// Transfers created and bytes in use, as recorded in the quota, with the step from which they were.
    pub(super) uses: Vec<(u64, u64, u64)>,
    pub(super) expires_at: Option<Timestamp>,
    /// Token that created this one as a request.
    pub(super) owner: Option<TokenId>,
    pub(super) revocation_started: bool,
    pub(super) revocation_acknowledged: bool,
}

/// Records of one request.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct RequestRecords {
    pub(super) requests: u32,
    /// Request records with the status of a success.
    pub(super) successes: u32,
    /// Action records with the outcome `done`.
    pub(super) done: u32,
    pub(super) other_actions: u32,
}

/// Sums over all writes that took effect.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Totals {
    pub(super) created: u64,
    pub(super) completed: u64,
    pub(super) downloads: u64,
    pub(super) bytes: u64,
}

/// Request that has ended.
#[derive(Clone, Copy, Debug)]
pub(super) struct EndedRequest {
    pub(super) id: RecordId,
    pub(super) server: usize,
    pub(super) generation: u32,
    pub(super) succeeded: bool,
    /// Whether a write in this schedule may have taken effect although its server got an error.
    pub(super) may_differ: bool,
}

/// State of the shared store according to the writes so far.
#[derive(Debug, Default)]
pub(super) struct Model {
    pub(super) transfers: BTreeMap<TransferId, TransferModel>,
    pub(super) tokens: BTreeMap<TokenId, TokenModel>,
    pub(super) links: BTreeMap<LinkId, LinkModel>,
    pub(super) records: BTreeMap<RecordId, RequestRecords>,
    /// Transfers by the key of their idempotency record.
    pub(super) created_under: BTreeMap<String, TransferId>,
    /// Grants that requests with the right access proof have asked for.
    pub(super) authorised_grants: BTreeSet<(LinkId, Sha256)>,
    /// Number of requests with a wrong access proof.
    pub(super) wrong_proofs: BTreeMap<TransferId, u32>,
    pub(super) totals: Totals,
    /// Requests that have records of their own.
    pub(super) ended: Vec<EndedRequest>,
}

impl TransferModel {
    pub(super) fn new(last: Transfer) -> Self {
        Self {
            first_expiry: last.own_link.expires_at,
            first_deadline: last.deadline().unwrap_or(last.own_link.expires_at),
            was_unlimited: last.own_link.max_downloads.is_none(),
            close_started: !last.own_link.state.is_open(),
            last,
            was_expired: false,
            deletion_started: false,
            deletion_acknowledged: false,
            upload_acknowledged: None,
            completion_acknowledged: None,
            removed: false,
            uploads_in_progress: 0,
            upload_interrupted: false,
            grants: 0,
            acknowledged: BTreeSet::new(),
            url_expires_at: None,
        }
    }
    /// Returns whether something may write bytes of a removed payload that a later sweep removes.
    pub(super) fn payload_may_return(&self) -> bool {
        let uploads_may_write = self.uploads_in_progress > 0 || self.upload_interrupted;
        self.last.upload_urls_until.is_some() || (self.last.late_uploads_until.is_some() && uploads_may_write)
    }
}
