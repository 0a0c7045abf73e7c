//! `sgsend` as a child process, on free ports of loopback. All tests that kill servers start them this way.

use std::fs::File;
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::Once;
use std::thread::JoinHandle;

use serde_json::Value;

/// Admin key of all services that are started with a key.
pub(crate) const ADMIN_KEY: &str = "an admin key for tests, long enough";

/// Lets commands receive SIGINT, even if this process ignores it, as with `cargo test &` in a script.
///
/// A command inherits an ignored signal, but not a handled one. Tokio's handler stays for the life of the process.
fn unignore_interrupt() {
    static ONCE: Once = Once::new();
    const SIGINT_IGNORED: u64 = 1 << 1;
    ONCE.call_once(|| {
        let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
        let mask = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
        if mask.is_some_and(|mask| u64::from_str_radix(mask.trim(), 16).unwrap() & SIGINT_IGNORED != 0) {
            // On a thread of its own, since a test may run in another runtime.
            let register = || {
                let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
                let _entered = runtime.enter();
                drop(tokio::signal::unix::signal(tokio::signal::unix::SignalKind::interrupt()).unwrap());
            };
            std::thread::spawn(register).join().unwrap();
        }
    });
}

/// Returns the `sgsend` command with a home directory of its own and no other environment.
pub(crate) fn sgsend(home: &Path, arguments: &[&str]) -> Command {
    unignore_interrupt();
    let mut command = Command::new(env!("CARGO_BIN_EXE_sgsend"));
    command.args(arguments).env_clear().env("HOME", home).current_dir(home).stdin(Stdio::null());
    // Test results must not depend on this machine's free disk space.
    command.env("SGSEND_MIN_FREE", "0");
    command
}

/// Options of `sgsend serve`; by default, both services in one process.
pub(crate) struct ServerBuilder {
    command: Command,
    service: String,
    listen: String,
    arguments: Vec<String>,
    admin_key: Option<&'static str>,
    log: Option<File>,
}

/// A running `sgsend serve`, killed on drop.
pub(crate) struct ServerProcess {
    process: ChildProcess,
    pub(crate) public: String,
    pub(crate) admin: String,
    /// URL of the metrics, with `--metrics-listen`.
    #[allow(dead_code, reason = "not every test binary reads metrics")]
    pub(crate) metrics: String,
    admin_key: Option<&'static str>,
    log: JoinHandle<String>,
}

/// Both services, wherever they run.
pub(crate) trait Serving {
    /// Returns the URL of the public service.
    fn public(&self) -> &str;
    /// Returns the URL of the admin service.
    fn admin(&self) -> &str;
    /// Returns the configured admin key; `None` if the service has generated its own key.
    fn admin_key(&self) -> Option<&'static str>;
    /// Returns the file with the authority of the certificate, unless the services have no TLS.
    fn ca_file(&self) -> Option<&str> {
        None
    }
}

/// A process, killed on drop.
pub(crate) struct ChildProcess(Child);

impl ServerBuilder {
    /// Uses `command`, which is `sgsend` without arguments.
    pub(crate) fn new(command: Command) -> Self {
        let (service, listen) = ("all".to_owned(), "127.0.0.1:0".to_owned());
        Self { command, service, listen, arguments: Vec::new(), admin_key: None, log: None }
    }

    /// Runs the command by another one, which replaces itself with it.
    pub(crate) fn under(mut self, wrapper: &[&str]) -> Self {
        let mut command = Command::new(wrapper[0]);
        command.args(&wrapper[1..]).arg(self.command.get_program()).args(self.command.get_args()).env_clear();
        command.envs(self.command.get_envs().filter_map(|(name, value)| Some((name, value?))));
        command.current_dir(self.command.get_current_dir().expect("the home")).stdin(Stdio::null());
        self.command = command;
        self
    }

    /// Starts one service only, `public` or `admin`.
    pub(crate) fn only(self, service: &str) -> Self {
        Self { service: service.to_owned(), ..self }
    }

    /// Listens at this address, so that a restarted service has the same address.
    pub(crate) fn listen(self, address: &str) -> Self {
        Self { listen: address.to_owned(), ..self }
    }

    pub(crate) fn storage(self, storage: &str) -> Self {
        self.arguments(&["--storage", storage])
    }

    /// Adds arguments.
    pub(crate) fn arguments(mut self, arguments: &[&str]) -> Self {
        self.arguments.extend(arguments.iter().map(|&argument| argument.to_owned()));
        self
    }

    pub(crate) fn env(mut self, name: &str, value: &str) -> Self {
        self.command.env(name, value);
        self
    }

    /// Sets the stdin of the process.
    #[allow(dead_code, reason = "not every test binary passes sockets")]
    pub(crate) fn stdin(mut self, stdin: Stdio) -> Self {
        self.command.stdin(stdin);
        self
    }

    /// Configures [`ADMIN_KEY`]. Services generate no admin key for a store that other machines can reach.
    pub(crate) fn admin_key(self) -> Self {
        Self { admin_key: Some(ADMIN_KEY), ..self.env("SGSEND_ADMIN_KEY", ADMIN_KEY) }
    }

    /// Appends the log to `file`. Otherwise [`ServerProcess::kill`] and [`ServerProcess::terminate`] return it.
    pub(crate) fn log_to(self, file: File) -> Self {
        Self { log: Some(file), ..self }
    }

    /// Starts the server without waiting until it listens.
    pub(crate) fn spawn(mut self) -> ChildProcess {
        self.command.args(["serve", &self.service, "--json", "--listen", &self.listen]);
        if self.service == "all" {
            self.command.args(["--admin-listen", "127.0.0.1:0"]);
        }
        self.command.args(&self.arguments).stdout(Stdio::piped());
        self.command.stderr(self.log.map_or_else(Stdio::piped, Stdio::from));
        ChildProcess::start(&mut self.command)
    }

    /// Starts the server, and waits until it has printed the addresses of its listeners.
    pub(crate) fn start(self) -> ServerProcess {
        self.try_start().unwrap_or_else(|log| panic!("the server did not start: {log}"))
    }

    /// Starts the server, and waits until it has printed the addresses of its listeners.
    ///
    /// # Errors
    /// The log of a server that ends before.
    pub(crate) fn try_start(self) -> Result<ServerProcess, String> {
        let metrics = self.arguments.iter().any(|argument| argument == "--metrics-listen");
        let listeners = if self.service == "all" { 2 } else { 1 } + usize::from(metrics);
        let admin_key = self.admin_key;
        let mut process = self.spawn();
        let log = match process.0.stderr.take() {
            Some(stderr) => std::thread::spawn(move || std::io::read_to_string(stderr).unwrap_or_default()),
            None => std::thread::spawn(String::new),
        };
        let stdout = process.0.stdout.take().expect("a piped stdout");
        let (public, admin, metrics) = Default::default();
        let mut started = ServerProcess { process, public, admin, metrics, admin_key, log };
        let mut listening = 0;
        let mut error = String::new();
        for text in BufReader::new(stdout).lines().take(listeners).map_while(Result::ok) {
            let line: Value = serde_json::from_str(&text).unwrap_or_default();
            if (line["v"].as_u64(), line["event"].as_str()) != (Some(1), Some("listening")) {
                // With `--json`, the command's error is here and not in its log.
                error = text;
                break;
            }
            let url = line["url"].as_str().expect("the URL of a listener").to_owned();
            match line["service"].as_str() {
                Some("public") => started.public = url,
                Some("admin") => started.admin = url,
                Some("metrics") => started.metrics = url,
                _ => panic!("an unknown listener: {text}"),
            }
            listening += 1;
        }
        if listening == listeners { Ok(started) } else { Err(format!("{error}{}", started.kill())) }
    }
}

impl Serving for ServerProcess {
    fn public(&self) -> &str {
        &self.public
    }

    fn admin(&self) -> &str {
        &self.admin
    }

    fn admin_key(&self) -> Option<&'static str> {
        self.admin_key
    }
}

impl ServerProcess {
    /// Returns the configured admin key; `None` if the service has generated its own key.
    pub(crate) fn admin_key(&self) -> Option<&'static str> {
        self.admin_key
    }

    /// Returns the process id.
    pub(crate) fn id(&self) -> u32 {
        self.process.0.id()
    }

    /// Sends a signal, such as `HUP`.
    #[allow(dead_code, reason = "not every test binary sends signals")]
    pub(crate) fn signal(&self, name: &str) {
        let sent = Command::new("kill").args(["-s", name, &self.id().to_string()]).status();
        assert!(sent.is_ok_and(|status| status.success()), "the server has ended before");
    }

    /// Waits for the exit; returns the exit status and the log.
    #[allow(dead_code, reason = "not every test binary waits for a failure")]
    pub(crate) fn wait(mut self) -> (Option<i32>, String) {
        let status = self.process.0.wait().expect("the status of a child");
        (status.code(), self.log.join().unwrap())
    }

    /// Kills the server with SIGKILL; returns its log.
    pub(crate) fn kill(self) -> String {
        self.process.kill();
        self.log.join().unwrap()
    }

    /// Stops the server with SIGTERM; returns its log.
    pub(crate) fn terminate(self) -> String {
        let killed = Command::new("kill").arg(self.process.0.id().to_string()).status();
        assert!(killed.is_ok_and(|status| status.success()), "the server has ended before");
        let is_success = self.process.ends_well();
        let log = self.log.join().unwrap();
        assert!(is_success, "the server exited with an error: {log}");
        log
    }
}

impl ChildProcess {
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

impl Drop for ChildProcess {
    fn drop(&mut self) {
        // The process may have exited already.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}
