use proptest::prelude::*;

use super::*;
use crate::domain::crypto::digest::Sha256;
use crate::domain::crypto::info::SealedInfo;
use crate::domain::notification::NotificationChoice;

const START: Timestamp = Timestamp::from_millis(1_000_000_000);

fn transfer(max_downloads: Option<u32>) -> Transfer {
    let terms = TransferTerms {
        size_bytes: 1_000,
        lifetime: Duration::from_hours(48),
        max_downloads,
        access_sha256: None,
        access_from_passphrase: true,
        notify: NotificationChoice::First,
        own_link_closed: false,
    };
    Transfer::new(TransferId::random(), TokenId::random(), &terms, START)
}

fn digest(number: u32) -> Sha256 {
    Sha256::of(&number.to_be_bytes())
}

#[test]
fn an_idle_upload_expires_after_a_day_and_an_active_one_with_the_transfer() {
    let mut transfer = transfer(None);
    assert_eq!(transfer.deadline(), Some(START.plus(PENDING_IDLE_TIMEOUT)));
    transfer.record_bytes(START.plus(Duration::from_hours(23))).unwrap();
    assert_eq!(transfer.deadline(), Some(START.plus(Duration::from_hours(47))));
    transfer.record_bytes(START.plus(Duration::from_hours(46))).unwrap();
    assert_eq!(transfer.deadline(), Some(transfer.own_link.expires_at));
}

#[test]
fn a_completed_transfer_expires_exactly_at_its_expiry_time() {
    let mut transfer = transfer(None);
    assert!(transfer.complete(START, &CompleteUpload::default()).unwrap());
    assert!(!transfer.complete(START, &CompleteUpload::default()).unwrap());
    let other = CompleteUpload { info: Some(SealedInfo::example()), ..CompleteUpload::default() };
    assert!(matches!(transfer.complete(START, &other), Err(Error::InfoMismatch)));
    let last = Timestamp::from_millis(transfer.own_link.expires_at.as_millis() - 1);
    assert_eq!(transfer.state_at(last).status(), Status::Completed);
    assert_eq!(transfer.state_at(transfer.own_link.expires_at).status(), Status::Expired);
    assert!(matches!(
        transfer.own_link_at(transfer.own_link.expires_at).check_downloadable(true),
        Err(Error::TransferExpired)
    ));
    assert_eq!(transfer.apply_expiry(last), None);
    assert_eq!(transfer.apply_expiry(transfer.own_link.expires_at), Some(EventKind::TransferExpired));
    assert_eq!(transfer.state.completed_at(), Some(START));
}

#[test]
fn an_exhausted_payload_stays_until_its_last_grant_expires() {
    let mut transfer = transfer(Some(1));
    transfer.complete(START, &CompleteUpload::default()).unwrap();
    let granted = transfer.count_download(digest(1), START).unwrap();
    assert!(granted.exhausted);
    assert!(transfer.own_link_at(START).check_downloadable(true).is_ok());
    assert!(matches!(transfer.own_link_at(START).check_downloadable(false), Err(Error::TransferExhausted)));
    assert!(!transfer.release_payload(START));
    assert_eq!(transfer.next_sweep_at(START, Duration::ZERO), granted.grant.expires_at);
    assert!(transfer.release_payload(granted.grant.expires_at));
    assert!(matches!(transfer.own_link_at(START).check_downloadable(true), Err(Error::TransferExhausted)));
}

#[test]
fn a_grant_covers_an_hour_or_a_slow_download_but_ends_at_expiry() {
    let mut transfer = transfer(None);
    assert_eq!(transfer.own_link_at(START).new_grant(digest(0)).expires_at, START.plus(Duration::from_hours(1)));
    transfer.size_bytes = 7200 * MIN_DOWNLOAD_RATE;
    assert_eq!(transfer.own_link_at(START).new_grant(digest(0)).expires_at, START.plus(Duration::from_hours(2)));
    let late = transfer.own_link.expires_at.minus(Duration::from_secs(1));
    assert_eq!(transfer.own_link_at(late).new_grant(digest(0)).expires_at, transfer.own_link.expires_at);
}

#[derive(Clone, Copy, Debug)]
enum Step {
    Wait(u32),
    Bytes,
    Complete,
    Download(u32),
    Delete,
    Settle,
    Release,
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let step = prop_oneof![
        (0..40_000u32).prop_map(Step::Wait),
        Just(Step::Bytes),
        Just(Step::Complete),
        any::<u32>().prop_map(Step::Download),
        Just(Step::Delete),
        Just(Step::Settle),
        Just(Step::Release),
    ];
    proptest::collection::vec(step, 0..40)
}

/// Returns the rank of a status in the life cycle; transfers never move to a lower rank.
fn rank(status: Status) -> u8 {
    match status {
        Status::Pending => 0,
        Status::Completed => 1,
        Status::Expired | Status::Exhausted => 2,
        Status::Deleted | Status::Closed => 3,
    }
}

proptest! {
    #[test]
    fn invariants_hold_after_any_sequence_of_steps(limit in proptest::option::of(1..4u32), steps in steps()) {
        let mut transfer = transfer(limit);
        let mut now = START;
        for step in steps {
            let before = transfer.clone();
            let status = transfer.state_at(now).status();
            match step {
                Step::Wait(seconds) => now = now.plus(Duration::from_secs(seconds.into())),
                Step::Bytes => prop_assert_eq!(transfer.record_bytes(now).is_ok(), status == Status::Pending),
                Step::Complete => {
                    let allowed = matches!(status, Status::Pending | Status::Completed | Status::Exhausted);
                    prop_assert_eq!(transfer.complete(now, &CompleteUpload::default()).is_ok(), allowed);
                }
                Step::Download(number) if limit.is_some() => {
                    prop_assert_eq!(transfer.count_download(digest(number), now).is_ok(), status == Status::Completed);
                }
                Step::Download(_) => {}
                Step::Delete => {
                    transfer.delete(now, DeletionCause::Requested);
                    prop_assert_eq!(transfer.state.status(), Status::Deleted);
                }
                Step::Settle => {
                    transfer.apply_expiry(now);
                }
                Step::Release => {
                    transfer.release_payload(now);
                }
            }
            let after = transfer.state_at(now).status();
            prop_assert!(rank(after) >= rank(before.state.status()));
            if let Some(limit) = limit {
                prop_assert!(transfer.own_link.download_count() <= u64::from(limit));
                prop_assert_eq!(transfer.own_link.downloads_remaining() == Some(0), transfer.own_link.grants.len() == limit as usize);
            }
            if transfer.payload != PayloadState::Stored {
                prop_assert!(transfer.own_link_at(now).check_downloadable(true).is_err(), "a released payload can be downloaded");
                prop_assert!(transfer.record_bytes(now).is_err(), "a released payload can be written");
            }
            for grant in &transfer.own_link.grants {
                prop_assert!(grant.expires_at <= transfer.own_link.expires_at);
            }
        }
    }
}

#[test]
fn the_words_of_the_first_stores_are_read() {
    let first = r#"{"v":1,"transfer_id":"97c3519481d25754e797fddeb8c60f54","token_id":"19156ad376f0bcad","size_bytes":151,
        "created_at":1,"expires_at":9,"max_downloads":null,"access_sha256":null,"created_under":null,
        "state":{"status":"deleted","at":5,"completed_at":3,"cause":"asked"},"upload":"bytes","last_byte_at":2,"grants":[],
        "downloads":0,"payload":"released"}"#;
    let transfer: Transfer = serde_json::from_str(first).unwrap();
    assert!(matches!(transfer.state, State::Deleted { cause: DeletionCause::Requested, .. }));
    assert_eq!((transfer.payload, transfer.own_link.access_from_passphrase), (PayloadState::PendingRemoval, true));
    let kept: Transfer = serde_json::from_str(&first.replace("released", "kept")).unwrap();
    assert_eq!(kept.payload, PayloadState::Stored);
}
