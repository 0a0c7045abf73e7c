//! Authentication of sender tokens and requests.

use super::service::Tokens;
use super::{PlainToken, Token, TokenStatus};
use crate::domain::audit::RequestScope;
use crate::domain::error::{Error, chain};
use crate::domain::store::{Commit, StorageKey, Swap, read, swap};

/// Valid token of a request to the service.
#[derive(Clone, Debug)]
pub struct AuthenticatedToken {
    /// Record of the token.
    pub token: Token,
    /// Record of the owner's token, if the token is a request.
    pub owner: Option<Token>,
}

impl AuthenticatedToken {
    /// Returns the token of a sender.
    ///
    /// # Errors
    /// [`Error::NotForRequests`] for the token of a request.
    pub fn sender(self) -> Result<Token, Error> {
        if self.owner.is_some() { Err(Error::NotForRequests) } else { Ok(self.token) }
    }
}

impl Tokens {
    /// Authenticates the plain token `text`, and records the use of the token.
    ///
    /// A request is valid only as long as the token of its owner.
    ///
    /// # Errors
    /// [`Error::TokenInvalid`], [`Error::TokenRevoked`], [`Error::TokenExpired`].
    pub async fn authenticate(&self, scope: &RequestScope, text: &str) -> Result<AuthenticatedToken, Error> {
        let plain: PlainToken = text.parse().map_err(|_| Error::TokenInvalid)?;
        let key = StorageKey::token(plain.token_id());
        let found = read::<Token>(&*self.store, &key).await?.ok_or(Error::TokenInvalid)?;
        let now = self.clock.now();
        found.value.check(&plain, now)?;
        let owner = match found.value.owner {
            None => None,
            Some(id) => {
                let owner = read::<Token>(&*self.store, &StorageKey::token(id)).await?.ok_or(Error::TokenRevoked)?;
                match owner.value.status_at(now) {
                    TokenStatus::Active => Some(owner.value),
                    TokenStatus::Revoked => return Err(Error::TokenRevoked),
                    TokenStatus::Expired => return Err(Error::TokenExpired),
                }
            }
        };
        scope.set_token(found.value.token_id);
        let mut token = found.value;
        // Most requests need no write. The swap checks again, since another server may have recorded the use.
        if token.record_use(now) {
            // A failure to record the use is logged, but does not fail the request.
            let recorded = swap(
                &*self.store,
                &key,
                || Error::TokenNotFound,
                |mut token: Token| {
                    Ok(if token.record_use(now) { Swap::write(token, Commit::default(), ()) } else { Swap::Keep(()) })
                },
            );
            if let Err(error) = recorded.await {
                tracing::warn!(error = %chain(&error), "cannot record the use of a sender token");
            }
        }
        Ok(AuthenticatedToken { token, owner })
    }
}
