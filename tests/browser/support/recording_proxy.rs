//! A recording proxy between a browser and a service.

use std::io::{Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::{Arc, Mutex};

/// A proxy that records the bytes of both directions.
pub(crate) struct RecordingProxy {
    pub(crate) url: String,
    heard: Arc<Mutex<Vec<u8>>>,
}

impl RecordingProxy {
    pub(crate) fn to(target: &str) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let (heard, target) = (Arc::<Mutex<Vec<u8>>>::default(), target.trim_start_matches("http://").to_owned());
        let hearing = heard.clone();
        std::thread::spawn(move || {
            for client in listener.incoming().map_while(Result::ok) {
                let Ok(server) = TcpStream::connect(&target) else { continue };
                listen(client.try_clone().unwrap(), server.try_clone().unwrap(), hearing.clone());
                listen(server, client, hearing.clone());
            }
        });
        Self { url, heard }
    }

    /// Returns the bytes recorded so far.
    pub(crate) fn heard(&self) -> Vec<u8> {
        self.heard.lock().unwrap().clone()
    }
}

fn listen(mut from: TcpStream, mut to: TcpStream, hearing: Arc<Mutex<Vec<u8>>>) {
    std::thread::spawn(move || {
        let mut buffer = vec![0; 64 * 1024];
        while let Ok(length @ 1..) = from.read(&mut buffer) {
            hearing.lock().unwrap().extend_from_slice(&buffer[..length]);
            if to.write_all(&buffer[..length]).is_err() {
                break;
            }
        }
        // The peer may have closed its side already.
        let _ = to.shutdown(Shutdown::Write);
    });
}
