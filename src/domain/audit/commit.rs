//! Commits of changes by requests, which carry and mark the audit records of their requests.

use bytes::Bytes;

use super::read_schedule::{MissingEntries, ReadSchedule};
use super::{AuditState, ChangeResult, EventKind, Record, RecordClass, RequestScope};
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
    recorded: Option<(&'scope RequestScope, AuditState, RecordClass)>,
    /// Schedule entries of its read records that are not known to be written.
    read_entries: Option<MissingEntries>,
}

impl From<Commit> for RecordedCommit<'_> {
    /// Wraps a commit without records of a request.
    fn from(commit: Commit) -> Self {
        Self { commit, recorded: None, read_entries: None }
    }
}

impl RecordedCommit<'_> {
    /// Returns the audit records of the commit, with their keys.
    pub(super) fn records(&self) -> &[(StorageKey, Bytes)] {
        &self.commit.records
    }

    /// Adds the schedule entries of the read records in the commit.
    pub(super) fn schedule_reads(&mut self, schedule: &ReadSchedule) {
        let missing = schedule.missing(&self.commit.records);
        self.commit.schedule.extend(missing.keys());
        self.read_entries = Some(missing);
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
        if let Some((scope, state, class)) = self.recorded {
            scope.set_audit_state(state, class);
        }
        if let Some(entries) = self.read_entries {
            entries.set_written();
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
        self.classified_commit(id, now, RecordClass::Change, (result, events), with)
    }

    /// Creates the commit of a request about transfer `id` whose records have the retention of reads.
    ///
    /// As [`transfer_commit`](Self::transfer_commit), but the records count against the budget of reads: the caller passes
    /// the commit to [`AuditLog::admit`](super::AuditLog::admit), which also adds the schedule entries.
    pub(crate) fn read_commit(
        &self,
        id: TransferId,
        now: Timestamp,
        result: ChangeResult,
        events: &[EventKind],
        with: Commit,
    ) -> RecordedCommit<'_> {
        self.classified_commit(id, now, RecordClass::Read, (result, events), with)
    }

    fn classified_commit(
        &self,
        id: TransferId,
        now: Timestamp,
        class: RecordClass,
        (result, events): (ChangeResult, &[EventKind]),
        with: Commit,
    ) -> RecordedCommit<'_> {
        let (records, state) = self.change_records(now, result, events);
        self.recorded(with_keys(id, class, &records), state, class, with)
    }

    /// Creates the commit of a change by the admin that concerns no transfer.
    pub(crate) fn service_commit(&self, now: Timestamp, result: ChangeResult) -> RecordedCommit<'_> {
        let (records, state) = self.change_records(now, result, &[]);
        self.recorded(
            with_service_keys(RecordClass::Change, &records),
            state,
            RecordClass::Change,
            Commit::with_reserve(),
        )
    }

    fn recorded(
        &self,
        mut records: Vec<(StorageKey, Bytes)>,
        state: AuditState,
        class: RecordClass,
        with: Commit,
    ) -> RecordedCommit<'_> {
        records.extend(with.records);
        RecordedCommit { commit: Commit { records, ..with }, recorded: Some((self, state, class)), read_entries: None }
    }
}

/// Pairs records of changes of transfer `id` with their storage keys, as serialised JSON.
#[must_use]
pub(crate) fn with_transfer_keys(id: TransferId, records: &[Record]) -> Vec<(StorageKey, Bytes)> {
    with_keys(id, RecordClass::Change, records)
}

/// Pairs records of reads of transfer `id` with their storage keys, as serialised JSON.
#[must_use]
pub(crate) fn with_read_keys(id: TransferId, records: &[Record]) -> Vec<(StorageKey, Bytes)> {
    with_keys(id, RecordClass::Read, records)
}

/// Pairs records of transfer `id` with their storage keys, as serialised JSON.
#[must_use]
pub(super) fn with_keys(id: TransferId, class: RecordClass, records: &[Record]) -> Vec<(StorageKey, Bytes)> {
    records.iter().map(|record| (StorageKey::transfer_record(id, class, record), to_json(record))).collect()
}

/// Pairs records that belong to no transfer with their storage keys, as serialised JSON.
pub(crate) fn with_service_keys(class: RecordClass, records: &[Record]) -> Vec<(StorageKey, Bytes)> {
    let put = |record| (StorageKey::service_record(class, record), to_json(record));
    records.iter().map(put).collect()
}
