//! Receiver of webhooks on a port of loopback.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use serde_json::Value;
use sgsend::domain::notification::WebhookSecret;
use sgsend::domain::timestamp::Timestamp;

/// Timeout for requests. A server that was killed during a delivery keeps the others from delivering for a minute.
const PATIENCE: Duration = Duration::from_mins(2);

/// Received request.
#[derive(Clone, Debug)]
pub(super) struct Received {
    pub(super) path: String,
    pub(super) headers: Vec<(String, String)>,
    pub(super) body: Vec<u8>,
    /// Number of requests in progress when it arrived, with itself.
    pub(super) at_once: usize,
}

/// Behaviour of a receiver: the response to a request, or none.
type Respond = Box<dyn Fn(usize, &Received) -> Option<String> + Send + Sync>;

struct Shared {
    respond: Mutex<Respond>,
    received: Mutex<Vec<Received>>,
    in_progress: Mutex<usize>,
}

/// Running receiver.
pub(super) struct Receiver {
    pub(super) url: String,
    shared: Arc<Shared>,
}

/// Returns a response without a body.
pub(super) fn status(status: &str) -> String {
    format!("HTTP/1.1 {status}\r\ncontent-length: 0\r\nconnection: close\r\n\r\n")
}

impl Receiver {
    /// Starts a receiver that accepts everything.
    pub(super) fn start() -> Self {
        Self::with(|_, _| Some(status("204 No Content")))
    }

    /// Starts a receiver; `respond` gets the number of earlier requests.
    pub(super) fn with(respond: impl Fn(usize, &Received) -> Option<String> + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}/hook", listener.local_addr().unwrap());
        let shared = Arc::new(Shared {
            respond: Mutex::new(Box::new(respond)),
            received: Mutex::default(),
            in_progress: Mutex::default(),
        });
        let for_thread = shared.clone();
        std::thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                let shared = for_thread.clone();
                std::thread::spawn(move || serve(&shared, stream));
            }
        });
        Self { url, shared }
    }

    /// Changes the behaviour.
    pub(super) fn respond_with(&self, respond: impl Fn(usize, &Received) -> Option<String> + Send + Sync + 'static) {
        *self.shared.respond.lock().unwrap() = Box::new(respond);
    }

    /// Returns the received requests.
    pub(super) fn received(&self) -> Vec<Received> {
        self.shared.received.lock().unwrap().clone()
    }

    /// Waits for a number of requests.
    pub(super) fn wait_for(&self, count: usize) -> Vec<Received> {
        self.wait_until(|received| received.len() >= count)
    }

    /// Waits until the requests satisfy a condition.
    pub(super) fn wait_until(&self, condition: impl Fn(&[Received]) -> bool) -> Vec<Received> {
        let started = Instant::now();
        loop {
            let received = self.received();
            if condition(&received) {
                return received;
            }
            assert!(started.elapsed() < PATIENCE, "received only {}: {received:?}", received.len());
            std::thread::sleep(Duration::from_millis(20));
        }
    }
}

impl Received {
    pub(super) fn header(&self, name: &str) -> &str {
        let found = self.headers.iter().find(|(known, _)| known == name);
        found.map_or_else(|| panic!("{name} is missing: {:?}", self.headers), |(_, value)| value.as_str())
    }

    pub(super) fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap()
    }

    pub(super) fn kind(&self) -> String {
        self.json()["kind"].as_str().unwrap().to_owned()
    }

    /// Checks the signature, by the specification of Standard Webhooks.
    pub(super) fn check_signature(&self, secret: &str) {
        let secret: WebhookSecret = secret.parse().unwrap();
        let at: u64 = self.header("webhook-timestamp").parse().unwrap();
        let id = self.header("webhook-id").parse().unwrap();
        let expected = secret.sign(id, Timestamp::from_millis(at * 1_000), &self.body);
        assert_eq!(self.header("webhook-signature"), expected);
    }
}

fn serve(shared: &Shared, mut stream: TcpStream) {
    let mut reader = BufReader::new(stream.try_clone().unwrap());
    loop {
        let mut first = String::new();
        if reader.read_line(&mut first).unwrap_or(0) == 0 {
            return;
        }
        let path = first.split(' ').nth(1).unwrap_or_default().to_owned();
        let mut headers = Vec::new();
        loop {
            let mut line = String::new();
            reader.read_line(&mut line).unwrap();
            let Some((name, value)) = line.trim_end().split_once(": ") else { break };
            headers.push((name.to_ascii_lowercase(), value.to_owned()));
        }
        let length = headers.iter().find(|(name, _)| name == "content-length");
        let mut body = vec![0; length.map_or(0, |(_, length)| length.parse().unwrap())];
        reader.read_exact(&mut body).unwrap();
        let at_once = {
            let mut in_progress = shared.in_progress.lock().unwrap();
            *in_progress += 1;
            *in_progress
        };
        let request = Received { path, headers, body, at_once };
        let earlier = {
            let mut received = shared.received.lock().unwrap();
            received.push(request.clone());
            received.len() - 1
        };
        let response = shared.respond.lock().unwrap()(earlier, &request);
        *shared.in_progress.lock().unwrap() -= 1;
        match response {
            Some(response) if stream.write_all(response.as_bytes()).is_ok() && !response.contains("close") => {}
            Some(_) => return,
            None => {
                // Says nothing until the client gives up.
                let _ = reader.read_line(&mut String::new());
                return;
            }
        }
    }
}
