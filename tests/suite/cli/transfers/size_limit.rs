//! The content size limit, enforced by the client before it sends content.

use std::fs::File;

use crate::support::Home;

const LIMIT: u64 = 100 * 1024 * 1024;

#[test]
fn content_of_100_mib_is_sent_and_one_byte_more_is_rejected() {
    let home = Home::new();
    let store = format!("file:{}", home.path().join("store").display());
    let serving = home.serve(&["--storage", &store]);
    home.log_in(&serving);
    let path = home.path().join("large.bin");
    File::create(&path).unwrap().set_len(LIMIT + 1).unwrap();
    let path = path.to_str().unwrap();
    home.run_at(&serving, &["upload", path]).expect_failure(7, "limit is 104857600");
    let piped = home.pipe_at(&serving, &["upload", "-"], &std::fs::read(path).unwrap());
    piped.expect_failure(7, "larger than 100.0 mib");
    let path_of_more = home.path().join("larger.bin");
    File::create(&path_of_more).unwrap().set_len(LIMIT + (37 << 20)).unwrap();
    let printed = home.run_at(&serving, &["upload", path_of_more.to_str().unwrap()]);
    printed.expect_failure(7, "larger.bin has 137.0 mib, and the server's limit is 100.0 mib");
    let stats = home.run_at(&serving, &["stats", "--json"]).json();
    assert_eq!(stats["days"][29]["created"], 0, "a transfer was created");

    File::options().write(true).open(path).unwrap().set_len(LIMIT).unwrap();
    let link = home.run_at(&serving, &["upload", path]).text();
    home.run(&["download", &link, "-o", "back.bin"]).text();
    assert!(std::fs::read(home.path().join("back.bin")).unwrap() == std::fs::read(path).unwrap());
}

#[test]
fn a_recipient_can_limit_the_size_of_a_download() {
    let home = Home::new();
    let serving = home.serve_any(&[]);
    home.log_in(&serving);
    let link = home.run_at(&serving, &["upload", &home.file("a.bin", &[7; 5000]), "--downloads", "1"]).text();
    let refused = home.run(&["download", &link, "-o", "b.bin", "--max-download-size", "4KiB"]);
    refused.expect_failure(7, "more than 4.0 kib");
    assert!(!home.path().join("b.bin").exists());
    assert_eq!(home.run(&["status", &link, "--json"]).json()["download_count"], 0);
    home.run(&["download", &link, "-o", "b.bin", "--max-download-size", "6KiB"]).text();
    assert_eq!(std::fs::read(home.path().join("b.bin")).unwrap(), [7; 5000]);
    home.run(&["download", &link, "--max-download-size", "0"]).expect_failure(2, "");
}
