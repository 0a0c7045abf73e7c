//! Bodies of the routes under `/tokens/`.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::domain::id::TokenId;
use crate::domain::timestamp::Timestamp;
use crate::domain::token::{Token, TokenStatus};
use crate::domain::wire::{SetNotifications, TokenNotifications, object};

/// A token to create.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct CreateToken {
    /// Name of the token: 1 to 100 characters, no control characters.
    #[schema(min_length = 1, max_length = 100, pattern = r"^[^\u0000-\u001f\u007f-\u009f]*$")]
    pub name: String,
    /// Lifetime of the token in seconds, at most 100 years; absent means that it never expires.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(minimum = 1, maximum = 3_153_600_000_u64)]
    pub expires_in_s: Option<u64>,
    /// Maximum number of transfers created during the token's lifetime; absent means unlimited.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(minimum = 1, maximum = 9_007_199_254_740_991_u64)]
    pub max_transfers: Option<u64>,
    /// Maximum total encrypted size of the token's stored transfers, in bytes; absent means unlimited.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(minimum = 1, maximum = 9_007_199_254_740_991_u64)]
    pub max_total_bytes: Option<u64>,
    /// Targets and default choice of notifications.
    #[serde(default, skip_serializing_if = "Option::is_none", deserialize_with = "object")]
    pub notifications: Option<SetNotifications>,
}

/// A token, as shown to admins.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct TokenItem {
    /// Id of the token.
    pub token_id: TokenId,
    /// Name of the token.
    pub name: String,
    /// Id of the token that created this token as a request; absent for a sender token.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub owner: Option<TokenId>,
    /// Status of the token.
    pub status: TokenStatus,
    /// Creation time.
    pub created_at: Timestamp,
    /// Expiry time; null means never.
    pub expires_at: Option<Timestamp>,
    /// Maximum number of transfers created during the token's lifetime; null means unlimited.
    pub max_transfers: Option<u64>,
    /// Maximum total encrypted size of the token's stored transfers, in bytes; null means unlimited.
    pub max_total_bytes: Option<u64>,
    /// Number of transfers created.
    pub transfers_created: u64,
    /// Declared encrypted size of transfers not yet removed, in bytes.
    pub bytes_held: u64,
    /// Time of last use, accurate to 1 hour; null means never.
    pub last_used_at: Option<Timestamp>,
    /// Targets and default choice of notifications; absent if the token has the defaults.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub notifications: Option<TokenNotifications>,
}

impl TokenItem {
    /// Builds the item for `token` with its status at `now`.
    #[must_use]
    pub fn of(token: &Token, now: Timestamp) -> Self {
        let quota = &token.quota;
        Self {
            token_id: token.token_id,
            name: token.name.clone(),
            owner: token.owner,
            status: token.status_at(now),
            created_at: token.created_at,
            expires_at: token.expires_at,
            max_transfers: quota.max_transfers,
            max_total_bytes: quota.max_total_bytes,
            transfers_created: quota.transfers_created(),
            bytes_held: quota.bytes_held(),
            last_used_at: token.last_used_at,
            notifications: TokenNotifications::of(&token.notifications),
        }
    }
}

/// A created token, with its secret text.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct CreatedToken {
    /// The token, as shown to admins.
    #[serde(flatten)]
    pub item: TokenItem,
    /// The token's text; only this response contains it.
    pub token: String,
    /// Secret of the token's webhook, `whsec_…`; only this response contains it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub webhook_secret: Option<String>,
}
