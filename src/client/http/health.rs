//! Calls that tell how a service is: version and limits, its store, its clock and its certificate.

use http::header::DATE;
use reqwest::Method;
use reqwest::tls::TlsInfo;

use super::api::Api;
use super::error::ClientError;
use super::response;
use crate::domain::crypto::certificate::Validity;
use crate::domain::timestamp::Timestamp;
use crate::domain::wire::{Health, Readiness};

/// The version of the API that this client speaks.
const API: u32 = 1;

impl Api {
    /// Returns the service's version, modes and limits.
    ///
    /// # Errors
    /// [`ClientError::Unsupported`] if the service speaks another API version.
    pub async fn health(&self) -> Result<Health, ClientError> {
        let request = self.bare(Method::GET, self.base_url().join("/health"));
        let health: Health =
            response::call(self.destination(), "health", request.timeout(self.transport().call_timeout)).await?;
        if health.api == API {
            return Ok(health);
        }
        let text = format!("{} speaks API version {}, this sgsend speaks version {API}", self.origin(), health.api);
        Err(ClientError::Unsupported(text))
    }

    /// Returns what the service can do with its store.
    ///
    /// # Errors
    /// The error of the service if the store cannot be used.
    pub async fn ready(&self) -> Result<Readiness, ClientError> {
        let request = self.bare(Method::GET, self.base_url().join("/health/ready"));
        response::call(self.destination(), "ready", request.timeout(self.transport().call_timeout)).await
    }

    /// Returns the validity of the service's certificate.
    ///
    /// It may be the certificate of a proxy in front of the service. `None` without TLS, or if the certificate cannot be parsed.
    pub async fn certificate_validity(&self) -> Result<Option<Validity>, ClientError> {
        let request = self.bare(Method::GET, self.base_url().join("/health")).timeout(self.transport().call_timeout);
        let response = response::send(self.destination(), request).await?;
        Ok(response.extensions().get::<TlsInfo>().and_then(TlsInfo::peer_certificate).and_then(Validity::of))
    }

    /// Returns the service's clock from its `Date` header, to the second; `None` without a valid header.
    pub async fn time(&self) -> Result<Option<Timestamp>, ClientError> {
        let request = self.bare(Method::GET, self.base_url().join("/health")).timeout(self.transport().call_timeout);
        let response = response::send(self.destination(), request).await?;
        let date = response.headers().get(DATE).and_then(|date| date.to_str().ok());
        Ok(date.and_then(Timestamp::from_http_date))
    }
}
