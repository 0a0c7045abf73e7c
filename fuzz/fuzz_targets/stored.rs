//! Parsers for stored records, and values computed from them.

#![no_main]

use std::time::Duration;

use libfuzzer_sys::fuzz_target;
use sgsend::domain::audit::{Record, RecordClass};
use sgsend::domain::crypto::digest::Sha256;
use sgsend::domain::id::TransferId;
use sgsend::domain::stats::{CounterDelta, DayStats};
use sgsend::domain::store::{StorageKey, StoreHeader};
use sgsend::domain::timestamp::Timestamp;
use sgsend::domain::token::{Token, TokenStatus};
use sgsend::domain::transfer::{GrantRecord, PartPlan, PayloadState, Status, Transfer};
use sgsend_fuzz::{assert_round_trip, parse_round_trip};

const NOW: Timestamp = Timestamp::from_millis(1_767_225_600_000);
const RETENTION: Duration = Duration::from_hours(24 * 90);

fn check_transfer(mut transfer: Transfer) {
    let state = transfer.state_at(NOW);
    assert!(transfer.deadline().is_none_or(|deadline| deadline > NOW) || state.status() == Status::Expired);
    assert!(
        transfer.retained_until(RETENTION) >= state.ended_at().unwrap_or_default().min(transfer.own_link.expires_at)
    );
    let _ = transfer.next_sweep_at(NOW, RETENTION);
    assert!(transfer.own_link.downloads_remaining() <= transfer.own_link.max_downloads);
    let grant = transfer.own_link_at(NOW).new_grant(Sha256::of(b"grant"));
    assert!(grant.expires_at <= transfer.own_link.expires_at);
    if let Some(plan) = PartPlan::of(transfer.size_bytes) {
        let last = plan.count();
        assert!(last <= 10_000 && plan.length(0).is_none() && plan.length(last + 1).is_none());
        let before = u64::from(last - 1) * plan.part_size();
        assert_eq!(plan.length(last).map(|length| before + length), Some(transfer.size_bytes));
    }
    // An ended transfer stays ended, and an unavailable payload stays unavailable.
    let is_downloadable = transfer.own_link_at(NOW).check_downloadable(false).is_ok();
    if is_downloadable && transfer.own_link.max_downloads.is_some() {
        let before = transfer.own_link.download_count();
        assert!(transfer.count_download(Sha256::of(b"grant"), NOW).is_ok());
        assert_eq!(transfer.own_link.download_count(), before + 1);
    }
    transfer.apply_expiry(NOW);
    transfer.release_payload(NOW);
    assert!(transfer.apply_expiry(NOW).is_none(), "a second call changed the transfer again");
    if transfer.payload != PayloadState::Stored {
        assert!(
            transfer.own_link_at(NOW).check_downloadable(true).is_err() || transfer.state_at(NOW).ended_at().is_none()
        );
    }
    assert_round_trip(&transfer);
}

fn check_record(record: Record) {
    let id = TransferId::random();
    for class in [RecordClass::Read, RecordClass::Change] {
        assert_eq!(StorageKey::transfer_record(id, class, &record).name(), record.id().to_string());
        assert_eq!(StorageKey::service_record(class, &record).day(), Some(record.at().day()));
    }
    let shown = record.without_client();
    assert_round_trip(&shown);
    let shown = serde_json::to_value(&shown).expect("the record can be serialised");
    let client = shown.get("client");
    assert!(shown.get("token_id").is_none());
    assert!(["address", "epoch", "agent"].iter().all(|name| client.is_none_or(|client| client.get(name).is_none())));
}

fuzz_target!(|json: &[u8]| {
    if let Some(transfer) = parse_round_trip(json) {
        check_transfer(transfer);
    }
    if let Some(record) = parse_round_trip(json) {
        check_record(record);
    }
    if let Some(mut token) = parse_round_trip::<Token>(json) {
        let status = token.status_at(NOW);
        assert_eq!(status == TokenStatus::Revoked, token.revoked_at.is_some());
        let is_updated = token.record_use(NOW);
        assert!(
            !token.record_use(NOW) && token.last_used_at.is_some() && (!is_updated || token.last_used_at == Some(NOW))
        );
    }
    if let Some(stats) = parse_round_trip::<DayStats>(json) {
        let delta = CounterDelta { created: 1, completed: 1, downloads: 1, bytes: 1, ..CounterDelta::on(NOW.day()) };
        let after = DayStats::after(Some(stats.clone()), &delta);
        assert!(after.day >= stats.day && after.downloads_ever >= stats.downloads_ever);
        assert_round_trip(&after);
        let counts = stats.transfers.non_negative();
        assert_eq!(counts.pending, u64::try_from(stats.transfers.pending).unwrap_or(0));
    }
    parse_round_trip::<GrantRecord>(json);
    parse_round_trip::<StoreHeader>(json);
});
