//! One request on its way: what its records will say.

use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::{Duration, Instant};

use bytes::Bytes;

use super::{Action, ActionName, ClientSummary, Event, EventKind, Outcome, Record, RequestRecord, ServiceName, Source};
use crate::domain::address::{ClientKey, SiteKey};
use crate::domain::error::ErrorCode;
use crate::domain::id::{RecordId, RecordIds, TokenId, TransferId};
use crate::domain::store::{StorageKey, to_json};
use crate::domain::timestamp::Timestamp;
use crate::domain::version::V1;

/// What was asked, and by whom; known from the start.
#[derive(Clone, Debug)]
pub struct Asked {
    /// The request's id, the server's own.
    pub request_id: RecordId,
    /// What the client calls it.
    pub client_request_id: Option<String>,
    /// When it arrived.
    pub at: Timestamp,
    /// Which service it came to.
    pub service: ServiceName,
    /// The HTTP method.
    pub method: String,
    /// The route's template.
    pub route: String,
    /// What it attempts.
    pub action: ActionName,
    /// Who asks, as records may say it.
    pub client: ClientSummary,
    /// Who asks, for counting requests; never recorded.
    pub client_key: ClientKey,
    /// From which site, for counting what may be done only so often; never recorded.
    pub site_key: SiteKey,
}

/// How much of a request is in the store already, by the commit that it made.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum Documentation {
    /// Nothing.
    #[default]
    Missing,
    /// What it did; what was asked follows when its body has gone out.
    Action,
    /// Everything.
    Complete,
}

/// How a change will be answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Answer {
    /// With this status and a short body: its request record can be committed with the change.
    Whole {
        /// The HTTP status.
        status: u16,
    },
    /// With a payload, or after more work: its request record follows when it is known how it went.
    Later,
}

/// A request on its way through a service.
///
/// Handlers and the domain note in it what they learn; whoever commits a change takes the records for it from here.
pub struct RequestScope {
    asked: Asked,
    started: Instant,
    ids: Arc<RecordIds>,
    progress: Mutex<Progress>,
}

#[derive(Default)]
struct Progress {
    token_id: Option<TokenId>,
    named: Option<TransferId>,
    exists: bool,
    admin: bool,
    bytes_in: u64,
    documentation: Documentation,
}

impl RequestScope {
    /// A request that has just arrived.
    #[must_use]
    pub fn new(asked: Asked, ids: Arc<RecordIds>) -> Self {
        Self { asked, started: Instant::now(), ids, progress: Mutex::default() }
    }

    fn progress(&self) -> MutexGuard<'_, Progress> {
        self.progress.lock().expect("nothing panics while it holds this lock")
    }

    /// What was asked.
    #[must_use]
    pub const fn asked(&self) -> &Asked {
        &self.asked
    }

    /// Notes which token it was made with.
    pub fn note_token(&self, token_id: TokenId) {
        self.progress().token_id = Some(token_id);
    }

    /// Notes which transfer it names, whether that exists or not.
    pub fn note_named(&self, id: TransferId) {
        self.progress().named = Some(id);
    }

    /// Notes that the transfer `id` exists.
    pub fn note_exists(&self, id: TransferId) {
        let mut progress = self.progress();
        progress.named = Some(id);
        progress.exists = true;
    }

    /// Notes that it is an admin's.
    pub fn note_admin(&self) {
        self.progress().admin = true;
    }

    /// Whether it is an admin's.
    #[must_use]
    pub fn is_admin(&self) -> bool {
        self.progress().admin
    }

    /// Notes bytes of its body.
    pub fn note_bytes_in(&self, bytes: u64) {
        self.progress().bytes_in += bytes;
    }

    /// How many bytes of its body have come.
    #[must_use]
    pub fn bytes_in(&self) -> u64 {
        self.progress().bytes_in
    }

    /// How long ago it arrived.
    #[must_use]
    pub fn age(&self) -> Duration {
        self.started.elapsed()
    }

    /// How much of it is in the store already.
    #[must_use]
    pub fn documentation(&self) -> Documentation {
        self.progress().documentation
    }

    /// The transfer that it names.
    #[must_use]
    pub fn named(&self) -> Option<TransferId> {
        self.progress().named
    }

    /// Whether the transfer that it names is known to exist.
    #[must_use]
    pub fn exists(&self) -> bool {
        self.progress().exists
    }

    /// Makes the id of a further record.
    #[must_use]
    pub fn next_id(&self, now: Timestamp) -> RecordId {
        self.ids.next(now)
    }

    /// The record of what was asked, as answered with `status` at `now`.
    #[must_use]
    pub fn request_record(&self, now: Timestamp, status: u16, code: Option<ErrorCode>, bytes_out: u64) -> Record {
        let progress = self.progress();
        Record::Request(RequestRecord {
            v: V1,
            id: self.next_id(now),
            request_id: self.asked.request_id,
            client_request_id: self.asked.client_request_id.clone(),
            at: self.asked.at,
            service: self.asked.service,
            method: self.asked.method.clone(),
            route: self.asked.route.clone(),
            status,
            code,
            bytes_in: progress.bytes_in,
            bytes_out,
            duration_ms: u64::try_from(self.started.elapsed().as_millis()).unwrap_or(u64::MAX),
            token_id: progress.token_id,
            client: self.asked.client.clone(),
        })
    }

    /// The record of what it did.
    #[must_use]
    pub fn action_record(&self, now: Timestamp, outcome: Outcome, code: Option<ErrorCode>) -> Record {
        Record::Action(Action {
            v: V1,
            id: self.next_id(now),
            request_id: self.asked.request_id,
            at: now,
            action: self.asked.action,
            outcome,
            code,
        })
    }

    /// The record of something that this request brought about.
    #[must_use]
    pub fn event_record(&self, now: Timestamp, kind: EventKind) -> Record {
        Record::Event(Event::of_server(self.next_id(now), Some(self.asked.request_id), now, kind))
    }

    /// The record of something that the client claims.
    #[must_use]
    pub fn claim_record(&self, now: Timestamp, kind: EventKind) -> Record {
        Record::Event(Event {
            source: Source::Client,
            client: Some(self.asked.client.clone()),
            ..Event::of_server(self.next_id(now), Some(self.asked.request_id), now, kind)
        })
    }

    /// The records of a change, to be committed with it: action and events, and what was asked where that is known
    /// already.
    #[must_use]
    pub fn records_of_change(&self, now: Timestamp, answer: Answer, events: &[EventKind]) -> Vec<Record> {
        let request = match answer {
            Answer::Whole { status } => Some(self.request_record(now, status, None, 0)),
            Answer::Later => None,
        };
        let action = self.action_record(now, Outcome::Done, None);
        let events = events.iter().map(|kind| self.event_record(now, *kind));
        request.into_iter().chain([action]).chain(events).collect()
    }

    /// Notes that [`RequestScope::records_of_change`] are in the store.
    pub fn note_committed(&self, answer: Answer) {
        self.progress().documentation = match answer {
            Answer::Whole { .. } => Documentation::Complete,
            Answer::Later => Documentation::Action,
        };
    }
}

/// Records with the keys that they have under a transfer.
#[must_use]
pub(crate) fn keyed(id: TransferId, records: &[Record]) -> Vec<(StorageKey, Bytes)> {
    records.iter().map(|record| (StorageKey::transfer_record(id, record), to_json(record))).collect()
}

impl fmt::Debug for RequestScope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RequestScope").field("request_id", &self.asked.request_id).finish_non_exhaustive()
    }
}
