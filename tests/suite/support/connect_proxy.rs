//! A small HTTP proxy for CONNECT requests (RFC 9110, 9.3.6) that records their targets.

use std::io::{self, BufRead, BufReader, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};

use super::socks::copy;

/// An HTTP proxy that connects each request to its target.
pub(crate) struct ConnectProxy {
    pub(crate) url: String,
    requested: Arc<Mutex<Vec<String>>>,
}

impl ConnectProxy {
    pub(crate) fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let requested = Arc::<Mutex<Vec<String>>>::default();
        let recorded = requested.clone();
        std::thread::spawn(move || {
            for client in listener.incoming().map_while(Result::ok) {
                let recorded = recorded.clone();
                std::thread::spawn(move || drop(serve(&client, &recorded)));
            }
        });
        Self { url, requested }
    }

    /// Returns the targets of the requests so far, as `HOST:PORT`.
    pub(crate) fn requested(&self) -> Vec<String> {
        self.requested.lock().unwrap().clone()
    }
}

fn serve(client: &TcpStream, requested: &Mutex<Vec<String>>) -> io::Result<()> {
    // The client waits for the response, so no byte behind the header is read.
    let mut header = BufReader::new(client.try_clone()?).lines();
    let first = header.next().transpose()?.unwrap_or_default();
    let target = first.strip_prefix("CONNECT ").and_then(|rest| rest.strip_suffix(" HTTP/1.1"));
    let target = target.ok_or(io::ErrorKind::Unsupported)?.to_owned();
    while header.next().transpose()?.is_some_and(|line| !line.is_empty()) {}
    let server = TcpStream::connect(&target)?;
    requested.lock().unwrap().push(target);
    (&mut &*client).write_all(b"HTTP/1.1 200 Connected\r\n\r\n")?;
    let (from, to) = (client.try_clone()?, server.try_clone()?);
    std::thread::spawn(move || copy(from, to));
    copy(server, client.try_clone()?);
    Ok(())
}
