//! `SQLite` connections to the database of records.

use std::fs::File;
use std::io;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use rusqlite::{Connection, ErrorCode, OpenFlags, ffi};

use super::Durability;
use super::folder::sync_directory;
use crate::domain::store::{LayoutVersion, StorageKey, StoreError};

/// Maximum wait for the write lock of another process.
const BUSY_TIMEOUT: Duration = Duration::from_secs(10);

/// Interval between two attempts to get the write lock.
///
/// `SQLite`'s own busy handler soon sleeps for 100 ms at a time, and so misses the gaps that a busy writer leaves.
const BUSY_PAUSE: Duration = Duration::from_millis(1);

/// Size of the write-ahead log at which it is checkpointed into the database.
const LOG_BYTES: i64 = 16 << 20;

/// Page size of a new database.
const PAGE_BYTES: i64 = 4096;

/// Capacity of a connection's prepared-statement cache; more than there are statements.
const STATEMENTS: usize = 32;

/// Schema of the database.
///
/// A version is the number of a commit, so that no version is used twice, even if its key is removed and written again.
const SCHEMA: &str = "
    CREATE TABLE IF NOT EXISTS object (
        key TEXT PRIMARY KEY, version INTEGER NOT NULL, value BLOB NOT NULL
    ) STRICT, WITHOUT ROWID;
    CREATE TABLE IF NOT EXISTS commits (
        one INTEGER PRIMARY KEY CHECK (one = 1), done INTEGER NOT NULL
    ) STRICT;
    INSERT OR IGNORE INTO commits VALUES (1, 0);
";

/// Creates the database file with access for its owner only, unless it exists.
///
/// An existing file is not opened: closing it would release the POSIX locks of all other connections of this process.
pub(super) fn create_file(path: &Path) -> io::Result<()> {
    if path.try_exists()? {
        return Ok(());
    }
    let directory = path.parent().unwrap_or(Path::new("."));
    let draft = tempfile::NamedTempFile::new_in(directory)?.into_temp_path();
    // Unlike a rename, a hard link never replaces a database that another process has created meanwhile.
    match std::fs::hard_link(&draft, path) {
        Err(error) if error.kind() != io::ErrorKind::AlreadyExists => Err(error),
        _ => draft.close(),
    }
}

/// Opens this process's only writing connection.
pub(super) fn open_writer(path: &Path, durability: Durability) -> rusqlite::Result<Connection> {
    let connection = open(path, OpenFlags::SQLITE_OPEN_READ_WRITE)?;
    use_write_ahead_log(&connection)?;
    connection.pragma_update(None, "synchronous", if durability == Durability::Full { "FULL" } else { "OFF" })?;
    connection.pragma_update(None, "fullfsync", durability == Durability::Full)?;
    connection.pragma_update(None, "secure_delete", true)?;
    // Keys of different transfers lie far apart, so commits change many pages. A longer log changes more pages
    // repeatedly before they are copied to the database; 16 MiB is the point where the memory that the log touches
    // costs more than it saves.
    connection.pragma_update(None, "wal_autocheckpoint", LOG_BYTES / PAGE_BYTES)?;
    connection.pragma_update(None, "cache_size", -(LOG_BYTES >> 10))?;
    // A log that grew in a burst is truncated to this size; the rest stays allocated as a reserve for a full disk.
    connection.pragma_update(None, "journal_size_limit", LOG_BYTES)?;
    connection.execute_batch(&format!("BEGIN IMMEDIATE; {SCHEMA} COMMIT;"))?;
    Ok(connection)
}

/// Checks that the layout of the database at `path` is not newer than this program; changes nothing.
///
/// The layout is noted in the header object and, for transactions, as `user_version`. A database that cannot be read now
/// is accepted: opening it fails with the cause, and each transaction checks the layout again.
pub(super) fn check_layout(path: &Path) -> Result<(), StoreError> {
    if !path.exists() {
        return Ok(());
    }
    let Ok(connection) = open_reader(path) else { return Ok(()) };
    if let Ok(version) = layout(&connection) {
        version.check_supported()?;
    }
    let header =
        connection.query_row("SELECT value FROM object WHERE key = ?1", [StorageKey::header().as_str()], |row| {
            row.get::<_, Vec<u8>>(0)
        });
    header.map_or(Ok(()), |header| LayoutVersion::check_stored(&header))
}

/// Returns the layout version noted in the database; 0 for a database of layout 1 or without a header.
pub(super) fn layout(connection: &Connection) -> rusqlite::Result<LayoutVersion> {
    connection.prepare_cached("PRAGMA user_version")?.query_row([], |row| row.get(0)).map(LayoutVersion::new)
}

/// Notes the layout version of a header that is being written.
pub(super) fn note_layout(connection: &Connection, header: &[u8]) -> rusqlite::Result<()> {
    match LayoutVersion::read(header) {
        Some(version) => connection.pragma_update(None, "user_version", version.number()),
        None => Ok(()),
    }
}

/// Makes the contents of the write-ahead log durable.
///
/// A killed process may have left unsynced commits in the log. Readers see them, and must be able to rely on them.
pub(super) fn sync_log(path: &Path, durability: Durability) -> io::Result<()> {
    if durability == Durability::None {
        return Ok(());
    }
    let mut log = path.as_os_str().to_owned();
    log.push("-wal");
    // Safe to open and close: unlike the database, the log has no POSIX locks to lose.
    match File::open(&log) {
        Ok(log) => log.sync_all()?,
        Err(error) if error.kind() == io::ErrorKind::NotFound => {}
        Err(error) => return Err(error),
    }
    sync_directory(path.parent().unwrap_or(Path::new(".")), durability)
}

/// Opens a read-only connection.
pub(super) fn open_reader(path: &Path) -> rusqlite::Result<Connection> {
    open(path, OpenFlags::SQLITE_OPEN_READ_ONLY)
}

/// Returns whether another connection, in any process, has the database open. Exclusive access is then impossible.
pub(super) fn is_open_elsewhere(path: &Path) -> rusqlite::Result<bool> {
    let connection = Connection::open_with_flags(path, OpenFlags::SQLITE_OPEN_READ_WRITE)?;
    connection.pragma_update(None, "locking_mode", "EXCLUSIVE")?;
    match connection.execute_batch("BEGIN EXCLUSIVE; COMMIT;") {
        Err(error) if is_busy(&error) => Ok(true),
        other => other.map(|()| false),
    }
}

fn open(path: &Path, mode: OpenFlags) -> rusqlite::Result<Connection> {
    let mut connection = Connection::open_with_flags(path, mode | OpenFlags::SQLITE_OPEN_NO_MUTEX)?;
    let mut since = Instant::now();
    connection.busy_handler(Some(move |tries| {
        if tries == 0 {
            since = Instant::now();
        }
        std::thread::sleep(BUSY_PAUSE);
        since.elapsed() < BUSY_TIMEOUT
    }))?;
    connection.pragma_update(None, "temp_store", "MEMORY")?;
    connection.set_prepared_statement_cache_capacity(STATEMENTS);
    Ok(connection)
}

/// Switches the database to write-ahead logging.
///
/// If two processes switch a new database at once, `SQLite` reports "busy" without calling the busy handler.
fn use_write_ahead_log(connection: &Connection) -> rusqlite::Result<()> {
    let since = Instant::now();
    loop {
        match connection.pragma_update(None, "journal_mode", "WAL") {
            Err(error) if is_busy(&error) && since.elapsed() < BUSY_TIMEOUT => std::thread::sleep(BUSY_PAUSE),
            done => return done,
        }
    }
}

/// Returns whether an error means that another connection held a lock for too long.
pub(super) fn is_busy(error: &rusqlite::Error) -> bool {
    matches!(error.sqlite_error_code(), Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked))
}

/// Returns whether an error means that the disk is full.
pub(super) fn is_full(error: &rusqlite::Error) -> bool {
    // The shared-memory index of the write-ahead log reports a failure to grow with a code of its own.
    error.sqlite_error_code() == Some(ErrorCode::DiskFull)
        || error.sqlite_error().is_some_and(|error| error.extended_code == ffi::SQLITE_IOERR_SHMSIZE)
}

/// Converts a database error into a store error.
pub(super) fn store_error(error: Arc<rusqlite::Error>) -> StoreError {
    if is_full(&error) { StoreError::Full } else { StoreError::unavailable(error) }
}
