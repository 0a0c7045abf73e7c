//! Upgrade of the records of older layouts: index of transfers, use of tokens, downloads under links.
//!
//! Idempotent: an upgrade that is killed is repeated by the next. No server of the current layout serves the store before
//! its end, and servers of older layouts no longer write.

use std::collections::HashMap;
use std::sync::Mutex;

use futures_util::{StreamExt, TryStreamExt, stream};

use crate::domain::id::{TokenId, TransferId};
use crate::domain::store::{Commit, StorageKey, Store, StoreError, Swap, TransferIndexEntry, from_json, read, swap};
use crate::domain::token::{Quota, QuotaStep, Token};
use crate::domain::transfer::{FurtherLink, PayloadState, Transfer};

/// Number of objects per list request.
const PAGE_SIZE: usize = 500;
/// Number of transfers upgraded at once.
const CONCURRENCY: usize = 16;

/// Existing transfers of a token.
#[derive(Clone, Copy, Debug, Default)]
struct TokenUse {
    /// Whether the bytes of the token's transfers were not counted before.
    counts_bytes: bool,
    transfers: u64,
    bytes: u64,
}

/// Use of all tokens that the upgrade counts.
type TokenUses = Mutex<HashMap<TokenId, TokenUse>>;

/// Writes the index entries of all transfers, and counts the use of tokens whose use was not counted.
///
/// # Errors
/// [`StoreError`] of the store. Unreadable objects are skipped: the integrity check reports them.
pub(crate) async fn upgrade_records(store: &dyn Store) -> Result<(), StoreError> {
    let uses = TokenUses::default();
    for_each_token(store, async |token| {
        let counts_bytes = token.quota.max_total_bytes.is_none();
        uses.lock().expect("never poisoned").insert(token.token_id, TokenUse { counts_bytes, ..TokenUse::default() });
        Ok(())
    })
    .await?;
    let (all, mut after, mut last_id) = (StorageKey::all_transfers(), None, None);
    loop {
        let keys = store.keys(&all, after.as_ref(), PAGE_SIZE).await?;
        let Some(last) = keys.last().cloned() else { break };
        let mut ids: Vec<TransferId> = keys.iter().filter_map(StorageKey::transfer_id).collect();
        ids.dedup();
        ids.retain(|id| last_id != Some(*id));
        last_id = last.transfer_id();
        let upgrades = stream::iter(ids).map(|id| upgrade_transfer(store, id, &uses));
        upgrades.buffer_unordered(CONCURRENCY).try_collect::<()>().await?;
        after = Some(last);
    }
    let uses = uses.into_inner().expect("never poisoned");
    for_each_token(store, async |token| count_use(store, &token, &uses).await).await
}

/// Calls `upgrade` with each token whose use is not counted yet.
async fn for_each_token(
    store: &dyn Store,
    mut upgrade: impl AsyncFnMut(Token) -> Result<(), StoreError>,
) -> Result<(), StoreError> {
    let (tokens, mut after) = (StorageKey::tokens(), None);
    loop {
        let page = store.list(&tokens, after.as_ref(), PAGE_SIZE).await?;
        for (key, value) in page.items {
            match from_json::<Token>(key.as_str(), &value) {
                Ok(token) if !token.quota.counts_all() => upgrade(token).await?,
                Ok(_) | Err(_) => {}
            }
        }
        after = page.next;
        if after.is_none() {
            return Ok(());
        }
    }
}

/// Writes the index entries of a transfer, and lets it hold its bytes in the use of its token.
async fn upgrade_transfer(store: &dyn Store, id: TransferId, uses: &TokenUses) -> Result<(), StoreError> {
    let key = StorageKey::transfer(id);
    let Some(transfer) = readable(read::<Transfer>(store, &key).await)?.filter(|found| !found.forgotten) else {
        return Ok(());
    };
    let token = transfer.token_id;
    let found = uses.lock().expect("never poisoned").get(&token).copied();
    let records = TransferIndexEntry::records_of(&transfer);
    let with = || Commit { records: records.clone(), ..Commit::with_reserve() };
    let counts_bytes = found.is_some_and(|found| found.counts_bytes);
    let link_downloads = link_downloads(store, &transfer).await?;
    let holds_quota = if counts_bytes || link_downloads != transfer.link_downloads {
        let missing = || StoreError::Conflict;
        swap(store, &key, missing, |mut transfer: Transfer| {
            let is_removed = transfer.payload == PayloadState::Removed && transfer.upload_urls_until.is_none();
            let before = (transfer.holds_quota, transfer.link_downloads);
            transfer.holds_quota |= counts_bytes && !is_removed;
            transfer.link_downloads = link_downloads;
            let holds_quota = transfer.holds_quota;
            if (holds_quota, link_downloads) == before {
                return Ok::<_, StoreError>(Swap::Keep(holds_quota));
            }
            Ok(Swap::write(transfer, with(), holds_quota))
        })
        .await?
    } else {
        transfer.holds_quota
    };
    store.commit(with()).await?;
    if let Some(found) = uses.lock().expect("never poisoned").get_mut(&token) {
        found.transfers += 1;
        found.bytes += if holds_quota { transfer.size_bytes } else { 0 };
    }
    Ok(())
}

/// Returns the number of downloads under the further links of a transfer.
///
/// Records before layout 4 do not have it.
async fn link_downloads(store: &dyn Store, transfer: &Transfer) -> Result<u64, StoreError> {
    if transfer.payload_id.is_some() {
        return Ok(transfer.link_downloads);
    }
    let mut downloads = 0;
    for id in &transfer.links {
        let link = readable(read::<FurtherLink>(store, &StorageKey::link(*id)).await)?;
        let of_transfer = link.filter(|link| link.transfer_id == transfer.transfer_id);
        downloads += of_transfer.map_or(0, |further| further.link.download_count());
    }
    Ok(downloads)
}

/// Stores the use of a token, with the reservations whose transfer does not exist.
async fn count_use(store: &dyn Store, token: &Token, uses: &HashMap<TokenId, TokenUse>) -> Result<(), StoreError> {
    let mut own = uses.get(&token.token_id).copied().unwrap_or_default();
    for (entry, bytes) in token.quota.pending_entries().filter(|(entry, _)| entry.step == QuotaStep::Reserved) {
        let key = StorageKey::transfer(entry.transfer_id);
        let transfer = readable(read::<Transfer>(store, &key).await)?;
        if !transfer.is_some_and(|transfer| transfer.reservation_in(token.token_id) == entry.mark) {
            (own.transfers, own.bytes) = (own.transfers + 1, own.bytes + bytes);
        }
    }
    let count = |quota: &mut Quota| quota.count_all(own.transfers, own.bytes);
    swap(
        store,
        &StorageKey::token(token.token_id),
        || StoreError::Conflict,
        |mut token: Token| {
            if token.quota.counts_all() {
                return Ok::<_, StoreError>(Swap::Keep(()));
            }
            count(&mut token.quota);
            Ok(Swap::write(token, Commit::with_reserve(), ()))
        },
    )
    .await
}

/// Returns what was read; `None` for an object that is missing or unreadable.
fn readable<T>(found: Result<Option<crate::domain::store::Versioned<T>>, StoreError>) -> Result<Option<T>, StoreError> {
    match found {
        Ok(found) => Ok(found.map(|found| found.value)),
        Err(StoreError::Corrupt { .. }) => Ok(None),
        Err(error) => Err(error),
    }
}
