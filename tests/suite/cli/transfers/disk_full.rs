//! Full disks on the server's and on the recipient's side.

use std::process::Stdio;

use crate::support::{BlockingProxy, Direction, FinishedCommand, Home, SmallDisk, content};

#[test]
fn a_server_reports_a_full_disk_and_recovers() {
    let home = Home::new();
    let Some(disk) = SmallDisk::mount("24m") else { return };
    let serving = home.serve(&["--storage", &format!("file:{}", disk.path().join("store").display())]);
    home.log_in(&serving);
    let small = home.file("small.bin", &vec![1; 4_000_000]);
    let large = home.file("large.bin", &vec![2; 30_000_000]);
    let first = home.run_at(&serving, &["upload", &small]).text();
    let finished = home.run_at(&serving, &["upload", &large]);
    finished.expect_failure(8, "full");
    let downloaded = home.run(&["download", &first, "-o", "-"]);
    assert!(downloaded.stdout == vec![1; 4_000_000], "the first upload is damaged: {}", downloaded.stderr);
    home.run_at(&serving, &["upload", &small]).text();
}

#[test]
fn a_full_disk_leaves_no_partial_download() {
    let home = Home::new();
    let Some(disk) = SmallDisk::mount("2m") else { return };
    let serving = home.serve_any(&[]);
    home.log_in(&serving);
    let file = home.file("large.bin", &vec![2; 9_000_000]);
    let link = home.run_at(&serving, &["upload", &file, "-d", "1"]).text();
    let finished = home.run(&["download", &link, "-o", disk.path().to_str().unwrap()]);
    finished.expect_failure(9, "not enough space in");
    assert!(finished.stderr.contains("MiB, or choose another directory"), "{}", finished.stderr);
    assert_eq!(std::fs::read_dir(disk.path()).unwrap().count(), 0, "a file was left");
    // The download was not counted, and content elsewhere needs no space here.
    let elsewhere = home.sgsend(&["download", &link, "-o", "-"]).current_dir(disk.path()).output().unwrap();
    assert!(elsewhere.stdout == vec![2; 9_000_000]);
}

#[test]
fn a_disk_that_fills_during_a_download_keeps_the_part() {
    let home = Home::new();
    let Some(disk) = SmallDisk::mount("16m") else { return };
    let serving = home.serve(&["--storage", "memory:"]);
    home.log_in(&serving);
    let bytes = content(12_000_000);
    let link = home.run_at(&serving, &["upload", &home.file("large.bin", &bytes), "-d", "1"]).text();
    let proxy = BlockingProxy::to(&serving.public);
    let through = link.replace(&serving.public, &proxy.url);
    let arguments = ["download", &through, "-o", disk.path().to_str().unwrap()];
    proxy.close_after(Direction::Downstream, 5_000_000);
    let mut download = home.sgsend(&arguments);
    let download = download.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    proxy.wait();
    let filler = disk.path().join("filler");
    std::fs::write(&filler, vec![1; 8_000_000]).unwrap();
    proxy.open();
    let finished = FinishedCommand::of(download.wait_with_output().unwrap());
    finished.expect_failure(9, "is full");
    assert!(finished.stderr.contains("MiB more is needed"), "{}", finished.stderr);
    assert!(finished.stderr.contains("run the same command with --resume"), "{}", finished.stderr);
    assert!(!disk.path().join("large.bin").exists());

    // Still full: refused before anything is downloaded.
    home.run(&[&arguments[..], &["--resume"]].concat()).expect_failure(9, "not enough space");
    std::fs::remove_file(filler).unwrap();
    let passed = proxy.bytes_forwarded(Direction::Downstream);
    home.run(&[&arguments[..], &["--resume"]].concat()).text();
    assert!(std::fs::read(disk.path().join("large.bin")).unwrap() == bytes);
    assert!(proxy.bytes_forwarded(Direction::Downstream) - passed < 9_000_000, "the kept part was downloaded again");
    assert_eq!(home.run(&["status", &link, "--json"]).json()["download_count"], 1);
    assert_eq!(std::fs::read_dir(disk.path()).unwrap().count(), 1, "a part was left");
}

#[test]
fn uploads_respect_the_minimum_free_space() {
    let home = Home::new();
    let Some(disk) = SmallDisk::mount("64m") else { return };
    let storage = format!("file:{}", disk.path().join("store").display());
    let serving = home.serve(&["--storage", &storage, "--min-free", "24MiB"]);
    home.log_in(&serving);
    let file = home.file("half.bin", &vec![1; 25_000_000]);
    let first = home.run_at(&serving, &["upload", &file]).text();
    let finished = home.run_at(&serving, &["upload", &file]);
    finished.expect_failure(8, "full");
    // Deletions and small records may use the reserved free space.
    home.run_at(&serving, &["status", &first]).text();
    home.run_at(&serving, &["delete", &first]).text();
    home.run_at(&serving, &["upload", &file]).text();
}
