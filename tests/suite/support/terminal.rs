//! A pseudo-terminal for a command, with a scripted user who reads and types.

use std::io::{Read, Write};
use std::path::PathBuf;
use std::process::Command;
use std::sync::mpsc::{Receiver, channel};
use std::time::{Duration, Instant};

use portable_pty::{Child, CommandBuilder, PtySize, native_pty_system};

use super::Home;

/// Timeout for expected output.
const PATIENCE: Duration = Duration::from_mins(1);

/// Text behind the output of the command, before its exit status.
const END: &str = "end of the command: ";

/// A command on its own pseudo-terminal, killed on drop.
pub(crate) struct Terminal {
    child: Box<dyn Child + Send + Sync>,
    typing: Box<dyn Write + Send>,
    /// Path of the terminal device.
    name: PathBuf,
    shown: Receiver<Vec<u8>>,
    /// Output so far.
    seen: String,
    /// Length of the part of `seen` that has been searched.
    read: usize,
}

impl Terminal {
    /// Starts the command with these arguments on a terminal.
    pub(crate) fn start(home: &Home, arguments: &[&str], environment: &[(&str, &str)]) -> Self {
        Self::of_width(160, home, arguments, environment)
    }

    /// Starts the command with these arguments on a terminal of this width.
    pub(crate) fn of_width(cols: u16, home: &Home, arguments: &[&str], environment: &[(&str, &str)]) -> Self {
        Self::run(cols, r#""$@""#, home, arguments, environment)
    }

    /// Starts a shell script on a terminal, in which `"$@"` is the command with these arguments.
    pub(crate) fn in_shell(script: &str, home: &Home, arguments: &[&str]) -> Self {
        Self::run(160, script, home, arguments, &[("PATH", "/usr/bin:/bin")])
    }

    fn run(cols: u16, script: &str, home: &Home, arguments: &[&str], environment: &[(&str, &str)]) -> Self {
        // The shell leads the session, and outlives the command: Linux discards unread output when the leader exits.
        let script = format!(r#"trap : INT TERM; {script}; printf '{END}%s.' "$?"; exec /bin/sleep 600"#);
        let size = PtySize { rows: 50, cols, pixel_width: 0, pixel_height: 0 };
        let pair = native_pty_system().openpty(size).unwrap();
        let mut command = CommandBuilder::new("/bin/sh");
        command.args(["-c", &script, "sh", env!("CARGO_BIN_EXE_sgsend")]);
        command.args(arguments);
        command.env_clear();
        command.env("HOME", home.path());
        command.env("TERM", "xterm-256color");
        for (name, value) in environment {
            command.env(name, value);
        }
        command.cwd(home.path());
        let child = pair.slave.spawn_command(command).unwrap();
        drop(pair.slave);
        let name = pair.master.tty_name().unwrap();
        let (mut reader, typing) = (pair.master.try_clone_reader().unwrap(), pair.master.take_writer().unwrap());
        let (show, shown) = channel();
        std::thread::spawn(move || {
            let _master = pair.master;
            let mut buffer = [0; 4096];
            // The read ends, on Linux with an error, when the last process on the terminal exits.
            while let Ok(length @ 1..) = reader.read(&mut buffer) {
                if show.send(buffer[..length].to_vec()).is_err() {
                    break;
                }
            }
        });
        Self { child, typing, name, shown, seen: String::new(), read: 0 }
    }

    /// Waits until `text` appears after the output searched so far.
    pub(crate) fn wait_for(&mut self, text: &str) {
        while let Err(()) = self.look_for(text) {
            assert!(!self.has_ended(), "{text:?} was never shown: {}", self.seen);
            self.receive(text);
        }
    }

    fn look_for(&mut self, text: &str) -> Result<(), ()> {
        let at = self.seen[self.read..].find(text).ok_or(())?;
        self.read += at + text.len();
        Ok(())
    }

    /// Types `text`.
    pub(crate) fn type_in(&mut self, text: &str) {
        self.typing.write_all(text.as_bytes()).unwrap();
    }

    /// Types `text` once the terminal's echo is off.
    pub(crate) fn type_secret(&mut self, text: &str) {
        self.wait_until_hidden();
        self.type_in(text);
    }

    /// Sends a signal, such as INT, to all processes on the terminal.
    pub(crate) fn signal(&self, name: &str) {
        let group = format!("-{}", self.child.process_id().unwrap());
        assert!(Command::new("kill").args([&format!("-{name}"), "--", &group]).status().unwrap().success());
    }

    /// Waits until the terminal's echo is off.
    pub(crate) fn wait_until_hidden(&self) {
        let started = Instant::now();
        let is_hidden = || {
            let printed = Command::new("stty").arg("-F").arg(&self.name).arg("-a").output().unwrap();
            String::from_utf8_lossy(&printed.stdout).split_whitespace().any(|word| word == "-echo")
        };
        while !is_hidden() {
            assert!(started.elapsed() < PATIENCE, "the terminal still echoes");
        }
    }

    /// Waits for the exit; returns the exit status and the whole output.
    pub(crate) fn end(mut self) -> (u32, String) {
        while !self.has_ended() {
            self.receive("the end");
        }
        let (shown, status) = self.seen.rsplit_once(END).unwrap();
        (status.trim_end_matches('.').parse().unwrap(), shown.to_owned())
    }

    /// Returns whether the command has exited and its whole output was received.
    fn has_ended(&self) -> bool {
        self.seen.rsplit_once(END).is_some_and(|(_, status)| status.ends_with('.'))
    }

    /// Receives more output.
    fn receive(&mut self, expected: &str) {
        let output = self.shown.recv_timeout(PATIENCE);
        let output = output.unwrap_or_else(|_| panic!("{expected:?} was never shown: {}", self.seen));
        self.seen.push_str(&String::from_utf8_lossy(&output));
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        // The shell waits to be killed; a command that still runs ends with its terminal.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
