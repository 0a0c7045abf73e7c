//! Invalid `--storage` values: no store is created, and the error fits the mistake.

use std::fs;

use super::invalid_settings::fail_to_start;
use crate::support::{FinishedCommand, Home};

const NO_BUCKET: &str = "s3://bucket?endpoint=http://127.0.0.1:9";

/// Returns the output of a service that fails to start over `storage`.
fn fail_to_serve(home: &Home, storage: &str) -> FinishedCommand {
    fail_to_start(home.sgsend(&["serve", "public", "--storage", storage, "--listen", "127.0.0.1:0"]))
}

#[test]
fn a_sweep_creates_no_store_for_a_mistyped_path() {
    let home = Home::new();
    let typo = home.path().join("typo");
    home.run(&["sweep", "--storage", &format!("file:{}", typo.display())]).expect_failure(9, "does not exist");
    assert!(!typo.exists(), "the folder was created");
    fs::create_dir(&typo).unwrap();
    home.run(&["sweep", "--storage", &format!("file:{}", typo.display())]).expect_failure(9, "contains no storage");
    assert_eq!(fs::read_dir(&typo).unwrap().count(), 0, "a file was created");
}

#[test]
fn a_path_without_a_store_is_a_file_error_not_a_finding() {
    let home = Home::new();
    let file = home.file("a-file", b"x");
    let (missing, file) = (format!("file:{}/nowhere", home.path().display()), format!("file:{file}"));
    let to = format!("file:{}/to", home.path().display());
    for storage in [&missing, &file] {
        let checked = home.run(&["store", "check", storage]);
        checked.expect_failure(9, "");
        assert!(!checked.stderr.contains("--storage"), "{}", checked.stderr);
        home.run(&["store", "copy", storage, &to]).expect_failure(9, "");
    }
    fail_to_serve(&home, &file).expect_failure(9, "a-file");
    assert!(!home.path().join("to").exists());
}

#[test]
fn an_unreachable_bucket_is_a_network_error() {
    let home = Home::new();
    let credentials = [("AWS_ACCESS_KEY_ID", "x"), ("AWS_SECRET_ACCESS_KEY", "x"), ("AWS_REGION", "us-east-1")];
    for arguments in [&["store", "check", NO_BUCKET][..], &["sweep", "--storage", NO_BUCKET]] {
        let output = home.sgsend(arguments).envs(credentials).output().unwrap();
        assert_eq!(output.status.code(), Some(8), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
    }
}

#[test]
fn an_unexpanded_tilde_creates_no_folder() {
    let home = Home::new();
    for storage in ["file:~", "file:~/st3"] {
        fail_to_serve(&home, storage).expect_failure(2, "$home");
        home.run(&["store", "check", storage]).expect_failure(2, "$home");
        home.run(&["sweep", "--storage", storage]).expect_failure(2, "$home");
    }
    assert!(!home.path().join("~").exists());
}

#[test]
fn a_store_is_not_mixed_with_other_files() {
    let home = Home::new();
    let folder = home.path().join("photos");
    let storage = format!("file:{}", folder.display());
    fs::create_dir(&folder).unwrap();
    fs::write(folder.join("photo.jpg"), "x").unwrap();
    fail_to_serve(&home, &storage).expect_failure(9, "contains other files");
    assert_eq!(fs::read_dir(&folder).unwrap().count(), 1, "a file was created");
    // A freshly formatted disk, later a store in use.
    fs::remove_file(folder.join("photo.jpg")).unwrap();
    fs::create_dir(folder.join("lost+found")).unwrap();
    fs::write(folder.join(".hidden"), "x").unwrap();
    home.serve(&["--storage", &storage]).terminate();
    fs::write(folder.join("notes"), "x").unwrap();
    home.serve(&["--storage", &storage]).terminate();
}

#[test]
fn unknown_variables_are_warned_about_without_their_values() {
    let home = Home::new();
    let server = home.server().storage("memory:").env("SGSEND_RATE_LIMITT", "hidden").env("SGSEND_RATE_LIMIT", "off");
    let log = server.start().terminate();
    let warnings: Vec<_> = log.lines().filter(|line| line.contains("is not a setting")).collect();
    assert!(warnings.len() == 1 && warnings[0].contains("SGSEND_RATE_LIMITT"), "{log}");
    assert!(!log.contains("hidden"), "{log}");
}
