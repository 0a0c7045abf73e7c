//! A server that is killed after it wrote a grant, before the notification of the download.

use std::sync::Arc;
use std::time::Duration;

use super::OUTBOX_DELAY;
use super::client::{BudgetClient, TestLink};
use crate::domain::notification::{Notification, NotificationKind};
use crate::domain::store::{OutboxEntry, StorageKey, Store, list};
use crate::server::store::S3Store;
use crate::server::store::s3::test_server::S3TestServer;

/// Another server delivers the notification: the id in the outbox names the grant.
#[tokio::test]
async fn a_notification_survives_a_kill_right_after_its_grant() {
    for is_further in [false, true] {
        let (server, endpoint, _) = S3TestServer::default().start().await;
        let store = |delay| -> Arc<dyn Store> { Arc::new(S3Store::of_test(&endpoint, "s3://bucket/store", delay)) };
        let client = BudgetClient::over(store(OUTBOX_DELAY)).await;
        let transfer = client.completed(r#","notify":"every""#).await;
        let link = TestLink::new();
        if is_further {
            client.create_link(&transfer, &link).await;
        }
        assert_eq!(client.dispatch().await.distributed, 1, "the notification of the completion");

        server.hold(Some("notifications/"));
        let (id, link) = if is_further { (link.id.as_str(), Some(&link)) } else { (transfer.id.as_str(), None) };
        tokio::select! {
            _ = client.grant(id, link) => panic!("the response does not wait for the notification"),
            () = server.until_held() => {}
        }
        server.hold(None);

        let survivor = store(Duration::ZERO);
        let outbox = client.outbox_over(survivor.clone());
        let [entry] = &survivor.keys(&StorageKey::whole_outbox(), None, 10).await.unwrap()[..] else {
            panic!("one entry in the outbox");
        };
        let entry = OutboxEntry::from_key(entry).unwrap();
        let result = outbox.dispatch().await.unwrap();
        assert_eq!((result.distributed, result.held, result.dropped), (1, 0, 0));
        let logged = list::<Notification>(&*survivor, &StorageKey::all_notifications(), None, 10).await.unwrap().items;
        let last = logged.iter().max_by_key(|one| one.id).unwrap();
        assert_eq!((last.id, last.kind, logged.len()), (entry.id, NotificationKind::TransferDownloaded, 2));
        assert_eq!(last.link_id.is_some(), is_further);
    }
}
