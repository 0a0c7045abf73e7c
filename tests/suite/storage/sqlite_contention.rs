//! `SQLite` contention: another process holds the database lock for a while.

use std::time::Duration;

use futures_util::future::join_all;

use crate::support::Service;

#[tokio::test(flavor = "multi_thread")]
async fn requests_wait_for_the_database_lock() {
    let service = Service::on_disk().start().await;
    let sender = service.sender().await;
    let id = sender.send_payload(b"abc", r#""max_downloads":2"#).await;
    let records = rusqlite::Connection::open(service.folder().join("records.sqlite")).unwrap();
    records.execute_batch("BEGIN EXCLUSIVE").unwrap();
    let release = async {
        // Simulates how long the other process holds the lock; nothing is awaited.
        tokio::time::sleep(Duration::from_secs(2)).await;
        records.execute_batch("COMMIT").unwrap();
    };
    let ask = async |_| sender.post(&format!("/transfers/id/{id}/download/create-presign-url")).json("{}").send().await;
    let deleted = async || sender.post(&format!("/transfers/id/{id}/delete")).json("{}").send().await;
    let (responses, ()) = tokio::join!(join_all((0..6).map(ask)), release);
    let successes = responses.iter().filter(|response| response.status == 200).count();
    assert_eq!(successes, 2, "{responses:?}");
    assert!(
        responses.iter().all(|response| response.status == 200 || response.code() == "transfer_exhausted"),
        "{responses:?}"
    );
    assert_eq!(sender.status(&id).await.number("download_count"), 2);
    assert_eq!(deleted().await.status, 200);
}
