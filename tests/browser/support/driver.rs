//! The process that drives a browser: one for each browser, on a port of its own.

use std::io::{BufRead, BufReader};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex};

use super::cache;

/// How often a driver is started before a port that is taken counts as a fault.
const TRIES: usize = 5;

/// A running driver. On drop it ends, and with it the browser, which belongs to its group of processes.
pub(crate) struct Driver {
    child: Child,
    pub(crate) url: String,
    said: Arc<Mutex<String>>,
    watch: Child,
}

impl Driver {
    /// Starts `program`, which says on which port it listens after `announcement`. Everything that it or the browser
    /// keeps goes below `home`.
    pub(crate) fn start(program: &Path, arguments: &[&str], announcement: &str, home: &Path) -> Self {
        for _ in 1..TRIES {
            // ChromeDriver takes a port that is free for IPv6, and may find it taken for IPv4.
            match Self::begin(program, arguments, announcement, home) {
                Err(said) if said.contains("Address already in use") => {}
                result => return result.unwrap_or_else(|said| panic!("{} did not start: {said}", program.display())),
            }
        }
        let last = Self::begin(program, arguments, announcement, home);
        last.unwrap_or_else(|said| panic!("{} did not start {TRIES} times: {said}", program.display()))
    }

    /// Starts it once; where it ends instead, what it has said.
    fn begin(program: &Path, arguments: &[&str], announcement: &str, home: &Path) -> Result<Self, String> {
        let mut command = Command::new(program);
        command.args(arguments).env_clear().envs(std::env::var_os("PATH").map(|path| ("PATH", path)));
        command.env("HOME", home).env("TMPDIR", home).env("LANG", "C.UTF-8").env("TZ", "UTC");
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.process_group(0).spawn().unwrap();
        let watch = watch(&child);
        let (found, port) = std::sync::mpsc::channel();
        let said = Arc::<Mutex<String>>::default();
        let streams: [Box<dyn std::io::Read + Send>; 2] =
            [Box::new(child.stdout.take().unwrap()), Box::new(child.stderr.take().unwrap())];
        for stream in streams {
            let (saying, found, announcement) = (said.clone(), found.clone(), announcement.to_owned());
            std::thread::spawn(move || {
                for line in BufReader::new(stream).split(b'\n').map_while(Result::ok) {
                    let line = String::from_utf8_lossy(&line);
                    let port =
                        line.split_once(&announcement).map(|(_, port)| port.trim_end_matches('.').parse::<u16>());
                    if let Some(Ok(port)) = port {
                        // Nobody waits for a second one.
                        let _ = found.send(port);
                    }
                    let mut said = saying.lock().unwrap();
                    said.push_str(&line);
                    said.push('\n');
                }
            });
        }
        drop(found);
        let port = port.recv();
        let mut driver = Self { child, url: String::new(), said, watch };
        let Ok(port) = port else { return Err(driver.said()) };
        driver.url = format!("http://127.0.0.1:{port}");
        Ok(driver)
    }

    /// All that it and its browser have written.
    pub(crate) fn said(&self) -> String {
        self.said.lock().unwrap().clone()
    }
}

impl Drop for Driver {
    fn drop(&mut self) {
        // Before the group's number can be that of others. They may be gone already.
        let _ = self.watch.kill();
        let _ = self.watch.wait();
        let group = rustix::process::Pid::from_child(&self.child);
        let _ = rustix::process::kill_process_group(group, rustix::process::Signal::KILL);
        let _ = self.child.wait();
    }
}

/// Starts what ends the driver and its browser when this process ends without doing so, however that is: then the pipe
/// closes that only this process writes to.
fn watch(driver: &Child) -> Child {
    let mut command = Command::new("sh");
    command.args(["-c", "read -r _; kill -s KILL -- \"-$0\"", &driver.id().to_string()]);
    command.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::null());
    // Apart from this process's group, which may be killed as a whole.
    command.process_group(0).spawn().unwrap()
}

/// The first of these programs that is there: on the path, or where `tests/browsers.sh` has put it.
pub(crate) fn program(names: &[&str]) -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let folders: Vec<_> = std::env::split_paths(&path).chain([cache().join("bin")]).collect();
    names.iter().flat_map(|name| folders.iter().map(move |folder| folder.join(name))).find(|found| found.is_file())
}
