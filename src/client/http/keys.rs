//! Keys for recipients of a transfer, and lists of public keys at other servers.

use bytes::BytesMut;
use http::header::ACCEPT;
use url::Url;

use super::api::Api;
use super::response::{self, read};
use crate::client::{ClientError, Origin, Transport, TransportOptions};
use crate::domain::base_url::BaseUrl;
use crate::domain::id::TransferId;
use crate::domain::people::recipient_keys::{KeysBlob, MAX_KEYS_BYTES};

/// Maximum size of a list of public keys, in bytes.
const MAX_LIST_BYTES: usize = 64 * 1024;

impl Api {
    /// Returns the payload key that the sender has wrapped for recipients. Counts no download.
    pub async fn keys(&self, id: TransferId) -> Result<KeysBlob, ClientError> {
        let destination = self.destination();
        let url = self.base_url().join(&format!("/transfers/id/{id}/keys"));
        let request = self.transport().client.get(url).timeout(self.transport().call_timeout);
        let response = response::send(destination, request).await?;
        let invalid = |text: &str| ClientError::InvalidResponse {
            origin: destination.origin().clone(),
            call: "keys",
            source: text.into(),
        };
        let body = read(response, MAX_KEYS_BYTES).await.map_err(|error| ClientError::of_request(destination, error))?;
        let body = body.ok_or_else(|| invalid("the keys are longer than 16 KiB"))?;
        KeysBlob::from_bytes(&body).map_err(|_| invalid("the keys are no age file"))
    }
}

/// Reads a list of public keys, such as `https://github.com/NAME.keys`. No redirect, no secret, at most 64 KiB.
///
/// # Errors
/// Fails for plain HTTP to another machine, unless the options allow it.
pub async fn fetch_key_list(url: &Url, options: &TransportOptions) -> Result<String, ClientError> {
    let mut base = url.clone();
    base.set_path("");
    base.set_query(None);
    base.set_fragment(None);
    let base =
        BaseUrl::new(base).map_err(|error| ClientError::Unsupported(format!("this URL has no keys: {error}")))?;
    let transport = Transport::to(&base, options)?;
    let destination = &transport.destination;
    let request = transport.client.get(url.clone()).header(ACCEPT, "text/plain").timeout(transport.call_timeout);
    let response = response::send(destination, request).await?;
    let invalid = |text: &str| ClientError::InvalidResponse {
        origin: Origin::from(&base),
        call: "public keys",
        source: text.into(),
    };
    let body = read(response, MAX_LIST_BYTES).await.map_err(|error| ClientError::of_request(destination, error))?;
    let body: BytesMut = body.ok_or_else(|| invalid("the list is longer than 64 KiB"))?;
    String::from_utf8(body.to_vec()).map_err(|_| invalid("the list is no text"))
}
