//! Bodies of the routes under `/requests/`.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::domain::crypto::digest::Sha256;
use crate::domain::id::TokenId;
use crate::domain::timestamp::Timestamp;
use crate::domain::token::TokenStatus;

/// A request to create: a limited token with which guests upload.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct CreateRequest {
    /// SHA-256 of the 32-byte secret of the request's token.
    ///
    /// The client derives that secret from the one in the link. A repeated call with the digest of an existing request
    /// returns that request.
    pub secret_sha256: Sha256,
    /// Lifetime of the request in seconds, at most 100 years.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(minimum = 1, maximum = 3_153_600_000_u64, default = 604_800)]
    pub expires_in_s: Option<u64>,
    /// Maximum number of transfers that guests create; absent means the limit of the owner's token.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(minimum = 1, maximum = 9_007_199_254_740_991_u64)]
    pub max_transfers: Option<u64>,
    /// Maximum total encrypted size of the request's transfers, in bytes; absent: that of the owner.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(minimum = 1, maximum = 9_007_199_254_740_991_u64)]
    pub max_total_bytes: Option<u64>,
}

/// A request, as shown to its owner.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct RequestItem {
    /// Id of the request, and of its token.
    pub token_id: TokenId,
    /// Status of the request, which ends with the token of its owner.
    pub status: TokenStatus,
    /// Creation time.
    pub created_at: Timestamp,
    /// Expiry time.
    pub expires_at: Timestamp,
    /// Maximum number of transfers that guests create; null means the limit of the owner's token.
    pub max_transfers: Option<u64>,
    /// Maximum total encrypted size of stored transfers, in bytes; null means that of the owner.
    pub max_total_bytes: Option<u64>,
    /// Number of transfers that guests created.
    pub transfers_created: u64,
    /// Declared encrypted size of transfers not yet removed, in bytes.
    pub bytes_held: u64,
    /// Time of last use, accurate to 1 hour; null means never.
    pub last_used_at: Option<Timestamp>,
}

/// A created request.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct CreatedRequest {
    /// The request.
    #[serde(flatten)]
    pub request: RequestItem,
    /// URL of the guests' page, without a fragment; absolute if the server's public URL is configured.
    pub page_url: String,
}

/// Requests of one token.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct RequestList {
    /// Requests, newest first, at most 200.
    pub items: Vec<RequestItem>,
}
