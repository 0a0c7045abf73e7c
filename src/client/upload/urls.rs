//! Presigned URLs of a payload's parts. The first come with the transfer; others are requested on demand.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Mutex, MutexGuard};

use super::plan::{UploadPlan, parts_of};
use crate::client::store::{SignedPut, StoreClient};
use crate::client::{Api, ClientError, Progress, RetryPolicy};
use crate::domain::id::TransferId;
use crate::domain::wire::{UploadInstruction, UploadRequest};

/// Maximum number of URLs per request.
const MAX_URLS: usize = 100;

/// Name of the API call that requests URLs.
const CALL: &str = "upload/create-presign-urls";

/// Cache of presigned requests for the parts of one payload.
pub(super) struct Urls {
    api: Api,
    id: TransferId,
    plan: UploadPlan,
    store: StoreClient,
    cache: Mutex<UrlCache>,
    /// Held while requesting URLs: one task requests for all.
    request_lock: tokio::sync::Mutex<()>,
}

#[derive(Default)]
struct UrlCache {
    /// Presigned requests by part number, each with the number of the response that contained it.
    signed: BTreeMap<u32, (u64, UploadRequest)>,
    /// Parts without a URL in use yet.
    next_parts: BTreeSet<u32>,
    responses: u64,
}

/// Presigned request for one part.
pub(super) struct Signed {
    pub request: SignedPut,
    /// Number of the response that contained the request. All URLs of one response expire together.
    pub response: u64,
}

impl Urls {
    /// Creates the cache for the parts of `plan`, with the first URLs from `instruction`.
    pub(super) fn new(api: Api, id: TransferId, plan: UploadPlan, instruction: UploadInstruction) -> Self {
        let store = StoreClient::of(&api);
        let this = Self { api, id, plan, store, cache: Mutex::default(), request_lock: tokio::sync::Mutex::default() };
        this.cache().add(instruction);
        this
    }

    /// Sets the parts to be sent next.
    pub(super) fn set_next(&self, numbers: &[u32]) {
        self.cache().next_parts = numbers.iter().copied().collect();
    }

    /// Takes the request for part `number` from the cache, or asks the service for URLs.
    pub(super) async fn take(
        &self,
        number: u32,
        retry: &mut RetryPolicy,
        progress: &dyn Progress,
    ) -> Result<Signed, ClientError> {
        if let Some(signed) = self.take_cached(number) {
            return signed;
        }
        let _request_lock = self.request_lock.lock().await;
        // Another task may have requested the URL meanwhile.
        if let Some(signed) = self.take_cached(number) {
            return signed;
        }
        let numbers = self.cache().missing(number, self.plan.is_single());
        let response = retry.call(progress, || self.api.upload_urls(self.id, &numbers)).await?;
        if UploadPlan::of(&response, self.plan.size(), self.api.origin())? != Some(self.plan) {
            return Err(self.store.invalid_response(CALL, "the part layout differs from the earlier response"));
        }
        self.cache().add(response);
        self.take_cached(number)
            .unwrap_or_else(|| Err(self.store.invalid_response(CALL, "a requested part is missing")))
    }

    /// Discards the URLs of response number `response` and of earlier responses.
    ///
    /// The store rejects these URLs.
    pub(super) fn forget(&self, response: u64) {
        self.cache().signed.retain(|_, (from, _)| *from > response);
    }

    /// Discards all cached requests.
    pub(super) fn forget_all(&self) {
        self.forget(u64::MAX);
    }

    fn take_cached(&self, number: u32) -> Option<Result<Signed, ClientError>> {
        let mut cache = self.cache();
        let (response, request) = cache.signed.remove(&number)?;
        cache.next_parts.remove(&number);
        drop(cache);
        let call = if response == 1 { "create" } else { CALL };
        Some(self.store.put(&request, call).map(|request| Signed { request, response }))
    }

    fn cache(&self) -> MutexGuard<'_, UrlCache> {
        self.cache.lock().expect("no thread panics while holding this lock")
    }
}

impl UrlCache {
    fn add(&mut self, instruction: UploadInstruction) {
        self.responses += 1;
        let response = self.responses;
        let signed = parts_of(instruction).into_iter().map(|part| (part.number, (response, part.request)));
        self.signed.extend(signed);
    }

    /// Returns the parts to request URLs for: `number` and the next parts without a URL. Empty for a single object.
    fn missing(&self, number: u32, is_single: bool) -> Vec<u32> {
        if is_single {
            return Vec::new();
        }
        let next = self.next_parts.range(number + 1..).copied().filter(|next| !self.signed.contains_key(next));
        std::iter::once(number).chain(next).take(MAX_URLS).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::timestamp::Timestamp;
    use crate::domain::wire::UploadPart;

    #[test]
    fn urls_are_requested_ahead() {
        let request = UploadRequest { method: "PUT".into(), url: "https://b.example".into(), headers: BTreeMap::new() };
        let parts = (1..=3).map(|number| UploadPart { number, request: request.clone() }).collect();
        let mut cache = UrlCache { next_parts: (1..=500).collect(), ..UrlCache::default() };
        cache.add(UploadInstruction::Multipart {
            part_size_bytes: 1 << 20,
            part_count: 500,
            parts,
            url_expires_at: Timestamp::from_millis(0),
            fallback_url: None,
        });
        assert_eq!(cache.missing(4, false), (4..104).collect::<Vec<_>>());
        assert_eq!(cache.missing(450, false), (450..=500).collect::<Vec<_>>());
        assert_eq!(cache.missing(1, false)[..3], [1, 4, 5], "a cached URL is requested again");
        assert_eq!(cache.missing(1, true), [0; 0]);
    }
}
