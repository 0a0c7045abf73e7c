//! Sending to the payload store: parts go out side by side, each until it has arrived, until the service finds them whole.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use futures_util::{StreamExt, TryStreamExt, stream};
use tokio::task::spawn_blocking;

use super::UploadError;
use super::plan::Plan;
use super::request::{Delivery, Dispatch, Payload};
use super::urls::{Signed, Urls};
use crate::client::{Api, ClientError, Progress, RetryPolicy, StoreError};
use crate::domain::error::ErrorCode;
use crate::domain::id::TransferId;
use crate::domain::transfer::Status;
use crate::domain::wire::{CompletedTransfer, UploadInstruction};

/// How many parts are on their way at once.
const AT_ONCE: usize = 4;
/// How many segments of each are sealed ahead.
const SEAL_AHEAD: usize = 1;
/// How often a part may break off after bytes of it have moved, without that time counting as a standstill.
const MOST_BREAKS: u32 = 10;
/// How often the service may find that parts are missing which have been sent.
const MOST_ROUNDS: u32 = 5;

/// One payload on its way to its store.
pub(super) struct ByStore {
    api: Api,
    id: TransferId,
    plan: Plan,
    urls: Urls,
    payload: Payload,
    patience: RetryPolicy,
    progress: Arc<dyn Progress>,
    /// Whether the store has taken a byte, or answered.
    touched: AtomicBool,
}

/// What became of a part.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Sent {
    /// The store has it.
    Arrived,
    /// The store does not take it any more; only the service knows why.
    Unknown,
}

impl ByStore {
    /// The payload of the transfer `id`, to be sent as `instruction` and its `plan` say.
    pub(super) fn new(
        api: Api,
        id: TransferId,
        (plan, instruction): (Plan, UploadInstruction),
        payload: Payload,
        patience: RetryPolicy,
        progress: Arc<dyn Progress>,
    ) -> Self {
        let urls = Urls::new(api.clone(), id, plan, instruction);
        Self { api, id, plan, urls, payload, patience, progress, touched: AtomicBool::new(false) }
    }

    /// Sends what is `missing` and completes the upload. With `give_up`, a store that is out of reach from the beginning is
    /// an error at once; [`is_untouched`](Self::is_untouched) tells it from others.
    pub(super) async fn run(&mut self, mut missing: Vec<u32>, give_up: bool) -> Result<CompletedTransfer, UploadError> {
        let mut rounds = 0;
        loop {
            if !missing.is_empty() {
                self.send(&missing, give_up).await?;
                rounds += 1;
                self.patience.progressed();
            }
            let error = match self.api.complete(self.id).await {
                Ok(completed) => return self.payload.check_sent(self.payload.size()).map(|()| completed),
                Err(error) => error,
            };
            if error.code() == Some(ErrorCode::UploadIncomplete) {
                let lost = ClientError::CutShort { origin: self.api.origin().clone() };
                if rounds == MOST_ROUNDS {
                    return Err(UploadError::GivenUp(lost));
                }
                self.patience.wait_after(lost, &*self.progress).await.map_err(UploadError::GivenUp)?;
                missing = self.missing().await?;
            } else if error.is_transient() {
                self.patience.wait_after(error, &*self.progress).await?;
                missing = Vec::new();
            } else {
                return Err(error.into());
            }
        }
    }

    /// Whether nothing of the payload can have arrived, because the store could never be reached.
    pub(super) fn is_untouched(&self) -> bool {
        !self.touched.load(Ordering::Relaxed)
    }

    /// Asks the service which parts have not arrived.
    pub(super) async fn missing(&mut self) -> Result<Vec<u32>, UploadError> {
        let state = self.patience.call(&*self.progress, || self.api.upload_status(self.id)).await?;
        Ok(match state.status {
            Status::Pending if !self.plan.is_single() => self.plan.missing(state.parts_received.unwrap_or_default()),
            Status::Pending if state.received_bytes < state.size_bytes => vec![1],
            // Completing it again tells.
            _ => Vec::new(),
        })
    }

    /// Sends these parts, a few at once.
    async fn send(&self, numbers: &[u32], give_up: bool) -> Result<(), UploadError> {
        let length = |number: &u32| {
            let range = self.plan.range(*number);
            range.end - range.start
        };
        let through = &self.payload.through;
        through.set(self.payload.size() - numbers.iter().map(length).sum::<u64>());
        self.urls.want(numbers);
        let parts = stream::iter(numbers).map(|number| self.send_part(*number, give_up));
        let arrived = parts.buffer_unordered(AT_ONCE).try_all(|sent| std::future::ready(sent == Sent::Arrived));
        if Box::pin(arrived).await? {
            through.set(self.payload.size());
        } else {
            // What is signed may be for an upload that is not there any more.
            self.urls.forget_all();
        }
        // The last segment was sealed while others were still being read.
        let segments = self.payload.segments.clone();
        let check = spawn_blocking(move || segments.source().check_unchanged());
        Ok(check.await.expect("looking at a file does not panic")?)
    }

    /// Sends one part until it has arrived, or cannot.
    async fn send_part(&self, number: u32, give_up: bool) -> Result<Sent, UploadError> {
        let mut patience = self.patience.anew();
        let mut breaks = 0;
        let mut signed: Option<Signed> = None;
        // Whether the URL was asked for because the one before was refused, and was not used yet.
        let mut is_fresh = false;
        loop {
            let to = match signed.take() {
                Some(signed) => signed,
                None => match self.urls.take(number, &mut patience, &*self.progress).await {
                    Err(error) if error.code() == Some(ErrorCode::TransferNotPending) => return Ok(Sent::Unknown),
                    taken => taken?,
                },
            };
            let delivery = self.deliver(number, &to, &patience).await;
            let error = match delivery.outcome {
                Ok(()) => return Ok(Sent::Arrived),
                Err(UploadError::Client(error)) => error,
                Err(local) => return Err(local),
            };
            self.payload.through.lost(delivery.moved);
            let was_fresh = std::mem::take(&mut is_fresh);
            match error.store_status() {
                Some(412) if self.plan.is_single() => return Ok(Sent::Unknown),
                Some(404) => return Ok(Sent::Unknown),
                Some(403) if !was_fresh => {
                    self.urls.forget(to.answer);
                    is_fresh = true;
                    continue;
                }
                _ => {}
            }
            if !error.is_transient() || (give_up && self.is_untouched()) {
                return Err(error.into());
            }
            breaks += u32::from(delivery.moved > 0);
            if breaks <= MOST_BREAKS {
                patience.was_moving(delivery.moving);
            }
            patience.wait_after(error, &*self.progress).await?;
            if breaks < 2 {
                signed = Some(to);
            } else {
                // A store that refuses may cut the connection before its answer can be read.
                self.urls.forget(to.answer);
            }
        }
    }

    async fn deliver(&self, number: u32, to: &Signed, patience: &RetryPolicy) -> Delivery<()> {
        let dispatch = Dispatch {
            range: self.plan.range(number),
            ahead: SEAL_AHEAD,
            origin: to.request.origin().clone(),
            stall: patience.stall(),
        };
        let mut delivery = self.payload.send(dispatch, |body| to.request.send(body)).await;
        delivery.outcome = delivery.outcome.map_err(|error| match error {
            UploadError::Client(error @ ClientError::Timeout { .. }) => {
                ClientError::from(StoreError::stalled(error, delivery.moved > 0)).into()
            }
            error => error,
        });
        let answered = match &delivery.outcome {
            Ok(()) => true,
            Err(UploadError::Client(error)) => error.store_status().is_some(),
            Err(_) => false,
        };
        if answered || delivery.moved > 0 {
            self.touched.store(true, Ordering::Relaxed);
        }
        delivery
    }
}
