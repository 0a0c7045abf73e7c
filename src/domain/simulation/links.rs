//! Links: the scripts of their senders and recipients, and the invariants of their writes.

use std::collections::BTreeSet;
use std::rc::Rc;

use super::clients::Clients;
use super::judge::{Presented, Subject};
use super::scripts::TRIES;
use super::world::{MAX_SKEW, WorldState};
use crate::domain::audit::{ActionName, EventKind};
use crate::domain::crypto::digest::Sha256;
use crate::domain::crypto::link_text::{WRAPPED_KEY_BYTES, WrappedKey};
use crate::domain::crypto::proof::Grant;
use crate::domain::error::Error;
use crate::domain::id::{LinkId, TransferId};
use crate::domain::stats::CounterDelta;
use crate::domain::timestamp::Timestamp;
use crate::domain::transfer::{FurtherLink, LinkState, Transfer};
use crate::domain::wire::{CreateLink, UpdateLink};

/// Further link as last written, and what clients were told about it.
#[derive(Debug)]
pub(super) struct LinkModel {
    pub(super) last: FurtherLink,
    /// Grants of acknowledged downloads.
    pub(super) acknowledged: BTreeSet<Sha256>,
    /// Whether a request to close the link has started.
    pub(super) close_started: bool,
    /// Earliest expiry time that the link ever had.
    pub(super) first_expiry: Timestamp,
    pub(super) removed: bool,
}

impl Clients {
    /// Returns a further link of a transfer.
    fn link_of(&self, id: TransferId) -> Option<LinkId> {
        let state = self.world.state();
        let links = state.model.links.iter().filter(|(_, link)| link.last.transfer_id == id && !link.removed);
        let links: Vec<_> = links.map(|(id, _)| *id).collect();
        drop(state);
        self.one_of(&links)
    }

    /// Creates a further link; repeats the request with the same body.
    pub(super) async fn create_link(self: Rc<Self>, id: TransferId) {
        let Some(token) = self.owner_of(id) else { return };
        let request = CreateLink {
            link_id: LinkId::random(),
            wrapped_key: WrappedKey::from_bytes(&[7; WRAPPED_KEY_BYTES]),
            access_sha256: self.new_proof(),
            access_from_passphrase: false,
            label: None,
            expires_in_s: self.one_of(&[60, 1_800, 7_200, 200_000]),
            max_downloads: self.one_of(&[None, Some(1), Some(2), Some(3)]).flatten(),
        };
        for _ in 0..TRIES {
            let subject = Subject { transfer: Some(id), token: Some(token.id), ..Subject::default() };
            let (world, text, body) = (self.world.clone(), token.text.clone(), request.clone());
            let created = self.call(ActionName::LinkCreate, subject, async move |server, scope, subject| {
                server.tokens.authenticate(scope, &text).await?.sender()?;
                world.state().check_allowed(subject, false, server.number);
                let transfer = server.transfers.find(scope, id).await?;
                server.transfers.create_link(scope, transfer, &body).await?;
                let mut state = world.state();
                let exists = state.model.links.contains_key(&body.link_id);
                state.check(exists, || format!("the acknowledged link {} does not exist", body.link_id));
                Ok(())
            });
            match created.await {
                Err(failure) if failure.is_temporary() => {}
                _ => return,
            }
        }
    }

    /// Changes expiry and limit of a link, or closes it: the own link, or a further one.
    pub(super) async fn change_link(self: Rc<Self>, id: TransferId) {
        let further = if self.below(3) > 0 { self.link_of(id) } else { None };
        let (link_id, closes) = (further.unwrap_or_else(|| id.into()), self.below(4) == 0);
        let request = UpdateLink {
            expires_in_s: self.one_of(&[None, Some(60), Some(3_600), Some(100_000)]).flatten(),
            max_downloads: self.one_of(&[None, Some(None), Some(Some(1)), Some(Some(2)), Some(Some(4))]).flatten(),
        };
        let subject = Subject { transfer: Some(id), link: further, ..Subject::default() };
        let world = self.world.clone();
        let action = if closes { ActionName::LinkRevoke } else { ActionName::LinkUpdate };
        let changed = self.call(action, subject, async move |server, scope, _| {
            let transfer = server.transfers.find(scope, id).await?;
            let link = server.transfers.link_of(scope, transfer, link_id).await?;
            if !closes {
                return server.transfers.update_link(scope, link, &request).await.map(drop);
            }
            world.state().start_closing(id, link_id);
            let revoked = server.transfers.revoke_link(scope, link).await?;
            let is_usable = revoked.at(server.transfers.now()).status().is_usable();
            world.state().check(!is_usable, || format!("the closed link {link_id} can be used"));
            Ok(())
        });
        drop(changed.await);
    }

    /// Starts a download under a further link, with a grant that the client keeps.
    pub(super) async fn download_link(self: Rc<Self>, id: TransferId) {
        let Some(link_id) = self.link_of(id) else { return };
        let digest = self.world.state().model.links.get(&link_id).map(|link| link.last.link.access_sha256);
        let proof = digest.flatten().and_then(|digest| self.proofs.borrow().get(&digest.to_string()).cloned());
        let Some(proof) = proof else { return };
        let grant = Grant::random().to_text().to_string();
        for _ in 0..TRIES {
            let (world, grant) = (self.world.clone(), grant.parse::<Grant>().expect("the text of a grant"));
            let presented = if self.below(8) == 0 { Presented::Missing } else { Presented::Right };
            let proof = (presented == Presented::Right).then(|| proof.parse().expect("the text of a proof"));
            let subject = Subject {
                transfer: Some(id),
                link: Some(link_id),
                grant: Some(grant.digest()),
                proof: presented,
                ..Subject::default()
            };
            let created = self.call(ActionName::DownloadGrant, subject, async move |server, scope, subject| {
                let link = server.transfers.find_link(scope, link_id).await?;
                let digest = grant.digest();
                server.transfers.create_download(scope, &link, proof.as_ref(), Some(grant)).await?;
                let mut state = world.state();
                state.check_authorised(subject);
                state.check_allowed(subject, true, server.number);
                state.check_link_granted(link_id, digest);
                Ok(())
            });
            match created.await {
                Err(failure) if failure.is_temporary() => {}
                _ => return,
            }
        }
    }
}

impl WorldState {
    fn start_closing(&mut self, id: TransferId, link_id: LinkId) {
        if let Some(link) = self.model.links.get_mut(&link_id) {
            link.close_started = true;
        } else if let Some(transfer) = self.model.transfers.get_mut(&id) {
            transfer.close_started = true;
        }
    }

    /// Checks that all acknowledged downloads of a limited link are counted.
    fn check_link_granted(&mut self, id: LinkId, digest: Sha256) {
        let Some(model) = self.model.links.get_mut(&id) else { return };
        model.acknowledged.insert(digest);
        let is_settled = model.last.link.counts_itself();
        let (acknowledged, counted) = (model.acknowledged.len() as u64, model.last.link.download_count());
        self.check(!is_settled || acknowledged <= counted, || {
            format!("link {id} has {acknowledged} acknowledged downloads, and counts {counted}")
        });
    }

    /// Checks a write of a further link, and returns the events and counters that belong to it.
    pub(super) fn observe_link(
        &mut self,
        before: Option<&FurtherLink>,
        after: FurtherLink,
        observed: &[EventKind],
        delta: &mut CounterDelta,
    ) -> Vec<EventKind> {
        let id = after.link_id;
        let Some(before) = before else {
            // The sweeper closes an id without an object.
            let closed = !after.link.state.is_open();
            let first_expiry = after.link.expires_at;
            let acknowledged = BTreeSet::new();
            let model = LinkModel { last: after, acknowledged, close_started: closed, first_expiry, removed: false };
            self.model.links.insert(id, model);
            return if closed { Vec::new() } else { vec![EventKind::LinkCreated] };
        };
        let mut events = Vec::new();
        let terms = |link: &FurtherLink| (link.transfer_id, link.created_at, link.link.access_sha256);
        self.check(terms(before) == terms(&after), || format!("the terms of link {id} have changed"));
        let (written, before, after) = (after.clone(), &before.link, &after.link);
        let is_changed = (before.expires_at, before.max_downloads) != (after.expires_at, after.max_downloads);
        if observed.first() == Some(&EventKind::LinkUpdated) {
            events.push(EventKind::LinkUpdated);
        }
        self.check(!is_changed || !events.is_empty(), || format!("link {id} has changed without an event"));
        let gathers = before.limit_history.ungathered && !after.limit_history.ungathered && !is_changed;
        if !gathers {
            self.check(after.grants.starts_with(&before.grants), || format!("a grant of link {id} is lost"));
            if after.grants.len() > before.grants.len() {
                delta.downloads = 1;
                events.push(EventKind::DownloadGranted);
            }
        }
        let is_over = after.grants.len() > before.grants.len()
            && after.max_downloads.is_some_and(|limit| after.download_count() > u64::from(limit));
        self.check(gathers || !is_over, || format!("link {id} has more downloads than its limit"));
        match (before.state, after.state) {
            (from, to) if from == to => {}
            (LinkState::Open, LinkState::Expired { .. }) => events.push(EventKind::LinkExpired),
            (LinkState::Open, LinkState::Exhausted { .. }) => events.push(EventKind::LinkExhausted),
            (LinkState::Open, LinkState::Closed { .. }) => events.push(EventKind::LinkRevoked),
            (from, to) => self.violate(|| format!("link {id} has changed from {from:?} to {to:?}")),
        }
        let ended_before = !before.state.is_open();
        let changed = is_changed || after.grants.len() > before.grants.len();
        self.check(!(ended_before && changed), || format!("the ended link {id} has changed"));
        if let Some(model) = self.model.links.get_mut(&id) {
            model.first_expiry = model.first_expiry.min(after.expires_at);
            model.last = written;
        }
        events
    }

    /// Returns until when the links of a transfer keep it, by a clock that shows `now`. `None` if they don't.
    pub(super) fn links_needed_until(&self, transfer: &Transfer, now: Timestamp) -> Option<Timestamp> {
        let links = transfer.links.iter().filter_map(|id| self.model.links.get(id));
        let records = links.map(|link| &link.last.link).chain([&transfer.own_link]);
        records.filter_map(|link| link.needed_until(link.state_at(now), now)).max()
    }

    /// Returns whether a link justifies an error of a request under it. `None` if the error does not concern the link.
    pub(super) fn link_justifies(&self, id: LinkId, error: &Error) -> Option<bool> {
        let latest_clock = self.now.plus(MAX_SKEW * 3);
        let Some(link) = self.model.links.get(&id) else {
            return matches!(error, Error::TransferNotFound | Error::LinkNotFound).then_some(true);
        };
        match error {
            Error::TransferNotFound | Error::LinkNotFound => Some(link.removed),
            Error::LinkClosed => Some(link.close_started),
            Error::TransferExpired if link.first_expiry <= latest_clock => Some(true),
            Error::TransferExhausted if matches!(link.last.link.state, LinkState::Exhausted { .. }) => Some(true),
            Error::GrantExpired | Error::GrantInvalid => Some(link.first_expiry <= latest_clock),
            _ => None,
        }
    }
}
