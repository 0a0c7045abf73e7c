//! Whether what a store holds agrees with itself: every object is read, in pages, and nothing is written.
//!
//! What is kept in memory meanwhile is an id for each transfer that is due, what each token's quota counts, and the first
//! findings.

mod payloads;
mod quotas;
mod transfers;

use std::collections::{HashMap, HashSet};

use bytes::Bytes;
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::audit::Record;
use super::id::{TokenId, TransferId};
use super::stats::{DayStats, StatusSums};
use super::store::{DueHint, Prefix, StorageKey, Store, StoreError, StoreHeader, from_json};
use super::token::Token;
use super::transfers::Creation;
use quotas::Account;

/// Objects read at once.
const PAGE: usize = 500;
/// Requests made at once.
const AT_ONCE: usize = 16;
/// The most findings that are kept; more are counted.
const MOST_FINDINGS: usize = 1_000;

/// One thing that is not as it should be.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// What kind of thing: stable.
    pub code: &'static str,
    /// The object that it is about.
    pub key: String,
    /// What is wrong.
    pub problem: String,
    /// What to do.
    pub advice: &'static str,
}

/// What a check has found.
#[derive(Clone, Debug, Default)]
pub struct Soundness {
    /// The first findings.
    pub findings: Vec<Finding>,
    /// How many there are.
    pub found: u64,
    /// Records that were read.
    pub objects: u64,
}

/// Reads everything in `store`.
///
/// # Errors
/// Where the store cannot be read. What can be read and is wrong is a finding.
pub async fn check(store: &dyn Store) -> Result<Soundness, StoreError> {
    let mut check = Check {
        store,
        soundness: Soundness::default(),
        due: HashSet::new(),
        tokens: HashMap::new(),
        sums: StatusSums::default(),
        bytes_stored: 0,
    };
    check.header().await?;
    check.tokens().await?;
    check.due().await?;
    check.transfers().await?;
    check.payloads().await?;
    check.quotas().await?;
    check.creates().await?;
    check.service().await?;
    check.stats().await?;
    Ok(check.soundness)
}

struct Check<'a> {
    store: &'a dyn Store,
    soundness: Soundness,
    due: HashSet<TransferId>,
    tokens: HashMap<TokenId, Account>,
    sums: StatusSums,
    bytes_stored: i64,
}

/// What lies under a prefix, in the order of the keys.
struct Pages<'a> {
    store: &'a dyn Store,
    prefix: Prefix,
    after: Option<StorageKey>,
}

impl Pages<'_> {
    /// The next objects; `None` behind the last.
    async fn next(&mut self) -> Result<Option<Vec<(StorageKey, Bytes)>>, StoreError> {
        let page = self.store.list(&self.prefix, self.after.as_ref(), PAGE).await?;
        let last = page.last().map(|(key, _)| key.clone());
        Ok(last.map(|last| {
            self.after = Some(last);
            page
        }))
    }
}

impl<'a> Check<'a> {
    fn find(&mut self, code: &'static str, key: &StorageKey, problem: impl Into<String>, advice: &'static str) {
        self.soundness.found += 1;
        if self.soundness.findings.len() < MOST_FINDINGS {
            let (key, problem) = (key.to_string(), problem.into());
            self.soundness.findings.push(Finding { code, key, problem, advice });
        }
    }

    fn parse<T: DeserializeOwned>(&mut self, key: &StorageKey, value: &[u8]) -> Option<T> {
        self.soundness.objects += 1;
        match from_json(key.as_str(), value) {
            Ok(value) => Some(value),
            Err(StoreError::Corrupt { source, .. }) => {
                let advice = "put this object back from a backup, or remove it if there is none";
                self.find("unreadable", key, format!("it cannot be read: {source}"), advice);
                None
            }
            Err(_) => None,
        }
    }

    fn name_is(&mut self, key: &StorageKey, inside: &str) {
        if key.name() != inside {
            let advice = "put this object back from a backup: it stands in another one's place";
            self.find("wrong_id", key, format!("it says that it is {inside}"), advice);
        }
    }

    fn pages(&self, prefix: Prefix) -> Pages<'a> {
        Pages { store: self.store, prefix, after: None }
    }

    async fn header(&mut self) -> Result<(), StoreError> {
        let key = StorageKey::header();
        match self.store.get(&key).await? {
            Some(found) => match StoreHeader::parse(&found.value) {
                Err(error @ StoreError::UnfinishedCopy { .. }) => {
                    let advice = "run `sgsend store copy` to its end, or remove all of this storage";
                    self.find("unfinished_copy", &key, error.to_string(), advice);
                }
                _ => drop(self.parse::<StoreHeader>(&key, &found.value)),
            },
            None => self.find("no_header", &key, "it is missing", "check that this is the storage that was meant"),
        }
        Ok(())
    }

    async fn tokens(&mut self) -> Result<(), StoreError> {
        let mut pages = self.pages(StorageKey::tokens());
        while let Some(page) = pages.next().await? {
            for (key, value) in &page {
                let Some(token) = self.parse::<Token>(key, value) else { continue };
                self.name_is(key, &token.token_id.to_string());
                self.tokens.insert(token.token_id, Account::of(token.quota.as_ref()));
            }
        }
        Ok(())
    }

    async fn due(&mut self) -> Result<(), StoreError> {
        let (prefix, mut after) = (StorageKey::all_due(), None);
        loop {
            let keys = self.store.keys(&prefix, after.as_ref(), PAGE).await?;
            for key in &keys {
                match DueHint::from_key(key) {
                    Some(hint) => drop(self.due.insert(hint.transfer_id)),
                    None => self.find("unreadable", key, "it is no hint", "remove this object"),
                }
            }
            after = match keys.last() {
                Some(last) => Some(last.clone()),
                None => return Ok(()),
            };
        }
    }

    async fn creates(&mut self) -> Result<(), StoreError> {
        let mut pages = self.pages(StorageKey::all_creates());
        while let Some(page) = pages.next().await? {
            for (key, value) in &page {
                // One whose transfer never came is what a crash leaves, and whoever asks again goes on with it.
                self.parse::<Creation>(key, value);
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

    async fn stats(&mut self) -> Result<(), StoreError> {
        let (mut pages, mut latest) = (self.pages(StorageKey::all_stats()), None);
        while let Some(page) = pages.next().await? {
            for (key, value) in &page {
                if let Some(stats) = self.parse::<DayStats>(key, value) {
                    self.name_is(key, stats.day.as_str());
                    latest = Some((key.clone(), stats));
                }
            }
        }
        let advice = "stop the services and check again; what is wrong then is only what `sgsend stats` shows";
        if let Some((key, stats)) = latest {
            if stats.transfers != self.sums {
                let problem = format!("it counts {:?}, and there are {:?}", stats.transfers.told(), self.sums.told());
                self.find("counters", &key, problem, advice);
            }
            if stats.bytes_stored != self.bytes_stored {
                let problem = format!("it counts {} bytes stored, not {}", stats.bytes_stored, self.bytes_stored);
                self.find("counters", &key, problem, advice);
            }
        }
        Ok(())
    }
}
