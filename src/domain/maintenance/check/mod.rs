//! Integrity check of a store: reads all objects page by page and reports inconsistencies. Writes nothing.
//!
//! Keeps in memory up to three ids per transfer, one quota summary per token, and the findings up to a limit.

mod counters;
mod index;
mod links;
mod notifications;
mod payloads;
mod quotas;
mod transfer_pages;
mod transfers;

use std::collections::{BTreeMap, HashMap, HashSet};

use bytes::Bytes;
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::domain::audit::Record;
use crate::domain::id::{PayloadId, TokenId, TransferId};
use crate::domain::maintenance::repair::Repair;
use crate::domain::stats::StatusSums;
use crate::domain::store::{
    Prefix, ScheduleEntry, ScheduledWork, StorageKey, Store, StoreError, StoreHeader, from_json,
};
use crate::domain::token::Token;
use crate::domain::transfers::IdempotencyRecord;
use counters::LatestDay;
use index::EntrySum;
pub(super) use links::is_listed;
use quotas::Account;

/// Number of objects per list request.
const PAGE_SIZE: usize = 500;
/// Number of concurrent reads.
const CONCURRENCY: usize = 16;
/// Maximum number of findings in the report; further findings are only counted.
const MAX_FINDINGS: usize = 1_000;

/// One inconsistency in a store.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct StoreFinding {
    /// Stable code of the kind of inconsistency.
    pub code: &'static str,
    /// Key of the inconsistent object.
    pub key: String,
    /// Description of the inconsistency.
    pub problem: String,
    /// Suggested fix, for a finding that a repair cannot mend or should not.
    pub advice: &'static str,
    /// Repair of the finding; serialised as its description, or as `null`.
    #[serde(rename = "repair")]
    pub(crate) remedy: Option<Repair>,
}

impl StoreFinding {
    /// Returns what a repair does about the finding; `None` if the finding cannot be repaired.
    #[must_use]
    pub fn repair(&self) -> Option<&'static str> {
        self.remedy.as_ref().map(Repair::description)
    }
}

/// Report of an integrity check.
#[derive(Clone, Debug, Default)]
pub struct CheckReport {
    /// Findings, up to a limit of 1 000.
    pub findings: Vec<StoreFinding>,
    /// Total number of findings, including findings over the limit.
    pub finding_count: u64,
    /// Number of records read.
    pub object_count: u64,
}

/// Checks all records and payloads in `store`.
///
/// # Errors
/// [`StoreError`] if the store itself fails to respond. Unreadable or inconsistent objects are findings, not errors.
pub async fn check(store: &dyn Store) -> Result<CheckReport, StoreError> {
    let mut check = Check {
        store,
        report: CheckReport::default(),
        scheduled: HashSet::new(),
        scheduled_reads: HashSet::new(),
        indexed: HashMap::new(),
        is_indexed: false,
        unindexed_payloads: HashSet::new(),
        has_unreadable_transfer: false,
        tokens: BTreeMap::new(),
        sums: StatusSums::default(),
        bytes_stored: 0,
        latest_day: None,
        downloadable: 0,
        lost: 0,
    };
    check.header().await?;
    check.note_latest_day().await?;
    check.tokens().await?;
    check.schedule().await?;
    check.index().await?;
    check.transfers().await?;
    check.stray_entries().await?;
    check.links().await?;
    check.keep_transfers_without_any_payload();
    check.payloads().await?;
    check.quotas().await?;
    check.creates().await?;
    check.service().await?;
    check.notifications().await?;
    check.stats().await?;
    Ok(check.report)
}

struct Check<'a> {
    store: &'a dyn Store,
    report: CheckReport,
    scheduled: HashSet<TransferId>,
    /// Transfers with a schedule entry for their records of reads.
    scheduled_reads: HashSet<TransferId>,
    /// Index entries of transfers that were not checked yet, or do not agree with their transfer.
    indexed: HashMap<TransferId, EntrySum>,
    /// Whether the store has an index of its transfers.
    is_indexed: bool,
    /// Payloads whose transfer is not in the index.
    unindexed_payloads: HashSet<PayloadId>,
    /// Whether a transfer is unreadable, so that its payload is not known.
    has_unreadable_transfer: bool,
    tokens: BTreeMap<TokenId, Account>,
    sums: StatusSums,
    bytes_stored: i64,
    /// Counters of the latest day, as they were before the transfers were counted.
    latest_day: Option<LatestDay>,
    /// Number of transfers that can be downloaded.
    downloadable: u64,
    /// Number of these without a complete payload.
    lost: u64,
}

/// Paged reader of the objects under a prefix, in key order.
struct Pages<'a> {
    store: &'a dyn Store,
    prefix: Prefix,
    after: Option<StorageKey>,
    has_ended: bool,
}

impl Pages<'_> {
    /// Returns the next page of objects; `None` after the last page.
    async fn next(&mut self) -> Result<Option<Vec<(StorageKey, Bytes)>>, StoreError> {
        if self.has_ended {
            return Ok(None);
        }
        let page = self.store.list(&self.prefix, self.after.as_ref(), PAGE_SIZE).await?;
        self.has_ended = page.next.is_none();
        self.after = page.next;
        Ok(Some(page.items))
    }
}

impl<'a> Check<'a> {
    /// Adds a finding to the report.
    fn find(&mut self, code: &'static str, key: &StorageKey, problem: impl Into<String>, advice: &'static str) {
        self.find_repairable(code, key, problem, advice, None);
    }

    /// Adds a finding, with what mends it.
    fn find_repairable(
        &mut self,
        code: &'static str,
        key: &StorageKey,
        problem: impl Into<String>,
        advice: &'static str,
        remedy: impl Into<Option<Repair>>,
    ) {
        self.report.finding_count += 1;
        if self.report.findings.len() < MAX_FINDINGS {
            let (key, problem, remedy) = (key.to_string(), problem.into(), remedy.into());
            self.report.findings.push(StoreFinding { code, key, problem, advice, remedy });
        }
    }

    /// Parses the object at `key`; reports a finding and returns `None` if the object is unreadable.
    fn parse<T: DeserializeOwned>(&mut self, key: &StorageKey, value: &[u8]) -> Option<T> {
        self.parse_repairable(key, value, None)
    }

    /// As [`parse`](Self::parse); `remedy` mends an unreadable object.
    fn parse_repairable<T: DeserializeOwned>(
        &mut self,
        key: &StorageKey,
        value: &[u8],
        remedy: Option<Repair>,
    ) -> Option<T> {
        self.parsed(key, from_json(key.as_str(), value), remedy)
    }

    /// Counts a parsed object; reports a finding and returns `None` if the object is unreadable.
    fn parsed<T>(&mut self, key: &StorageKey, parsed: Result<T, StoreError>, remedy: Option<Repair>) -> Option<T> {
        self.report.object_count += 1;
        match parsed {
            Ok(value) => Some(value),
            Err(StoreError::Corrupt { source, .. }) => {
                let advice = "restore this object from a backup, or remove it if no backup exists";
                self.find_repairable("unreadable", key, format!("the object is unreadable: {source}"), advice, remedy);
                None
            }
            Err(_) => None,
        }
    }

    /// Reports a finding if the id inside an object differs from the object's name.
    fn name_is(&mut self, key: &StorageKey, id: &str) {
        if key.name() != id {
            let advice = "restore this object from a backup: its content belongs to another object";
            self.find("wrong_id", key, format!("the id inside the object is {id}"), advice);
        }
    }

    fn pages(&self, prefix: Prefix) -> Pages<'a> {
        Pages { store: self.store, prefix, after: None, has_ended: false }
    }

    async fn header(&mut self) -> Result<(), StoreError> {
        let key = StorageKey::header();
        match self.store.get(&key).await? {
            Some(found) => match StoreHeader::parse(&found.value) {
                Err(error @ StoreError::IncompleteCopy { .. }) => {
                    let advice = "finish the copy with `sgsend store copy`, or remove this whole storage";
                    self.find("unfinished_copy", &key, error.to_string(), advice);
                }
                _ => drop(self.parse::<StoreHeader>(&key, &found.value)),
            },
            None => self.find("no_header", &key, "the store header is missing", "check the URL of the storage"),
        }
        Ok(())
    }

    async fn tokens(&mut self) -> Result<(), StoreError> {
        let mut pages = self.pages(StorageKey::tokens());
        while let Some(page) = pages.next().await? {
            for (key, value) in &page {
                let Some(token) = self.parse::<Token>(key, value) else { continue };
                self.name_is(key, &token.token_id.to_string());
                let account = self.account(&token).await?;
                self.tokens.insert(token.token_id, account);
            }
        }
        Ok(())
    }

    async fn schedule(&mut self) -> Result<(), StoreError> {
        let (prefix, mut after) = (StorageKey::all_schedule_entries(), None);
        loop {
            let keys = self.store.keys(&prefix, after.as_ref(), PAGE_SIZE).await?;
            for key in &keys {
                match ScheduleEntry::from_key(key) {
                    Some(ScheduleEntry { work: ScheduledWork::Transfer, transfer_id, .. }) => {
                        self.scheduled.insert(transfer_id);
                    }
                    Some(ScheduleEntry { work: ScheduledWork::Reads, transfer_id, .. }) => {
                        self.scheduled_reads.insert(transfer_id);
                    }
                    None => {
                        let remedy = Repair::RemoveEntry(key.clone());
                        let problem = "the key is not a valid schedule entry";
                        self.find_repairable("unreadable", key, problem, "remove this object", remedy);
                    }
                }
            }
            after = match keys.last() {
                Some(last) => Some(last.clone()),
                None => return Ok(()),
            };
        }
    }

    async fn creates(&mut self) -> Result<(), StoreError> {
        let mut pages = self.pages(StorageKey::all_idempotency_records());
        while let Some(page) = pages.next().await? {
            for (key, value) in &page {
                // A crash may leave an idempotency record without a transfer; a retried request reuses the record.
                self.parse::<IdempotencyRecord>(key, value);
            }
        }
        Ok(())
    }

    async fn service(&mut self) -> Result<(), StoreError> {
        let mut pages = self.pages(StorageKey::all_service_records());
        while let Some(page) = pages.next().await? {
            for (key, value) in &page {
                if let Some(record) = self.parse::<Record>(key, value) {
                    self.name_is(key, &record.id().to_string());
                }
            }
        }
        Ok(())
    }
}
