//! Clocks that are set back and forth by days.

use super::*;
use crate::domain::transfers::UnknownGrant;

const DAY: Duration = Duration::from_hours(24);

/// Where the clock stands at each of these, counted in days from the start: none of them is far from the last.
const DAYS: [u64; 8] = [5, 6, 5, 4, 6, 3, 4, 7];

impl World {
    fn set_to_day(&self, day: u64) {
        self.clock.set(START.plus(DAY * u32::try_from(day).unwrap()));
    }

    async fn counts(&self) -> (TransferCounts, u64) {
        let overview = self.transfers.overview(&self.tokens).await.unwrap();
        (overview.transfers, overview.downloads)
    }

    async fn count(&self, transfer: &Transfer, grant: &Grant) -> Result<(), Error> {
        let scope = self.scope(ActionName::DownloadGrant);
        self.transfers.count(&scope, transfer, grant, Answer::Whole { status: 200 }).await.map(drop)
    }
}

#[tokio::test]
async fn everything_goes_on_whatever_the_clock_does() {
    let world = World::new();
    let mut made = Vec::new();
    for (number, day) in (1_u64..).zip(DAYS) {
        world.set_to_day(day);
        let transfer = world.completed(Some(2)).await;
        for left in [true, true, false] {
            assert_eq!(world.count(&transfer, &Grant::random()).await.is_ok(), left);
        }
        assert_eq!(world.transfers.sweep().await.unwrap().failed, 0);
        // The totals are of now, in whatever day they were counted.
        let (counts, downloads) = world.counts().await;
        assert_eq!((counts.completed, counts.pending), (0, 0), "{counts:?}");
        assert_eq!((counts.exhausted + counts.expired, downloads), (number, 2 * number), "{counts:?}");
        made.push(transfer.transfer_id);
    }
    for id in made {
        let mut told = world.events(id).await;
        // Those of the sweeper come whenever it was time.
        told.retain(|kind| *kind != EventKind::PayloadRemoved);
        let order = [
            EventKind::TransferCreated,
            EventKind::TransferCompleted,
            EventKind::DownloadGranted,
            EventKind::DownloadGranted,
            EventKind::TransferExhausted,
        ];
        assert_eq!(told, order);
    }
}

#[tokio::test]
async fn an_end_that_was_recorded_holds_when_the_clock_is_set_back() {
    let world = World::new();
    let transfer = world.completed(None).await;
    let (id, grant) = (transfer.transfer_id, Grant::random());
    world.count(&transfer, &grant).await.unwrap();
    world.clock.set(transfer.expires_at);
    assert_eq!(world.transfers.sweep().await.unwrap().payloads_removed, 1);
    world.clock.set(START.minus(DAY));
    let scope = world.scope(ActionName::DownloadGrant);
    let found = world.transfers.find(&scope, id).await.unwrap();
    for grant in [None, Some(&grant)] {
        let leave = world.transfers.authorise(&scope, &found, None, grant, UnknownGrant::IsNew).await;
        assert!(matches!(leave, Err(Error::TransferExpired)), "{leave:?}");
    }
    assert!(world.transfers.open(&scope, &found, 0..3).await.is_err(), "its payload is handed out");
    // What is due later by the clock that was right is not lost by the one that was not.
    assert_eq!(world.transfers.sweep().await.unwrap(), Swept::default());
    world.clock.set(transfer.expires_at.plus(RETAIN));
    assert_eq!(world.transfers.sweep().await.unwrap().forgotten, 1);
}

#[tokio::test]
async fn a_grant_is_one_download_on_every_day() {
    let world = World::new();
    world.set_to_day(2);
    let transfer = world.completed(Some(1)).await;
    let grant = Grant::random();
    world.count(&transfer, &grant).await.unwrap();
    for (day, live) in [(2, true), (3, false), (1, true), (2, true)] {
        world.set_to_day(day);
        let scope = world.scope(ActionName::DownloadGrant);
        let found = world.transfers.find(&scope, transfer.transfer_id).await.unwrap();
        let leave = world.transfers.authorise(&scope, &found, None, Some(&grant), UnknownGrant::IsNew).await;
        assert_eq!(leave.is_ok(), live, "on day {day}: {leave:?}");
        assert_eq!(found.download_count(), 1);
    }
}

#[test]
fn a_day_that_comes_again_has_another_pseudonym() {
    let policy = AddressPolicy::new(IpMode::Hashed);
    let on = |day: u32| policy.describe(Some([192, 0, 2, 1].into()), None, START.plus(DAY * day));
    let told = [on(2), on(3), on(2), on(1), on(2)];
    for (number, one) in told.iter().enumerate() {
        for other in &told[..number] {
            assert!(one.epoch != other.epoch && one.address != other.address, "{one:?} {other:?}");
        }
    }
}
