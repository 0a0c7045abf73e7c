//! Tests of the history file.

use super::*;

/// Returns whether the file's mode is 0600.
fn is_private(path: &Path) -> bool {
    std::fs::metadata(path).unwrap().permissions().mode() & 0o777 == 0o600
}

fn sent(name: &str) -> HistoryEntry {
    HistoryEntry {
        v: V1,
        transfer_id: TransferId::random(),
        sent_at: Timestamp::from_millis(1),
        name: name.to_owned(),
        size: 5,
        link: "https://send.example/d/0".to_owned(),
        key: None,
        expires_at: Timestamp::from_millis(2),
        max_downloads: Some(1),
        links: Vec::new(),
        ended: None,
    }
}

#[test]
fn uploads_are_kept_in_order_and_privately() {
    let folder = tempfile::tempdir().unwrap();
    let history = History::of(&folder.path().join("state"));
    assert_eq!(history.read().unwrap(), []);
    let (first, second) = (sent("first\nline"), sent("second"));
    history.add(&first).unwrap();
    history.add(&second).unwrap();
    assert_eq!(history.read().unwrap(), [first.clone(), second.clone()]);
    let locked = history.open(false).unwrap();
    assert_eq!(history.peek().unwrap(), [first.clone(), second.clone()]);
    drop(locked);
    assert!(is_private(history.path()));
    assert!(history.remove(first.transfer_id).unwrap());
    assert!(!history.remove(first.transfer_id).unwrap());
    assert_eq!(history.read().unwrap(), [second]);
    assert_eq!(history.clear().unwrap(), 1);
    assert_eq!(history.read().unwrap(), []);
    assert_eq!(history.clear().unwrap(), 0);
}

#[test]
fn the_end_of_a_transfer_is_recorded_once() {
    let folder = tempfile::tempdir().unwrap();
    let history = History::of(folder.path());
    let (first, second) = (sent("first"), sent("second"));
    history.mark_ended(first.transfer_id, Status::Deleted, None).unwrap();
    assert!(!history.path().exists(), "an unknown transfer was recorded");
    history.add(&first).unwrap();
    history.add(&second).unwrap();
    history.mark_ended(first.transfer_id, Status::Deleted, Some("https://other.example/d/0")).unwrap();
    assert_eq!(history.read().unwrap(), [first.clone(), second.clone()]);
    history.mark_ended(first.transfer_id, Status::Expired, Some(&first.link)).unwrap();
    history.mark_ended(first.transfer_id, Status::Deleted, None).unwrap();
    let length = std::fs::metadata(history.path()).unwrap().len();
    history.mark_ended(first.transfer_id, Status::Deleted, None).unwrap();
    assert_eq!(std::fs::metadata(history.path()).unwrap().len(), length, "the same end was recorded twice");
    let ended = HistoryEntry { ended: Some(Status::Deleted), ..first.clone() };
    assert_eq!(history.read().unwrap(), [ended, second.clone()]);
    assert!(history.remove(first.transfer_id).unwrap());
    assert_eq!(std::fs::read_to_string(history.path()).unwrap().lines().count(), 1, "an end was left");
}

#[test]
fn a_truncated_line_hides_no_other_entry() {
    let folder = tempfile::tempdir().unwrap();
    let history = History::of(folder.path());
    std::fs::write(history.path(), "{\"v\":2,\"of\":\"a newer version\"}\n{\"v\":1,\"transfer_").unwrap();
    let (first, second) = (sent("first"), sent("second"));
    history.add(&first).unwrap();
    history.add(&second).unwrap();
    assert_eq!(history.read().unwrap(), [first.clone(), second]);
    history.remove(first.transfer_id).unwrap();
    assert!(
        std::fs::read_to_string(history.path()).unwrap().contains("a newer version"),
        "a line of another format was removed"
    );
}

#[test]
fn concurrent_writers_lose_no_entry() {
    let folder = tempfile::tempdir().unwrap();
    let history = History::of(folder.path());
    std::thread::scope(|scope| {
        for _ in 0..8 {
            scope.spawn(|| (0..10).for_each(|_| history.add(&sent("x")).unwrap()));
        }
    });
    assert_eq!(history.read().unwrap().len(), 80);
}

fn further(name: &str) -> HistoryLink {
    HistoryLink {
        link_id: LinkId::random(),
        name: name.to_owned(),
        link: format!("https://send.example/d/{name}"),
        key: None,
        expires_at: Timestamp::from_millis(2),
        max_downloads: Some(1),
        ended: None,
    }
}

#[test]
fn links_are_recorded_with_their_changes_and_ends() {
    let folder = tempfile::tempdir().unwrap();
    let history = History::of(folder.path());
    let (ada, bob) = (further("Ada"), further("Bob"));
    let entry = HistoryEntry { links: vec![ada.clone()], ..sent("report") };
    history.add_link(entry.transfer_id, bob.clone()).unwrap();
    assert!(!history.path().exists(), "a link of an unknown transfer was recorded");
    history.add(&entry).unwrap();
    history.add(&sent("other")).unwrap();
    history.add_link(entry.transfer_id, bob.clone()).unwrap();
    history.mark_ended(bob.link_id.as_transfer(), Status::Closed, Some("https://send.example/d/other")).unwrap();
    history.mark_ended(bob.link_id.as_transfer(), Status::Closed, Some(&bob.link)).unwrap();
    history.mark_changed(ada.link_id, Timestamp::from_millis(9), None).unwrap();
    history.mark_changed(entry.transfer_id.into(), Timestamp::from_millis(8), Some(7)).unwrap();
    history.mark_changed(LinkId::random(), Timestamp::from_millis(7), None).unwrap();
    let changed = HistoryLink { expires_at: Timestamp::from_millis(9), max_downloads: None, ..ada };
    let closed = HistoryLink { ended: Some(Status::Closed), ..bob };
    let expected = HistoryEntry {
        links: vec![changed, closed],
        expires_at: Timestamp::from_millis(8),
        max_downloads: Some(7),
        ..entry.clone()
    };
    assert_eq!(history.read().unwrap()[0], expected);
    assert!(history.remove(entry.transfer_id).unwrap());
    assert_eq!(std::fs::read_to_string(history.path()).unwrap().lines().count(), 1, "a record of a link was left");
}
