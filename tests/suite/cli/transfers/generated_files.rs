//! Files whose size is not the length of their content, as in `/proc` and `/sys`, and sparse files.

use std::fs;
use std::path::Path;

use crate::support::Home;

/// Files with fixed content: those of `/proc` have size 0, those of `/sys` claim a page.
const FILES: [&str; 4] = [
    "/proc/version",
    "/proc/sys/kernel/ostype",
    "/sys/kernel/mm/transparent_hugepage/hpage_pmd_size",
    "/sys/kernel/mm/transparent_hugepage/enabled",
];

fn files() -> Vec<&'static str> {
    FILES.into_iter().filter(|path| Path::new(path).exists()).collect()
}

fn name(path: &str) -> &str {
    path.rsplit('/').next().unwrap()
}

#[test]
fn generated_files_arrive_with_their_content() {
    let home = Home::new();
    let serving = home.serve_any(&[]);
    home.log_in(&serving);
    for path in files() {
        let link = home.run_at(&serving, &["upload", path]).text();
        assert_eq!(home.run(&["download", &link, "-o", "-"]).stdout, fs::read(path).unwrap(), "{path}");
    }
    let link = home.run_at(&serving, &[&["upload"], &files()[..]].concat()).text();
    home.run(&["download", &link, "-o", "several"]).text();
    for path in files() {
        let unpacked = fs::read(home.path().join("several").join(name(path))).unwrap();
        assert_eq!(unpacked, fs::read(path).unwrap(), "{path}");
    }
}

#[test]
fn a_directory_of_generated_files_arrives_with_its_content() {
    let home = Home::new();
    let serving = home.serve_any(&[]);
    home.log_in(&serving);
    for (directory, file) in [("/proc/sys/fs/inotify", "max_user_watches"), ("/proc/sys/kernel/random", "boot_id")] {
        let sizes = home.run_at(&serving, &["upload", directory, "--dry-run", "--json"]).json();
        let content = fs::read(Path::new(directory).join(file)).unwrap();
        let listed = sizes["files"].as_array().unwrap().iter().find(|listed| listed["name"] == file).unwrap();
        assert_eq!(listed["size"], content.len());
        let link = home.run_at(&serving, &["upload", directory]).text();
        let saved = home.run(&["download", &link]).text();
        assert_eq!(fs::read(home.path().join(saved).join(file)).unwrap(), content, "{directory}");
    }
}

#[test]
fn sparse_files_are_sent_as_they_are() {
    let home = Home::new();
    let serving = home.serve_any(&[]);
    home.log_in(&serving);
    fs::create_dir(home.path().join("d")).unwrap();
    for name in ["single", "d/inner"] {
        fs::File::create(home.path().join(name)).unwrap().set_len(10_000_000).unwrap();
    }
    for (path, saved) in [("single", "back"), ("d", "unpacked")] {
        // Not buffered: a temporary file could not be created.
        let mut upload = home.sgsend(&["--server", &serving.public, "upload", path]);
        let output = upload.env("TMPDIR", "/nonexistent").output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        let link = String::from_utf8(output.stdout).unwrap();
        home.run(&["download", link.trim(), "-o", saved]).text();
    }
    assert!(fs::read(home.path().join("back")).unwrap() == vec![0; 10_000_000]);
    assert!(fs::read(home.path().join("unpacked/inner")).unwrap() == vec![0; 10_000_000]);
}

#[test]
fn a_generated_file_that_cannot_be_buffered_names_the_folder() {
    let home = Home::new();
    let serving = home.serve_any(&[]);
    home.log_in(&serving);
    for paths in [&["/proc/version"][..], &["/proc/version", "/proc/filesystems"]] {
        let mut upload = home.sgsend(&[&["--server", &serving.public, "upload"], paths].concat());
        let output = upload.env("TMPDIR", "/nonexistent").output().unwrap();
        let finished = crate::support::FinishedCommand::of(output);
        finished.expect_failure(9, "in /nonexistent");
        assert!(finished.stderr.contains("TMPDIR"), "{}", finished.stderr);
    }
}
