//! Typed client of the admin service: one method per route.

use std::sync::Arc;

use reqwest::{Method, RequestBuilder};
use serde::de::DeserializeOwned;
use url::Url;

use super::api::{JsonBody, RecordPage, page_url};
use super::response;
use super::secret::sensitive;
use crate::client::{AdminKey, ClientError, Transport, TransportOptions};
use crate::domain::base_url::BaseUrl;
use crate::domain::id::{TokenId, TransferId};
use crate::domain::wire::{CreateToken, CreatedToken, Empty, Page, StatsOverview, TokenItem, TransferStatus};

/// Client of the admin service at one base URL, with its admin key.
#[derive(Clone)]
pub struct AdminApi {
    transport: Transport,
    base_url: BaseUrl,
    key: Arc<AdminKey>,
}

impl AdminApi {
    /// Builds a client for the service at `base_url`, without connecting yet.
    pub fn new(base_url: BaseUrl, key: Arc<AdminKey>, options: &TransportOptions) -> Result<Self, ClientError> {
        let transport = Transport::to(&base_url, options)?;
        Ok(Self { transport, base_url, key })
    }

    /// Creates a sender token.
    pub async fn create_token(&self, token: &CreateToken) -> Result<CreatedToken, ClientError> {
        let request = self.request(Method::POST, self.base_url.join("/tokens/create")).json_body(token);
        self.call("tokens/create", request).await
    }

    /// Returns a page of the sender tokens, starting after the token `after`.
    pub async fn tokens(&self, after: Option<&str>) -> Result<Page<TokenItem>, ClientError> {
        let url = page_url(self.base_url.join("/tokens/list"), after);
        self.call("tokens/list", self.request(Method::GET, url)).await
    }

    /// Revokes a sender token. Idempotent.
    pub async fn revoke_token(&self, id: TokenId) -> Result<TokenItem, ClientError> {
        let url = self.base_url.join(&format!("/tokens/id/{id}/revoke"));
        self.call("tokens/revoke", self.request(Method::POST, url).json_body(&Empty {})).await
    }

    /// Returns usage statistics: what is stored, and counts of past operations.
    pub async fn stats(&self) -> Result<StatsOverview, ClientError> {
        self.call("stats/overview", self.request(Method::GET, self.base_url.join("/stats/overview"))).await
    }

    /// Returns a page of a transfer's audit records, starting after the record `after`.
    pub async fn audit(&self, id: TransferId, after: Option<&str>) -> Result<RecordPage, ClientError> {
        let url = page_url(self.base_url.join(&format!("/audit/transfers/id/{id}/all")), after);
        self.call("audit", self.request(Method::GET, url)).await
    }

    /// Deletes a transfer of any sender.
    pub async fn delete(&self, id: TransferId) -> Result<TransferStatus, ClientError> {
        let url = self.base_url.join(&format!("/transfers/id/{id}/delete"));
        self.call("delete", self.request(Method::POST, url).json_body(&Empty {})).await
    }

    fn request(&self, method: Method, url: Url) -> RequestBuilder {
        self.transport.client.request(method, url).timeout(self.transport.call_timeout)
    }

    /// Adds the admin key, if it belongs to the request's origin, and sends the request.
    async fn call<T: DeserializeOwned>(&self, name: &'static str, request: RequestBuilder) -> Result<T, ClientError> {
        let (client, request) = request.build_split();
        let mut request = request.map_err(ClientError::Setup)?;
        let admin = self.key.reveal_to(request.url())?;
        let value = sensitive(&admin.key).ok_or(ClientError::MalformedSecret("admin key"))?;
        request.headers_mut().insert(admin.header.clone(), value);
        response::call(&self.transport.destination, name, RequestBuilder::from_parts(client, request)).await
    }
}
