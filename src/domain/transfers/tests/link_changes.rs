//! Changes of links: expiry, limit, closing, and downloads at the same time.

use super::links::Linked;
use super::*;
use crate::domain::audit::RecordClass;
use crate::domain::store::{FaultInjector, FaultyStore};
use crate::domain::transfer::{LinkChange, LinkState, PayloadState};
use crate::domain::wire::UpdateLink;

const UNCHANGED: UpdateLink = UpdateLink { expires_in_s: None, max_downloads: None };

impl Fixture {
    async fn update(&self, transfer: &Transfer, id: LinkId, change: UpdateLink) -> Result<ResolvedLink, Error> {
        let scope = self.scope(ActionName::LinkUpdate);
        let transfer = self.stored(transfer.transfer_id).await;
        let link = self.transfers.link_of(&scope, transfer, id).await?;
        self.transfers.update_link(&scope, link, &change).await
    }

    async fn limit(&self, transfer: &Transfer, id: LinkId, limit: Option<u32>) -> Result<ResolvedLink, Error> {
        self.update(transfer, id, UpdateLink { max_downloads: Some(limit), ..UNCHANGED }).await
    }

    pub(super) async fn revoke(&self, transfer: &Transfer, id: LinkId) -> ResolvedLink {
        let scope = self.scope(ActionName::LinkRevoke);
        let transfer = self.stored(transfer.transfer_id).await;
        let link = self.transfers.link_of(&scope, transfer, id).await.unwrap();
        self.transfers.revoke_link(&scope, link).await.unwrap()
    }

    /// Returns a completed transfer with an open own link without access proof, as a link.
    async fn own_link(&self) -> (Transfer, Linked) {
        let transfer = self.completed_transfer(None).await;
        (transfer.clone(), Linked { id: transfer.transfer_id.into(), proof: Self::proof() })
    }
}

#[tokio::test]
async fn a_limit_at_or_below_the_count_ends_the_link_at_once_and_nothing_revives_it() {
    let fixture = Fixture::new();
    let (transfer, link) = fixture.linked_transfer(Some(5)).await;
    fixture.link(&transfer, None).await;
    let grant = Grant::random();
    fixture.get(&link, &grant).await.unwrap();
    fixture.get(&link, &Grant::random()).await.unwrap();
    assert_eq!(fixture.limit(&transfer, link.id, Some(3)).await.unwrap().record().downloads_remaining(), Some(1));
    let ended = fixture.limit(&transfer, link.id, Some(2)).await.unwrap();
    assert_eq!((ended.at(START).status(), ended.record().downloads_remaining()), (Status::Exhausted, Some(0)));
    for more in [Some(3), None] {
        assert!(matches!(fixture.limit(&transfer, link.id, more).await, Err(Error::TransferExhausted)));
    }
    let later = UpdateLink { expires_in_s: Some(7_776_000), ..UNCHANGED };
    assert!(matches!(fixture.update(&transfer, link.id, later).await, Err(Error::TransferExhausted)));
    fixture.get(&link, &grant).await.unwrap();
    assert!(matches!(fixture.get(&link, &Grant::random()).await, Err(Error::TransferExhausted)));
    assert!(matches!(fixture.limit(&transfer, LinkId::random(), None).await, Err(Error::LinkNotFound)));
    for limit in [0, 1_001] {
        assert!(matches!(fixture.limit(&transfer, link.id, Some(limit)).await, Err(Error::InvalidRequest(_))));
    }
}

#[tokio::test]
async fn an_expiry_counts_from_the_change_and_can_be_earlier_or_later() {
    let fixture = Fixture::new();
    let (transfer, link) = fixture.linked_transfer(None).await;
    let change = |seconds| UpdateLink { expires_in_s: Some(seconds), ..UNCHANGED };
    fixture.clock.advance(Duration::from_mins(30));
    fixture.update(&transfer, link.id, change(7_200)).await.unwrap();
    fixture.clock.advance(Duration::from_mins(119));
    fixture.transfers.sweep().await.unwrap();
    fixture.get(&link, &Grant::random()).await.unwrap();
    fixture.update(&transfer, link.id, change(60)).await.unwrap();
    fixture.clock.advance(Duration::from_mins(1));
    assert!(matches!(fixture.get(&link, &Grant::random()).await, Err(Error::TransferExpired)));
    assert!(matches!(fixture.update(&transfer, link.id, change(60)).await, Err(Error::TransferExpired)));
    assert_eq!(fixture.transfers.sweep().await.unwrap().payloads_removed, 1);
    for wrong in [59, 7_776_001] {
        assert!(matches!(fixture.update(&transfer, link.id, change(wrong)).await, Err(Error::InvalidRequest(_))));
    }
}

#[tokio::test]
async fn a_link_that_has_expired_by_one_clock_alone_is_closed_for_all_servers() {
    let fixture = Fixture::new();
    let further = fixture.linked_transfer(None).await;
    let own_link = fixture.own_link().await;
    let pending = fixture.create_transfer(None).await;
    let pending_link = Linked { id: pending.transfer_id.into(), proof: Fixture::proof() };
    for (transfer, link) in [further, own_link, (pending, pending_link)] {
        let late = fixture.stored(transfer.transfer_id).await.own_link.expires_at;
        fixture.clock.set(late);
        assert_eq!(fixture.revoke(&transfer, link.id).await.at(late).status(), Status::Closed);
        // Another server's clock shows an earlier time.
        fixture.clock.set(START.plus(Duration::from_mins(1)));
        assert!(matches!(fixture.get(&link, &Grant::random()).await, Err(Error::LinkClosed)));
    }
}

#[tokio::test]
async fn records_of_a_request_stay_with_the_transfer_when_a_second_read_of_its_link_fails() {
    let memory = MemoryStore::default();
    let sound = Fixture::with_store(Arc::new(memory.clone()));
    let (transfer, link) = sound.linked_transfer(None).await;
    let mut known = 0;
    for failing in 0..12 {
        let faulty = FaultyStore::over(memory.clone()).with(FaultInjector::failing_within(failing..failing + 1));
        let server = Fixture::with_store(Arc::new(faulty));
        let scope = server.scope(ActionName::DownloadGrant);
        if let Ok(found) = server.transfers.find_link(&scope, link.id).await {
            let created = server.transfers.create_download(&scope, &found, Some(&link.proof), Some(Grant::random()));
            known += usize::from(created.await.is_err());
            assert_eq!((scope.transfer_id(), scope.exists()), (Some(transfer.transfer_id), true));
        } else {
            assert!(!scope.exists());
        }
    }
    assert!(known > 1, "no read after the first has failed");
}

#[tokio::test]
async fn an_own_link_is_changed_like_a_further_one() {
    let fixture = Fixture::new();
    let (transfer, own_link) = fixture.own_link().await;
    let change = UpdateLink { expires_in_s: Some(60), max_downloads: Some(Some(2)) };
    let changed = fixture.update(&transfer, own_link.id, change).await.unwrap();
    assert_eq!(
        (changed.record().expires_at, changed.record().max_downloads),
        (START.plus(Duration::from_mins(1)), Some(2))
    );
    let grant = Grant::random();
    fixture.get(&own_link, &grant).await.unwrap();
    let ended = fixture.limit(&transfer, own_link.id, Some(1)).await.unwrap();
    assert_eq!(ended.transfer.state.status(), Status::Exhausted);
    fixture.get(&own_link, &grant).await.unwrap();
    assert!(matches!(fixture.limit(&transfer, own_link.id, None).await, Err(Error::TransferExhausted)));
    fixture.clock.advance(Duration::from_mins(1));
    assert_eq!(fixture.transfers.sweep().await.unwrap().payloads_removed, 1);
    let stats = fixture.transfers.overview(&fixture.tokens).await.unwrap();
    assert_eq!((stats.transfers.exhausted, stats.transfers.completed), (1, 0));
}

#[tokio::test]
async fn a_new_limit_counts_the_grants_from_before_and_keeps_them() {
    let fixture = Fixture::new();
    let further = fixture.linked_transfer(None).await;
    let own_link = fixture.own_link().await;
    for (transfer, link) in [further, own_link] {
        fixture.update(&transfer, link.id, UpdateLink { expires_in_s: Some(86_400), ..UNCHANGED }).await.unwrap();
        let old = Grant::random();
        fixture.get(&link, &old).await.unwrap();
        fixture.clock.advance(Duration::from_mins(30));
        let live = Grant::random();
        fixture.get(&link, &live).await.unwrap();
        fixture.clock.advance(Duration::from_mins(20));
        fixture.clock.advance(Duration::from_mins(15));
        let limited = fixture.limit(&transfer, link.id, Some(3)).await.unwrap();
        assert_eq!((limited.record().download_count(), limited.record().downloads_remaining()), (2, Some(1)));
        // Counts that were buffered before the change add nothing.
        fixture.transfers.flush_counts().await;
        fixture.get(&link, &live).await.unwrap();
        let third = Grant::random();
        fixture.get(&link, &third).await.unwrap();
        assert!(matches!(fixture.get(&link, &Grant::random()).await, Err(Error::TransferExhausted)));
        for grant in [&live, &third] {
            fixture.get(&link, grant).await.unwrap();
        }
    }
}

#[tokio::test]
async fn a_limit_is_removed_and_set_again_without_forgetting_a_download() {
    let fixture = Fixture::new();
    let (transfer, link) = fixture.linked_transfer(Some(9)).await;
    let mut grants = Vec::new();
    for limit in [None, Some(9), None, Some(9)] {
        grants.push(Grant::random());
        fixture.get(&link, grants.last().unwrap()).await.unwrap();
        let changed = fixture.limit(&transfer, link.id, limit).await.unwrap();
        assert_eq!(changed.record().max_downloads, limit);
        for grant in &grants {
            fixture.get(&link, grant).await.unwrap();
        }
    }
    let link = fixture.stored_link(link.id).await;
    assert_eq!((link.link.download_count(), link.link.downloads_remaining()), (4, Some(5)));
}

#[tokio::test]
async fn a_download_in_flight_while_its_link_gets_a_limit_is_counted_or_refused() {
    let fixture = Fixture::new();
    for limit in [1, 2] {
        let (transfer, link) = fixture.linked_transfer(None).await;
        fixture.get(&link, &Grant::random()).await.unwrap();
        // A request reads the link while it is unlimited, and goes on after the change.
        let scope = fixture.scope(ActionName::DownloadGrant);
        let stale = fixture.transfers.find_link(&scope, link.id).await.unwrap();
        fixture.limit(&transfer, link.id, Some(limit)).await.unwrap();
        let grant = Grant::random();
        let counted = fixture.transfers.count_download(&scope, &stale, &grant, ChangeResult::Done).await;
        assert_eq!(counted.is_ok(), limit == 2, "{counted:?}");
        // Its grant object exists, and is good for nothing if the download was refused.
        assert_eq!(fixture.get(&link, &grant).await.is_ok(), limit == 2);
        assert_eq!(fixture.stored_link(link.id).await.link.download_count(), u64::from(limit));
    }
}

#[tokio::test]
async fn a_repeated_grant_survives_the_removal_of_a_limit() {
    let fixture = Fixture::new();
    let (transfer, link) = fixture.linked_transfer(Some(1)).await;
    let (scope, grant) = (fixture.scope(ActionName::DownloadGrant), Grant::random());
    let stale = fixture.transfers.find_link(&scope, link.id).await.unwrap();
    fixture.limit(&transfer, link.id, None).await.unwrap();
    fixture.get(&link, &grant).await.unwrap();
    // Another server still knows the limit.
    let second = Fixture::second_process(&fixture);
    for server in [&fixture, &second] {
        let scope = server.scope(ActionName::DownloadGrant);
        server.transfers.count_download(&scope, &stale, &grant, ChangeResult::Done).await.unwrap();
    }
    fixture.transfers.flush_counts().await;
    second.transfers.flush_counts().await;
    assert_eq!(fixture.stored_link(link.id).await.link.download_count(), 1);
}

#[tokio::test]
async fn more_grants_than_the_largest_limit_end_the_link() {
    let fixture = Fixture::new();
    let (transfer, link) = fixture.linked_transfer(None).await;
    let found = fixture.stored_link(link.id).await;
    let records = (0..=crate::domain::transfer::MAX_GATHERED).map(|number| {
        let record =
            found.at(&transfer, START).new_grant(crate::domain::crypto::digest::Sha256::of(&number.to_be_bytes()));
        (StorageKey::link_grant(link.id, &record.sha256), crate::domain::store::to_json(&record))
    });
    fixture.store.commit(Commit { records: records.collect(), ..Commit::default() }).await.unwrap();
    let ended = fixture.limit(&transfer, link.id, Some(1_000)).await.unwrap();
    assert_eq!((ended.at(START).status(), ended.record().download_count()), (Status::Exhausted, 1_001));
}

#[tokio::test]
async fn a_server_that_stopped_while_it_set_a_limit_is_completed_by_the_next_request() {
    let fixture = Fixture::new();
    let (transfer, link) = fixture.linked_transfer(None).await;
    let grant = Grant::random();
    fixture.get(&link, &grant).await.unwrap();
    let change = LinkChange { max_downloads: Some(Some(1)), ..LinkChange::default() };
    let set = fixture.transfers.change_link(link.id, |mut link| {
        assert!(!link.update(&transfer, change, START)?, "the count is not known yet");
        Ok(Swap::write(link, Commit::default(), ()))
    });
    set.await.unwrap();
    assert!(matches!(fixture.get(&link, &Grant::random()).await, Err(Error::TransferExhausted)));
    fixture.get(&link, &grant).await.unwrap();
    assert!(matches!(fixture.stored_link(link.id).await.link.state, LinkState::Exhausted { .. }));
    let events = fixture.events(transfer.transfer_id).await;
    assert_eq!(events.last(), Some(&EventKind::LinkExhausted));
}

#[tokio::test]
async fn a_revoked_link_serves_nobody_and_the_last_one_ends_the_transfer() {
    let fixture = Fixture::new();
    let (transfer, one) = fixture.linked_transfer(Some(5)).await;
    let two = fixture.link(&transfer, None).await;
    let (grant, kept) = (Grant::random(), Grant::random());
    fixture.get(&one, &grant).await.unwrap();
    fixture.get(&two, &kept).await.unwrap();
    for _ in 0..2 {
        assert_eq!(fixture.revoke(&transfer, one.id).await.at(START).status(), Status::Closed);
    }
    assert!(matches!(fixture.get(&one, &grant).await, Err(Error::LinkClosed)));
    fixture.get(&two, &kept).await.unwrap();
    let ended = fixture.revoke(&transfer, two.id).await;
    assert_eq!((ended.transfer.state.status(), ended.transfer.payload), (Status::Deleted, PayloadState::Removed));
    assert_eq!(fixture.store.received(transfer.payload_id()).await.unwrap(), 0);
    // Each link says what became of it, not of the others.
    for link in [&one, &two] {
        assert!(matches!(fixture.get(link, &Grant::random()).await, Err(Error::LinkClosed)));
    }
    let events = fixture.events(transfer.transfer_id).await;
    assert_eq!(events.iter().filter(|kind| **kind == EventKind::LinkRevoked).count(), 2);
    let stats = fixture.transfers.overview(&fixture.tokens).await.unwrap();
    assert_eq!((stats.transfers.deleted, stats.transfers.completed, stats.bytes_stored), (1, 0, 0));
}

#[tokio::test]
async fn a_revoked_own_link_ends_a_transfer_without_further_links() {
    let fixture = Fixture::new();
    let (transfer, own_link) = fixture.own_link().await;
    let ended = fixture.revoke(&transfer, own_link.id).await;
    assert_eq!((ended.at(START).status(), ended.transfer.payload), (Status::Closed, PayloadState::Removed));
    let (kept, own_link) = fixture.own_link().await;
    let further = fixture.link(&kept, None).await;
    assert_eq!(fixture.revoke(&kept, own_link.id).await.transfer.payload, PayloadState::Stored);
    fixture.get(&further, &Grant::random()).await.unwrap();
}

#[tokio::test]
async fn each_change_of_a_link_is_an_action_with_its_event() {
    let fixture = Fixture::new();
    let (transfer, link) = fixture.linked_transfer(None).await;
    fixture.link(&transfer, None).await;
    fixture.limit(&transfer, link.id, Some(4)).await.unwrap();
    fixture.revoke(&transfer, link.id).await;
    let all = StorageKey::transfer_records(transfer.transfer_id, RecordClass::Change, RecordKind::Action);
    let found = fixture.store.list(&all, None, 100).await.unwrap().items;
    let actions = found.iter().filter_map(|(_, value)| match serde_json::from_slice(value).unwrap() {
        Record::Action(action) if action.link_id == Some(link.id) => Some(action.action),
        _ => None,
    });
    let expected = [ActionName::LinkCreate, ActionName::LinkUpdate, ActionName::LinkRevoke];
    assert_eq!(actions.collect::<Vec<_>>(), expected);
}

#[tokio::test]
async fn a_grant_of_a_used_up_link_ends_with_an_earlier_expiry() {
    let fixture = Fixture::new();
    let (further, (other, own_link)) = (fixture.linked_transfer(Some(2)).await, fixture.own_link().await);
    for (transfer, link) in [further, (other, own_link)] {
        let grant = Grant::random();
        fixture.get(&link, &grant).await.unwrap();
        let change = UpdateLink { expires_in_s: Some(60), max_downloads: Some(Some(1)) };
        assert_eq!(fixture.update(&transfer, link.id, change).await.unwrap().record().downloads_remaining(), Some(0));
        fixture.get(&link, &grant).await.unwrap();
        fixture.clock.advance(Duration::from_mins(1));
        assert!(matches!(fixture.get(&link, &grant).await, Err(Error::TransferExhausted)));
    }
}
