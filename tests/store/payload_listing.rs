//! Payload listings: ordered by ID, with the state of each payload.

use sgsend::domain::id::{PayloadId, TokenId, TransferId};
use sgsend::domain::store::{PayloadObjects, Store};

use crate::backends::{SharedStore, content, finished, recording, upload};

/// Lists all payloads in pages of `page_size`.
async fn list_payloads(store: &dyn Store, page_size: usize) -> Vec<PayloadObjects> {
    let mut all: Vec<PayloadObjects> = Vec::new();
    loop {
        let page = store.list_stored(all.last().map(|payload| payload.id), page_size).await.unwrap();
        assert!(page.len() <= page_size);
        if page.is_empty() {
            return all;
        }
        all.extend(page);
    }
}

const fn whole(id: PayloadId) -> PayloadObjects {
    PayloadObjects { id, finished: true, unfinished: false }
}

const fn arriving(id: PayloadId) -> PayloadObjects {
    PayloadObjects { id, finished: false, unfinished: true }
}

pub(crate) async fn payloads_are_listed_in_order_and_in_pages(store: SharedStore) {
    assert_eq!(list_payloads(&*store, 10).await, []);
    let mut expected = Vec::new();
    for n in 0..7 {
        expected.push(whole(finished(&*store, 10 + n).await));
    }
    for length in [5, 9 << 20] {
        let id = PayloadId::random();
        upload(&*store, id, 0..length).await.unwrap();
        expected.push(arriving(id));
        // From before layout 4.
        let id = PayloadId::from(TransferId::random());
        upload(&*store, id, 0..length).await.unwrap();
        expected.push(arriving(id));
        let id = PayloadId::from(TransferId::random());
        upload(&*store, id, 0..length).await.unwrap();
        store.finish(id, length).await.unwrap();
        expected.push(whole(id));
    }
    expected.sort_by_key(|payload| payload.id);
    for page_size in [1, 2, 3, 100] {
        assert_eq!(list_payloads(&*store, page_size).await, expected, "in pages of {page_size}");
    }
    assert_eq!(store.list_stored(None, 0).await.unwrap(), []);
}

pub(crate) async fn removed_payloads_are_not_listed(store: SharedStore) {
    let (remaining, removed) = (finished(&*store, 10).await, finished(&*store, 9 << 20).await);
    let half = PayloadId::random();
    upload(&*store, half, 0..9 << 20).await.unwrap();
    for id in [removed, half] {
        store.remove(id).await.unwrap();
    }
    assert_eq!(list_payloads(&*store, 10).await, [whole(remaining)]);
    // A finished payload has no partial data left.
    assert_eq!(content(&*store, remaining, 0..10).await.unwrap().len(), 10);
}

pub(crate) async fn records_are_no_payloads(store: SharedStore) {
    let id = finished(&*store, 10).await;
    for other in [TransferId::random(), TransferId::random()] {
        for name in ["meta.json", "events/upload.json", "grants/payload.enc"] {
            store.commit(recording(&format!("transfers/{other}/{name}"), "x")).await.unwrap();
        }
    }
    store.commit(recording(&format!("tokens/{}.json", TokenId::random()), "x")).await.unwrap();
    assert_eq!(list_payloads(&*store, 10).await, [whole(id)]);
}
