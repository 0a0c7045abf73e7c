//! Lists against a server in this process, which counts requests.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use super::test_server::{S3RequestKind, S3TestServer};
use super::{OUTBOX_DELAY, S3Store};
use crate::domain::store::{Prefix, Records, StorageKey, StoreError};

fn with_tokens(count: usize) -> S3TestServer {
    S3TestServer::with_objects((0..count).map(|number| (format!("tokens/{number:05}"), format!("{number}"))))
}

async fn start(server: S3TestServer) -> (Arc<S3TestServer>, S3Store) {
    let (server, endpoint, _) = server.start().await;
    (server, S3Store::of_test(&endpoint, "s3://bucket/store", OUTBOX_DELAY))
}

/// Returns the numbers of list requests and of reads since the last call.
fn counts(server: &S3TestServer) -> (usize, usize) {
    let requests = server.take_requests();
    let count = |kind| requests.iter().filter(|request| request.kind == kind).count();
    (count(S3RequestKind::List), count(S3RequestKind::Read))
}

fn tokens() -> Prefix {
    StorageKey::tokens()
}

#[tokio::test]
async fn a_page_costs_a_list_request_per_thousand_keys_and_a_read_per_object() {
    let (server, store) = start(with_tokens(3_000)).await;
    let (mut listed, mut after) = (Vec::new(), None);
    loop {
        let page = store.list(&tokens(), after.as_ref(), 1_000).await.unwrap();
        let (lists, reads) = counts(&server);
        assert!(lists <= 2, "{lists} list requests");
        assert_eq!(reads, page.items.len());
        listed.extend(page.items);
        match page.next {
            Some(next) => after = Some(next),
            None => break,
        }
    }
    let expected: Vec<_> = (0..3_000).map(|number| (format!("tokens/{number:05}"), format!("{number}"))).collect();
    let listed: Vec<_> =
        listed.iter().map(|(key, value)| (key.to_string(), std::str::from_utf8(value).unwrap().to_owned())).collect();
    assert!(listed == expected, "an object is missing, or was listed twice");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn concurrent_lists_share_a_bounded_number_of_reads() {
    let (server, store) = start(with_tokens(200)).await;
    let lists = (0..8).map(|_| {
        let store = store.clone();
        tokio::spawn(async move { store.list(&tokens(), None, 200).await.unwrap().items.len() })
    });
    for listed in lists.collect::<Vec<_>>() {
        assert_eq!(listed.await.unwrap(), 200);
    }
    assert_eq!(counts(&server).1, 8 * 200);
    let most = server.most_reads_at_once.load(Ordering::SeqCst);
    assert!((2..=super::LIST_READS).contains(&most), "{most} reads at once");
}

#[tokio::test]
async fn a_server_with_short_pages_does_not_keep_a_list_going_for_long() {
    // A server may return fewer keys than it was asked for...
    let (server, store) = start(with_tokens(2_000).with_page(600)).await;
    assert_eq!(store.keys(&tokens(), None, 1_900).await.unwrap().len(), 1_900);
    assert_eq!(counts(&server).0, 4);
    // ...but not none at all.
    let (server, store) = start(with_tokens(2_000).with_page(0)).await;
    let listed = store.keys(&tokens(), None, 1_000).await;
    assert!(matches!(listed, Err(StoreError::Unavailable(_))), "{listed:?}");
    assert_eq!(counts(&server).0, 1_001);
}
