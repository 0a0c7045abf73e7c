//! What can be done with sender tokens.

use std::sync::Arc;
use std::time::Duration;

use super::audit::{Answer, RequestScope, stray};
use super::clock::Clock;
use super::error::{Error, chain};
use super::id::TokenId;
use super::store::{Commit, StorageKey, Store, Swap, create, list, read, swap};
use super::token::{PlainToken, Quota, Token, TokenStatus};
use super::transfers::page_size;
use super::version::V1;
use super::wire::{CreateToken, Page, TokenCounts, TokenItem};

/// The longest name, in characters.
const LONGEST_NAME: usize = 100;

/// The longest life: what is meant to last longer is meant to last for ever, which is what leaving it out says. Moments
/// further off than this would at last be no numbers that every JSON reader can hold.
const LONGEST_LIFE: Duration = Duration::from_hours(24 * 36_500);

/// The largest quota: what the documented type of it, a signed number of 64 bits, can say.
const LARGEST_LIMIT: u64 = i64::MAX.cast_unsigned();

/// The sender tokens of a store.
#[derive(Clone)]
pub struct Tokens {
    store: Arc<dyn Store>,
    clock: Arc<dyn Clock>,
}

impl Tokens {
    /// The tokens of `store`.
    #[must_use]
    pub fn new(store: Arc<dyn Store>, clock: Arc<dyn Clock>) -> Self {
        Self { store, clock }
    }

    /// Creates a token. What is answered is the only copy of it.
    ///
    /// # Errors
    /// [`Error::InvalidRequest`] that names the member.
    pub async fn create(&self, scope: &RequestScope, wanted: CreateToken) -> Result<(Token, PlainToken), Error> {
        const ANSWER: Answer = Answer::Whole { status: 201 };
        let length = wanted.name.chars().count();
        if !(1..=LONGEST_NAME).contains(&length) || wanted.name.chars().any(char::is_control) {
            let text = format!("name must have 1 to {LONGEST_NAME} characters and no control characters");
            return Err(Error::InvalidRequest(text));
        }
        if wanted.expires_in_s.is_some_and(|seconds| !(1..=LONGEST_LIFE.as_secs()).contains(&seconds)) {
            let text = format!("expires_in_s must be between 1 and {}", LONGEST_LIFE.as_secs());
            return Err(Error::InvalidRequest(text));
        }
        let limits = [("max_transfers", wanted.max_transfers), ("max_total_bytes", wanted.max_total_bytes)];
        let odd = |limit: Option<u64>| limit.is_some_and(|limit| !(1..=LARGEST_LIMIT).contains(&limit));
        if let Some((member, _)) = limits.iter().find(|(_, limit)| odd(*limit)) {
            return Err(Error::InvalidRequest(format!("{member} must be between 1 and {LARGEST_LIMIT}")));
        }
        let now = self.clock.now();
        let plain = PlainToken::random();
        let token = Token {
            v: V1,
            token_id: plain.token_id(),
            name: wanted.name,
            secret_sha256: plain.hashed(),
            created_at: now,
            expires_at: wanted.expires_in_s.map(|seconds| now.plus(Duration::from_secs(seconds))),
            revoked_at: None,
            last_used_at: None,
            quota: Quota::new(wanted.max_transfers, wanted.max_total_bytes),
        };
        scope.note_token(token.token_id);
        let records = stray(&scope.records_of_change(now, ANSWER, &[]));
        let key = StorageKey::token(token.token_id);
        create(&*self.store, key, &token, Commit { records, ..Commit::default() }).await?;
        scope.note_committed(ANSWER);
        Ok((token, plain))
    }

    /// Finds a token.
    ///
    /// # Errors
    /// [`Error::TokenNotFound`] where there is none.
    pub async fn find(&self, id: TokenId) -> Result<Token, Error> {
        let found = read::<Token>(&*self.store, &StorageKey::token(id)).await?;
        found.map(|found| found.value).ok_or(Error::TokenNotFound)
    }

    /// Finds out whose token is shown, and refuses one that cannot be used.
    ///
    /// # Errors
    /// [`Error::TokenInvalid`], [`Error::TokenRevoked`], [`Error::TokenExpired`].
    pub async fn authenticate(&self, scope: &RequestScope, shown: &str) -> Result<Token, Error> {
        let shown: PlainToken = shown.parse().map_err(|_| Error::TokenInvalid)?;
        let key = StorageKey::token(shown.token_id());
        let found = read::<Token>(&*self.store, &key).await?.ok_or(Error::TokenInvalid)?;
        let now = self.clock.now();
        found.value.check(&shown, now)?;
        scope.note_token(found.value.token_id);
        let mut token = found.value;
        if token.note_use(now) {
            // Whether this is noted decides nothing: a failure is for the log.
            let noted = swap(
                &*self.store,
                &key,
                || Error::TokenNotFound,
                |mut token: Token| {
                    Ok(if token.note_use(now) { Swap::write(token, Commit::default(), ()) } else { Swap::Keep(()) })
                },
            );
            if let Err(error) = noted.await {
                tracing::warn!(error = %chain(&error), "the use of a token could not be noted");
            }
        }
        Ok(token)
    }

    /// Lists tokens in the order of their ids, which are random.
    pub async fn list(&self, after: Option<TokenId>, limit: Option<u32>) -> Result<Page<TokenItem>, Error> {
        let size = page_size(limit)?;
        let now = self.clock.now();
        let tokens = self.page(after, size + 1).await?;
        let items = tokens.iter().map(|token| TokenItem::of(token, now)).collect();
        Ok(Page::of(items, size, |item: &TokenItem| item.token_id.to_string()))
    }

    async fn page(&self, after: Option<TokenId>, limit: usize) -> Result<Vec<Token>, Error> {
        Ok(list(&*self.store, &StorageKey::tokens(), after.map(StorageKey::token).as_ref(), limit).await?)
    }

    /// Revokes a token; again and again, with the same answer.
    ///
    /// # Errors
    /// [`Error::TokenNotFound`].
    pub async fn revoke(&self, scope: &RequestScope, id: TokenId) -> Result<TokenItem, Error> {
        const ANSWER: Answer = Answer::Whole { status: 200 };
        let now = self.clock.now();
        scope.note_token(id);
        let key = StorageKey::token(id);
        let (token, changed) = swap(
            &*self.store,
            &key,
            || Error::TokenNotFound,
            |mut token: Token| {
                if token.revoked_at.is_some() {
                    return Ok(Swap::Keep((token, false)));
                }
                token.revoked_at = Some(now);
                let records = stray(&scope.records_of_change(now, ANSWER, &[]));
                Ok(Swap::write(token.clone(), Commit { records, ..Commit::default() }, (token, true)))
            },
        )
        .await?;
        if changed {
            scope.note_committed(ANSWER);
        }
        Ok(TokenItem::of(&token, now))
    }

    /// Counts tokens by status.
    pub async fn count(&self) -> Result<TokenCounts, Error> {
        const PAGE: usize = 1_000;
        let now = self.clock.now();
        let (mut counts, mut after) = (TokenCounts::default(), None);
        loop {
            let page = self.page(after, PAGE).await?;
            for token in &page {
                match token.status_at(now) {
                    TokenStatus::Active => counts.active += 1,
                    TokenStatus::Revoked => counts.revoked += 1,
                    TokenStatus::Expired => counts.expired += 1,
                }
            }
            if page.len() < PAGE {
                return Ok(counts);
            }
            after = page.last().map(|token| token.token_id);
        }
    }
}
