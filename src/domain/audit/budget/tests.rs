//! Budgets of networks, transfers and processes, and reports of skipped records.

use super::*;

const NOW: Timestamp = Timestamp::from_millis(0);
const ONE: NetworkKey = NetworkKey::of_test(1);
const OTHER: NetworkKey = NetworkKey::of_test(2);
const RECORD: u64 = 600;

fn take(budgets: &mut Budgets, charge: Charge, network: NetworkKey, now: Timestamp) -> bool {
    let taken = budgets.take(charge, network, now, || ((), RECORD)).is_some();
    if !taken {
        budgets.skip_charge(charge);
    }
    taken
}

/// Charges records until the budget is exhausted; returns their bytes.
fn exhaust(budgets: &mut Budgets, network: NetworkKey, mut charge: impl FnMut() -> Charge) -> u64 {
    let mut bytes = 0;
    while take(budgets, charge(), network, NOW) {
        bytes += RECORD;
    }
    bytes
}

fn reports(budgets: &mut Budgets, now: Timestamp) -> Vec<(TransferId, Skipped)> {
    budgets.take_unreported(now, false, |id, skipped| ((id, skipped), RECORD))
}

#[test]
fn a_network_exhausts_only_its_own_budget_and_counts_what_it_skips() {
    let (mut budgets, id) = (Budgets::default(), TransferId::random());
    let read = Charge::Transfer(id, BudgetKind::Read);
    let recorded = exhaust(&mut budgets, ONE, || read);
    assert!(recorded.abs_diff(READS.network) <= RECORD, "{recorded} bytes");
    assert!(take(&mut budgets, read, OTHER, NOW), "one network exhausted the budget of another");
    let rejection = Charge::Transfer(id, BudgetKind::Rejection);
    assert!(take(&mut budgets, rejection, ONE, NOW), "reads exhausted the budget of rejections");
    for _ in 0..4 {
        assert!(!take(&mut budgets, read, ONE, NOW));
    }
    assert_eq!(reports(&mut budgets, NOW), [(id, Skipped { reads: 5, ..Skipped::default() })]);
    let tomorrow = NOW.plus(DAY);
    assert!(take(&mut budgets, read, ONE, tomorrow), "a new day did not reset the budget");
}

#[test]
fn many_networks_leave_room_for_the_first_records_of_others() {
    let mut budgets = Budgets::default();
    let total: u64 = (1..=50)
        .map(|network| {
            exhaust(&mut budgets, NetworkKey::of_test(network), || {
                Charge::Transfer(TransferId::random(), BudgetKind::Read)
            })
        })
        .sum();
    assert!(total <= READS.process, "{total} bytes");
    let honest = NetworkKey::of_test(200);
    let first = exhaust(&mut budgets, honest, || Charge::Transfer(TransferId::random(), BudgetKind::Read));
    assert!(first.abs_diff(FIRST_BYTES) <= RECORD, "{first} bytes of an honest network");
}

#[test]
fn one_transfer_cannot_take_the_whole_budget() {
    let (mut budgets, id) = (Budgets::default(), TransferId::random());
    let rejection = Charge::Transfer(id, BudgetKind::Rejection);
    let total: u64 = (1..=10).map(|network| exhaust(&mut budgets, NetworkKey::of_test(network), || rejection)).sum();
    let first = 8 * (FIRST_BYTES + RECORD);
    assert!((REJECTIONS.transfer..=REJECTIONS.transfer + first).contains(&total), "{total} bytes");
    assert_eq!(
        exhaust(&mut budgets, NetworkKey::of_test(98), || rejection).div_ceil(FIRST_BYTES),
        2,
        "the first records of a network were suppressed by others"
    );
    assert!(take(
        &mut budgets,
        Charge::Transfer(TransferId::random(), BudgetKind::Rejection),
        NetworkKey::of_test(99),
        NOW
    ));
}

#[test]
fn kinds_of_service_requests_have_separate_budgets() {
    let mut budgets = Budgets::default();
    let recorded = exhaust(&mut budgets, ONE, || Charge::Service(ServiceRequestKind::Limited));
    assert!(recorded.abs_diff(SERVICE.network) <= RECORD, "{recorded} bytes");
    assert!(!budgets.has_room(ServiceRequestKind::Limited, ONE, NOW));
    for kind in [ServiceRequestKind::Unknown, ServiceRequestKind::NoAdmin, ServiceRequestKind::WrongToken] {
        assert!(budgets.has_room(kind, ONE, NOW), "{kind:?}");
    }
    assert!(budgets.has_room(ServiceRequestKind::Limited, OTHER, NOW));
    assert!(budgets.has_room(ServiceRequestKind::Limited, ONE, NOW.plus(DAY)));
}

#[test]
fn reports_become_rarer_and_have_a_budget() {
    let (mut budgets, id) = (Budgets::default(), TransferId::random());
    let mut times = Vec::new();
    for minute in 0..24 * 60 {
        let now = NOW.plus(Duration::from_mins(minute));
        budgets.skip(id, BudgetKind::Read);
        times.extend(reports(&mut budgets, now).iter().map(|_| minute));
    }
    assert_eq!(times[..5], [0, 1, 3, 7, 15]);
    assert_eq!(times.last(), Some(&(255 + 4 * 240)), "{times:?}");
    let mut reported = 0;
    for _ in 0..10_000 {
        budgets.skip(TransferId::random(), BudgetKind::Read);
    }
    reported += reports(&mut budgets, NOW.plus(Duration::from_hours(20))).len() as u64;
    assert!(reported * RECORD <= REPORTS, "{reported} reports");
    assert_eq!(reports(&mut budgets, NOW.plus(Duration::from_hours(20))).len(), 0);
    let rest = reports(&mut budgets, NOW.plus(DAY)).len() as u64;
    assert!(rest * RECORD >= REPORTS && rest * RECORD <= REPORTS + RECORD, "{rest} reports on the next day");
    let all = budgets.take_unreported(NOW.plus(DAY), true, |id, _| (id, RECORD));
    assert!(!all.is_empty(), "a shutdown loses counts");
}

#[test]
fn counts_of_skipped_records_are_bounded() {
    let mut budgets = Budgets::default();
    for _ in 0..MAX_SUPPRESSED + 10 {
        budgets.skip(TransferId::random(), BudgetKind::Read);
    }
    assert_eq!(budgets.suppressed.len(), MAX_SUPPRESSED);
    budgets.take_unreported(NOW, true, |_, _| ((), 0));
    reports(&mut budgets, NOW.plus(Duration::from_mins(1)));
    assert!(budgets.suppressed.is_empty(), "reported counts are never removed");
}
