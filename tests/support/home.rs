//! Runs the `sgsend` binary with its own home directory and an empty environment.

use std::io::Write;
use std::path::Path;
use std::process::{Command, Output, Stdio};

use serde_json::Value;
use tempfile::TempDir;

use super::bucket;
use super::server_process::{ServerBuilder, ServerProcess, Serving, sgsend};

/// Returns the storage location of this test run. It is a fresh bucket if an S3 server is configured, memory otherwise.
pub(crate) fn any_storage() -> String {
    if bucket::is_there() { bucket::fresh_from_anywhere().to_string() } else { "memory:".to_owned() }
}

/// A user's home directory.
pub(crate) struct Home(TempDir);

/// Output and exit status of a command.
pub(crate) struct FinishedCommand {
    pub(crate) exit: i32,
    pub(crate) stdout: Vec<u8>,
    pub(crate) stderr: String,
}

impl Home {
    pub(crate) fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    pub(crate) fn path(&self) -> &Path {
        self.0.path()
    }

    /// Writes a file into this home; returns its path.
    pub(crate) fn file(&self, name: &str, content: &[u8]) -> String {
        let path = self.path().join(name);
        std::fs::write(&path, content).unwrap();
        path.to_str().unwrap().to_owned()
    }

    /// Returns the command with these arguments, ready to be changed.
    pub(crate) fn sgsend(&self, arguments: &[&str]) -> Command {
        let mut command = sgsend(self.path(), arguments);
        command.envs(bucket::environment());
        command
    }

    /// Runs the command with these arguments.
    pub(crate) fn run(&self, arguments: &[&str]) -> FinishedCommand {
        FinishedCommand::of(self.sgsend(arguments).output().unwrap())
    }

    /// Returns the command with the addresses of `serving`.
    fn at(&self, serving: &impl Serving, arguments: &[&str]) -> Command {
        let servers = ["--server", serving.public(), "--admin-server", serving.admin()];
        let mut command = self.sgsend(&[&servers, arguments].concat());
        command.envs(serving.admin_key().map(|key| ("SGSEND_ADMIN_KEY", key)));
        command.envs(serving.ca_file().map(|file| ("SGSEND_CA_FILE", file)));
        command
    }

    /// Runs the command against `serving`, with its admin key.
    pub(crate) fn run_at(&self, serving: &impl Serving, arguments: &[&str]) -> FinishedCommand {
        FinishedCommand::of(self.at(serving, arguments).output().unwrap())
    }

    /// Runs the command against `serving` with `input` on stdin.
    pub(crate) fn pipe_at(&self, serving: &impl Serving, arguments: &[&str], input: &[u8]) -> FinishedCommand {
        let mut command = self.at(serving, arguments);
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().unwrap();
        let mut stdin = child.stdin.take().unwrap();
        let input = input.to_vec();
        // A process that rejects its input closes the pipe; its error is checked below.
        let writing = std::thread::spawn(move || stdin.write_all(&input));
        let output = child.wait_with_output().unwrap();
        drop(writing.join().unwrap());
        FinishedCommand::of(output)
    }

    /// Creates a sender token and saves it for this home's uploads.
    pub(crate) fn log_in(&self, serving: &impl Serving) {
        let created = self.run_at(serving, &["token", "create", "test", "--login", "--replace"]);
        assert_eq!(created.exit, 0, "{}", created.stderr);
    }

    /// Returns memory and file storage; or a bucket only, if an S3 server is configured.
    pub(crate) fn each_storage(&self) -> Vec<String> {
        let folder = format!("file:{}", self.path().join("store").display());
        if bucket::is_there() { vec![any_storage()] } else { vec![any_storage(), folder] }
    }

    /// Returns a server of this home, ready to be changed; it needs a storage.
    pub(crate) fn server(&self) -> ServerBuilder {
        ServerBuilder::new(self.sgsend(&[]))
    }

    /// Starts both services in one process over the storage of this test run. The storage is a bucket if `tests/s3.sh`
    /// has started a server, memory otherwise.
    pub(crate) fn serve_any(&self, arguments: &[&str]) -> ServerProcess {
        self.serve(&[&["--storage", &any_storage()], arguments].concat())
    }

    /// Starts both services in one process, with an admin key if the arguments name a bucket.
    pub(crate) fn serve(&self, arguments: &[&str]) -> ServerProcess {
        let server = self.server().arguments(arguments);
        let is_remote = arguments.iter().any(|argument| argument.starts_with("s3://"));
        if is_remote { server.admin_key().start() } else { server.start() }
    }

    /// Starts one service in a process of its own.
    pub(crate) fn serve_one(&self, service: &str, arguments: &[&str]) -> ServerProcess {
        self.server().only(service).arguments(arguments).start()
    }
}

impl FinishedCommand {
    pub(crate) fn of(output: Output) -> Self {
        use std::os::unix::process::ExitStatusExt;
        let signal = output.status.signal().map(|signal| 128 + signal);
        let exit = output.status.code().or(signal).unwrap_or(-1);
        Self { exit, stdout: output.stdout, stderr: String::from_utf8_lossy(&output.stderr).into_owned() }
    }

    /// Returns stdout without trailing white space; fails unless the exit status is 0.
    pub(crate) fn text(&self) -> String {
        assert_eq!(self.exit, 0, "{}", self.stderr);
        String::from_utf8_lossy(&self.stdout).trim_end().to_owned()
    }

    /// Returns stdout as JSON.
    pub(crate) fn json(&self) -> Value {
        serde_json::from_slice(&self.stdout)
            .unwrap_or_else(|error| panic!("{error}: {:?} {}", self.stdout, self.stderr))
    }

    /// Checks for this exit status and for two lines on stderr, a cause that contains `words` and a hint.
    pub(crate) fn expect_failure(&self, exit: i32, words: &str) {
        assert_eq!(self.exit, exit, "{}", self.stderr);
        let lines: Vec<_> = self.stderr.lines().collect();
        let printed = lines.iter().position(|line| line.starts_with("error: "));
        let printed = printed.unwrap_or_else(|| panic!("no error was printed: {}", self.stderr));
        assert!(lines.get(printed + 1).is_some_and(|line| line.starts_with("hint: ")), "no hint: {}", self.stderr);
        assert!(self.stderr.to_lowercase().contains(words), "{words:?} is not in {}", self.stderr);
        assert!(self.stdout.is_empty(), "stdout is not empty");
    }
}
