//! The `sgsend` binary as a process that can be killed at any time.

use std::fs::{File, OpenOptions};
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use serde_json::Value;
use tempfile::TempDir;

/// Admin key of all servers in these tests.
pub(crate) const ADMIN_KEY: &str = "an admin key for tests, long enough";

/// A user's home directory with a store, and a log of all processes.
pub(crate) struct Home {
    folder: TempDir,
    /// Environment variables of all processes in this home, such as `LD_PRELOAD`.
    environment: Vec<(&'static str, String)>,
    arguments: Vec<&'static str>,
}

/// A running server, killed on drop.
pub(crate) struct Server {
    process: Process,
    pub(crate) public: String,
    pub(crate) admin: String,
}

/// A process, killed on drop.
pub(crate) struct Process(Child);

impl Home {
    pub(crate) fn new() -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        Self { folder, environment: Vec::new(), arguments: Vec::new() }
    }

    /// Adds arguments for `serve`.
    pub(crate) fn with_argument(mut self, argument: &[&'static str]) -> Self {
        self.arguments.extend(argument);
        self
    }

    /// Sets an environment variable for all processes.
    pub(crate) fn set(&mut self, name: &'static str, value: &Path) {
        self.environment.push((name, value.to_str().expect("a path in UTF-8").to_owned()));
    }

    pub(crate) fn path(&self) -> PathBuf {
        self.folder.path().canonicalize().expect("an existing folder")
    }

    /// Returns the path of the store, in folders that don't exist at first.
    pub(crate) fn store(&self) -> PathBuf {
        self.path().join("disk/some/store")
    }

    fn storage(&self) -> String {
        format!("file:{}", self.store().display())
    }

    pub(crate) fn sgsend(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_sgsend"));
        command.args(arguments).env_clear().env("HOME", self.folder.path()).current_dir(self.folder.path());
        command.env("SGSEND_ADMIN_KEY", ADMIN_KEY).envs(self.environment.iter().cloned());
        // Test results must not depend on this machine's free disk space.
        command.env("SGSEND_MIN_FREE", "0");
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(self.log());
        command
    }

    fn log(&self) -> File {
        let log = OpenOptions::new().create(true).append(true).open(self.folder.path().join("log"));
        log.expect("a writable log")
    }

    /// Returns the output of all processes; fails if a process panicked.
    pub(crate) fn said(&self) -> String {
        let said = std::fs::read_to_string(self.folder.path().join("log")).unwrap_or_default();
        assert!(!said.contains("panicked"), "{said}");
        said
    }

    fn serving(&self) -> Command {
        let listen = ["serve", "all", "--json", "--listen", "127.0.0.1:0", "--admin-listen", "127.0.0.1:0"];
        self.sgsend(&[&listen[..], &["--storage", &self.storage()], &self.arguments].concat())
    }

    /// Starts both services.
    pub(crate) fn serve(&self) -> Server {
        self.try_to_serve().unwrap_or_else(|| panic!("the server did not start: {}", self.said()))
    }

    /// Starts both services; returns `None` if they fail to start.
    pub(crate) fn try_to_serve(&self) -> Option<Server> {
        let mut command = self.serving();
        let mut process = Process(command.stdout(Stdio::piped()).spawn().expect("the sgsend binary"));
        let lines = BufReader::new(process.0.stdout.take().expect("a piped stdout")).lines();
        let (mut public, mut admin) = (String::new(), String::new());
        for line in lines.take(2).map_while(Result::ok) {
            let line: Value = serde_json::from_str(&line).unwrap_or_default();
            let url = line["url"].as_str().unwrap_or_default().to_owned();
            if line["service"] == "public" { public = url } else { admin = url }
        }
        let up = !public.is_empty() && !admin.is_empty();
        up.then_some(Server { process, public, admin })
    }

    /// Starts both services without waiting until they listen.
    pub(crate) fn begin_to_serve(&self) -> Process {
        Process(self.serving().spawn().expect("the sgsend binary"))
    }

    /// Starts a sweep with its clock advanced by `later_s` seconds, using the preload library `clock`.
    pub(crate) fn sweep(&self, clock: &Path, later_s: u64) -> Process {
        let mut command = self.sgsend(&["sweep", "--storage", &self.storage()]);
        let others = self.environment.iter().filter(|(name, _)| *name == "LD_PRELOAD").map(|(_, path)| path.as_str());
        let all: Vec<_> = others.chain(clock.to_str()).collect();
        command.env("LD_PRELOAD", all.join(":")).env("SGSEND_TEST_LATER_S", later_s.to_string());
        Process(command.spawn().expect("the sgsend binary"))
    }
}

impl Server {
    pub(crate) fn kill(self) {
        self.process.kill();
    }

    /// Stops the server with SIGTERM.
    pub(crate) fn terminate(self) {
        let killed = Command::new("kill").arg(self.process.0.id().to_string()).status();
        assert!(
            killed.is_ok_and(|status| status.success()) && self.process.ends_well(),
            "the server exited with an error"
        );
    }
}

impl Process {
    pub(crate) fn start(command: &mut Command) -> Self {
        Self(command.spawn().expect("the sgsend binary"))
    }

    /// Kills the process unless it has exited.
    pub(crate) fn kill(self) {
        drop(self);
    }

    /// Waits for the exit; returns whether the exit status is 0.
    pub(crate) fn ends_well(mut self) -> bool {
        self.0.wait().is_ok_and(|status| status.success())
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // The process may have exited already.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}
