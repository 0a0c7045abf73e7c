//! Instances of a function: processes with a runtime API each, which handle one invocation at a time.

use std::process::{Child, Command};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use axum::Router;
use axum::extract::{DefaultBodyLimit, Path, State};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use bytes::Bytes;
use http::StatusCode;
use rustix::process::{Pid, Signal, kill_process};
use tokio::net::TcpListener;
use tokio::sync::{Notify, mpsc, oneshot};

use super::payload::MAX_PAYLOAD;
use super::{InvocationFailure, TIMEOUT};

type ResponseSender = oneshot::Sender<Result<Bytes, InvocationFailure>>;

/// The instances of a function.
pub(super) struct Instances {
    command: Mutex<Command>,
    /// Maximum number of running instances.
    max: usize,
    /// Instances without an invocation, suspended.
    idle: Mutex<Vec<Arc<Instance>>>,
    all: Mutex<Vec<Arc<Instance>>>,
    /// Notified when an instance becomes idle or ends.
    changed: Notify,
    /// Whether the instance that gets the next event is suspended with it.
    freezes_next: AtomicBool,
    invocations: AtomicU64,
    cold_starts: Mutex<Vec<Duration>>,
    /// Log of the instances that have ended.
    log: Mutex<String>,
}

struct Instance {
    process: Mutex<Child>,
    pid: Pid,
    events: mpsc::UnboundedSender<Invocation>,
    pending: tokio::sync::Mutex<mpsc::UnboundedReceiver<Invocation>>,
    /// The invocation in progress, with its sender of the response.
    current: Mutex<Option<(String, ResponseSender)>>,
    /// Whether the instance stays suspended although it has an invocation.
    is_held: AtomicBool,
    started: Instant,
    is_new: AtomicBool,
    log: Mutex<Option<std::thread::JoinHandle<String>>>,
}

struct Invocation {
    id: String,
    event: Bytes,
    response: ResponseSender,
}

#[derive(Clone)]
struct RuntimeApi {
    shared: Arc<Instances>,
    instance: Arc<Instance>,
}

impl Instances {
    /// Creates a function without instances. `command` starts one; at most `max` run at once.
    pub(super) fn new(command: Command, max: usize) -> Self {
        let (idle, all, cold_starts, log) = Default::default();
        Self {
            command: Mutex::new(command),
            max,
            idle,
            all,
            changed: Notify::new(),
            freezes_next: AtomicBool::new(false),
            invocations: AtomicU64::new(0),
            cold_starts,
            log,
        }
    }

    /// Returns the number of running instances.
    pub(super) fn running(&self) -> usize {
        self.all.lock().unwrap().len()
    }

    /// Returns the times from the start of each process until it has asked for its first event.
    pub(super) fn cold_starts(&self) -> Vec<Duration> {
        self.cold_starts.lock().unwrap().clone()
    }

    /// Suspends the instance that gets the next event, as soon as it has the event.
    pub(super) fn freeze_next(&self) {
        self.freezes_next.store(true, Ordering::SeqCst);
    }

    /// Returns whether an instance is suspended with an event.
    pub(super) fn is_one_frozen(&self) -> bool {
        self.all.lock().unwrap().iter().any(|instance| instance.is_held.load(Ordering::SeqCst))
    }

    /// Resumes all suspended instances with events.
    pub(super) fn thaw(&self) {
        for instance in &*self.all.lock().unwrap() {
            if instance.is_held.swap(false, Ordering::SeqCst) {
                instance.signal(Signal::CONT);
            }
        }
    }

    /// Kills all instances with an event.
    pub(super) fn kill_busy(&self) {
        for instance in &*self.all.lock().unwrap() {
            if instance.current.lock().unwrap().is_some() {
                instance.signal(Signal::KILL);
            }
        }
    }

    /// Ends all instances; returns the logs of all that have ended.
    pub(super) fn end_all(&self) -> String {
        let all = std::mem::take(&mut *self.all.lock().unwrap());
        for instance in all {
            self.end(&instance);
        }
        self.idle.lock().unwrap().clear();
        self.log.lock().unwrap().clone()
    }

    /// Lets an instance handle an event.
    pub(super) async fn invoke(self: &Arc<Self>, event: Bytes) -> Result<Bytes, InvocationFailure> {
        let instance = self.instance().await;
        let number = self.invocations.fetch_add(1, Ordering::SeqCst);
        let (response, responded) = oneshot::channel();
        instance.is_held.store(self.freezes_next.swap(false, Ordering::SeqCst), Ordering::SeqCst);
        instance.signal(Signal::CONT);
        let _ =
            instance.events.send(Invocation { id: format!("00000000-0000-4000-8000-{number:012x}"), event, response });
        let exited = async {
            while instance.process.lock().unwrap().try_wait().unwrap().is_none() {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        };
        tokio::select! {
            biased;
            response = responded => response.unwrap_or(Err(InvocationFailure::TimedOut)),
            () = exited => {
                self.end(&instance);
                Err(InvocationFailure::Exited(self.log.lock().unwrap().clone()))
            }
            () = tokio::time::sleep(TIMEOUT) => {
                self.end(&instance);
                Err(InvocationFailure::TimedOut)
            }
        }
    }

    /// Returns an idle instance; starts one if all are busy and the maximum is not reached.
    async fn instance(self: &Arc<Self>) -> Arc<Instance> {
        loop {
            let changed = self.changed.notified();
            let idle = self.idle.lock().unwrap().pop();
            if let Some(instance) = idle {
                if instance.process.lock().unwrap().try_wait().unwrap().is_none() {
                    return instance;
                }
                self.end(&instance);
                continue;
            }
            let may_start = {
                let mut all = self.all.lock().unwrap();
                all.retain(|instance| instance.process.lock().unwrap().try_wait().unwrap().is_none());
                all.len() < self.max
            };
            if may_start {
                self.start_instance().await;
            }
            // An instance that ends before its first event notifies nobody.
            let _ = tokio::time::timeout(Duration::from_millis(100), changed).await;
        }
    }

    async fn start_instance(self: &Arc<Self>) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let started = Instant::now();
        let mut process = {
            let mut command = self.command.lock().unwrap();
            command.env("AWS_LAMBDA_RUNTIME_API", address.to_string()).spawn().expect("the sgsend binary")
        };
        let stderr = process.stderr.take().unwrap();
        let log = std::thread::spawn(move || std::io::read_to_string(stderr).unwrap_or_default());
        let (events, pending) = mpsc::unbounded_channel();
        let instance = Arc::new(Instance {
            pid: Pid::from_child(&process),
            process: Mutex::new(process),
            events,
            pending: tokio::sync::Mutex::new(pending),
            current: Mutex::default(),
            is_held: AtomicBool::new(false),
            started,
            is_new: AtomicBool::new(true),
            log: Mutex::new(Some(log)),
        });
        self.all.lock().unwrap().push(instance.clone());
        let router = Router::new()
            .route("/2018-06-01/runtime/invocation/next", get(next))
            .route("/2018-06-01/runtime/invocation/{id}/response", post(response))
            .route("/2018-06-01/runtime/invocation/{id}/error", post(error))
            .route("/2018-06-01/runtime/init/error", post(StatusCode::ACCEPTED))
            .layer(DefaultBodyLimit::disable())
            .with_state(RuntimeApi { shared: self.clone(), instance });
        tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
    }

    /// Ends an instance, and keeps its log.
    fn end(&self, instance: &Arc<Instance>) {
        {
            let mut process = instance.process.lock().unwrap();
            // The process may have exited already.
            let _ = process.kill();
            let _ = process.wait();
        }
        if let Some(log) = instance.log.lock().unwrap().take() {
            self.log.lock().unwrap().push_str(&log.join().unwrap());
        }
        self.all.lock().unwrap().retain(|other| !Arc::ptr_eq(other, instance));
        self.changed.notify_waiters();
    }
}

impl Instance {
    fn signal(&self, signal: Signal) {
        // The process may have exited already.
        let _ = kill_process(self.pid, signal);
    }

    /// Ends the invocation in progress with this result.
    fn finish(&self, id: &str, result: Result<Bytes, InvocationFailure>) -> StatusCode {
        match self.current.lock().unwrap().take() {
            Some((current, response)) if current == id => {
                let _ = response.send(result);
                StatusCode::ACCEPTED
            }
            _ => StatusCode::BAD_REQUEST,
        }
    }
}

/// `GET /2018-06-01/runtime/invocation/next`: suspends the process until its next event.
async fn next(State(RuntimeApi { shared, instance }): State<RuntimeApi>) -> Response {
    if instance.is_new.swap(false, Ordering::SeqCst) {
        shared.cold_starts.lock().unwrap().push(instance.started.elapsed());
    }
    let mut pending = instance.pending.lock().await;
    instance.signal(Signal::STOP);
    shared.idle.lock().unwrap().push(instance.clone());
    shared.changed.notify_waiters();
    let Some(invocation) = pending.recv().await else { return StatusCode::GONE.into_response() };
    *instance.current.lock().unwrap() = Some((invocation.id.clone(), invocation.response));
    if instance.is_held.load(Ordering::SeqCst) {
        // Later, so that the process has read the event.
        let instance = instance.clone();
        tokio::spawn(async move {
            tokio::time::sleep(Duration::from_millis(20)).await;
            if instance.is_held.load(Ordering::SeqCst) {
                instance.signal(Signal::STOP);
            }
        });
    }
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
    let headers = [
        ("lambda-runtime-aws-request-id", invocation.id),
        ("lambda-runtime-deadline-ms", (now + TIMEOUT).as_millis().to_string()),
        ("lambda-runtime-invoked-function-arn", "arn:aws:lambda:eu-central-1:123456789012:function:sgsend".to_owned()),
        (
            "lambda-runtime-trace-id",
            "Root=1-5bef4de7-ad49b0e87f6ef6c87fc2e700;Parent=9a9197af755a6419;Sampled=0".to_owned(),
        ),
        ("content-type", "application/json".to_owned()),
    ];
    (headers, invocation.event).into_response()
}

/// `POST /2018-06-01/runtime/invocation/{id}/response`
async fn response(State(api): State<RuntimeApi>, Path(id): Path<String>, body: Bytes) -> StatusCode {
    if body.len() > MAX_PAYLOAD {
        let failure = InvocationFailure::Reported("Function.ResponseSizeTooLarge".to_owned());
        api.instance.finish(&id, Err(failure));
        return StatusCode::PAYLOAD_TOO_LARGE;
    }
    api.instance.finish(&id, Ok(body))
}

/// `POST /2018-06-01/runtime/invocation/{id}/error`
async fn error(State(api): State<RuntimeApi>, Path(id): Path<String>, body: String) -> StatusCode {
    api.instance.finish(&id, Err(InvocationFailure::Reported(body)))
}
