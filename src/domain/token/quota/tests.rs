//! Limits, entries and cancellations of quotas.

use super::*;

const NOW: Timestamp = Timestamp::from_millis(1_000_000);

fn quota() -> Quota {
    Quota::new(Some(3), Some(100))
}

fn used(quota: &Quota) -> (u64, u64) {
    (quota.transfers_created(), quota.bytes_held())
}

#[test]
fn limits_are_exact() {
    let mut quota = quota();
    let [first, second, third] = [(); 3].map(|()| TransferId::random());
    quota.reserve(first, 60, NOW).unwrap();
    let error = quota.reserve(second, 41, NOW).unwrap_err();
    assert!(matches!(error, Error::QuotaExceeded { member: "max_total_bytes" }));
    assert_eq!(used(&quota), (1, 60), "a rejected reservation is counted");
    quota.reserve(second, 40, NOW).unwrap();
    quota.release(first, 60, NOW);
    quota.reserve(third, 60, NOW).unwrap();
    quota.release(second, 40, NOW);
    let error = quota.reserve(TransferId::random(), 1, NOW).unwrap_err();
    assert!(
        matches!(error, Error::QuotaExceeded { member: "max_transfers" }),
        "a release lowers the number of transfers created"
    );
    assert_eq!(used(&quota), (3, 60));
}

#[test]
fn huge_sizes_exceed_the_quota_without_overflow() {
    let mut quota = quota();
    quota.reserve(TransferId::random(), 1, NOW).unwrap();
    quota.reserve(TransferId::random(), u64::MAX, NOW).unwrap_err();
    assert_eq!(used(&quota), (1, 1));
}

#[test]
fn each_step_counts_once() {
    let (mut quota, id) = (quota(), TransferId::random());
    let mark = quota.reserve(id, 10, NOW).unwrap();
    assert_eq!(quota.reserve(id, 10, NOW).unwrap(), mark);
    assert_eq!(used(&quota), (1, 10));
    assert!(quota.drop_entry(QuotaEntry::reserved(id, mark)));
    quota.release(id, 10, NOW);
    quota.release(id, 10, NOW);
    assert_eq!(used(&quota), (1, 0));
    assert!(quota.drop_entry(QuotaEntry::released(id)));
    assert_eq!(quota, Quota { transfers_created: 1, ..self::quota() }, "entries remain");
}

#[test]
fn cancelling_releases_only_the_reservation_with_the_same_mark() {
    let (mut quota, id) = (quota(), TransferId::random());
    let first = quota.reserve(id, 10, NOW).unwrap();
    quota.drop_entry(QuotaEntry::reserved(id, first));
    let second = quota.reserve(id, 10, NOW).unwrap();
    assert_eq!(used(&quota), (2, 20));
    quota.cancel(id, first);
    assert_eq!(used(&quota), (2, 20), "the reservation of an existing transfer is released");
    quota.cancel(id, second);
    assert_eq!(used(&quota), (1, 10));
}

#[test]
fn abandoned_entries_end_by_their_verdicts() {
    let [created, never, released, unknown] = [(); 4].map(|()| TransferId::random());
    let mut quota = Quota::new(None, Some(1_000));
    let [created, never, released, unknown] =
        [created, never, released, unknown].map(|id| QuotaEntry::reserved(id, quota.reserve(id, 100, NOW).unwrap()));
    quota.drop_entry(released);
    quota.release(released.transfer_id, 100, NOW);
    assert_eq!(quota.abandoned(NOW.plus(Duration::from_mins(59))).count(), 0);
    let later = NOW.plus(ABANDONED_AFTER);
    assert_eq!(quota.abandoned(later).count(), 4);
    let verdicts = [
        (created, EntryOutcome::Completed),
        (never, EntryOutcome::Unused),
        (QuotaEntry::released(released.transfer_id), EntryOutcome::Completed),
    ];
    quota.resolve_abandoned(&verdicts.into(), later);
    assert_eq!(quota.bytes_held(), 200);
    assert_eq!(quota.abandoned(later).collect::<Vec<_>>(), [unknown]);
}

#[test]
fn a_retried_reservation_is_not_abandoned() {
    let (mut quota, id) = (quota(), TransferId::random());
    quota.reserve(id, 10, NOW).unwrap();
    let later = NOW.plus(ABANDONED_AFTER);
    assert_eq!(quota.abandoned(later).count(), 1);
    quota.reserve(id, 10, later).unwrap();
    assert_eq!(quota.abandoned(later).count(), 0);
}
