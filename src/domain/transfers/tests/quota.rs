//! Quotas of tokens, including crashes between any two writes.

use super::*;
use crate::domain::store::{FaultInjector, FaultyStore};
use crate::domain::transfer::PayloadState;

pub(super) async fn limited(fixture: &Fixture) -> Token {
    let request = CreateToken {
        name: "press".to_owned(),
        expires_in_s: None,
        max_transfers: Some(10),
        max_total_bytes: Some(5),
        notifications: None,
    };
    fixture.tokens.create(&fixture.scope(ActionName::TokenCreate), request).await.unwrap().0
}

pub(super) async fn create(fixture: &Fixture, token: &Token, key: u8) -> Result<Transfer, Error> {
    let request = CreateTransfer {
        own_link: OwnLinkChoice::Open,
        size_bytes: 3,
        expires_in_s: Some(86_400),
        max_downloads: None,
        access_sha256: None,
        access_from_passphrase: true,
        idempotency_key: Some(format!("{key:064x}")),
        notify: None,
    };
    // Reads the stored token again, like a request does.
    let token = fixture.tokens.find(token.token_id).await.unwrap();
    let new = fixture.transfers.create(&fixture.scope(ActionName::TransferCreate), &token, &request).await;
    new.map(|new| new.transfer)
}

pub(super) async fn used(fixture: &Fixture, token: &Token) -> (u64, u64) {
    let quota = fixture.tokens.find(token.token_id).await.unwrap().quota;
    (quota.transfers_created(), quota.bytes_held())
}

async fn delete(fixture: &Fixture, transfer: &Transfer) {
    let scope = fixture.scope(ActionName::TransferDelete);
    fixture.transfers.delete(&scope, transfer.transfer_id).await.unwrap();
}

/// Reserves quota without creating the transfer, like a crash between the two writes of a creation.
async fn reserve_only(fixture: &Fixture, token: &Token) {
    let token = fixture.tokens.find(token.token_id).await.unwrap();
    fixture.transfers.reserve_quota(&token, TransferId::random(), 3).await.unwrap();
}

#[tokio::test]
async fn bytes_count_until_the_payload_is_removed() {
    let fixture = Fixture::new();
    let token = limited(&fixture).await;
    let first = create(&fixture, &token, 1).await.unwrap();
    assert_eq!(create(&fixture, &token, 1).await.unwrap().transfer_id, first.transfer_id);
    assert_eq!(used(&fixture, &token).await, (1, 3), "the same transfer is counted twice");
    let error = create(&fixture, &token, 2).await.unwrap_err();
    assert!(matches!(error, Error::QuotaExceeded { member: "max_total_bytes" }));
    for _ in 0..2 {
        delete(&fixture, &first).await;
        assert_eq!(used(&fixture, &token).await, (1, 0));
    }
    let second = create(&fixture, &token, 2).await.unwrap();
    fixture.clock.set(second.own_link.expires_at);
    assert_eq!(used(&fixture, &token).await, (2, 3));
    fixture.transfers.sweep().await.unwrap();
    assert_eq!(used(&fixture, &token).await, (2, 0), "an expired transfer still counts");
}

#[tokio::test]
async fn the_reservation_of_an_interrupted_creation_is_released() {
    let fixture = Fixture::new();
    let token = limited(&fixture).await;
    reserve_only(&fixture, &token).await;
    create(&fixture, &token, 1).await.unwrap_err();
    fixture.clock.advance(Duration::from_hours(1));
    create(&fixture, &token, 1).await.unwrap();
    assert_eq!(used(&fixture, &token).await, (1, 3));
}

#[tokio::test]
async fn the_reservation_of_a_finished_creation_is_kept() {
    let fixture = Fixture::new();
    let token = limited(&fixture).await;
    create(&fixture, &token, 1).await.unwrap();
    // Another process, without the knowledge that the transfer was created.
    let other = Fixture::second_process(&fixture);
    fixture.clock.advance(Duration::from_hours(2));
    create(&other, &token, 2).await.unwrap_err();
    assert_eq!(used(&fixture, &token).await, (1, 3));
}

#[tokio::test]
async fn an_interrupted_removal_releases_bytes_once() {
    let fixture = Fixture::new();
    let token = limited(&fixture).await;
    let transfer = create(&fixture, &token, 1).await.unwrap();
    // The process ends after the removal of the payload and the release in the quota.
    let scope = fixture.scope(ActionName::TransferDelete);
    fixture
        .transfers
        .change(transfer.transfer_id, |mut transfer| {
            transfer.delete(START, crate::domain::transfer::DeletionCause::Requested);
            let schedule = vec![StorageKey::schedule_entry(START, transfer.transfer_id)];
            Ok(Swap::write(transfer, Commit { schedule, ..Commit::default() }, ()))
        })
        .await
        .unwrap();
    fixture.transfers.release_quota(transfer.transfer_id, transfer.token_id).await.unwrap();
    assert_eq!(used(&fixture, &token).await, (1, 0));
    let other = Fixture::second_process(&fixture);
    create(&other, &token, 2).await.unwrap();
    other.transfers.sweep().await.unwrap();
    let swept = other.transfers.find(&scope, transfer.transfer_id).await.unwrap();
    assert_eq!((swept.payload, swept.holds_quota), (PayloadState::Removed, false));
    assert_eq!(used(&fixture, &token).await, (2, 3), "the same bytes are released twice");
}

#[tokio::test]
async fn the_use_of_a_token_without_limits_is_counted() {
    let fixture = Fixture::new();
    let transfer = fixture.completed_transfer(None).await;
    let token = fixture.tokens.find(transfer.token_id).await.unwrap();
    assert_eq!(used(&fixture, &token).await, (1, 3));
    delete(&fixture, &transfer).await;
    assert_eq!(used(&fixture, &token).await, (1, 0));
    assert_eq!((token.quota.max_transfers, token.quota.max_total_bytes), (None, None));
}

#[tokio::test]
async fn two_servers_creating_the_same_transfer_count_it_once() {
    let fixture = Fixture::new();
    let token = limited(&fixture).await;
    let transfer = create(&fixture, &token, 1).await.unwrap();
    let other = Fixture::second_process(&fixture);
    let stored = fixture.tokens.find(token.token_id).await.unwrap();
    // The other server reserves for the same transfer, which already exists: with the same reservation...
    let mark = other.transfers.reserve_quota(&stored, transfer.transfer_id, 3).await.unwrap();
    other.transfers.cancel_quota(&transfer, token.token_id, mark).await.unwrap();
    assert_eq!(used(&fixture, &token).await, (1, 3), "the reservation of an existing transfer is released");
    // ...or, after the entry of the first reservation is dropped, with a second reservation.
    delete(&fixture, &transfer).await;
    let transfer = create(&fixture, &token, 2).await.unwrap();
    fixture.transfers.forget_reservations(&transfer).await.unwrap();
    let second = other.transfers.reserve_quota(&stored, transfer.transfer_id, 2).await.unwrap();
    assert_eq!(used(&fixture, &token).await, (3, 5));
    other.transfers.cancel_quota(&transfer, token.token_id, second).await.unwrap();
    assert_eq!(used(&fixture, &token).await, (2, 3));
}

#[tokio::test]
async fn a_removed_transfer_still_counts_as_created() {
    let fixture = Fixture::new();
    let token = limited(&fixture).await;
    let transfer = create(&fixture, &token, 1).await.unwrap();
    // The first process never writes the token again.
    let other = Fixture::second_process(&fixture);
    fixture.clock.set(transfer.own_link.expires_at.plus(RETAIN));
    assert_eq!(other.transfers.sweep().await.unwrap().removed, 1);
    create(&other, &token, 2).await.unwrap();
    assert_eq!(used(&fixture, &token).await, (2, 3));
}

#[tokio::test]
async fn removals_alone_do_not_accumulate_entries() {
    let fixture = Fixture::new();
    let request = CreateToken {
        name: "press".to_owned(),
        expires_in_s: None,
        max_transfers: None,
        max_total_bytes: Some(100),
        notifications: None,
    };
    let token = fixture.tokens.create(&fixture.scope(ActionName::TokenCreate), request).await.unwrap().0;
    let mut transfers = Vec::new();
    for key in 0..9 {
        transfers.push(create(&fixture, &token, key).await.unwrap());
    }
    for transfer in &transfers {
        delete(&fixture, transfer).await;
    }
    let quota = fixture.tokens.find(token.token_id).await.unwrap().quota;
    assert_eq!(quota.bytes_held(), 0);
    assert!(quota.abandoned(START.plus(RETAIN)).count() <= 1, "{quota:?}");
}

/// Half the time that a store operation of the slower server takes in the test below.
const HALF: Duration = Duration::from_millis(200);

#[tokio::test(start_paused = true)]
async fn a_creation_in_progress_keeps_its_reservation_when_a_clock_jumps() {
    let mut kept = 0;
    // The other server, whose clock has jumped, begins before, between and after the two writes of the first.
    for begin in (0..40).map(|step| step * HALF / 2) {
        let memory = MemoryStore::default();
        let server = |now, delay: fn() -> Duration| {
            let store = FaultyStore::over(memory.clone()).with(FaultInjector::default().delaying(delay));
            Fixture::with_store_and_clock(Arc::new(store), Arc::new(ManualClock::at(now)))
        };
        let first = server(START, || HALF);
        let other = server(START.plus(Duration::from_hours(30)), || Duration::from_millis(1));
        let token = limited(&first).await;
        let late = async {
            tokio::time::sleep(begin).await;
            create(&other, &token, 2).await
        };
        let (one, two) = tokio::join!(create(&first, &token, 1), late);
        assert_eq!(usize::from(one.is_ok()) + usize::from(two.is_ok()), 1, "after {begin:?}: {one:?} {two:?}");
        assert_eq!(used(&first, &token).await, (1, 3));
        kept += usize::from(one.is_ok());
    }
    assert!((5..40).contains(&kept), "the two servers did not overlap: {kept}");
}

/// Returns a service over a slow store, and a token for 10 transfers of at most 5 bytes in all.
///
/// The operations with the numbers `failing` fail.
async fn slow(failing: std::ops::Range<u64>) -> (Arc<FaultyStore>, Fixture, Token) {
    let memory = MemoryStore::default();
    let token = limited(&Fixture::with_store(Arc::new(memory.clone()))).await;
    let faults = FaultInjector::failing_within(failing).delaying(|| Duration::from_millis(10));
    let store = Arc::new(FaultyStore::over(memory).with(faults));
    (store.clone(), Fixture::with_store(store), token)
}

/// Reserves one byte for each of 20 transfers at once, and returns the results.
async fn reserve_at_once(
    fixture: &Fixture,
    token: &Token,
) -> Vec<Result<crate::domain::token::ReservationMark, Error>> {
    let reserve = || fixture.transfers.reserve_quota(token, TransferId::random(), 1);
    futures_util::future::join_all((0..20).map(|_| reserve())).await
}

#[tokio::test(start_paused = true)]
async fn concurrent_reservations_share_a_write_and_keep_the_limit() {
    let (store, fixture, token) = slow(0..0).await;
    let results = reserve_at_once(&fixture, &token).await;
    let is_exceeded =
        |result: &&Result<_, Error>| matches!(result, Err(Error::QuotaExceeded { member: "max_total_bytes" }));
    assert_eq!((results.iter().flatten().count(), results.iter().filter(is_exceeded).count()), (5, 15), "{results:?}");
    assert_eq!(used(&fixture, &token).await, (5, 5));
    // The first alone, and those that arrive during its write.
    assert_eq!(store.commits(), 2);
}

#[tokio::test(start_paused = true)]
async fn a_failed_write_fails_one_of_the_changes_that_share_it() {
    // The second write reads the token, and commits: operations 2 and 3.
    let (_, fixture, token) = slow(3..4).await;
    let results = reserve_at_once(&fixture, &token).await;
    let is_failed = |result: &&Result<_, Error>| matches!(result, Err(Error::StorageUnavailable(_)));
    assert_eq!((results.iter().flatten().count(), results.iter().filter(is_failed).count()), (5, 1), "{results:?}");
    assert_eq!(used(&fixture, &token).await, (5, 5));
}

#[tokio::test(start_paused = true)]
async fn a_change_given_up_during_its_write_counts_those_that_share_it_once() {
    // Each operation takes 20 ms, and changes the store in the middle. The first change is written until 40 ms. The second
    // then reads the token, and writes its own change and the third; it is given up before or after the store has changed.
    for (given_up_ms, expected) in [(65, 2), (75, 3)] {
        let (store, fixture, token) = slow(0..0).await;
        let reserve = || fixture.transfers.reserve_quota(&token, TransferId::random(), 1);
        let second = tokio::time::timeout(Duration::from_millis(given_up_ms), reserve());
        let (first, second, third) = tokio::join!(reserve(), second, reserve());
        first.unwrap();
        second.unwrap_err();
        third.unwrap();
        assert_eq!(used(&fixture, &token).await, (expected, expected), "given up after {given_up_ms} ms");
        assert_eq!(store.commits(), 3);
    }
}
