//! Daily limits on the bytes of audit records that requests of strangers may add to the store.

use std::collections::{BTreeMap, HashMap};
use std::num::NonZeroUsize;
use std::time::Duration;

use bytes::Bytes;

use super::Skipped;
use crate::domain::address::NetworkKey;
use crate::domain::id::TransferId;
use crate::domain::limits::table::{Table, TablePolicy};
use crate::domain::store::StorageKey;
use crate::domain::timestamp::Timestamp;

const KIB: u64 = 1024;
const MIB: u64 = 1024 * KIB;

/// Limits of successful reads, of grants of unlimited transfers, and of client events.
const READS: DailyLimit = DailyLimit { process: 20 * MIB, network: 4 * MIB, transfer: 8 * MIB };
/// Limits of rejected or failed requests for a transfer.
const REJECTIONS: DailyLimit = DailyLimit { process: 8 * MIB, network: MIB, transfer: 2 * MIB };
/// Limits of requests that belong to no transfer, for each of their 4 kinds.
const SERVICE: DailyLimit = DailyLimit { process: 2 * MIB, network: 512 * KIB, transfer: u64::MAX };
/// Maximum bytes of reports of skipped records, per process and UTC day.
const REPORTS: u64 = 2 * MIB;

/// First bytes of a network per day; half of a process limit is left for such bytes.
///
/// A few networks that record as much as they may can therefore not suppress the records of other networks.
const FIRST_BYTES: u64 = 32 * KIB;
/// Bytes that the store adds to a record, for its pages and index. Measured with the file store: up to 90 bytes.
const ROW_OVERHEAD: u64 = 100;

/// A UTC day.
const DAY: Duration = Duration::from_hours(24);
/// Tables of networks and of transfers with records, of each kind. An evicted one starts again; the limits of the
/// process stay.
const TABLE: TablePolicy = TablePolicy::new(DAY, NonZeroUsize::new(16_384).unwrap());

/// Shortest interval between two reports of skipped records of a transfer, in milliseconds: a minute. Each report doubles
/// the interval to the next one.
const MIN_REPORT_INTERVAL_MS: u64 = 60_000;
/// Longest interval between two reports of a transfer, in milliseconds: 4 hours.
const MAX_REPORT_INTERVAL_MS: u64 = 4 * 3_600_000;
/// Maximum transfers with skipped records that are not reported yet.
const MAX_SUPPRESSED: usize = 65_536;

/// Limits on bytes of records per UTC day.
#[derive(Clone, Copy, Debug)]
struct DailyLimit {
    /// Bytes of all networks and transfers.
    process: u64,
    /// Bytes caused by one network.
    network: u64,
    /// Bytes about one transfer, beyond the first bytes of each network.
    transfer: u64,
}

/// Kind of budget that a record is charged to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum BudgetKind {
    /// A successful read, a grant of an unlimited transfer, or a client event.
    Read,
    /// A rejected or failed request.
    Rejection,
}

/// Kind of a request that belongs to no transfer.
///
/// Each kind has its own budget, so that a flood of one kind does not suppress records of another.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum ServiceRequestKind {
    /// The request names no transfer, or one that does not exist.
    Unknown,
    /// The rate limit rejected the request before any lookup.
    Limited,
    /// The request to the admin service was not authenticated as admin.
    NoAdmin,
    /// The request's sender token is invalid.
    WrongToken,
}

/// Budget that the records of a request are charged to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Charge {
    /// Budget of a transfer and its kind of request.
    Transfer(TransferId, BudgetKind),
    /// Budget of requests that belong to no transfer.
    Service(ServiceRequestKind),
}

/// Record budgets of one UTC day.
///
/// Without budgets, a client that knows a transfer id could fill the store with records, or flood the audit trail
/// before an attack. Skipped records are counted and reported.
#[derive(Default)]
pub(super) struct Budgets {
    reads: Option<Used>,
    rejections: Option<Used>,
    service: HashMap<ServiceRequestKind, Used>,
    reports: DailyBytes,
    suppressed: BTreeMap<TransferId, SuppressedRecords>,
}

/// Bytes used out of one [`DailyLimit`].
struct Used {
    limit: DailyLimit,
    /// First bytes of each network, and further bytes.
    process: [DailyBytes; 2],
    networks: Table<NetworkKey, u64>,
    transfers: Table<TransferId, u64>,
}

/// A number of bytes that starts over each UTC day.
#[derive(Clone, Copy, Debug, Default)]
struct DailyBytes {
    day: u64,
    bytes: u64,
}

/// Suppressed records that are not reported yet, and the time of the last report.
///
/// An entry without suppressed records is kept until the report interval is over.
#[derive(Debug, Default)]
struct SuppressedRecords {
    skipped: Skipped,
    reported_at: Option<Timestamp>,
    interval_ms: u64,
}

impl DailyBytes {
    fn at(&mut self, now: Timestamp) -> &mut u64 {
        let day = now.as_millis() / u64::try_from(DAY.as_millis()).unwrap_or(u64::MAX);
        // A request from before midnight counts in the new day.
        if day != self.day && day + 1 != self.day {
            *self = Self { day, bytes: 0 };
        }
        &mut self.bytes
    }
}

impl Used {
    fn new(limit: DailyLimit) -> Self {
        Self { limit, process: Default::default(), networks: Table::new(TABLE), transfers: Table::new(TABLE) }
    }

    /// Charges the bytes of `records` unless a limit is reached. The last charge may exceed a limit, by its own bytes.
    fn take<R>(
        &mut self,
        network: NetworkKey,
        transfer: Option<TransferId>,
        now: Timestamp,
        records: impl FnOnce() -> (R, u64),
    ) -> Option<R> {
        let by_network = *self.networks.get_or_insert(network, now, || 0);
        let share = &mut self.process[usize::from(by_network >= FIRST_BYTES)];
        let by_transfer = transfer.map(|id| *self.transfers.get_or_insert(id, now, || 0));
        if *share.at(now) >= self.limit.process / 2
            || by_network >= self.limit.network
            || by_network >= FIRST_BYTES && by_transfer.is_some_and(|bytes| bytes >= self.limit.transfer)
        {
            return None;
        }
        let (records, bytes) = records();
        *share.at(now) += bytes;
        *self.networks.get_or_insert(network, now, || 0) += bytes;
        if let Some(id) = transfer {
            *self.transfers.get_or_insert(id, now, || 0) += bytes;
        }
        Some(records)
    }
}

/// Returns the bytes that records take in a store.
pub(super) fn stored_bytes(records: &[(StorageKey, Bytes)]) -> u64 {
    records.iter().map(|(key, value)| (key.as_str().len() + value.len()) as u64 + ROW_OVERHEAD).sum()
}

impl Budgets {
    /// Returns the records that `records` creates if the budget has room for them, and charges their bytes.
    pub(super) fn take<R>(
        &mut self,
        charge: Charge,
        network: NetworkKey,
        now: Timestamp,
        records: impl FnOnce() -> (R, u64),
    ) -> Option<R> {
        match charge {
            Charge::Transfer(id, kind) => {
                let used = match kind {
                    BudgetKind::Read => self.reads.get_or_insert_with(|| Used::new(READS)),
                    BudgetKind::Rejection => self.rejections.get_or_insert_with(|| Used::new(REJECTIONS)),
                };
                used.take(network, Some(id), now, records)
            }
            Charge::Service(kind) => {
                self.service.entry(kind).or_insert_with(|| Used::new(SERVICE)).take(network, None, now, records)
            }
        }
    }

    /// Counts the request of a charge as skipped, if it belongs to a transfer.
    pub(super) fn skip_charge(&mut self, charge: Charge) {
        if let Charge::Transfer(id, kind) = charge {
            self.skip(id, kind);
        }
    }

    /// Returns whether a budget has room for another record; charges nothing.
    pub(super) fn has_room(&mut self, kind: ServiceRequestKind, network: NetworkKey, now: Timestamp) -> bool {
        self.take(Charge::Service(kind), network, now, || ((), 0)).is_some()
    }

    /// Counts a skipped record, because of an exhausted budget or a full queue.
    pub(super) fn skip(&mut self, id: TransferId, kind: BudgetKind) {
        let Some(skipped) = self.skipped(id) else { return };
        match kind {
            BudgetKind::Read => skipped.reads += 1,
            BudgetKind::Rejection => skipped.refusals += 1,
        }
    }

    /// Counts a skipped client event.
    pub(super) fn skip_event(&mut self, id: TransferId) {
        if let Some(skipped) = self.skipped(id) {
            skipped.events += 1;
        }
    }

    /// Returns the counts of a transfer; `None` for a further transfer while too many are not reported.
    fn skipped(&mut self, id: TransferId) -> Option<&mut Skipped> {
        if self.suppressed.len() >= MAX_SUPPRESSED && !self.suppressed.contains_key(&id) {
            tracing::debug!(%id, "too many transfers with skipped records, a skipped record is not counted");
            return None;
        }
        Some(&mut self.suppressed.entry(id).or_default().skipped)
    }

    /// Takes the counts of skipped records that are due for a report. With `all`, at shutdown, every count is due.
    ///
    /// `report` creates the records of a report, with their bytes. Without room for reports, the counts stay until the
    /// next day.
    pub(super) fn take_unreported<R>(
        &mut self,
        now: Timestamp,
        all: bool,
        mut report: impl FnMut(TransferId, Skipped) -> (R, u64),
    ) -> Vec<R> {
        let mut due = Vec::new();
        let reports = &mut self.reports;
        self.suppressed.retain(|id, entry| {
            let reported_at = entry.reported_at.map(Timestamp::as_millis);
            if !all && reported_at.is_some_and(|at| now.as_millis().abs_diff(at) < entry.interval_ms) {
                return true;
            }
            if entry.skipped.is_empty() {
                return false;
            }
            if !all && *reports.at(now) >= REPORTS {
                return true;
            }
            let (records, bytes) = report(*id, std::mem::take(&mut entry.skipped));
            *reports.at(now) += bytes;
            entry.reported_at = Some(now);
            entry.interval_ms = (entry.interval_ms * 2).clamp(MIN_REPORT_INTERVAL_MS, MAX_REPORT_INTERVAL_MS);
            due.push(records);
            true
        });
        due
    }
}

#[cfg(test)]
mod tests;
