//! `/tokens/…`

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::domain::id::TokenId;
use crate::domain::timestamp::Timestamp;
use crate::domain::token::{Quota, Token, TokenStatus};

/// A token to create.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct CreateToken {
    /// What to call it: 1 to 100 characters, no control characters.
    #[schema(min_length = 1, max_length = 100, pattern = r"^[^\u0000-\u001f\u007f-\u009f]*$")]
    pub name: String,
    /// How long it can be used, in seconds, at most 100 years; absent is for ever.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(minimum = 1, maximum = 3_153_600_000_u64)]
    pub expires_in_s: Option<u64>,
    /// How many transfers it may create, ever; absent is any number.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(minimum = 1)]
    pub max_transfers: Option<u64>,
    /// How many bytes of sealed payload it may hold at once; absent is any number.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(minimum = 1)]
    pub max_total_bytes: Option<u64>,
}

/// A token as admins see it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct TokenItem {
    /// Which token.
    pub token_id: TokenId,
    /// What it is called.
    pub name: String,
    /// Its status.
    pub status: TokenStatus,
    /// When it was created.
    pub created_at: Timestamp,
    /// When its time is over; null is never.
    pub expires_at: Option<Timestamp>,
    /// How many transfers it may create; null is any number.
    pub max_transfers: Option<u64>,
    /// How many bytes it may hold; null is any number.
    pub max_total_bytes: Option<u64>,
    /// Transfers created, counted only under `max_transfers`.
    pub transfers_created: Option<u64>,
    /// Bytes declared and not yet removed, counted only under `max_total_bytes`.
    pub bytes_held: Option<u64>,
    /// When it was last used, exact to an hour; null is never.
    pub last_used_at: Option<Timestamp>,
}

impl TokenItem {
    /// `token` as it is at `now`.
    #[must_use]
    pub fn of(token: &Token, now: Timestamp) -> Self {
        let quota = token.quota.as_ref();
        Self {
            token_id: token.token_id,
            name: token.name.clone(),
            status: token.status_at(now),
            created_at: token.created_at,
            expires_at: token.expires_at,
            max_transfers: quota.and_then(|quota| quota.max_transfers),
            max_total_bytes: quota.and_then(|quota| quota.max_total_bytes),
            transfers_created: quota.and_then(Quota::transfers_created),
            bytes_held: quota.and_then(Quota::bytes_held),
            last_used_at: token.last_used_at,
        }
    }
}

/// A created token, with its only copy.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct CreatedToken {
    /// The token as admins see it.
    #[serde(flatten)]
    pub item: TokenItem,
    /// The token itself: this is the only time it is shown.
    pub token: String,
}
