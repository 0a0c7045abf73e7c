//! Storages that are mistyped, or something else: nothing is made of them, and what is said fits.

use std::fs;
use std::process::Stdio;

use super::fails_closed::refused;
use crate::support::{Home, Said, Serving};

const NO_BUCKET: &str = "s3://bucket?endpoint=http://127.0.0.1:9";

/// What a service says that does not start over `storage`.
fn not_served(home: &Home, storage: &str) -> Said {
    refused(home.sgsend(&["serve", "public", "--storage", storage, "--listen", "127.0.0.1:0"]))
}

#[test]
fn a_sweep_makes_no_store_out_of_a_typo() {
    let home = Home::new();
    let typo = home.path().join("typo");
    home.run(&["sweep", "--storage", &format!("file:{}", typo.display())]).failed(9, "no folder");
    assert!(!typo.exists(), "it was made");
    fs::create_dir(&typo).unwrap();
    home.run(&["sweep", "--storage", &format!("file:{}", typo.display())]).failed(9, "no storage in the folder");
    assert_eq!(fs::read_dir(&typo).unwrap().count(), 0, "something was made");
}

#[test]
fn what_is_no_store_is_a_local_file_and_no_finding() {
    let home = Home::new();
    let file = home.file("a-file", b"x");
    let (missing, file) = (format!("file:{}/nowhere", home.path().display()), format!("file:{file}"));
    let to = format!("file:{}/to", home.path().display());
    for storage in [&missing, &file] {
        let checked = home.run(&["store", "check", storage]);
        checked.failed(9, "");
        assert!(!checked.stderr.contains("--storage"), "{}", checked.stderr);
        home.run(&["store", "copy", storage, &to]).failed(9, "");
    }
    not_served(&home, &file).failed(9, "a-file");
    assert!(!home.path().join("to").exists());
}

#[test]
fn a_bucket_that_does_not_answer_is_a_fault_of_the_network() {
    let home = Home::new();
    let credentials = [("AWS_ACCESS_KEY_ID", "x"), ("AWS_SECRET_ACCESS_KEY", "x"), ("AWS_REGION", "us-east-1")];
    for arguments in [&["store", "check", NO_BUCKET][..], &["sweep", "--storage", NO_BUCKET]] {
        let output = home.sgsend(arguments).envs(credentials).output().unwrap();
        assert_eq!(output.status.code(), Some(8), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
    }
}

#[test]
fn a_home_that_no_shell_expands_becomes_no_folder() {
    let home = Home::new();
    for storage in ["file:~", "file:~/st3"] {
        not_served(&home, storage).failed(2, "$home");
        home.run(&["store", "check", storage]).failed(2, "$home");
        home.run(&["sweep", "--storage", storage]).failed(2, "$home");
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
    not_served(&home, &storage).failed(9, "holds other files");
    assert_eq!(fs::read_dir(&folder).unwrap().count(), 1, "something was made");
    // A fresh disk, and then a store in use.
    fs::remove_file(folder.join("photo.jpg")).unwrap();
    fs::create_dir(folder.join("lost+found")).unwrap();
    fs::write(folder.join(".hidden"), "x").unwrap();
    home.serve(&["--storage", &storage]).terminate();
    fs::write(folder.join("notes"), "x").unwrap();
    home.serve(&["--storage", &storage]).terminate();
}

#[test]
fn a_mistyped_variable_is_told_of_without_its_value() {
    let home = Home::new();
    let arguments = ["serve", "all", "--json", "--storage", "memory:"];
    let mut command =
        home.sgsend(&[&arguments[..], &["--listen", "127.0.0.1:0", "--admin-listen", "127.0.0.1:0"]].concat());
    command.env("SGSEND_RATE_LIMITT", "hidden").env("SGSEND_RATE_LIMIT", "off").stdin(Stdio::null());
    let log = Serving::start(command, 2).terminate();
    let warnings: Vec<_> = log.lines().filter(|line| line.contains("is no setting")).collect();
    assert!(warnings.len() == 1 && warnings[0].contains("SGSEND_RATE_LIMITT"), "{log}");
    assert!(!log.contains("hidden"), "{log}");
}
