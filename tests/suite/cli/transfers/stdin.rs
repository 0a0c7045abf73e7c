//! Uploads of stdin and of pipes.

use std::fs;
use std::process::Command;

use crate::support::{FinishedCommand, Home, SmallDisk, Terminal};

#[test]
fn an_empty_input_is_an_error_unless_allowed() {
    let home = Home::new();
    let serving = home.serve_any(&[]);
    home.log_in(&serving);
    let failed = home.pipe_at(&serving, &["upload", "-"], b"");
    failed.expect_failure(9, "stdin is empty");
    assert!(failed.stderr.contains("--allow-empty"), "{}", failed.stderr);
    assert_eq!(home.pipe_at(&serving, &["upload", "-", "--json"], b"").json()["error"]["code"], "empty_input");
    let link = home.pipe_at(&serving, &["upload", "-", "--allow-empty"], b"").text();
    assert_eq!(home.run(&["download", &link, "-o", "-"]).text(), "");

    // A pipe by name, as of `<(false)`.
    let pipe = home.path().join("pipe");
    assert!(Command::new("mkfifo").arg(&pipe).status().unwrap().success());
    let writer = std::thread::spawn({
        let pipe = pipe.clone();
        move || drop(fs::File::options().write(true).open(pipe).unwrap())
    });
    home.run_at(&serving, &["upload", pipe.to_str().unwrap()]).expect_failure(9, "pipe is empty");
    writer.join().unwrap();
    // An empty file is sent.
    home.run_at(&serving, &["upload", &home.file("empty", b"")]).text();
}

#[test]
fn a_full_temporary_folder_is_named() {
    let home = Home::new();
    let serving = home.serve_any(&[]);
    home.log_in(&serving);
    let Some(disk) = SmallDisk::mount("1m") else { return };
    let file = home.file("long", &vec![1; 3_000_000]);
    let mut upload = home.sgsend(&["--server", &serving.public, "upload", "-"]);
    upload.stdin(fs::File::open(file).unwrap()).env("TMPDIR", disk.path());
    let finished = FinishedCommand::of(upload.output().unwrap());
    finished.expect_failure(9, &format!("in {}", disk.path().display()).to_lowercase());
    assert!(finished.stderr.contains("TMPDIR"), "{}", finished.stderr);
}

#[test]
fn reading_from_a_terminal_is_announced() {
    let home = Home::new();
    let serving = home.serve_any(&[]);
    home.log_in(&serving);
    let mut terminal = Terminal::start(&home, &["--server", &serving.public, "upload", "-"], &[]);
    terminal.wait_for("until Ctrl-D");
    terminal.type_in("typed\r\u{4}");
    let (exit, shown) = terminal.end();
    assert_eq!(exit, 0, "{shown}");
    let link = shown.split_whitespace().find(|word| word.starts_with("http") && word.contains("#v1.")).unwrap();
    assert_eq!(home.run(&["download", link, "-o", "-"]).text(), "typed");
}
