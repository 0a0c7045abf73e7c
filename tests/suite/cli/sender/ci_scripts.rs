//! The CI example scripts, run against real services.

use std::fs::Permissions;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::support::{BlockingProxy, Direction, FinishedCommand, Home, content, wait_until};

fn examples() -> &'static Path {
    Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/examples/ci"))
}

/// Writes an executable script that replaces the `sgsend` binary.
fn program(home: &Home, script: &str) -> String {
    let program = home.file("program", script.as_bytes());
    assert!(Command::new("chmod").args(["+x", &program]).status().unwrap().success());
    program
}

fn lines(home: &Home, name: &str) -> Vec<String> {
    std::fs::read_to_string(home.path().join(name)).unwrap_or_default().lines().map(str::to_owned).collect()
}

/// Returns the command of a CI job in `home` that calls the script with `arguments`.
fn job(home: &Home, server: &str, arguments: &[&str]) -> Command {
    let mut command = Command::new(examples().join("upload.sh"));
    command.args(arguments).env_clear().env("HOME", home.path()).current_dir(home.path()).env("PATH", "/usr/bin:/bin");
    command.env("SGSEND_BIN", env!("CARGO_BIN_EXE_sgsend")).env("SGSEND_SERVER", server).env("SGSEND_PAUSE", "0");
    command
}

#[test]
fn a_job_exports_its_link_and_masks_the_key() {
    let home = Home::new();
    let serving = home.serve_any(&[]);
    let token = home.run_at(&serving, &["token", "create", "ci"]).text();
    home.file("build.tar.gz", b"built");
    let mut command = job(&home, &serving.public, &["build.tar.gz", "--expires", "1d", "--downloads", "1"]);
    command.env("SGSEND_TOKEN", &token).env("GITHUB_OUTPUT", home.path().join("output"));
    command.env("DOTENV_FILE", "send.env").env("KEY_FILE", "key.txt");
    // The key file of an earlier job, which all users can read.
    let key_file = PathBuf::from(home.file("key.txt", b"earlier"));
    std::fs::set_permissions(&key_file, Permissions::from_mode(0o644)).unwrap();
    let log = FinishedCommand::of(command.output().unwrap()).text();
    let output = std::fs::read_to_string(home.path().join("output")).unwrap();
    let value = |name: &str| {
        let line = output.lines().find_map(|line| line.strip_prefix(name));
        line.unwrap_or_else(|| panic!("{name} is missing")).to_owned()
    };
    let (link, key) = (value("link="), value("key="));
    assert_eq!(log.lines().last(), Some(link.as_str()));
    let is_masked = log.lines().filter(|line| line.contains(&key)).all(|line| line.starts_with("::add-mask::"));
    assert!(is_masked && log.contains(&format!("::add-mask::{key}")), "the key is visible in the log");
    let dotenv = std::fs::read_to_string(home.path().join("send.env")).unwrap();
    assert_eq!(dotenv, format!("SGSEND_LINK={link}\n"));
    assert_eq!(key_file.metadata().unwrap().permissions().mode() & 0o777, 0o600);
    let downloaded = home.run(&["download", &link, "--key-file", "key.txt", "-o", "-"]);
    assert_eq!((downloaded.exit, downloaded.stdout.as_slice()), (0, &b"built"[..]), "{}", downloaded.stderr);
}

#[test]
fn a_job_retries_only_retryable_failures() {
    let home = Home::new();
    let serving = home.serve_any(&[]);
    home.file("build.tar.gz", b"built");
    let counting = program(&home, "#!/bin/sh\necho \"$*\" >>calls\nexit \"$(cat status)\"\n");
    // Only a partial upload resumes; piped input can't be read again.
    for (argument, status, calls, resumed) in [
        ("build.tar.gz", "8", 3, 0),
        ("build.tar.gz", "10", 3, 2),
        ("build.tar.gz", "5", 1, 0),
        ("build.tar.gz", "9", 1, 0),
        ("--no-resume-state", "10", 3, 0),
        ("-", "10", 1, 0),
    ] {
        home.file("status", status.as_bytes());
        home.file("calls", b"");
        let finished = FinishedCommand::of(
            job(&home, &serving.public, &[argument]).env("SGSEND_BIN", &counting).output().unwrap(),
        );
        assert_eq!(finished.exit.to_string(), status);
        let recorded_calls = lines(&home, "calls");
        let with = recorded_calls.iter().filter(|call| call.contains("--resume ")).count();
        assert_eq!((recorded_calls.len(), with), (calls, resumed), "{argument} {status}: {recorded_calls:?}");
    }
    assert_eq!(FinishedCommand::of(job(&home, &serving.public, &["build.tar.gz"]).output().unwrap()).exit, 5);
}

#[test]
fn a_retrying_job_sends_no_byte_twice() {
    let home = Home::new();
    let serving = home.serve(&["--storage", "memory:"]);
    let token = home.run_at(&serving, &["token", "create", "ci"]).text();
    let content = content(24_000_000);
    home.file("build.tar.gz", &content);
    let proxy = BlockingProxy::to(&serving.public);
    proxy.close_after(Direction::Upstream, 16_000_000);
    let real = env!("CARGO_BIN_EXE_sgsend");
    let noting =
        program(&home, &format!("#!/bin/sh\n{real} \"$@\"\nended=$?\necho \"$ended $*\" >>ended\nexit $ended\n"));
    let mut command = job(&home, &proxy.url, &["build.tar.gz", "--timeout", "2s"]);
    command.env("SGSEND_TOKEN", &token).env("SGSEND_BIN", &noting).env("SGSEND_ATTEMPTS", "20");
    let finished = std::thread::scope(|scope| {
        let running = scope.spawn(|| FinishedCommand::of(command.output().unwrap()));
        proxy.wait();
        wait_until("a call has ended", || !lines(&home, "ended").is_empty() || running.is_finished());
        proxy.open();
        running.join().unwrap()
    });
    let link = finished.text();
    let ended_calls = lines(&home, "ended");
    let (first, later) = ended_calls.split_first().unwrap();
    assert!(first.starts_with("10 ") && !first.contains("--resume"), "{ended_calls:?}");
    assert!(!later.is_empty() && later.iter().all(|call| call.contains(" --resume ")), "{ended_calls:?}");
    let transfers = home.run_at(&serving, &["stats", "--json"]).json()["transfers"].clone();
    assert_eq!((&transfers["completed"], &transfers["pending"]), (&1.into(), &0.into()), "{transfers}");
    assert!(proxy.bytes_forwarded(Direction::Upstream) < 32_000_000, "the file was sent twice");
    assert!(link.starts_with(&proxy.url), "{link}");
}

#[test]
fn unsupported_arguments_of_a_job_are_rejected() {
    let home = Home::new();
    home.file("build.tar.gz", b"built");
    let calling = program(&home, "#!/bin/sh\necho called >>calls\n");
    let run = |arguments: &[&str], attempts: &str| {
        let mut command = job(&home, "http://127.0.0.1:1", arguments);
        FinishedCommand::of(command.env("SGSEND_BIN", &calling).env("SGSEND_ATTEMPTS", attempts).output().unwrap())
    };
    for option in ["--json", "--dry-run", "--separate-key"] {
        let finished = run(&["build.tar.gz", option], "3");
        assert_eq!(finished.exit, 2, "{option}: {}", finished.stderr);
        assert!(finished.stderr.starts_with(&format!("upload.sh: {option} ")), "{}", finished.stderr);
    }
    for attempts in ["0", "-1", "many", "1.5"] {
        let finished = run(&["build.tar.gz"], attempts);
        assert_eq!(finished.exit, 2, "{attempts}: {}", finished.stderr);
        assert!(finished.stderr.contains("SGSEND_ATTEMPTS must be a number"), "{}", finished.stderr);
    }
    assert!(lines(&home, "calls").is_empty(), "the program was called");
    // A program that prints no link.
    let finished = run(&["build.tar.gz"], "1");
    assert_eq!(finished.exit, 1);
    assert!(finished.stderr.contains("has not printed a link"), "{}", finished.stderr);
}

#[test]
fn both_files_call_the_script() {
    for name in ["github.yml", "gitlab.yml"] {
        let text = std::fs::read_to_string(examples().join(name)).unwrap();
        assert!(text.contains("sgsend/examples/ci/upload.sh build.tar.gz --expires 1d --downloads 1"), "{name}");
    }
}
