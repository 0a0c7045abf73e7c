//! Sending: the payload goes the way that the service names, or through the service where that way is blocked.

use std::sync::Arc;

use super::UploadError;
use super::by_service::ByService;
use super::by_store::ByStore;
use super::delivery::Payload;
use super::plan::Plan;
use crate::client::{Api, ClientError, FlowChoice, Patience, Progress};
use crate::domain::error::ErrorCode;
use crate::domain::id::TransferId;
use crate::domain::wire::{CompletedTransfer, Flow, UploadInstruction};

/// A payload to be sent.
pub(super) struct Sending {
    pub api: Api,
    pub id: TransferId,
    pub payload: Payload,
    pub patience: Patience,
    pub progress: Arc<dyn Progress>,
}

impl Sending {
    /// Sends it and completes the upload; tells which way it went.
    pub(super) async fn run(
        self,
        instruction: UploadInstruction,
        choice: FlowChoice,
    ) -> Result<(CompletedTransfer, Flow), UploadError> {
        let origin = self.api.origin();
        let Some(plan) = Plan::of(&instruction, self.payload.size(), origin)? else {
            choice.check(Flow::Bytes, origin)?;
            return self.by_service(address_of(&instruction)).await;
        };
        let fallback = address_of(&instruction);
        if choice == FlowChoice::Bytes {
            return self.by_service(fallback).await;
        }
        let fallback = fallback.filter(|_| choice == FlowChoice::Auto);
        let mut by_store = ByStore::new(
            self.api.clone(),
            self.id,
            (plan, instruction),
            self.payload.clone(),
            self.patience.anew(),
            self.progress.clone(),
        );
        let blocked = match by_store.run(fallback.is_some()).await {
            Err(UploadError::Client(error @ ClientError::Store(_)))
                if fallback.is_some() && by_store.is_untouched() =>
            {
                error
            }
            outcome => return Ok((outcome?, Flow::Presigned)),
        };
        self.progress.rerouted(&blocked);
        match self.by_service(fallback).await {
            // Something has arrived at the store after all, and an upload goes one way only.
            Err(UploadError::Client(error)) if error.code() == Some(ErrorCode::WrongMode) => {
                Ok((by_store.run(false).await?, Flow::Presigned))
            }
            outcome => outcome,
        }
    }

    async fn by_service(&self, address: Option<String>) -> Result<(CompletedTransfer, Flow), UploadError> {
        let address =
            address.ok_or_else(|| ClientError::Flow { origin: self.api.origin().clone(), flow: Flow::Bytes })?;
        let by_service = ByService::new(
            self.api.clone(),
            self.id,
            address,
            self.payload.clone(),
            self.patience.anew(),
            self.progress.clone(),
        );
        Ok((by_service.run().await?, Flow::Bytes))
    }
}

/// Where the service takes the payload itself, if it does.
fn address_of(instruction: &UploadInstruction) -> Option<String> {
    match instruction {
        UploadInstruction::Bytes { url } => Some(url.clone()),
        UploadInstruction::Single { fallback_url, .. } | UploadInstruction::Multipart { fallback_url, .. } => {
            fallback_url.clone()
        }
    }
}
