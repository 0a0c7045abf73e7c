//! Chooses the data path of a download. Falls back to the service if the payload store cannot be used from here.

use std::sync::atomic::AtomicBool;
use std::sync::{Arc, OnceLock};

use bytes::Bytes;
use tokio::sync::{Mutex, mpsc};

use super::fetch::{FetchError, ServiceDownload};
use super::ranges::{CurrentUrl, Ranges};
use super::wanted::WantedRanges;
use super::{DownloadError, access_error};
use crate::client::buffers::BufferPool;
use crate::client::store::StoreClient;
use crate::client::{Api, ClientError, FlowChoice, Progress, RetryPolicy};
use crate::domain::crypto::proof::{AccessProof, Grant};
use crate::domain::id::TransferId;
use crate::domain::wire::{DownloadResponse, Flow};

/// Download that the server has counted.
pub(super) struct Receiving<'a> {
    pub api: &'a Api,
    pub id: TransferId,
    pub grant: Grant,
    pub proof: Option<AccessProof>,
    pub progress: Arc<dyn Progress>,
    /// Size of a range request to the store, in bytes.
    pub step: u64,
    /// Presigned URL in use, once there is one.
    pub url: OnceLock<Arc<Mutex<CurrentUrl>>>,
}

impl Receiving<'_> {
    /// Downloads the wanted ranges into `pieces`, until their receiver closes. Returns the path used.
    pub(super) async fn run(
        &self,
        response: &DownloadResponse,
        choice: FlowChoice,
        mut wanted: WantedRanges,
        pieces: mpsc::Sender<Bytes>,
        retry: RetryPolicy,
    ) -> Result<Flow, DownloadError> {
        let address = match (response.mode, choice) {
            (Flow::Bytes, _) => {
                choice.check(Flow::Bytes, self.api.origin())?;
                &response.url
            }
            (Flow::Presigned, FlowChoice::Bytes) => self.fallback(response)?,
            (Flow::Presigned, _) => {
                let fail_fast = choice == FlowChoice::Auto && response.fallback_url.is_some();
                match self.fetch_from_store(response, fail_fast, &mut wanted, &pieces, &retry).await {
                    Err(FetchError::Client(error))
                        if fail_fast && (error.is_store_unreachable() || error.is_store_refusing()) =>
                    {
                        self.progress.rerouted(&error);
                    }
                    outcome => return to_download_result(outcome, Flow::Presigned),
                }
                self.fallback(response)?
            }
        };
        let size = response.size_bytes;
        let service_download =
            ServiceDownload { api: self.api, address, grant: &self.grant, size, progress: &*self.progress };
        to_download_result(service_download.run(&mut wanted, &pieces, retry.renewed()).await, Flow::Bytes)
    }

    async fn fetch_from_store(
        &self,
        response: &DownloadResponse,
        fail_fast: bool,
        wanted: &mut WantedRanges,
        pieces: &mpsc::Sender<Bytes>,
        retry: &RetryPolicy,
    ) -> Result<(), FetchError> {
        let store = StoreClient::of(self.api);
        let first = || CurrentUrl::first(&store, &response.url).map(|url| Arc::new(Mutex::new(url)));
        let url = match self.url.get() {
            Some(url) => url.clone(),
            None => self
                .url
                .get_or_init({
                    let url = first()?;
                    || url
                })
                .clone(),
        };
        let ranges = Ranges {
            api: self.api.clone(),
            id: self.id,
            grant: self.grant.clone(),
            proof: self.proof.clone(),
            size: response.size_bytes,
            step: self.step,
            fail_fast,
            retry: retry.renewed(),
            progress: self.progress.clone(),
            store,
            url,
            contacted: AtomicBool::new(false),
            buffers: BufferPool::of(usize::try_from(self.step).expect("a range fits into usize")),
        };
        ranges.run(wanted, pieces).await
    }

    /// Returns the address at which the service itself delivers the payload.
    fn fallback<'a>(&self, response: &'a DownloadResponse) -> Result<&'a String, ClientError> {
        let origin = || self.api.origin().clone();
        response.fallback_url.as_ref().ok_or_else(|| ClientError::Flow { origin: origin(), flow: Flow::Bytes })
    }
}

fn to_download_result(outcome: Result<(), FetchError>, flow: Flow) -> Result<Flow, DownloadError> {
    match outcome {
        // The decrypter has failed and reports its own error.
        Ok(()) | Err(FetchError::ReceiverClosed) => Ok(flow),
        Err(FetchError::Client(error)) => Err(access_error(error)),
        Err(FetchError::WrongRange) => Err(DownloadError::WrongRange),
        Err(FetchError::Gone(status)) => Err(DownloadError::Gone(status)),
    }
}
