//! The scripts of owners of requests. Their guests run the scripts of senders.

use std::rc::Rc;

use super::clients::{Clients, SimulatedToken};
use super::judge::Subject;
use super::scripts::TRIES;
use super::store::at_once;
use crate::domain::audit::ActionName;
use crate::domain::crypto::guest_proof::GuestProof;
use crate::domain::crypto::request_secret::RequestSecret;
use crate::domain::error::Error;
use crate::domain::id::TokenId;
use crate::domain::store::{Records, StorageKey, from_json};
use crate::domain::token::Token;
use crate::domain::wire::CreateRequest;

impl Clients {
    /// Creates a request of a sender token, with a small quota; repeats the call with the same secret.
    pub(super) async fn create_request(self: Rc<Self>) {
        let Some(owner) = self.one_of_tokens(|token| token.guest.is_none()) else { return };
        let secret = RequestSecret::random();
        let digest = |id: TokenId| secret.token(id).secret_sha256();
        let request = CreateRequest {
            secret_sha256: digest(owner.id),
            expires_in_s: self.one_of(&[None, Some(120), Some(5_000)]).flatten(),
            max_transfers: (self.below(3) > 0).then(|| 1 + self.below(3)),
            max_total_bytes: (self.below(3) == 0).then(|| 6 + self.below(12)),
        };
        for _ in 0..TRIES {
            let subject = Subject { token: Some(owner.id), ..Subject::default() };
            let (world, text, body) = (self.world.clone(), owner.text.clone(), request.clone());
            let created = self.call(ActionName::RequestCreate, subject, async move |server, scope, subject| {
                let owner = server.tokens.authenticate(scope, &text).await?.sender()?;
                world.state().check_allowed(subject, false, server.number);
                let created = server.tokens.create_request(scope, &owner, &body).await?;
                let stored = at_once(world.memory.get(&StorageKey::token(owner.token_id)));
                let lists = |id| {
                    let found = stored.as_ref().ok().and_then(Option::as_ref)?;
                    from_json::<Token>("token", &found.value).ok().map(|owner| owner.requests.contains(&id))
                };
                let is_listed = lists(created.token_id) == Some(true);
                world.state().check(is_listed, || format!("the request {} is not listed", created.token_id));
                Ok(created.token_id)
            });
            match created.await {
                Ok(id) => {
                    let text = secret.token(id).to_text().as_str().into();
                    let guest = Some(GuestProof::random());
                    self.tokens.borrow_mut().push(SimulatedToken { id, text, guest });
                    return;
                }
                Err(failure) if failure.is_temporary() => {}
                Err(_) => return,
            }
        }
    }

    /// Revokes a request with the token of its owner.
    pub(super) async fn revoke_request(self: Rc<Self>) {
        let Some(SimulatedToken { id, .. }) = self.one_of_tokens(|token| token.guest.is_some()) else { return };
        let owner = self.world.state().model.tokens.get(&id).and_then(|token| token.owner);
        let Some(owner) = owner.and_then(|id| self.one_of_tokens(|token| token.id == id)) else { return };
        let subject = Subject { token: Some(owner.id), ..Subject::default() };
        let (world, text) = (self.world.clone(), owner.text);
        let revoked = self.call(ActionName::RequestRevoke, subject, async move |server, scope, subject| {
            let owner = server.tokens.authenticate(scope, &text).await?.sender()?;
            world.state().check_allowed(subject, false, server.number);
            world.state().model.tokens.entry(id).or_default().revocation_started = true;
            server.tokens.revoke_request(scope, &owner, id).await?;
            world.state().model.tokens.entry(id).or_default().revocation_acknowledged = true;
            Ok::<_, Error>(())
        });
        drop(revoked.await);
    }

    fn one_of_tokens(&self, is_chosen: impl Fn(&SimulatedToken) -> bool) -> Option<SimulatedToken> {
        let tokens: Vec<_> = self.tokens.borrow().iter().filter(|token| is_chosen(token)).cloned().collect();
        self.one_of(&tokens)
    }
}
