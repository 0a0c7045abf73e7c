//! Request and response of `POST /auth/prove`.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// Request for a proof that the service knows the admin key.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ProveKey {
    /// Random text of the client: 16 to 128 characters of base64, base64url or hex.
    #[schema(
        min_length = 16,
        max_length = 128,
        pattern = "^[A-Za-z0-9+/_=-]{16,128}$",
        example = "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08"
    )]
    pub nonce: String,
}

/// Proof that the service knows the admin key.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct KeyProof {
    /// Origin that the service listens on, and for which the proof is valid.
    #[schema(example = "http://127.0.0.1:8081")]
    pub origin: String,
    /// HMAC-SHA256 under the admin key, in hex.
    ///
    /// Its input is `sgsend/v1/admin-key-proof`, the nonce and the origin, each two separated by a zero byte.
    pub proof: String,
}
