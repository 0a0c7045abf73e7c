//! `POST …/download/create-presign-url`

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::{Flow, Transparency};
use crate::domain::proof::Grant;
use crate::domain::timestamp::Timestamp;

/// A download to be counted, or gone on with.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct DownloadRequest {
    /// 32 random bytes in unpadded base64url, chosen by the client: with the same grant a repeated call counts nothing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<Grant>)]
    pub grant: Option<String>,
}

/// Where to fetch the payload.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct DownloadAnswer {
    /// Which way the bytes go.
    pub mode: Flow,
    /// `GET`
    #[schema(example = "GET")]
    pub method: String,
    /// Where to; relative to the service's root, or absolute. A presigned one is a secret while it works.
    pub url: String,
    /// Until when the URL works.
    pub url_expires_at: Timestamp,
    /// Where this service hands out the payload itself, for clients that cannot reach the store.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fallback_url: Option<String>,
    /// The grant, to show in `x-sgsend-grant`.
    #[schema(value_type = Grant)]
    pub grant: String,
    /// Until when the grant works.
    pub grant_expires_at: Timestamp,
    /// Size of the sealed payload, in bytes.
    pub size_bytes: u64,
    /// What was stored about the recipient.
    pub transparency: Transparency,
}
