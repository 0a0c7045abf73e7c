//! A stub of service and payload store that reproduces rare failures on demand.

mod listening;
mod service;
mod store;

use std::collections::{BTreeMap, BTreeSet};
use std::process::{Command, Stdio};
use std::sync::{Arc, Mutex, MutexGuard};

use http::{HeaderMap, Method};
use serde_json::Value;
use sgsend::domain::id::TransferId;
use sgsend::domain::transfer::Status;
use sgsend::domain::wire::Flow;
use tokio::runtime::Runtime;
use tokio::sync::watch;

use self::listening::Listening;
pub(crate) use self::store::{Act, StoreRequest, refusal};
use super::{FinishedCommand, Home};

/// Signature in the query of every signed URL; must appear nowhere else.
pub(crate) const SIGNATURE: &str = "5ec4e7519na7u4e";

/// One mebibyte; part sizes are multiples of it.
pub(crate) const MIB: u64 = 1 << 20;

/// Behaviour of the stub service.
#[derive(Clone)]
pub(crate) struct Terms {
    /// Payload flow that the service offers.
    pub(crate) flow: Flow,
    /// Whether the service also transfers payload bytes itself.
    pub(crate) fallback: bool,
    /// Part size in bytes; a payload that fits into one part is uploaded in one request.
    pub(crate) part_size: u64,
    /// Number of part URLs in the response that creates a transfer.
    pub(crate) urls_ahead: u32,
}

impl Default for Terms {
    fn default() -> Self {
        Self { flow: Flow::Presigned, fallback: true, part_size: 2 * MIB, urls_ahead: 100 }
    }
}

type Script = Box<dyn Fn(&StoreRequest) -> Act + Send + Sync>;
type Edit = Box<dyn Fn(&str, &mut Value) + Send + Sync>;

/// A running stub service and its store.
pub(crate) struct Stub {
    shared: Arc<Shared>,
    service: Listening,
    store: Listening,
    runtime: Runtime,
}

/// State shared by service and store.
struct Shared {
    terms: Terms,
    script: Script,
    edit: Edit,
    store_url: Mutex<String>,
    state: Mutex<State>,
    /// Maximum number of concurrent requests to the store so far.
    at_once: watch::Sender<usize>,
    /// Number of stored parts.
    stored: watch::Sender<usize>,
    /// Number of requests left without a response.
    silent: watch::Sender<usize>,
}

#[derive(Default)]
struct State {
    id: Option<TransferId>,
    size: u64,
    status: Option<Status>,
    max_downloads: Option<u32>,
    access_proof: bool,
    /// Number of responses with signed URLs so far.
    issued_urls: u64,
    /// Part numbers in each request for further URLs.
    asked_for: Vec<Vec<u32>>,
    grants: BTreeSet<String>,
    /// Number of GET requests for the payload, to the service itself.
    payload_reads: usize,
    /// Bytes uploaded to the service itself.
    bytes: Vec<u8>,
    parts: BTreeMap<u32, Vec<u8>>,
    /// Bodies received for each part, including incomplete ones.
    bodies: BTreeMap<u32, Vec<Vec<u8>>>,
    object: Option<Vec<u8>>,
    in_flight: usize,
    requests: BTreeMap<String, usize>,
    calls: Vec<String>,
    to_store: Vec<(Method, HeaderMap)>,
}

impl Shared {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap()
    }
}

/// Configuration of a stub.
pub(crate) struct Plan {
    terms: Terms,
    script: Script,
    edit: Edit,
    tls: Option<Arc<rustls::ServerConfig>>,
}

impl Plan {
    /// Sets the behaviour of the service.
    pub(crate) fn on(terms: Terms) -> Self {
        Self { terms, script: Box::new(|_| Act::Serve), edit: Box::new(|_, _| {}), tls: None }
    }

    /// Sets the store's action for each request.
    pub(crate) fn store(mut self, script: impl Fn(&StoreRequest) -> Act + Send + Sync + 'static) -> Self {
        self.script = Box::new(script);
        self
    }

    /// Sets a function that changes responses of the service, given the name of the call.
    pub(crate) fn edit_responses(mut self, edit: impl Fn(&str, &mut Value) + Send + Sync + 'static) -> Self {
        self.edit = Box::new(edit);
        self
    }

    /// Makes the store use TLS.
    pub(crate) fn tls(mut self, config: rustls::ServerConfig) -> Self {
        self.tls = Some(Arc::new(config));
        self
    }

    /// Starts service and store.
    pub(crate) fn start(self) -> Stub {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
        let shared = Arc::new(Shared {
            terms: self.terms,
            script: self.script,
            edit: self.edit,
            store_url: Mutex::default(),
            state: Mutex::default(),
            at_once: watch::Sender::default(),
            stored: watch::Sender::default(),
            silent: watch::Sender::default(),
        });
        let (to_service, to_store) = (shared.clone(), shared.clone());
        let service = Listening::start(&runtime, None, move |request| service::respond(to_service.clone(), request));
        let store = Listening::start(&runtime, self.tls, move |request| store::respond(to_store.clone(), request));
        store.url().clone_into(&mut shared.store_url.lock().unwrap());
        Stub { shared, service, store, runtime }
    }
}

impl Stub {
    /// Starts a service with default behaviour and a working store.
    pub(crate) fn start() -> Self {
        Plan::on(Terms::default()).start()
    }

    /// Makes the store unreachable: its port closes.
    pub(crate) fn close_store(&self) {
        self.store.close();
    }

    /// Makes the store reachable again.
    pub(crate) fn open_store(&self) {
        self.store.open();
    }

    /// Returns the address of the service.
    pub(crate) fn service_url(&self) -> &str {
        self.service.url()
    }

    /// Returns the address of the store.
    pub(crate) fn store_url(&self) -> &str {
        self.store.url()
    }

    /// Signs URLs for an address other than the store's.
    pub(crate) fn sign_for(&self, url: &str) {
        url.clone_into(&mut self.shared.store_url.lock().unwrap());
    }

    /// Runs a command against the service, and checks its output and its requests to the store.
    pub(crate) fn run(&self, home: &Home, arguments: &[&str]) -> FinishedCommand {
        let finished = home.run(&self.arguments(arguments));
        self.check(&finished);
        finished
    }

    /// Returns the command with these arguments, for tests that change it.
    pub(crate) fn command(&self, home: &Home, arguments: &[&str]) -> Command {
        let mut command = home.sgsend(&self.arguments(arguments));
        command.stdout(Stdio::piped()).stderr(Stdio::piped());
        command
    }

    fn arguments<'a>(&'a self, arguments: &[&'a str]) -> Vec<&'a str> {
        const TOKEN: &str = "sgs_0000000000000000_0000000000000000000000000000000000000000000000000000000000000000";
        let has_server = arguments.contains(&"--server");
        let server = if has_server { &[][..] } else { &["--server", self.service.url()][..] };
        [server, &["--token", TOKEN], arguments].concat()
    }

    /// Checks that the output contains no signature, and that the store received only expected headers.
    pub(crate) fn check(&self, finished: &FinishedCommand) {
        let printed = format!("{}{}", finished.stderr, String::from_utf8_lossy(&finished.stdout));
        assert!(!printed.contains(SIGNATURE), "the output contains a signed URL: {printed}");
        let known = ["host", "user-agent", "accept", "content-type", "content-length", "if-none-match", "range"];
        for (method, headers) in &self.shared.state().to_store {
            for name in headers.keys() {
                assert!(known.contains(&name.as_str()), "{method} sent the header {name} to the store");
            }
            assert!(*method != Method::PUT || headers.contains_key("content-length"), "a part has no Content-Length");
        }
    }

    /// Returns the received payload, from parts or from one object.
    pub(crate) fn payload(&self) -> Vec<u8> {
        let state = self.shared.state();
        state.object.clone().unwrap_or_else(|| state.parts.values().map(Vec::as_slice).collect::<Vec<_>>().concat())
    }

    /// Waits until `requests` requests have been left without a response.
    pub(crate) fn wait_for_silence(&self, requests: usize) {
        let mut silent = self.shared.silent.subscribe();
        drop(self.runtime.block_on(silent.wait_for(|silent| *silent >= requests)));
    }

    /// Changes the stored payload.
    pub(crate) fn change_payload(&self, change: impl FnOnce(&mut Vec<u8>)) {
        change(self.shared.state().object.as_mut().unwrap());
    }

    /// Returns the bytes uploaded to the service itself.
    pub(crate) fn bytes(&self) -> Vec<u8> {
        self.shared.state().bytes.clone()
    }

    /// Returns the bodies received for a part.
    pub(crate) fn bodies(&self, number: u32) -> Vec<Vec<u8>> {
        self.shared.state().bodies.get(&number).cloned().unwrap_or_default()
    }

    /// Returns the maximum number of concurrent requests to the store so far.
    pub(crate) fn max_concurrent_requests(&self) -> usize {
        *self.shared.at_once.borrow()
    }

    /// Returns the part numbers in each request for signed URLs.
    pub(crate) fn requested_part_numbers(&self) -> Vec<Vec<u32>> {
        self.shared.state().asked_for.clone()
    }

    /// Returns the number of counted downloads.
    pub(crate) fn downloads(&self) -> usize {
        self.shared.state().grants.len()
    }

    /// Returns the number of GET requests for the payload, to the service itself.
    pub(crate) fn payload_reads(&self) -> usize {
        self.shared.state().payload_reads
    }

    /// Returns how often this call of the service was made.
    pub(crate) fn calls(&self, name: &str) -> usize {
        self.shared.state().calls.iter().filter(|call| *call == name).count()
    }

    /// Returns the number of requests to the store.
    pub(crate) fn store_requests(&self) -> usize {
        self.shared.state().to_store.len()
    }

    /// Returns the status of the transfer.
    pub(crate) fn status(&self) -> Option<Status> {
        self.shared.state().status
    }
}
