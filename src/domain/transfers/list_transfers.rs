//! Lists of transfers, read through the index.
//!
//! A page in an order that the store has an index of reads the transfers that it shows; with a filter, at most
//! [`MAX_EXAMINED`] transfers. Other orders compare up to [`MAX_COMPARED`] transfers, the newest ones.

use std::collections::{BTreeMap, HashMap};
use std::time::Duration;

use super::Transfers;
use crate::domain::error::{Error, chain};
use crate::domain::id::TokenId;
use crate::domain::limits::page_size;
use crate::domain::store::{IndexCursor, IndexOrder, Listed, StorageKey, TransferIndexEntry, from_json, read};
use crate::domain::timestamp::Timestamp;
use crate::domain::token::Token;
use crate::domain::transfer::Transfer;
use crate::domain::wire::{OwnTransferQuery, StatusFilter, TransferItem, TransferOrder, TransferPage, TransferQuery};

/// Maximum number of transfers that one page of a filtered list reads.
const MAX_EXAMINED: usize = 1_000;
/// Number of transfers read at once for a filtered list.
const CHUNK: usize = 200;
/// Maximum number of transfers compared for a list in an order without an index.
const MAX_COMPARED: usize = 10_000;

/// Transfers that a list includes.
struct ListFilter {
    state: Option<StatusFilter>,
    created_until: Option<Timestamp>,
}

impl ListFilter {
    fn is_all(&self) -> bool {
        self.state.is_none() && self.created_until.is_none()
    }

    fn includes(&self, item: &TransferItem) -> bool {
        self.state.as_ref().is_none_or(|state| state.includes(item.status))
            && self.created_until.is_none_or(|until| item.created_at <= until)
    }
}

impl Transfers {
    /// Lists a page of the transfers of a token, newest first.
    ///
    /// # Errors
    /// [`Error::InvalidRequest`] for a page size outside 1 to 1 000, or an invalid `after`; [`Error::RequestNotFound`]
    /// for a request that is not the token's.
    pub async fn list_own(&self, token: TokenId, query: OwnTransferQuery) -> Result<TransferPage, Error> {
        let OwnTransferQuery { after, limit, state, request } = query;
        if let Some(request) = request {
            let found = read::<Token>(self.store(), &StorageKey::token(request)).await?;
            if found.is_none_or(|found| found.value.owner != Some(token)) {
                return Err(Error::RequestNotFound);
            }
        }
        let token_id = Some(request.unwrap_or(token));
        let query = TransferQuery { after, limit, state, token_id, ..TransferQuery::default() };
        self.list_all(query).await
    }

    /// Lists a page of all transfers.
    ///
    /// # Errors
    /// As [`Transfers::list_own`].
    pub async fn list_all(&self, query: TransferQuery) -> Result<TransferPage, Error> {
        let limit = page_size(query.limit)?;
        let order = query.order.unwrap_or_default();
        let numbers = if order == TransferOrder::Created { 1 } else { 2 };
        let after = query.after.as_deref().map(|after| cursor(after, numbers)).transpose()?;
        let created_until = query.older_than.map(|age| self.now().minus(Duration::from_secs(age)));
        let filter = ListFilter { state: query.state, created_until };
        match (order, query.token_id) {
            (TransferOrder::Created, token) => {
                let index = token.map_or(IndexOrder::ByTime, IndexOrder::OfToken);
                self.page_of(index, after, limit, &filter).await
            }
            (TransferOrder::Size, None) => self.page_of(IndexOrder::BySize, after, limit, &filter).await,
            (TransferOrder::Size, token) => self.ranked(token, after, limit, &filter, |item| item.size_bytes).await,
            (TransferOrder::Downloads, token) => {
                self.ranked(token, after, limit, &filter, |item| item.download_count).await
            }
        }
    }

    /// Returns a page in the order of an index.
    async fn page_of(
        &self,
        index: IndexOrder,
        after: Option<IndexCursor>,
        limit: usize,
        filter: &ListFilter,
    ) -> Result<TransferPage, Error> {
        let mut after = after.map(|cursor| index.key(&cursor));
        if index != IndexOrder::BySize
            && let Some(until) = filter.created_until
        {
            after = after.max(Some(index.before(until)));
        }
        let (mut items, mut examined) = (Vec::new(), 0);
        loop {
            let wanted = limit - items.len();
            let size = if filter.is_all() { wanted } else { CHUNK };
            let listed = self.read_indexed(index, after.as_ref(), size).await?;
            let mut entries = listed.items.into_iter();
            for (cursor, item) in entries.by_ref() {
                examined += 1;
                items.extend(item.filter(|item| filter.includes(item)));
                if items.len() == limit || examined == MAX_EXAMINED {
                    let has_more = entries.next().is_some() || listed.next.is_some();
                    let next = has_more.then(|| cursor.to_string());
                    return Ok(TransferPage { items, next, is_partial: false });
                }
            }
            if listed.next.is_none() {
                return Ok(TransferPage { items, next: None, is_partial: false });
            }
            after = listed.next;
        }
    }

    /// Returns a page of transfers by a number that has no index, highest first.
    ///
    /// Keeps only the transfers of the page in memory.
    async fn ranked(
        &self,
        token: Option<TokenId>,
        after: Option<IndexCursor>,
        limit: usize,
        filter: &ListFilter,
        rank: impl Fn(&TransferItem) -> u64 + Send,
    ) -> Result<TransferPage, Error> {
        let index = token.map_or(IndexOrder::ByTime, IndexOrder::OfToken);
        let mut position = filter.created_until.map(|until| index.before(until));
        let (mut best, mut compared, mut is_partial) = (BTreeMap::new(), 0, false);
        loop {
            let listed = self.read_indexed(index, position.as_ref(), CHUNK).await?;
            compared += listed.items.len();
            for item in listed.items.into_iter().filter_map(|(_, item)| item).filter(|item| filter.includes(item)) {
                let cursor = IndexCursor::by_number(rank(&item), item.created_at, item.transfer_id);
                if after.as_ref().is_none_or(|after| cursor > *after) {
                    best.insert(cursor, item);
                }
                if best.len() > limit + 1 {
                    best.pop_last();
                }
            }
            position = listed.next;
            if position.is_none() {
                break;
            }
            if compared >= MAX_COMPARED {
                is_partial = true;
                break;
            }
        }
        let has_more = best.len() > limit;
        if has_more {
            best.pop_last();
        }
        let next = best.last_key_value().filter(|_| has_more).map(|(cursor, _)| cursor.to_string());
        Ok(TransferPage { items: best.into_values().collect(), next, is_partial })
    }

    /// Reads up to `size` entries of an index with their transfers.
    ///
    /// An entry has no transfer if it is being removed, or if it cannot be read: one damaged object must not hide all
    /// others.
    pub(super) async fn read_indexed(
        &self,
        index: IndexOrder,
        after: Option<&StorageKey>,
        size: usize,
    ) -> Result<Listed<(IndexCursor, Option<TransferItem>)>, Error> {
        let keys = self.store().keys(&index.prefix(), after, size + 1).await?;
        let Listed { items: keys, next } = Listed::of(keys, size, StorageKey::clone);
        let entries: Vec<TransferIndexEntry> = keys.iter().filter_map(TransferIndexEntry::from_key).collect();
        let states: Vec<_> = entries.iter().map(|entry| StorageKey::transfer(entry.transfer_id)).collect();
        let now = self.now();
        let mut found = HashMap::new();
        for (key, value) in self.store().get_all(&states).await? {
            let transfer = match from_json::<Transfer>(key.as_str(), &value) {
                Ok(transfer) => self.with_deletion(transfer),
                Err(error) => {
                    tracing::error!(error = %chain(&error), "a list leaves out a transfer that cannot be read");
                    continue;
                }
            };
            if !transfer.forgotten {
                found.insert(transfer.transfer_id, TransferItem::of(&transfer, now));
            }
        }
        let items = entries.into_iter().map(|entry| (entry.cursor, found.remove(&entry.transfer_id))).collect();
        Ok(Listed { items, next })
    }
}

/// Parses the position of a page with this number of inverted numbers.
pub(super) fn cursor(text: &str, numbers: usize) -> Result<IndexCursor, Error> {
    let parsed = text.parse::<IndexCursor>().ok().filter(|cursor| cursor.numbers() == numbers);
    parsed.ok_or_else(|| Error::InvalidRequest("after: must be `next` of a page in the same order".to_owned()))
}
