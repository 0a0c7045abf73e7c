//! Archives on the sender's side: names, exclusions, rejected entries, dry runs.

use std::fs;
use std::io::{BufRead, BufReader};
use std::os::unix::fs::symlink;
use std::process::Stdio;

use serde_json::Value;

use super::{begin, put, tree};
use crate::support::overwrite;

#[test]
fn several_paths_are_sent_under_their_base_names() {
    let (home, serving) = begin();
    put(&home, "a/1", b"one");
    put(&home, "b/2", b"two");
    home.file("note.txt", b"three");
    let paths = ["sent/a", "./sent/b/", "note.txt", "inbox"];
    let link = home.run_at(&serving, &[&["upload", "--name", "bundle"], &paths[..]].concat()).text();
    assert_eq!(home.run(&["download", &link]).text(), "bundle");
    let names: Vec<_> = tree(&home.path().join("bundle")).into_keys().collect();
    assert_eq!(names, ["a", "a/1", "b", "b/2", "inbox", "note.txt"]);

    let link = home.run_at(&serving, &[&["upload"], &paths[..]].concat()).text();
    let name = home.run(&["download", &link]).text();
    let digits = name.strip_prefix("sgsend-").unwrap();
    assert!(digits.len() == 8 && digits.bytes().all(|byte| byte.is_ascii_hexdigit()), "{name}");
    assert_eq!(fs::read(home.path().join(name).join("a/1")).unwrap(), b"one");
}

#[test]
fn paths_with_the_same_base_name_are_rejected() {
    let (home, serving) = begin();
    put(&home, "a/x", b"one");
    put(&home, "b/x", b"two");
    home.run_at(&serving, &["upload", "sent/a/x", "sent/b/x"]).expect_failure(2, "have the same name x");
    home.run_at(&serving, &["upload", "sent/a/x", "-"]).expect_failure(2, "stdin");
    home.run_at(&serving, &["upload", "/"]).expect_failure(2, "name");
    home.run_at(&serving, &["upload", "sent/a/x", "nowhere"]).expect_failure(9, "nowhere cannot be read");
}

#[test]
fn a_directory_gets_its_real_name() {
    let (home, serving) = begin();
    put(&home, "a/x", b"one");
    for path in [".", "a/.."] {
        let mut upload = home.sgsend(&["--server", &serving.public, "upload", path, "--dry-run", "--json"]);
        let finished =
            crate::support::FinishedCommand::of(upload.current_dir(home.path().join("sent")).output().unwrap());
        assert_eq!(finished.json()["name"], "sent", "{}", finished.stderr);
    }
}

#[test]
fn excluded_paths_are_not_sent() {
    let (home, serving) = begin();
    for path in ["keep", "a.log", "target/x", "d/target/y", "d/keep"] {
        put(&home, path, b"x");
    }
    symlink("/etc/passwd", home.path().join("sent/target/out")).unwrap();
    let globs = ["--exclude", "target/", "--exclude", "*.log"];
    let link = home.run_at(&serving, &[&["upload", "sent"], &globs[..]].concat()).text();
    home.run(&["download", &link, "-o", "inbox"]).text();
    let names: Vec<_> = tree(&home.path().join("inbox/sent")).into_keys().collect();
    assert_eq!(names, ["d", "d/keep", "keep"]);
    home.run_at(&serving, &["upload", "sent/a.log", "--exclude", "*.log"]).expect_failure(2, "nothing is left");
    home.run_at(&serving, &["upload", "sent", "--exclude", "a["]).expect_failure(2, "a[");
    let idle = home.run_at(&serving, &[&["upload", "sent", "--exclude", "*.lgo"], &globs[..]].concat()).stderr;
    assert!(idle.contains("--exclude *.lgo matches nothing") && !idle.contains("*.log matches"), "{idle}");
    home.run_at(&serving, &["upload", "sent/b.txt", "--name", ""]).expect_failure(2, "--name");
}

#[test]
fn outside_links_and_control_characters_are_rejected_by_name() {
    let (home, serving) = begin();
    put(&home, "keep", b"x");
    symlink("/etc/passwd", home.path().join("sent/out")).unwrap();
    let finished = home.run_at(&serving, &["upload", "sent"]);
    finished.expect_failure(9, "out is a symlink that points outside");
    assert!(finished.stderr.contains("--exclude"), "{}", finished.stderr);
    home.run_at(&serving, &["upload", "sent", "--exclude", "out"]).text();
    put(&home, "line\nfeed", b"x");
    home.run_at(&serving, &["upload", "sent", "--exclude", "out"])
        .expect_failure(9, "line\\u{a}feed contains a control character");
    let stats = home.run_at(&serving, &["stats", "--json"]).json();
    assert_eq!(stats["days"][29]["created"], 1, "a transfer was created");
}

#[test]
fn sockets_are_skipped_with_a_warning() {
    let (home, serving) = begin();
    put(&home, "keep", b"x");
    let _listener = std::os::unix::net::UnixListener::bind(home.path().join("sent/socket")).unwrap();
    let uploaded = home.run_at(&serving, &["upload", "sent"]);
    assert!(uploaded.stderr.contains("socket is a socket; it is skipped"), "{}", uploaded.stderr);
    home.run(&["download", &uploaded.text(), "-o", "inbox"]).text();
    assert_eq!(tree(&home.path().join("inbox/sent")).into_keys().collect::<Vec<_>>(), ["keep"]);
}

#[test]
fn a_dry_run_lists_the_files_and_creates_no_transfer() {
    let (home, serving) = begin();
    put(&home, "d/f", b"12345");
    put(&home, "g", b"");
    symlink("g", home.path().join("sent/l")).unwrap();
    let finished = home.run_at(&serving, &["upload", "sent", "--dry-run", "--passphrase", "--json"]).json();
    assert_eq!((finished["name"].as_str(), finished["archive"].as_str()), (Some("sent"), Some("tar")));
    assert_eq!(finished["files"], serde_json::json!([{"name": "d/f", "size": 5}, {"name": "g", "size": 0}]));
    let total = &finished["total"];
    assert_eq!((&total["files"], &total["directories"], &total["links"]), (&2.into(), &1.into(), &1.into()));
    // The tar, and the index behind it.
    assert_eq!(total["content"], 4 * 512 + 512 + 1024 + 437);
    let lines = home.run_at(&serving, &["upload", "sent", "--dry-run"]).text();
    assert_eq!(lines, "0  sent/d/\n5  sent/d/f\n0  sent/g\n0  sent/l -> g");
    assert_eq!(home.run_at(&serving, &["upload", "sent/d/f", "--dry-run"]).text(), "5  f");
    let stats = home.run_at(&serving, &["stats", "--json"]).json();
    assert_eq!(stats["days"][29]["created"], 0, "a transfer was created");

    let small = home.serve_any(&["--max-size", "3KiB"]);
    home.log_in(&small);
    home.run_at(&small, &["upload", "sent", "--dry-run"]).expect_failure(7, "limit is 3.0 kib");
}

#[test]
fn a_file_that_changes_ends_the_upload_and_is_named() {
    let (home, serving) = begin();
    put(&home, "a/first", b"before");
    put(&home, "large", &vec![7; 90_000_000]);
    let mut upload = home.sgsend(&["--server", &serving.public, "upload", "sent", "--progress", "json"]);
    let mut upload = upload.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let mut lines = BufReader::new(upload.stderr.take().unwrap()).lines().map_while(Result::ok);
    let moving = lines.find(|line| {
        let progress: Value = serde_json::from_str(line).unwrap_or_default();
        progress["file"] == "large"
    });
    assert!(moving.is_some(), "no progress line named a file");
    overwrite(&home.path().join("sent/a/first"), b"after!");
    let printed: Vec<_> = lines.collect();
    assert_eq!(upload.wait().unwrap().code(), Some(9), "{printed:?}");
    assert!(printed.iter().any(|line| line.contains("a/first changed while it was being sent")), "{printed:?}");
    let overview = home.run_at(&serving, &["stats", "--json"]).json();
    assert_eq!(overview["transfers"]["deleted"], 1);
}
