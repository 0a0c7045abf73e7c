//! Directories and several paths: sent as one archive, unpacked by the recipient.

mod index;
mod large;
mod names;
mod receiving;
mod sending;
mod unsafe_archives;
mod unsendable;

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::Path;
use std::process::Command;

use crate::support::{Home, ServerProcess, not_run};

/// A directory entry: permissions, mtime in seconds, and content or link target. Links have no permissions or mtime
/// here.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Found {
    File(u32, i64, Vec<u8>),
    Directory(u32, i64),
    Link(String),
}

/// Lists all entries below `folder` by relative path.
pub(super) fn tree(folder: &Path) -> BTreeMap<String, Found> {
    let mut entries = BTreeMap::new();
    collect(folder, "", &mut entries);
    entries
}

fn collect(folder: &Path, prefix: &str, entries: &mut BTreeMap<String, Found>) {
    for entry in fs::read_dir(folder).unwrap() {
        let entry = entry.unwrap();
        let name = format!("{prefix}{}", entry.file_name().to_str().unwrap());
        let metadata = entry.path().symlink_metadata().unwrap();
        let (mode, seconds) = (metadata.permissions().mode() & 0o7777, metadata.mtime());
        let is = if metadata.is_symlink() {
            Found::Link(fs::read_link(entry.path()).unwrap().to_str().unwrap().to_owned())
        } else if metadata.is_dir() {
            collect(&entry.path(), &format!("{name}/"), entries);
            Found::Directory(mode, seconds)
        } else {
            Found::File(mode, seconds, fs::read(entry.path()).unwrap())
        };
        entries.insert(name, is);
    }
}

/// Creates a home with an empty directory `sent`, and starts a server.
pub(super) fn begin() -> (Home, ServerProcess) {
    let home = Home::new();
    let serving = home.serve_any(&[]);
    home.log_in(&serving);
    fs::create_dir(home.path().join("sent")).unwrap();
    fs::create_dir(home.path().join("inbox")).unwrap();
    (home, serving)
}

/// Writes a file below `sent` and creates its parent directories.
pub(super) fn put(home: &Home, path: &str, content: &[u8]) {
    let path = home.path().join("sent").join(path);
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(path, content).unwrap();
}

/// Sends `sent`, unpacks it in `inbox`, and returns the unpacked directory. Checks that both trees are equal.
pub(super) fn there_and_back(home: &Home, serving: &ServerProcess) -> std::path::PathBuf {
    let link = home.run_at(serving, &["upload", "sent"]).text();
    let printed = home.run(&["download", &link, "-o", "inbox"]).text();
    assert_eq!(printed, "inbox/sent");
    let came = home.path().join(printed);
    let (sent, back) = (tree(&home.path().join("sent")), tree(&came));
    assert!(sent == back, "{:?} is not {:?}", sent.keys(), back.keys());
    let left: Vec<_> =
        fs::read_dir(home.path().join("inbox")).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert_eq!(left, ["sent"], "an unfinished file was left");
    came
}

/// Returns whether `program` is installed; reports the test as not run otherwise.
pub(super) fn has(program: &str) -> bool {
    let there = Command::new(program).arg("--version").output().is_ok_and(|output| output.status.success());
    if !there {
        not_run(&format!("{program} is not installed"));
    }
    there
}
