//! Commits of changes by requests, which carry and mark the audit records of their requests.

use bytes::Bytes;

use super::scope::with_transfer_keys;
use super::{AuditState, ChangeResult, EventKind, Record, RequestScope};
use crate::domain::id::TransferId;
use crate::domain::store::{Change, Commit, StorageKey, Store, StoreError, Version, to_json};
use crate::domain::timestamp::Timestamp;

/// Commit that may contain the audit records of a request.
///
/// Only a request scope creates commits with its records, and only [`RecordedCommit::apply`] writes them, which also
/// marks them as written in the scope. A change can therefore neither lose nor repeat the records of its request.
#[derive(Debug)]
#[must_use = "a commit changes nothing before it is applied"]
pub struct RecordedCommit<'scope> {
    commit: Commit,
    /// Scope whose records the commit contains, with its state after the commit.
    recorded: Option<(&'scope RequestScope, AuditState)>,
}

impl From<Commit> for RecordedCommit<'_> {
    /// Wraps a commit without records of a request.
    fn from(commit: Commit) -> Self {
        Self { commit, recorded: None }
    }
}

impl RecordedCommit<'_> {
    /// Returns the audit records of the commit, with their keys.
    pub(super) fn records(&self) -> &[(StorageKey, Bytes)] {
        &self.commit.records
    }

    /// Adds further records.
    pub(crate) fn add_records(&mut self, records: Vec<(StorageKey, Bytes)>) {
        self.commit.records.extend(records);
    }

    /// Applies the commit with `change` as its changed object. Marks the records of the request as written.
    ///
    /// # Errors
    /// As [`commit`](crate::domain::store::Records::commit).
    pub async fn apply(self, store: &dyn Store, change: Option<Change>) -> Result<Option<Version>, StoreError> {
        let version = store.commit(Commit { change, ..self.commit }).await?;
        if let Some((scope, state)) = self.recorded {
            scope.set_audit_state(state);
        }
        Ok(version)
    }
}

impl RequestScope {
    /// Creates the commit of a change of transfer `id` by this request. Contains the request's audit records, and the
    /// writes in `with`.
    ///
    /// The records are the request's action and `events` and, if the API layer knows its status by now, the request.
    pub(crate) fn transfer_commit(
        &self,
        id: TransferId,
        now: Timestamp,
        result: ChangeResult,
        events: &[EventKind],
        with: Commit,
    ) -> RecordedCommit<'_> {
        let (records, state) = self.change_records(now, result, events);
        self.recorded(with_transfer_keys(id, &records), state, with)
    }

    /// Creates the commit of a change by the admin that concerns no transfer.
    pub(crate) fn service_commit(&self, now: Timestamp, result: ChangeResult) -> RecordedCommit<'_> {
        let (records, state) = self.change_records(now, result, &[]);
        self.recorded(with_service_keys(&records), state, Commit::with_reserve())
    }

    fn recorded(&self, mut records: Vec<(StorageKey, Bytes)>, state: AuditState, with: Commit) -> RecordedCommit<'_> {
        records.extend(with.records);
        RecordedCommit { commit: Commit { records, ..with }, recorded: Some((self, state)) }
    }
}

/// Pairs records that belong to no transfer with their storage keys, as serialised JSON.
pub(crate) fn with_service_keys(records: &[Record]) -> Vec<(StorageKey, Bytes)> {
    let put = |record| (StorageKey::service_record(record), to_json(record));
    records.iter().map(put).collect()
}
