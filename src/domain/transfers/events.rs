//! Events that clients add: claims, and kept as such.

use super::claims::{Claimant, PER_TRANSFER};
use super::{Transfers, UnknownGrant};
use crate::domain::audit::{Answer, Event, Record, RecordKind, RequestScope, Source, keyed};
use crate::domain::error::Error;
use crate::domain::id::TransferId;
use crate::domain::proof::{AccessProof, Grant};
use crate::domain::store::{Commit, StorageKey};
use crate::domain::transfer::{State, Transfer};
use crate::domain::wire::{ClientEventKind, EventAdded};

/// Events read at once while they are counted.
const PAGE: usize = 1_000;

const CREATED: Answer = Answer::Whole { status: 201 };

impl Transfers {
    /// Adds an event to a transfer's trail.
    ///
    /// # Errors
    /// [`Error::NotCompleted`] for anything but `link_opened` while the payload still arrives;
    /// [`Error::EventLimitReached`].
    pub async fn add_event(
        &self,
        scope: &RequestScope,
        transfer: &Transfer,
        kind: ClientEventKind,
        proof: Option<&AccessProof>,
        grant: Option<&Grant>,
    ) -> Result<EventAdded, Error> {
        let id = transfer.transfer_id;
        let claimant = if let Some(grant) = grant {
            self.check_grant(scope, transfer, proof, grant).await?;
            Claimant::Grant(grant.digest())
        } else {
            self.check_proof(scope, transfer, proof)?;
            Claimant::Site(scope.asked().site_key)
        };
        let now = self.now();
        let state = transfer.state_at(now);
        let opened_early = state == State::Pending && kind == ClientEventKind::LinkOpened;
        if state.completed_at().is_none() && !opened_early {
            return Err(Error::NotCompleted);
        }
        let within_budget = loop {
            match self.0.claims.take(id, claimant, scope.asked().site_key, now) {
                Some(taken) => break taken,
                None => self.0.claims.learn(id, self.count_claims(id).await?, now),
            }
        };
        if !within_budget {
            self.0.audit.skip_event(id);
            return Err(Error::EventLimitReached);
        }
        let mut records = scope.records_of_change(now, CREATED, &[]);
        let event = scope.claim_record(now, kind.into());
        let added = EventAdded { id: event.id(), at: now };
        records.push(event);
        self.store().commit(Commit { records: keyed(id, &records), ..Commit::default() }).await?;
        scope.note_committed(CREATED);
        Ok(added)
    }

    /// A grant stands in for the proof; one that was never given, or has run out, is said to be so.
    async fn check_grant(
        &self,
        scope: &RequestScope,
        transfer: &Transfer,
        proof: Option<&AccessProof>,
        grant: &Grant,
    ) -> Result<(), Error> {
        match self.authorise(scope, transfer, proof, Some(grant), UnknownGrant::IsRefused).await {
            // The trail stays open when the transfer has ended: what happened can still be told.
            Ok(_) | Err(Error::TransferExpired | Error::TransferDeleted | Error::TransferExhausted) => Ok(()),
            Err(error) => Err(error),
        }
    }

    async fn count_claims(&self, id: TransferId) -> Result<u32, Error> {
        let prefix = StorageKey::transfer_records(id, RecordKind::Event);
        let (mut claims, mut after) = (0, None);
        loop {
            let page = self.store().list(&prefix, after.as_ref(), PAGE).await?;
            let of_client = |value: &[u8]| match serde_json::from_slice(value) {
                Ok(Record::Event(Event { source, .. })) => source == Source::Client,
                _ => false,
            };
            claims += u32::try_from(page.iter().filter(|(_, value)| of_client(value)).count()).unwrap_or(u32::MAX);
            if page.len() < PAGE || claims >= PER_TRANSFER {
                return Ok(claims);
            }
            after = page.into_iter().last().map(|(key, _)| key);
        }
    }
}
