//! Sending: the payload goes the way that the service names, or through the service where that way is blocked.

use std::sync::Arc;

use super::UploadError;
use super::by_service::ByService;
use super::by_store::ByStore;
use super::plan::Plan;
use super::request::Payload;
use crate::client::{Api, ClientError, FlowChoice, Progress, RetryPolicy};
use crate::domain::error::ErrorCode;
use crate::domain::id::TransferId;
use crate::domain::wire::{CompletedTransfer, Flow, UploadInstruction};

/// A payload to be sent.
pub(super) struct Sending {
    pub api: Api,
    pub id: TransferId,
    pub payload: Payload,
    pub patience: RetryPolicy,
    pub progress: Arc<dyn Progress>,
}

/// What the service has of a payload already.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Already {
    /// So many bytes from the front, where it comes through the service.
    pub bytes: u64,
    /// These parts, as ranges of numbers with both ends, where it comes in parts.
    pub parts: Vec<[u32; 2]>,
    /// All of it, this way.
    pub whole: Option<Flow>,
}

impl Sending {
    /// Sends what is not there `already` and completes the upload; tells which way it went.
    pub(super) async fn run(
        mut self,
        instruction: UploadInstruction,
        choice: FlowChoice,
        already: Already,
    ) -> Result<(CompletedTransfer, Flow), UploadError> {
        if let Some(flow) = already.whole {
            self.payload.check_sent(self.payload.size())?;
            let completed = self.patience.call(&*self.progress, || self.api.complete(self.id)).await?;
            return Ok((completed, flow));
        }
        let origin = self.api.origin();
        let Some(plan) = Plan::of(&instruction, self.payload.size(), origin)? else {
            choice.check(Flow::Bytes, origin)?;
            self.progress.step(format_args!("the payload goes to {origin}, which has {} bytes of it", already.bytes));
            return self.by_service(address_of(&instruction), already.bytes).await;
        };
        let fallback = address_of(&instruction);
        if choice == FlowChoice::Bytes {
            return self.by_service(fallback, already.bytes).await;
        }
        let missing = if plan.is_single() { vec![1] } else { plan.missing(already.parts) };
        self.progress.step(format_args!(
            "the payload goes to the store of {origin} in {} parts, of which {} are missing",
            plan.count(),
            missing.len()
        ));
        let fallback = fallback.filter(|_| choice == FlowChoice::Auto);
        let mut by_store = ByStore::new(
            self.api.clone(),
            self.id,
            (plan, instruction),
            self.payload.clone(),
            self.patience.anew(),
            self.progress.clone(),
        );
        let blocked = match by_store.run(missing, fallback.is_some()).await {
            Err(UploadError::Client(error @ ClientError::Store(_)))
                if fallback.is_some() && by_store.is_untouched() =>
            {
                error
            }
            outcome => return Ok((outcome?, Flow::Presigned)),
        };
        self.progress.rerouted(&blocked);
        match self.by_service(fallback, 0).await {
            // Something has arrived at the store after all, and an upload goes one way only.
            Err(UploadError::Client(error)) if error.code() == Some(ErrorCode::WrongMode) => {
                let missing = by_store.missing().await?;
                Ok((by_store.run(missing, false).await?, Flow::Presigned))
            }
            outcome => outcome,
        }
    }

    async fn by_service(
        &self,
        address: Option<String>,
        already: u64,
    ) -> Result<(CompletedTransfer, Flow), UploadError> {
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
        Ok((by_service.run(already).await?, Flow::Bytes))
    }
}

/// Where the service takes the payload itself, if it does.
pub(super) fn address_of(instruction: &UploadInstruction) -> Option<String> {
    match instruction {
        UploadInstruction::Bytes { url } => Some(url.clone()),
        UploadInstruction::Single { fallback_url, .. } | UploadInstruction::Multipart { fallback_url, .. } => {
            fallback_url.clone()
        }
    }
}
