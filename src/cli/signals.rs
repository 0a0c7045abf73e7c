//! Signals: the first one interrupts the command, the second one ends the process.

use std::time::Duration;

use crate::client::{Interrupt, Signal};

use crate::cli::failure::exit::Exit;

/// Time that a command has to end after the first signal.
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
    interrupt: tokio::signal::unix::Signal,
    terminate: tokio::signal::unix::Signal,
}

#[cfg(unix)]
impl SignalStream {
    fn new() -> std::io::Result<Self> {
        use tokio::signal::unix::{SignalKind, signal};
        Ok(Self { interrupt: signal(SignalKind::interrupt())?, terminate: signal(SignalKind::terminate())? })
    }

    async fn next(&mut self) -> Signal {
        tokio::select! {
            _ = self.interrupt.recv() => Signal::Interrupt,
            _ = self.terminate.recv() => Signal::Terminate,
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
