//! A service and a payload store that do as a test wants: what real ones do once in a thousand times.

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
pub(crate) use self::store::{Act, Asked, refusal};
use super::{Home, Said};

/// Stands in the query of every signed URL, and must stand nowhere else.
pub(crate) const SIGNATURE: &str = "5ec4e7519na7u4e";

/// A mebibyte: what parts are multiples of.
pub(crate) const MIB: u64 = 1 << 20;

/// What the service does.
#[derive(Clone)]
pub(crate) struct Terms {
    /// Which way it lets payloads go.
    pub(crate) flow: Flow,
    /// Whether it also takes and gives bytes itself.
    pub(crate) fallback: bool,
    /// Bytes in a part; a payload that is no larger than one goes in one request.
    pub(crate) part_size: u64,
    /// How many parts' URLs come with a transfer.
    pub(crate) urls_ahead: u32,
}

impl Default for Terms {
    fn default() -> Self {
        Self { flow: Flow::Presigned, fallback: true, part_size: 2 * MIB, urls_ahead: 100 }
    }
}

type Script = Box<dyn Fn(&Asked) -> Act + Send + Sync>;
type Edit = Box<dyn Fn(&str, &mut Value) + Send + Sync>;

/// A running service and its store.
pub(crate) struct Stub {
    shared: Arc<Shared>,
    service: Listening,
    store: Listening,
    runtime: Runtime,
}

/// What both know.
struct Shared {
    terms: Terms,
    script: Script,
    edit: Edit,
    store_url: Mutex<String>,
    state: Mutex<State>,
    /// The most requests that the store had at once, ever.
    at_once: watch::Sender<usize>,
    /// How many parts it has stored.
    stored: watch::Sender<usize>,
    /// How many requests it has said nothing to.
    silent: watch::Sender<usize>,
}

#[derive(Default)]
struct State {
    id: Option<TransferId>,
    size: u64,
    status: Option<Status>,
    max_downloads: Option<u32>,
    /// How many answers with signed URLs were given.
    answers: u64,
    /// The numbers in each request for more of them.
    asked_for: Vec<Vec<u32>>,
    grants: BTreeSet<String>,
    /// What came to the service itself.
    bytes: Vec<u8>,
    parts: BTreeMap<u32, Vec<u8>>,
    /// Every body that came to the store for a part, as far as it came.
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

/// How a stub is to be started.
pub(crate) struct Plan {
    terms: Terms,
    script: Script,
    edit: Edit,
    tls: Option<Arc<rustls::ServerConfig>>,
}

impl Plan {
    /// A service on these terms.
    pub(crate) fn on(terms: Terms) -> Self {
        Self { terms, script: Box::new(|_| Act::Serve), edit: Box::new(|_, _| {}), tls: None }
    }

    /// What the store does with each request.
    pub(crate) fn store(mut self, script: impl Fn(&Asked) -> Act + Send + Sync + 'static) -> Self {
        self.script = Box::new(script);
        self
    }

    /// Changes the service's answers to calls of these names.
    pub(crate) fn answers(mut self, edit: impl Fn(&str, &mut Value) + Send + Sync + 'static) -> Self {
        self.edit = Box::new(edit);
        self
    }

    /// Lets the store speak TLS.
    pub(crate) fn tls(mut self, config: rustls::ServerConfig) -> Self {
        self.tls = Some(Arc::new(config));
        self
    }

    /// Starts both.
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
        let service = Listening::start(&runtime, None, move |request| service::answer(to_service.clone(), request));
        let store = Listening::start(&runtime, self.tls, move |request| store::answer(to_store.clone(), request));
        store.url().clone_into(&mut shared.store_url.lock().unwrap());
        Stub { shared, service, store, runtime }
    }
}

impl Stub {
    /// A service on the usual terms, with a store that does its work.
    pub(crate) fn start() -> Self {
        Plan::on(Terms::default()).start()
    }

    /// Lets the store go away: its port is closed.
    pub(crate) fn close_store(&self) {
        self.store.close();
    }

    /// Lets it come back.
    pub(crate) fn open_store(&self) {
        self.store.open();
    }

    /// Signs URLs for another address than the store's.
    pub(crate) fn sign_for(&self, url: &str) {
        url.clone_into(&mut self.shared.store_url.lock().unwrap());
    }

    /// Runs a command against the service, and checks what it has told and whom.
    pub(crate) fn run(&self, home: &Home, arguments: &[&str]) -> Said {
        let said = home.run(&self.arguments(arguments));
        self.check(&said);
        said
    }

    /// The command with these arguments, for tests that have more to say about it.
    pub(crate) fn command(&self, home: &Home, arguments: &[&str]) -> Command {
        let mut command = home.sgsend(&self.arguments(arguments));
        command.stdout(Stdio::piped()).stderr(Stdio::piped());
        command
    }

    fn arguments<'a>(&'a self, arguments: &[&'a str]) -> Vec<&'a str> {
        const TOKEN: &str = "sgs_0000000000000000_0000000000000000000000000000000000000000000000000000000000000000";
        [&["--server", self.service.url(), "--token", TOKEN], arguments].concat()
    }

    /// Checks that no signature was told, and that the store was sent nothing that is not its own.
    pub(crate) fn check(&self, said: &Said) {
        let told = format!("{}{}", said.stderr, String::from_utf8_lossy(&said.stdout));
        assert!(!told.contains(SIGNATURE), "a signed URL was told: {told}");
        let known = ["host", "user-agent", "accept", "content-type", "content-length", "if-none-match", "range"];
        for (method, headers) in &self.shared.state().to_store {
            for name in headers.keys() {
                assert!(known.contains(&name.as_str()), "{method} carried {name} to the store");
            }
            assert!(*method != Method::PUT || headers.contains_key("content-length"), "a part without its length");
        }
    }

    /// The payload as it has arrived, by parts or as one object.
    pub(crate) fn payload(&self) -> Vec<u8> {
        let state = self.shared.state();
        state.object.clone().unwrap_or_else(|| state.parts.values().map(Vec::as_slice).collect::<Vec<_>>().concat())
    }

    /// Waits until the store has said nothing to so many requests.
    pub(crate) fn wait_for_silence(&self, requests: usize) {
        let mut silent = self.shared.silent.subscribe();
        drop(self.runtime.block_on(silent.wait_for(|silent| *silent >= requests)));
    }

    /// Changes the payload that is in the store.
    pub(crate) fn change_payload(&self, change: impl FnOnce(&mut Vec<u8>)) {
        change(self.shared.state().object.as_mut().unwrap());
    }

    /// What came to the service itself.
    pub(crate) fn bytes(&self) -> Vec<u8> {
        self.shared.state().bytes.clone()
    }

    /// Every body that came to the store for a part.
    pub(crate) fn bodies(&self, number: u32) -> Vec<Vec<u8>> {
        self.shared.state().bodies.get(&number).cloned().unwrap_or_default()
    }

    /// The most requests that the store had at once.
    pub(crate) fn at_once(&self) -> usize {
        *self.shared.at_once.borrow()
    }

    /// The numbers in each request for signed URLs.
    pub(crate) fn asked_for(&self) -> Vec<Vec<u32>> {
        self.shared.state().asked_for.clone()
    }

    /// How many downloads were counted.
    pub(crate) fn downloads(&self) -> usize {
        self.shared.state().grants.len()
    }

    /// How often the service was called by this name.
    pub(crate) fn calls(&self, name: &str) -> usize {
        self.shared.state().calls.iter().filter(|call| *call == name).count()
    }

    /// How many requests came to the store.
    pub(crate) fn store_requests(&self) -> usize {
        self.shared.state().to_store.len()
    }

    /// Where the transfer stands.
    pub(crate) fn status(&self) -> Option<Status> {
        self.shared.state().status
    }
}
