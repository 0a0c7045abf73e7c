//! Entries that cannot be sent: skipped on request, and symbolic links that are followed.

use std::ffi::OsStr;
use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::process::Command;

use super::{begin, put, tree};
use crate::support::{FinishedCommand, Home, ServerProcess, not_run};

/// Uploads `sent` with these options, and returns the names in it after a download.
fn upload_and_list(home: &Home, serving: &ServerProcess, options: &[&str]) -> (FinishedCommand, Vec<String>) {
    let uploaded = home.run_at(serving, &[&["upload", "sent"], options].concat());
    home.run(&["download", &uploaded.text(), "-o", "inbox"]).text();
    let names = tree(&home.path().join("inbox/sent")).into_keys().collect();
    fs::remove_dir_all(home.path().join("inbox/sent")).unwrap();
    (uploaded, names)
}

#[test]
fn unsendable_entries_are_skipped_and_named_once() {
    let (home, serving) = begin();
    put(&home, "keep/file", b"x");
    symlink("/usr/bin/python3", home.path().join("sent/absolute")).unwrap();
    symlink("../../outside", home.path().join("sent/keep/out")).unwrap();
    put(&home, "back\\slash", b"x");
    let latin = home.path().join("sent").join(OsStr::from_bytes(b"caf\xe9"));
    fs::create_dir(&latin).unwrap();
    fs::write(latin.join("inner"), "x").unwrap();
    assert!(Command::new("mkfifo").arg(home.path().join("sent/fifo")).status().unwrap().success());

    home.run_at(&serving, &["upload", "sent", "--exclude", "*out", "--exclude", "absolute"])
        .expect_failure(9, "caf\\xe9 is not valid utf-8");
    let (uploaded, names) = upload_and_list(&home, &serving, &["--skip-unsendable"]);
    assert_eq!(names, ["keep", "keep/file"]);
    for name in ["absolute", "keep/out", "back\\slash", "caf\\xe9", "fifo"] {
        let warnings = uploaded.stderr.lines().filter(|line| line.starts_with(&format!("warning: {name} "))).count();
        assert_eq!(warnings, 1, "{name}: {}", uploaded.stderr);
    }
    let json = home.run_at(&serving, &["upload", "sent", "--skip-unsendable", "--json"]).json();
    let skipped: Vec<_> =
        json["skipped"].as_array().unwrap().iter().map(|entry| entry["name"].as_str().unwrap()).collect();
    assert_eq!(skipped, ["absolute", "back\\slash", "caf\\xe9", "fifo", "keep/out"]);
    assert!(json["skipped"][0]["reason"].as_str().unwrap().contains("outside the archive"), "{json}");

    let one = home.path().join("sent/absolute");
    fs::create_dir(home.path().join("only")).unwrap();
    symlink("/etc/passwd", home.path().join("only/link")).unwrap();
    assert!(one.is_symlink());
    home.run_at(&serving, &["upload", "only", "--skip-unsendable"]).expect_failure(9, "nothing is left to send");
    home.run_at(&serving, &["upload", "sent", "nowhere", "--skip-unsendable"])
        .expect_failure(9, "nowhere cannot be read");
}

#[test]
fn unreadable_entries_are_named_once_by_their_relative_path() {
    let (home, serving) = begin();
    put(&home, "keep", b"x");
    put(&home, "closed/inner", b"x");
    put(&home, "secret", b"x");
    let set_mode = |path: &std::path::Path, mode| fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
    for path in ["", "sent"] {
        set_mode(&home.path().join(path), 0o755);
    }
    for path in ["sent/closed", "sent/secret"] {
        set_mode(&home.path().join(path), 0o000);
    }
    let token = home.run_at(&serving, &["token", "create", "nobody"]).text();
    let upload = |options: &[&str]| {
        let command = home.sgsend(&[&["--server", &serving.public, "upload", "sent"], options].concat());
        let mut outer = Command::new("setpriv");
        outer.args(["--reuid", "12345", "--regid", "12345", "--clear-groups", "--"]);
        outer.arg(command.get_program()).args(command.get_args()).env_clear().current_dir(home.path());
        outer.env("SGSEND_TOKEN", &token);
        outer.output().ok().map(FinishedCommand::of).filter(|finished| !finished.stderr.contains("setpriv: "))
    };
    let Some(failed) = upload(&[]) else { return not_run("setpriv is missing, or may not change the user id") };
    failed.expect_failure(9, "closed cannot be read: permission denied");
    assert_eq!(failed.stderr.matches("closed").count(), 1, "{}", failed.stderr);
    assert!(!failed.stderr.contains(home.path().to_str().unwrap()), "{}", failed.stderr);

    let skipped = upload(&["--skip-unsendable", "--json"]).unwrap();
    let names: Vec<_> =
        skipped.json()["skipped"].as_array().unwrap().iter().map(|entry| entry["name"].clone()).collect();
    assert_eq!(names, ["closed", "secret"], "{}", skipped.stderr);
    home.run(&["download", skipped.json()["link"].as_str().unwrap(), "-o", "inbox"]).text();
    assert_eq!(tree(&home.path().join("inbox/sent")).into_keys().collect::<Vec<_>>(), ["keep"]);
}

#[test]
fn links_are_followed_on_request() {
    let (home, serving) = begin();
    put(&home, "bin/tool", b"tool");
    fs::create_dir(home.path().join("outside")).unwrap();
    home.file("outside/f", b"outside");
    // As in a virtual environment: absolute, leading out, and to a directory.
    symlink(home.path().join("outside/f"), home.path().join("sent/bin/python")).unwrap();
    symlink("../../outside", home.path().join("sent/bin/lib")).unwrap();
    let finished = home.run_at(&serving, &["upload", "sent"]);
    finished.expect_failure(9, "outside the archive");
    assert!(finished.stderr.contains("--dereference"), "{}", finished.stderr);
    for option in ["--dereference", "-L"] {
        let (_, names) = upload_and_list(&home, &serving, &[option]);
        assert_eq!(names, ["bin", "bin/lib", "bin/lib/f", "bin/python", "bin/tool"]);
    }
    let link = home.run_at(&serving, &["upload", "sent", "-L"]).text();
    home.run(&["download", &link, "-o", "followed"]).text();
    let python = home.path().join("followed/bin/python");
    assert!(!python.is_symlink());
    assert_eq!(fs::read(python).unwrap(), b"outside");

    symlink("..", home.path().join("sent/bin/loop")).unwrap();
    home.run_at(&serving, &["upload", "sent", "-L"])
        .expect_failure(9, "bin/loop is a symlink to a directory that contains it");
    symlink("nowhere", home.path().join("sent/broken")).unwrap();
    home.run_at(&serving, &["upload", "sent", "-L", "--exclude", "loop"])
        .expect_failure(9, "broken is a symlink to a file");
    let (uploaded, names) = upload_and_list(&home, &serving, &["-L", "--skip-unsendable"]);
    assert_eq!(names, ["bin", "bin/lib", "bin/lib/f", "bin/python", "bin/tool"]);
    assert!(uploaded.stderr.contains("bin/loop") && uploaded.stderr.contains("broken"), "{}", uploaded.stderr);
}
