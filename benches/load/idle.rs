//! Connections that stay open and ask for next to nothing, as those of browsers and proxies do.

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

/// Most ask once in a while, before the server loses patience; every so many-th never does again, is closed by the
/// server after half a minute, and opened anew.
const SILENT: usize = 4;
/// How long one that asks waits before it does again.
const PAUSE: Duration = Duration::from_secs(20);
/// The longest that an answer may take.
const PATIENCE: Duration = Duration::from_mins(1);

/// The connections, until they are ended.
pub(crate) struct Idle {
    tasks: JoinSet<()>,
    counts: Arc<Counts>,
}

/// What became of them.
#[derive(Debug, Default)]
pub(crate) struct Counts {
    open: AtomicUsize,
    at_the_end: AtomicUsize,
    answers: AtomicUsize,
    reopened: AtomicUsize,
    errors: AtomicUsize,
}

impl Idle {
    /// Opens `number` connections, and keeps that many open until `stop`.
    pub(crate) fn open(address: SocketAddr, number: usize, stop: &CancellationToken) -> Self {
        let counts = Arc::<Counts>::default();
        let mut tasks = JoinSet::new();
        for one in 0..number {
            let (counts, stop) = (counts.clone(), stop.clone());
            tasks.spawn(async move {
                tokio::select! {
                    () = counts.keep_open(address, one % SILENT == 0) => {}
                    () = stop.cancelled() => {}
                }
            });
        }
        Self { tasks, counts }
    }

    /// Waits for the connections to be closed, once they are to be.
    pub(crate) async fn end(self) -> Arc<Counts> {
        self.counts.at_the_end.store(self.counts.open.load(Ordering::Relaxed), Ordering::Relaxed);
        self.tasks.join_all().await;
        self.counts
    }
}

impl Counts {
    /// Opens a connection, and a new one whenever it is closed.
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

    /// Keeps one connection until the server closes it.
    async fn connection(&self, address: SocketAddr, silent: bool) -> io::Result<()> {
        let mut stream = tokio::time::timeout(PATIENCE, TcpStream::connect(address)).await??;
        self.ask(&mut stream).await?;
        self.open.fetch_add(1, Ordering::Relaxed);
        let ended = async {
            loop {
                let pause = if silent { Duration::MAX } else { PAUSE };
                match tokio::time::timeout(pause, stream.read(&mut [0])).await {
                    Ok(read) => return read,
                    // A server may close a connection while it is asked: real clients ask again on another one.
                    Err(_) if self.ask(&mut stream).await.is_err() => return Ok(0),
                    Err(_) => {}
                }
            }
        };
        let ended = ended.await;
        self.open.fetch_sub(1, Ordering::Relaxed);
        match ended? {
            0 => Ok(()),
            _ => Err(io::Error::other("the server spoke unasked")),
        }
    }

    /// Asks for the service's health, and takes the answer.
    async fn ask(&self, stream: &mut TcpStream) -> io::Result<()> {
        stream.write_all(b"GET /health HTTP/1.1\r\nhost: localhost\r\n\r\n").await?;
        let mut answer = Vec::new();
        while !is_whole(&answer) {
            if tokio::time::timeout(PATIENCE, stream.read_buf(&mut answer)).await?? == 0 {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
        }
        if !answer.starts_with(b"HTTP/1.1 200 ") {
            return Err(io::Error::other(String::from_utf8_lossy(&answer).into_owned()));
        }
        self.answers.fetch_add(1, Ordering::Relaxed);
        Ok(())
    }

    /// What was wrong.
    pub(crate) fn complaints(&self, wanted: usize) -> Vec<String> {
        let mut complaints = Vec::new();
        let errors = self.errors.load(Ordering::Relaxed);
        if errors > 0 {
            complaints.push(format!("idle connections failed {errors} times"));
        }
        // Some may just be being opened anew.
        let open = self.at_the_end.load(Ordering::Relaxed);
        if open < wanted / 2 {
            complaints.push(format!("only {open} of {wanted} idle connections were open at the end"));
        }
        complaints
    }
}

/// Whether an answer is there to the last byte of its body.
fn is_whole(answer: &[u8]) -> bool {
    let text = String::from_utf8_lossy(answer);
    let Some((head, body)) = text.split_once("\r\n\r\n") else { return false };
    let length = head.lines().find_map(|line| line.strip_prefix("content-length: "));
    length.and_then(|length| length.parse().ok()).is_some_and(|length: usize| body.len() >= length)
}

impl fmt::Display for Counts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let count = |count: &AtomicUsize| count.load(Ordering::Relaxed);
        write!(
            f,
            "idle       {} connections at the end, {} answers, {} opened anew after the server closed them, {} errors",
            count(&self.at_the_end),
            count(&self.answers),
            count(&self.reopened),
            count(&self.errors)
        )
    }
}
