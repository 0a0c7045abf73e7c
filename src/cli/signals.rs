//! Signals: the first one interrupts the command, the second one ends the process.

use std::time::Duration;

use crate::client::{Interrupt, Signal};

use crate::cli::failure::exit::Exit;

/// Maximum time from the first signal to the end of the command.
const GRACE_PERIOD: Duration = Duration::from_secs(3);

/// Starts a task that listens for SIGINT and SIGTERM.
pub(super) fn watch() -> std::io::Result<Interrupt> {
    let (raise, interrupt) = Interrupt::new();
    let mut signals = SignalStream::new()?;
    tokio::spawn(async move {
        let signal = signals.next().await;
        // A send error means that the command has already ended.
        let _ = raise.send(Some(signal));
        let _ = tokio::time::timeout(GRACE_PERIOD, signals.next()).await;
        let exit = match signal {
            Signal::Interrupt => Exit::Interrupted,
            Signal::Terminate => Exit::Terminated,
        };
        std::process::exit(exit.number().into());
    });
    Ok(interrupt)
}

#[cfg(unix)]
struct SignalStream {
    interrupt: Option<tokio::signal::unix::Signal>,
    terminate: Option<tokio::signal::unix::Signal>,
}

/// Waits for a signal; waits forever for an ignored one.
#[cfg(unix)]
async fn receive(signal: &mut Option<tokio::signal::unix::Signal>) {
    match signal {
        Some(signal) => _ = signal.recv().await,
        None => std::future::pending().await,
    }
}

/// Returns the mask of the signals that the parent process ignored; bit 0 is signal 1.
///
/// This process must not change them: `upload &` in a script survives a Ctrl-C that is meant for the command in the
/// foreground. Reads `/proc`; on systems without it, no signal counts as ignored.
#[cfg(unix)]
fn ignored_signals() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let mask = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
    mask.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok()).unwrap_or(0)
}

#[cfg(unix)]
impl SignalStream {
    fn new() -> std::io::Result<Self> {
        use tokio::signal::unix::{SignalKind, signal};
        let ignored = ignored_signals();
        let listen = |kind: SignalKind| {
            let is_ignored = ignored & (1 << (kind.as_raw_value() - 1)) != 0;
            if is_ignored { Ok(None) } else { signal(kind).map(Some) }
        };
        Ok(Self { interrupt: listen(SignalKind::interrupt())?, terminate: listen(SignalKind::terminate())? })
    }

    async fn next(&mut self) -> Signal {
        tokio::select! {
            () = receive(&mut self.interrupt) => Signal::Interrupt,
            () = receive(&mut self.terminate) => Signal::Terminate,
        }
    }
}

#[cfg(not(unix))]
struct SignalStream;

#[cfg(not(unix))]
impl SignalStream {
    fn new() -> std::io::Result<Self> {
        Ok(Self)
    }

    async fn next(&mut self) -> Signal {
        if tokio::signal::ctrl_c().await.is_err() {
            std::future::pending::<()>().await;
        }
        Signal::Interrupt
    }
}
