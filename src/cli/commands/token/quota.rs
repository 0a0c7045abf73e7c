//! The use and the quota of a sender token as text.

use bytesize::ByteSize;

use crate::domain::wire::TokenItem;

/// Describes the limits of a token and their use; `None` if it has none.
pub(crate) fn quota_text(item: &TokenItem) -> Option<String> {
    let transfers = item.max_transfers.map(|_| transfers_text(item));
    let bytes = item.max_total_bytes.map(|_| bytes_text(item));
    let parts: Vec<String> = transfers.into_iter().chain(bytes).collect();
    (!parts.is_empty()).then(|| parts.join(", "))
}

/// Describes the use of a token, with its limits.
pub(super) fn use_text(item: &TokenItem) -> String {
    format!("{}, {}", transfers_text(item), bytes_text(item))
}

fn transfers_text(item: &TokenItem) -> String {
    let created = item.transfers_created;
    match item.max_transfers {
        Some(limit) => format!("{created} of {limit} transfers created"),
        None if created == 1 => "1 transfer created".to_owned(),
        None => format!("{created} transfers created"),
    }
}

fn bytes_text(item: &TokenItem) -> String {
    let stored = ByteSize(item.bytes_held);
    item.max_total_bytes
        .map_or_else(|| format!("{stored} stored"), |limit| format!("{stored} of {} stored", ByteSize(limit)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::id::TokenId;
    use crate::domain::timestamp::Timestamp;
    use crate::domain::token::TokenStatus;

    #[test]
    fn the_use_is_shown_with_the_limits_that_exist() {
        let mut item = TokenItem {
            owner: None,
            token_id: TokenId::random(),
            name: "press".to_owned(),
            status: TokenStatus::Active,
            created_at: Timestamp::from_millis(0),
            expires_at: None,
            max_transfers: None,
            max_total_bytes: None,
            transfers_created: 1,
            bytes_held: 512 << 20,
            last_used_at: None,
            notifications: None,
        };
        assert_eq!(quota_text(&item), None);
        assert_eq!(use_text(&item), "1 transfer created, 512.0 MiB stored");
        item.max_transfers = Some(10);
        item.transfers_created = 3;
        assert_eq!(quota_text(&item).unwrap(), "3 of 10 transfers created");
        item.max_total_bytes = Some(2 << 30);
        assert_eq!(quota_text(&item).unwrap(), "3 of 10 transfers created, 512.0 MiB of 2.0 GiB stored");
        assert_eq!(use_text(&item), quota_text(&item).unwrap());
    }
}
