//! Downloads of a limited transfer: none is spent on what could be known before, and one that is spent is said to be.

use std::fs;

use crate::support::{Home, Serving};

fn started(name: &str) -> (Home, Serving, String) {
    let home = Home::new();
    let serving = home.serve(&["--storage", "memory:"]);
    home.log_in(&serving);
    let file = home.file(name, b"hello");
    let link = home.run_at(&serving, &["upload", &file, "-d", "1"]).text();
    (home, serving, link)
}

fn count(home: &Home, link: &str) -> u64 {
    home.run(&["status", link, "--json"]).json()["download_count"].as_u64().unwrap()
}

#[test]
fn a_place_that_cannot_be_written_to_spends_nothing() {
    let (home, _serving, link) = started("a.txt");
    for (place, words) in [
        ("nodir/", "there is no directory nodir/"),
        ("nodir/b.txt", "there is no directory nodir"),
        // A file in place of the directory.
        ("a.txt/", "there is no directory a.txt/"),
        // Not even root makes files there.
        ("/proc", "nothing can be written to the directory /proc"),
        ("/proc/b.txt", "nothing can be written to the directory /proc"),
    ] {
        home.run(&["download", &link, "-o", place]).failed(9, words);
        assert_eq!(count(&home, &link), 0, "{place}");
    }
    home.run(&["download", &link, "-o", "/dev/null", "--overwrite"]).failed(9, "/dev/null is not a regular file");
    assert_eq!(count(&home, &link), 0);
    let output = home.sgsend(&["download", &link]).current_dir("/proc").output().unwrap();
    assert_eq!((output.status.code(), count(&home, &link)), (Some(9), 0));
    assert_eq!(home.run(&["download", &link, "-o", "-"]).text(), "hello");
}

#[test]
fn a_download_that_was_counted_is_said_to_be_and_can_be_had() {
    let (home, _serving, link) = started("a.txt");
    let said = home.run(&["download", &link]);
    said.failed(9, "a.txt exists already");
    let hint =
        "the download was counted: the same command with --rename or --overwrite takes it without another one, until";
    assert!(said.stderr.contains(hint), "{}", said.stderr);
    assert_eq!(count(&home, &link), 1);
    home.run(&["download", &link, "--rename"]).text();
    assert_eq!(fs::read(home.path().join("a (1).txt")).unwrap(), b"hello");
    assert_eq!(count(&home, &link), 1);
}

#[test]
fn a_grant_that_cannot_be_kept_is_warned_of() {
    let (home, _serving, link) = started("a.txt");
    // A file where the state directory would be, which stands for a home that is not writable.
    let state = home.path().join(".local/state");
    fs::remove_dir_all(&state).unwrap();
    fs::write(&state, "x").unwrap();
    let said = home.run(&["download", &link]);
    assert_eq!(said.exit, 9, "{}", said.stderr);
    assert!(said.stderr.contains("warning: nothing can be kept"), "{}", said.stderr);
    assert!(said.stderr.contains("as another one, since nothing could be kept"), "{}", said.stderr);
}
