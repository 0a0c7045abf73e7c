//! Repair of what the integrity check has found.
//!
//! Safe beside running services: each repair looks again right before its change, and changes an object only in the
//! version that it has looked at. Objects that have changed meanwhile are skipped, and the next check tells. Each repair is one
//! commit with its audit record; a payload is removed after that commit. A repair that is killed is repeated by the next.

mod counters;
mod index;
mod links;
mod objects;
mod payloads;

use serde::{Serialize, Serializer};

use crate::domain::audit::{Action, ActionName, Outcome, Record, RepairedObject};
use crate::domain::clock::Clock;
use crate::domain::error::chain;
use crate::domain::id::{LinkId, PayloadId, RecordId, RecordIds, TokenId, TransferId};
use crate::domain::maintenance::check::{CheckReport, StoreFinding, check};
use crate::domain::stats::DayStats;
use crate::domain::store::{StorageKey, Store, StoreError, StoreHeader, Version, upgrade_layout};
use crate::domain::timestamp::Timestamp;

/// Repair of a finding.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Repair {
    /// Removes an object whose key is no schedule entry, or no index entry of a transfer.
    RemoveEntry(StorageKey),
    /// Removes the records of a transfer without its state.
    RemoveOrphans(TransferId),
    /// Removes a further link that no transfer lists, with its grants.
    RemoveLink(LinkId),
    /// Schedules the next sweep of a transfer.
    Schedule(TransferId),
    /// Schedules the removal of a transfer's records of reads.
    ScheduleReads(TransferId),
    /// Deletes a transfer whose payload is missing or incomplete.
    DeleteLost(TransferId),
    /// Removes a payload without a transfer, or one that is recorded as removed.
    RemovePayload(PayloadId),
    /// Sets the use of a token's quota, existing transfers and bytes, over this version of the token.
    SetQuota(TokenId, Version, (u64, u64)),
    /// Writes the index entries of a transfer.
    Index(TransferId),
    /// Writes the counters of the latest day over this version of them.
    SetCounters(Version, Box<DayStats>),
}

impl Repair {
    /// Returns what the repair does, for users.
    pub(crate) const fn description(&self) -> &'static str {
        match self {
            Self::RemoveEntry(_) => "remove this object",
            Self::RemoveOrphans(_) => "remove the remaining records",
            Self::RemoveLink(_) => "remove the link",
            Self::Schedule(_) => "schedule the transfer",
            Self::ScheduleReads(_) => "schedule the removal of these records",
            Self::DeleteLost(_) => "delete the transfer: its link then says that it was deleted",
            Self::RemovePayload(_) => "remove the payload",
            Self::SetQuota(..) => "correct the quota",
            Self::Index(_) => "add the transfer to the lists",
            Self::SetCounters(..) => "correct the counters",
        }
    }
}

impl Serialize for Repair {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.description())
    }
}

/// Finding that was not repaired, and why.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct SkippedRepair {
    /// Code of the finding.
    pub code: &'static str,
    /// Key of the object.
    pub key: String,
    /// Reason.
    pub reason: String,
}

/// Result of a run of repairs.
#[derive(Clone, Debug, Default)]
pub struct RepairReport {
    /// Number of repairs.
    pub repaired: u64,
    /// Findings whose repair was not possible at this time.
    pub skipped: Vec<SkippedRepair>,
    /// Check after the repairs.
    pub left: CheckReport,
}

/// Outcome of one repair.
enum Repaired {
    Done,
    /// The object has changed since the check.
    Changed,
}

/// One run of repairs over a store.
struct Repairs<'a> {
    store: &'a dyn Store,
    header: StoreHeader,
    clock: &'a dyn Clock,
    ids: RecordIds,
    /// Id that the audit records of the run share.
    run: RecordId,
}

/// Rounds of checks and repairs at most, besides those that a long list of findings needs.
///
/// A repair changes the counters, which are therefore corrected in a later round.
const MAX_ROUNDS: u32 = 4;

/// Repairs the findings of `found` that can be repaired, and checks the store again.
///
/// Repairs what is left then, in a few rounds. Upgrades the layout of the store first, if it is older.
///
/// # Errors
/// [`StoreError`] if the store has no readable header, its layout is newer than this program, or it cannot be checked
/// again. A failed repair is skipped, with its reason.
pub async fn repair(store: &dyn Store, clock: &dyn Clock, found: CheckReport) -> Result<RepairReport, StoreError> {
    let ids = RecordIds::default();
    let run = ids.next(clock.now());
    let repairs = Repairs { store, header: upgrade_layout(store).await?, clock, ids, run };
    let mut report = RepairReport { left: found, ..RepairReport::default() };
    for round in 1.. {
        let (repaired, skipped) = repairs.round(&report.left.findings).await?;
        let is_cut = report.left.finding_count > report.left.findings.len() as u64;
        let left = Box::pin(check(store)).await?;
        report = RepairReport { repaired: report.repaired + repaired, skipped, left };
        let is_repairable = report.left.findings.iter().any(|finding| finding.remedy.is_some());
        if repaired == 0 || !is_repairable || (round >= MAX_ROUNDS && !is_cut) {
            break;
        }
    }
    Ok(report)
}

impl Repairs<'_> {
    /// Repairs what it can of `findings`; returns the number of repairs, and what was skipped.
    async fn round(&self, findings: &[StoreFinding]) -> Result<(u64, Vec<SkippedRepair>), StoreError> {
        let (mut repaired, mut skipped) = (0, Vec::new());
        for finding in findings {
            let Some(repair) = &finding.remedy else { continue };
            let reason = match self.apply(finding, repair).await {
                Ok(Repaired::Done) => {
                    tracing::info!(finding = finding.code, object = finding.key, "repaired");
                    repaired += 1;
                    continue;
                }
                Ok(Repaired::Changed) | Err(StoreError::Conflict) => "it has changed since the check".to_owned(),
                Err(error @ StoreError::NewerLayout { .. }) => return Err(error),
                Err(error) => chain(&error),
            };
            skipped.push(SkippedRepair { code: finding.code, key: finding.key.clone(), reason });
        }
        Ok((repaired, skipped))
    }

    fn now(&self) -> Timestamp {
        self.clock.now()
    }

    async fn apply(&self, finding: &StoreFinding, repair: &Repair) -> Result<Repaired, StoreError> {
        match repair {
            Repair::RemoveEntry(key) => self.remove_entry(finding, key).await,
            Repair::RemoveOrphans(id) => self.remove_orphans(finding, *id).await,
            Repair::RemoveLink(id) => self.remove_link(finding, *id).await,
            Repair::Schedule(id) => self.schedule(finding, *id).await,
            Repair::ScheduleReads(id) => self.schedule_reads(finding, *id).await,
            Repair::DeleteLost(id) => self.delete_lost(finding, *id).await,
            Repair::RemovePayload(id) => self.remove_payload(finding, *id).await,
            Repair::SetQuota(id, version, used) => self.set_quota(finding, *id, version, *used).await,
            Repair::Index(id) => self.index(finding, *id).await,
            Repair::SetCounters(version, stats) => self.set_counters(finding, version, stats).await,
        }
    }

    /// Builds the audit record of a repair.
    fn record(&self, finding: &StoreFinding) -> Record {
        let at = self.now();
        Record::Action(Action {
            repaired: Some(RepairedObject { finding: finding.code.to_owned(), object: finding.key.clone() }),
            ..Action::new(self.ids.next(at), self.run, at, ActionName::StoreRepair, Outcome::Done, None)
        })
    }
}
