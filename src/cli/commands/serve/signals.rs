//! Signals of a running service: stop, stop at once, and reload.

use std::io::{self, IsTerminal};
use std::sync::Arc;

use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;

use super::notify::Notifier;
use crate::cli::failure::exit::Exit;

/// Cancels `stop` at the first SIGTERM or SIGINT, and ends the process at the second. SIGHUP calls `reload`.
///
/// A second signal loses nothing that a client was told: acknowledged changes are in the store.
///
/// SIGHUP also says that a terminal is gone. A service that was started in a terminal then stops, so that it does not go
/// on without one.
pub(super) fn handle(
    stop: &CancellationToken,
    notifier: &Arc<Notifier>,
    reload: impl Fn() + Send + 'static,
) -> io::Result<()> {
    let (mut terminate, mut interrupt) = (signal(SignalKind::terminate())?, signal(SignalKind::interrupt())?);
    let mut hangup = signal(SignalKind::hangup())?;
    let has_terminal = io::stdin().is_terminal();
    let (stop, notifier) = (stop.clone(), notifier.clone());
    tokio::spawn(async move {
        loop {
            let exit = tokio::select! {
                _ = terminate.recv() => Exit::Terminated,
                _ = interrupt.recv() => Exit::Interrupted,
                _ = hangup.recv() => {
                    if !has_terminal {
                        reload();
                        continue;
                    }
                    Exit::Terminated
                }
            };
            if stop.is_cancelled() {
                std::process::exit(exit.number().into());
            }
            notifier.stopping();
            stop.cancel();
        }
    });
    Ok(())
}
