//! Interruption: how a running transfer learns that it should end.

use tokio::sync::watch;

/// What asks this process to end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Signal {
    /// Ctrl-C, SIGINT.
    Interrupt,
    /// SIGTERM.
    Terminate,
}

/// Tells when a signal has arrived.
#[derive(Clone, Debug)]
pub struct Interrupt(watch::Receiver<Option<Signal>>);

impl Interrupt {
    /// An interrupt, and what raises it.
    #[must_use]
    pub fn new() -> (watch::Sender<Option<Signal>>, Self) {
        let (raise, raised) = watch::channel(None);
        (raise, Self(raised))
    }

    /// Waits for the signal; for ever where none can come any more.
    pub async fn raised(&mut self) -> Signal {
        match self.0.wait_for(Option::is_some).await.ok().and_then(|signal| *signal) {
            Some(signal) => signal,
            None => std::future::pending().await,
        }
    }
}
