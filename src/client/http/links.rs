//! Calls of the routes for the links of a transfer.

use super::api::{Api, with_proof};
use super::response;
use crate::client::ClientError;
use crate::domain::crypto::proof::AccessProof;
use crate::domain::error::ErrorCode;
use crate::domain::id::{LinkId, TransferId};
use crate::domain::transfer::Status;
use crate::domain::wire::{
    CreateLink, CreatedLink, Empty, LinkItem, LinkPage, LinkPageQuery, LinkStatus, Page, UpdateLink,
};

impl Api {
    /// Returns the status of the link with the id `id`. That of a further link has all members only with its `proof`.
    pub async fn status(&self, id: TransferId, proof: Option<&AccessProof>) -> Result<LinkStatus, ClientError> {
        let request = with_proof(self.get(self.route(id, "status")), proof);
        response::call(self.destination(), "status", request).await
    }

    /// Creates a further link. Idempotent: a repeated request returns the existing link.
    pub async fn create_link(&self, id: TransferId, link: &CreateLink) -> Result<CreatedLink, ClientError> {
        let request = self.as_sender(self.post(self.route(id, "links/create"), link))?;
        response::call(self.destination(), "links/create", request).await
    }

    /// Returns a page of the links of a transfer, after the link with the id `after`.
    pub async fn links(&self, id: TransferId, after: Option<&str>) -> Result<Page<LinkItem>, ClientError> {
        let query = LinkPageQuery { after: after.and_then(|id| id.parse().ok()), limit: None };
        let request = self.as_sender(self.post(self.route(id, "links/list"), &query))?;
        let LinkPage { items, next } = response::call(self.destination(), "links/list", request).await?;
        Ok(Page { items, next: next.map(|id| id.to_string()) })
    }

    /// Changes expiry or download limit of a link.
    pub async fn update_link(
        &self,
        id: TransferId,
        link_id: LinkId,
        change: &UpdateLink,
    ) -> Result<LinkItem, ClientError> {
        let (route, name) = if LinkId::from(id) == link_id {
            ("update".to_owned(), "update")
        } else {
            (format!("links/id/{link_id}/update"), "links/update")
        };
        let request = self.as_sender(self.post(self.route(id, &route), change))?;
        response::call(self.destination(), name, request).await
    }

    /// Closes a link. Idempotent.
    pub async fn revoke_link(&self, id: TransferId, link_id: LinkId) -> Result<LinkItem, ClientError> {
        let route = self.route(id, &format!("links/id/{link_id}/revoke"));
        let request = self.as_sender(self.post(route, &Empty {}))?;
        response::call(self.destination(), "links/revoke", request).await
    }
}

impl ClientError {
    /// Returns the id of the transfer, if a route for transfers was called with the id of a further link.
    #[must_use]
    pub fn transfer_of_link(&self) -> Option<TransferId> {
        match self {
            Self::Api(error) if error.code == Some(ErrorCode::IsALink) => error.transfer_id,
            _ => None,
        }
    }
}

impl LinkStatus {
    /// Returns the state of the link, which every client may know.
    #[must_use]
    pub fn state(&self) -> Status {
        match self {
            Self::Full(status) => status.status,
            Self::Redacted(status) => status.status,
        }
    }
}
