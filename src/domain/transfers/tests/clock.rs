//! Clocks set forward and back by days.

use super::*;
use crate::domain::transfers::authorise::UnknownGrant;

const DAY: Duration = Duration::from_hours(24);

/// Successive clock readings in days since [`START`], each within 3 days of the reading before.
const DAYS: [u64; 8] = [5, 6, 5, 4, 6, 3, 4, 7];

impl Fixture {
    fn set_to_day(&self, day: u64) {
        self.clock.set(START.plus(DAY * u32::try_from(day).unwrap()));
    }

    async fn counts(&self) -> (TransferCounts, u64) {
        let overview = self.transfers.overview(&self.tokens).await.unwrap();
        (overview.transfers, overview.downloads)
    }

    async fn count(&self, transfer: &Transfer, grant: &Grant) -> Result<(), Error> {
        let scope = self.scope(ActionName::DownloadGrant);
        self.transfers.count_download(&scope, &own(transfer), grant, ChangeResult::Done).await.map(drop)
    }
}

#[tokio::test]
async fn all_operations_work_across_clock_changes() {
    let fixture = Fixture::new();
    let mut ids = Vec::new();
    for (number, day) in (1_u64..).zip(DAYS) {
        fixture.set_to_day(day);
        let transfer = fixture.completed_transfer(Some(2)).await;
        for expected in [true, true, false] {
            assert_eq!(fixture.count(&transfer, &Grant::random()).await.is_ok(), expected);
        }
        assert_eq!(fixture.transfers.sweep().await.unwrap().failed, 0);
        // The totals are current, regardless of the day that contains them.
        let (counts, downloads) = fixture.counts().await;
        assert_eq!((counts.completed, counts.pending), (0, 0), "{counts:?}");
        assert_eq!((counts.exhausted + counts.expired, downloads), (number, 2 * number), "{counts:?}");
        ids.push(transfer.transfer_id);
    }
    for id in ids {
        let mut kinds = fixture.events(id).await;
        // The time of the sweeper's events depends on the clock.
        kinds.retain(|kind| *kind != EventKind::PayloadRemoved);
        let order = [
            EventKind::TransferCreated,
            EventKind::TransferCompleted,
            EventKind::DownloadGranted,
            EventKind::DownloadGranted,
            EventKind::TransferExhausted,
        ];
        assert_eq!(kinds, order);
    }
}

#[tokio::test]
async fn a_recorded_expiry_holds_when_the_clock_is_set_back() {
    let fixture = Fixture::new();
    let transfer = fixture.completed_transfer(None).await;
    let (id, grant) = (transfer.transfer_id, Grant::random());
    fixture.count(&transfer, &grant).await.unwrap();
    fixture.clock.set(transfer.own_link.expires_at);
    assert_eq!(fixture.transfers.sweep().await.unwrap().payloads_removed, 1);
    fixture.clock.set(START.minus(DAY));
    let scope = fixture.scope(ActionName::DownloadGrant);
    let found = fixture.transfers.find(&scope, id).await.unwrap();
    for grant in [None, Some(&grant)] {
        let authorised =
            fixture.transfers.authorise(&scope, &own(&found), None, grant, UnknownGrant::CountsDownload).await;
        assert!(matches!(authorised, Err(Error::TransferExpired)), "{authorised:?}");
    }
    assert!(fixture.transfers.open(&own(&found), 0..3).await.is_err(), "the payload of an expired transfer is served");
    // A sweep with the wrong clock does not lose schedule entries of the correct clock.
    assert_eq!(fixture.transfers.sweep().await.unwrap(), SweepResult::default());
    fixture.clock.set(transfer.own_link.expires_at.plus(RETAIN));
    assert_eq!(fixture.transfers.sweep().await.unwrap().removed, 1);
}

#[tokio::test]
async fn a_grant_counts_one_download_on_any_day() {
    let fixture = Fixture::new();
    fixture.set_to_day(2);
    let transfer = fixture.completed_transfer(Some(1)).await;
    let grant = Grant::random();
    fixture.count(&transfer, &grant).await.unwrap();
    for (day, live) in [(2, true), (3, false), (1, true), (2, true)] {
        fixture.set_to_day(day);
        let scope = fixture.scope(ActionName::DownloadGrant);
        let found = fixture.transfers.find(&scope, transfer.transfer_id).await.unwrap();
        let authorised =
            fixture.transfers.authorise(&scope, &own(&found), None, Some(&grant), UnknownGrant::CountsDownload).await;
        assert_eq!(authorised.is_ok(), live, "on day {day}: {authorised:?}");
        assert_eq!(found.own_link.download_count(), 1);
    }
}

#[test]
fn a_repeated_day_has_new_pseudonyms() {
    let policy = AddressPolicy::new(IpMode::Hashed);
    let on = |day: u32| policy.describe(Some([192, 0, 2, 1].into()), None, START.plus(DAY * day));
    let clients = [on(2), on(3), on(2), on(1), on(2)];
    for (number, one) in clients.iter().enumerate() {
        for other in &clients[..number] {
            assert!(one.epoch != other.epoch && one.address != other.address, "{one:?} {other:?}");
        }
    }
}
