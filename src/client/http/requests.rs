//! Calls of the routes for requests, and for what their guests upload.

use super::api::Api;
use super::response;
use crate::client::ClientError;
use crate::domain::id::TokenId;
use crate::domain::wire::{CreateRequest, CreatedRequest, Empty, RequestItem, RequestList};

impl Api {
    /// Creates a request. Idempotent: the digest of an existing request returns that request.
    pub async fn create_request(&self, request: &CreateRequest) -> Result<CreatedRequest, ClientError> {
        let request = self.as_sender(self.post(self.base_url().join("/requests/create"), request))?;
        response::call(self.destination(), "requests/create", request).await
    }

    /// Returns the requests of the sender token, newest first.
    pub async fn requests(&self) -> Result<Vec<RequestItem>, ClientError> {
        let request = self.as_sender(self.post(self.base_url().join("/requests/list"), &Empty {}))?;
        let RequestList { items } = response::call(self.destination(), "requests/list", request).await?;
        Ok(items)
    }

    /// Revokes a request. Idempotent.
    pub async fn revoke_request(&self, id: TokenId) -> Result<RequestItem, ClientError> {
        let url = self.base_url().join(&format!("/requests/id/{id}/revoke"));
        response::call(self.destination(), "requests/revoke", self.as_sender(self.post(url, &Empty {}))?).await
    }
}
