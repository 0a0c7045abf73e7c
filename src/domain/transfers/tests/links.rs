//! Further links: creation, downloads, the end of a transfer with its last link, and redaction.

use super::*;
use crate::domain::crypto::digest::Sha256;
use crate::domain::crypto::link_text::{SEALED_LABEL_BYTES, SealedLabel, WRAPPED_KEY_BYTES, WrappedKey};
use crate::domain::crypto::proof::AccessProof;
use crate::domain::crypto::random;
use crate::domain::transfer::{FurtherLink, LinkState, PayloadState, State};
use crate::domain::wire::{CompleteUpload, CreateLink, LinkPageQuery, LinkStatus};

/// Returns a request for a link with `proof`.
pub(super) fn link_request(proof: &AccessProof, max_downloads: Option<u32>) -> CreateLink {
    CreateLink {
        link_id: LinkId::random(),
        wrapped_key: WrappedKey::from_bytes(&random::bytes::<WRAPPED_KEY_BYTES>()),
        access_sha256: proof.digest(),
        access_from_passphrase: false,
        label: Some(SealedLabel::from_bytes(&random::bytes::<SEALED_LABEL_BYTES>())),
        expires_in_s: Some(3_600),
        max_downloads,
    }
}

/// Further link with the proof that its recipients have.
pub(super) struct Linked {
    pub(super) id: LinkId,
    pub(super) proof: AccessProof,
}

impl Fixture {
    pub(super) fn proof() -> AccessProof {
        crate::domain::id::hex(&random::bytes::<32>()).parse().unwrap()
    }

    pub(super) async fn link(&self, transfer: &Transfer, max_downloads: Option<u32>) -> Linked {
        let proof = Self::proof();
        let request = link_request(&proof, max_downloads);
        let scope = self.scope(ActionName::LinkCreate);
        self.transfers.create_link(&scope, transfer.clone(), &request).await.unwrap();
        Linked { id: request.link_id, proof }
    }

    /// Creates a completed transfer whose own link is closed, with one further link.
    pub(super) async fn linked_transfer(&self, max_downloads: Option<u32>) -> (Transfer, Linked) {
        let transfer = self.closed_transfer().await;
        let link = self.link(&transfer, max_downloads).await;
        self.send(&transfer, b"abc").await.unwrap();
        let (scope, transfer) = (self.scope(ActionName::UploadComplete), self.stored(transfer.transfer_id).await);
        (self.transfers.complete(&scope, transfer, &CompleteUpload::default()).await.unwrap(), link)
    }

    async fn closed_transfer(&self) -> Transfer {
        let request = CreateTransfer { own_link: OwnLinkChoice::Closed, ..create_request() };
        let scope = self.scope(ActionName::TransferCreate);
        self.transfers.create(&scope, &self.token().await, &request).await.unwrap().transfer
    }

    /// Downloads under a link, with its proof and a grant.
    pub(super) async fn get(&self, link: &Linked, grant: &Grant) -> Result<(), Error> {
        let scope = self.scope(ActionName::DownloadGrant);
        let found = self.transfers.find_link(&scope, link.id).await?;
        let grant = grant.to_text().parse().ok();
        self.transfers.create_download(&scope, &found, Some(&link.proof), grant).await.map(drop)
    }

    pub(super) async fn stored_link(&self, id: LinkId) -> FurtherLink {
        read(&*self.store, &StorageKey::link(id)).await.unwrap().unwrap().value
    }

    pub(super) async fn stored(&self, id: TransferId) -> Transfer {
        read(&*self.store, &StorageKey::transfer(id)).await.unwrap().unwrap().value
    }
}

#[tokio::test]
async fn a_link_is_created_once_and_its_id_belongs_to_it_alone() {
    let fixture = Fixture::new();
    let transfer = fixture.create_transfer(None).await;
    let request = link_request(&Fixture::proof(), Some(2));
    let create = async |transfer: &Transfer, request: &CreateLink| {
        let scope = fixture.scope(ActionName::LinkCreate);
        fixture.transfers.create_link(&scope, transfer.clone(), request).await
    };
    let first = create(&transfer, &request).await.unwrap();
    let again = create(&transfer, &request).await.unwrap();
    assert_eq!(first.further, again.further);
    assert_eq!(fixture.stored(transfer.transfer_id).await.links, [request.link_id]);
    let other = CreateLink { access_sha256: Sha256::of(b"other"), ..request.clone() };
    assert!(matches!(create(&transfer, &other).await, Err(Error::LinkMismatch)));
    // Neither a transfer's id nor the id of another transfer's link can be taken.
    let foreign = fixture.closed_transfer().await;
    assert!(matches!(create(&foreign, &request).await, Err(Error::LinkMismatch)));
    assert_eq!(fixture.stored(foreign.transfer_id).await.links, []);
    let taken = CreateLink { link_id: foreign.transfer_id.into(), ..request.clone() };
    assert!(matches!(create(&transfer, &taken).await, Err(Error::LinkMismatch)));
    for (expires_in_s, max_downloads) in [(59, 1), (7_776_001, 1), (60, 0), (60, 1_001)] {
        let wrong = CreateLink {
            link_id: LinkId::random(),
            expires_in_s: Some(expires_in_s),
            max_downloads: Some(max_downloads),
            ..request.clone()
        };
        assert!(matches!(create(&transfer, &wrong).await, Err(Error::InvalidRequest(_))));
    }
    let events = [EventKind::TransferCreated, EventKind::LinkCreated];
    assert_eq!(fixture.events(transfer.transfer_id).await, events);
}

#[tokio::test]
async fn a_transfer_has_a_thousand_further_links_at_most() {
    let fixture = Fixture::new();
    let transfer = fixture.create_transfer(None).await;
    let full = fixture.transfers.change(transfer.transfer_id, |mut transfer| {
        transfer.links = (0..super::super::links::MAX_LINKS).map(|_| LinkId::random()).collect();
        Ok(Swap::write(transfer, Commit::default(), ()))
    });
    full.await.unwrap();
    let scope = fixture.scope(ActionName::LinkCreate);
    let more = link_request(&Fixture::proof(), None);
    assert!(matches!(fixture.transfers.create_link(&scope, transfer, &more).await, Err(Error::TooManyLinks)));
}

#[tokio::test]
async fn an_upload_without_a_usable_link_is_not_completed() {
    let fixture = Fixture::new();
    let transfer = fixture.closed_transfer().await;
    fixture.send(&transfer, b"abc").await.unwrap();
    let complete = async || {
        let scope = fixture.scope(ActionName::UploadComplete);
        let transfer = fixture.stored(transfer.transfer_id).await;
        fixture.transfers.complete(&scope, transfer, &CompleteUpload::default()).await
    };
    assert!(matches!(complete().await, Err(Error::NoLink)));
    let link = fixture.link(&transfer, Some(1)).await;
    let scope = fixture.scope(ActionName::LinkRevoke);
    let found = fixture.transfers.link_of(&scope, fixture.stored(transfer.transfer_id).await, link.id).await.unwrap();
    fixture.transfers.revoke_link(&scope, found).await.unwrap();
    assert!(matches!(complete().await, Err(Error::NoLink)));
    fixture.link(&transfer, Some(1)).await;
    assert_eq!(complete().await.unwrap().state.status(), Status::Completed);
}

#[tokio::test]
async fn the_limit_of_each_link_is_exact_on_two_servers() {
    let first = Fixture::new();
    let second = Fixture::second_process(&first);
    let (transfer, one) = first.linked_transfer(Some(3)).await;
    let two = first.link(&transfer, Some(1)).await;
    for (link, limit) in [(&one, 3), (&two, 1)] {
        let grants: Vec<_> = (0..8).map(|_| Grant::random()).collect();
        let all = grants.iter().enumerate().map(|(number, grant)| {
            let server = if number % 2 == 0 { &first } else { &second };
            server.get(link, grant)
        });
        let results = futures_util::future::join_all(all).await;
        assert_eq!(results.iter().filter(|result| result.is_ok()).count(), limit);
        assert!(results.iter().all(|result| matches!(result, Ok(()) | Err(Error::TransferExhausted))), "{results:?}");
        // A grant is repeated as often as its client likes, under its own link.
        for (grant, result) in grants.iter().zip(&results) {
            assert_eq!(second.get(link, grant).await.is_ok(), result.is_ok());
        }
        assert!(matches!(first.stored_link(link.id).await.link.state, LinkState::Exhausted { .. }));
    }
    let transfer = first.stored(transfer.transfer_id).await;
    assert_eq!((transfer.state.status(), transfer.own_link.download_count()), (Status::Completed, 0));
}

#[tokio::test]
async fn a_grant_is_good_under_its_own_link_only() {
    let fixture = Fixture::new();
    let (transfer, one) = fixture.linked_transfer(None).await;
    let two = fixture.link(&transfer, Some(2)).await;
    for (link, other) in [(&one, &two), (&two, &one)] {
        let grant = Grant::random();
        fixture.get(link, &grant).await.unwrap();
        let scope = fixture.scope(ActionName::PayloadDownload);
        let found = fixture.transfers.find_link(&scope, other.id).await.unwrap();
        let range = Some(0..3);
        let download = fixture.transfers.download(&scope, &found, Some(&other.proof), Some(&grant), range).await;
        assert!(matches!(download, Err(Error::GrantInvalid)));
        let found = fixture.transfers.find_link(&scope, link.id).await.unwrap();
        let wrong = fixture.transfers.check_download(&scope, &found, Some(&other.proof), None).await;
        assert!(matches!(wrong, Err(Error::AccessInvalid)));
        let none = fixture.transfers.check_download(&scope, &found, None, None).await;
        assert!(matches!(none, Err(Error::AccessRequired)));
    }
}

#[tokio::test]
async fn a_transfer_ends_with_its_last_link_and_then_loses_its_payload() {
    let fixture = Fixture::new();
    let (transfer, one) = fixture.linked_transfer(Some(1)).await;
    let id = transfer.transfer_id;
    let two = fixture.link(&transfer, Some(1)).await;
    fixture.get(&one, &Grant::random()).await.unwrap();
    fixture.clock.advance(Duration::from_mins(10));
    let last = Grant::random();
    fixture.get(&two, &last).await.unwrap();
    fixture.clock.advance(Duration::from_mins(49));
    fixture.transfers.sweep().await.unwrap();
    assert_eq!(fixture.stored(id).await.payload, PayloadState::Stored);
    fixture.get(&two, &last).await.unwrap();
    fixture.clock.advance(Duration::from_mins(12));
    assert_eq!(fixture.transfers.sweep().await.unwrap().payloads_removed, 1);
    let ended = fixture.stored(id).await;
    assert_eq!((ended.state.status(), ended.payload), (Status::Exhausted, PayloadState::Removed));
    assert_eq!(
        fixture.events(id).await[7..],
        [EventKind::LinkExhausted, EventKind::TransferExhausted, EventKind::PayloadRemoved]
    );
    // The links go with the records of the transfer.
    fixture.clock.advance(RETAIN + Duration::from_hours(1));
    assert_eq!(fixture.transfers.sweep().await.unwrap().removed, 1);
    assert_eq!(fixture.keys(&StorageKey::all_links()).await, [""; 0]);
    assert_eq!(fixture.keys(&StorageKey::all_schedule_entries()).await, [""; 0]);
}

#[tokio::test]
async fn expired_links_end_their_transfer() {
    let fixture = Fixture::new();
    let (transfer, link) = fixture.linked_transfer(None).await;
    let grant = Grant::random();
    fixture.get(&link, &grant).await.unwrap();
    fixture.clock.advance(Duration::from_hours(1));
    assert!(matches!(fixture.get(&link, &grant).await, Err(Error::GrantExpired)));
    assert!(matches!(fixture.get(&link, &Grant::random()).await, Err(Error::TransferExpired)));
    assert_eq!(fixture.transfers.sweep().await.unwrap().payloads_removed, 1);
    assert!(matches!(fixture.stored_link(link.id).await.link.state, LinkState::Expired { .. }));
    assert_eq!(fixture.stored(transfer.transfer_id).await.state.status(), Status::Expired);
    let scope = fixture.scope(ActionName::LinkCreate);
    let late = link_request(&Fixture::proof(), None);
    let late = fixture.transfers.create_link(&scope, fixture.stored(transfer.transfer_id).await, &late).await;
    assert!(matches!(late, Err(Error::TransferExpired)));
}

#[tokio::test]
async fn a_link_whose_creation_is_overtaken_by_the_end_is_refused() {
    let fixture = Fixture::new();
    let (transfer, _) = fixture.linked_transfer(None).await;
    let id = transfer.transfer_id;
    let late = link_request(&Fixture::proof(), None);
    // Simulates a server that stopped between its two writes: the id is entered, the link not created.
    let entered = fixture.transfers.change(id, |mut transfer| {
        transfer.links.push(late.link_id);
        Ok(Swap::write(transfer, Commit::default(), ()))
    });
    entered.await.unwrap();
    fixture.clock.advance(Duration::from_hours(1));
    assert_eq!(fixture.transfers.sweep().await.unwrap().payloads_removed, 1);
    let value = fixture.stored(id).await;
    let scope = fixture.scope(ActionName::LinkCreate);
    assert!(matches!(fixture.transfers.create_link(&scope, value, &late).await, Err(Error::TransferExpired)));
    // The server goes on, and finds the id closed.
    let link = FurtherLink { link_id: late.link_id, ..fixture.stored_link(late.link_id).await };
    assert!(matches!(link.link.state, LinkState::Closed { .. }));
}

#[tokio::test]
async fn a_creation_completes_the_end_that_has_closed_its_id() {
    let fixture = Fixture::new();
    let (transfer, first) = fixture.linked_transfer(None).await;
    let id = transfer.transfer_id;
    let late = link_request(&Fixture::proof(), None);
    // Simulates an end that stopped between its writes: the id is closed, the transfer not yet ended.
    fixture.clock.advance(Duration::from_hours(1));
    let mut closed = FurtherLink {
        link_id: late.link_id,
        wrapped_key: FurtherLink::no_key(),
        ..fixture.stored_link(first.id).await
    };
    closed.link.close(fixture.clock.now());
    crate::domain::store::create(&*fixture.store, StorageKey::link(late.link_id), &closed, Commit::default())
        .await
        .unwrap();

    let scope = fixture.scope(ActionName::LinkCreate);
    let created = fixture.transfers.create_link(&scope, fixture.stored(id).await, &late).await;
    assert!(matches!(created, Err(Error::TransferExpired)), "{created:?}");
    assert!(matches!(fixture.stored(id).await.state, State::Expired { .. }));
}

#[tokio::test]
async fn own_and_further_links_end_apart() {
    let fixture = Fixture::new();
    let transfer = fixture.create_transfer(Some(1)).await;
    let link = fixture.link(&transfer, Some(1)).await;
    fixture.send(&transfer, b"abc").await.unwrap();
    let transfer = fixture
        .transfers
        .complete(&fixture.scope(ActionName::UploadComplete), transfer, &CompleteUpload::default())
        .await
        .unwrap();
    let (scope, grant) = (fixture.scope(ActionName::DownloadGrant), Grant::random());
    fixture.transfers.count_download(&scope, &own(&transfer), &grant, ChangeResult::Done).await.unwrap();
    let stored = fixture.stored(transfer.transfer_id).await;
    assert_eq!((stored.state.status(), stored.own_link_at(START).status()), (Status::Completed, Status::Exhausted));
    let other = fixture.transfers.count_download(&scope, &own(&transfer), &Grant::random(), ChangeResult::Done).await;
    assert!(matches!(other, Err(Error::TransferExhausted)));
    let kept = fixture.transfers.check_download(&scope, &own(&stored), None, Some(&grant)).await;
    kept.unwrap();
    fixture.get(&link, &Grant::random()).await.unwrap();
    let page = fixture.transfers.list_links(&stored, LinkPageQuery::default()).await.unwrap();
    let items: Vec<_> = page.items.iter().map(|item| (item.own, item.status, item.download_count)).collect();
    assert_eq!(items, [(true, Status::Exhausted, 1), (false, Status::Exhausted, 1)]);
    fixture.transfers.delete(&scope, transfer.transfer_id).await.unwrap();
    assert!(matches!(fixture.get(&link, &Grant::random()).await, Err(Error::TransferDeleted)));
}

#[tokio::test]
async fn without_the_proof_the_status_of_a_further_link_has_four_members() {
    let fixture = Fixture::new();
    let (transfer, link) = fixture.linked_transfer(Some(1)).await;
    let scope = fixture.scope(ActionName::TransferStatus);
    let found = fixture.transfers.find_link(&scope, link.id).await.unwrap();
    let redacted = fixture.transfers.status(&scope, &found, None).unwrap();
    let json = serde_json::to_value(&redacted).unwrap();
    let mut members: Vec<_> = json.as_object().unwrap().keys().map(String::as_str).collect();
    members.sort_unstable();
    assert_eq!(members, ["access_proof", "mode", "status", "transfer_id"]);
    let wrong = fixture.transfers.status(&scope, &found, Some(&Fixture::proof()));
    assert!(matches!(wrong, Err(Error::AccessInvalid)));
    let LinkStatus::Full(full) = fixture.transfers.status(&scope, &found, Some(&link.proof)).unwrap() else {
        panic!("the status with the proof is redacted")
    };
    assert_eq!(full.transfer_id, link.id.as_transfer());
    assert_eq!(full.wrapped_key, found.wrapped_key());
    assert!(!serde_json::to_string(&full).unwrap().contains(&transfer.transfer_id.to_string()));
    // The own link is closed, and has no wrapped key.
    let own = fixture.transfers.status(&scope, &own(&transfer), None).unwrap();
    let LinkStatus::Full(own) = own else { panic!("the status of an own link is redacted") };
    assert_eq!((own.status, own.wrapped_key), (Status::Closed, None));
}
