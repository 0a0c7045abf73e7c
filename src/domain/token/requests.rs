//! Requests: limited tokens with which guests upload to the token that created them.

use std::time::Duration;

use super::service::{Tokens, check_terms};
use super::{Quota, SecretDigest, Token, TokenStatus};
use crate::domain::audit::{ChangeResult, RequestScope};
use crate::domain::error::Error;
use crate::domain::id::TokenId;
use crate::domain::limits::DEFAULT_LIFETIME;
use crate::domain::notification::TokenTargets;
use crate::domain::store::{Commit, StorageKey, Swap, create, from_json, read, swap};
use crate::domain::timestamp::Timestamp;
use crate::domain::version::V1;
use crate::domain::wire::{CreateRequest, RequestItem};

/// Maximum number of active requests of one token.
///
/// Their ids are in the record of the token, which every request of its sender reads: about 4 KB.
pub const MAX_REQUESTS: usize = 200;

/// Name of every request in the list of tokens. The purpose of a request never reaches the server.
const NAME: &str = "request";

impl Tokens {
    /// Creates a request of the token `owner`. Idempotent: the secret of an existing request returns that request.
    ///
    /// # Errors
    /// [`Error::InvalidRequest`] with the name of the invalid member; [`Error::TooManyRequests`].
    pub async fn create_request(
        &self,
        scope: &RequestScope,
        owner: &Token,
        request: &CreateRequest,
    ) -> Result<RequestItem, Error> {
        check_terms(None, request.expires_in_s, request.max_transfers, request.max_total_bytes)?;
        let now = self.clock.now();
        let secret_sha256 = SecretDigest::from(request.secret_sha256);
        let existing = self.all_requests(owner).await?;
        if let Some(same) = existing.iter().find(|token| token.secret_sha256 == secret_sha256) {
            return Ok(RequestItem::of(same, owner, now));
        }
        let ended = existing.iter().filter(|token| token.status_at(now) != TokenStatus::Active);
        let ended: Vec<_> = ended.map(|token| token.token_id).collect();
        let token_id = TokenId::random();
        // The id first: a crash between the writes leaves an id without a request, never a request that nobody lists.
        let missing = || Error::TokenNotFound;
        swap(&*self.store, &StorageKey::token(owner.token_id), missing, |mut owner: Token| {
            if owner.requests.len() >= MAX_REQUESTS {
                owner.requests.retain(|id| !ended.contains(id));
            }
            if owner.requests.len() >= MAX_REQUESTS {
                return Err(Error::TooManyRequests);
            }
            owner.requests.push(token_id);
            Ok(Swap::write(owner, Commit::default(), ()))
        })
        .await?;
        let lifetime = request.expires_in_s.map_or(DEFAULT_LIFETIME, Duration::from_secs);
        let token = Token {
            v: V1,
            token_id,
            name: NAME.to_owned(),
            secret_sha256,
            created_at: now,
            expires_at: Some(now.plus(lifetime)),
            revoked_at: None,
            last_used_at: None,
            quota: Quota::new(request.max_transfers, request.max_total_bytes),
            notifications: TokenTargets::default(),
            owner: Some(owner.token_id),
            requests: Vec::new(),
        };
        let commit = scope.service_commit(now, ChangeResult::Created);
        create(&*self.store, StorageKey::token(token_id), &token, commit).await?;
        Ok(RequestItem::of(&token, owner, now))
    }

    /// Lists the requests of the token `owner`, newest first.
    ///
    /// Requests that have ended are listed until their place is needed for new ones.
    ///
    /// # Errors
    /// Errors of the store.
    pub async fn list_requests(&self, owner: &Token) -> Result<Vec<RequestItem>, Error> {
        let now = self.clock.now();
        let requests = self.all_requests(owner).await?;
        Ok(requests.iter().rev().map(|token| RequestItem::of(token, owner, now)).collect())
    }

    /// Revokes a request of the token `owner`; idempotent, with the same response each time.
    ///
    /// # Errors
    /// [`Error::RequestNotFound`] for a token that is not a request of `owner`.
    pub async fn revoke_request(&self, scope: &RequestScope, owner: &Token, id: TokenId) -> Result<RequestItem, Error> {
        let now = self.clock.now();
        let missing = || Error::RequestNotFound;
        let token = swap(&*self.store, &StorageKey::token(id), missing, |mut token: Token| {
            if token.owner != Some(owner.token_id) {
                return Err(Error::RequestNotFound);
            }
            if token.revoked_at.is_some() {
                return Ok(Swap::Keep(token));
            }
            token.revoked_at = Some(now);
            Ok(Swap::write(token.clone(), scope.service_commit(now, ChangeResult::Done), token))
        })
        .await?;
        Ok(RequestItem::of(&token, owner, now))
    }

    /// Reads the requests of a token, in the order of their creation.
    async fn all_requests(&self, owner: &Token) -> Result<Vec<Token>, Error> {
        // A request that another server created since the owner was read.
        let owner = read::<Token>(&*self.store, &StorageKey::token(owner.token_id)).await?;
        let owner = owner.ok_or(Error::TokenNotFound)?.value;
        let keys: Vec<_> = owner.requests.iter().copied().map(StorageKey::token).collect();
        let found = self.store.get_all(&keys).await?;
        let mut tokens = Vec::with_capacity(found.len());
        for (key, value) in found {
            tokens.push(from_json::<Token>(key.as_str(), &value)?);
        }
        let position = |token: &Token| owner.requests.iter().position(|id| *id == token.token_id);
        tokens.sort_by_key(position);
        Ok(tokens)
    }
}

impl RequestItem {
    /// Builds the item for the request `token` of `owner`, with its status at `now`.
    ///
    /// A request ends with the token of its owner.
    #[must_use]
    pub fn of(token: &Token, owner: &Token, now: Timestamp) -> Self {
        let status = match token.status_at(now) {
            TokenStatus::Active => owner.status_at(now),
            ended => ended,
        };
        let quota = &token.quota;
        Self {
            token_id: token.token_id,
            status,
            created_at: token.created_at,
            expires_at: token.expires_at.unwrap_or(token.created_at),
            max_transfers: quota.max_transfers,
            max_total_bytes: quota.max_total_bytes,
            transfers_created: quota.transfers_created(),
            bytes_held: quota.bytes_held(),
            last_used_at: token.last_used_at,
        }
    }
}
