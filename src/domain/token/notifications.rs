//! Change of a token's notifications.

use super::Token;
use super::service::Tokens;
use crate::domain::audit::{ChangeResult, RequestScope};
use crate::domain::error::Error;
use crate::domain::id::TokenId;
use crate::domain::store::{StorageKey, Swap, swap};
use crate::domain::wire::UpdateToken;

impl Tokens {
    /// Changes a token; absent members of the request stay as they are.
    ///
    /// # Errors
    /// [`Error::TokenNotFound`].
    pub async fn update(&self, scope: &RequestScope, id: TokenId, request: UpdateToken) -> Result<Token, Error> {
        let now = self.clock.now();
        scope.set_token(id);
        swap(
            &*self.store,
            &StorageKey::token(id),
            || Error::TokenNotFound,
            |mut token: Token| {
                if let Some(change) = request.notifications.clone() {
                    change.apply(&mut token.notifications);
                }
                Ok(Swap::write(token.clone(), scope.service_commit(now, ChangeResult::Done), token))
            },
        )
        .await
    }
}
