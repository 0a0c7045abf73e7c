//! Runs the `sgsend` binary with its own home directory and an empty environment.

use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Child, Command, Output, Stdio};

use serde_json::Value;
use tempfile::TempDir;

use super::{ADMIN_KEY, bucket};

/// Returns the storage location of this test run: a fresh bucket if an S3 server is configured, memory otherwise.
pub(crate) fn any_storage() -> String {
    if bucket::is_there() { bucket::fresh_from_anywhere().to_string() } else { "memory:".to_owned() }
}

/// A user's home directory.
pub(crate) struct Home(TempDir);

/// A running `sgsend serve`, killed on drop.
pub(crate) struct Serving {
    child: Child,
    pub(crate) public: String,
    pub(crate) admin: String,
    admin_key: Option<&'static str>,
    log: std::thread::JoinHandle<String>,
}

/// Output and exit status of a command.
pub(crate) struct Said {
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
        let mut command = Command::new(env!("CARGO_BIN_EXE_sgsend"));
        command.args(arguments).env_clear().env("HOME", self.path()).current_dir(self.path());
        // Test results must not depend on this machine's free disk space.
        command.env("SGSEND_MIN_FREE", "0");
        command.stdin(Stdio::null());
        command.envs(bucket::environment());
        command
    }

    /// Runs the command with these arguments.
    pub(crate) fn run(&self, arguments: &[&str]) -> Said {
        Said::of(self.sgsend(arguments).output().unwrap())
    }

    /// Returns the command with the addresses of `serving`.
    fn at(&self, serving: &Serving, arguments: &[&str]) -> Command {
        let servers = ["--server", &serving.public, "--admin-server", &serving.admin];
        let mut command = self.sgsend(&[&servers, arguments].concat());
        command.envs(serving.admin_key.map(|key| ("SGSEND_ADMIN_KEY", key)));
        command
    }

    /// Runs the command against `serving`, with its admin key.
    pub(crate) fn run_at(&self, serving: &Serving, arguments: &[&str]) -> Said {
        Said::of(self.at(serving, arguments).output().unwrap())
    }

    /// Runs the command against `serving` with `input` on stdin.
    pub(crate) fn pipe_at(&self, serving: &Serving, arguments: &[&str], input: &[u8]) -> Said {
        let mut command = self.at(serving, arguments);
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().unwrap();
        let mut stdin = child.stdin.take().unwrap();
        let input = input.to_vec();
        // A process that rejects its input closes the pipe; its error is checked below.
        let writing = std::thread::spawn(move || stdin.write_all(&input));
        let output = child.wait_with_output().unwrap();
        drop(writing.join().unwrap());
        Said::of(output)
    }

    /// Creates a sender token and saves it for this home's uploads.
    pub(crate) fn log_in(&self, serving: &Serving) {
        let made = self.run_at(serving, &["token", "create", "test", "--login"]);
        assert_eq!(made.exit, 0, "{}", made.stderr);
    }

    /// Returns memory and file storage; or a bucket only, if an S3 server is configured.
    pub(crate) fn each_storage(&self) -> Vec<String> {
        let folder = format!("file:{}", self.path().join("store").display());
        if bucket::is_there() { vec![any_storage()] } else { vec![any_storage(), folder] }
    }

    /// Starts both services in one process over the storage of this test run: a bucket if `tests/s3.sh` has started a
    /// server, memory otherwise.
    pub(crate) fn serve_any(&self, arguments: &[&str]) -> Serving {
        self.serve(&[&["--storage", &any_storage()], arguments].concat())
    }

    /// Starts both services in one process.
    pub(crate) fn serve(&self, arguments: &[&str]) -> Serving {
        let services = ["serve", "all", "--json", "--listen", "127.0.0.1:0", "--admin-listen", "127.0.0.1:0"];
        let mut command = self.sgsend(&[&services, arguments].concat());
        // Services generate no admin key for a store that other machines can reach.
        let admin_key = arguments.iter().any(|argument| argument.starts_with("s3://")).then_some(ADMIN_KEY);
        command.envs(admin_key.map(|key| ("SGSEND_ADMIN_KEY", key)));
        let mut serving = Serving::start(command, 2);
        serving.admin_key = admin_key;
        serving
    }

    /// Starts one service in a process of its own.
    pub(crate) fn serve_one(&self, service: &str, arguments: &[&str]) -> Serving {
        let services = ["serve", service, "--json", "--listen", "127.0.0.1:0"];
        Serving::start(self.sgsend(&[&services, arguments].concat()), 1)
    }
}

impl Serving {
    /// Starts a service, and waits until it has printed the addresses of its listeners.
    pub(crate) fn start(mut command: Command, services: usize) -> Self {
        let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let stdout = child.stdout.take().unwrap();
        let mut stderr = child.stderr.take().unwrap();
        let log = std::thread::spawn(move || std::io::read_to_string(&mut stderr).unwrap_or_default());
        let (mut public, mut admin) = (String::new(), String::new());
        for line in BufReader::new(stdout).lines().take(services) {
            let line: Value = serde_json::from_str(&line.unwrap()).unwrap();
            assert_eq!((line["v"].as_u64(), line["event"].as_str()), (Some(1), Some("listening")));
            let url = line["url"].as_str().unwrap().to_owned();
            if line["service"] == "public" { public = url } else { admin = url }
        }
        let started = Self { child, public, admin, admin_key: None, log };
        let up = !started.public.is_empty() || !started.admin.is_empty();
        if up { started } else { panic!("the service did not start: {}", started.kill()) }
    }

    /// Returns the configured admin key; `None` if the service has generated its own key.
    pub(crate) fn admin_key(&self) -> Option<&'static str> {
        self.admin_key
    }

    /// Kills the service with SIGKILL; returns its log.
    pub(crate) fn kill(mut self) -> String {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
        std::mem::replace(&mut self.log, std::thread::spawn(String::new)).join().unwrap()
    }

    /// Stops the service with SIGTERM; returns its log.
    pub(crate) fn terminate(mut self) -> String {
        let killed = Command::new("kill").arg(self.child.id().to_string()).status().unwrap();
        assert!(killed.success());
        let status = self.child.wait().unwrap();
        let log = std::mem::replace(&mut self.log, std::thread::spawn(String::new)).join().unwrap();
        assert!(status.success(), "{status}: {log}");
        log
    }
}

impl Drop for Serving {
    fn drop(&mut self) {
        // The process may have exited already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Said {
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
    pub(crate) fn failed(&self, exit: i32, words: &str) {
        assert_eq!(self.exit, exit, "{}", self.stderr);
        let lines: Vec<_> = self.stderr.lines().collect();
        let told = lines.iter().position(|line| line.starts_with("error: "));
        let told = told.unwrap_or_else(|| panic!("no error was printed: {}", self.stderr));
        assert!(lines.get(told + 1).is_some_and(|line| line.starts_with("hint: ")), "no hint: {}", self.stderr);
        assert!(self.stderr.to_lowercase().contains(words), "{words:?} is not in {}", self.stderr);
        assert!(self.stdout.is_empty(), "stdout is not empty");
    }
}
