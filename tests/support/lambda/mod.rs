//! An emulator of AWS Lambda: functions as processes, behind URLs, by the documented runtime API.
//!
//! Each instance of a function is a process of its own, with a runtime API of its own, and handles one invocation at a
//! time. Between two invocations it is suspended (SIGSTOP), as on the platform: work that it has left for later does not
//! happen. Further instances start while all others are busy, up to a maximum.
//!
//! Sources: "Using the Lambda runtime API for custom runtimes", "Request and response payloads" of function URLs, and
//! "Creating AWS Lambda proxy integrations for HTTP APIs".

mod instances;
mod payload;
pub(crate) mod secrets;

use std::path::Path;
use std::process::Stdio;
use std::sync::Arc;
use std::time::{Duration, Instant};

use axum::Router;
use axum::extract::Request;
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use http::StatusCode;
use serde_json::Value;
use tokio::net::TcpListener;

use super::server_process::{ADMIN_KEY, Serving, sgsend};
use instances::Instances;

/// Longest time of an invocation.
const TIMEOUT: Duration = Duration::from_mins(1);

/// Settings of a function.
pub(crate) struct FunctionSettings<'a> {
    /// `public` or `admin`.
    pub(crate) service: &'a str,
    pub(crate) storage: &'a str,
    /// Further environment variables.
    pub(crate) variables: Vec<(String, String)>,
    /// Maximum number of instances.
    pub(crate) instances: usize,
    /// Stage of an HTTP API; `None` for a function URL.
    pub(crate) stage: Option<&'a str>,
}

/// A function with its URL; its instances end when it is dropped.
pub(crate) struct LambdaFunction {
    pub(crate) url: String,
    shared: Arc<Instances>,
    runtime: Option<tokio::runtime::Runtime>,
}

/// The two functions over one store.
pub(crate) struct LambdaPair {
    pub(crate) public: LambdaFunction,
    pub(crate) admin: LambdaFunction,
}

impl LambdaFunction {
    /// Publishes a function without starting an instance.
    pub(crate) fn start(home: &Path, settings: FunctionSettings<'_>) -> Self {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
        let mut command = sgsend(home, &[]);
        command.envs(super::bucket::environment()).env_remove("SGSEND_MIN_FREE").env_remove("HOME");
        command.envs([
            ("_HANDLER", settings.service),
            ("AWS_LAMBDA_FUNCTION_NAME", settings.service),
            ("AWS_LAMBDA_FUNCTION_MEMORY_SIZE", "512"),
            ("AWS_LAMBDA_FUNCTION_VERSION", "$LATEST"),
            ("SGSEND_STORAGE", settings.storage),
        ]);
        command.envs(settings.variables).stdout(Stdio::null()).stderr(Stdio::piped());
        let shared = Arc::new(Instances::new(command, settings.instances));
        let listener = listen(&runtime);
        let base = settings.stage.map(|stage| format!("/{stage}")).unwrap_or_default();
        let url = format!("http://{}{base}", listener.local_addr().unwrap());
        let stage = settings.stage.map(str::to_owned);
        let instances = shared.clone();
        let handle = async move |request| respond(&instances, stage.as_deref(), request).await;
        let router = Router::new().fallback(handle);
        runtime.spawn(async move { axum::serve(listener, router).await.unwrap() });
        Self { url, shared, runtime: Some(runtime) }
    }

    /// Invokes the function with this event, as a schedule does.
    pub(crate) fn invoke(&self, event: &Value) -> Result<Value, InvocationFailure> {
        let shared = self.shared.clone();
        let event = Bytes::from(event.to_string());
        // On a thread of its own, since a test may run in another runtime.
        let runtime = self.runtime.as_ref().unwrap().handle().clone();
        let invoked = std::thread::spawn(move || runtime.block_on(shared.invoke(event))).join().unwrap();
        invoked.map(|body| serde_json::from_slice(&body).unwrap())
    }

    /// Returns the number of running instances.
    pub(crate) fn instances(&self) -> usize {
        self.shared.running()
    }

    /// Suspends the instance that gets the next event, as soon as it has the event.
    pub(crate) fn freeze_next(&self) {
        self.shared.freeze_next();
    }

    /// Waits until an instance is suspended with an event.
    pub(crate) fn wait_for_frozen(&self) {
        let began = Instant::now();
        while !self.shared.is_one_frozen() {
            assert!(began.elapsed() < TIMEOUT, "no invocation came");
            std::thread::sleep(Duration::from_millis(2));
        }
    }

    /// Resumes all suspended instances with events.
    pub(crate) fn thaw(&self) {
        self.shared.thaw();
    }

    /// Returns a function that kills all instances with an event.
    pub(crate) fn killer(&self) -> impl Fn() + Send + Sync + 'static {
        let shared = self.shared.clone();
        move || shared.kill_busy()
    }

    /// Ends all instances without notice, as the platform does; returns the logs of all that have ended.
    pub(crate) fn end_instances(&self) -> String {
        self.shared.end_all()
    }

    /// Returns the times from the start of each process until it has asked for its first event.
    pub(crate) fn cold_starts(&self) -> Vec<Duration> {
        self.shared.cold_starts()
    }
}

impl Drop for LambdaFunction {
    fn drop(&mut self) {
        self.end_instances();
        self.runtime.take().unwrap().shutdown_background();
    }
}

impl LambdaPair {
    /// Publishes both functions over a storage, each with up to `instances` instances.
    pub(crate) fn over(home: &Path, storage: &str, instances: usize, variables: &[(&str, &str)]) -> Self {
        let variables: Vec<_> =
            variables.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        let settings = |service, variables| FunctionSettings { service, storage, variables, instances, stage: None };
        let with_key = [variables.clone(), vec![("SGSEND_ADMIN_KEY".to_owned(), ADMIN_KEY.to_owned())]].concat();
        Self {
            public: LambdaFunction::start(home, settings("public", variables)),
            admin: LambdaFunction::start(home, settings("admin", with_key)),
        }
    }
}

impl Serving for LambdaPair {
    fn public(&self) -> &str {
        &self.public.url
    }

    fn admin(&self) -> &str {
        &self.admin.url
    }

    fn admin_key(&self) -> Option<&'static str> {
        Some(ADMIN_KEY)
    }
}

/// Error of an invocation, as a caller of the function gets it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum InvocationFailure {
    /// The function has reported this error.
    Reported(String),
    /// The process has ended.
    Exited(String),
    /// No response in time.
    TimedOut,
}

/// Handles a request to the function's URL.
async fn respond(instances: &Arc<Instances>, stage: Option<&str>, request: Request) -> Response {
    let event = payload::event(stage, request).await;
    if event.len() > payload::MAX_PAYLOAD {
        return StatusCode::PAYLOAD_TOO_LARGE.into_response();
    }
    match instances.invoke(event).await {
        Ok(body) => payload::response(&serde_json::from_slice(&body).unwrap()),
        Err(_) => (StatusCode::BAD_GATEWAY, r#"{"Message":"Internal Server Error"}"#).into_response(),
    }
}

/// Listens on a free port in `runtime`, also from within another runtime.
fn listen(runtime: &tokio::runtime::Runtime) -> TcpListener {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    listener.set_nonblocking(true).unwrap();
    let _entered = runtime.enter();
    TcpListener::from_std(listener).unwrap()
}
