//! Archives on the recipient's side: target directory, conflicts, JSON output and interruption.

use std::fs;
use std::io::{BufRead, BufReader};
use std::process::{Command, Stdio};

use serde_json::{Value, json};

use super::{begin, put, tree};

#[test]
fn an_archive_is_unpacked_into_the_chosen_directory() {
    let (home, serving) = begin();
    put(&home, "d/f", b"12345");
    let link = home.run_at(&serving, &["upload", "sent", "--name", "photos"]).text();
    assert_eq!(home.run(&["download", &link]).text(), "photos");
    assert_eq!(home.run(&["download", &link, "-o", "mine"]).text(), "mine");
    assert_eq!(home.run(&["download", &link, "-o", "inbox", "--extract"]).text(), "inbox/photos");
    assert_eq!(home.run(&["download", &link, "-o", "kept", "--no-extract"]).text(), "kept");
    for folder in ["photos", "mine", "inbox/photos"] {
        assert!(tree(&home.path().join(folder)) == tree(&home.path().join("sent")), "{folder}");
    }
    assert!(home.path().join("kept").is_file());
    home.run(&["download", &link, "--extract", "--no-extract"]).expect_failure(2, "no-extract");
    home.run(&["download", &link, "--extract", "-o", "-"]).expect_failure(2, "stdout");
}

#[test]
fn an_existing_directory_is_neither_merged_nor_replaced() {
    let (home, serving) = begin();
    put(&home, "f", b"theirs");
    let link = home.run_at(&serving, &["upload", "sent", "--name", "there", "-d", "4"]).text();
    fs::create_dir(home.path().join("there")).unwrap();
    fs::write(home.path().join("there/f"), "mine").unwrap();
    for arguments in [&["download", &link][..], &["download", &link, "--overwrite"], &["download", &link, "--yes"]] {
        home.run(arguments).expect_failure(9, "already exists");
    }
    fs::write(home.path().join("file"), "mine").unwrap();
    home.run(&["download", &link, "-o", "file"]).expect_failure(9, "already exists");
    home.run(&["download", &link, "-o", "file", "--overwrite"]).expect_failure(9, "already exists");
    assert_eq!(fs::read(home.path().join("there/f")).unwrap(), b"mine");
    assert_eq!(fs::read(home.path().join("file")).unwrap(), b"mine");
    assert_eq!(home.run(&["download", &link, "--rename"]).text(), "there (1)");
    assert_eq!(fs::read(home.path().join("there (1)/f")).unwrap(), b"theirs");
}

#[test]
fn json_output_lists_every_file() {
    let (home, serving) = begin();
    put(&home, "d/f", b"12345");
    put(&home, "g", b"");
    let link = home.run_at(&serving, &["upload", "sent"]).text();
    let finished = home.run(&["download", &link, "-o", "inbox", "--json", "--progress", "json"]);
    let files = json!([
        {"name": "d/f", "path": "inbox/sent/d/f", "size": 5},
        {"name": "g", "path": "inbox/sent/g", "size": 0},
    ]);
    assert_eq!(finished.json()["files"], files);
    let printed: Vec<Value> = finished.stderr.lines().filter_map(|line| serde_json::from_str(line).ok()).collect();
    assert!(printed.iter().any(|line| line["file"].is_string()), "{}", finished.stderr);
}

#[test]
fn extract_saves_a_single_file_as_it_is() {
    let (home, serving) = begin();
    put(&home, "f", b"12345");
    let link = home.run_at(&serving, &["upload", "sent/f"]).text();
    assert_eq!(home.run(&["download", &link, "--extract"]).text(), "f");
    assert_eq!(fs::read(home.path().join("f")).unwrap(), b"12345");
}

#[test]
fn an_interrupted_download_leaves_no_directory() {
    let (home, serving) = begin();
    for number in 0..3_000 {
        put(&home, &format!("{number}"), b"small");
    }
    let link = home.run_at(&serving, &["upload", "sent"]).text();
    let mut download = home.sgsend(&["download", &link, "-o", "inbox", "--progress", "json"]);
    let mut download = download.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let mut lines = BufReader::new(download.stderr.take().unwrap()).lines().map_while(Result::ok);
    // Progress lines name a file only while the archive is unpacked.
    let unpacking = lines.find(|line| line.contains("\"file\""));
    assert!(unpacking.is_some(), "no file was unpacked");
    assert!(Command::new("kill").args(["-INT", &download.id().to_string()]).status().unwrap().success());
    drop(lines);
    let status = download.wait().unwrap();
    let inbox = home.path().join("inbox");
    let remaining: Vec<_> = fs::read_dir(&inbox).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    let is_whole = remaining == ["sent"] && fs::read_dir(inbox.join("sent")).unwrap().count() == 3_000;
    match status.code() {
        // The download finished before the signal arrived.
        Some(0) => assert!(is_whole, "{remaining:?}"),
        // Temporary files that the process had no time to remove disappear with the next download.
        code => assert!(code == Some(130) && !remaining.iter().any(|name| name == "sent"), "{code:?} {remaining:?}"),
    }
    home.run(&["download", &link, "-o", "inbox", "--rename"]).text();
    let remaining = fs::read_dir(&inbox).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap());
    assert!(remaining.into_iter().all(|name| name.starts_with("sent")));
}
