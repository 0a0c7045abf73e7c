//! `sgsend sweep`

use crate::support::Home;

#[test]
fn a_sweep_reports_what_it_did() {
    let home = Home::new();
    let storage = home.each_storage().pop().unwrap();
    let serving = home.serve(&["--storage", &storage]);
    home.log_in(&serving);
    let file = home.file("a.txt", b"hello");
    let link = home.run_at(&serving, &["upload", &file]).text();
    home.run_at(&serving, &["delete", &link]).text();
    serving.terminate();
    // Only the schedule entry that the deletion has left is due.
    let swept = home.run(&["sweep", "--storage", &storage, "--json"]).json();
    assert_eq!((&swept["ok"], swept["processed"].as_u64()), (&true.into(), Some(1)), "{swept}");
    let second = home.run(&["sweep", "--storage", &storage]).text();
    assert!(second.contains("checked           0"), "{second}");
}

#[test]
fn an_unusable_storage_is_an_error() {
    let home = Home::new();
    home.run(&["sweep", "--storage", "memory:"]).expect_failure(2, "memory:");
    home.run(&["sweep", "--storage", "nonsense"]).expect_failure(2, "storage");
    home.run(&["sweep"]).expect_failure(2, "--storage");
    let file = home.file("a.txt", b"hello");
    home.run(&["sweep", "--storage", &format!("file:{file}/below")]).expect_failure(9, "storage");
}
