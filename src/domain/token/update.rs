//! Changes of a token: name, expiry and limits.

use std::time::Duration;

use super::Token;
use super::service::{Tokens, check_terms};
use crate::domain::audit::{ChangeResult, RequestScope};
use crate::domain::error::Error;
use crate::domain::id::TokenId;
use crate::domain::store::{StorageKey, Swap, swap};
use crate::domain::timestamp::Timestamp;
use crate::domain::wire::{TokenItem, UpdateToken};

impl Token {
    /// Applies changes at `now`; returns whether the token is different.
    ///
    /// The use of the token stays, so that a new limit counts what exists.
    pub fn update(&mut self, update: &UpdateToken, now: Timestamp) -> bool {
        let before = self.clone();
        if let Some(name) = &update.name {
            self.name.clone_from(name);
        }
        if let Some(expires_in_s) = update.expires_in_s {
            self.expires_at = expires_in_s.map(|seconds| now.plus(Duration::from_secs(seconds)));
        }
        if let Some(max_transfers) = update.max_transfers {
            self.quota.max_transfers = max_transfers;
        }
        if let Some(max_total_bytes) = update.max_total_bytes {
            self.quota.max_total_bytes = max_total_bytes;
        }
        if let Some(change) = &update.notifications {
            change.clone().apply(&mut self.notifications);
        }
        *self != before
    }
}

impl Tokens {
    /// Changes a token. A revoked token stays revoked; an expired one is usable again with a later expiry.
    ///
    /// # Errors
    /// [`Error::TokenNotFound`]; [`Error::InvalidRequest`] with the name of the invalid member.
    pub async fn update(&self, scope: &RequestScope, id: TokenId, update: UpdateToken) -> Result<TokenItem, Error> {
        let UpdateToken { name, expires_in_s, max_transfers, max_total_bytes, .. } = &update;
        check_terms(name.as_deref(), expires_in_s.flatten(), max_transfers.flatten(), max_total_bytes.flatten())?;
        let now = self.clock.now();
        scope.set_token(id);
        let missing = || Error::TokenNotFound;
        let token = swap(&*self.store, &StorageKey::token(id), missing, |mut token: Token| {
            if !token.update(&update, now) {
                return Ok(Swap::Keep(token));
            }
            Ok(Swap::write(token.clone(), scope.service_commit(now, ChangeResult::Done), token))
        })
        .await?;
        Ok(TokenItem::of(&token, now))
    }
}
