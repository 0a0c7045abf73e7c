//! A TCP proxy that forwards a limited number of bytes, then blocks until it is opened again.
//!
//! It blocks once the receiver has read what was forwarded. Otherwise, a test that ends the receiver then would lose what
//! its kernel holds: up to `tcp_rmem`, often 6 MiB and sometimes over 30 MiB.

use std::io::{Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Condvar, Mutex};
use std::time::{Duration, Instant};

/// A TCP proxy in front of a server.
pub(crate) struct BlockingProxy {
    pub(crate) url: String,
    shared: Arc<Shared>,
}

/// Direction of traffic.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Direction {
    /// To the server.
    Upstream,
    /// From the server.
    Downstream,
}

#[derive(Default)]
struct Shared {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Default)]
struct State {
    /// Bytes that may still pass, per direction; unlimited if `None`.
    left: [Option<u64>; 2],
    /// Bytes that may pass per connection and direction; unlimited if `None`.
    left_each: [Option<u64>; 2],
    /// Bytes that have passed, per direction.
    passed: [u64; 2],
    is_closed: bool,
    /// Whether a connection has used up its bytes and is blocked.
    holds_one: bool,
    /// Whether new traffic passes although connections are blocked.
    lets_others_in: bool,
    /// Number of calls of `open`; connections that were blocked before the latest call are cut off.
    opened: u64,
}

impl BlockingProxy {
    /// Starts a proxy that forwards all traffic to `target`.
    pub(crate) fn to(target: &str) -> Self {
        Self::at("127.0.0.1:0".parse().unwrap(), target)
    }

    /// Starts a proxy that listens on `address`.
    #[allow(dead_code, reason = "not used by every test binary")]
    pub(crate) fn at(address: SocketAddr, target: &str) -> Self {
        let listener = TcpListener::bind(address).unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let (shared, target) = (Arc::<Shared>::default(), target.trim_start_matches("http://").to_owned());
        let passing = shared.clone();
        std::thread::spawn(move || {
            for client in listener.incoming().map_while(Result::ok) {
                let Ok(server) = TcpStream::connect(&target) else { continue };
                let copy = |stream: &TcpStream| stream.try_clone().unwrap();
                pass(passing.clone(), Direction::Upstream, copy(&client), copy(&server));
                pass(passing.clone(), Direction::Downstream, server, client);
            }
        });
        Self { url, shared }
    }

    /// Lets `bytes` more bytes pass in one direction, then blocks all traffic.
    pub(crate) fn close_after(&self, direction: Direction, bytes: u64) {
        self.shared.state.lock().unwrap().left[direction as usize] = Some(bytes);
    }

    /// Blocks each connection after `bytes` bytes in one direction; other connections proceed.
    #[allow(dead_code, reason = "not used by every test binary")]
    pub(crate) fn hold_each_after(&self, direction: Direction, bytes: u64) {
        self.shared.state.lock().unwrap().left_each[direction as usize] = Some(bytes);
    }

    /// Waits until the proxy is closed or a connection is blocked.
    pub(crate) fn wait(&self) {
        let goes_on = |state: &mut State| !state.is_closed && !state.holds_one;
        drop(self.shared.changed.wait_while(self.shared.state.lock().unwrap(), goes_on).unwrap());
    }

    /// Lets new traffic pass; blocked connections stay blocked.
    pub(crate) fn let_others_in(&self) {
        self.shared.state.lock().unwrap().lets_others_in = true;
    }

    /// Lets all traffic pass again; cuts blocked connections off.
    pub(crate) fn open(&self) {
        let mut state = self.shared.state.lock().unwrap();
        *state = State { passed: state.passed, opened: state.opened + 1, ..State::default() };
        self.shared.changed.notify_all();
    }

    /// Returns the number of bytes that have passed in one direction.
    pub(crate) fn bytes_forwarded(&self, direction: Direction) -> u64 {
        self.shared.state.lock().unwrap().passed[direction as usize]
    }
}

impl Shared {
    /// Waits until some of `length` bytes may pass through a connection that has carried `carried` bytes. Returns
    /// `None` if the connection is cut off.
    fn admit(&self, direction: Direction, carried: u64, length: usize, to: &TcpStream) -> Option<usize> {
        let mut state = self.state.lock().unwrap();
        if state.lets_others_in {
            return Some(length);
        }
        let opened = state.opened;
        let mut was_read = false;
        loop {
            if state.opened != opened {
                return None;
            }
            let remaining = state.left[direction as usize].unwrap_or(u64::MAX);
            let left_here = state.left_each[direction as usize].map_or(u64::MAX, |most| most.saturating_sub(carried));
            let admitted = (length as u64).min(remaining).min(left_here);
            if admitted > 0 && !state.is_closed {
                state.passed[direction as usize] += admitted;
                if let Some(remaining) = &mut state.left[direction as usize] {
                    *remaining -= admitted;
                }
                return Some(usize::try_from(admitted).unwrap());
            }
            if !was_read && !state.is_closed {
                drop(state);
                wait_until_read(to);
                was_read = true;
                state = self.state.lock().unwrap();
                continue;
            }
            state.is_closed |= remaining == 0;
            state.holds_one |= left_here == 0;
            self.changed.notify_all();
            state = self.changed.wait(state).unwrap();
        }
    }
}

/// Waits until the receiver has read everything from its socket, or has closed it.
///
/// Waits for a limited time, since a receiver may wait for something else. Returns at once where the system has no `/proc/net/tcp`.
fn wait_until_read(to: &TcpStream) {
    let (Ok(own), Ok(receiver)) = (to.local_addr(), to.peer_addr()) else { return };
    let until = Instant::now() + Duration::from_secs(5);
    while Instant::now() < until && unread_bytes(own.port(), receiver.port()).is_some_and(|bytes| bytes > 0) {
        std::thread::sleep(Duration::from_millis(1));
    }
}

/// Returns the number of bytes that a local IPv4 connection holds; `None` if there is no such one.
///
/// They are those not delivered yet to the socket of the receiver, and those not read yet from it. Source of the columns: `proc_net_tcp.rst` of the Linux documentation.
fn unread_bytes(sender: u16, receiver: u16) -> Option<u64> {
    let table = std::fs::read_to_string("/proc/net/tcp").ok()?;
    let port = |address: &str| u16::from_str_radix(address.rsplit_once(':')?.1, 16).ok();
    let queued = table.lines().skip(1).filter_map(|line| {
        let mut columns = line.split_whitespace().skip(1);
        let ports = (port(columns.next()?)?, port(columns.next()?)?);
        let (unsent, unread) = columns.nth(1)?.split_once(':')?;
        let bytes = |hex| u64::from_str_radix(hex, 16).ok();
        match ports {
            _ if ports == (sender, receiver) => bytes(unsent),
            _ if ports == (receiver, sender) => bytes(unread),
            _ => None,
        }
    });
    let queued: Vec<_> = queued.collect();
    // A receiver that has closed its socket reads nothing more.
    (queued.len() == 2).then(|| queued.iter().sum())
}

fn pass(shared: Arc<Shared>, direction: Direction, mut from: TcpStream, mut to: TcpStream) {
    std::thread::spawn(move || {
        let (mut buffer, mut carried) = (vec![0; 64 * 1024], 0);
        'passing: while let Ok(length @ 1..) = from.read(&mut buffer) {
            let mut rest = &buffer[..length];
            while !rest.is_empty() {
                let Some(admitted) = shared.admit(direction, carried, rest.len(), &to) else { break 'passing };
                if to.write_all(&rest[..admitted]).is_err() {
                    break 'passing;
                }
                carried += admitted as u64;
                rest = &rest[admitted..];
            }
        }
        // The peer may have closed its side already.
        let _ = to.shutdown(Shutdown::Both);
        let _ = from.shutdown(Shutdown::Both);
    });
}
