//! Invariants of responses: each success keeps its promise, and each rejection has a reason.

use super::model::{EndedRequest, TokenModel};
use super::store::at_once;
use super::world::{MAX_SKEW, WorldState};
use crate::domain::audit::{AuditState, RequestScope};
use crate::domain::crypto::digest::Sha256;
use crate::domain::error::Error;
use crate::domain::id::{LinkId, TokenId, TransferId};
use crate::domain::limits::failed_attempts::WRONG_PROOFS;
use crate::domain::store::{MemoryStore, Records, StorageKey, StoreError, from_json};
use crate::domain::timestamp::Timestamp;
use crate::domain::transfer::{FurtherLink, GrantRecord, LinkState, PayloadState, Status};

/// Access proof that a request presents.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Presented {
    /// No proof, for a transfer that requires none.
    #[default]
    Unneeded,
    Right,
    Wrong,
    /// No proof, for a transfer that requires one.
    Missing,
}

impl Presented {
    /// Returns whether the request needs no grant to be served.
    const fn suffices(self) -> bool {
        matches!(self, Self::Unneeded | Self::Right)
    }
}

/// Subject of a request, and the facts at its start.
#[derive(Clone, Copy, Debug, Default)]
#[allow(clippy::struct_excessive_bools, reason = "independent facts, not states")]
pub(super) struct Subject {
    pub(super) transfer: Option<TransferId>,
    /// Further link that the request names.
    pub(super) link: Option<LinkId>,
    pub(super) token: Option<TokenId>,
    pub(super) grant: Option<Sha256>,
    pub(super) proof: Presented,
    /// Encrypted size of a new transfer.
    pub(super) size: u64,
    /// Whether the upload does not send its whole body.
    pub(super) body_ends_early: bool,
    pub(super) started: u64,
    /// Whether the transfer has ended in the store.
    pub(super) is_over: bool,
    /// Whether the transfer has expired by the clock of the server.
    pub(super) is_late: bool,
    /// Difference of that clock from the true time.
    pub(super) skew: i64,
    pub(super) is_revoked: bool,
    /// Whether the token has expired by the clock of the server.
    pub(super) is_token_late: bool,
}

impl WorldState {
    /// Completes the subject of a request that starts on `server`.
    pub(super) fn start(&mut self, mut subject: Subject, server: usize) -> Subject {
        self.counts.requests += 1;
        subject.started = self.counts.steps;
        let clock = self.clock_of(server);
        let model = subject.transfer.and_then(|id| self.model.transfers.get(&id));
        subject.is_over = model.is_some_and(|model| {
            let ended = matches!(model.last.state.status(), Status::Expired | Status::Deleted);
            ended || model.deletion_acknowledged
        });
        subject.is_late = self.is_late(&subject, clock);
        subject.is_over |= subject
            .link
            .and_then(|id| self.model.links.get(&id))
            .is_some_and(|link| matches!(link.last.link.state, LinkState::Expired { .. } | LinkState::Closed { .. }));
        subject.skew = self.skews[server];
        subject.is_revoked = self.any_token(&subject, |token| token.revocation_acknowledged);
        subject.is_token_late = self.any_token(&subject, |token| token.expires_at.is_some_and(|at| at <= clock));
        if let Some(id) = subject.transfer {
            if let (true, Some(digest)) = (subject.proof.suffices(), subject.grant) {
                self.model.authorised_grants.insert((subject.link.unwrap_or_else(|| id.into()), digest));
            }
            if subject.proof == Presented::Wrong {
                *self.model.wrong_proofs.entry(id).or_default() += 1;
            }
        }
        subject
    }

    /// Returns whether the token of a request, or that of its owner, meets a condition.
    fn any_token(&self, subject: &Subject, holds: impl Fn(&TokenModel) -> bool) -> bool {
        let token = subject.token.and_then(|id| self.model.tokens.get(&id));
        let owner = token.and_then(|token| token.owner).and_then(|id| self.model.tokens.get(&id));
        token.into_iter().chain(owner).any(holds)
    }

    /// Returns whether the link of a request has expired by a clock.
    fn is_late(&self, subject: &Subject, clock: Timestamp) -> bool {
        let expires_at = match (subject.link, subject.transfer) {
            (Some(id), _) => self.model.links.get(&id).map(|link| link.last.link.expires_at),
            (None, Some(id)) => self.model.transfers.get(&id).map(|model| model.last.own_link.expires_at),
            (None, None) => None,
        };
        expires_at.is_some_and(|at| at <= clock)
    }

    /// Checks the records of a request with this result, before its response.
    pub(super) fn respond(&mut self, scope: &RequestScope, succeeded: bool, server: usize, shares_records: bool) {
        let id = scope.request().request_id;
        let records = self.model.records.get(&id).copied().unwrap_or_default();
        let state = scope.audit_state();
        if succeeded && !shares_records {
            let done = u32::from(state >= AuditState::Action);
            let requests = u32::from(state == AuditState::Complete);
            self.check(records.done == done && records.requests == requests, || {
                format!("an acknowledged request {id} has the records {records:?} in the state {state:?}")
            });
        }
        if !shares_records {
            let generation = self.generations[server];
            let may_differ = self.counts.lost_answers > 0;
            self.model.ended.push(EndedRequest { id, server, generation, succeeded, may_differ });
        }
    }

    /// Checks that no request succeeds with a token that has ended, or serves a transfer that has ended.
    pub(super) fn check_allowed(&mut self, subject: &Subject, serves: bool, on: usize) {
        self.check(!subject.is_revoked, || format!("the revoked token {:?} is accepted", subject.token));
        // A clock set back during the request may show an earlier time.
        let has_same_clock = subject.skew == self.skews[on];
        let is_expired = subject.is_token_late && has_same_clock;
        self.check(!is_expired, || format!("the expired token {:?} is accepted", subject.token));
        // A sender may have set a later time since.
        let is_late = subject.is_late && has_same_clock && self.is_late(subject, self.clock_of(on));
        self.check(!(serves && (subject.is_over || is_late)), || {
            format!("the ended transfer {:?} is served", subject.transfer)
        });
    }

    /// Checks that a successful request has presented the right proof, or a grant issued for it.
    pub(super) fn check_authorised(&mut self, subject: &Subject) {
        let link = subject.link.or(subject.transfer.map(LinkId::from));
        let grant = link.zip(subject.grant);
        let is_authorised =
            subject.proof.suffices() || grant.is_some_and(|grant| self.model.authorised_grants.contains(&grant));
        self.check(is_authorised, || format!("{subject:?} succeeds without an access proof"));
    }

    /// Checks that an acknowledged download is stored, and counted if the link has a limit.
    pub(super) fn check_granted(&mut self, memory: &MemoryStore, id: TransferId, digest: &Sha256) {
        let latest_clock = self.now.plus(MAX_SKEW * 2);
        let Some(model) = self.model.transfers.get_mut(&id) else { return };
        model.acknowledged.insert(*digest);
        let is_settled = model.last.own_link.counts_itself();
        let (acknowledged, counted) = (model.acknowledged.len() as u64, model.last.own_link.download_count());
        let in_record = model.last.own_link.find_grant(digest).is_some();
        self.check(!is_settled || acknowledged <= counted, || {
            format!("{id} has {acknowledged} acknowledged downloads, and counts {counted}")
        });
        let found = self.find_grant(memory, id, digest);
        let is_stored = in_record || found.is_some_and(|grant| !is_settled || grant.expires_at <= latest_clock);
        self.check(is_stored, || format!("an acknowledged grant of {id} is not stored"));
    }

    fn find_grant(&self, memory: &MemoryStore, id: TransferId, digest: &Sha256) -> Option<GrantRecord> {
        let limited = self.model.transfers.get(&id).and_then(|model| model.last.own_link.find_grant(digest));
        limited.or_else(|| {
            let key = StorageKey::grant(id, digest);
            let found = at_once(memory.get(&key)).ok().flatten()?;
            from_json(key.as_str(), &found.value).ok()
        })
    }

    /// Checks that the shared state justifies the error of a request.
    pub(super) fn check_reason(&mut self, memory: &MemoryStore, subject: &Subject, error: &Error) {
        let latest_clock = self.now.plus(MAX_SKEW);
        let model = subject.transfer.and_then(|id| self.model.transfers.get(&id));
        let of_transfer = |justified: fn(&super::model::TransferModel) -> bool| model.is_some_and(justified);
        let grant = match (subject.transfer, &subject.grant) {
            (Some(id), Some(digest)) => self.find_grant(memory, id, digest),
            _ => None,
        };
        let grant_is_over = grant.is_none_or(|grant| grant.expires_at <= latest_clock);
        // The object of a grant that was written after its link got a limit is worthless.
        let is_worthless = model.is_some_and(|model| {
            let is_settled = model.last.own_link.counts_itself();
            is_settled && subject.grant.is_none_or(|digest| model.last.own_link.find_grant(&digest).is_none())
        });
        let before_start = |step: Option<u64>| step.is_some_and(|step| step < subject.started);
        let of_link = subject.link.and_then(|id| self.link_justifies(id, error));
        let justified = match error {
            _ if of_link.is_some() => of_link == Some(true),
            Error::StorageUnavailable(StoreError::Conflict | StoreError::NoPayload) => false,
            Error::StorageUnavailable(_)
            | Error::OffsetMismatch { .. }
            | Error::UploadInProgress
            | Error::WrongMode => true,
            Error::InvalidRequest(_) => subject.body_ends_early,
            Error::TokenRevoked => self.any_token(subject, |token| token.revocation_started),
            Error::TokenExpired => {
                self.any_token(subject, |token| token.expires_at.is_some_and(|at| at <= latest_clock))
            }
            Error::AccessRequired => subject.proof == Presented::Missing,
            Error::AccessInvalid => subject.proof == Presented::Wrong,
            Error::RateLimited { .. } => {
                let wrong = subject.transfer.and_then(|id| self.model.wrong_proofs.get(&id));
                of_transfer(|model| model.last.own_link.access_from_passphrase)
                    && wrong.is_some_and(|wrong| *wrong > WRONG_PROOFS.max)
            }
            Error::TransferNotFound => of_transfer(|model| model.removed),
            Error::TransferDeleted => {
                of_transfer(|model| model.deletion_started || matches!(model.last.state.status(), Status::Deleted))
            }
            Error::LinkClosed => of_transfer(|model| model.close_started),
            Error::NoLink => {
                model.is_some_and(|model| model.close_started || model.last.own_link.expires_at <= latest_clock)
            }
            Error::GrantInvalid => of_transfer(|model| model.was_unlimited) && grant_is_over,
            Error::TransferExpired => {
                let has_ended = of_transfer(|model| model.was_expired);
                // Requests under the own link have no token.
                let uses_link = subject.token.is_none();
                let is_late = |end: Timestamp| end <= latest_clock.plus(MAX_SKEW * 2);
                has_ended
                    || model.is_some_and(|model| is_late(model.first_deadline))
                    || model.is_some_and(|model| uses_link && is_late(model.first_expiry))
            }
            Error::TransferExhausted => model.is_some_and(|model| {
                let is_full = model.last.own_link.downloads_remaining() == Some(0)
                    || model.last.own_link_at(self.now).state().ended_at().is_some()
                    || model.last.state.status() == Status::Exhausted;
                let has_expired = model.last.own_link.expires_at <= latest_clock;
                is_full && (grant_is_over || is_worthless || has_expired || model.last.payload != PayloadState::Stored)
            }),
            // The end of a transfer has closed the id of a link that was being created, and found another link in use.
            Error::LinkMismatch => self.model.links.values().any(|link| {
                Some(link.last.transfer_id) == subject.transfer && link.last.wrapped_key == FurtherLink::no_key()
            }),
            Error::GrantExpired => grant.is_some() && grant_is_over,
            Error::NotCompleted => model.is_some_and(|model| !before_start(model.completion_acknowledged)),
            Error::TransferNotPending => of_transfer(|model| model.last.state.completed_at().is_some()),
            Error::UploadIncomplete { .. } => model.is_some_and(|model| !before_start(model.upload_acknowledged)),
            Error::QuotaExceeded { member } => self.any_token(subject, |token| {
                let (transfers, bytes) = token.limits;
                let next = token.uses.iter().skip(1).map(|(step, ..)| *step).chain([u64::MAX]);
                token.uses.iter().zip(next).any(|((_, created, held), until)| {
                    let exceeded = match *member {
                        "max_transfers" => transfers.is_some_and(|limit| created + 1 > limit),
                        _ => bytes.is_some_and(|limit| held + subject.size > limit),
                    };
                    exceeded && until >= subject.started
                })
            }),
            _ => false,
        };
        self.check(justified, || format!("{subject:?} was rejected without a reason: {error:?}"));
    }
}
