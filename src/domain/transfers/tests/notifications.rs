//! Notifications that the operations on transfers cause.

use super::*;
use crate::domain::notification::{Notification, NotificationKind};
use crate::domain::store::{from_json, list};
use crate::domain::transfer::DeletionCause;

impl Fixture {
    /// Returns the kinds of all notifications, oldest first.
    async fn notified(&self) -> Vec<NotificationKind> {
        let all = list::<Notification>(&*self.store, &StorageKey::all_notifications(), None, 1_000).await.unwrap();
        let mut all = all.items;
        all.sort_by_key(|one| one.id);
        all.into_iter().map(|one| one.kind).collect()
    }

    async fn download_once(&self, id: TransferId) {
        let scope = self.scope(ActionName::DownloadGrant);
        let transfer = self.transfers.find(&scope, id).await.unwrap();
        self.transfers.count_download(&scope, &own(&transfer), &Grant::random(), ChangeResult::Done).await.unwrap();
    }
}

#[tokio::test]
async fn a_commit_writes_its_notification_and_an_entry_of_the_outbox() {
    let fixture = Fixture::new();
    let transfer = fixture.completed_transfer(Some(1)).await;
    fixture.download_once(transfer.transfer_id).await;
    let kinds = [
        NotificationKind::TransferCompleted,
        NotificationKind::TransferFirstDownload,
        NotificationKind::TransferExhausted,
    ];
    assert_eq!(fixture.notified().await, kinds);
    let entries = fixture.store.keys(&StorageKey::whole_outbox(), None, 10).await.unwrap();
    let logged = fixture.store.list(&StorageKey::all_notifications(), None, 10).await.unwrap().items;
    let expected = logged.iter().map(|(key, value)| {
        let notification: Notification = from_json(key.as_str(), value).unwrap();
        assert_eq!(notification.transfer_id, transfer.transfer_id);
        format!("outbox/new/{}.{}.{}", notification.id, transfer.token_id, transfer.transfer_id)
    });
    assert_eq!(entries.iter().map(|key| key.as_str().to_owned()).collect::<Vec<_>>(), expected.collect::<Vec<_>>());
}

#[tokio::test]
async fn the_first_download_of_an_unlimited_transfer_is_notified_once_with_the_count() {
    let fixture = Fixture::new();
    let transfer = fixture.completed_transfer(None).await;
    let second = Fixture::second_process(&fixture);
    for server in [&fixture, &second, &fixture] {
        server.download_once(transfer.transfer_id).await;
    }
    for server in [&fixture, &second] {
        server.transfers.flush_counts().await;
    }
    let kinds = [NotificationKind::TransferCompleted, NotificationKind::TransferFirstDownload];
    assert_eq!(fixture.notified().await, kinds);
}

#[tokio::test]
async fn the_sweeper_reminds_of_an_unclaimed_transfer_once_and_notifies_of_its_expiry() {
    let fixture = Fixture::new();
    let (unclaimed, claimed) = (fixture.completed_transfer(None).await, fixture.completed_transfer(Some(5)).await);
    fixture.download_once(claimed.transfer_id).await;
    let before = fixture.notified().await.len();
    // A tenth of a day before the end.
    let reminder = unclaimed.own_link.expires_at.minus(Duration::from_mins(144));
    for (at, kinds) in [
        (reminder.minus(Duration::from_mins(2)), &[] as &[_]),
        (reminder.plus(Duration::from_mins(1)), &[NotificationKind::TransferExpiringUnclaimed]),
        (reminder.plus(Duration::from_mins(30)), &[NotificationKind::TransferExpiringUnclaimed]),
        (
            unclaimed.own_link.expires_at.plus(Duration::from_mins(1)),
            &[
                NotificationKind::TransferExpiringUnclaimed,
                NotificationKind::TransferExpired,
                NotificationKind::TransferExpired,
            ],
        ),
    ] {
        fixture.clock.set(at);
        fixture.transfers.sweep().await.unwrap();
        assert_eq!(fixture.notified().await[before..], *kinds);
    }
    fixture.clock.advance(Duration::from_hours(24 * 4));
    fixture.transfers.sweep().await.unwrap();
    assert_eq!(fixture.notified().await, [], "the log is not removed");
}

#[tokio::test]
async fn a_deletion_is_notified_whoever_causes_it_and_a_silent_transfer_never() {
    let fixture = Fixture::new();
    let transfer = fixture.completed_transfer(None).await;
    let scope = fixture.scope(ActionName::TransferDelete);
    fixture.transfers.delete(&scope, transfer.transfer_id).await.unwrap();
    fixture.transfers.delete(&scope, transfer.transfer_id).await.unwrap();
    let pending = fixture.create_transfer(Some(1)).await;
    let (id, cause) = (pending.transfer_id, DeletionCause::SizeMismatch);
    fixture.transfers.mark_deleted_and_remove(&scope, id, cause, None).await.unwrap();
    let kinds =
        [NotificationKind::TransferCompleted, NotificationKind::TransferDeleted, NotificationKind::TransferDeleted];
    assert_eq!(fixture.notified().await, kinds);

    let request =
        CreateTransfer { notify: Some(crate::domain::notification::NotificationChoice::Never), ..create_request() };
    let scope = fixture.scope(ActionName::TransferCreate);
    let silent = fixture.transfers.create(&scope, &fixture.token().await, &request).await.unwrap().transfer;
    fixture.transfers.delete(&scope, silent.transfer_id).await.unwrap();
    assert_eq!(fixture.notified().await.len(), kinds.len());
}
