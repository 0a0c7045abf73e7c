//! Pages of the objects of transfers, read ahead and parsed on several cores.

use std::collections::HashMap;

use bytes::Bytes;
use futures_util::{Stream, StreamExt, TryStreamExt, stream};
use tokio::task::spawn_blocking;

use super::{CONCURRENCY, PAGE_SIZE};
use crate::domain::audit::Record;
use crate::domain::id::TransferId;
use crate::domain::store::{StorageKey, Store, StoreError, from_json};
use crate::domain::transfer::{GrantRecord, Transfer};

/// Number of pages that are read at once.
const PAGES_AHEAD: usize = 4;
/// Number of objects from which a page is parsed in a thread of its own.
const MIN_PARSED_APART: usize = 100;

/// Objects of a page in key order, and the transfers that they belong to.
pub(super) struct CheckedPage {
    pub(super) objects: Vec<TransferObject>,
    /// State of each transfer; a missing one has none.
    pub(super) transfers: HashMap<TransferId, StoredTransfer>,
}

/// Object of a transfer.
pub(super) struct TransferObject {
    pub(super) key: StorageKey,
    pub(super) content: ObjectContent,
}

/// Parsed content of an object of a transfer.
pub(super) enum ObjectContent {
    /// Audit record, with the id inside it.
    Record(Result<String, StoreError>),
    /// Grant, with the digest inside it.
    Grant(Result<String, StoreError>),
    /// State of the transfer, or another object that is not parsed here.
    Other,
}

/// State of a transfer as it is stored.
pub(super) struct StoredTransfer {
    pub(super) value: Bytes,
    /// Problem of the payload of a transfer that can be downloaded.
    pub(super) payload_problem: Option<String>,
}

/// Returns all objects of transfers, page by page. Skips payloads, which may be large objects in the same bucket.
pub(super) fn transfer_pages(store: &dyn Store) -> impl Stream<Item = Result<CheckedPage, StoreError>> + Send {
    let keys = stream::try_unfold(None::<StorageKey>, move |after| async move {
        let keys = store.keys(&StorageKey::all_transfers(), after.as_ref(), PAGE_SIZE).await?;
        let last = keys.last().cloned();
        Ok::<_, StoreError>(last.map(|last| (keys, Some(last))))
    });
    keys.map_ok(move |keys| read_page(store, keys)).try_buffered(PAGES_AHEAD)
}

async fn read_page(store: &dyn Store, mut keys: Vec<StorageKey>) -> Result<CheckedPage, StoreError> {
    keys.retain(|key| !key.belongs_to_payload());
    let found = store.get_all(&keys).await?;
    let mut ids: Vec<_> = keys.iter().filter_map(StorageKey::transfer_id).collect();
    ids.dedup();
    let states: Vec<_> = ids.iter().map(|id| StorageKey::transfer(*id)).collect();
    let is_here = |state: &StorageKey| found.binary_search_by(|(key, _)| key.cmp(state));
    let elsewhere: Vec<_> = states.iter().filter(|state| is_here(state).is_err()).cloned().collect();
    let mut values: HashMap<_, _> = store.get_all(&elsewhere).await?.into_iter().collect();
    values.extend(states.iter().filter_map(|state| is_here(state).ok()).map(|at| found[at].clone()));
    let parsed = if found.len() < MIN_PARSED_APART {
        parse(found)
    } else {
        spawn_blocking(move || parse(found)).await.expect("parsing does not panic")
    };
    let states = ids.into_iter().filter_map(|id| Some((id, values.remove(&StorageKey::transfer(id))?)));
    let with_payload = async |(id, value): (TransferId, Bytes)| {
        let payload_problem = payload_problem(store, id, &value).await?;
        Ok::<_, StoreError>((id, StoredTransfer { value, payload_problem }))
    };
    let transfers = Box::pin(stream::iter(states).map(with_payload).buffered(CONCURRENCY).try_collect()).await?;
    Ok(CheckedPage { objects: parsed, transfers })
}

/// Parses the objects of a page.
fn parse(found: Vec<(StorageKey, Bytes)>) -> Vec<TransferObject> {
    let content = |key: &StorageKey, value: &[u8]| match key.as_str().split('/').nth(2) {
        Some("requests" | "actions" | "events" | "reads") => {
            ObjectContent::Record(from_json::<Record>(key.as_str(), value).map(|record| record.id().to_string()))
        }
        Some("grants") => {
            let grant = from_json::<GrantRecord>(key.as_str(), value);
            ObjectContent::Grant(grant.map(|grant| grant.sha256.to_string()))
        }
        _ => ObjectContent::Other,
    };
    let object = |(key, value): (StorageKey, Bytes)| TransferObject { content: content(&key, &value), key };
    found.into_iter().map(object).collect()
}

/// Returns what is wrong with the payload of a transfer that can be downloaded.
async fn payload_problem(store: &dyn Store, id: TransferId, value: &[u8]) -> Result<Option<String>, StoreError> {
    let transfer = serde_json::from_slice::<Transfer>(value).ok();
    let Some(transfer) = transfer.filter(|transfer| transfer.transfer_id == id && transfer.is_downloadable()) else {
        return Ok(None);
    };
    let (payload, size) = (transfer.payload_id(), transfer.size_bytes);
    let received = store.received(payload).await?;
    if received != size {
        return Ok(Some(format!("its payload has {received} bytes, not {size}")));
    }
    match store.read(payload, 0..size).await.map(drop) {
        Err(StoreError::NoPayload) => Ok(Some("its payload is not finished".to_owned())),
        _ => Ok(None),
    }
}
