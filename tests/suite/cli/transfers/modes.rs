//! Permissions of files and directories arrive as far as the recipient's umask allows.

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Command;

use crate::support::{FinishedCommand, Home};

fn mode(path: &Path) -> u32 {
    fs::metadata(path).unwrap().permissions().mode() & 0o7777
}

/// Runs the command with this umask.
fn run_with_umask(umask: &str, home: &Home, arguments: &[&str]) -> FinishedCommand {
    let command = home.sgsend(arguments);
    let mut shell = Command::new("sh");
    shell
        .args(["-c", &format!("umask {umask}; exec \"$@\""), "sh"])
        .arg(command.get_program())
        .args(command.get_args());
    shell.env_clear().envs(command.get_envs().filter_map(|(name, value)| Some((name, value?))));
    FinishedCommand::of(shell.current_dir(home.path()).output().unwrap())
}

#[test]
fn the_top_directory_keeps_its_mode() {
    let home = Home::new();
    let serving = home.serve_any(&[]);
    home.log_in(&serving);
    let tree = home.path().join("tree");
    fs::create_dir(&tree).unwrap();
    home.file("tree/file", b"content");
    for (sent, umask, arrives) in [
        (0o700, "022", 0o700),
        (0o750, "022", 0o750),
        (0o775, "022", 0o755),
        (0o777, "077", 0o700),
        (0o555, "022", 0o555),
        (0o7755, "000", 0o755),
    ] {
        fs::set_permissions(&tree, Permissions::from_mode(sent)).unwrap();
        let link = home.run_at(&serving, &["upload", "tree"]).text();
        run_with_umask(umask, &home, &["download", &link, "-o", "back"]).text();
        let back = home.path().join("back");
        assert_eq!((mode(&back), fs::read(back.join("file")).unwrap()), (arrives, b"content".to_vec()), "{sent:o}");
        fs::set_permissions(&back, Permissions::from_mode(0o700)).unwrap();
        fs::remove_dir_all(&back).unwrap();
    }
    // The mode of a directory is not the mode of its archive.
    let link = home.run_at(&serving, &["upload", "tree"]).text();
    run_with_umask("022", &home, &["download", &link, "--no-extract", "-o", "tree.tar"]).text();
    assert_eq!(mode(&home.path().join("tree.tar")), 0o644);
    // Several paths have no common directory.
    let link = home.run_at(&serving, &["upload", "tree", &home.file("other", b"x")]).text();
    run_with_umask("022", &home, &["download", &link, "-o", "both"]).text();
    assert_eq!((mode(&home.path().join("both")), mode(&home.path().join("both/tree"))), (0o755, 0o755));
}

#[test]
fn a_single_file_keeps_its_execute_permission_only() {
    let home = Home::new();
    let serving = home.serve_any(&[]);
    home.log_in(&serving);
    let script = home.file("script", b"#!/bin/sh\n");
    for (sent, umask, arrives) in [
        (0o755, "022", 0o755),
        (0o700, "022", 0o755),
        (0o755, "077", 0o700),
        (0o755, "027", 0o750),
        (0o644, "022", 0o644),
        (0o600, "022", 0o644),
        (0o6755, "022", 0o755),
        (0o4644, "022", 0o644),
        (0o755, "133", 0o644),
    ] {
        fs::set_permissions(&script, Permissions::from_mode(sent)).unwrap();
        let link = home.run_at(&serving, &["upload", &script]).text();
        run_with_umask(umask, &home, &["download", &link, "-o", "back"]).text();
        assert_eq!(mode(&home.path().join("back")), arrives, "{sent:o} under {umask}");
        fs::remove_file(home.path().join("back")).unwrap();
    }
    // A replaced file keeps its own permissions.
    fs::set_permissions(&script, Permissions::from_mode(0o755)).unwrap();
    let link = home.run_at(&serving, &["upload", &script]).text();
    let old = home.file("old", b"old");
    fs::set_permissions(&old, Permissions::from_mode(0o640)).unwrap();
    run_with_umask("022", &home, &["download", &link, "-o", "old", "--overwrite"]).text();
    assert_eq!(mode(Path::new(&old)), 0o640);
    // Content from stdin is not executable.
    let link = home.pipe_at(&serving, &["upload", "-"], b"text").text();
    run_with_umask("022", &home, &["download", &link, "-o", "piped"]).text();
    assert_eq!(mode(&home.path().join("piped")), 0o644);
}
