//! Chooses the data path of an upload. Falls back to the service if the payload store cannot be used from here.

use std::sync::Arc;

use super::UploadError;
use super::bytes_upload::BytesUpload;
use super::plan::UploadPlan;
use super::request::UploadPayload;
use super::store_upload::StoreUpload;
use crate::client::{Api, ClientError, FlowChoice, Progress, RetryPolicy};
use crate::domain::error::ErrorCode;
use crate::domain::id::TransferId;
use crate::domain::wire::{CompletedTransfer, Flow, UploadInstruction};

/// Upload of one prepared payload.
pub(super) struct Driver {
    pub api: Api,
    pub id: TransferId,
    pub payload: UploadPayload,
    pub retry: RetryPolicy,
    pub progress: Arc<dyn Progress>,
}

/// Parts of a payload that the service already has.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct AlreadyReceived {
    /// Received bytes from the start, for an upload through the service.
    pub bytes: u64,
    /// Received parts as inclusive ranges of part numbers, for an upload in parts.
    pub parts: Vec<[u32; 2]>,
    /// Data path of the payload, if the service has all of it.
    pub complete_by: Option<Flow>,
}

impl Driver {
    /// Sends the missing rest of the payload and completes the upload; returns the data path used.
    pub(super) async fn run(
        mut self,
        instruction: UploadInstruction,
        choice: FlowChoice,
        already: AlreadyReceived,
    ) -> Result<(CompletedTransfer, Flow), UploadError> {
        if let Some(flow) = already.complete_by {
            self.payload.check_sent(self.payload.size())?;
            let with = self.payload.completion().await?;
            let completed = self.retry.call(&*self.progress, || self.api.complete(self.id, &with)).await?;
            return Ok((completed, flow));
        }
        let origin = self.api.origin();
        let Some(plan) = UploadPlan::of(&instruction, self.payload.size(), origin)? else {
            choice.check(Flow::Bytes, origin)?;
            self.progress
                .step(format_args!("sending the payload to {origin}, which already has {} bytes", already.bytes));
            return self.bytes_upload(address_of(&instruction), already.bytes).await;
        };
        let fallback = address_of(&instruction);
        if choice == FlowChoice::Bytes {
            return self.bytes_upload(fallback, already.bytes).await;
        }
        let missing = if plan.is_single() { vec![1] } else { plan.missing(already.parts) };
        self.progress.step(format_args!(
            "sending the payload to the store of {origin} in {} parts, {} of them missing",
            plan.count(),
            missing.len()
        ));
        let fallback = fallback.filter(|_| choice == FlowChoice::Auto);
        let mut store_upload = StoreUpload::new(
            self.api.clone(),
            self.id,
            (plan, instruction),
            self.payload.clone(),
            self.retry.renewed(),
            self.progress.clone(),
        );
        let store_error = match store_upload.run(missing, fallback.is_some()).await {
            Err(UploadError::Client(error @ ClientError::Store(_)))
                if fallback.is_some() && store_upload.is_unusable(&error) =>
            {
                error
            }
            outcome => return Ok((outcome?, Flow::Presigned)),
        };
        self.progress.rerouted(&store_error);
        match self.bytes_upload(fallback, 0).await {
            // The store has received bytes after all, and one upload cannot use both paths.
            Err(UploadError::Client(error)) if error.code() == Some(ErrorCode::WrongMode) => {
                let missing = store_upload.missing().await?;
                Ok((store_upload.run(missing, false).await?, Flow::Presigned))
            }
            outcome => outcome,
        }
    }

    async fn bytes_upload(
        &self,
        address: Option<String>,
        already: u64,
    ) -> Result<(CompletedTransfer, Flow), UploadError> {
        let address =
            address.ok_or_else(|| ClientError::Flow { origin: self.api.origin().clone(), flow: Flow::Bytes })?;
        let bytes_upload = BytesUpload::new(
            self.api.clone(),
            self.id,
            address,
            self.payload.clone(),
            self.retry.renewed(),
            self.progress.clone(),
        );
        Ok((bytes_upload.run(already).await?, Flow::Bytes))
    }
}

/// Returns the address at which the service itself accepts the payload, if it does.
pub(super) fn address_of(instruction: &UploadInstruction) -> Option<String> {
    match instruction {
        UploadInstruction::Bytes { url } => Some(url.clone()),
        UploadInstruction::Single { fallback_url, .. } | UploadInstruction::Multipart { fallback_url, .. } => {
            fallback_url.clone()
        }
    }
}
