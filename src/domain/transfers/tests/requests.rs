//! Uploads of guests for a request.

use super::*;
use crate::domain::crypto::guest_proof::GuestProof;
use crate::domain::crypto::request_secret::RequestSecret;
use crate::domain::maintenance::check::check;
use crate::domain::notification::{Notification, NotificationChoice};
use crate::domain::store::{open_header, read};
use crate::domain::token::{AuthenticatedToken, PlainToken, TokenStatus};
use crate::domain::transfer::Guest;
use crate::domain::wire::{CreateRequest, OwnTransferQuery, RequestItem};

/// Owner with one request, and the guest's side of it.
pub(super) struct Requested {
    pub(super) fixture: Fixture,
    pub(super) owner: Token,
    pub(super) owner_text: String,
    pub(super) request: RequestItem,
    pub(super) plain: PlainToken,
}

fn limits(max_transfers: Option<u64>, max_total_bytes: Option<u64>) -> CreateRequest {
    let secret_sha256 = RequestSecret::random().token("0123456789abcdef".parse().unwrap()).secret_sha256();
    CreateRequest { secret_sha256, expires_in_s: Some(3_600), max_transfers, max_total_bytes }
}

impl Requested {
    /// Creates an owner with these limits of its token, and a request with its own limits.
    pub(super) async fn with(of_owner: (Option<u64>, Option<u64>), of_request: (Option<u64>, Option<u64>)) -> Self {
        Self::over(Fixture::new(), of_owner, of_request).await
    }

    /// Creates both in the store of `fixture`.
    pub(super) async fn over(
        fixture: Fixture,
        of_owner: (Option<u64>, Option<u64>),
        of_request: (Option<u64>, Option<u64>),
    ) -> Self {
        open_header(&*fixture.store, Retention::default()).await.unwrap();
        let token = CreateToken {
            name: "press".to_owned(),
            expires_in_s: Some(7_200),
            max_transfers: of_owner.0,
            max_total_bytes: of_owner.1,
            notifications: None,
        };
        let scope = fixture.scope(ActionName::TokenCreate);
        let (owner, owner_plain) = fixture.tokens.create(&scope, token).await.unwrap();
        let secret = RequestSecret::random();
        let secret_sha256 = secret.token(owner.token_id).secret_sha256();
        let body = CreateRequest { secret_sha256, ..limits(of_request.0, of_request.1) };
        let scope = fixture.scope(ActionName::RequestCreate);
        let request = fixture.tokens.create_request(&scope, &owner, &body).await.unwrap();
        let plain = secret.token(request.token_id);
        Self { fixture, owner, owner_text: owner_plain.to_text().to_string(), request, plain }
    }

    /// Lets owner and request live longer.
    pub(super) async fn renew(&self) {
        for id in [self.owner.token_id, self.request.token_id] {
            let scope = self.fixture.scope(ActionName::TokenUpdate);
            let update = crate::domain::wire::UpdateToken { expires_in_s: Some(None), ..Default::default() };
            self.fixture.tokens.update(&scope, id, update).await.unwrap();
        }
    }

    pub(super) async fn authenticate(&self) -> Result<AuthenticatedToken, Error> {
        let scope = self.fixture.scope(ActionName::TransferCreate);
        self.fixture.tokens.authenticate(&scope, &self.plain.to_text()).await
    }

    /// Creates the transfer of a guest, with 3 bytes.
    async fn create_with(&self, proof: &GuestProof, request: CreateTransfer) -> Result<Transfer, Error> {
        let AuthenticatedToken { token, owner } = self.authenticate().await?;
        let guest = Guest { owner: &owner.unwrap(), proof_sha256: proof.digest() };
        let scope = self.fixture.scope(ActionName::TransferCreate);
        self.fixture.transfers.create_as_guest(&scope, &token, guest, &request).await.map(|new| new.transfer)
    }

    pub(super) async fn create(&self) -> Result<Transfer, Error> {
        self.create_with(&GuestProof::random(), create_request()).await
    }

    /// Returns the transfers and bytes that the owner and the request have in use.
    pub(super) async fn used(&self) -> [(u64, u64); 2] {
        let mut used = [(0, 0); 2];
        for (used, id) in used.iter_mut().zip([self.owner.token_id, self.request.token_id]) {
            let quota = self.fixture.tokens.find(id).await.unwrap().quota;
            *used = (quota.transfers_created(), quota.bytes_held());
        }
        used
    }
}

#[tokio::test]
async fn a_guests_transfer_counts_in_both_quotas_and_belongs_to_the_owner() {
    let requested = Requested::with((Some(10), Some(100)), (Some(5), None)).await;
    let transfer = requested.create().await.unwrap();
    assert_eq!(requested.used().await, [(1, 3), (1, 3)]);
    assert_eq!(transfer.owner(), requested.owner.token_id);
    assert_eq!(transfer.request(), Some(requested.request.token_id));
    transfer.check_owner(requested.owner.token_id).unwrap();
    let error = transfer.check_owner(requested.request.token_id).unwrap_err();
    assert!(matches!(error, Error::NotYourTransfer));
    let Requested { fixture, .. } = &requested;
    for _ in 0..2 {
        fixture.transfers.delete(&fixture.scope(ActionName::TransferDelete), transfer.transfer_id).await.unwrap();
        assert_eq!(requested.used().await, [(1, 0), (1, 0)]);
    }
    assert_eq!(check(&*fixture.store).await.unwrap().findings, []);
}

#[tokio::test]
async fn limits_of_the_request_and_of_its_owner_hold_both() {
    for (of_owner, of_request, accepted, member) in [
        ((None, None), (Some(2), None), 2, "max_transfers"),
        ((Some(2), None), (Some(5), None), 2, "max_transfers"),
        ((None, None), (None, Some(7)), 2, "max_total_bytes"),
        ((None, Some(7)), (None, None), 2, "max_total_bytes"),
    ] {
        let requested = Requested::with(of_owner, of_request).await;
        for _ in 0..accepted {
            requested.create().await.unwrap();
        }
        match requested.create().await {
            Err(Error::QuotaExceeded { member: exceeded }) => assert_eq!(exceeded, member),
            other => panic!("{other:?} beyond {of_owner:?} and {of_request:?}"),
        }
        assert_eq!(requested.used().await, [(accepted, 3 * accepted); 2]);
        assert_eq!(check(&*requested.fixture.store).await.unwrap().findings, []);
    }
}

#[tokio::test]
async fn fifty_guests_on_two_servers_get_exactly_five_transfers() {
    let requested = Requested::with((None, None), (Some(5), None)).await;
    let second = Fixture::second_process(&requested.fixture);
    let AuthenticatedToken { token, owner } = requested.authenticate().await.unwrap();
    let owner = owner.unwrap();
    let guests = (0..50).map(|number| {
        let fixture = if number % 2 == 0 { &requested.fixture } else { &second };
        let guest = Guest { owner: &owner, proof_sha256: GuestProof::random().digest() };
        let (token, request) = (&token, create_request());
        async move {
            let scope = fixture.scope(ActionName::TransferCreate);
            fixture.transfers.create_as_guest(&scope, token, guest, &request).await.is_ok()
        }
    });
    let accepted = futures_util::future::join_all(guests).await;
    assert_eq!(accepted.into_iter().filter(|accepted| *accepted).count(), 5);
    assert_eq!(requested.used().await, [(5, 15), (5, 15)]);
    assert_eq!(check(&*requested.fixture.store).await.unwrap().findings, []);
}

#[tokio::test]
async fn only_the_guest_who_created_a_transfer_can_upload_it() {
    let requested = Requested::with((None, None), (None, None)).await;
    let proof = GuestProof::random();
    let transfer = requested.create_with(&proof, create_request()).await.unwrap();
    let request = requested.request.token_id;
    transfer.check_uploader(request, Some(&proof)).unwrap();
    for wrong in [None, Some(&GuestProof::random())] {
        assert!(matches!(transfer.check_uploader(request, wrong), Err(Error::GuestProofInvalid)));
    }
    assert!(matches!(transfer.check_uploader(requested.owner.token_id, Some(&proof)), Err(Error::NotYourTransfer)));
}

#[tokio::test]
async fn an_idempotency_key_returns_the_transfer_to_its_own_guest_only() {
    let requested = Requested::with((None, None), (None, None)).await;
    let proof = GuestProof::random();
    let request = CreateTransfer { idempotency_key: Some("7".repeat(64)), ..create_request() };
    let first = requested.create_with(&proof, request.clone()).await.unwrap();
    let again = requested.create_with(&proof, request.clone()).await.unwrap();
    assert_eq!(again.transfer_id, first.transfer_id);
    let other = requested.create_with(&GuestProof::random(), request).await;
    assert!(matches!(other, Err(Error::IdempotencyMismatch)));
    assert_eq!(requested.used().await, [(1, 3), (1, 3)]);
}

#[tokio::test]
async fn guests_choose_neither_limits_nor_notifications() {
    let requested = Requested::with((None, None), (None, None)).await;
    let plain = create_request;
    for (member, request) in [
        ("max_downloads", CreateTransfer { max_downloads: Some(1), ..plain() }),
        ("own_link", CreateTransfer { own_link: OwnLinkChoice::Closed, ..plain() }),
        ("notify", CreateTransfer { notify: Some(NotificationChoice::default()), ..plain() }),
    ] {
        match requested.create_with(&GuestProof::random(), request).await {
            Err(Error::InvalidRequest(text)) => assert!(text.starts_with(member), "{text}"),
            other => panic!("{member}: {other:?}"),
        }
    }
    assert_eq!(requested.used().await, [(0, 0), (0, 0)]);
}

#[tokio::test]
async fn a_request_ends_with_its_expiry_its_revocation_and_its_owners_token() {
    let revoked = Requested::with((None, None), (None, None)).await;
    let Requested { fixture, owner, request, .. } = &revoked;
    let scope = || fixture.scope(ActionName::RequestRevoke);
    for _ in 0..2 {
        let item = fixture.tokens.revoke_request(&scope(), owner, request.token_id).await.unwrap();
        assert_eq!(item.status, TokenStatus::Revoked);
    }
    assert!(matches!(revoked.create().await, Err(Error::TokenRevoked)));

    let expired = Requested::with((None, None), (None, None)).await;
    expired.fixture.clock.advance(Duration::from_hours(1));
    assert!(matches!(expired.create().await, Err(Error::TokenExpired)));

    let orphaned = Requested::with((None, None), (None, None)).await;
    let scope = orphaned.fixture.scope(ActionName::TokenRevoke);
    orphaned.fixture.tokens.revoke(&scope, orphaned.owner.token_id).await.unwrap();
    assert!(matches!(orphaned.create().await, Err(Error::TokenRevoked)));
    let owner = orphaned.fixture.tokens.find(orphaned.owner.token_id).await.unwrap();
    let listed = orphaned.fixture.tokens.list_requests(&owner).await.unwrap();
    assert_eq!(listed[0].status, TokenStatus::Revoked, "a request outlives the token of its owner");
}

#[tokio::test]
async fn a_request_is_found_by_its_owner_only_and_makes_no_requests() {
    let requested = Requested::with((None, None), (None, None)).await;
    let Requested { fixture, request, owner, .. } = &requested;
    let stranger = fixture.token().await;
    let scope = fixture.scope(ActionName::RequestRevoke);
    let id = request.token_id;
    assert!(matches!(fixture.tokens.revoke_request(&scope, &stranger, id).await, Err(Error::RequestNotFound)));
    assert!(matches!(fixture.tokens.revoke_request(&scope, owner, owner.token_id).await, Err(Error::RequestNotFound)));
    let query = OwnTransferQuery { request: Some(id), ..OwnTransferQuery::default() };
    let transfer = requested.create().await.unwrap();
    let page = fixture.transfers.list_own(owner.token_id, query.clone()).await.unwrap();
    assert_eq!(page.items.iter().map(|item| item.transfer_id).collect::<Vec<_>>(), [transfer.transfer_id]);
    let foreign = fixture.transfers.list_own(stranger.token_id, query).await;
    assert!(matches!(foreign, Err(Error::RequestNotFound)));
    assert!(matches!(requested.authenticate().await.unwrap().sender(), Err(Error::NotForRequests)));
    let authenticated = fixture.tokens.authenticate(&scope, &requested.owner_text).await.unwrap();
    assert_eq!(authenticated.sender().unwrap().token_id, owner.token_id);
}

#[tokio::test]
async fn a_repeated_creation_returns_the_same_request() {
    let fixture = Fixture::new();
    let owner = fixture.token().await;
    let scope = fixture.scope(ActionName::RequestCreate);
    let body = limits(Some(1), None);
    let first = fixture.tokens.create_request(&scope, &owner, &body).await.unwrap();
    let again = fixture.tokens.create_request(&scope, &owner, &body).await.unwrap();
    assert_eq!(again, first);
    let other = fixture.tokens.create_request(&scope, &owner, &limits(Some(1), None)).await.unwrap();
    let listed = fixture.tokens.list_requests(&owner).await.unwrap();
    assert_eq!(listed, [other, first], "the newest is not first");
}

#[tokio::test]
async fn ended_requests_make_room_for_new_ones() {
    let fixture = Fixture::new();
    let owner = fixture.token().await;
    let scope = fixture.scope(ActionName::RequestCreate);
    let mut ids = Vec::new();
    for _ in 0..crate::domain::token::MAX_REQUESTS {
        ids.push(fixture.tokens.create_request(&scope, &owner, &limits(None, None)).await.unwrap().token_id);
    }
    let one_more = fixture.tokens.create_request(&scope, &owner, &limits(None, None)).await;
    assert!(matches!(one_more, Err(Error::TooManyRequests)));
    fixture.tokens.revoke_request(&scope, &owner, ids[7]).await.unwrap();
    fixture.tokens.create_request(&scope, &owner, &limits(None, None)).await.unwrap();
    let listed = fixture.tokens.list_requests(&owner).await.unwrap();
    assert!(listed.iter().all(|item| item.token_id != ids[7]));
}

#[tokio::test]
async fn a_guest_can_delete_an_upload_until_it_was_downloaded() {
    let requested = Requested::with((None, None), (None, None)).await;
    let transfer = requested.create().await.unwrap();
    let transfers = &requested.fixture.transfers;
    transfers.check_deletable_by_guest(&transfer).await.unwrap();
    let key = StorageKey::grant(transfer.transfer_id, &Grant::random().digest());
    let grant = crate::domain::transfer::GrantRecord {
        v: crate::domain::version::V1,
        sha256: Grant::random().digest(),
        granted_at: START,
        expires_at: START.plus(Duration::from_hours(1)),
    };
    crate::domain::store::create(&*requested.fixture.store, key, &grant, Commit::default()).await.unwrap();
    let error = transfers.check_deletable_by_guest(&transfer).await.unwrap_err();
    assert!(matches!(error, Error::AlreadyDownloaded));
}

#[tokio::test]
async fn the_owner_is_notified_of_what_arrives() {
    let requested = Requested::with((None, None), (None, None)).await;
    let Requested { fixture, owner, request, .. } = &requested;
    let transfer = requested.create().await.unwrap();
    let body = stream::iter([Ok(bytes::Bytes::from_static(b"abc"))]);
    let chunk = PayloadChunk { offset: 0, length: None, body };
    let scope = fixture.scope(ActionName::PayloadUpload);
    fixture.transfers.upload(&scope, &transfer, chunk).await.unwrap();
    let scope = fixture.scope(ActionName::UploadComplete);
    fixture.transfers.complete(&scope, transfer.clone(), &CompleteUpload::default()).await.unwrap();
    let keys = fixture.store.keys(&StorageKey::all_notifications(), None, 10).await.unwrap();
    assert_eq!(keys.len(), 1);
    assert!(keys[0].as_str().contains(&owner.token_id.to_string()), "{}", keys[0]);
    let notification = read::<Notification>(&*fixture.store, &keys[0]).await.unwrap().unwrap().value;
    assert_eq!(notification.kind.as_str(), "request.received");
    assert_eq!((notification.transfer_id, notification.request), (transfer.transfer_id, Some(request.token_id)));
}
