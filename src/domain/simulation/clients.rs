//! Clients: scripts of requests to any server, with retries like those of the command.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::rc::Rc;
use std::sync::Arc;

use tokio::sync::oneshot;

use super::executor::Spawner;
use super::judge::{Presented, Subject};
use super::server::SimulatedServer;
use super::world::World;
use crate::domain::audit::{ActionName, Outcome, RequestScope, ResponseInfo, WriteMode};
use crate::domain::crypto::digest::Sha256;
use crate::domain::crypto::guest_proof::GuestProof;
use crate::domain::crypto::key::PayloadKey;
use crate::domain::crypto::proof::AccessProof;
use crate::domain::crypto::random::seeded::SplitMix64;
use crate::domain::error::Error;
use crate::domain::id::{TokenId, TransferId};

/// Token of a sender.
#[derive(Clone)]
pub(super) struct SimulatedToken {
    pub(super) id: TokenId,
    pub(super) text: Rc<str>,
    /// Proof of all guests who have the token, if it is a request.
    pub(super) guest: Option<GuestProof>,
}

/// Reason why a client has no successful response.
#[derive(Debug)]
pub(super) enum NoResponse {
    /// The client knows no result: the connection broke, or the client did not wait.
    Lost,
    Rejected(Error),
}

impl NoResponse {
    /// Returns whether a client repeats the request.
    pub(super) fn is_temporary(&self) -> bool {
        matches!(self, Self::Lost | Self::Rejected(Error::StorageUnavailable(_) | Error::UploadInProgress))
    }
}

/// All clients of a schedule, with what they know.
pub(super) struct Clients {
    pub(super) world: Arc<World>,
    pub(super) servers: RefCell<Vec<Rc<SimulatedServer>>>,
    pub(super) spawner: Spawner,
    pub(super) random: RefCell<SplitMix64>,
    pub(super) tokens: RefCell<Vec<SimulatedToken>>,
    /// Grants that a server has acknowledged, as text.
    pub(super) grants: RefCell<Vec<(TransferId, String)>>,
    /// Access proofs of transfers, as text, by their digest.
    pub(super) proofs: RefCell<BTreeMap<String, String>>,
}

impl Clients {
    /// Returns a number below `end`.
    pub(super) fn below(&self, end: u64) -> u64 {
        self.random.borrow_mut().next() % end
    }

    pub(super) fn one_of<T: Clone>(&self, values: &[T]) -> Option<T> {
        let index = self.below(values.len().max(1) as u64);
        values.get(usize::try_from(index).expect("an index")).cloned()
    }

    /// Returns a transfer that exists; one of the latest is most likely.
    pub(super) fn transfer(&self) -> Option<TransferId> {
        let state = self.world.state();
        let existing = state.model.transfers.iter().filter(|(_, model)| !model.removed);
        let mut existing: Vec<_> = existing.map(|(id, model)| (model.last.created_at, *id)).collect();
        drop(state);
        existing.sort_unstable();
        let latest = &existing[existing.len().saturating_sub(2)..];
        let chosen = if self.below(4) == 0 { self.one_of(&existing) } else { self.one_of(latest) };
        chosen.map(|(_, id)| id)
    }

    /// Creates an access proof for a new transfer, and returns its digest.
    pub(super) fn new_proof(&self) -> Sha256 {
        let proof = AccessProof::of(&PayloadKey::random());
        self.proofs.borrow_mut().insert(proof.digest().to_string(), proof.to_text().to_string());
        proof.digest()
    }

    /// Chooses the access proof of a request: usually the right one, if the transfer requires any.
    pub(super) fn choose_proof(&self, id: TransferId) -> (Presented, Option<AccessProof>) {
        let digest = self.world.state().model.transfers.get(&id).and_then(|model| model.last.own_link.access_sha256);
        let Some(digest) = digest else { return (Presented::Unneeded, None) };
        match self.below(8) {
            0 => (Presented::Missing, None),
            1 => (Presented::Wrong, Some(AccessProof::of(&PayloadKey::random()))),
            _ => {
                let proofs = self.proofs.borrow();
                let text = proofs.get(&digest.to_string()).expect("each proof was created by a client");
                (Presented::Right, Some(text.parse().expect("the text of a proof")))
            }
        }
    }

    /// Returns the token that created a transfer.
    pub(super) fn token_of(&self, id: TransferId) -> Option<SimulatedToken> {
        let token_id = self.world.state().model.transfers.get(&id)?.last.token_id;
        self.known_token(token_id)
    }

    /// Returns the token that owns a transfer.
    pub(super) fn owner_of(&self, id: TransferId) -> Option<SimulatedToken> {
        let token_id = self.world.state().model.transfers.get(&id)?.last.owner();
        self.known_token(token_id)
    }

    fn known_token(&self, token_id: TokenId) -> Option<SimulatedToken> {
        self.tokens.borrow().iter().find(|token| token.id == token_id).cloned()
    }

    /// Sends a request to one of the servers.
    ///
    /// The request runs in its own task, which a client can't stop, but the crash of its server.
    pub(super) async fn call<T: 'static>(
        &self,
        action: ActionName,
        subject: Subject,
        request: impl AsyncFnOnce(&SimulatedServer, &RequestScope, &Subject) -> Result<T, Error> + 'static,
    ) -> Result<T, NoResponse> {
        let server = self.one_of(&self.servers.borrow()).expect("a server");
        let world = self.world.clone();
        let number = server.number;
        let (sender, response) = oneshot::channel();
        let task = Box::pin(async move {
            let scope = server.scope(action);
            let subject = world.state().start(subject, number);
            let id = scope.request().request_id;
            world.note(|| format!("server {number}: {action:?} {subject:?} is request {id}"));
            let result = request(&server, &scope, &subject).await;
            {
                let mut state = world.state();
                state.mix(&result.as_ref().err().map(Error::code));
                let text = || format!("server {number}: request {id}: {:?}", result.as_ref().map(drop));
                state.note(text);
                let shares_records = world.plan.audit == WriteMode::Batched && action == ActionName::PayloadUpload;
                state.respond(&scope, result.is_ok(), number, shares_records);
                if let Err(error) = &result {
                    state.check_reason(&world.memory, &subject, error);
                }
            }
            let (status, outcome, code) = match &result {
                Ok(_) => (200, Outcome::Done, None),
                Err(error) => (500, Outcome::Failed, Some(error.code())),
            };
            server.audit.finish(&scope, ResponseInfo { status, outcome, code, bytes_out: 0 }).await;
            drop(sender.send(result));
        });
        self.spawner.borrow_mut().push((Some(number), task));
        if self.below(1_000) < self.world.state().rates.lost_responses {
            self.world.state().counts.lost_responses += 1;
            return Err(NoResponse::Lost);
        }
        response.await.map_err(|_| NoResponse::Lost)?.map_err(NoResponse::Rejected)
    }
}

/// Content of a transfer's payload, which its id determines.
pub(super) fn content(id: TransferId, size: u64) -> Vec<u8> {
    let digest = Sha256::of(id.to_string().as_bytes()).to_string().into_bytes();
    digest[..usize::try_from(size).expect("a small size")].to_vec()
}
