//! What a token may still be used for, in words.

use bytesize::ByteSize;

use crate::domain::wire::TokenItem;

/// The limits of a token and what is used of them; nothing for one without.
pub(in crate::cli) fn quota_text(item: &TokenItem) -> Option<String> {
    let transfers = item.max_transfers.map(|most| {
        let created = item.transfers_created.unwrap_or_default();
        format!("{created} of {most} transfers created")
    });
    let bytes = item.max_total_bytes.map(|most| {
        let held = item.bytes_held.unwrap_or_default();
        format!("{} of {} held", ByteSize(held), ByteSize(most))
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
    fn limits_are_told_where_there_are_any() {
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
        };
        assert_eq!(quota_text(&item), None);
        item.max_transfers = Some(10);
        item.transfers_created = Some(3);
        assert_eq!(quota_text(&item).unwrap(), "3 of 10 transfers created");
        item.max_total_bytes = Some(2 << 30);
        item.bytes_held = Some(512 << 20);
        assert_eq!(quota_text(&item).unwrap(), "3 of 10 transfers created, 512.0 MiB of 2.0 GiB held");
    }
}
