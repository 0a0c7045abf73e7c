//! Lists over many objects: bounded work per request, and every item exactly once.

use std::collections::BTreeSet;

use super::*;
use crate::domain::audit::{Event, with_transfer_keys};
use crate::domain::id::TokenId;
use crate::domain::store::{FaultyStore, Records, StoreError, Version, Versioned, to_json};
use crate::domain::wire::ClientEventKind;

/// A service over a store that counts its operations, and the store without the counter.
fn counted() -> (Fixture, Arc<FaultyStore>, MemoryStore) {
    let memory = MemoryStore::default();
    let store = Arc::new(FaultyStore::over(memory.clone()));
    (Fixture::with_store(store.clone()), store, memory)
}

/// Stores `count` server events of a transfer. Returns their keys.
async fn add_events(fixture: &Fixture, memory: &MemoryStore, id: TransferId, count: usize) -> Vec<StorageKey> {
    let now = fixture.clock.now();
    let event = || Record::Event(Event::server(fixture.ids.next(now), None, now, EventKind::DownloadGranted));
    let records = with_transfer_keys(id, &(0..count).map(|_| event()).collect::<Vec<_>>());
    let keys = records.iter().map(|(key, _)| key.clone()).collect();
    memory.commit(Commit { records, ..Commit::default() }).await.unwrap();
    keys
}

/// Stores `count` tokens.
async fn add_tokens(fixture: &Fixture, memory: &MemoryStore, count: usize) {
    let token = fixture.token().await;
    let tokens = (1..count).map(|_| Token { token_id: TokenId::random(), ..token.clone() });
    let records = tokens.map(|token| (StorageKey::token(token.token_id), to_json(&token))).collect();
    memory.commit(Commit { records, ..Commit::default() }).await.unwrap();
}

/// Returns the number of store operations of `run`, with its result.
async fn cost<T>(store: &FaultyStore, run: impl Future<Output = T>) -> (T, u64) {
    let before = store.operations();
    let result = run.await;
    (result, store.operations() - before)
}

#[tokio::test]
async fn a_page_of_any_list_costs_a_bounded_number_of_operations() {
    let (fixture, store, memory) = counted();
    let transfer = fixture.completed_transfer(None).await;
    add_events(&fixture, &memory, transfer.transfer_id, 5_000).await;
    add_tokens(&fixture, &memory, 3_000).await;
    for limit in [1, 100, 1_000] {
        let page = fixture.transfers.list_records(&transfer, RecordKind::Event, None, Some(limit));
        let (page, operations) = cost(&store, page).await;
        // One list of keys for each class of records, and for each kind.
        assert_eq!((page.unwrap().items.len(), operations), (limit as usize, u64::from(limit) + 2));
        let (page, operations) = cost(&store, fixture.transfers.list_everything(&transfer, None, Some(limit))).await;
        assert_eq!((page.unwrap().items.len(), operations), (limit as usize, u64::from(limit) + 6));
        let (page, operations) = cost(&store, fixture.tokens.list(None, Some(limit))).await;
        assert_eq!((page.unwrap().items.len(), operations), (limit as usize, u64::from(limit) + 1));
    }
    for _ in 0..4 {
        let (overview, operations) = cost(&store, fixture.transfers.overview(&fixture.tokens)).await;
        overview.unwrap();
        assert!(operations < 1_050, "the statistics cost {operations} operations");
    }
}

#[tokio::test]
async fn pages_have_every_item_exactly_once_also_if_items_are_removed_meanwhile() {
    let (fixture, _, memory) = counted();
    let transfer = fixture.completed_transfer(None).await;
    let keys = add_events(&fixture, &memory, transfer.transfer_id, 2_500).await;
    for limit in [7, 100, 1_000] {
        for everything in [false, true] {
            let (mut listed, mut after) = (Vec::new(), None);
            loop {
                let page = if everything {
                    fixture.transfers.list_everything(&transfer, after, Some(limit)).await.unwrap()
                } else {
                    fixture.transfers.list_records(&transfer, RecordKind::Event, after, Some(limit)).await.unwrap()
                };
                assert!(page.items.len() <= limit as usize);
                listed.extend(page.items.iter().map(|record| record.id().to_string()));
                let Some(next) = page.next else { break };
                assert_eq!(Some(&next), listed.last());
                after = Some(next.parse().unwrap());
            }
            let ids: BTreeSet<_> = listed.iter().map(String::as_str).collect();
            assert_eq!(ids.len(), listed.len(), "an item was listed twice");
            assert!(keys.iter().all(|key| ids.contains(key.name())), "an item is missing");
            assert!(listed.is_sorted());
        }
    }
}

/// A store in which objects are removed between the listing of their keys and their reading.
#[derive(Debug)]
struct Removing {
    memory: MemoryStore,
    doomed: BTreeSet<String>,
}

#[async_trait::async_trait]
impl Records for Removing {
    async fn get(&self, key: &StorageKey) -> Result<Option<Versioned<bytes::Bytes>>, StoreError> {
        if self.doomed.contains(key.as_str()) { Ok(None) } else { self.memory.get(key).await }
    }

    async fn keys(
        &self,
        prefix: &Prefix,
        after: Option<&StorageKey>,
        limit: usize,
    ) -> Result<Vec<StorageKey>, StoreError> {
        self.memory.keys(prefix, after, limit).await
    }

    async fn commit(&self, commit: Commit) -> Result<Option<Version>, StoreError> {
        self.memory.commit(commit).await
    }
}

#[tokio::test]
async fn objects_removed_while_a_page_is_read_do_not_end_the_list() {
    let memory = MemoryStore::default();
    let names: Vec<String> = (0..30).map(|number| format!("tokens/{number:02}")).collect();
    let records = names.iter().map(|name| (StorageKey::from_backend(name.clone()), "x".into())).collect();
    memory.commit(Commit { records, ..Commit::default() }).await.unwrap();
    for doomed in [vec![4], vec![9], vec![0, 9, 10, 11], (0..10).collect(), (10..30).collect()] {
        let doomed: BTreeSet<_> = doomed.into_iter().map(|at: usize| names[at].clone()).collect();
        let store = Removing { memory: memory.clone(), doomed: doomed.clone() };
        let (mut listed, mut after) = (Vec::new(), None);
        loop {
            let page = store.list(&StorageKey::tokens(), after.as_ref(), 10).await.unwrap();
            listed.extend(page.items.into_iter().map(|(key, _)| key.to_string()));
            match page.next {
                Some(next) => after = Some(next),
                None => break,
            }
        }
        let expected: Vec<_> = names.iter().filter(|name| !doomed.contains(*name)).cloned().collect();
        assert_eq!(listed, expected, "without {doomed:?}");
    }
}

#[tokio::test]
async fn tokens_are_counted_page_by_page() {
    let (fixture, _, memory) = counted();
    add_tokens(&fixture, &memory, 2_500).await;
    for expected in [(1_000, true), (2_000, true), (2_500, false)] {
        let counts = fixture.tokens.count().await.unwrap();
        assert_eq!((counts.active, counts.is_partial), expected);
    }
    add_tokens(&fixture, &memory, 10).await;
    // The last complete count, until the next one is.
    for expected in [2_500, 2_500, 2_510] {
        let counts = fixture.tokens.count().await.unwrap();
        assert_eq!((counts.active, counts.is_partial), (expected, false));
    }
    let few = Fixture::new();
    assert_eq!(few.tokens.count().await.unwrap().active, 0);
    few.token().await;
    assert_eq!(few.tokens.count().await.unwrap().active, 1, "few tokens are counted at once");
}

#[tokio::test]
async fn an_event_of_a_long_trail_costs_a_bounded_number_of_operations() {
    let (fixture, store, memory) = counted();
    let transfer = fixture.completed_transfer(None).await;
    let id = transfer.transfer_id;
    add_events(&fixture, &memory, id, 3_500).await;
    let mut costs = Vec::new();
    for _ in 0..6 {
        let scope = fixture.scope(ActionName::EventAdd);
        let link = own(&transfer);
        let added = fixture.transfers.add_event(&scope, &link, ClientEventKind::LinkOpened, None, None);
        let (added, operations) = cost(&store, added).await;
        added.unwrap();
        costs.push(operations);
    }
    assert!(costs.iter().all(|operations| *operations < 1_050), "{costs:?}");
    assert!(costs[4..].iter().all(|operations| *operations < 10), "the trail is counted again: {costs:?}");
}
