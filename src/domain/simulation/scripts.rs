//! The scripts of senders.

use std::rc::Rc;

use bytes::Bytes;
use futures_util::stream;

use super::clients::{Clients, NoResponse, SimulatedToken, content};
use super::judge::Subject;
use super::store::at_once;
use super::world::World;
use crate::domain::audit::ActionName;
use crate::domain::error::Error;
use crate::domain::id::TransferId;
use crate::domain::people::recipient_keys::KeysBlob;
use crate::domain::store::{Payloads, Records, StorageKey};
use crate::domain::token::AuthenticatedToken;
use crate::domain::transfer::{Guest, Status};
use crate::domain::transfers::{BodyError, PayloadChunk};
use crate::domain::wire::{CompleteUpload, CreateToken, CreateTransfer, OwnLinkChoice, UploadInstruction};

/// Number of tries of a request.
pub(super) const TRIES: usize = 3;

/// Returns the body of the completion of a transfer: every second one has keys for recipients.
pub(super) fn completion(id: TransferId) -> CompleteUpload {
    let file = format!("age-encryption.org/v1\nfor {id}");
    let keys = KeysBlob::from_bytes(file.as_bytes()).ok().filter(|_| id.to_string().as_bytes()[0].is_multiple_of(2));
    CompleteUpload { keys, ..CompleteUpload::default() }
}

/// Counts an upload request in progress.
///
/// A drop before its regular end stands for a crash or a failed store.
struct UploadGuard {
    world: std::sync::Arc<World>,
    id: TransferId,
    has_ended: bool,
}

impl UploadGuard {
    fn start(world: &std::sync::Arc<World>, id: TransferId) -> Self {
        if let Some(model) = world.state().model.transfers.get_mut(&id) {
            model.uploads_in_progress += 1;
        }
        Self { world: world.clone(), id, has_ended: false }
    }
}

impl Drop for UploadGuard {
    fn drop(&mut self) {
        if let Some(model) = self.world.state().model.transfers.get_mut(&self.id) {
            model.uploads_in_progress -= 1;
            model.upload_interrupted |= !self.has_ended;
        }
    }
}

impl Clients {
    /// Creates a token, with a small quota or none, and with a short lifetime or none.
    pub(super) async fn create_token(self: Rc<Self>) {
        let max_transfers = (self.below(2) == 0).then(|| 2 + self.below(4));
        let max_total_bytes = (self.below(2) == 0).then(|| 6 + self.below(20));
        let expires_in_s = self.one_of(&[None, None, Some(120), Some(5_000)]).flatten();
        let request =
            CreateToken { name: "press".to_owned(), expires_in_s, max_transfers, max_total_bytes, notifications: None };
        for _ in 0..TRIES {
            let (world, request) = (self.world.clone(), request.clone());
            let created = self.call(ActionName::TokenCreate, Subject::default(), async move |server, scope, _| {
                let (token, plain) = server.tokens.create(scope, request).await?;
                let is_stored = at_once(world.memory.get(&StorageKey::token(token.token_id)));
                let is_stored = matches!(is_stored, Ok(Some(_)));
                world.state().check(is_stored, || format!("the acknowledged token {} is lost", token.token_id));
                Ok(SimulatedToken { id: token.token_id, text: plain.to_text().as_str().into(), guest: None })
            });
            if let Ok(token) = created.await {
                self.tokens.borrow_mut().push(token);
                return;
            }
        }
    }

    /// Revokes a token.
    pub(super) async fn revoke_token(self: Rc<Self>) {
        let token = self.one_of(&self.tokens.borrow());
        let Some(SimulatedToken { id, .. }) = token else { return };
        let world = self.world.clone();
        let revoked = self.call(ActionName::TokenRevoke, Subject::default(), async move |server, scope, _| {
            world.state().model.tokens.entry(id).or_default().revocation_started = true;
            server.tokens.revoke(scope, id).await?;
            world.state().model.tokens.entry(id).or_default().revocation_acknowledged = true;
            Ok(())
        });
        drop(revoked.await);
    }

    /// Creates a transfer; repeats the request with the same idempotency key.
    pub(super) async fn create_transfer(self: Rc<Self>) -> Option<TransferId> {
        let token = self.one_of(&self.tokens.borrow())?;
        let idempotency_key = (self.below(4) > 0).then(|| format!("{:064x}", self.below(u64::MAX)));
        let request = CreateTransfer {
            own_link: if token.guest.is_none() && self.below(6) == 0 {
                OwnLinkChoice::Closed
            } else {
                OwnLinkChoice::Open
            },
            size_bytes: 3 + self.below(7),
            expires_in_s: Some(self.one_of(&[60, 1_800, 7_200, 200_000]).expect("a lifetime")),
            max_downloads: self.one_of(&[None, Some(1), Some(2), Some(3)]).flatten().filter(|_| token.guest.is_none()),
            access_sha256: (self.below(2) == 0).then(|| self.new_proof()),
            access_from_passphrase: self.below(2) == 0,
            idempotency_key,
            notify: None,
        };
        let mut acknowledged = None;
        for _ in 0..TRIES {
            let subject = Subject { token: Some(token.id), size: request.size_bytes, ..Subject::default() };
            let (world, sender, body) = (self.world.clone(), token.clone(), request.clone());
            let created = self.call(ActionName::TransferCreate, subject, async move |server, scope, subject| {
                let AuthenticatedToken { token, owner } = server.tokens.authenticate(scope, &sender.text).await?;
                world.state().check_allowed(subject, false, server.number);
                let new = match (&owner, &sender.guest) {
                    (Some(owner), Some(proof)) => {
                        let guest = Guest { owner, proof_sha256: proof.digest() };
                        server.transfers.create_as_guest(scope, &token, guest, &body).await?
                    }
                    _ => server.transfers.create(scope, &token, &body).await?,
                };
                let mut state = world.state();
                let id = new.transfer.transfer_id;
                let model = state.model.transfers.get_mut(&id);
                if let (Some(model), UploadInstruction::Single { url_expires_at, .. }) = (model, &new.upload) {
                    model.url_expires_at = model.url_expires_at.max(Some(*url_expires_at));
                }
                let exists = state.model.transfers.contains_key(&id);
                state.check(exists, || format!("the acknowledged transfer {id} does not exist"));
                Ok(id)
            });
            match created.await {
                Ok(id) => {
                    let first = *acknowledged.get_or_insert(id);
                    let is_same = first == id || request.idempotency_key.is_none();
                    self.world.state().check(is_same, || format!("a repeated request created {id} beside {first}"));
                    // Now and then, a client repeats a request although it has the response.
                    if self.below(8) > 0 {
                        return Some(id);
                    }
                }
                Err(failure) if failure.is_temporary() => {}
                Err(_) => return acknowledged,
            }
        }
        acknowledged
    }

    /// Uploads the payload of a transfer through the service, in one or more requests.
    pub(super) async fn upload(self: Rc<Self>, id: TransferId) {
        let Some(token) = self.token_of(id) else { return };
        let mut offset = 0;
        for _ in 0..TRIES {
            let mode = self.below(4);
            let subject =
                Subject { transfer: Some(id), token: Some(token.id), body_ends_early: mode == 0, ..Subject::default() };
            let (world, text, proof) = (self.world.clone(), token.text.clone(), token.guest.clone());
            let uploaded = self.call(ActionName::PayloadUpload, subject, async move |server, scope, subject| {
                let AuthenticatedToken { token, .. } = server.tokens.authenticate(scope, &text).await?;
                world.state().check_allowed(subject, false, server.number);
                let transfer = server.transfers.find(scope, id).await?;
                transfer.check_uploader(token.token_id, proof.as_ref())?;
                let all = content(id, transfer.size_bytes);
                let rest = &all[usize::try_from(offset).expect("a small offset").min(all.len())..];
                let (first, second) = rest.split_at(rest.len() / 2);
                let piece = |bytes: &[u8]| Ok(Bytes::copy_from_slice(bytes));
                let body = match mode {
                    0 => vec![piece(first), Err(BodyError::ConnectionLost)],
                    1 => vec![piece(first)],
                    _ => vec![piece(first), piece(second)],
                };
                let mut guard = UploadGuard::start(&world, id);
                let chunk = PayloadChunk { offset, length: None, body: stream::iter(body) };
                let received = server.transfers.upload(scope, &transfer, chunk).await;
                guard.has_ended = !matches!(received, Err(Error::StorageUnavailable(_) | Error::ServerBusy { .. }));
                drop(guard);
                let received = received?.received_bytes;
                let mut state = world.state();
                let step = state.counts.steps;
                if let Some(model) = state.model.transfers.get_mut(&id)
                    && received == model.last.size_bytes
                {
                    model.upload_acknowledged.get_or_insert(step);
                }
                Ok((received, received == transfer.size_bytes))
            });
            match uploaded.await {
                Ok((_, true)) => return,
                Ok((received, false)) => offset = received,
                Err(NoResponse::Rejected(Error::OffsetMismatch { received_bytes })) => {
                    offset = received_bytes;
                }
                Err(_) => match self.clone().progress(id).await {
                    Some(received) => offset = received,
                    None => return,
                },
            }
        }
    }

    /// Asks for the progress of an upload.
    async fn progress(self: Rc<Self>, id: TransferId) -> Option<u64> {
        let subject = Subject { transfer: Some(id), ..Subject::default() };
        let status = self.call(ActionName::UploadStatus, subject, async move |server, scope, _| {
            let transfer = server.transfers.find(scope, id).await?;
            Ok(server.transfers.upload_status(&transfer).await?.received_bytes)
        });
        status.await.ok()
    }

    /// Uploads the payload of a transfer directly to the store, if a presigned URL is valid.
    pub(super) fn upload_presigned(&self, id: TransferId) {
        let mut state = self.world.state();
        let (now, step) = (state.now, state.counts.steps);
        let Some(model) = state.model.transfers.get_mut(&id) else { return };
        let memory = &self.world.memory;
        let payload = model.last.payload_id();
        let is_free = at_once(memory.received(payload)).is_ok_and(|received| received == 0);
        if is_free && model.url_expires_at.is_some_and(|until| now < until) {
            let bytes = content(id, model.last.size_bytes).into();
            let written = at_once(async {
                let mut writer = memory.writer(payload, 0).await?;
                writer.write(bytes).await?;
                writer.close().await
            });
            if written.is_ok() && model.last.state.status() == Status::Pending {
                model.upload_acknowledged.get_or_insert(step);
            }
            state.note(|| format!("  client: presigned upload of {id}: {written:?}"));
        }
    }

    /// Completes an upload.
    pub(super) async fn complete(self: Rc<Self>, id: TransferId) {
        let Some(token) = self.token_of(id) else { return };
        for _ in 0..TRIES {
            let subject = Subject { transfer: Some(id), token: Some(token.id), ..Subject::default() };
            let (world, text) = (self.world.clone(), token.text.clone());
            let completed = self.call(ActionName::UploadComplete, subject, async move |server, scope, subject| {
                server.tokens.authenticate(scope, &text).await?;
                world.state().check_allowed(subject, false, server.number);
                let transfer = server.transfers.find(scope, id).await?;
                server.transfers.complete(scope, transfer, &completion(id)).await?;
                let mut state = world.state();
                let step = state.counts.steps;
                if let Some(model) = state.model.transfers.get_mut(&id) {
                    model.completion_acknowledged.get_or_insert(step);
                    let is_completed = model.last.state.completed_at().is_some();
                    state.check(is_completed, || format!("the acknowledged completion of {id} is lost"));
                }
                Ok(())
            });
            match completed.await {
                Err(failure) if failure.is_temporary() => {}
                _ => return,
            }
        }
    }

    /// Deletes a transfer.
    pub(super) async fn delete(self: Rc<Self>, id: TransferId) {
        for _ in 0..TRIES {
            let subject = Subject { transfer: Some(id), ..Subject::default() };
            let world = self.world.clone();
            let deleted = self.call(ActionName::TransferDelete, subject, async move |server, scope, _| {
                server.transfers.find(scope, id).await?;
                if let Some(model) = world.state().model.transfers.get_mut(&id) {
                    model.deletion_started = true;
                }
                server.transfers.delete(scope, id).await?;
                world.state().acknowledge_deletion(&world.memory, id);
                Ok(())
            });
            match deleted.await {
                Err(failure) if failure.is_temporary() => {}
                _ => return,
            }
        }
    }
}
