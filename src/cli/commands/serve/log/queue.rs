//! Bounded queue of log lines, written by a thread of its own.
//!
//! A reader that stops reading thus blocks no request.

use std::io::{self, Write};
use std::mem;
use std::sync::{Arc, Condvar, Mutex, MutexGuard};
use std::thread;
use std::time::Duration;

use tracing_subscriber::fmt::MakeWriter;

use crate::server::DroppedLines;

/// Maximum size of the queued lines, in bytes (1 MiB): about 4 000 access lines. As much again is being written.
///
/// Further lines are dropped and counted.
const MAX_QUEUED_BYTES: usize = 1 << 20;
/// Time after a write in which further lines are gathered for the next one. A line after a quiet time is written at once.
const GATHER: Duration = Duration::from_millis(10);
/// Maximum wait for the output when the service ends.
const FLUSH_TIMEOUT: Duration = Duration::from_secs(1);
/// Pause before a retry at an output that is not ready, such as a terminal in non-blocking mode.
const NOT_READY_PAUSE: Duration = Duration::from_millis(10);

/// Queue of log lines. Dropping it writes the queued lines, for at most [`FLUSH_TIMEOUT`].
pub(in crate::cli::commands::serve) struct LogQueue(Arc<SharedQueue>);

/// Writer of lines to the queue.
pub(super) struct QueueWriter(Arc<SharedQueue>);

/// Standard error, without the lock that the standard library holds during a blocked write.
pub(super) struct Stderr;

struct SharedQueue {
    state: Mutex<QueueState>,
    /// Signals new lines, and the end of the queue, to the thread.
    changed: Condvar,
    /// Signals the end of the thread.
    ended: Condvar,
    dropped: DroppedLines,
}

#[derive(Default)]
struct QueueState {
    lines: Vec<u8>,
    /// Dropped lines that the log does not tell yet.
    unreported: u64,
    is_closed: bool,
    has_ended: bool,
}

impl LogQueue {
    /// Starts the thread, which writes to `output`. Dropped lines are added to `dropped`.
    pub(super) fn start(output: impl Write + Send + 'static, dropped: DroppedLines) -> io::Result<Self> {
        let (state, changed, ended) = Default::default();
        let shared = Arc::new(SharedQueue { state, changed, ended, dropped });
        let of_thread = shared.clone();
        thread::Builder::new().name("log".to_owned()).spawn(move || of_thread.run(output))?;
        Ok(Self(shared))
    }

    /// Returns a writer of lines.
    pub(super) fn writer(&self) -> QueueWriter {
        QueueWriter(self.0.clone())
    }
}

impl Drop for LogQueue {
    fn drop(&mut self) {
        let mut state = self.0.lock();
        state.is_closed = true;
        self.0.changed.notify_one();
        let wait = self.0.ended.wait_timeout_while(state, FLUSH_TIMEOUT, |state| !state.has_ended);
        drop(wait.expect("nothing panics while it holds this lock"));
    }
}

impl SharedQueue {
    fn lock(&self) -> MutexGuard<'_, QueueState> {
        self.state.lock().expect("nothing panics while it holds this lock")
    }

    /// Queues a line; drops the line if the queue is full or closed.
    fn push(&self, line: &[u8]) {
        let mut state = self.lock();
        if state.is_closed || state.lines.len() + line.len() > MAX_QUEUED_BYTES {
            state.unreported += 1;
            self.dropped.add(1);
            return;
        }
        let was_empty = state.lines.is_empty();
        state.lines.extend_from_slice(line);
        drop(state);
        if was_empty {
            self.changed.notify_one();
        }
    }

    /// Writes all queued lines at once, again and again with a pause, until the queue is closed and empty.
    fn run(&self, mut output: impl Write) {
        let mut batch = Vec::new();
        loop {
            let unreported = {
                let waits = |state: &mut QueueState| state.lines.is_empty() && !state.is_closed;
                let waited = self.changed.wait_while(self.lock(), waits);
                let mut state = waited.expect("nothing panics while it holds this lock");
                if state.lines.is_empty() {
                    state.has_ended = true;
                    self.ended.notify_all();
                    return;
                }
                mem::swap(&mut batch, &mut state.lines);
                mem::take(&mut state.unreported)
            };
            // Lines that a closed pipe or a full disk refuses are counted, but telling them there would be in vain.
            let written = write_ready(&mut output, &batch);
            let lost = batch[written..].split(|byte| *byte == b'\n').count() - 1;
            self.dropped.add(lost as u64);
            batch.clear();
            if unreported > 0 {
                tracing::warn!(lines = unreported, "log lines were dropped, since stderr was not read in time");
            }
            // Without a pause, a busy service would wake this thread for every line.
            let paused = self.changed.wait_timeout_while(self.lock(), GATHER, |state| !state.is_closed);
            drop(paused.expect("nothing panics while it holds this lock"));
        }
    }
}

/// Writes `bytes`, and returns the number of bytes that the output accepted before an error.
fn write_ready(output: &mut impl Write, bytes: &[u8]) -> usize {
    let mut written = 0;
    while written < bytes.len() {
        match output.write(&bytes[written..]) {
            Ok(0) => break,
            Ok(count) => written += count,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => thread::sleep(NOT_READY_PAUSE),
            Err(_) => break,
        }
    }
    written
}

impl Write for &QueueWriter {
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        self.0.push(line);
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl<'a> MakeWriter<'a> for QueueWriter {
    type Writer = &'a Self;

    fn make_writer(&'a self) -> &'a Self {
        self
    }
}

impl Write for Stderr {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        Ok(rustix::io::write(io::stderr(), bytes)?)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc::{self, Receiver, Sender};
    use std::time::Instant;

    use super::*;

    /// Output whose writes wait until the test takes what they write.
    struct Held(Sender<Vec<u8>>, Receiver<()>);

    impl Write for Held {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.send(bytes.to_vec()).map_err(|_| io::ErrorKind::BrokenPipe)?;
            self.1.recv().map_err(|_| io::Error::from(io::ErrorKind::BrokenPipe))?;
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    fn held() -> (Held, Receiver<Vec<u8>>, Sender<()>) {
        let ((sender, taken), (release, released)) = (mpsc::channel(), mpsc::channel());
        (Held(sender, released), taken, release)
    }

    #[test]
    fn a_blocked_output_costs_bounded_memory_and_blocks_nobody() {
        let (output, taken, release) = held();
        let dropped = DroppedLines::default();
        let queue = LogQueue::start(output, dropped.clone()).unwrap();
        let writer = queue.writer();
        let line = [&[b'x'; 1_023][..], b"\n"].concat();
        let log = |count: usize| (0..count).for_each(|_| (&mut &writer).write_all(&line).unwrap());
        log(1);
        assert_eq!(taken.recv().unwrap(), line);
        log(1_024 + 7);
        assert_eq!((dropped.count(), queue.0.lock().lines.len()), (7, MAX_QUEUED_BYTES));
        release.send(()).unwrap();
        assert_eq!(taken.recv().unwrap().len(), MAX_QUEUED_BYTES);
        assert_eq!(queue.0.lock().unreported, 0, "the dropped lines are not taken for the report");
        log(1);
        release.send(()).unwrap();
        assert_eq!(taken.recv().unwrap(), line);
        // The end of the service does not wait for an output that blocks for ever.
        let began = Instant::now();
        drop(queue);
        assert!(began.elapsed() >= FLUSH_TIMEOUT && began.elapsed() < 10 * FLUSH_TIMEOUT, "{:?}", began.elapsed());
        log(1);
        assert_eq!(dropped.count(), 8);
    }

    #[test]
    fn queued_lines_are_written_at_the_end() {
        let (output, taken, release) = held();
        let queue = LogQueue::start(output, DroppedLines::default()).unwrap();
        let writer = queue.writer();
        (&mut &writer).write_all(b"one\n").unwrap();
        assert_eq!(taken.recv().unwrap(), b"one\n");
        (&mut &writer).write_all(b"two\nthree\n").unwrap();
        release.send(()).unwrap();
        release.send(()).unwrap();
        drop(queue);
        assert_eq!(taken.recv().unwrap(), b"two\nthree\n");
    }

    #[test]
    fn lines_that_the_output_refuses_are_counted() {
        let (output, taken, release) = held();
        let dropped = DroppedLines::default();
        let queue = LogQueue::start(output, dropped.clone()).unwrap();
        drop((taken, release));
        (&mut &queue.writer()).write_all(b"one\ntwo\n").unwrap();
        drop(queue);
        assert_eq!(dropped.count(), 2);
    }
}
