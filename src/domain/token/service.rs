//! Operations on sender tokens: create, list, revoke and count.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::Mutex;

use super::{PlainToken, Quota, Token, TokenStatus, check_name};
use crate::domain::audit::{ChangeResult, RequestScope};
use crate::domain::clock::Clock;
use crate::domain::error::Error;
use crate::domain::id::TokenId;
use crate::domain::limits::page_size;
use crate::domain::store::{Listed, StorageKey, Store, Swap, create, list, read, swap};
use crate::domain::version::V1;
use crate::domain::wire::{CreateToken, Page, SetNotifications, TokenCounts, TokenItem};

/// Maximum lifetime of a token with an expiry time: 36 500 days.
///
/// Tokens without `expires_in_s` never expire.
const MAX_LIFETIME: Duration = Duration::from_hours(24 * 36_500);

/// Maximum quota: the largest integer that every JSON parser reads exactly.
const MAX_QUOTA: u64 = (1 << 53) - 1;

/// Checks the terms of a new or changed token.
///
/// # Errors
/// [`Error::InvalidRequest`] with the name of the invalid member.
pub(super) fn check_terms(
    name: Option<&str>,
    expires_in_s: Option<u64>,
    max_transfers: Option<u64>,
    max_total_bytes: Option<u64>,
) -> Result<(), Error> {
    if let Some(name) = name {
        check_name(name).map_err(|error| Error::InvalidRequest(format!("name {error}")))?;
    }
    if expires_in_s.is_some_and(|seconds| !(1..=MAX_LIFETIME.as_secs()).contains(&seconds)) {
        let text = format!("expires_in_s must be between 1 and {}", MAX_LIFETIME.as_secs());
        return Err(Error::InvalidRequest(text));
    }
    let limits = [("max_transfers", max_transfers), ("max_total_bytes", max_total_bytes)];
    let out_of_range = |limit: Option<u64>| limit.is_some_and(|limit| !(1..=MAX_QUOTA).contains(&limit));
    if let Some((member, _)) = limits.iter().find(|(_, limit)| out_of_range(*limit)) {
        return Err(Error::InvalidRequest(format!("{member} must be between 1 and {MAX_QUOTA}")));
    }
    Ok(())
}

/// Sender tokens of a store.
#[derive(Clone)]
pub struct Tokens {
    pub(super) store: Arc<dyn Store>,
    pub(super) clock: Arc<dyn Clock>,
    count: Arc<Mutex<Count>>,
}

/// Count of all tokens, by page: each call reads the next one.
#[derive(Default)]
struct Count {
    /// Counts of the tokens up to the key `after`.
    counts: TokenCounts,
    after: Option<StorageKey>,
    /// Counts of the last complete round.
    complete: Option<TokenCounts>,
}

impl Tokens {
    /// Creates the service over the tokens of `store`.
    #[must_use]
    pub fn new(store: Arc<dyn Store>, clock: Arc<dyn Clock>) -> Self {
        Self { store, clock, count: Arc::default() }
    }

    /// Creates a token and returns its plain form, the only copy of its secret.
    ///
    /// # Errors
    /// [`Error::InvalidRequest`] with the name of the invalid member.
    pub async fn create(&self, scope: &RequestScope, request: CreateToken) -> Result<(Token, PlainToken), Error> {
        check_terms(Some(&request.name), request.expires_in_s, request.max_transfers, request.max_total_bytes)?;
        let now = self.clock.now();
        let plain = PlainToken::random();
        let token = Token {
            v: V1,
            token_id: plain.token_id(),
            name: request.name,
            secret_sha256: plain.secret_digest(),
            created_at: now,
            expires_at: request.expires_in_s.map(|seconds| now.plus(Duration::from_secs(seconds))),
            revoked_at: None,
            last_used_at: None,
            quota: Quota::new(request.max_transfers, request.max_total_bytes),
            notifications: request.notifications.map(SetNotifications::targets).unwrap_or_default(),
            owner: None,
            requests: Vec::new(),
        };
        scope.set_token(token.token_id);
        let key = StorageKey::token(token.token_id);
        create(&*self.store, key, &token, scope.service_commit(now, ChangeResult::Created)).await?;
        Ok((token, plain))
    }

    /// Reads a token.
    ///
    /// # Errors
    /// [`Error::TokenNotFound`].
    pub async fn find(&self, id: TokenId) -> Result<Token, Error> {
        let found = read::<Token>(&*self.store, &StorageKey::token(id)).await?;
        found.map(|found| found.value).ok_or(Error::TokenNotFound)
    }

    /// Lists a page of tokens in the order of their random ids.
    ///
    /// # Errors
    /// [`Error::InvalidRequest`] for a page size outside 1 to 1 000.
    pub async fn list(&self, after: Option<TokenId>, limit: Option<u32>) -> Result<Page<TokenItem>, Error> {
        let now = self.clock.now();
        let tokens = self.after(after.map(StorageKey::token), page_size(limit)?).await?;
        Ok(Page::of(tokens.try_map(|token| Ok::<_, Error>(TokenItem::of(&token, now)))?))
    }

    async fn after(&self, after: Option<StorageKey>, limit: usize) -> Result<Listed<Token>, Error> {
        Ok(list(&*self.store, &StorageKey::tokens(), after.as_ref(), limit).await?)
    }

    /// Revokes a token; idempotent, with the same response each time.
    ///
    /// # Errors
    /// [`Error::TokenNotFound`].
    pub async fn revoke(&self, scope: &RequestScope, id: TokenId) -> Result<TokenItem, Error> {
        let now = self.clock.now();
        scope.set_token(id);
        let key = StorageKey::token(id);
        let token = swap(
            &*self.store,
            &key,
            || Error::TokenNotFound,
            |mut token: Token| {
                if token.revoked_at.is_some() {
                    return Ok(Swap::Keep(token));
                }
                token.revoked_at = Some(now);
                Ok(Swap::write(token.clone(), scope.service_commit(now, ChangeResult::Done), token))
            },
        )
        .await?;
        Ok(TokenItem::of(&token, now))
    }

    /// Counts tokens other than requests by status. Reads at most one page of tokens, whatever their number.
    ///
    /// Further pages are read by the next calls. Meanwhile, the result is that of the last complete count; before there
    /// is one, it is partial.
    pub async fn count(&self) -> Result<TokenCounts, Error> {
        const PAGE_SIZE: usize = 1_000;
        let now = self.clock.now();
        let mut count = self.count.lock().await;
        let page = self.after(count.after.clone(), PAGE_SIZE).await?;
        let mut counts = if count.after.is_some() { count.counts } else { TokenCounts::default() };
        for token in page.items.iter().filter(|token| token.owner.is_none()) {
            match token.status_at(now) {
                TokenStatus::Active => counts.active += 1,
                TokenStatus::Revoked => counts.revoked += 1,
                TokenStatus::Expired => counts.expired += 1,
            }
        }
        *count = Count { counts, after: page.next, complete: count.complete };
        if count.after.is_none() {
            count.complete = Some(counts);
        }
        Ok(count.complete.unwrap_or(TokenCounts { is_partial: true, ..counts }))
    }
}
