//! Quota entries known to this process: those that are completed, and those that it has seen.

use std::collections::{HashMap, HashSet};
use std::sync::{Mutex, MutexGuard};
use std::time::Duration;

use crate::domain::id::TokenId;
use crate::domain::timestamp::Timestamp;
use crate::domain::token::{QuotaEntry, Token};

/// Time for which this process must have seen an entry before the entry counts as abandoned.
///
/// A request takes less between its two writes. The age by the clock alone proves nothing, since the clock may jump, or
/// differ from that of the server that wrote the entry.
const SEEN_FOR: Duration = Duration::from_mins(5);

/// Quota entries already recorded in their transfers, as far as this process knows.
///
/// The next write of their token drops these entries.
#[derive(Debug, Default)]
pub(in crate::domain::transfers) struct CompletedEntries(Mutex<HashMap<TokenId, HashSet<QuotaEntry>>>);

impl CompletedEntries {
    pub(super) fn note(&self, token: TokenId, entry: QuotaEntry) {
        self.lock().entry(token).or_default().insert(entry);
    }

    pub(super) fn of(&self, token: TokenId) -> HashSet<QuotaEntry> {
        self.lock().get(&token).cloned().unwrap_or_default()
    }

    pub(super) fn forget(&self, token: TokenId, dropped: &HashSet<QuotaEntry>) {
        let mut completed_entries = self.lock();
        if let Some(entries) = completed_entries.get_mut(&token) {
            entries.retain(|entry| !dropped.contains(entry));
            if entries.is_empty() {
                completed_entries.remove(&token);
            }
        }
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<TokenId, HashSet<QuotaEntry>>> {
        self.0.lock().expect("the lock is never poisoned")
    }
}

/// Quota entries that this process has seen, by their token.
#[derive(Debug, Default)]
pub(in crate::domain::transfers) struct SeenEntries(Mutex<HashMap<TokenId, FirstSights>>);

/// Entries with the times of their steps, and the elapsed time of the first sight of each.
type FirstSights = HashMap<(QuotaEntry, Timestamp), Duration>;

impl SeenEntries {
    /// Returns the abandoned entries of a quota, and notes all its entries.
    pub(super) fn abandoned(&self, token: &Token, now: Timestamp, elapsed: Duration) -> Vec<QuotaEntry> {
        let quota = &token.quota;
        let mut all = self.0.lock().expect("the lock is never poisoned");
        let before = all.remove(&token.token_id).unwrap_or_default();
        let first_seen = |entry: &(QuotaEntry, Timestamp)| before.get(entry).copied().unwrap_or(elapsed);
        let seen: FirstSights = quota.entry_times().map(|entry| (entry, first_seen(&entry))).collect();
        let long_seen = seen.iter().filter(|(_, first)| elapsed.saturating_sub(**first) >= SEEN_FOR);
        let long_seen: HashSet<_> = long_seen.map(|((entry, _), _)| *entry).collect();
        if !seen.is_empty() {
            all.insert(token.token_id, seen);
        }
        quota.abandoned(now).filter(|entry| long_seen.contains(entry)).collect()
    }
}
