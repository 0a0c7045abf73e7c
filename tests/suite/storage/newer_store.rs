//! A store of a newer version: every command refuses it with the same sentence, and changes nothing.

use std::path::Path;

use crate::support::{ADMIN_KEY, HeldBucket, Home};

const SENTENCE: &str = "error: the storage has format version 5, and this version of sgsend supports versions up to 4";
const NEWER_HEADER: &str = r#"{"v":5,"retain_audit_s":60,"of_a_newer_version":true}"#;

/// Commands that open the storage at `storage`, with `other` as a second one.
fn commands<'a>(storage: &'a str, other: &'a str) -> Vec<Vec<&'a str>> {
    let serve = |service: &'static str| {
        let listen: &[&str] = if service == "all" {
            &["--listen", "127.0.0.1:0", "--admin-listen", "127.0.0.1:0"]
        } else {
            &["--listen", "127.0.0.1:0"]
        };
        [&["serve", service, "--storage", storage], listen].concat()
    };
    vec![
        serve("public"),
        serve("admin"),
        serve("all"),
        vec!["sweep", "--storage", storage],
        vec!["sweep", "--storage", storage, "--accept-clock"],
        vec!["store", "check", storage],
        vec!["store", "check", storage, "--repair", "--yes"],
        vec!["store", "copy", storage, other],
    ]
}

/// Runs each command, in a process with credentials for a bucket that takes any.
fn expect_refusals(home: &Home, commands: &[Vec<&str>]) {
    for arguments in commands {
        let mut command = home.sgsend(arguments);
        command
            .env("SGSEND_ADMIN_KEY", ADMIN_KEY)
            .env("AWS_ACCESS_KEY_ID", "test")
            .env("AWS_SECRET_ACCESS_KEY", "test");
        let output = command.output().unwrap();
        let stderr = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(1), "{arguments:?}: {stderr}");
        assert_eq!(stderr.lines().find(|line| line.starts_with("error: ")), Some(SENTENCE), "{arguments:?}: {stderr}");
        assert!(stderr.contains("hint: update sgsend"), "{arguments:?}: {stderr}");
        assert!(output.stdout.is_empty(), "{arguments:?}");
    }
}

/// Returns the content of all files in `folder`, by name.
fn contents(folder: &Path) -> Vec<(String, Vec<u8>)> {
    let entries = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap());
    let files = entries.filter(|entry| entry.file_type().unwrap().is_file());
    // SQLite makes these files for readers.
    let is_kept = |name: &str| !name.ends_with("-wal") && !name.ends_with("-shm");
    let mut files: Vec<_> = files
        .map(|entry| (entry.file_name().into_string().unwrap(), entry.path()))
        .filter(|(name, _)| is_kept(name))
        .map(|(name, path)| (name, std::fs::read(path).unwrap()))
        .collect();
    files.sort();
    files
}

#[test]
fn every_command_refuses_a_newer_folder() {
    // The version is in the header, and noted in the database for transactions.
    for statement in [
        format!("UPDATE object SET value = CAST('{NEWER_HEADER}' AS BLOB) WHERE key = 'store.json'"),
        "PRAGMA user_version = 5".to_owned(),
    ] {
        let home = Home::new();
        let folder = home.path().join("store");
        let storage = format!("file:{}", folder.display());
        home.serve(&["--storage", &storage]).terminate();
        // After a restart of the system, opening a store truncates unfinished payloads, which must not happen here.
        std::fs::write(folder.join("last-boot"), "another boot").unwrap();
        let part = folder.join("payloads/00").join(format!("{}.part", "0".repeat(32)));
        std::fs::create_dir_all(part.parent().unwrap()).unwrap();
        std::fs::write(&part, "of an unfinished upload").unwrap();
        rusqlite::Connection::open(folder.join("records.sqlite")).unwrap().execute_batch(&statement).unwrap();
        let before = contents(&folder);
        let new = format!("file:{}", home.path().join("new").display());
        let old = format!("file:{}", home.path().join("old").display());
        home.serve(&["--storage", &old]).terminate();
        let mut all = commands(&storage, &new);
        all.push(vec!["store", "copy", &old, &storage]);
        expect_refusals(&home, &all);
        let dir = home.path().join("backup");
        expect_refusals(&home, &[vec!["store", "backup", &storage, dir.to_str().unwrap()]]);
        assert!(!dir.exists());
        let doctor = home.run(&["doctor", "--storage", &storage]);
        assert_eq!(doctor.exit, 1, "{}", doctor.stderr);
        assert!(String::from_utf8_lossy(&doctor.stdout).contains(&SENTENCE["error: ".len()..]));
        assert!(contents(&folder) == before, "the store has changed: {statement}");
        assert_eq!(std::fs::read(&part).unwrap(), b"of an unfinished upload");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn every_command_refuses_a_newer_bucket() {
    let (bucket, home) = (HeldBucket::start().await, Home::new());
    bucket.put("store/store.json", NEWER_HEADER).await;
    let run = move || {
        let storage = bucket.storage();
        let new = format!("file:{}", home.path().join("new").display());
        let old = format!("file:{}", home.path().join("old").display());
        home.serve(&["--storage", &old]).terminate();
        let mut all = commands(&storage, &new);
        all.push(vec!["store", "copy", &old, &storage]);
        expect_refusals(&home, &all);
        assert_eq!(bucket.keys(), ["store/store.json"]);
    };
    tokio::task::spawn_blocking(run).await.unwrap();
}
