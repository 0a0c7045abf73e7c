//! Sweeps between the parts of a commit, which a bucket applies one after the other.

use super::*;

/// Writes a schedule entry whose change is still to follow.
async fn schedule(fixture: &Fixture, id: TransferId) -> String {
    let entry = StorageKey::schedule_entry(START, id);
    fixture.store.commit(Commit { schedule: vec![entry.clone()], ..Commit::default() }).await.unwrap();
    entry.to_string()
}

#[tokio::test]
async fn a_schedule_entry_is_kept_until_its_change_has_followed() {
    let fixture = Fixture::new();
    let existing = fixture.completed_transfer(None).await.transfer_id;
    let entries = [schedule(&fixture, existing).await, schedule(&fixture, TransferId::random()).await];
    let kept = async || {
        assert_eq!(fixture.transfers.sweep().await.unwrap().failed, 0);
        let keys = fixture.keys(&StorageKey::all_schedule_entries()).await;
        entries.iter().filter(|entry| keys.contains(entry)).count()
    };
    // The clock of the sweeper may be ahead.
    fixture.clock.advance(Duration::from_mins(14));
    assert_eq!(kept().await, 2, "the entry of a deletion or creation in progress is removed");
    fixture.clock.advance(Duration::from_mins(2));
    assert_eq!(kept().await, 0, "an old entry stays");
}

#[tokio::test]
async fn a_repeated_write_of_a_count_adds_nothing() {
    let mut transfer = Fixture::new().completed_transfer(None).await;
    assert!(transfer.own_link.add_downloads(2, 7, START) && transfer.own_link.add_downloads(1, 8, START));
    assert!(!transfer.own_link.add_downloads(2, 7, START), "a write whose answer was lost counts twice");
    assert_eq!(transfer.own_link.download_count(), 3);
}
