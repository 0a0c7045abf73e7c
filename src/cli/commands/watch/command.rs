//! Command that runs for each event.

use std::ffi::OsStr;
use std::process::{Command, Stdio};

use crate::cli::output::printer::Printer;
use crate::domain::notification::Notification;

/// Runs a command line by the shell, with the event in its environment, and waits for its end.
///
/// A failure is a warning: later events must not be lost because of it.
pub(super) async fn run(line: &OsStr, notification: &Notification, printer: &Printer) {
    let mut command = shell(line);
    command.stdin(Stdio::null()).envs(variables(notification));
    // Scripts read the events on stdout, so the output of the command goes to stderr.
    command.stdout(std::io::stderr());
    let status = tokio::task::spawn_blocking(move || command.status()).await.expect("running a command does not panic");
    match status {
        Ok(status) if status.success() => {}
        Ok(status) => printer.warning(&format!("the command of --exec ended with {status}")),
        Err(error) => printer.warning(&format!("cannot run the command of --exec: {error}")),
    }
}

#[cfg(not(windows))]
fn shell(line: &OsStr) -> Command {
    let mut command = Command::new("/bin/sh");
    command.arg("-c").arg(line);
    command
}

#[cfg(windows)]
fn shell(line: &OsStr) -> Command {
    use std::os::windows::process::CommandExt;
    let mut command = Command::new("cmd");
    command.arg("/C").raw_arg(line);
    command
}

/// Returns the environment of a command. Absent values are empty, so that none of an outer command is used.
fn variables(notification: &Notification) -> [(&'static str, String); 9] {
    let Notification { id, kind, at, transfer_id, link_id, request, download_count, max_downloads, .. } = notification;
    [
        ("SGSEND_EVENT", kind.as_str().to_owned()),
        ("SGSEND_EVENT_ID", id.to_string()),
        ("SGSEND_EVENT_TIME", at.utc()),
        ("SGSEND_TRANSFER_ID", transfer_id.to_string()),
        ("SGSEND_LINK_ID", link_id.map(|id| id.to_string()).unwrap_or_default()),
        ("SGSEND_REQUEST_ID", request.map(|id| id.to_string()).unwrap_or_default()),
        ("SGSEND_DOWNLOAD_COUNT", download_count.to_string()),
        ("SGSEND_MAX_DOWNLOADS", max_downloads.map(|limit| limit.to_string()).unwrap_or_default()),
        ("SGSEND_TEXT", kind.sentence().to_owned()),
    ]
}
