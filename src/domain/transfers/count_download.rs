//! Counts of new downloads.
//!
//! A link with a limit has its grants in its own record, changed by compare-and-swap. An unlimited link has them as
//! objects of their own. If its limit changes meanwhile, a download is counted again in the other way: the grant of an
//! unlimited link is good only once its record was read again, after the grant was written, and had no limit yet.

use super::counts::{CountTarget, NewDownloads};
use super::{Transfers, status_change};
use crate::domain::audit::{AuditState, ChangeResult, EventKind, RecordedCommit, RequestScope, with_transfer_keys};
use crate::domain::crypto::digest::Sha256;
use crate::domain::crypto::proof::Grant;
use crate::domain::error::Error;
use crate::domain::id::TransferId;
use crate::domain::notification::NotificationKind;
use crate::domain::stats::CounterDelta;
use crate::domain::store::{Backoff, Commit, StorageKey, StoreError, Swap, create, read};
use crate::domain::timestamp::Timestamp;
use crate::domain::transfer::{
    CountedDownload, FurtherLink, GrantRecord, LinkRecord, ResolvedLink, State, Status, Transfer,
};

/// Bytes that a grant of an unlimited link takes in the store, with its key and index entry.
const GRANT_BYTES: u64 = 400;

impl Transfers {
    /// Counts a download under `grant` and persists the count. A repeated call with the same grant counts nothing.
    ///
    /// # Errors
    /// [`Error::TransferExhausted`] if the download limit is reached, even under concurrent requests;
    /// [`Error::RateLimited`] for too many new downloads of an unlimited link from one network.
    pub(super) async fn count_download(
        &self,
        scope: &RequestScope,
        link: &ResolvedLink,
        grant: &Grant,
        result: ChangeResult,
    ) -> Result<GrantRecord, Error> {
        let (mut link, mut backoff) = (link.clone(), Backoff::of_changes());
        loop {
            let counted = if link.record().max_downloads.is_some() {
                self.count_limited(scope, &link, grant.digest(), result).await?
            } else {
                self.count_unlimited(scope, &link, grant).await?
            };
            if let Some(record) = counted {
                return Ok(record);
            }
            // The limit has changed since the link was read.
            if backoff.is_over() {
                return Err(StoreError::Conflict.into());
            }
            backoff.pause().await;
            link = self.reread_link(&link).await?;
        }
    }

    /// Counts a download under a link with a limit; `None` if the link has no limit any more, or a new one.
    async fn count_limited(
        &self,
        scope: &RequestScope,
        link: &ResolvedLink,
        digest: Sha256,
        result: ChangeResult,
    ) -> Result<Option<GrantRecord>, Error> {
        let (now, id) = (self.now(), link.transfer.transfer_id);
        let Some(further) = &link.further else {
            return self.change(id, |transfer| self.count_own(scope, transfer, digest, result, now)).await;
        };
        let (counted, is_new) = self
            .change_link(further.link_id, |further| {
                self.count_further(scope, &link.transfer, further, digest, result, now)
            })
            .await?;
        if is_new {
            self.0.counts.add((id, CountTarget::AllLinks), NewDownloads { stored: 1, unstored: 0 });
        }
        Ok(counted)
    }

    /// Adds downloads of an unlimited link to its count, and to that of all further links.
    fn add_to_counts(&self, link: &ResolvedLink, downloads: NewDownloads) {
        let id = link.transfer.transfer_id;
        match link.further_id() {
            None => self.0.counts.add((id, CountTarget::OwnLink), downloads),
            Some(further) => {
                self.0.counts.add((id, CountTarget::FurtherLink(further)), downloads);
                self.0.counts.add((id, CountTarget::AllLinks), downloads);
            }
        }
    }

    fn count_own<'scope>(
        &self,
        scope: &'scope RequestScope,
        mut transfer: Transfer,
        digest: Sha256,
        result: ChangeResult,
        now: Timestamp,
    ) -> Result<Swap<'scope, Transfer, Option<GrantRecord>>, Error> {
        let id = transfer.transfer_id;
        if let Some(known) = transfer.own_link.find_grant(&digest) {
            return Ok(Swap::Keep(Some(known)));
        }
        if !transfer.own_link.counts_itself() {
            return Ok(Swap::Keep(None));
        }
        let CountedDownload { grant, exhausted } = transfer.count_download(digest, now)?;
        let mut events = vec![EventKind::DownloadGranted];
        let mut counter_delta = CounterDelta::on(now.day());
        if matches!(transfer.state, State::Exhausted { .. }) {
            events.push(EventKind::TransferExhausted);
            counter_delta = status_change(now, Status::Completed, Status::Exhausted);
        } else if exhausted {
            events.push(EventKind::LinkExhausted);
        }
        counter_delta.downloads = 1;
        let schedule = if exhausted { vec![self.grants_entry(&transfer, &transfer.own_link)] } else { Vec::new() };
        let mut with = Commit { schedule, counter_delta: Some(counter_delta), ..Commit::default() };
        let mut kinds = download_kinds(transfer.own_link.download_count());
        if matches!(transfer.state, State::Exhausted { .. }) {
            kinds.push(NotificationKind::TransferExhausted);
        }
        transfer.notify(&mut with, &self.0.ids, now, &kinds);
        Ok(Swap::write(transfer, recorded(scope, id, now, result, &events, with), Some(grant)))
    }

    /// Counts a download under a limited further link; returns its grant, and whether it was new.
    fn count_further<'scope>(
        &self,
        scope: &'scope RequestScope,
        transfer: &Transfer,
        mut further: FurtherLink,
        digest: Sha256,
        result: ChangeResult,
        now: Timestamp,
    ) -> Result<Swap<'scope, FurtherLink, (Option<GrantRecord>, bool)>, Error> {
        if let Some(known) = further.link.find_grant(&digest) {
            return Ok(Swap::Keep((Some(known), false)));
        }
        if !further.link.counts_itself() {
            return Ok(Swap::Keep((None, false)));
        }
        let CountedDownload { grant, exhausted } = further.count_download(transfer, digest, now)?;
        let mut events = vec![EventKind::DownloadGranted];
        let mut schedule = Vec::new();
        if exhausted {
            events.push(EventKind::LinkExhausted);
            schedule.push(self.grants_entry(transfer, &further.link));
        }
        let counter_delta = Some(CounterDelta { downloads: 1, ..CounterDelta::on(now.day()) });
        let mut with = Commit { schedule, counter_delta, ..Commit::default() };
        let kinds = download_kinds(further.link.download_count());
        transfer.clone().notify_of_link(&mut with, &self.0.ids, now, &kinds, &further);
        let with = recorded(scope, transfer.transfer_id, now, result, &events, with);
        Ok(Swap::write(further, with, (Some(grant), true)))
    }

    /// Returns the schedule entry for the time at which the last grant of a link with a limit expires.
    fn grants_entry(&self, transfer: &Transfer, link: &LinkRecord) -> StorageKey {
        let last = link.last_grant_expires_at().unwrap_or_else(|| self.now());
        StorageKey::schedule_entry(last, transfer.transfer_id)
    }

    /// Counts a download under an unlimited link; `None` if the link got a limit meanwhile.
    async fn count_unlimited(
        &self,
        scope: &RequestScope,
        link: &ResolvedLink,
        grant: &Grant,
    ) -> Result<Option<GrantRecord>, Error> {
        let (id, now) = (link.transfer.transfer_id, self.now());
        self.0.download_rate_limit.try_count((link.id(), scope.request().network_key), now)?;
        let record = link.at(now).new_grant(grant.digest());
        let counter_delta = CounterDelta { downloads: 1, ..CounterDelta::on(now.day()) };
        let mut with = Commit { counter_delta: Some(counter_delta), ..Commit::default() };
        // The count of the link, and with it the first download, follows within a second.
        link.transfer.clone().notify_of_grant(&mut with, &self.0.ids, &record, link.further.as_ref());
        // Reading the link again, which may fail, decides the response.
        let mut with = scope.read_commit(id, now, ChangeResult::Undetermined, &[EventKind::DownloadGranted], with);
        if !self.0.audit.admit(scope, id, &mut with, GRANT_BYTES) {
            return self.grant_unstored(scope, link, record).await;
        }
        let key = link.grant_key(&record.sha256);
        match create(self.store(), key.clone(), &record, with).await {
            Ok(()) if self.is_unlimited(link).await? => {
                self.add_to_counts(link, NewDownloads { stored: 1, unstored: 0 });
                Ok(Some(record))
            }
            Ok(()) => Ok(None),
            // A concurrent request with the same grant was first.
            Err(StoreError::Conflict) => {
                let known = read::<GrantRecord>(self.store(), &key).await?.ok_or(Error::GrantInvalid)?;
                Ok(self.is_unlimited(link).await?.then_some(known.value))
            }
            Err(StoreError::Full) => self.grant_unstored(scope, link, record).await,
            Err(error) => Err(error.into()),
        }
    }

    /// Grants a download of an unlimited link without storing the grant. `None` if the link got a limit meanwhile.
    ///
    /// The budget of records is used up, or the store is full.
    async fn grant_unstored(
        &self,
        scope: &RequestScope,
        link: &ResolvedLink,
        record: GrantRecord,
    ) -> Result<Option<GrantRecord>, Error> {
        let is_new = self.0.unstored_grants.add(link.id(), record, scope.request().network_key);
        if !self.is_unlimited(link).await? {
            self.0.unstored_grants.remove(record.sha256);
            return Ok(None);
        }
        if is_new {
            self.add_to_counts(link, NewDownloads { stored: 0, unstored: 1 });
        }
        Ok(Some(record))
    }
}

/// Returns the notifications of a download after which the link has `count` downloads.
fn download_kinds(count: u64) -> Vec<NotificationKind> {
    let first = (count == 1).then_some(NotificationKind::TransferFirstDownload);
    first.into_iter().chain([NotificationKind::TransferDownloaded]).collect()
}

/// Creates the commit of a counted download. If the request has counted it already as one of an unlimited link, its
/// records are written.
fn recorded<'scope>(
    scope: &'scope RequestScope,
    id: TransferId,
    now: Timestamp,
    result: ChangeResult,
    events: &[EventKind],
    with: Commit,
) -> RecordedCommit<'scope> {
    if scope.audit_state() == AuditState::Missing {
        return scope.transfer_commit(id, now, result, events, with);
    }
    let (mut with, events) = (with, events.iter().map(|kind| scope.server_event_record(now, *kind)));
    with.records.extend(with_transfer_keys(id, &events.collect::<Vec<_>>()));
    with.into()
}
