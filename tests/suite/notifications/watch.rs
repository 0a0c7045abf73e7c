//! `sgsend watch`: lines, JSON, commands, and connections that are lost.

use std::fmt::Write as _;
use std::io::{BufRead, BufReader};
use std::process::{Child, ChildStdout, Stdio};

use serde_json::Value;

use crate::support::{Home, ReservedAddress, ServerProcess};

/// Running `sgsend watch`, killed on drop.
struct Watching(Child, BufReader<ChildStdout>);

impl Watching {
    /// Starts the command, and waits until it is connected.
    fn start(home: &Home, server: &ServerProcess, arguments: &[&str]) -> Self {
        let mut command = home.sgsend(&[&["--server", &server.public, "watch"], arguments].concat());
        let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let mut stderr = BufReader::new(child.stderr.take().unwrap());
        let mut printed = String::new();
        stderr.read_line(&mut printed).unwrap();
        assert!(printed.contains("waiting for events"), "{printed}");
        std::thread::spawn(move || std::io::copy(&mut stderr, &mut std::io::sink()));
        let stdout = BufReader::new(child.stdout.take().unwrap());
        Self(child, stdout)
    }

    fn line(&mut self) -> String {
        let mut printed = String::new();
        self.1.read_line(&mut printed).unwrap();
        printed
    }
}

impl Drop for Watching {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[test]
fn watch_prints_the_events_of_all_transfers_and_runs_a_command_for_each() {
    let home = Home::new();
    let server = home.serve_any(&[]);
    home.log_in(&server);
    let log = home.path().join("events");
    let command = format!(
        "echo $SGSEND_EVENT $SGSEND_TRANSFER_ID [$SGSEND_LINK_ID] $SGSEND_DOWNLOAD_COUNT/$SGSEND_MAX_DOWNLOADS >>{}",
        log.display()
    );
    let mut watching = Watching::start(&home, &server, &["--json", "--exec", &command]);
    let file = home.file("a.txt", b"abc");
    let link = home.run_at(&server, &["upload", &file, "-d", "1"]).text();
    home.run_at(&server, &["download", &link, "-o", "-"]);
    let mut expected = String::new();
    let id = link.split("/d/").nth(1).unwrap().split('#').next().unwrap();
    for (kind, count) in [("transfer.completed", 0), ("transfer.first_download", 1), ("transfer.exhausted", 1)] {
        let printed: Value = serde_json::from_str(&watching.line()).unwrap();
        assert_eq!(
            (printed["v"].as_u64(), printed["kind"].as_str(), printed["transfer_id"].as_str()),
            (Some(1), Some(kind), Some(id))
        );
        writeln!(expected, "{kind} {id} [] {count}/1").unwrap();
    }
    drop(watching);
    let found = std::fs::read_to_string(&log).unwrap();
    // The command of the last event may have ended with the process.
    assert!(expected.starts_with(&found) && found.lines().count() >= 2, "{found}");
}

#[test]
fn watch_of_one_transfer_ends_with_it_and_survives_a_restart_of_the_server() {
    let home = Home::new();
    let store = format!("file:{}", home.path().join("store").display());
    let address = ReservedAddress::new();
    let start = || home.server().storage(&store).listen(&address.to_string()).start();
    let server = start();
    home.log_in(&server);
    let file = home.file("a.txt", b"abc");
    let link = home.run_at(&server, &["upload", &file]).text();
    let mut watching = Watching::start(&home, &server, &[&link]);
    server.terminate();
    let server = start();
    home.run_at(&server, &["delete", &link]);
    let printed = watching.line();
    assert!(printed.contains("transfer.deleted"), "{printed}");
    assert_eq!(watching.line(), "");
    assert!(watching.0.wait().unwrap().success());
    let again = home.run_at(&server, &["watch", &link]);
    assert_eq!(again.exit, 0, "{}", again.stderr);
    assert!(again.stderr.contains("already"), "{}", again.stderr);
    home.run_at(&server, &["--token", &format!("sgs_{}_{}", "0".repeat(16), "1".repeat(64)), "watch"])
        .expect_failure(5, "token");
}
