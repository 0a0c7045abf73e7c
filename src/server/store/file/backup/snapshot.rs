//! Copies of the database, in one read transaction.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::File;
use std::path::Path;
use std::sync::Arc;

use rusqlite::{Connection, OpenFlags};

use super::super::connection::{check_layout, open_reader, store_error};
use super::super::records::PrefixRange;
use super::{BackupError, remove_if_present};
use crate::domain::id::{PayloadId, TransferId};
use crate::domain::stats::DayStats;
use crate::domain::store::{StorageKey, StoreError, StoreHeader, from_json};
use crate::domain::transfer::{State, Transfer};

/// Copy of a database, and what its transfers need.
pub(super) struct Snapshot {
    /// Number of records.
    pub(super) records: u64,
    /// Number of commits.
    pub(super) commits: i64,
    /// Payloads that can be downloaded, with their transfers and encrypted sizes.
    pub(super) downloadable: BTreeMap<PayloadId, (TransferId, u64)>,
    /// Payloads whose upload is not finished.
    pub(super) pending: BTreeSet<PayloadId>,
    /// Payloads of transfers that cannot be read, which stay.
    unreadable: BTreeSet<PayloadId>,
}

impl Snapshot {
    /// Copies the database at `source` to `copy`, durably.
    pub(super) fn take(source: &Path, copy: &Path) -> Result<Self, BackupError> {
        remove_if_present(copy).map_err(BackupError::target)?;
        let connection = open_reader(source).map_err(failed)?;
        // In one read transaction, beside any writers. Copies no deleted content, and gives no access to others.
        super::create_private(copy).map_err(BackupError::target)?;
        let path = copy.to_str().ok_or_else(|| BackupError::target(std::io::ErrorKind::InvalidFilename.into()))?;
        connection.execute("VACUUM INTO ?1", [path]).map_err(failed)?;
        drop(connection);
        File::open(copy).and_then(|file| file.sync_all()).map_err(BackupError::target)?;
        check_layout(copy).map_err(BackupError::Source)?;
        Self::read(copy).map_err(failed)
    }

    fn read(path: &Path) -> rusqlite::Result<Self> {
        let connection = open_reader(path)?;
        let records = connection.query_row("SELECT count(*) FROM object", [], |row| row.get::<_, i64>(0))?;
        let mut found = Self {
            records: records.unsigned_abs(),
            commits: commits(&connection)?,
            downloadable: BTreeMap::new(),
            pending: BTreeSet::new(),
            unreadable: BTreeSet::new(),
        };
        let range = PrefixRange::of(&StorageKey::all_transfers(), None);
        let mut states = connection
            .prepare("SELECT key, value FROM object WHERE key >= ?1 AND key < ?2 AND key LIKE '%/meta.json'")?;
        let mut rows = states.query((range.from, range.before))?;
        while let Some(row) = rows.next()? {
            let key = StorageKey::from_backend(row.get(0)?);
            let Some(id) = key.transfer_id() else { continue };
            match from_json::<Transfer>(key.as_str(), row.get_ref(1)?.as_bytes().unwrap_or_default()) {
                Ok(transfer) if transfer.is_downloadable() => {
                    found.downloadable.insert(transfer.payload_id(), (id, transfer.size_bytes));
                }
                Ok(transfer) if transfer.state == State::Pending => {
                    found.pending.insert(transfer.payload_id());
                }
                Ok(_) => {}
                Err(_) => {
                    found.unreadable.insert(id.into());
                    found.unreadable.extend(payload_of(&connection, id)?);
                }
            }
        }
        Ok(found)
    }

    /// Returns whether a payload belongs into the backup.
    pub(super) fn needs(&self, id: PayloadId) -> bool {
        self.downloadable.contains_key(&id) || self.pending.contains(&id) || self.unreadable.contains(&id)
    }
}

/// Returns the payload of an unreadable transfer, by the index.
fn payload_of(connection: &Connection, id: TransferId) -> rusqlite::Result<Option<PayloadId>> {
    let range = PrefixRange::of(&StorageKey::all_payload_owners(), None);
    let mut entries = connection.prepare("SELECT key FROM object WHERE key >= ?1 AND key < ?2 AND key LIKE ?3")?;
    let mut rows = entries.query((range.from, range.before, format!("%-{id}")))?;
    while let Some(row) = rows.next()? {
        if let Some((payload, _)) = StorageKey::from_backend(row.get(0)?).as_payload_owner() {
            return Ok(Some(payload));
        }
    }
    Ok(None)
}

/// Reads the header of the store with the database at `path`.
///
/// # Errors
/// [`BackupError::Source`] without a readable header.
pub(super) fn header(path: &Path) -> Result<StoreHeader, BackupError> {
    let key = StorageKey::header();
    let read = |connection: &Connection| {
        connection.query_row("SELECT value FROM object WHERE key = ?1", [key.as_str()], |row| row.get::<_, Vec<u8>>(0))
    };
    match open_reader(path).and_then(|connection| read(&connection)) {
        Ok(stored) => StoreHeader::parse(&stored).map_err(BackupError::Source),
        Err(rusqlite::Error::QueryReturnedNoRows) => {
            Err(BackupError::source(StoreError::Unusable("the storage has no header".to_owned())))
        }
        Err(error) => Err(failed(error)),
    }
}

/// Returns whether a transfer in the database at `path` can be downloaded now.
pub(super) fn is_downloadable(path: &Path, id: TransferId) -> Result<bool, BackupError> {
    let connection = open_reader(path).map_err(failed)?;
    let key = StorageKey::transfer(id);
    let found =
        connection.query_row("SELECT value FROM object WHERE key = ?1", [key.as_str()], |row| row.get::<_, Vec<u8>>(0));
    match found {
        Ok(stored) => Ok(from_json::<Transfer>(key.as_str(), &stored).is_ok_and(|transfer| transfer.is_downloadable())),
        Err(rusqlite::Error::QueryReturnedNoRows) => Ok(false),
        Err(error) => Err(failed(error)),
    }
}

/// Returns the bytes of all payloads in the store, by its counters; 0 if they cannot be read.
pub(super) fn bytes_stored(path: &Path) -> u64 {
    let all = PrefixRange::of(&StorageKey::all_stats(), None);
    let latest = open_reader(path).and_then(|connection| {
        let latest = "SELECT key, value FROM object WHERE key >= ?1 AND key < ?2 ORDER BY key DESC LIMIT 1";
        connection
            .query_row(latest, (all.from, all.before), |row| Ok((row.get::<_, String>(0)?, row.get::<_, Vec<u8>>(1)?)))
    });
    let stats = latest.ok().and_then(|(key, stored)| DayStats::parse(&key, &stored).ok());
    stats.map_or(0, |stats| stats.bytes_stored.max(0).unsigned_abs())
}

/// Brings the database of a backup that nobody uses into one file; returns its number of commits.
pub(super) fn close(path: &Path) -> Result<i64, BackupError> {
    let run = || {
        let connection = Connection::open_with_flags(path, OpenFlags::SQLITE_OPEN_READ_WRITE)?;
        connection.query_row("PRAGMA journal_mode = DELETE", [], |_| Ok(()))?;
        commits(&connection)
    };
    run().map_err(|error| BackupError::Target(store_error(Arc::new(error))))
}

fn commits(connection: &Connection) -> rusqlite::Result<i64> {
    connection.query_row("SELECT done FROM commits", [], |row| row.get(0))
}

fn failed(error: rusqlite::Error) -> BackupError {
    BackupError::Source(store_error(Arc::new(error)))
}
