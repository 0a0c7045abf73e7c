//! `sgsend store backup`: backups beside running services, incremental, interrupted, and restored.

use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::atomic::{AtomicBool, Ordering};

use serde_json::Value;

use crate::support::{FinishedCommand, Home, ServerProcess, bucket, content};

/// A service, and the folder of its backups.
struct BackedUp {
    home: Home,
    server: ServerProcess,
    storage: String,
    dir: PathBuf,
}

impl BackedUp {
    fn start() -> Self {
        let home = Home::new();
        let storage = format!("file:{}", home.path().join("store").display());
        Self::over(home, storage)
    }

    /// Starts a service over a new prefix of a bucket.
    fn start_over_bucket() -> Self {
        Self::over(Home::new(), bucket::fresh_from_anywhere().to_string())
    }

    fn over(home: Home, storage: String) -> Self {
        let dir = home.path().join("backup");
        let server = home.serve(&["--storage", &storage]);
        home.log_in(&server);
        Self { home, server, storage, dir }
    }

    fn upload(&self, name: &str, content: &[u8]) -> String {
        let file = self.home.file(name, content);
        self.home.run_at(&self.server, &["upload", &file]).text()
    }

    fn backup(&self, arguments: &[&str]) -> FinishedCommand {
        let dir = self.dir.to_str().unwrap();
        self.home.run(&[&["store", "backup", &self.storage, dir], arguments].concat())
    }

    /// Makes a backup that must succeed; returns its numbers.
    fn backup_numbers(&self, arguments: &[&str]) -> Value {
        let backup = self.backup(&[&["--json"], arguments].concat());
        assert_eq!(backup.exit, 0, "{}", backup.stderr);
        backup.json()
    }

    fn backup_storage(&self) -> String {
        format!("file:{}", self.dir.display())
    }

    fn check_is_clean(&self, storage: &str) {
        let checked = self.home.run(&["store", "check", storage, "--json"]);
        assert_eq!(checked.exit, 0, "{}", checked.json());
    }

    /// Starts services over `storage`, and downloads each of `links` from them.
    fn download_all(&self, storage: &str, links: &[(String, Vec<u8>)]) {
        let server = self.home.serve(&["--storage", storage]);
        for (link, content) in links {
            let link = format!("{}/d/{}", server.public, link.split_once("/d/").unwrap().1);
            let downloaded = self.home.run_at(&server, &["download", &link, "-o", "-"]);
            assert!(downloaded.exit == 0 && downloaded.stdout == *content, "{link}: {}", downloaded.stderr);
        }
        server.terminate();
    }
}

/// Returns the number of finished payloads in the folder of a store.
fn payloads(folder: &Path) -> usize {
    let shards = std::fs::read_dir(folder.join("payloads")).unwrap().map(|shard| shard.unwrap().path());
    let files = shards.flat_map(|shard| std::fs::read_dir(shard).unwrap()).map(|file| file.unwrap().path());
    files.filter(|file| file.extension().is_some_and(|extension| extension == "enc")).count()
}

#[test]
fn a_backup_copies_only_what_is_new_and_can_be_restored() {
    check_increments_and_restore(&BackedUp::start());
}

#[test]
#[ignore = "needs an S3 server: tests/s3.sh"]
fn s3_a_backup_copies_only_what_is_new_and_can_be_restored() {
    check_increments_and_restore(&BackedUp::start_over_bucket());
}

fn check_increments_and_restore(service: &BackedUp) {
    let (first, second) = (service.upload("first", b"one"), service.upload("second", &content(3 << 20)));
    let numbers = service.backup_numbers(&[]);
    assert_eq!((&numbers["payloads"], &numbers["payloads_copied"]), (&2.into(), &2.into()), "{numbers}");
    assert!(numbers["bytes"].as_u64().unwrap() > 3 << 20 && numbers["bytes"] == numbers["bytes_copied"], "{numbers}");
    let marker: Value = serde_json::from_slice(&std::fs::read(service.dir.join("backup.json")).unwrap()).unwrap();
    // Most options of a bucket are no part of its name.
    let without_options = |text: &str| text.split('?').next().unwrap().to_owned();
    assert_eq!(without_options(marker["source"].as_str().unwrap()), without_options(&service.storage), "{marker}");
    assert!(marker["completed_at"].as_u64() >= marker["started_at"].as_u64() && marker["store_id"].is_string());

    let third = service.upload("third", b"three");
    service.home.run_at(&service.server, &["delete", &first]).text();
    let numbers = service.backup_numbers(&[]);
    let expected = [("payloads", 2), ("payloads_copied", 1), ("payloads_removed", 1)];
    assert!(expected.iter().all(|(name, number)| numbers[name] == *number), "{numbers}");
    assert_eq!(payloads(&service.dir), 2);
    let numbers = service.backup_numbers(&[]);
    assert_eq!((&numbers["payloads_copied"], &numbers["bytes_copied"]), (&0.into(), &0.into()), "{numbers}");

    service.home.run_at(&service.server, &["delete", &third]).text();
    assert_eq!(service.backup_numbers(&["--keep"])["payloads_removed"], 1);
    assert_eq!(std::fs::read_dir(service.dir.join("kept")).unwrap().count(), 1);
    assert!(!service.dir.join("staging").exists());
    service.check_is_clean(&service.backup_storage());
    // A check opens the backup, but does not use it as a store.
    service.backup_numbers(&[]);

    let restored = format!("file:{}", service.home.path().join("restored").display());
    service.home.run(&["store", "copy", &service.backup_storage(), &restored]).text();
    service.check_is_clean(&restored);
    service.download_all(&restored, &[(second.clone(), content(3 << 20))]);
    service.download_all(&service.backup_storage(), &[(second, content(3 << 20))]);
    service.backup(&[]).expect_failure(9, "used as a storage");
}

#[test]
fn backups_beside_uploads_and_deletions_are_consistent() {
    check_consistency_beside_changes(&BackedUp::start(), 6);
}

#[test]
#[ignore = "needs an S3 server: tests/s3.sh"]
fn s3_backups_beside_uploads_and_deletions_are_consistent() {
    check_consistency_beside_changes(&BackedUp::start_over_bucket(), 3);
}

/// Makes `rounds` backups while transfers are created and deleted.
fn check_consistency_beside_changes(service: &BackedUp, rounds: u32) {
    let is_over = AtomicBool::new(false);
    let kept = service.upload("kept", b"kept");
    std::thread::scope(|scope| {
        for worker in 0..2 {
            let is_over = &is_over;
            scope.spawn(move || {
                for number in 0.. {
                    if is_over.load(Ordering::Relaxed) {
                        break;
                    }
                    let link = service.upload(&format!("{worker}-{number}"), &vec![worker; 200_000]);
                    if number % 2 == 0 {
                        service.home.run_at(&service.server, &["delete", &link]).text();
                    }
                }
            });
        }
        for _ in 0..rounds {
            service.backup_numbers(&[]);
            let checked = service.home.run(&["store", "check", &service.backup_storage(), "--json"]);
            if checked.exit != 0 {
                is_over.store(true, Ordering::Relaxed);
            }
            assert_eq!(checked.exit, 0, "{}", checked.json());
        }
        is_over.store(true, Ordering::Relaxed);
    });
    service.backup_numbers(&[]);
    service.check_is_clean(&service.backup_storage());
    service.download_all(&service.backup_storage(), &[(kept, b"kept".to_vec())]);
}

#[test]
fn a_backup_that_is_killed_is_continued() {
    check_kills(&BackedUp::start());
}

#[test]
#[ignore = "needs an S3 server: tests/s3.sh"]
fn s3_a_backup_that_is_killed_is_continued() {
    check_kills(&BackedUp::start_over_bucket());
}

fn check_kills(service: &BackedUp) {
    let link = service.upload("first", b"first");
    service.backup_numbers(&[]);
    let large = content(24 << 20);
    let links: Vec<_> = (0..3).map(|number| service.upload(&format!("large-{number}"), &large)).collect();
    let mut kills = 0;
    for beyond in [0_u64, 20 << 20, 40 << 20, 60 << 20] {
        let dir = service.dir.to_str().unwrap();
        let mut command = service.home.sgsend(&["store", "backup", &service.storage, dir, "--progress", "json"]);
        let mut child = command.stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
        let mut output = BufReader::new(child.stderr.take().unwrap()).lines();
        let is_beyond = |line: Value| line["bytes"].as_u64().is_some_and(|bytes| bytes >= beyond);
        output.by_ref().map_while(Result::ok).any(|line| serde_json::from_str(&line).is_ok_and(is_beyond));
        child.kill().unwrap();
        output.for_each(drop);
        kills += u32::from(!child.wait().unwrap().success());
        // The last backup is still there, perhaps with payloads that only the next one needs.
        let checked = service.home.run(&["store", "check", &service.backup_storage(), "--json"]).json();
        let findings = checked["items"].as_array().unwrap();
        assert!(findings.iter().all(|finding| finding["code"] == "stray_payload"), "{checked}");
    }
    assert!(kills > 0, "each backup ended before its kill");
    let numbers = service.backup_numbers(&[]);
    assert_eq!(numbers["payloads"], 4, "{numbers}");
    service.check_is_clean(&service.backup_storage());
    let mut expected: Vec<_> = links.into_iter().map(|link| (link, large.clone())).collect();
    expected.push((link, b"first".to_vec()));
    service.download_all(&service.backup_storage(), &expected);
}

#[test]
fn a_folder_with_other_contents_is_refused() {
    let service = BackedUp::start();
    let backup = |storage: &str, dir: &Path| service.home.run(&["store", "backup", storage, dir.to_str().unwrap()]);
    let photos = service.home.path().join("photos");
    std::fs::create_dir(&photos).unwrap();
    std::fs::write(photos.join("photo.jpg"), "x").unwrap();
    backup(&service.storage, &photos).expect_failure(9, "other files");
    assert_eq!(std::fs::read_dir(&photos).unwrap().count(), 1);
    let inside = service.home.path().join("store/backup");
    backup(&service.storage, &inside).expect_failure(2, "overlap");
    let other = format!("file:{}", service.home.path().join("other").display());
    service.home.serve(&["--storage", &other]).terminate();
    backup(&other, &service.home.path().join("store")).expect_failure(9, "other files");
    service.backup_numbers(&[]);
    backup(&other, &service.dir).expect_failure(9, "another storage");
    backup("memory:", &service.dir).expect_failure(2, "memory:");
    backup(&format!("file:{}", service.home.path().join("none").display()), &service.dir).expect_failure(9, "exist");
    let restored = service.home.serve(&["--storage", &service.backup_storage()]);
    service.backup(&[]).expect_failure(9, "in use");
    restored.terminate();
    service.check_is_clean(&service.storage);
}

/// Returns the commands on folders in the documentation, in its order.
fn documented_commands() -> Vec<String> {
    let document = std::fs::read_to_string("docs/operations.md").unwrap();
    let section = document.split("\n## Backup\n").nth(1).unwrap().split("\n## Moving").next().unwrap();
    let commands = section.lines().filter(|line| line.starts_with("sgsend store ") && !line.contains("s3://"));
    commands.map(|line| line.split(" #").next().unwrap().trim().to_owned()).collect()
}

#[test]
fn the_commands_of_the_documentation_work() {
    let service = BackedUp::start();
    let link = service.upload("file", b"content");
    let commands = documented_commands();
    for expected in ["store backup", "store copy", "store check", "--repair", "--yes"] {
        assert!(commands.iter().any(|command| command.contains(expected)), "{expected}: {commands:?}");
    }
    let home = service.home.path().display();
    for command in commands {
        let command = command.replace("/var/lib/sgsend", &format!("{home}/store"));
        let command = command.replace("/backup/sgsend", &format!("{home}/backup"));
        let arguments: Vec<_> = command.split_whitespace().skip(1).collect();
        let finished = service.home.run(&arguments);
        assert_eq!(finished.exit, 0, "{command}: {}", finished.stderr);
    }
    let restored = format!("file:{home}/store-restored");
    service.download_all(&restored, &[(link, b"content".to_vec())]);
}
