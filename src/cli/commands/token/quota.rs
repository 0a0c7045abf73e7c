//! The quota of a sender token as text.

use bytesize::ByteSize;

use crate::domain::wire::TokenItem;

/// Returns the limits of a token and their use; `None` for a token without limits.
pub(crate) fn quota_text(item: &TokenItem) -> Option<String> {
    let transfers = item.max_transfers.map(|limit| {
        let created = item.transfers_created.unwrap_or_default();
        format!("{created} of {limit} transfers created")
    });
    let bytes = item.max_total_bytes.map(|limit| {
        let stored = item.bytes_held.unwrap_or_default();
        format!("{} of {} stored", ByteSize(stored), ByteSize(limit))
    });
    let parts: Vec<String> = transfers.into_iter().chain(bytes).collect();
    (!parts.is_empty()).then(|| parts.join(", "))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::id::TokenId;
    use crate::domain::timestamp::Timestamp;
    use crate::domain::token::TokenStatus;

    #[test]
    fn only_existing_limits_are_listed() {
        let mut item = TokenItem {
            token_id: TokenId::random(),
            name: "press".to_owned(),
            status: TokenStatus::Active,
            created_at: Timestamp::from_millis(0),
            expires_at: None,
            max_transfers: None,
            max_total_bytes: None,
            transfers_created: None,
            bytes_held: None,
            last_used_at: None,
            notifications: None,
        };
        assert_eq!(quota_text(&item), None);
        item.max_transfers = Some(10);
        item.transfers_created = Some(3);
        assert_eq!(quota_text(&item).unwrap(), "3 of 10 transfers created");
        item.max_total_bytes = Some(2 << 30);
        item.bytes_held = Some(512 << 20);
        assert_eq!(quota_text(&item).unwrap(), "3 of 10 transfers created, 512.0 MiB of 2.0 GiB stored");
    }
}
