//! Presigned requests: uploads and downloads directly between clients and the payload store.

use std::collections::BTreeMap;
use std::time::Duration;

use async_trait::async_trait;

use super::StoreError;
use crate::domain::id::PayloadId;
use crate::domain::timestamp::Timestamp;
use crate::domain::transfer::PartPlan;

/// Presigned request from a client to the payload store.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SignedRequest {
    /// HTTP method.
    pub method: String,
    /// URL of the request; its query is secret until it expires.
    pub url: String,
    /// Headers to send, exactly as given.
    pub headers: BTreeMap<String, String>,
    /// Expiry time of the signature.
    pub expires_at: Timestamp,
}

/// Signs requests to the payload store; each request is for one object, or one part of an object.
///
/// [`finish`](super::Payloads::finish) finishes a payload uploaded by clients, as if a writer had written it.
#[async_trait]
pub trait Presigner: Send + Sync {
    /// Signs a request to upload a payload of exactly `size` encrypted bytes. Valid only if no payload exists yet.
    async fn put(&self, id: PayloadId, size: u64, lifetime: Duration) -> Result<SignedRequest, StoreError>;

    /// Signs requests to upload parts, each of exactly its length, in the order of `numbers`.
    ///
    /// # Panics
    /// If `plan` has no part of one of the `numbers`.
    async fn parts(
        &self,
        id: PayloadId,
        plan: PartPlan,
        numbers: &[u32],
        lifetime: Duration,
    ) -> Result<Vec<SignedRequest>, StoreError>;

    /// Lists the numbers of the uploaded parts, in ascending order.
    async fn received_parts(&self, id: PayloadId) -> Result<Vec<u32>, StoreError>;

    /// Signs a request to download the payload.
    async fn get(&self, id: PayloadId, lifetime: Duration) -> Result<SignedRequest, StoreError>;
}
