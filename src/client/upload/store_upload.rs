//! Uploads to the payload store. Sends parts in parallel with retries, until the service has found all of them.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use futures_util::{StreamExt, TryStreamExt, stream};

use super::UploadError;
use super::pipeline::check_unchanged;
use super::plan::UploadPlan;
use super::request::{RequestOutcome, RequestParameters, UploadPayload};
use super::urls::{Signed, Urls};
use crate::client::{Api, BucketError, ClientError, Progress, RetryPolicy};
use crate::domain::error::ErrorCode;
use crate::domain::id::TransferId;
use crate::domain::transfer::Status;
use crate::domain::wire::{CompletedTransfer, UploadInstruction};

/// Maximum number of parts sent in parallel.
const MAX_PARALLEL: usize = 4;
/// Number of segments of each part sealed ahead.
const SEAL_AHEAD: usize = 1;
/// Maximum number of lost connections per part whose sending time is excluded from the retry limit.
const MAX_LOST_CONNECTIONS: u32 = 10;
/// Number of consecutive refusals of a part before the fallback to the service.
///
/// It applies to refusals that may pass, such as status 502 of a proxy.
const MAX_REFUSALS: u32 = 3;
/// Maximum number of rounds in which parts are sent, while the service still reports missing parts.
const MAX_ROUNDS: u32 = 5;

/// Upload of one payload to its store.
pub(super) struct StoreUpload {
    api: Api,
    id: TransferId,
    plan: UploadPlan,
    urls: Urls,
    payload: UploadPayload,
    retry: RetryPolicy,
    progress: Arc<dyn Progress>,
    /// Whether the store has accepted a byte or responded.
    contacted: AtomicBool,
    /// Whether the store has accepted a part.
    accepted: AtomicBool,
}

/// Outcome of sending a part.
#[derive(Clone, Copy, PartialEq, Eq)]
enum PartOutcome {
    /// The store has the part.
    Arrived,
    /// The store no longer accepts the part; only the service knows why.
    Unknown,
}

impl StoreUpload {
    /// Prepares the upload of transfer `id`, as `instruction` and its `plan` say.
    pub(super) fn new(
        api: Api,
        id: TransferId,
        (plan, instruction): (UploadPlan, UploadInstruction),
        payload: UploadPayload,
        retry: RetryPolicy,
        progress: Arc<dyn Progress>,
    ) -> Self {
        let urls = Urls::new(api.clone(), id, plan, instruction);
        Self {
            api,
            id,
            plan,
            urls,
            payload,
            retry,
            progress,
            contacted: AtomicBool::new(false),
            accepted: AtomicBool::new(false),
        }
    }

    /// Sends the `missing` parts and completes the upload.
    ///
    /// With `fail_fast`, fails at once if the store is unreachable from the start, or refuses this client;
    /// [`is_unusable`](Self::is_unusable) tells this failure from others.
    pub(super) async fn run(
        &mut self,
        mut missing: Vec<u32>,
        fail_fast: bool,
    ) -> Result<CompletedTransfer, UploadError> {
        let mut rounds = 0;
        loop {
            if !missing.is_empty() {
                self.send(&missing, fail_fast).await?;
                rounds += 1;
                self.retry.reset();
            }
            let with = self.payload.completion().await?;
            let error = match self.api.complete(self.id, &with).await {
                Ok(completed) => return self.payload.check_sent(self.payload.size()).map(|()| completed),
                Err(error) => error,
            };
            if error.code() == Some(ErrorCode::UploadIncomplete) {
                let incomplete = ClientError::Incomplete { destination: self.api.destination().clone() };
                if rounds == MAX_ROUNDS {
                    return Err(UploadError::PartsMissing(incomplete));
                }
                self.retry.wait_after(incomplete, &*self.progress).await.map_err(UploadError::PartsMissing)?;
                missing = self.missing().await?;
            } else if error.is_transient() {
                self.retry.wait_after(error, &*self.progress).await?;
                missing = Vec::new();
            } else {
                return Err(error.into());
            }
        }
    }

    /// Returns whether an upload that failed with `error` can continue through the service.
    ///
    /// Either no byte can have arrived, because the store was never reached, or the store has refused each part. If a
    /// part has arrived after all, the service rejects bytes.
    pub(super) fn is_unusable(&self, error: &ClientError) -> bool {
        self.was_never_reached() || (error.is_store_refusing() && !self.accepted.load(Ordering::Relaxed))
    }

    fn was_never_reached(&self) -> bool {
        !self.contacted.load(Ordering::Relaxed)
    }

    /// Asks the service which parts are missing.
    pub(super) async fn missing(&mut self) -> Result<Vec<u32>, UploadError> {
        let state = self.retry.call(&*self.progress, || self.api.upload_status(self.id)).await?;
        Ok(match state.status {
            Status::Pending if !self.plan.is_single() => self.plan.missing(state.parts_received.unwrap_or_default()),
            Status::Pending if state.received_bytes < state.size_bytes => vec![1],
            // The next call to complete shows the result.
            _ => Vec::new(),
        })
    }

    /// Sends the given parts, several in parallel.
    async fn send(&self, numbers: &[u32], fail_fast: bool) -> Result<(), UploadError> {
        let length = |number: &u32| {
            let range = self.plan.range(*number);
            range.end - range.start
        };
        let sent_counter = &self.payload.sent_counter;
        sent_counter.set(self.payload.size() - numbers.iter().map(length).sum::<u64>());
        self.urls.set_next(numbers);
        let parts = stream::iter(numbers).map(|number| self.send_part(*number, fail_fast));
        let parallel = self.api.throttle().map_or(MAX_PARALLEL, |throttle| throttle.connections(MAX_PARALLEL));
        let arrived =
            parts.buffer_unordered(parallel).try_all(|outcome| std::future::ready(outcome == PartOutcome::Arrived));
        if Box::pin(arrived).await? {
            sent_counter.set(self.payload.size());
        } else {
            // The presigned URLs may belong to an upload that no longer exists.
            self.urls.forget_all();
        }
        // The last segment's own check may have run while other segments were still being read.
        check_unchanged(&self.payload.segments, &self.payload.journal).await
    }

    /// Sends one part with retries, until the part has arrived or the store no longer accepts it.
    async fn send_part(&self, number: u32, fail_fast: bool) -> Result<PartOutcome, UploadError> {
        let mut retry = self.retry.renewed();
        let (mut lost_connections, mut refusals) = (0, 0);
        let mut signed: Option<Signed> = None;
        // Whether the URL replaces a rejected URL and was not used yet.
        let mut is_fresh = false;
        loop {
            let to = match signed.take() {
                Some(signed) => signed,
                None => match self.urls.take(number, &mut retry, &*self.progress).await {
                    Err(error) if error.code() == Some(ErrorCode::TransferNotPending) => {
                        return Ok(PartOutcome::Unknown);
                    }
                    taken => taken?,
                },
            };
            let result = self.deliver(number, &to, &retry).await;
            let error = match result.outcome {
                Ok(()) => return Ok(PartOutcome::Arrived),
                Err(UploadError::Client(error)) => error,
                Err(local) => return Err(local),
            };
            self.payload.sent_counter.subtract(result.sent_bytes);
            let was_fresh = std::mem::take(&mut is_fresh);
            let refuses = error.is_store_refusing();
            refusals = if refuses { refusals + 1 } else { 0 };
            match error.store_status() {
                Some(412) if self.plan.is_single() => return Ok(PartOutcome::Unknown),
                Some(404) if !(refuses && fail_fast) => return Ok(PartOutcome::Unknown),
                Some(403) if !was_fresh => {
                    self.urls.forget(to.response);
                    is_fresh = true;
                    continue;
                }
                _ => {}
            }
            let gives_up = fail_fast && (self.was_never_reached() || refusals >= MAX_REFUSALS);
            if !error.is_transient() || gives_up {
                return Err(error.into());
            }
            lost_connections += u32::from(result.sent_bytes > 0);
            if lost_connections <= MAX_LOST_CONNECTIONS {
                retry.exclude(result.sending_time);
            }
            retry.wait_after(error, &*self.progress).await?;
            if lost_connections < 2 {
                signed = Some(to);
            } else {
                // The store may have rejected the URL and closed the connection before its response could be read.
                self.urls.forget(to.response);
            }
        }
    }

    async fn deliver(&self, number: u32, to: &Signed, retry: &RetryPolicy) -> RequestOutcome<()> {
        let dispatch = RequestParameters {
            range: self.plan.range(number),
            ahead: SEAL_AHEAD,
            destination: to.request.destination().clone(),
            stall: retry.idle_timeout(),
            throttle: self.api.throttle().cloned(),
        };
        let mut result = self.payload.send(dispatch, |body| to.request.send(body)).await;
        result.outcome = result.outcome.map_err(|error| match error {
            UploadError::Client(error @ ClientError::Timeout { .. }) => {
                ClientError::from(BucketError::stalled(error, result.sent_bytes > 0)).into()
            }
            error => error,
        });
        let responded = match &result.outcome {
            Ok(()) => true,
            Err(UploadError::Client(error)) => error.store_status().is_some(),
            Err(_) => false,
        };
        if result.outcome.is_ok() {
            self.accepted.store(true, Ordering::Relaxed);
        }
        if responded || result.sent_bytes > 0 {
            self.contacted.store(true, Ordering::Relaxed);
        }
        result
    }
}
