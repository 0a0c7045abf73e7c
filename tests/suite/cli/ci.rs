//! What the examples for CI do, against real services.

use std::path::Path;
use std::process::Command;

use crate::support::{Home, Said};

fn examples() -> &'static Path {
    Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/examples/ci"))
}

/// A job of `home` that calls the script with these arguments.
fn job(home: &Home, server: &str, arguments: &[&str]) -> Command {
    let mut command = Command::new(examples().join("upload.sh"));
    command.args(arguments).env_clear().env("HOME", home.path()).current_dir(home.path()).env("PATH", "/usr/bin:/bin");
    command.env("SGSEND_BIN", env!("CARGO_BIN_EXE_sgsend")).env("SGSEND_SERVER", server).env("SGSEND_PAUSE", "0");
    command
}

#[test]
fn a_job_hands_its_link_on_and_keeps_the_key_out_of_sight() {
    let home = Home::new();
    let serving = home.serve_any(&[]);
    let token = home.run_at(&serving, &["token", "create", "ci"]).text();
    home.file("build.tar.gz", b"built");
    let mut command = job(&home, &serving.public, &["build.tar.gz", "--expires", "1d", "--downloads", "1"]);
    command.env("SGSEND_TOKEN", &token).env("GITHUB_OUTPUT", home.path().join("output"));
    command.env("DOTENV_FILE", "send.env").env("KEY_FILE", "key.txt");
    let log = Said::of(command.output().unwrap()).text();
    let output = std::fs::read_to_string(home.path().join("output")).unwrap();
    let value = |name: &str| {
        let line = output.lines().find_map(|line| line.strip_prefix(name));
        line.unwrap_or_else(|| panic!("{name} is missing")).to_owned()
    };
    let (link, key) = (value("link="), value("key="));
    assert_eq!(log.lines().last(), Some(link.as_str()));
    let seen = log.lines().filter(|line| line.contains(&key)).all(|line| line.starts_with("::add-mask::"));
    assert!(seen && log.contains(&format!("::add-mask::{key}")), "the key is in the log");
    let dotenv = std::fs::read_to_string(home.path().join("send.env")).unwrap();
    assert_eq!(dotenv, format!("SGSEND_LINK={link}\n"));
    let got = home.run(&["download", &link, "--key-file", "key.txt", "-o", "-"]);
    assert_eq!((got.exit, got.stdout.as_slice()), (0, &b"built"[..]), "{}", got.stderr);
}

#[test]
fn a_job_tries_again_only_where_that_may_help() {
    let home = Home::new();
    let serving = home.serve_any(&[]);
    home.file("build.tar.gz", b"built");
    // A program in place of ours that counts its calls, and ends as it is told.
    let counting = home.file("counting", b"#!/bin/sh\necho x >>calls\nexit \"$(cat status)\"\n");
    assert!(Command::new("chmod").args(["+x", &counting]).status().unwrap().success());
    for (status, calls) in [("8", 3), ("10", 3), ("5", 1), ("9", 1)] {
        home.file("status", status.as_bytes());
        home.file("calls", b"");
        let said =
            Said::of(job(&home, &serving.public, &["build.tar.gz"]).env("SGSEND_BIN", &counting).output().unwrap());
        assert_eq!(said.exit.to_string(), status);
        assert_eq!(std::fs::read_to_string(home.path().join("calls")).unwrap().lines().count(), calls, "{status}");
    }
    assert_eq!(Said::of(job(&home, &serving.public, &["build.tar.gz"]).output().unwrap()).exit, 5);
}

#[test]
fn both_files_call_the_script() {
    for name in ["github.yml", "gitlab.yml"] {
        let text = std::fs::read_to_string(examples().join(name)).unwrap();
        assert!(text.contains("sgsend/examples/ci/upload.sh build.tar.gz --expires 1d --downloads 1"), "{name}");
    }
}
