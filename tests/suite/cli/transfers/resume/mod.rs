//! Interrupted uploads and downloads, and resuming them.

mod changes;
mod downloads;
mod entries;
mod interruptions;
mod links;
mod list;
mod presigned;
mod signed;
mod uploads;

use std::fs;
use std::process::{Child, Command, Output};

use serde_json::Value;

use crate::support::{BlockingProxy, Direction, FinishedCommand, Home, ServerProcess};

/// Content size in bytes.
const SIZE: u64 = LENGTH as u64;

const LENGTH: u32 = 300 << 20;

/// Number of interruptions per transfer.
const INTERRUPTIONS: u64 = 10;

/// Signals that end a process, with the expected exit status.
const SIGNALS: [(&str, i32); 3] = [("INT", 130), ("KILL", -1), ("TERM", 143)];

/// Checks the JSON error of a process that was interrupted by a signal; SIGKILL leaves no output.
fn check_signal_error(output: &Output, (signal, _): (&str, i32), resumable: bool) {
    if signal != "KILL" {
        let failure: Value = serde_json::from_slice(&output.stdout).expect("a JSON error about the interruption");
        assert_eq!(failure["error"]["resumable"], resumable, "{failure}");
    }
}

/// A service, a proxy in front of it, and a sender that connects through the proxy.
struct World {
    home: Home,
    serving: ServerProcess,
    proxy: BlockingProxy,
    token: String,
}

impl World {
    fn new() -> Self {
        let home = Home::new();
        let store = format!("file:{}", home.path().join("store").display());
        let serving = home.serve(&["--storage", &store, "--max-size", "1GiB"]);
        let token = home.run_at(&serving, &["token", "create", "test"]).text();
        let proxy = BlockingProxy::to(&serving.public);
        Self { home, serving, proxy, token: token.trim().to_owned() }
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = self.home.sgsend(&[&["--server", &self.proxy.url], arguments].concat());
        command.env("SGSEND_TOKEN", &self.token);
        command
    }

    fn run(&self, arguments: &[&str]) -> FinishedCommand {
        FinishedCommand::of(self.command(arguments).output().unwrap())
    }

    /// Deletes a transfer from another home, so that the local state of the transfer stays.
    fn delete_elsewhere(&self, id: &str) {
        let elsewhere = Home::new();
        let mut deleting = elsewhere.sgsend(&["--server", &self.proxy.url, "delete", id]);
        assert!(deleting.env("SGSEND_TOKEN", &self.token).status().unwrap().success());
    }

    fn count_transfers(&self, status: &str) -> u64 {
        self.home.run_at(&self.serving, &["stats", "--json"]).json()["transfers"][status].as_u64().unwrap()
    }
}

fn spawn_command(mut command: Command) -> Child {
    command.stdout(std::process::Stdio::piped()).stderr(std::process::Stdio::piped()).spawn().unwrap()
}

fn send(child: &Child, signal: &str) {
    assert!(Command::new("kill").args([&format!("-{signal}"), &child.id().to_string()]).status().unwrap().success());
}

/// Ends a process with this signal and checks its exit status.
fn end_by_signal(child: Child, (signal, exit): (&str, i32)) -> Output {
    send(&child, signal);
    let output = child.wait_with_output().unwrap();
    let printed = String::from_utf8_lossy(&output.stdout);
    assert_eq!(output.status.code().unwrap_or(-1), exit, "{printed} {}", String::from_utf8_lossy(&output.stderr));
    output
}

/// Returns the files of unfinished transfers in the client's state directory.
fn unfinished_transfers(home: &Home, kind: &str) -> Vec<String> {
    let folder = home.path().join(".local/state/sgsend").join(kind);
    let entries = fs::read_dir(folder).into_iter().flatten();
    entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect()
}

/// Uploads until the proxy closes, then kills the process.
fn start_partial_upload(world: &World, file: &str, extra: &[&str]) {
    world.proxy.close_after(Direction::Upstream, 12 << 20);
    let upload = spawn_command(world.command(&[&["upload", file], extra].concat()));
    world.proxy.wait();
    end_by_signal(upload, SIGNALS[1]);
    world.proxy.open();
}

/// Downloads until the proxy closes after `bytes` bytes, then ends the process.
fn start_partial_download(world: &World, link: &str, bytes: u64, signal: (&str, i32)) {
    world.proxy.close_after(Direction::Downstream, bytes);
    let download = spawn_command(world.command(&["download", link.trim(), "-o", "b.bin"]));
    world.proxy.wait();
    end_by_signal(download, signal);
    world.proxy.open();
}
