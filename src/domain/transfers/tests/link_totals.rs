//! Further links together: the downloads under all links, and the reminder that there was none.

use super::links::Linked;
use super::*;
use crate::domain::notification::{Notification, NotificationKind};
use crate::domain::store::{FaultyStore, list, read};
use crate::domain::wire::UpdateLink;

impl Fixture {
    async fn listed_count(&self, transfer: &Transfer) -> u64 {
        let page = self.transfers.list_all(crate::domain::wire::TransferQuery::default()).await.unwrap();
        page.items.into_iter().find(|item| item.transfer_id == transfer.transfer_id).unwrap().download_count
    }

    async fn reminders(&self) -> usize {
        let all = list::<Notification>(&*self.store, &StorageKey::all_notifications(), None, 1_000).await.unwrap();
        let is_reminder = |one: &Notification| one.kind == NotificationKind::TransferExpiringUnclaimed;
        all.items.into_iter().filter(is_reminder).count()
    }

    async fn sweep_at(&self, at: Timestamp) -> usize {
        self.clock.set(at);
        self.transfers.sweep().await.unwrap();
        self.reminders().await
    }

    async fn expire_in(&self, transfer: &Transfer, link: &Linked, lifetime: Duration) {
        let scope = self.scope(ActionName::LinkUpdate);
        let request = UpdateLink { expires_in_s: Some(lifetime.as_secs()), ..UpdateLink::default() };
        let stored = read::<Transfer>(&*self.store, &StorageKey::transfer(transfer.transfer_id)).await.unwrap();
        let link = self.transfers.link_of(&scope, stored.unwrap().value, link.id).await.unwrap();
        self.transfers.update_link(&scope, link, &request).await.unwrap();
    }
}

#[tokio::test]
async fn lists_show_the_downloads_under_all_links_together() {
    let fixture = Fixture::new();
    let (transfer, limited) = fixture.linked_transfer(Some(5)).await;
    let unlimited = fixture.link(&transfer, None).await;
    let second = Fixture::second_process(&fixture);
    let again = Grant::random();
    for (server, link) in [(&fixture, &limited), (&second, &limited), (&fixture, &unlimited), (&second, &unlimited)] {
        server.get(link, &Grant::random()).await.unwrap();
    }
    for _ in 0..2 {
        fixture.get(&limited, &again).await.unwrap();
    }
    for server in [&fixture, &second, &fixture] {
        server.transfers.flush_counts().await;
    }
    assert_eq!(fixture.listed_count(&transfer).await, 5);
}

#[tokio::test]
async fn a_grant_of_an_unlimited_further_link_reads_the_link_once_more_and_nothing_else() {
    let store = Arc::new(FaultyStore::default());
    let fixture = Fixture::with_store(store.clone());
    let (_, link) = fixture.linked_transfer(None).await;
    let scope = fixture.scope(ActionName::DownloadGrant);
    let found = fixture.transfers.find_link(&scope, link.id).await.unwrap();
    let before = store.operations();
    fixture.transfers.count_download(&scope, &found, &Grant::random(), ChangeResult::Done).await.unwrap();
    assert_eq!(store.operations() - before, 2, "the grant, and one read");
}

#[tokio::test]
async fn the_reminder_of_a_transfer_with_links_comes_before_the_last_of_them_expires() {
    let fixture = Fixture::new();
    let (transfer, first) = fixture.linked_transfer(Some(5)).await;
    let _second = fixture.link(&transfer, None).await;
    // Longer than the second link, which expires after 1 hour.
    fixture.expire_in(&transfer, &first, Duration::from_hours(100)).await;
    let after = |hours| START.plus(Duration::from_hours(hours));
    for (at, reminders) in [(after(23), 0), (after(89), 0), (after(90).plus(Duration::from_mins(1)), 1), (after(99), 1)]
    {
        assert_eq!(fixture.sweep_at(at).await, reminders, "{at:?}");
    }
}

#[tokio::test]
async fn a_download_under_any_link_leaves_no_reminder() {
    let fixture = Fixture::new();
    let (transfer, first) = fixture.linked_transfer(Some(5)).await;
    fixture.link(&transfer, None).await;
    fixture.expire_in(&transfer, &first, Duration::from_hours(24)).await;
    // Not written to the count of all links yet.
    fixture.get(&first, &Grant::random()).await.unwrap();
    assert_eq!(fixture.sweep_at(START.plus(Duration::from_hours(23))).await, 0);
    fixture.transfers.flush_counts().await;
    assert_eq!(fixture.sweep_at(START.plus(Duration::from_hours(23))).await, 0);
}

#[tokio::test]
async fn the_reminder_follows_the_links_that_are_left() {
    let fixture = Fixture::new();
    let (transfer, long) = fixture.linked_transfer(Some(5)).await;
    let other = fixture.link(&transfer, None).await;
    fixture.expire_in(&transfer, &other, Duration::from_hours(24)).await;
    fixture.expire_in(&transfer, &long, Duration::from_hours(100)).await;
    fixture.clock.set(START.plus(Duration::from_hours(22)));
    fixture.revoke(&transfer, long.id).await;
    // A tenth of 24 hours before the end of the other link has passed.
    assert_eq!(fixture.sweep_at(START.plus(Duration::from_hours(22))).await, 1);
}
