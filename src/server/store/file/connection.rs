//! Connections to the database of records.

use std::fs::File;
use std::io;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use rusqlite::{Connection, ErrorCode, OpenFlags, ffi};

use super::Durability;
use super::folder::sync_directory;
use crate::domain::store::StoreError;

/// How long a connection waits for another process that writes.
const BUSY_TIMEOUT: Duration = Duration::from_secs(10);

/// How often it looks meanwhile. `SQLite`'s own handler soon sleeps for 100 ms at a time, and so misses every gap
/// that a busy writer leaves.
const BUSY_PAUSE: Duration = Duration::from_millis(1);

/// How long the write-ahead log grows before its pages go into the database.
const LOG_BYTES: i64 = 16 << 20;

/// The size of a page of a new database.
const PAGE_BYTES: i64 = 4096;

/// What a connection keeps prepared; more than there are statements.
const STATEMENTS: usize = 32;

/// Versions are numbers of commits, so that none comes twice, whatever happens to its key.
const SCHEMA: &str = "
    CREATE TABLE IF NOT EXISTS object (
        key TEXT PRIMARY KEY, version INTEGER NOT NULL, value BLOB NOT NULL
    ) STRICT, WITHOUT ROWID;
    CREATE TABLE IF NOT EXISTS commits (
        one INTEGER PRIMARY KEY CHECK (one = 1), done INTEGER NOT NULL
    ) STRICT;
    INSERT OR IGNORE INTO commits VALUES (1, 0);
";

/// Makes the database's file, for its owner only, where there is none.
///
/// It is not opened in place: closing it would end the locks of every other connection of this process.
pub(super) fn create_file(path: &Path) -> io::Result<()> {
    if path.try_exists()? {
        return Ok(());
    }
    let directory = path.parent().unwrap_or(Path::new("."));
    let draft = tempfile::NamedTempFile::new_in(directory)?.into_temp_path();
    // A link, unlike a rename, never replaces the database that another process has made meanwhile.
    match std::fs::hard_link(&draft, path) {
        Err(refused) if refused.kind() != io::ErrorKind::AlreadyExists => Err(refused),
        _ => draft.close(),
    }
}

/// Opens the one connection of this process that writes.
pub(super) fn writing(path: &Path, durability: Durability) -> rusqlite::Result<Connection> {
    let connection = open(path, OpenFlags::SQLITE_OPEN_READ_WRITE)?;
    use_write_ahead_log(&connection)?;
    connection.pragma_update(None, "synchronous", if durability == Durability::Full { "FULL" } else { "OFF" })?;
    connection.pragma_update(None, "fullfsync", durability == Durability::Full)?;
    connection.pragma_update(None, "secure_delete", true)?;
    // Keys of different transfers lie far apart, so that many pages change; the more of them come twice before they go
    // from the log into the database, the better, up to a log that costs more in cold memory than it saves.
    connection.pragma_update(None, "wal_autocheckpoint", LOG_BYTES / PAGE_BYTES)?;
    connection.pragma_update(None, "cache_size", -(LOG_BYTES >> 10))?;
    // What a burst leaves of the log is cut off; the rest is room that is there when the disk is full.
    connection.pragma_update(None, "journal_size_limit", LOG_BYTES)?;
    connection.execute_batch(&format!("BEGIN IMMEDIATE; {SCHEMA} COMMIT;"))?;
    Ok(connection)
}

/// Makes what the log holds durable. A process that was killed may have left commits in it that nobody synced: they are
/// there for whoever reads, who must not take them for kept.
pub(super) fn sync_log(path: &Path, durability: Durability) -> io::Result<()> {
    if durability == Durability::None {
        return Ok(());
    }
    let mut log = path.as_os_str().to_owned();
    log.push("-wal");
    // Unlike the database it has no locks that closing it could end.
    match File::open(&log) {
        Ok(log) => log.sync_all()?,
        Err(error) if error.kind() == io::ErrorKind::NotFound => {}
        Err(error) => return Err(error),
    }
    sync_directory(path.parent().unwrap_or(Path::new(".")), durability)
}

/// Opens a connection that only reads.
pub(super) fn reading(path: &Path) -> rusqlite::Result<Connection> {
    open(path, OpenFlags::SQLITE_OPEN_READ_ONLY)
}

/// Whether another connection has the database open, in any process: as long as it has, nobody can have it alone.
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

/// Two processes that do this to a new database at once can be told "busy" without being asked to wait.
fn use_write_ahead_log(connection: &Connection) -> rusqlite::Result<()> {
    let since = Instant::now();
    loop {
        match connection.pragma_update(None, "journal_mode", "WAL") {
            Err(error) if is_busy(&error) && since.elapsed() < BUSY_TIMEOUT => std::thread::sleep(BUSY_PAUSE),
            done => return done,
        }
    }
}

/// Whether another connection held the database for too long.
pub(super) fn is_busy(error: &rusqlite::Error) -> bool {
    matches!(error.sqlite_error_code(), Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked))
}

/// Whether the disk is full.
pub(super) fn is_full(error: &rusqlite::Error) -> bool {
    // The index of the write-ahead log is a file too, and says in its own way that it cannot grow.
    error.sqlite_error_code() == Some(ErrorCode::DiskFull)
        || error.sqlite_error().is_some_and(|error| error.extended_code == ffi::SQLITE_IOERR_SHMSIZE)
}

/// An error of the database, as the store tells it.
pub(super) fn store_error(error: Arc<rusqlite::Error>) -> StoreError {
    if is_full(&error) { StoreError::Full } else { StoreError::unavailable(error) }
}
