//! Body of `POST /tokens/id/{token_id}/update`.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::{SetNotifications, object, present};

/// Changes of a token. A member that is absent stays as it is; `null` removes the expiry or the limit.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct UpdateToken {
    /// New name of the token: 1 to 100 characters, no control characters.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(min_length = 1, max_length = 100, pattern = r"^[^\u0000-\u001f\u007f-\u009f]*$")]
    pub name: Option<String>,
    /// Time from now until the token expires, in seconds; null means that it never expires.
    ///
    /// At most 100 years.
    #[serde(default, skip_serializing_if = "Option::is_none", deserialize_with = "present")]
    #[schema(value_type = Option<u64>, minimum = 1, maximum = 3_153_600_000_u64)]
    pub expires_in_s: Option<Option<u64>>,
    /// Maximum number of transfers created during the token's lifetime; null means unlimited.
    #[serde(default, skip_serializing_if = "Option::is_none", deserialize_with = "present")]
    #[schema(value_type = Option<u64>, minimum = 1, maximum = 9_007_199_254_740_991_u64)]
    pub max_transfers: Option<Option<u64>>,
    /// Maximum total encrypted size of the token's stored transfers, in bytes; null means unlimited.
    #[serde(default, skip_serializing_if = "Option::is_none", deserialize_with = "present")]
    #[schema(value_type = Option<u64>, minimum = 1, maximum = 9_007_199_254_740_991_u64)]
    pub max_total_bytes: Option<Option<u64>>,
    /// Targets and default choice of notifications.
    #[serde(default, skip_serializing_if = "Option::is_none", deserialize_with = "object")]
    pub notifications: Option<SetNotifications>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn null_differs_from_an_absent_member() {
        let parse = |json: &str| serde_json::from_str::<UpdateToken>(json).unwrap();
        assert_eq!(parse("{}"), UpdateToken::default());
        let update = parse(r#"{"expires_in_s":null,"max_transfers":3}"#);
        assert_eq!((update.expires_in_s, update.max_transfers), (Some(None), Some(Some(3))));
        assert_eq!(serde_json::to_string(&update).unwrap(), r#"{"expires_in_s":null,"max_transfers":3}"#);
        assert!(serde_json::from_str::<UpdateToken>(r#"{"quota":1}"#).is_err());
    }
}
