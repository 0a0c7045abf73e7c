//! `GET /health`

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::Mode;
use crate::domain::audit::ServiceName;
use crate::domain::limits::{DEFAULT_LIFETIME, Limits, MAX_LIFETIME, MIN_LIFETIME};

/// What a service is and what it accepts.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Health {
    /// `ok`
    #[schema(example = "ok")]
    pub status: String,
    /// The version of this API.
    #[schema(example = 1)]
    pub api: u32,
    /// The version of the software.
    pub version: String,
    /// Which of the two services this is.
    pub service: ServiceName,
    /// How payloads travel.
    pub mode: Mode,
    /// What is accepted.
    pub limits: HealthLimits,
}

/// What a service accepts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct HealthLimits {
    /// The most content in a transfer, in bytes: clients hold this before they send.
    pub max_content_bytes: u64,
    /// The largest sealed payload, in bytes: the server holds this.
    pub max_payload_bytes: u64,
    /// Lifetimes of transfers.
    pub expires_in_s: LifetimeLimits,
}

/// Lifetimes of transfers, in seconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct LifetimeLimits {
    /// The shortest.
    pub min: u64,
    /// The one that a transfer gets whose sender names none.
    pub default: u64,
    /// The longest.
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

/// `GET /health/ready`: the store answers.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Readiness {
    /// `ready`
    #[schema(example = "ready")]
    pub status: String,
}
