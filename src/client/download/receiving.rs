//! Receiving: the payload comes the way that the service names, or through the service where that way is blocked.

use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use bytes::Bytes;
use tokio::sync::{Mutex, mpsc};

use super::fetch::{FetchError, Fetching};
use super::ranges::{Current, RANGE, Ranges};
use super::{DownloadError, of_access};
use crate::client::buffers::Buffers;
use crate::client::store::Store;
use crate::client::{Api, ClientError, FlowChoice, Progress, RetryPolicy};
use crate::domain::crypto::proof::{AccessProof, Grant};
use crate::domain::id::TransferId;
use crate::domain::wire::{DownloadAnswer, Flow};

/// A counted download.
pub(super) struct Receiving<'a> {
    pub api: &'a Api,
    pub id: TransferId,
    pub grant: Grant,
    pub proof: Option<AccessProof>,
    pub progress: Arc<dyn Progress>,
}

impl Receiving<'_> {
    /// Fetches what `answer` says into `pieces`, from `offset` on and as far as they are wanted; tells which way it came.
    pub(super) async fn run(
        &self,
        answer: &DownloadAnswer,
        choice: FlowChoice,
        mut offset: u64,
        pieces: mpsc::Sender<Bytes>,
        patience: RetryPolicy,
    ) -> Result<Flow, DownloadError> {
        let address = match (answer.mode, choice) {
            (Flow::Bytes, _) => {
                choice.check(Flow::Bytes, self.api.origin())?;
                &answer.url
            }
            (Flow::Presigned, FlowChoice::Bytes) => self.fallback(answer)?,
            (Flow::Presigned, _) => {
                let give_up = choice == FlowChoice::Auto && answer.fallback_url.is_some();
                match self.fetch_from_store(answer, give_up, &mut offset, &pieces, &patience).await {
                    Err(FetchError::Client(error)) if give_up && error.is_store_out_of_reach() => {
                        self.progress.rerouted(&error);
                    }
                    outcome => return told(outcome, Flow::Presigned),
                }
                self.fallback(answer)?
            }
        };
        let size = answer.size_bytes;
        let fetching = Fetching { api: self.api, address, grant: &self.grant, size, progress: &*self.progress };
        told(fetching.run(offset, &pieces, patience.anew()).await, Flow::Bytes)
    }

    async fn fetch_from_store(
        &self,
        answer: &DownloadAnswer,
        give_up: bool,
        offset: &mut u64,
        pieces: &mpsc::Sender<Bytes>,
        patience: &RetryPolicy,
    ) -> Result<(), FetchError> {
        let store = Store::of(self.api);
        let url = Mutex::new(Current::first(&store, &answer.url)?);
        let ranges = Ranges {
            api: self.api.clone(),
            id: self.id,
            grant: self.grant.clone(),
            proof: self.proof.clone(),
            size: answer.size_bytes,
            give_up,
            patience: patience.anew(),
            progress: self.progress.clone(),
            store,
            url,
            touched: AtomicBool::new(false),
            buffers: Buffers::of(usize::try_from(RANGE).expect("a range fits into memory")),
        };
        ranges.run(offset, pieces).await
    }

    /// Where the service hands the payload out itself.
    fn fallback<'a>(&self, answer: &'a DownloadAnswer) -> Result<&'a String, ClientError> {
        let origin = || self.api.origin().clone();
        answer.fallback_url.as_ref().ok_or_else(|| ClientError::Flow { origin: origin(), flow: Flow::Bytes })
    }
}

fn told(outcome: Result<(), FetchError>, flow: Flow) -> Result<Flow, DownloadError> {
    match outcome {
        // Whoever opens the payload wants no more of it, and tells why.
        Ok(()) | Err(FetchError::NotWanted) => Ok(flow),
        Err(FetchError::Client(error)) => Err(of_access(error)),
        Err(FetchError::OtherRange) => Err(DownloadError::OtherRange),
        Err(FetchError::Gone(status)) => Err(DownloadError::Gone(status)),
    }
}
