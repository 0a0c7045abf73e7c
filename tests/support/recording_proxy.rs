//! A recording proxy between a client and a service.

use std::io::{Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::{Arc, Mutex};

/// A proxy that records the bytes of both directions.
pub(crate) struct RecordingProxy {
    pub(crate) url: String,
    recording: Arc<Mutex<Vec<u8>>>,
}

impl RecordingProxy {
    /// Starts a proxy to the service at the URL `target`.
    pub(crate) fn to(target: &str) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let (recording, target) = (Arc::<Mutex<Vec<u8>>>::default(), target.trim_start_matches("http://").to_owned());
        let shared = recording.clone();
        std::thread::spawn(move || {
            for client in listener.incoming().map_while(Result::ok) {
                let Ok(server) = TcpStream::connect(&target) else { continue };
                copy(client.try_clone().unwrap(), server.try_clone().unwrap(), shared.clone());
                copy(server, client, shared.clone());
            }
        });
        Self { url, recording }
    }

    /// Returns the bytes recorded so far.
    pub(crate) fn recorded(&self) -> Vec<u8> {
        self.recording.lock().unwrap().clone()
    }
}

fn copy(mut from: TcpStream, mut to: TcpStream, shared: Arc<Mutex<Vec<u8>>>) {
    std::thread::spawn(move || {
        let mut buffer = vec![0; 64 * 1024];
        while let Ok(length @ 1..) = from.read(&mut buffer) {
            shared.lock().unwrap().extend_from_slice(&buffer[..length]);
            if to.write_all(&buffer[..length]).is_err() {
                break;
            }
        }
        // The peer may have closed its side already.
        let _ = to.shutdown(Shutdown::Write);
    });
}
