//! `WebDriver` processes: one per browser, each on its own port.

use std::io::{BufRead, BufReader};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex};

use super::cache;

/// Maximum number of starts when the chosen port is already in use.
const TRIES: usize = 5;

/// A running driver; drop ends the driver and its browser, which is in the driver's process group.
pub(crate) struct Driver {
    child: Child,
    pub(crate) url: String,
    log: Arc<Mutex<String>>,
    watch: Child,
}

impl Driver {
    /// Starts `program`, which prints its port after `announcement`. Driver and browser write only below `home`.
    pub(crate) fn start(program: &Path, arguments: &[&str], announcement: &str, home: &Path) -> Self {
        for _ in 1..TRIES {
            // ChromeDriver chooses a free IPv6 port, which may be in use for IPv4.
            match Self::begin(program, arguments, announcement, home) {
                Err(log) if log.contains("Address already in use") => {}
                result => return result.unwrap_or_else(|log| panic!("{} did not start: {log}", program.display())),
            }
        }
        let last = Self::begin(program, arguments, announcement, home);
        last.unwrap_or_else(|log| panic!("{} did not start {TRIES} times: {log}", program.display()))
    }

    /// Makes one attempt; returns the output if the program exits.
    fn begin(program: &Path, arguments: &[&str], announcement: &str, home: &Path) -> Result<Self, String> {
        let mut command = Command::new(program);
        command.args(arguments).env_clear().envs(std::env::var_os("PATH").map(|path| ("PATH", path)));
        command.env("HOME", home).env("TMPDIR", home).env("LANG", "C.UTF-8").env("TZ", "UTC");
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.process_group(0).spawn().unwrap();
        let watch = watch(&child, home);
        let (found, port) = std::sync::mpsc::channel();
        let log = Arc::<Mutex<String>>::default();
        let streams: [Box<dyn std::io::Read + Send>; 2] =
            [Box::new(child.stdout.take().unwrap()), Box::new(child.stderr.take().unwrap())];
        for stream in streams {
            let (writer_log, found, announcement) = (log.clone(), found.clone(), announcement.to_owned());
            std::thread::spawn(move || {
                for line in BufReader::new(stream).split(b'\n').map_while(Result::ok) {
                    let line = String::from_utf8_lossy(&line);
                    let port =
                        line.split_once(&announcement).map(|(_, port)| port.trim_end_matches('.').parse::<u16>());
                    if let Some(Ok(port)) = port {
                        // The receiver ignores further announcements.
                        let _ = found.send(port);
                    }
                    let mut log = writer_log.lock().unwrap();
                    log.push_str(&line);
                    log.push('\n');
                }
            });
        }
        drop(found);
        let port = port.recv();
        let mut driver = Self { child, url: String::new(), log, watch };
        let Ok(port) = port else { return Err(driver.log()) };
        driver.url = format!("http://127.0.0.1:{port}");
        Ok(driver)
    }

    /// Returns the output of the driver and its browser.
    pub(crate) fn log(&self) -> String {
        self.log.lock().unwrap().clone()
    }
}

impl Drop for Driver {
    fn drop(&mut self) {
        // Stops the watcher before the group's number can be reused. Both processes may have exited already.
        let _ = self.watch.kill();
        let _ = self.watch.wait();
        let group = rustix::process::Pid::from_child(&self.child);
        let _ = rustix::process::kill_process_group(group, rustix::process::Signal::KILL);
        let _ = self.child.wait();
    }
}

/// Starts a process that ends the driver when this process ends for any reason.
///
/// It kills the driver's group, and removes its folder. The end of this process closes the watcher's stdin pipe, whose only
/// writer is this process.
fn watch(driver: &Child, home: &Path) -> Child {
    let script = "read -r _; kill -s KILL -- \"-$0\"; until rm -rf -- \"$1\" 2>/dev/null; do sleep 0.1; done";
    let mut command = Command::new("sh");
    command.args(["-c", script, &driver.id().to_string()]).arg(home);
    command.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::null());
    // The watcher has its own group, because the group of this process may be killed as a whole.
    command.process_group(0).spawn().unwrap()
}

/// Returns the first of these programs in `PATH` or in the cache of `tests/browsers.sh`.
pub(crate) fn program(names: &[&str]) -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let folders: Vec<_> = std::env::split_paths(&path).chain([cache().join("bin")]).collect();
    names.iter().flat_map(|name| folders.iter().map(move |folder| folder.join(name))).find(|found| found.is_file())
}
