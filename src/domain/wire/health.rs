//! Responses of `GET /health` and `GET /health/ready`.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::Mode;
use crate::domain::audit::ServiceName;
use crate::domain::limits::free_space::FreeSpaceLevel;
use crate::domain::limits::{DEFAULT_LIFETIME, Limits, MAX_LIFETIME, MIN_LIFETIME};

/// Version, mode and limits of a service.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Health {
    /// Always `ok`.
    #[schema(example = "ok")]
    pub status: String,
    /// Version of this API.
    #[schema(example = 1)]
    pub api: u32,
    /// Version of the software.
    pub version: String,
    /// Name of the service.
    pub service: ServiceName,
    /// Mode of upload and download: presigned URLs, or bytes through this service.
    pub mode: Mode,
    /// Limits for transfers.
    pub limits: HealthLimits,
    /// Whether this request came through a proxy that the service does not know; absent means no.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub behind_untrusted_proxy: bool,
}

/// Limits of a service for transfers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct HealthLimits {
    /// Maximum content size of a transfer, in bytes; checked by clients before an upload.
    pub max_content_bytes: u64,
    /// Maximum encrypted size of a transfer, in bytes; enforced by the server.
    pub max_payload_bytes: u64,
    /// Limits of a transfer's lifetime, in seconds.
    pub expires_in_s: LifetimeLimits,
}

/// Limits of a transfer's lifetime, in seconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct LifetimeLimits {
    /// Minimum lifetime.
    pub min: u64,
    /// Default lifetime, if the sender specifies none.
    pub default: u64,
    /// Maximum lifetime.
    pub max: u64,
}

impl From<Limits> for HealthLimits {
    fn from(limits: Limits) -> Self {
        Self {
            max_content_bytes: limits.max_content_bytes(),
            max_payload_bytes: limits.max_payload_bytes(),
            expires_in_s: LifetimeLimits {
                min: MIN_LIFETIME.as_secs(),
                default: DEFAULT_LIFETIME.as_secs(),
                max: MAX_LIFETIME.as_secs(),
            },
        }
    }
}

/// Response of `GET /health/ready` while the store is reachable and can be written.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Readiness {
    /// Always `ready`.
    #[schema(example = "ready")]
    pub status: String,
    /// Free space of the store; below the minimum, uploads are rejected.
    pub free_space: FreeSpaceLevel,
    /// Whether the clock has jumped, so that clean-up waits.
    pub clock_jumped: bool,
}
