//! Lists of transfers through the index, and deletions of several transfers.

use std::collections::BTreeSet;

use super::*;
use crate::domain::error::ErrorCode;
use crate::domain::maintenance::check::check;
use crate::domain::maintenance::repair::repair;
use crate::domain::store::{FaultInjector, FaultyStore, TransferIndexEntry, open_header};
use crate::domain::transfer::Status;
use crate::domain::wire::{
    DeleteTransfers, OwnTransferQuery, StatusFilter, TransferOrder, TransferPage, TransferQuery,
};

impl Fixture {
    async fn create_of(&self, token: &Token, size_bytes: u64) -> Transfer {
        let request = CreateTransfer { size_bytes, ..create_request() };
        let token = self.tokens.find(token.token_id).await.unwrap();
        self.clock.advance(Duration::from_millis(1));
        self.transfers.create(&self.scope(ActionName::TransferCreate), &token, &request).await.unwrap().transfer
    }

    async fn create_many(&self, token: &Token, count: u64) -> Vec<TransferId> {
        let mut ids = Vec::new();
        for size in 1..=count {
            ids.push(self.create_of(token, size).await.transfer_id);
        }
        ids.reverse();
        ids
    }

    /// Reads all pages of a list.
    async fn listed(&self, query: TransferQuery) -> Vec<TransferId> {
        let (mut ids, mut after) = (Vec::new(), None);
        loop {
            let query = TransferQuery { after: after.clone(), ..query.clone() };
            let page = self.transfers.list_all(query).await.unwrap();
            ids.extend(ids_of(&page));
            match page.next {
                None => return ids,
                next => after = next,
            }
        }
    }

    async fn delete_many(&self, request: DeleteTransfers) -> (Vec<TransferId>, Option<String>) {
        let scope = self.scope(ActionName::TransferDeleteMany);
        let deleted = self.transfers.delete_many(&scope, request).await.unwrap();
        assert!(deleted.items.iter().all(|item| item.code.is_none() && item.status == Some(Status::Deleted)));
        (deleted.items.iter().map(|item| item.transfer_id).collect(), deleted.next)
    }
}

fn ids_of(page: &TransferPage) -> Vec<TransferId> {
    page.items.iter().map(|item| item.transfer_id).collect()
}

fn of_token(token: &Token) -> DeleteTransfers {
    DeleteTransfers { token_id: Some(token.token_id), ..DeleteTransfers::default() }
}

#[tokio::test]
async fn a_token_lists_its_own_transfers_newest_first() {
    let fixture = Fixture::new();
    let (token, other) = (fixture.token().await, fixture.token().await);
    let ids = fixture.create_many(&token, 5).await;
    fixture.create_many(&other, 2).await;
    let query = |after, limit| OwnTransferQuery { after, limit: Some(limit), state: None, request: None };
    let first = fixture.transfers.list_own(token.token_id, query(None, 3)).await.unwrap();
    assert_eq!(ids_of(&first), ids[..3]);
    let second = fixture.transfers.list_own(token.token_id, query(first.next.clone(), 3)).await.unwrap();
    assert_eq!((ids_of(&second), second.next), (ids[3..].to_vec(), None));
    let whole = fixture.transfers.list_own(token.token_id, query(None, 5)).await.unwrap();
    assert_eq!((ids_of(&whole), whole.next), (ids, None), "a full last page names a next one");
    for (limit, after) in [(0, None), (1_001, None), (1, Some("x".to_owned()))] {
        let listed = fixture.transfers.list_own(token.token_id, query(after, limit)).await;
        assert!(matches!(listed, Err(Error::InvalidRequest(_))));
    }
    let by_size = TransferQuery { order: Some(TransferOrder::Size), after: first.next, ..TransferQuery::default() };
    assert!(matches!(fixture.transfers.list_all(by_size).await, Err(Error::InvalidRequest(_))));
}

#[tokio::test]
async fn lists_are_filtered_and_ordered() {
    let fixture = Fixture::new();
    let (token, other) = (fixture.token().await, fixture.token().await);
    let ids = fixture.create_many(&token, 4).await;
    let foreign = fixture.create_of(&other, 3).await.transfer_id;
    fixture.clock.advance(Duration::from_millis(1));
    let completed = fixture.completed_transfer(None).await.transfer_id;
    fixture.transfers.delete(&fixture.scope(ActionName::TransferDelete), ids[0]).await.unwrap();
    let all = TransferQuery::default();
    for limit in 1..=7 {
        let state = |state| Some(StatusFilter::of(state));
        let query = TransferQuery { limit: Some(limit), ..all.clone() };
        let newest = [vec![completed, foreign], ids.clone()].concat();
        assert_eq!(fixture.listed(query.clone()).await, newest);
        let only = |states: &[Status]| TransferQuery { state: state(states.to_vec()), ..query.clone() };
        assert_eq!(fixture.listed(only(&[Status::Completed])).await, [completed]);
        assert_eq!(fixture.listed(only(&[Status::Completed, Status::Deleted])).await, [completed, ids[0]]);
        assert_eq!(fixture.listed(only(&[Status::Expired])).await, []);
        let of_token = TransferQuery { token_id: Some(token.token_id), ..query.clone() };
        assert_eq!(fixture.listed(of_token.clone()).await, ids);
        let largest = [ids[0], completed, foreign, ids[1], ids[2], ids[3]];
        let by_size = TransferQuery { order: Some(TransferOrder::Size), ..query.clone() };
        assert_eq!(fixture.listed(by_size.clone()).await, largest);
        let of_token = TransferQuery { order: Some(TransferOrder::Size), ..of_token };
        assert_eq!(fixture.listed(of_token).await, ids, "the largest of a token are its newest here");
        fixture.clock.advance(Duration::from_secs(10));
        let old = TransferQuery { older_than: Some(u64::from(limit) * 10), ..query.clone() };
        assert_eq!(fixture.listed(old).await.len(), 6);
        let older = TransferQuery { older_than: Some(u64::from(limit) * 10 + 1), ..by_size };
        assert_eq!(fixture.listed(older).await, []);
    }
    fixture.clock.advance(Duration::from_hours(24));
    let expired = TransferQuery { state: Some(StatusFilter::of([Status::Expired])), ..all };
    assert_eq!(fixture.listed(expired).await.len(), 5, "expiry waits for a sweep");
}

#[tokio::test]
async fn the_most_downloaded_transfers_come_first() {
    let fixture = Fixture::new();
    let mut by_count = Vec::new();
    for downloads in [1_u8, 3, 0, 2] {
        let transfer = fixture.completed_transfer(Some(9)).await;
        for grant in 0..downloads {
            let scope = fixture.scope(ActionName::DownloadGrant);
            let counted =
                fixture.transfers.count_download(&scope, &own(&transfer), &Grant::random(), ChangeResult::Done).await;
            assert!(counted.is_ok(), "download {grant}");
        }
        by_count.push((downloads, transfer.transfer_id));
    }
    by_count.sort_unstable_by_key(|(downloads, _)| std::cmp::Reverse(*downloads));
    let expected: Vec<_> = by_count.into_iter().map(|(_, id)| id).collect();
    for limit in 1..=5 {
        let order = Some(TransferOrder::Downloads);
        let query = TransferQuery { order, limit: Some(limit), ..TransferQuery::default() };
        assert_eq!(fixture.listed(query).await, expected);
    }
}

#[tokio::test]
async fn a_list_read_while_transfers_are_created_and_removed_has_each_once() {
    let fixture = Fixture::new();
    let token = fixture.token().await;
    let ids = fixture.create_many(&token, 6).await;
    let query = |after| TransferQuery { limit: Some(2), after, ..TransferQuery::default() };
    let first = fixture.transfers.list_all(query(None)).await.unwrap();
    // The transfer at the cursor is removed, and newer ones are created.
    fixture.store.commit(Commit { removals: vec![StorageKey::transfer(ids[1])], ..Commit::default() }).await.unwrap();
    fixture.create_many(&token, 3).await;
    let rest = fixture.transfers.list_all(TransferQuery { limit: Some(9), ..query(first.next.clone()) }).await.unwrap();
    assert_eq!([ids_of(&first), ids_of(&rest)].concat(), ids);
}

#[tokio::test]
async fn a_page_of_transfers_costs_what_it_shows() {
    let memory = MemoryStore::default();
    let fixture = Fixture::with_store(Arc::new(memory.clone()));
    let token = fixture.token().await;
    fixture.create_many(&token, 60).await;
    let store = Arc::new(FaultyStore::over(memory));
    let counted = Fixture::with_store_and_clock(store.clone(), fixture.clock.clone());
    for limit in [1, 7, 50] {
        for (order, token_id) in [
            (TransferOrder::Created, None),
            (TransferOrder::Created, Some(token.token_id)),
            (TransferOrder::Size, None),
        ] {
            let before = store.operations();
            let query = TransferQuery { limit: Some(limit), order: Some(order), token_id, ..TransferQuery::default() };
            assert_eq!(counted.transfers.list_all(query).await.unwrap().items.len(), limit as usize);
            assert_eq!(store.operations() - before, 1 + u64::from(limit), "{order:?}");
        }
    }
}

#[tokio::test]
async fn removed_transfers_leave_no_index_entry() {
    let fixture = Fixture::new();
    open_header(&*fixture.store, Retention::default()).await.unwrap();
    let transfer = fixture.completed_transfer(None).await;
    for prefix in TransferIndexEntry::all() {
        assert_eq!(fixture.keys(&prefix).await.len(), 1);
    }
    fixture.clock.set(transfer.own_link.expires_at.plus(RETAIN));
    assert_eq!(fixture.transfers.sweep().await.unwrap().removed, 1);
    for prefix in TransferIndexEntry::all() {
        assert_eq!(fixture.keys(&prefix).await, [""; 0]);
    }
    assert_eq!(check(&*fixture.store).await.unwrap().findings, []);
}

#[tokio::test]
async fn a_lost_index_is_repaired() {
    let fixture = Fixture::new();
    open_header(&*fixture.store, Retention::default()).await.unwrap();
    let token = fixture.token().await;
    let ids = fixture.create_many(&token, 3).await;
    assert_eq!(check(&*fixture.store).await.unwrap().findings, []);
    let mut removals = Vec::new();
    for prefix in TransferIndexEntry::all() {
        removals.extend(fixture.store.keys(&prefix, None, 10).await.unwrap());
    }
    // One entry stays; one is of another transfer, one of another time, and one is no entry.
    removals.pop();
    let stray = StorageKey::from_backend(format!("by-time/ffffffffffffffff-{}", TransferId::random()));
    let wrong = StorageKey::from_backend(format!("by-time/ffffffffffffffff-{}", ids[0]));
    let invalid = StorageKey::from_backend("by-size/x".to_owned());
    let schedule = vec![stray, wrong, invalid];
    fixture.store.commit(Commit { schedule, removals, ..Commit::default() }).await.unwrap();
    let found = check(&*fixture.store).await.unwrap();
    let mut codes: Vec<_> = found.findings.iter().map(|finding| finding.code).collect();
    codes.sort_unstable();
    assert_eq!(codes, ["not_listed", "not_listed", "not_listed", "stray_entry", "stray_entry", "unreadable"]);
    let report = repair(&*fixture.store, &*fixture.clock, found).await.unwrap();
    assert_eq!((report.repaired, report.left.findings), (6, vec![]));
    assert_eq!(fixture.listed(TransferQuery::default()).await, ids);
    let own = OwnTransferQuery::default();
    assert_eq!(ids_of(&fixture.transfers.list_own(token.token_id, own).await.unwrap()), ids);
}

#[tokio::test]
async fn each_of_many_deletions_has_its_records() {
    let fixture = Fixture::new();
    let token = fixture.token().await;
    let ids = fixture.create_many(&token, 3).await;
    let unknown = TransferId::random();
    let transfer_ids = Some(vec![ids[0], unknown, ids[2]]);
    let scope = fixture.scope(ActionName::TransferDeleteMany);
    let request = DeleteTransfers { transfer_ids, ..DeleteTransfers::default() };
    let deleted = fixture.transfers.delete_many(&scope, request).await.unwrap();
    let results: Vec<_> = deleted.items.iter().map(|item| (item.transfer_id, item.status, item.code)).collect();
    let done = Some(Status::Deleted);
    let missing = Some(ErrorCode::TransferNotFound);
    assert_eq!(results, [(ids[0], done, None), (unknown, None, missing), (ids[2], done, None)]);
    for id in [ids[0], ids[2]] {
        let transfer = fixture.transfers.find(&fixture.scope(ActionName::AuditRead), id).await.unwrap();
        let page = fixture.transfers.list_everything(&transfer, None, None).await.unwrap();
        let of_request = |record: &&Record| match record {
            Record::Request(request) => request.request_id == scope.request().request_id && request.status == 200,
            Record::Action(action) => {
                action.request_id == scope.request().request_id && action.action == ActionName::TransferDelete
            }
            Record::Event(event) => event.kind == EventKind::TransferDeleted,
        };
        assert_eq!(page.items.iter().filter(of_request).count(), 3, "{page:?}");
    }
    assert_eq!(scope.audit_state(), AuditState::Missing, "the request has no record of its own");
    for wrong in [
        DeleteTransfers::default(),
        DeleteTransfers { transfer_ids: Some(Vec::new()), ..DeleteTransfers::default() },
        DeleteTransfers { transfer_ids: Some(vec![unknown; 101]), ..DeleteTransfers::default() },
        DeleteTransfers { transfer_ids: Some(vec![unknown]), ..of_token(&token) },
        DeleteTransfers { after: Some("x".to_owned()), ..of_token(&token) },
    ] {
        let result = fixture.transfers.delete_many(&scope, wrong).await;
        assert!(matches!(result, Err(Error::InvalidRequest(_))), "{result:?}");
    }
}

#[tokio::test]
async fn the_transfers_of_a_token_are_deleted_in_bounded_requests() {
    let fixture = Fixture::new();
    let (token, other) = (fixture.token().await, fixture.token().await);
    let ids = fixture.create_many(&token, 103).await;
    let foreign = fixture.create_of(&other, 1).await;
    let (first, next) = fixture.delete_many(of_token(&token)).await;
    assert_eq!(first, ids[..100]);
    let (second, end) = fixture.delete_many(DeleteTransfers { after: next, ..of_token(&token) }).await;
    assert_eq!((&second[..], end), (&ids[100..], None));
    // Nothing is left to do: a repetition deletes nothing twice.
    assert_eq!(fixture.delete_many(of_token(&token)).await, (Vec::new(), None));
    let found = fixture.transfers.find(&fixture.scope(ActionName::TransferStatus), foreign.transfer_id).await.unwrap();
    assert_eq!(found.state.status(), Status::Pending);
    assert_eq!(super::quota::used(&fixture, &token).await, (103, 0));
}

#[tokio::test]
async fn a_deletion_of_many_that_is_killed_is_repeated() {
    let mut killed = 0;
    for successes in 0.. {
        let memory = MemoryStore::default();
        let fixture = Fixture::with_store(Arc::new(memory.clone()));
        let token = fixture.token().await;
        let ids = fixture.create_many(&token, 4).await;
        let store = FaultyStore::over(memory).with(FaultInjector::failing_after(successes));
        let failing = Fixture::with_store_and_clock(Arc::new(store), fixture.clock.clone());
        let scope = failing.scope(ActionName::TransferDeleteMany);
        let items =
            failing.transfers.delete_many(&scope, of_token(&token)).await.map_or_else(|_| Vec::new(), |all| all.items);
        let deleted: BTreeSet<_> =
            items.iter().filter(|item| item.code.is_none()).map(|item| item.transfer_id).collect();
        // Another process repeats the request: the end is the same, and each deletion is recorded once.
        let (again, next) = fixture.delete_many(of_token(&token)).await;
        assert_eq!(next, None);
        assert!(ids.iter().all(|id| deleted.contains(id) || again.contains(id)), "after {successes}");
        for id in ids {
            let events = fixture.events(id).await;
            let count = |kind| events.iter().filter(|event| **event == kind).count();
            assert_eq!((count(EventKind::TransferDeleted), count(EventKind::PayloadRemoved)), (1, 1));
        }
        assert_eq!(super::quota::used(&fixture, &token).await, (4, 0), "after {successes}");
        if deleted.len() == 4 {
            break;
        }
        killed += 1;
    }
    assert!(killed > 20, "the deletion was killed {killed} times only");
}
