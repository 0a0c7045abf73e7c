//! Signals: the first one asks for an end, the second one is it.

use std::time::Duration;

use crate::client::{Interrupt, Signal};

use super::exit::Exit;

/// How long a command may take to end after the first signal.
const GRACE: Duration = Duration::from_secs(3);

/// Begins to listen for signals.
pub(super) fn watch() -> std::io::Result<Interrupt> {
    let (raise, interrupt) = Interrupt::new();
    let mut arriving = Arriving::new()?;
    tokio::spawn(async move {
        let signal = arriving.next().await;
        // Nobody listens once the command is over; then it ends anyway.
        let _ = raise.send(Some(signal));
        let _ = tokio::time::timeout(GRACE, arriving.next()).await;
        let exit = match signal {
            Signal::Interrupt => Exit::Interrupted,
            Signal::Terminate => Exit::Terminated,
        };
        std::process::exit(exit.number().into());
    });
    Ok(interrupt)
}

#[cfg(unix)]
struct Arriving {
    interrupt: tokio::signal::unix::Signal,
    terminate: tokio::signal::unix::Signal,
}

#[cfg(unix)]
impl Arriving {
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
struct Arriving;

#[cfg(not(unix))]
impl Arriving {
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
