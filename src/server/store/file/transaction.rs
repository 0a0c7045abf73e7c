//! Checks and writes commits in one database transaction.

use rusqlite::{Connection, OptionalExtension, TransactionBehavior};

use super::connection::{layout, note_layout};
use super::counters::Counters;
use crate::domain::store::{Commit, Condition, LayoutVersion, StorageKey, StoreError, Version};

/// Outcome of one commit in a transaction that succeeds.
pub(super) type CommitOutcome = Result<Option<Version>, StoreError>;

/// Writes all `commits` in one transaction. A rejected commit changes nothing and does not affect the others.
///
/// # Errors
/// Database errors. None of the commits is written then.
pub(super) fn write_all<'a>(
    connection: &mut Connection,
    commits: impl Iterator<Item = &'a Commit>,
) -> rusqlite::Result<Vec<CommitOutcome>> {
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    // In the transaction, so that nothing is written after another process has upgraded the store.
    let found = layout(&transaction)?;
    if found > LayoutVersion::CURRENT {
        return Ok(commits.map(|_| Err(StoreError::NewerLayout { found })).collect());
    }
    let mut done: i64 = transaction.prepare_cached("SELECT done FROM commits")?.query_row([], |row| row.get("done"))?;
    let mut outcomes = Vec::with_capacity(commits.size_hint().0);
    let mut counters = Counters::default();
    for commit in commits {
        done += 1;
        outcomes.push(apply(&transaction, commit, &mut counters, done)?);
    }
    counters.write(&transaction)?;
    if outcomes.iter().any(Result::is_ok) {
        transaction.prepare_cached("UPDATE commits SET done = ?1")?.execute([done])?;
        transaction.commit()?;
    }
    Ok(outcomes)
}

/// Checks everything that can reject a commit, and writes the commit.
fn apply(
    connection: &Connection,
    commit: &Commit,
    counters: &mut Counters,
    version: i64,
) -> rusqlite::Result<CommitOutcome> {
    counters.before(connection, commit)?;
    if let Some(change) = &commit.change {
        let holds = match (&change.condition, version_of(connection, &change.key)?) {
            (Condition::Absent, found) => found.is_none(),
            (Condition::Is(version), found) => found.is_some_and(|found| found.to_string() == version.0),
        };
        if !holds {
            return Ok(Err(StoreError::Conflict));
        }
    }
    if let Some(counter_delta) = &commit.counter_delta
        && let Err(corrupt) = counters.add(connection, counter_delta, version)?
    {
        return Ok(Err(corrupt));
    }
    Ok(Ok(write(connection, commit, version)?))
}

fn write(connection: &Connection, commit: &Commit, version: i64) -> rusqlite::Result<Option<Version>> {
    for entry in &commit.schedule {
        put(connection, entry, version, &[])?;
    }
    if let Some(change) = &commit.change {
        put(connection, &change.key, version, &change.value)?;
        if change.key == StorageKey::header() {
            note_layout(connection, &change.value)?;
        }
    }
    for (key, value) in &commit.records {
        connection
            .prepare_cached("INSERT OR IGNORE INTO object (key, version, value) VALUES (?1, ?2, ?3)")?
            .execute((key.as_str(), version, value.as_ref()))?;
    }
    for key in &commit.removals {
        connection.prepare_cached("DELETE FROM object WHERE key = ?1")?.execute([key.as_str()])?;
    }
    Ok(commit.change.as_ref().map(|_| Version(version.to_string())))
}

/// Writes an object, which may exist.
pub(super) fn put(connection: &Connection, key: &StorageKey, version: i64, value: &[u8]) -> rusqlite::Result<()> {
    connection.prepare_cached("INSERT OR REPLACE INTO object (key, version, value) VALUES (?1, ?2, ?3)")?.execute((
        key.as_str(),
        version,
        value,
    ))?;
    Ok(())
}

fn version_of(connection: &Connection, key: &StorageKey) -> rusqlite::Result<Option<i64>> {
    connection
        .prepare_cached("SELECT version FROM object WHERE key = ?1")?
        .query_row([key.as_str()], |row| row.get("version"))
        .optional()
}
