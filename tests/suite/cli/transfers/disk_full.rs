//! Full disks on the server's and on the recipient's side.

use crate::support::{Home, SmallDisk};

#[test]
fn a_server_reports_a_full_disk_and_recovers() {
    let home = Home::new();
    let Some(disk) = SmallDisk::mount("24m") else { return };
    let serving = home.serve(&["--storage", &format!("file:{}", disk.path().join("store").display())]);
    home.log_in(&serving);
    let small = home.file("small.bin", &vec![1; 4_000_000]);
    let large = home.file("large.bin", &vec![2; 30_000_000]);
    let first = home.run_at(&serving, &["upload", &small]).text();
    let refused = home.run_at(&serving, &["upload", &large]);
    refused.failed(8, "full");
    let got = home.run(&["download", &first, "-o", "-"]);
    assert!(got.stdout == vec![1; 4_000_000], "the first upload is damaged: {}", got.stderr);
    home.run_at(&serving, &["upload", &small]).text();
}

#[test]
fn a_full_disk_leaves_no_partial_download() {
    let home = Home::new();
    let Some(disk) = SmallDisk::mount("2m") else { return };
    let serving = home.serve_any(&[]);
    home.log_in(&serving);
    let file = home.file("large.bin", &vec![2; 9_000_000]);
    let link = home.run_at(&serving, &["upload", &file]).text();
    home.run(&["download", &link, "-o", disk.path().to_str().unwrap()]).failed(9, "");
    assert_eq!(std::fs::read_dir(disk.path()).unwrap().count(), 0, "a file was left");
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
    let refused = home.run_at(&serving, &["upload", &file]);
    refused.failed(8, "full");
    // Deletions and small records may use the reserved free space.
    home.run_at(&serving, &["status", &first]).text();
    home.run_at(&serving, &["delete", &first]).text();
    home.run_at(&serving, &["upload", &file]).text();
}
