//! The services as AWS Lambda functions: events of function URLs and HTTP APIs instead of connections.
//!
//! Lambda suspends the process between two invocations, and may end it there without notice. So no work is left for
//! later: what background jobs do elsewhere happens before each response (`finish_work`), and a scheduled event runs
//! the sweep.

mod event;
mod request;
mod response;
mod secret;

use std::sync::Arc;
use std::time::{Duration, Instant};

use axum::Router;
use axum::response::Response;
use lambda_runtime::{Diagnostic, LambdaEvent};
use serde::Serialize;
use serde_json::Value;
use tokio::sync::OnceCell;
use tower::ServiceExt;

pub use secret::{DEFAULT_EXTENSION_PORT, KeySecret, KeySecretError};

use super::background;
use super::net::rate_limit::RateLimiter;
use super::state::App;
use super::{Server, Settings, StartError, notify, router};
use crate::domain::audit::{ServiceName, WriteMode};
use crate::domain::clock::SystemClock;
use crate::domain::error::{Error, chain};
use crate::domain::store::StoreError;
use crate::domain::timestamp::Timestamp;
use crate::domain::transfers::SweepResult;
use crate::server::api::error::ApiError;
use event::{InvalidEvent, LambdaEventKind};
use request::{FunctionPath, RoutedEvent};
use response::LambdaResponse;

/// Largest body of a response, in bytes.
///
/// A response is at most 6 MiB of JSON, which contains the body as a string. Text of a page or of JSON at most doubles
/// there, since a character with a backslash has two bytes; the rest is for the headers. Source: "Invocation payload" in
/// the quotas of AWS Lambda.
pub(super) const MAX_RESPONSE_BYTES: u64 = 3 * 1024 * 1024 - 64 * 1024;
/// Time before the deadline of an invocation at which a sweep stops.
const SWEEP_RESERVE: Duration = Duration::from_secs(5);
/// Largest difference between the deadline of an invocation and the clock that is plausible.
///
/// An invocation lasts at most 15 min. Source: "Function timeout" in the quotas of AWS Lambda.
const MAX_DEADLINE_DIFFERENCE: Duration = Duration::from_hours(1);

/// One of the services as a Lambda function.
pub struct LambdaFunction {
    service: ServiceName,
    settings: Settings,
    /// The secret with the admin key, if `settings` has no key.
    secret: Option<KeySecret>,
    opened: OnceCell<OpenFunction>,
    started: Instant,
}

/// The reasons why a function cannot serve.
#[derive(Debug, thiserror::Error)]
pub enum LambdaError {
    /// The server cannot start.
    #[error(transparent)]
    Start(#[from] StartError),
    /// The admin key cannot be read.
    #[error("cannot read the admin key")]
    Secret(#[from] KeySecretError),
    /// The runtime API failed.
    #[error("the runtime API of Lambda failed")]
    Runtime(#[source] lambda_runtime::Error),
}

/// Failure of an invocation, which Lambda counts as an error of the function.
#[derive(Debug, thiserror::Error)]
enum InvocationError {
    #[error(transparent)]
    Event(#[from] InvalidEvent),
    #[error(transparent)]
    Open(#[from] LambdaError),
    #[error("the sweep failed")]
    Sweep(#[source] Error),
    #[error("nothing is swept: the clock is at {now}, and the deadline of the invocation at {deadline}")]
    Clock { now: String, deadline: String },
}

/// A function with its open store.
struct OpenFunction {
    server: Server,
    router: Router,
    base: FunctionPath,
}

/// Result of an invocation.
#[derive(Debug, Serialize)]
#[serde(untagged)]
enum InvocationResult {
    Response(LambdaResponse),
    Sweep(SweepReport),
}

/// Result of a scheduled event.
#[derive(Debug, Serialize)]
struct SweepReport {
    processed: u64,
    payloads_removed: u64,
    removed: u64,
    failed: u64,
    /// Whether the sweep has ended before the deadline of the invocation.
    ///
    /// Otherwise the next sweep continues.
    complete: bool,
}

impl LambdaFunction {
    /// Creates a function of `service`. Adapts the settings: presigned URLs only, and no record is left for later.
    #[must_use]
    pub fn new(service: ServiceName, settings: Settings, secret: Option<KeySecret>) -> Self {
        let settings = Settings {
            audit: WriteMode::Immediate,
            bytes_fallback: false,
            max_response_bytes: Some(MAX_RESPONSE_BYTES),
            ..settings
        };
        Self { service, settings, secret, opened: OnceCell::new(), started: Instant::now() }
    }

    /// Serves invocations until Lambda ends the process.
    ///
    /// # Errors
    /// [`LambdaError`] if the server cannot start, or the runtime API fails.
    pub async fn run(self) -> Result<(), LambdaError> {
        // The extension with the secrets responds only once the first invocation has begun.
        if self.secret.is_none() {
            self.opened().await?;
        }
        let function = Arc::new(self);
        let handler = lambda_runtime::service_fn(move |event: LambdaEvent<Value>| {
            let function = function.clone();
            async move { function.invoke(event).await }
        });
        Box::pin(lambda_runtime::run(handler)).await.map_err(LambdaError::Runtime)
    }

    /// Returns the open function; opens it at the first call, and again after a failure.
    async fn opened(&self) -> Result<&OpenFunction, LambdaError> {
        self.opened.get_or_try_init(|| self.open()).await
    }

    async fn open(&self) -> Result<OpenFunction, LambdaError> {
        let mut settings = self.settings.clone();
        if let Some(secret) = &self.secret {
            settings.admin_key = Some(secret.read().await?);
        }
        if self.service == ServiceName::Admin && settings.admin_key.is_none() {
            return Err(StartError::NoAdminKey.into());
        }
        let server = Server::open(settings, Arc::new(SystemClock)).await?;
        let settings = &server.settings;
        let base = match settings.own_url(self.service) {
            Some(_) => FunctionPath::Configured(router::base_path(self.service, settings)),
            None => FunctionPath::Stage,
        };
        // All other machines can reach a function.
        let limiter = settings.rate.limit(true).map(RateLimiter::new).map(Arc::new);
        let router = router::router(&server.app, self.service, settings, limiter);
        let millis = u64::try_from(self.started.elapsed().as_millis()).unwrap_or(u64::MAX);
        tracing::info!(service = self.service.as_str(), millis, "ready for invocations");
        Ok(OpenFunction { server, router, base })
    }

    async fn invoke(&self, event: LambdaEvent<Value>) -> Result<InvocationResult, InvocationError> {
        let (payload, context) = event.into_parts();
        let deadline = Timestamp::from_millis(context.deadline);
        match (LambdaEventKind::parse(payload)?, self.opened().await) {
            (LambdaEventKind::Request(event), Ok(function)) => {
                Ok(InvocationResult::Response(function.respond(*event).await))
            }
            (LambdaEventKind::Request(_), Err(error)) => {
                tracing::error!(error = %chain(&error), "cannot start, will retry with the next request");
                Ok(InvocationResult::Response(unavailable().await))
            }
            (LambdaEventKind::Sweep, function) => function?.sweep(deadline).await.map(InvocationResult::Sweep),
        }
    }
}

impl OpenFunction {
    fn app(&self) -> &App {
        &self.server.app
    }

    /// Responds to a request, after all its work.
    async fn respond(&self, event: event::RequestEvent) -> LambdaResponse {
        let response = match event.route(&self.base) {
            Ok(RoutedEvent::Request(request)) => {
                let Ok(response) = self.router.clone().oneshot(request).await;
                response
            }
            Ok(RoutedEvent::Redirect(to)) => response::redirect(&to),
            Err(reason) => problem(self.app(), Error::InvalidRequest(reason.to_string())),
        };
        let response = LambdaResponse::of(response).await;
        finish_work(self.app()).await;
        response
    }

    /// Runs one sweep, which ends before the deadline of the invocation.
    ///
    /// # Errors
    /// If the clock contradicts the deadline, or if the store cannot be listed.
    async fn sweep(&self, deadline: Timestamp) -> Result<SweepReport, InvocationError> {
        let (app, now) = (self.app(), self.app().now());
        if deadline.since(now).max(now.since(deadline)) > MAX_DEADLINE_DIFFERENCE {
            return Err(InvocationError::Clock { now: now.utc(), deadline: deadline.utc() });
        }
        // The time that passes while the process is suspended seems to be a jump, but the platform confirms the clock.
        app.clock_guard.check(Some(now));
        let time = deadline.since(now).saturating_sub(SWEEP_RESERVE);
        let swept = tokio::time::timeout(time, app.transfers.sweep()).await;
        // Ends within the lease of a queue, and so within the reserve only if the function has time for it.
        let left = deadline.since(app.now()).saturating_sub(SWEEP_RESERVE);
        if tokio::time::timeout(left, notify::deliver_once(app)).await.is_err() {
            tracing::info!("notifications are left for the next sweep");
        }
        finish_work(app).await;
        let report = match swept {
            Ok(swept) => SweepReport::of(swept.map_err(InvocationError::Sweep)?),
            Err(_) => SweepReport { complete: false, ..SweepReport::of(SweepResult::default()) },
        };
        tracing::info!(?report, "swept");
        Ok(report)
    }
}

impl SweepReport {
    const fn of(swept: SweepResult) -> Self {
        let SweepResult { processed, payloads_removed, removed, failed } = swept;
        Self { processed, payloads_removed, removed, failed, complete: true }
    }
}

impl From<InvocationError> for Diagnostic {
    fn from(error: InvocationError) -> Self {
        let text = chain(&error);
        tracing::error!(error = %text, "invocation failed");
        Self { error_type: "sgsend".to_owned(), error_message: text }
    }
}

/// Does the work of background jobs: this process may be suspended from the response on.
///
/// Failures are logged, and retried with the next invocation.
async fn finish_work(app: &App) {
    app.transfers.flush_counts().await;
    app.transfers.write_deletions().await;
    app.store.measure_space().await;
    background::flush(&*app.store).await;
}

/// Renders an error that no route has caused.
fn problem(app: &App, error: Error) -> Response {
    ApiError::from(error).render(app.ids.next(app.now()))
}

/// Returns the response of a function whose store is not open.
async fn unavailable() -> LambdaResponse {
    let error = ApiError::from(StoreError::unavailable("this function could not start"));
    let now = crate::domain::clock::Clock::now(&SystemClock);
    LambdaResponse::of(error.render(crate::domain::id::RecordIds::default().next(now))).await
}
