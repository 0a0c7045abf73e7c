//! Request scope: the audit data that a service collects while it processes a request.

use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use tokio::time::Instant;

use super::pieces::UploadRecords;
use super::{
    Action, ActionName, ClientSummary, Event, EventKind, Outcome, Record, RecordClass, RequestRecord, ServiceName,
    Source,
};
use crate::domain::address::{ClientKey, NetworkKey};
use crate::domain::error::ErrorCode;
use crate::domain::id::{LinkId, RecordId, RecordIds, TokenId, TransferId};
use crate::domain::timestamp::Timestamp;
use crate::domain::version::V1;

/// Data of a request that is known on arrival: route, action, time and client.
#[derive(Clone, Debug)]
pub struct RequestInfo {
    /// Request id assigned by the server.
    pub request_id: RecordId,
    /// Request id assigned by the client.
    pub client_request_id: Option<String>,
    /// Time of arrival.
    pub at: Timestamp,
    /// Service that received the request.
    pub service: ServiceName,
    /// The HTTP method.
    pub method: String,
    /// Template of the route.
    pub route: String,
    /// Attempted operation.
    pub action: ActionName,
    /// Client, in the form stored in records.
    pub client: ClientSummary,
    /// Rate-limit key of the client; never recorded.
    pub client_key: ClientKey,
    /// Key of the client's network, for limits per network; never recorded.
    pub network_key: NetworkKey,
}

impl RequestInfo {
    /// Returns the key that the rate limit counts the client by, with its network.
    #[must_use]
    pub const fn rate_limit_key(&self) -> (ClientKey, NetworkKey) {
        (self.client_key, self.network_key)
    }
}

/// Audit records of a request that were already written together with its commit.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum AuditState {
    /// No record.
    #[default]
    Missing,
    /// The action record; the request record follows after the response body was sent.
    Action,
    /// Action record and request record.
    Complete,
}

/// Result of a change by a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ChangeResult {
    /// Created a transfer, a token or an event.
    Created,
    /// Changed something that exists.
    Done,
    /// Changed something, but the result of the request depends on further work.
    Undetermined,
}

/// Returns the HTTP status for the result of a change; `None` if it is not known before the response.
///
/// The API layer provides this function, since the domain knows no statuses.
pub type SuccessStatus = fn(ChangeResult) -> Option<u16>;

/// Audit scope of a request in progress.
///
/// Handlers and the domain add the facts that they determine. A change by the request is committed as a
/// [`RecordedCommit`](super::RecordedCommit), which takes its audit records from the scope.
pub struct RequestScope {
    request: RequestInfo,
    started: Instant,
    ids: Arc<RecordIds>,
    success_status: SuccessStatus,
    progress: Mutex<ScopeProgress>,
}

#[derive(Default)]
struct ScopeProgress {
    token_id: Option<TokenId>,
    transfer_id: Option<TransferId>,
    /// Further link named by the request.
    link_id: Option<LinkId>,
    exists: bool,
    admin: bool,
    bytes_in: u64,
    audit_state: AuditState,
    record_class: RecordClass,
    /// Records of the earlier pieces of the upload that this request finishes.
    earlier_pieces: Option<UploadRecords>,
}

impl RequestScope {
    /// Creates the scope of a request that has just arrived.
    #[must_use]
    pub fn new(request: RequestInfo, ids: Arc<RecordIds>, success_status: SuccessStatus) -> Self {
        Self { request, started: Instant::now(), ids, success_status, progress: Mutex::default() }
    }

    /// Creates the scope of one of several changes by this request, with the action of its records.
    #[must_use]
    pub fn part(&self, action: ActionName) -> Self {
        let request = RequestInfo { action, ..self.request.clone() };
        let part = Self { started: self.started, ..Self::new(request, self.ids.clone(), self.success_status) };
        part.progress().token_id = self.token_id();
        part
    }

    fn progress(&self) -> MutexGuard<'_, ScopeProgress> {
        self.progress.lock().expect("no code panics while holding this lock")
    }

    /// Returns the request data known on arrival.
    #[must_use]
    pub const fn request(&self) -> &RequestInfo {
        &self.request
    }

    /// Sets the token used for the request.
    pub fn set_token(&self, token_id: TokenId) {
        self.progress().token_id = Some(token_id);
    }

    /// Sets the transfer named by the request, which may not exist.
    pub fn set_transfer(&self, id: TransferId) {
        let mut progress = self.progress();
        progress.exists &= progress.transfer_id == Some(id);
        progress.transfer_id = Some(id);
    }

    /// Sets the transfer named by the request, and marks it as existing.
    pub fn set_existing_transfer(&self, id: TransferId) {
        let mut progress = self.progress();
        progress.transfer_id = Some(id);
        progress.exists = true;
    }

    /// Sets the further link that the request concerns, which its records name.
    pub fn set_link(&self, id: LinkId) {
        self.progress().link_id = Some(id);
    }

    /// Marks the request as authenticated by an admin.
    pub fn set_admin(&self) {
        self.progress().admin = true;
    }

    /// Returns the token used for the request.
    #[must_use]
    pub fn token_id(&self) -> Option<TokenId> {
        self.progress().token_id
    }

    /// Returns whether the request was authenticated by an admin.
    #[must_use]
    pub fn is_admin(&self) -> bool {
        self.progress().admin
    }

    /// Adds to the number of body bytes received.
    pub fn add_bytes_in(&self, bytes: u64) {
        self.progress().bytes_in += bytes;
    }

    /// Returns the number of body bytes received.
    #[must_use]
    pub fn bytes_in(&self) -> u64 {
        self.progress().bytes_in
    }

    /// Returns the time since the request arrived.
    #[must_use]
    pub fn age(&self) -> Duration {
        self.started.elapsed()
    }

    /// Returns the audit records already written.
    #[must_use]
    pub fn audit_state(&self) -> AuditState {
        self.progress().audit_state
    }

    /// Returns the transfer named by the request.
    #[must_use]
    pub fn transfer_id(&self) -> Option<TransferId> {
        self.progress().transfer_id
    }

    /// Returns whether the named transfer is known to exist.
    #[must_use]
    pub fn exists(&self) -> bool {
        self.progress().exists
    }

    /// Generates the id of another record.
    #[must_use]
    pub fn next_id(&self, now: Timestamp) -> RecordId {
        self.ids.next(now)
    }

    /// Sets the records of the earlier pieces of the upload that this request finishes.
    pub(super) fn set_earlier_pieces(&self, pieces: Option<UploadRecords>) {
        self.progress().earlier_pieces = pieces;
    }

    /// Takes the records of the earlier pieces, after the commit with them failed.
    pub(super) fn take_earlier_pieces(&self) -> Option<UploadRecords> {
        self.progress().earlier_pieces.take()
    }

    /// Builds the request record. `status` is the HTTP status of the response, `bytes_out` its body size in bytes.
    pub(super) fn request_record(
        &self,
        now: Timestamp,
        status: u16,
        code: Option<ErrorCode>,
        bytes_out: u64,
    ) -> RequestRecord {
        let progress = self.progress();
        RequestRecord {
            v: V1,
            id: self.next_id(now),
            request_id: self.request.request_id,
            client_request_id: self.request.client_request_id.clone(),
            link_id: progress.link_id,
            at: self.request.at,
            service: self.request.service,
            method: self.request.method.clone(),
            route: self.request.route.clone(),
            status,
            code,
            bytes_in: progress.bytes_in,
            bytes_out,
            duration_ms: u64::try_from(self.started.elapsed().as_millis()).unwrap_or(u64::MAX),
            pieces: None,
            token_id: progress.token_id,
            client: self.request.client.clone(),
        }
    }

    /// Builds the action record.
    pub(super) fn action_record(&self, now: Timestamp, outcome: Outcome, code: Option<ErrorCode>) -> Action {
        Action {
            link_id: self.progress().link_id,
            ..Action::new(self.next_id(now), self.request.request_id, now, self.request.action, outcome, code)
        }
    }

    /// Builds the records of a successful piece of an upload; `None` without its HTTP status.
    pub(super) fn piece_records(&self, now: Timestamp) -> Option<UploadRecords> {
        let status = (self.success_status)(ChangeResult::Done)?;
        let request = self.request_record(now, status, None, 0);
        Some(UploadRecords { request, action: self.action_record(now, Outcome::Done, None) })
    }

    /// Builds the record of a server event caused by this request.
    #[must_use]
    pub fn server_event_record(&self, now: Timestamp, kind: EventKind) -> Record {
        Record::Event(self.event(now, kind))
    }

    /// Builds the record of an event reported by the client.
    #[must_use]
    pub fn client_event_record(&self, now: Timestamp, kind: EventKind) -> Record {
        Record::Event(Event {
            source: Source::Client,
            client: Some(self.request.client.clone()),
            ..self.event(now, kind)
        })
    }

    fn event(&self, now: Timestamp, kind: EventKind) -> Event {
        // Of the further link's request, the end of the transfer alone concerns more than the link.
        let link_id = self.progress().link_id;
        Event { link_id, ..Event::server(self.next_id(now), Some(self.request.request_id), now, kind) }
    }

    /// Builds the audit records to commit together with a change. Returns them with the state after the commit.
    ///
    /// The records are those of the action and its events and, if the HTTP status is already known, of the request. The
    /// commit sets the state: see [`RecordedCommit`](super::RecordedCommit).
    #[must_use]
    pub(super) fn change_records(
        &self,
        now: Timestamp,
        result: ChangeResult,
        events: &[EventKind],
    ) -> (Vec<Record>, AuditState) {
        let action = self.action_record(now, Outcome::Done, None);
        let (mut records, state) = match (self.success_status)(result) {
            Some(status) => {
                let request = self.request_record(now, status, None, 0);
                let earlier = self.progress().earlier_pieces.clone();
                let records = UploadRecords { request, action }.after(earlier);
                (Vec::from(records.into_records()), AuditState::Complete)
            }
            None => (vec![Record::Action(action)], AuditState::Action),
        };
        records.extend(events.iter().map(|kind| self.server_event_record(now, *kind)));
        (records, state)
    }

    /// Sets the audit records that are written, and their class.
    pub(super) fn set_audit_state(&self, state: AuditState, class: RecordClass) {
        let mut progress = self.progress();
        (progress.audit_state, progress.record_class) = (state, class);
    }

    /// Returns the class of the records that are written, which those that follow share.
    pub(super) fn record_class(&self) -> RecordClass {
        self.progress().record_class
    }
}

impl fmt::Debug for RequestScope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RequestScope").field("request_id", &self.request.request_id).finish_non_exhaustive()
    }
}
