//! The capability to let clients move payloads without this service in between.

use std::collections::BTreeMap;
use std::time::Duration;

use async_trait::async_trait;

use super::StoreError;
use crate::domain::id::TransferId;
use crate::domain::timestamp::Timestamp;
use crate::domain::transfer::PartPlan;

/// A request that a client may make of the payload store by itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SignedRequest {
    /// The HTTP method.
    pub method: String,
    /// Where to; its query is a secret while it lives.
    pub url: String,
    /// The headers to send, exactly.
    pub headers: BTreeMap<String, String>,
    /// When the store stops to honour it.
    pub expires_at: Timestamp,
}

/// Signs requests to the payload store; each names one object, or one part of it.
///
/// What clients have sent is taken over by [`finish`](super::Payloads::finish), as if it had come through a writer.
#[async_trait]
pub trait Presigner: Send + Sync {
    /// A request that stores a whole payload of exactly `size` bytes, and only if none is there.
    async fn put(&self, id: TransferId, size: u64, lifetime: Duration) -> Result<SignedRequest, StoreError>;

    /// Requests that store the parts of these numbers, each of exactly its length, in the order of `numbers`.
    ///
    /// # Panics
    /// Where `plan` has no part of such a number.
    async fn parts(
        &self,
        id: TransferId,
        plan: PartPlan,
        numbers: &[u32],
        lifetime: Duration,
    ) -> Result<Vec<SignedRequest>, StoreError>;

    /// The numbers of the parts that have arrived, in order.
    async fn arrived(&self, id: TransferId) -> Result<Vec<u32>, StoreError>;

    /// A request that fetches the payload.
    async fn get(&self, id: TransferId, lifetime: Duration) -> Result<SignedRequest, StoreError>;
}
