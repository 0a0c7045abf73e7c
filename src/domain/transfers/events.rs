//! Client events: unverified claims of clients, recorded as such.

use super::Transfers;
use crate::domain::audit::{
    ChangeResult, Event, Record, RecordClass, RecordKind, RequestScope, Source, with_read_keys,
};
use crate::domain::crypto::proof::{AccessProof, Grant};
use crate::domain::error::Error;
use crate::domain::id::{LinkId, TransferId};
use crate::domain::limits::event_limit::{EventSource, Uncounted};
use crate::domain::store::{Commit, StorageKey};
use crate::domain::transfer::{ResolvedLink, State};
use crate::domain::wire::{ClientEventKind, EventAdded};

/// Number of events that one request counts.
const PAGE_SIZE: usize = 1_000;

impl Transfers {
    /// Adds a client event under a link to its transfer's audit records.
    ///
    /// # Errors
    /// [`Error::NotCompleted`] for any event except `link_opened` before the upload is complete;
    /// [`Error::EventLimitReached`]; errors of the access proof or the grant.
    pub async fn add_event(
        &self,
        scope: &RequestScope,
        link: &ResolvedLink,
        kind: ClientEventKind,
        proof: Option<&AccessProof>,
        grant: Option<&Grant>,
    ) -> Result<EventAdded, Error> {
        let (id, link_id, now) = (link.transfer.transfer_id, link.id(), self.now());
        let state = link.transfer.state_at(now);
        let link_opened_early = state == State::Pending && kind == ClientEventKind::LinkOpened;
        if state.completed_at().is_none() && !link_opened_early {
            return Err(Error::NotCompleted);
        }
        let source = if let Some(grant) = grant {
            self.check_grant(scope, link, proof, grant).await?;
            EventSource::Grant(grant.digest())
        } else {
            self.check_proof(scope, link, proof)?;
            EventSource::Network(scope.request().network_key)
        };
        if let Some(uncounted) = self.0.event_limit.uncounted(link_id, now) {
            let _permit = self.0.event_counts.acquire().await.expect("the semaphore is never closed");
            let (claims, next) = self.count_claims(id, link.further_id(), uncounted.clone()).await?;
            self.0.event_limit.add_counted(link_id, &uncounted, claims, next, now);
        }
        if !self.0.event_limit.try_count(link_id, source, scope.request().network_key, now) {
            self.0.audit.skip_event(id);
            return Err(Error::EventLimitReached);
        }
        let mut commit = scope.read_commit(id, now, ChangeResult::Created, &[], Commit::default());
        let event = scope.client_event_record(now, kind.into());
        let added = EventAdded { id: event.id(), at: now };
        commit.add_records(with_read_keys(id, &[event]));
        if !self.0.audit.admit(scope, id, &mut commit, 0) {
            self.0.audit.skip_event(id);
            return Err(Error::EventLimitReached);
        }
        commit.apply(self.store(), None).await?;
        Ok(added)
    }

    /// Checks the grant, which replaces the access proof, also after the end of the transfer.
    ///
    /// # Errors
    /// [`Error::GrantExpired`], [`Error::GrantInvalid`], or the errors of the access proof.
    async fn check_grant(
        &self,
        scope: &RequestScope,
        link: &ResolvedLink,
        proof: Option<&AccessProof>,
        grant: &Grant,
    ) -> Result<(), Error> {
        let known = self.find_grant(link, grant).await?;
        if known.is_some_and(|known| known.expires_at > self.now()) {
            return Ok(());
        }
        self.check_proof(scope, link, proof)?;
        Err(if known.is_some() { Error::GrantExpired } else { Error::GrantInvalid })
    }

    /// Counts the client events under one link in one page of a transfer's events. Also returns the key after which the next page
    /// begins.
    ///
    /// A request never reads more than one page: an unlimited transfer can have millions of events.
    async fn count_claims(
        &self,
        id: TransferId,
        of_link: Option<LinkId>,
        after: Uncounted,
    ) -> Result<(u32, Option<StorageKey>), Error> {
        let prefix = StorageKey::transfer_records(id, RecordClass::Read, RecordKind::Event);
        let page = self.store().list(&prefix, after.key(), PAGE_SIZE).await?;
        let is_client_event = |value: &[u8]| match serde_json::from_slice(value) {
            Ok(Record::Event(Event { source, link_id, .. })) => source == Source::Client && link_id == of_link,
            _ => false,
        };
        let claims = page.items.iter().filter(|(_, value)| is_client_event(value)).count();
        Ok((u32::try_from(claims).unwrap_or(u32::MAX), page.next))
    }
}
