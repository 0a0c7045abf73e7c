//! Daily limits on audit records of reads and rejected requests, per transfer.

use std::collections::HashMap;
use std::num::NonZeroUsize;
use std::time::Duration;

use super::Skipped;
use crate::domain::id::TransferId;
use crate::domain::limits::table::{Table, TablePolicy};
use crate::domain::limits::window::{Window, WindowPolicy};
use crate::domain::timestamp::Timestamp;

/// Maximum recorded reads of one transfer, per process and UTC day.
const MAX_RECORDED_READS: u32 = 10_000;
/// Maximum recorded rejected or failed requests for one transfer, per process and UTC day.
const MAX_RECORDED_REJECTIONS: u32 = 1_000;
/// A UTC day.
const DAY: Duration = Duration::from_hours(24);
/// Table of audit budgets: 32 768 transfers per UTC day.
///
/// An evicted transfer starts with a fresh budget. Forcing an eviction takes requests for 32 768 other transfers, which
/// causes more records than the evicted budget had suppressed.
const AUDIT_TABLE: TablePolicy = TablePolicy::evicting(DAY, NonZeroUsize::new(32_768).unwrap());
/// Recorded requests that belong to no transfer. 10 000 of each of the 4 kinds, per process and UTC day.
const SERVICE_RECORDS: WindowPolicy =
    WindowPolicy { max: 10_000, table: TablePolicy::evicting(DAY, NonZeroUsize::new(4).unwrap()) };

/// Minimum interval between two reports of suppressed records of a transfer, in milliseconds.
const REPORT_INTERVAL_MS: u64 = 60_000;

/// Kind of budget that a record is charged to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum BudgetKind {
    /// A successful read.
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

/// Record budgets of one UTC day.
///
/// Without budgets, a client that knows a transfer id could fill the store with records, or flood the audit trail
/// before an attack. A transfer's two budgets share one table entry, and counts of skipped records survive its
/// eviction. Only `service_requests` is therefore a plain [`Window`].
pub(super) struct Budgets {
    service_requests: Window<ServiceRequestKind>,
    used: Table<TransferId, UsedBudget>,
    suppressed: HashMap<TransferId, SuppressedRecords>,
}

#[derive(Debug, Default)]
struct UsedBudget {
    reads: u32,
    refusals: u32,
}

/// Suppressed records that are not reported yet, and the time of the last report.
///
/// An entry without suppressed records is kept until the report interval is over.
#[derive(Debug, Default)]
struct SuppressedRecords {
    skipped: Skipped,
    reported_at: Option<Timestamp>,
}

impl Default for Budgets {
    fn default() -> Self {
        Self {
            service_requests: Window::new(SERVICE_RECORDS),
            used: Table::new(AUDIT_TABLE),
            suppressed: HashMap::new(),
        }
    }
}

impl Budgets {
    /// Charges one record to a transfer's budget; if the budget is exhausted, counts the record as skipped.
    ///
    /// Returns whether the record may be written.
    pub(super) fn take(&mut self, id: TransferId, kind: BudgetKind, now: Timestamp) -> bool {
        self.enter_day(now);
        let budget = self.used.get_or_insert(id, now, UsedBudget::default);
        let allowed = budget.is_some_and(|budget| {
            let (used, limit) = match kind {
                BudgetKind::Read => (&mut budget.reads, MAX_RECORDED_READS),
                BudgetKind::Rejection => (&mut budget.refusals, MAX_RECORDED_REJECTIONS),
            };
            let allowed = *used < limit;
            *used += u32::from(allowed);
            allowed
        });
        if !allowed {
            self.skip(id, kind);
        }
        allowed
    }

    /// Counts a skipped record, because of an exhausted budget or a full queue.
    pub(super) fn skip(&mut self, id: TransferId, kind: BudgetKind) {
        let skipped = &mut self.suppressed.entry(id).or_default().skipped;
        match kind {
            BudgetKind::Read => skipped.reads += 1,
            BudgetKind::Rejection => skipped.refusals += 1,
        }
    }

    /// Charges one record of a request that belongs to no transfer. Returns whether the record may be written.
    pub(super) fn take_service_request(&mut self, kind: ServiceRequestKind, now: Timestamp) -> bool {
        self.enter_day(now);
        self.service_requests.try_count(kind, now).is_ok()
    }

    /// Starts all budgets over together if `now` is in another day.
    fn enter_day(&mut self, now: Timestamp) {
        self.service_requests.enter_window(now);
        self.used.enter_window(now);
    }

    /// Counts a skipped client event.
    pub(super) fn skip_event(&mut self, id: TransferId) {
        self.suppressed.entry(id).or_default().skipped.events += 1;
    }

    /// Takes the counts of skipped records that are due for a report. With `all`, at shutdown, every count is due.
    pub(super) fn take_unreported(&mut self, now: Timestamp, all: bool) -> Vec<(TransferId, Skipped)> {
        let mut due = Vec::new();
        self.suppressed.retain(|id, entry| {
            let reported_at = entry.reported_at.map(Timestamp::as_millis);
            if !all && reported_at.is_some_and(|at| now.as_millis().abs_diff(at) < REPORT_INTERVAL_MS) {
                return true;
            }
            if entry.skipped.is_empty() {
                return false;
            }
            entry.reported_at = Some(now);
            due.push((*id, std::mem::take(&mut entry.skipped)));
            true
        });
        due
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn reads_and_refusals_have_separate_budgets() {
        let (mut budgets, id, now) = (Budgets::default(), TransferId::random(), Timestamp::from_millis(0));
        let recorded = (0..MAX_RECORDED_READS + 5).filter(|_| budgets.take(id, BudgetKind::Read, now)).count();
        assert_eq!(recorded, MAX_RECORDED_READS as usize);
        assert!(budgets.take(id, BudgetKind::Rejection, now), "reads exhausted the budget of refusals");
        assert!(budgets.take(TransferId::random(), BudgetKind::Read, now), "one transfer exhausted another's budget");
        assert_eq!(budgets.take_unreported(now, false), [(id, Skipped { reads: 5, ..Skipped::default() })]);
        assert!(!budgets.take(id, BudgetKind::Read, now));
        assert_eq!(budgets.take_unreported(now.plus(Duration::from_secs(59)), false), []);
        assert_eq!(budgets.take_unreported(now.plus(Duration::from_mins(1)), false).len(), 1);
        let tomorrow = now.plus(Duration::from_hours(24));
        assert!(budgets.take(id, BudgetKind::Read, tomorrow), "a new day did not reset the budget");
    }

    #[test]
    fn kinds_of_service_requests_have_separate_budgets() {
        let (mut budgets, now) = (Budgets::default(), Timestamp::from_millis(0));
        let recorded = (0..SERVICE_RECORDS.max + 5)
            .filter(|_| budgets.take_service_request(ServiceRequestKind::Limited, now))
            .count();
        assert_eq!(recorded, SERVICE_RECORDS.max as usize);
        assert!(
            budgets.take_service_request(ServiceRequestKind::Unknown, now)
                && budgets.take_service_request(ServiceRequestKind::NoAdmin, now)
        );
        let tomorrow = now.plus(Duration::from_hours(24));
        assert!(budgets.take_service_request(ServiceRequestKind::Limited, tomorrow));
        for _ in 0..SERVICE_RECORDS.max {
            budgets.take_service_request(ServiceRequestKind::Limited, tomorrow);
        }
        assert!(!budgets.take_service_request(ServiceRequestKind::Limited, tomorrow));
        budgets.take(TransferId::random(), BudgetKind::Read, now);
        assert!(
            budgets.take_service_request(ServiceRequestKind::Limited, tomorrow),
            "the budgets of a day did not start over together"
        );
    }

    #[test]
    fn eviction_bounds_memory_and_keeps_the_counts_of_skipped_records() {
        let (mut budgets, id, now) = (Budgets::default(), TransferId::random(), Timestamp::from_millis(0));
        for _ in 0..=MAX_RECORDED_REJECTIONS {
            budgets.take(id, BudgetKind::Rejection, now);
        }
        for _ in 0..AUDIT_TABLE.capacity.get() + 5 {
            budgets.take(TransferId::random(), BudgetKind::Read, now);
        }
        assert_eq!(budgets.used.len(), AUDIT_TABLE.capacity.get());
        assert!(budgets.take(id, BudgetKind::Rejection, now), "the least recently used budget was not evicted");
        assert_eq!(budgets.take_unreported(now, false), [(id, Skipped { refusals: 1, ..Skipped::default() })]);
        assert_eq!(budgets.suppressed.len(), 1);
        assert_eq!(budgets.take_unreported(now.plus(Duration::from_mins(1)), false), []);
        assert!(budgets.suppressed.is_empty(), "reported counts are never removed");
    }
}
