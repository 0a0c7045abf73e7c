use super::*;
use crate::domain::audit::{Event, EventKind};
use crate::domain::id::{PayloadId, RecordIds};

#[test]
fn payload_keys_are_not_records() {
    let transfer = TransferId::random();
    for id in [PayloadId::from(transfer), PayloadId::random()] {
        let folders = StorageKey::payload_folders(Some(id));
        for key in [StorageKey::payload(id), StorageKey::upload_manifest(id), StorageKey::payload_piece(id, "x")] {
            assert!(key.belongs_to_payload(), "{key}");
            assert_eq!(key.payload_id(), Some(id));
            assert_eq!(key.transfer_id(), id.as_transfer());
            let is_behind = |(folder, after): &(Prefix, Option<StorageKey>)| {
                key.as_str().starts_with(folder.as_str()) && after.as_ref().is_some_and(|after| key < *after)
            };
            assert!(folders.iter().any(is_behind), "{key} is listed after itself");
        }
    }
    let id = transfer;
    let token = StorageKey::token(TokenId::random());
    for key in [StorageKey::transfer(id), StorageKey::grant(id, &Sha256::of(b"")), token, StorageKey::header()] {
        assert!(!key.belongs_to_payload(), "{key}");
    }
    assert_eq!(StorageKey::header().transfer_id(), None);
    assert!(StorageKey::after_transfer(id).as_str() < format!("transfers/{id}a").as_str());
}

#[test]
fn an_index_entry_names_payload_and_transfer() {
    let (payload, transfer) = (PayloadId::random(), TransferId::random());
    let key = StorageKey::payload_owner(payload, transfer);
    assert_eq!(key.as_str(), format!("by-payload/{payload}-{transfer}"));
    assert!(key.as_str().starts_with(StorageKey::payload_owners(payload).as_str()));
    assert_eq!(key.as_payload_owner(), Some((payload, transfer)));
    assert!(!key.belongs_to_payload());
    for wrong in [format!("by-payload/{transfer}-{transfer}"), format!("by-payload/{payload}"), "by-time/x".to_owned()]
    {
        assert_eq!(StorageKey::from_backend(wrong.clone()).as_payload_owner(), None, "{wrong}");
    }
}

#[test]
fn transfer_and_time_of_a_read_record_are_parsed() {
    let (id, at) = (TransferId::random(), Timestamp::from_millis(1_767_268_800_123));
    let event = Event::server(RecordIds::default().next(at), None, at, EventKind::LinkOpened);
    let key = |class| StorageKey::transfer_record(id, class, &Record::Event(event.clone()));
    assert_eq!(key(RecordClass::Read).as_str(), format!("transfers/{id}/reads/events/{}.json", event.id));
    assert_eq!(key(RecordClass::Read).read_record(), Some((id, at)));
    assert_eq!(key(RecordClass::Change).read_record(), None);
    assert!(!key(RecordClass::Read).belongs_to_payload());
}

#[test]
fn the_name_is_the_last_path_part_without_json() {
    let id = TokenId::random();
    assert_eq!(StorageKey::token(id).name(), id.to_string());
    assert_eq!(StorageKey::header().name(), "store");
}

#[test]
fn the_day_is_parsed_from_daily_keys() {
    let day = Timestamp::from_millis(0).day();
    assert_eq!(StorageKey::stats(&day).day(), Some(day.clone()));
    let record = StorageKey::from_backend(format!("service/{day}/requests/x.json"));
    assert_eq!(record.day(), Some(day.clone()));
    let read = StorageKey::from_backend(format!("service/reads/{day}/requests/x.json"));
    assert_eq!(read.day(), Some(day));
    assert_eq!(StorageKey::header().day(), None);
}
