//! The home directory of servers and commands that are killed at any time.

use std::fs::{self, File, OpenOptions};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use tempfile::TempDir;

pub(crate) use crate::server_process::{ADMIN_KEY, ChildProcess, ServerProcess};
use crate::server_process::{ServerBuilder, sgsend};

/// Returns the content of all files below a folder; nothing if the folder is missing.
pub(crate) fn contents(folder: &Path) -> Vec<u8> {
    let mut bytes = Vec::new();
    for entry in fs::read_dir(folder).into_iter().flatten() {
        let path = entry.expect("a readable folder").path();
        bytes.extend(if path.is_dir() { contents(&path) } else { fs::read(&path).expect("a readable file") });
    }
    bytes
}

/// A user's home directory with a store, and a log of all processes.
pub(crate) struct Home {
    folder: TempDir,
    /// Environment variables of all processes in this home, such as `LD_PRELOAD`.
    environment: Vec<(&'static str, String)>,
    arguments: Vec<&'static str>,
}

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
        let mut command = sgsend(self.folder.path(), arguments);
        command.env("SGSEND_ADMIN_KEY", ADMIN_KEY).envs(self.environment.iter().cloned());
        command.stdout(Stdio::null()).stderr(self.log());
        command
    }

    fn log(&self) -> File {
        let log = OpenOptions::new().create(true).append(true).open(self.folder.path().join("log"));
        log.expect("a writable log")
    }

    /// Returns the output of all processes; fails if a process panicked.
    pub(crate) fn output(&self) -> String {
        let output = std::fs::read_to_string(self.folder.path().join("log")).unwrap_or_default();
        assert!(!output.contains("panicked"), "{output}");
        output
    }

    fn server(&self) -> ServerBuilder {
        let server = ServerBuilder::new(self.sgsend(&[])).log_to(self.log());
        server.storage(&self.storage()).arguments(&self.arguments)
    }

    /// Starts both services.
    pub(crate) fn serve(&self) -> ServerProcess {
        self.try_to_serve().unwrap_or_else(|| panic!("the server did not start: {}", self.output()))
    }

    /// Starts both services; returns `None` if they fail to start.
    pub(crate) fn try_to_serve(&self) -> Option<ServerProcess> {
        self.server().try_start().ok()
    }

    /// Starts both services without waiting until they listen.
    pub(crate) fn begin_to_serve(&self) -> ChildProcess {
        self.server().spawn()
    }

    /// Starts a sweep with its clock advanced by `later_s` seconds, using the preload library `clock`.
    pub(crate) fn sweep(&self, clock: &Path, later_s: u64) -> ChildProcess {
        let mut command = self.sgsend(&["sweep", "--storage", &self.storage()]);
        let other_libraries =
            self.environment.iter().filter(|(name, _)| *name == "LD_PRELOAD").map(|(_, path)| path.as_str());
        let all: Vec<_> = other_libraries.chain(clock.to_str()).collect();
        command.env("LD_PRELOAD", all.join(":")).env("SGSEND_TEST_LATER_S", later_s.to_string());
        ChildProcess::start(&mut command)
    }
}
