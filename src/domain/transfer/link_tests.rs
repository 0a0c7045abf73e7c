//! Tests of the rules that own and further links share, and of their stored form.

use super::*;
use crate::domain::crypto::digest::Sha256;
use crate::domain::crypto::link_text::{WRAPPED_KEY_BYTES, WrappedKey};
use crate::domain::notification::NotificationChoice;

const START: Timestamp = Timestamp::from_millis(1_000_000_000);
const LIFETIME: Duration = Duration::from_hours(48);

/// Members of a link with a download limit, as layout 4 stores them.
const LINK_MEMBERS: &str = r#""expires_at":9,"max_downloads":2,
    "access_sha256":"e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855","access_from_passphrase":false,
    "grants":[{"v":1,"sha256":"ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad","granted_at":3,"expires_at":8}],
    "downloads":1,"count_marks":[7],"limit_history":{"ungathered":false,"gathered":1,"settled":0},"last_download_at":3"#;

/// Completed transfer with both kinds of links.
fn transfer_with_link(limit: Option<u32>) -> (Transfer, FurtherLink) {
    let terms = TransferTerms {
        size_bytes: 1_000,
        lifetime: LIFETIME,
        max_downloads: limit,
        access_sha256: None,
        access_from_passphrase: false,
        notify: NotificationChoice::First,
        own_link_closed: false,
    };
    let mut transfer = Transfer::new(TransferId::random(), TokenId::random(), &terms, START);
    let further = FurtherLink {
        v: V1,
        link_id: LinkId::random(),
        transfer_id: transfer.transfer_id,
        created_at: START,
        wrapped_key: WrappedKey::from_bytes(&[0; WRAPPED_KEY_BYTES]),
        label: None,
        link: LinkRecord::new(START.plus(LIFETIME), limit, Some(Sha256::of(b"")), false),
    };
    transfer.links.push(further.link_id);
    transfer.complete(START, &CompleteUpload::default()).unwrap();
    (transfer, further)
}

/// Observable properties of a link at one time.
fn properties(link: LinkAt<'_>) -> (Status, [Option<String>; 3]) {
    let text = |result: Result<(), Error>| result.err().map(|error| format!("{error:?}"));
    let results = [link.check_downloadable(false), link.check_downloadable(true), link.check_open()];
    (link.status(), results.map(text))
}

#[test]
fn own_and_further_links_follow_the_same_rules() {
    type Change = fn(&mut Transfer, &mut FurtherLink);
    let changes: [(&str, Change); 7] = [
        ("open", |_, _| {}),
        ("closed", |transfer, further| {
            assert!(transfer.close_own_link(START) && further.link.close(START));
            assert!(!transfer.close_own_link(START) && !further.link.close(START));
        }),
        ("exhausted", |transfer, further| {
            let digest = Sha256::of(b"grant");
            let own = transfer.count_download(digest, START).unwrap();
            let other = further.count_download(&transfer.clone(), digest, START).unwrap();
            assert_eq!((own, own.exhausted), (other, true));
        }),
        ("expires earlier", |transfer, further| {
            let end = Some(START.plus(Duration::from_mins(1)));
            let change = LinkChange { expires_at: end, ..LinkChange::default() };
            assert!(!transfer.update_own_link(change, START).unwrap());
            assert!(!further.update(&transfer.clone(), change, START).unwrap());
        }),
        ("exhausted, expires earlier", |transfer, further| {
            let end = Some(START.plus(Duration::from_mins(1)));
            let change = LinkChange { expires_at: end, ..LinkChange::default() };
            assert!(!transfer.update_own_link(change, START).unwrap());
            assert!(!further.update(&transfer.clone(), change, START).unwrap());
            transfer.count_download(Sha256::of(b"grant"), START).unwrap();
            further.count_download(&transfer.clone(), Sha256::of(b"grant"), START).unwrap();
        }),
        ("deleted", |transfer, _| assert!(transfer.delete(START, DeletionCause::Requested))),
        ("pending", |transfer, _| transfer.state = State::Pending),
    ];
    let minutes = [0, 1, 59, 60, 61, 24 * 60, 48 * 60 - 1, 48 * 60, 49 * 60];
    for (name, change) in changes {
        let (mut transfer, mut further) = transfer_with_link(Some(1));
        change(&mut transfer, &mut further);
        for minute in minutes {
            let now = START.plus(Duration::from_mins(minute));
            let (own, other) = (transfer.own_link_at(now), further.at(&transfer, now));
            assert_eq!(properties(own), properties(other), "{name}, after {minute} min");
            if matches!(transfer.state_at(now), State::Completed { .. }) {
                assert_eq!(
                    (own.state(), own.needed_until()),
                    (other.state(), other.needed_until()),
                    "{name}, {minute}"
                );
            }
        }
    }
}

#[test]
fn a_transfer_without_further_links_ends_with_its_own_link() {
    let (mut transfer, _) = transfer_with_link(Some(1));
    transfer.links.clear();
    let counted = transfer.count_download(Sha256::of(b"grant"), START).unwrap();
    assert!(counted.exhausted);
    // The end is that of the transfer, and is not stored twice.
    assert_eq!((transfer.state.status(), transfer.own_link.state), (Status::Exhausted, LinkState::Open));
    let link = transfer.own_link_at(START);
    assert_eq!((link.status(), link.state()), (Status::Exhausted, LinkState::Exhausted { at: START }));
    assert_eq!(link.needed_until(), Some(counted.grant.expires_at));
    assert!(link.check_downloadable(true).is_ok() && link.check_downloadable(false).is_err());
}

#[test]
fn an_own_link_that_expired_before_the_upload_is_complete_cannot_be_changed() {
    let (mut transfer, further) = transfer_with_link(None);
    transfer.state = State::Pending;
    let late = START.plus(LIFETIME);
    transfer.last_byte_at = Some(late);
    assert_eq!(transfer.state_at(late), State::Pending);
    let change = LinkChange { expires_at: Some(late.plus(LIFETIME)), ..LinkChange::default() };
    assert!(matches!(transfer.update_own_link(change, late), Err(Error::TransferExpired)));
    assert!(matches!(further.at(&transfer, late).check_open(), Err(Error::TransferExpired)));
}

#[test]
fn the_members_of_a_link_are_stored_as_in_layout_4() {
    let further = format!(
        r#"{{"v":1,"link_id":"{id}","transfer_id":"{id}","created_at":1,"wrapped_key":"{key}","state":{{"status":"open"}},
        {LINK_MEMBERS}}}"#,
        id = "97c3519481d25754e797fddeb8c60f54",
        key = String::from(WrappedKey::from_bytes(&[7; WRAPPED_KEY_BYTES])),
    );
    let own = format!(
        r#"{{"v":1,"transfer_id":"97c3519481d25754e797fddeb8c60f54","token_id":"19156ad376f0bcad","size_bytes":151,
        "created_at":1,"created_under":null,"state":{{"status":"completed","at":2}},"upload":"bytes","last_byte_at":2,
        "own_link":{{"status":"closed","at":5}},"payload":"stored",{LINK_MEMBERS}}}"#
    );
    let json = |text: &str| serde_json::from_str::<serde_json::Value>(text).unwrap();
    let (link, transfer) =
        (serde_json::from_str::<FurtherLink>(&further).unwrap(), serde_json::from_str::<Transfer>(&own).unwrap());
    assert_eq!(serde_json::to_value(&link).unwrap(), json(&further));
    assert_eq!(serde_json::to_value(&transfer).unwrap(), json(&own));
    assert_eq!(LinkRecord { state: LinkState::Open, ..transfer.own_link }, link.link);
    // A further link always has a proof.
    for damaged in [further.replace("access_sha256", "other"), further.replace("\"e3b0", "null,\"other\":\"e3b0")] {
        assert!(serde_json::from_str::<FurtherLink>(&damaged).is_err(), "{damaged}");
    }
}
