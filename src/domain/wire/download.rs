//! Bodies of `POST …/download/create-presign-url`.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::{Flow, Transparency};
use crate::domain::crypto::proof::Grant;
use crate::domain::timestamp::Timestamp;

/// Request to start a download, which is counted, or to resume a counted download.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct DownloadRequest {
    /// Grant chosen by the client: 32 random bytes in unpadded base64url. Repeated calls with one grant count once.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<Grant>)]
    pub grant: Option<String>,
}

/// Instructions for the download of a payload.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct DownloadResponse {
    /// Download by presigned URL, or through this service.
    pub mode: Flow,
    /// HTTP method: `GET`.
    #[schema(example = "GET")]
    pub method: String,
    /// URL of the payload, relative to the service's base URL, or absolute. A presigned URL is secret until it expires.
    pub url: String,
    /// Expiry time of the URL.
    pub url_expires_at: Timestamp,
    /// URL of the payload at this service, for clients that cannot reach the store.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fallback_url: Option<String>,
    /// Grant to send in the header `x-sgsend-grant`.
    #[schema(value_type = Grant)]
    pub grant: String,
    /// Expiry time of the grant.
    pub grant_expires_at: Timestamp,
    /// Encrypted size, in bytes.
    pub size_bytes: u64,
    /// Data stored about the recipient.
    pub transparency: Transparency,
}
