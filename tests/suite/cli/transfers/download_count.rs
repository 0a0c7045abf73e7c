//! Downloads of limited transfers. Predictable failures count no download, and a counted download is reported.

use std::fs;
use std::process::Stdio;

use crate::support::{FinishedCommand, Home, ServerProcess};

fn started(name: &str) -> (Home, ServerProcess, String) {
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
fn an_unwritable_target_counts_no_download() {
    let (home, _serving, link) = started("a.txt");
    for (place, words) in [
        ("nodir/", "directory nodir/ does not exist"),
        ("nodir/b.txt", "directory nodir does not exist"),
        // A file instead of a directory.
        ("a.txt/", "directory a.txt/ does not exist"),
        // Even root can't create files in `/proc`.
        ("/proc", "cannot write to directory /proc"),
        ("/proc/b.txt", "cannot write to directory /proc"),
    ] {
        home.run(&["download", &link, "-o", place]).expect_failure(9, words);
        assert_eq!(count(&home, &link), 0, "{place}");
    }
    let _socket = std::os::unix::net::UnixListener::bind(home.path().join("socket")).unwrap();
    home.run(&["download", &link, "-o", "socket", "--overwrite"]).expect_failure(9, "socket is not a regular file");
    assert_eq!(count(&home, &link), 0);
    let output = home.sgsend(&["download", &link]).current_dir("/proc").output().unwrap();
    assert_eq!((output.status.code(), count(&home, &link)), (Some(9), 0));
    assert_eq!(home.run(&["download", &link, "-o", "-"]).text(), "hello");
}

#[test]
fn a_counted_download_is_reported_and_can_be_repeated() {
    let (home, _serving, link) = started("a.txt");
    let finished = home.run(&["download", &link]);
    finished.expect_failure(9, "a.txt already exists");
    let hint = "the download was counted: run the same command with --rename or --overwrite; until";
    assert!(finished.stderr.contains(hint), "{}", finished.stderr);
    assert_eq!(count(&home, &link), 1);
    home.run(&["download", &link, "--rename"]).text();
    assert_eq!(fs::read(home.path().join("a (1).txt")).unwrap(), b"hello");
    assert_eq!(count(&home, &link), 1);
}

#[test]
fn an_unsaved_grant_causes_a_warning() {
    let (home, _serving, link) = started("a.txt");
    // A file in place of the state directory simulates a read-only home.
    let state = home.path().join(".local/state");
    fs::remove_dir_all(&state).unwrap();
    fs::write(&state, "x").unwrap();
    let finished = home.run(&["download", &link]);
    assert_eq!(finished.exit, 9, "{}", finished.stderr);
    assert!(finished.stderr.contains("warning: the state directory is not writable"), "{}", finished.stderr);
    assert!(finished.stderr.contains("this command counts as another download"), "{}", finished.stderr);
}

#[test]
fn saved_content_whose_path_cannot_be_printed_is_not_reported_as_failed() {
    let (home, _serving, link) = started("a.txt");
    let to_full = |arguments: &[&str]| {
        let full = fs::File::options().write(true).open("/dev/full").unwrap();
        FinishedCommand::of(home.sgsend(arguments).stdout(full).stderr(Stdio::piped()).output().unwrap())
    };
    let finished = to_full(&["download", &link, "-o", "b.txt"]);
    finished.expect_failure(11, "b.txt was saved, but stdout cannot be written: no space left");
    assert_eq!((fs::read(home.path().join("b.txt")).unwrap(), count(&home, &link)), (b"hello".to_vec(), 1));

    let (home, _serving, link) = started("a.txt");
    let full = fs::File::options().write(true).open("/dev/full").unwrap();
    let download = ["download", &link, "-o", "b.txt", "--json"];
    let finished = FinishedCommand::of(home.sgsend(&download).stdout(full).stderr(Stdio::piped()).output().unwrap());
    finished.expect_failure(11, "b.txt was saved");
    assert_eq!(fs::read(home.path().join("b.txt")).unwrap(), b"hello");
    // A reader that closes the pipe wants no more output, and content on stdout is lost.
    let (reader, writer) = std::io::pipe().unwrap();
    drop(reader);
    let (home, _serving, link) = started("a.txt");
    assert_eq!(
        home.sgsend(&["download", &link, "-o", "b.txt"]).stdout(writer).output().unwrap().status.code(),
        Some(0)
    );
    let full = fs::File::options().write(true).open("/dev/full").unwrap();
    let failed_download =
        home.sgsend(&["download", &link, "-o", "-"]).stdout(full).stderr(Stdio::piped()).output().unwrap();
    assert_ne!(failed_download.status.code(), Some(0));
}
