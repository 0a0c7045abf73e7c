//! Daily counters in a transaction of several commits.

use rusqlite::{Connection, OptionalExtension};

use super::records::{PrefixRange, bytes};
use super::transaction::put;
use crate::domain::stats::{CounterDelta, DayStats};
use crate::domain::store::{Commit, StorageKey, StoreError, to_json};

/// Counters of the most recent day, read once per transaction and written once.
///
/// Most commits change the counters: parsing and writing them for each would be a large part of a transaction.
#[derive(Default)]
pub(super) struct Counters {
    /// Counters with the changes of the commits so far; `None` while they have not been read.
    latest: Option<DayStats>,
    /// Version of the last commit that has changed them; `None` if the stored counters are the same.
    unwritten: Option<i64>,
}

impl Counters {
    /// Adds the change of the commit with `version`, and writes the counters of a day that is over.
    ///
    /// Unreadable counters reject the commit.
    pub(super) fn add(
        &mut self,
        connection: &Connection,
        counter_delta: &CounterDelta,
        version: i64,
    ) -> rusqlite::Result<Result<(), StoreError>> {
        if self.latest.is_none() {
            self.latest = match stored(connection)? {
                Some((key, value)) => match DayStats::parse(&key, &value) {
                    Ok(stats) => Some(stats),
                    Err(corrupt) => return Ok(Err(corrupt)),
                },
                None => None,
            };
        }
        let stats = DayStats::after(self.latest.clone(), counter_delta);
        if self.latest.as_ref().is_some_and(|latest| latest.day != stats.day) {
            self.write(connection)?;
        }
        (self.latest, self.unwritten) = (Some(stats), Some(version));
        Ok(Ok(()))
    }

    /// Prepares for a commit, which may read or write the counters as objects.
    pub(super) fn before(&mut self, connection: &Connection, commit: &Commit) -> rusqlite::Result<()> {
        let all = StorageKey::all_stats();
        let mut keys = commit.change.iter().map(|change| &change.key).chain(&commit.removals);
        if keys.any(|key| key.as_str().starts_with(all.as_str())) {
            self.write(connection)?;
            self.latest = None;
        }
        Ok(())
    }

    /// Writes the counters if they have changed.
    pub(super) fn write(&mut self, connection: &Connection) -> rusqlite::Result<()> {
        if let (Some(stats), Some(version)) = (&self.latest, self.unwritten.take()) {
            put(connection, &StorageKey::stats(&stats.day), version, &to_json(stats))?;
        }
        Ok(())
    }
}

fn stored(connection: &Connection) -> rusqlite::Result<Option<(String, Vec<u8>)>> {
    let all = PrefixRange::of(&StorageKey::all_stats(), None);
    connection
        .prepare_cached("SELECT key, value FROM object WHERE key >= ?1 AND key < ?2 ORDER BY key DESC LIMIT 1")?
        .query_row((all.from, all.before), |row| Ok((row.get("key")?, bytes(row, "value")?)))
        .optional()
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;

    use super::super::Durability;
    use super::super::connection::{create_file, open_writer};
    use super::super::transaction::{put, write_all};
    use super::*;
    use crate::domain::store::{Change, Condition, Version};
    use crate::domain::timestamp::Day;

    fn day(name: &str) -> Day {
        Day::from(name.to_owned())
    }

    fn created(on: &str) -> Commit {
        Commit { counter_delta: Some(CounterDelta { created: 1, ..CounterDelta::on(day(on)) }), ..Commit::default() }
    }

    fn object(connection: &Connection, on: &str) -> (i64, DayStats) {
        let key = StorageKey::stats(&day(on));
        let (version, value): (i64, Vec<u8>) = connection
            .query_row("SELECT version, value FROM object WHERE key = ?1", [key.as_str()], |row| {
                Ok((row.get("version")?, row.get("value")?))
            })
            .expect("the day has counters");
        (version, DayStats::parse(key.as_str(), &value).expect("they are valid"))
    }

    #[test]
    fn commits_of_one_transaction_are_all_counted() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("records.db");
        create_file(&path).unwrap();
        let mut connection = open_writer(&path, Durability::None).unwrap();
        let mut write = |commits: &[Commit]| write_all(&mut connection, commits.iter()).unwrap();
        // A day ends between two commits; the clock of the last is behind.
        let days = ["2026-12-01", "2026-12-01", "2026-12-02", "2026-12-01"];
        assert!(write(&days.map(created)).iter().all(Result::is_ok));
        let (first, second) = (object(&connection, days[0]), object(&connection, days[2]));
        assert_eq!((first.0, first.1.created, second.0, second.1.created), (2, 2, 4, 2));

        // A repair replaces the counters between two commits that change them, and a rejected commit counts nothing.
        let repaired = DayStats { created: 100, ..second.1 };
        let repair = |version: i64| {
            let (key, value) = (StorageKey::stats(&day(days[2])), to_json(&repaired));
            Commit::of(Change { key, condition: Condition::Is(Version(version.to_string())), value })
        };
        let rejected = Commit {
            change: Some(Change {
                key: StorageKey::header(),
                condition: Condition::Is(Version("7".to_owned())),
                value: Bytes::new(),
            }),
            ..created(days[2])
        };
        let mut write = |commits: &[Commit]| write_all(&mut connection, commits.iter()).unwrap();
        let outcomes = write(&[created(days[2]), repair(5), created(days[2]), repair(5), rejected]);
        assert_eq!(outcomes.iter().map(Result::is_ok).collect::<Vec<_>>(), [true, true, true, false, false]);
        let (version, stats) = object(&connection, days[2]);
        assert_eq!((version, stats.created), (7, 101));

        // Unreadable counters fail the commits that change them, and no others.
        put(&connection, &StorageKey::stats(&day(days[2])), 10, b"{").unwrap();
        let plain = Commit { schedule: vec![StorageKey::header()], ..Commit::default() };
        let outcomes = write_all(&mut connection, [created(days[2]), plain].iter()).unwrap();
        assert!(matches!(outcomes[..], [Err(StoreError::Corrupt { .. }), Ok(None)]), "{outcomes:?}");
    }
}
