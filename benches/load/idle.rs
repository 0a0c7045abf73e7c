//! Idle connections with few requests, like those of browsers and proxies.

use std::fmt;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

/// Every fourth connection sends no further request. The server closes such a connection after 30 s, and the client
/// opens a new one. The other connections send a request before the server's timeout.
const SILENT_EVERY: usize = 4;
/// Pause between two requests of a connection.
const PAUSE: Duration = Duration::from_secs(20);
/// Timeout for connecting, and for a response.
const TIMEOUT: Duration = Duration::from_mins(1);

/// Open idle connections.
pub(crate) struct Idle {
    tasks: JoinSet<()>,
    counts: Arc<Counts>,
}

/// Results of the idle connections.
#[derive(Debug, Default)]
pub(crate) struct Counts {
    open: AtomicUsize,
    open_at_end: AtomicUsize,
    responses: AtomicUsize,
    reopened: AtomicUsize,
    errors: AtomicUsize,
}

impl Idle {
    /// Opens `number` connections, and keeps this number open until `stop`.
    pub(crate) fn open(address: SocketAddr, number: usize, stop: &CancellationToken) -> Self {
        let counts = Arc::<Counts>::default();
        let mut tasks = JoinSet::new();
        for index in 0..number {
            let (counts, stop) = (counts.clone(), stop.clone());
            tasks.spawn(async move {
                tokio::select! {
                    () = counts.keep_open(address, index % SILENT_EVERY == 0) => {}
                    () = stop.cancelled() => {}
                }
            });
        }
        Self { tasks, counts }
    }

    /// Waits until all connections are closed, after `stop`.
    pub(crate) async fn end(self) -> Arc<Counts> {
        self.counts.open_at_end.store(self.counts.open.load(Ordering::Relaxed), Ordering::Relaxed);
        self.tasks.join_all().await;
        self.counts
    }
}

impl Counts {
    /// Opens a connection, and a new connection each time the server closes the last.
    async fn keep_open(&self, address: SocketAddr, silent: bool) {
        loop {
            if let Err(error) = self.connection(address, silent).await {
                self.errors.fetch_add(1, Ordering::Relaxed);
                eprintln!("an idle connection failed: {error}");
                tokio::time::sleep(Duration::from_secs(1)).await;
            }
            self.reopened.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// Uses one connection until the server closes the connection.
    async fn connection(&self, address: SocketAddr, silent: bool) -> io::Result<()> {
        let mut stream = tokio::time::timeout(TIMEOUT, TcpStream::connect(address)).await??;
        self.request(&mut stream).await?;
        self.open.fetch_add(1, Ordering::Relaxed);
        let ended = async {
            loop {
                let pause = if silent { Duration::MAX } else { PAUSE };
                match tokio::time::timeout(pause, stream.read(&mut [0])).await {
                    Ok(read) => return read,
                    // The server may close a connection just as a request is sent; clients retry on another connection.
                    Err(_) if self.request(&mut stream).await.is_err() => return Ok(0),
                    Err(_) => {}
                }
            }
        };
        let ended = ended.await;
        self.open.fetch_sub(1, Ordering::Relaxed);
        match ended? {
            0 => Ok(()),
            _ => Err(io::Error::other("the server sent data without a request")),
        }
    }

    /// Sends a health request and reads the response.
    async fn request(&self, stream: &mut TcpStream) -> io::Result<()> {
        stream.write_all(b"GET /health HTTP/1.1\r\nhost: localhost\r\n\r\n").await?;
        let mut response = Vec::new();
        while !is_complete(&response) {
            if tokio::time::timeout(TIMEOUT, stream.read_buf(&mut response)).await?? == 0 {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
        }
        if !response.starts_with(b"HTTP/1.1 200 ") {
            return Err(io::Error::other(String::from_utf8_lossy(&response).into_owned()));
        }
        self.responses.fetch_add(1, Ordering::Relaxed);
        Ok(())
    }

    /// Returns a description of each failure; empty if the run passed.
    pub(crate) fn failures(&self, wanted: usize) -> Vec<String> {
        let mut failures = Vec::new();
        let errors = self.errors.load(Ordering::Relaxed);
        if errors > 0 {
            failures.push(format!("idle connections failed {errors} times"));
        }
        // Some connections may be reconnecting at this moment.
        let open = self.open_at_end.load(Ordering::Relaxed);
        if open < wanted / 2 {
            failures.push(format!("only {open} of {wanted} idle connections were open at the end"));
        }
        failures
    }
}

/// Returns whether a response has its complete body.
fn is_complete(response: &[u8]) -> bool {
    let text = String::from_utf8_lossy(response);
    let Some((head, body)) = text.split_once("\r\n\r\n") else { return false };
    let length = head.lines().find_map(|line| line.strip_prefix("content-length: "));
    length.and_then(|length| length.parse().ok()).is_some_and(|length: usize| body.len() >= length)
}

impl fmt::Display for Counts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let count = |count: &AtomicUsize| count.load(Ordering::Relaxed);
        write!(
            f,
            "idle       {} connections at the end, {} responses, {} reopened after the server closed them, {} errors",
            count(&self.open_at_end),
            count(&self.responses),
            count(&self.reopened),
            count(&self.errors)
        )
    }
}
