//! Typed client of the public service: one method per route.

use std::sync::Arc;

use http::HeaderName;
use http::header::{AUTHORIZATION, CONTENT_TYPE, RANGE};
use reqwest::{Body, Method, RequestBuilder, Response};
use serde::Serialize;
use url::Url;

use super::event_stream::EventStream;
use super::response;
use super::secret::sensitive;
use crate::client::throttle::Throttle;
use crate::client::{ClientError, Destination, Origin, SenderToken, Transport, TransportOptions};
use crate::domain::base_url::BaseUrl;
use crate::domain::crypto::guest_proof::GuestProof;
use crate::domain::crypto::proof::{AccessProof, Grant};
use crate::domain::id::TransferId;
use crate::domain::wire::{
    AddEvent, ClientEventKind, CompleteUpload, CompletedTransfer, CreateTransfer, CreatedTransfer, DownloadRequest,
    DownloadResponse, Empty, EventAdded, Page, PartNumbers, Received, TokenItem, TransferStatus, UploadInstruction,
    UploadStatus,
};

/// Request header with the access proof: shows that the client has the transfer's key.
const ACCESS: HeaderName = HeaderName::from_static("x-sgsend-access");
/// Request header with the download grant: shows that the download was counted.
const GRANT: HeaderName = HeaderName::from_static("x-sgsend-grant");
/// Request header with a guest proof, or with its digest when the transfer is created.
const GUEST: HeaderName = HeaderName::from_static("x-sgsend-guest");

/// Page of audit records as raw JSON: a newer server may send fields and kinds unknown to this version.
pub type RawRecordPage = Page<serde_json::Value>;

/// Client of the public service at one base URL, with the sender token if there is one.
#[derive(Clone)]
pub struct Api {
    transport: Transport,
    base_url: BaseUrl,
    origin: Origin,
    token: Option<Arc<SenderToken>>,
    /// Proof of a guest, who uploads with the token of a request.
    guest: Option<GuestProof>,
    /// Limit on the rate of payload bytes, of all copies of this client together.
    pub(in crate::client) throttle: Option<Throttle>,
}

impl Api {
    /// Builds a client for the service at `base_url`, without connecting yet.
    pub fn new(
        base_url: BaseUrl,
        token: Option<Arc<SenderToken>>,
        options: &TransportOptions,
    ) -> Result<Self, ClientError> {
        let transport = Transport::to(&base_url, options)?;
        let origin = Origin::from(&base_url);
        Ok(Self { transport, base_url, origin, token, guest: None, throttle: None })
    }

    /// Lets the client upload as the guest with this proof. Its token must be that of a request.
    #[must_use]
    pub fn as_guest(self, proof: GuestProof) -> Self {
        Self { guest: Some(proof), ..self }
    }

    /// Returns the proof of the guest, if the client uploads with the token of a request.
    #[must_use]
    pub const fn guest(&self) -> Option<&GuestProof> {
        self.guest.as_ref()
    }

    /// Returns the service's base URL.
    #[must_use]
    pub const fn base_url(&self) -> &BaseUrl {
        &self.base_url
    }

    /// Returns whether the client has a sender token.
    #[must_use]
    pub const fn has_token(&self) -> bool {
        self.token.is_some()
    }

    /// Returns the service's origin.
    #[must_use]
    pub const fn origin(&self) -> &Origin {
        &self.origin
    }

    /// Returns the service, and the proxy in front of it.
    pub(crate) const fn destination(&self) -> &Destination {
        &self.transport.destination
    }

    /// Returns the transport that makes the connections to the service.
    pub(crate) const fn transport(&self) -> &Transport {
        &self.transport
    }

    /// Creates a transfer.
    pub async fn create(&self, transfer: &CreateTransfer) -> Result<CreatedTransfer, ClientError> {
        let request = self.post(self.base_url.join("/transfers/create"), transfer);
        let request = match &self.guest {
            Some(proof) => request.header(GUEST, proof.digest().to_string()),
            None => request,
        };
        response::call(&self.transport.destination, "create", self.as_sender(request)?).await
    }

    /// Returns which bytes or parts of a payload the service has received.
    pub async fn upload_status(&self, id: TransferId) -> Result<UploadStatus, ClientError> {
        let request = self.get(self.route(id, "upload/status"));
        response::call(&self.transport.destination, "upload/status", self.as_sender(request)?).await
    }

    /// Returns the sender token's limits and remaining quota.
    pub async fn token_status(&self) -> Result<TokenItem, ClientError> {
        let request = self.get(self.base_url.join("/token/status"));
        response::call(&self.transport.destination, "token/status", self.as_sender(request)?).await
    }

    /// Opens the stream of events of the sender's transfers, after the event `last`.
    ///
    /// No call timeout applies to the stream itself.
    pub async fn event_stream(&self, last: Option<&str>) -> Result<EventStream, ClientError> {
        let request = self.bare(Method::GET, self.base_url.join("/events/stream"));
        let request = last.into_iter().fold(request, |request, last| request.header("last-event-id", last));
        let destination = &self.transport.destination;
        let sent =
            tokio::time::timeout(self.transport.call_timeout, response::send(destination, self.as_sender(request)?));
        let response = sent.await.map_err(|_| ClientError::Timeout { destination: destination.clone() })??;
        Ok(EventStream::new(destination.clone(), response))
    }

    /// Uploads payload bytes, starting at byte `offset`, to the upload `address` of a created transfer.
    ///
    /// No call timeout applies: the request lasts as long as `body` does.
    pub async fn upload_bytes(&self, address: &str, offset: u64, body: Body) -> Result<Received, ClientError> {
        let mut url = self.resolve(address)?;
        if offset > 0 {
            url.query_pairs_mut().append_pair("offset", &offset.to_string());
        }
        let request = self.bare(Method::POST, url).header(CONTENT_TYPE, "application/octet-stream").body(body);
        response::call(&self.transport.destination, "upload-bytes", self.as_sender(request)?).await
    }

    /// Requests presigned URLs for the parts `numbers`. Without numbers, requests the URL of the payload as a single
    /// object.
    pub async fn upload_urls(&self, id: TransferId, numbers: &[u32]) -> Result<UploadInstruction, ClientError> {
        let body = PartNumbers { numbers: numbers.to_vec() };
        let request = self.post(self.route(id, "upload/create-presign-urls"), &body);
        response::call(&self.transport.destination, "upload/create-presign-urls", self.as_sender(request)?).await
    }

    /// Completes an upload after all its bytes have arrived.
    pub async fn complete(&self, id: TransferId, with: &CompleteUpload) -> Result<CompletedTransfer, ClientError> {
        let request = self.post(self.route(id, "upload/complete"), with);
        response::call(&self.transport.destination, "upload/complete", self.as_sender(request)?).await
    }

    /// Returns the status of a link with info block and wrapped key. The server must accept the access proof; counts no download.
    pub async fn status_with_info(&self, id: TransferId, proof: &AccessProof) -> Result<TransferStatus, ClientError> {
        let request = with_proof(self.get(self.route(id, "status")), Some(proof));
        response::call(&self.transport.destination, "status", request).await
    }

    /// Deletes a transfer. Idempotent.
    pub async fn delete(&self, id: TransferId) -> Result<TransferStatus, ClientError> {
        let request = self.post(self.route(id, "delete"), &Empty {});
        response::call(&self.transport.destination, "delete", self.as_sender(request)?).await
    }

    /// Starts a download under `grant`; the server counts one download per grant.
    pub async fn begin_download(
        &self,
        id: TransferId,
        grant: &Grant,
        proof: Option<&AccessProof>,
    ) -> Result<DownloadResponse, ClientError> {
        let body = DownloadRequest { grant: Some(grant.to_text().to_string()) };
        let request = self.post(self.route(id, "download/create-presign-url"), &body);
        response::call(&self.transport.destination, "download/create-presign-url", with_proof(request, proof)).await
    }

    /// Downloads payload bytes from `start` to `end`, or to the payload's end.
    ///
    /// The download response names the `address`.
    pub async fn download_bytes(
        &self,
        address: &str,
        grant: &Grant,
        (start, end): (u64, Option<u64>),
    ) -> Result<Response, ClientError> {
        let mut request = with_grant(self.bare(Method::GET, self.resolve(address)?), grant);
        match end {
            Some(end) => request = request.header(RANGE, format!("bytes={start}-{}", end.saturating_sub(1))),
            None if start > 0 => request = request.header(RANGE, format!("bytes={start}-")),
            None => {}
        }
        response::send(&self.transport.destination, request).await
    }

    /// Reports a client event of a transfer, such as a successful decryption, to the audit log.
    pub async fn add_event(
        &self,
        id: TransferId,
        kind: ClientEventKind,
        grant: &Grant,
    ) -> Result<EventAdded, ClientError> {
        let request = self.post(self.route(id, "events/add"), &AddEvent { kind });
        response::call(&self.transport.destination, "events/add", with_grant(request, grant)).await
    }

    /// Returns a page of a transfer's events after the record `after`. With a sender token, records hold more detail.
    ///
    /// The events of a further link need its access proof.
    pub async fn events(
        &self,
        id: TransferId,
        after: Option<&str>,
        proof: Option<&AccessProof>,
    ) -> Result<RawRecordPage, ClientError> {
        let request = with_proof(self.get(page_url(self.route(id, "events/list"), after)), proof);
        let request = if self.token.is_some() { self.as_sender(request)? } else { request };
        response::call(&self.transport.destination, "events/list", request).await
    }

    pub(super) fn route(&self, id: TransferId, verb: &str) -> Url {
        self.base_url.join(&format!("/transfers/id/{id}/{verb}"))
    }

    pub(super) fn bare(&self, method: Method, url: Url) -> RequestBuilder {
        self.transport.client.request(method, url)
    }

    pub(super) fn get(&self, url: Url) -> RequestBuilder {
        self.bare(Method::GET, url).timeout(self.transport.call_timeout)
    }

    pub(super) fn post(&self, url: Url, body: &impl Serialize) -> RequestBuilder {
        self.bare(Method::POST, url).timeout(self.transport.call_timeout).json_body(body)
    }

    /// Adds the sender token, if it belongs to the request's origin.
    pub(super) fn as_sender(&self, request: RequestBuilder) -> Result<RequestBuilder, ClientError> {
        let Some(token) = &self.token else { return Ok(request) };
        let (client, request) = request.build_split();
        let mut request = request.map_err(ClientError::Setup)?;
        let text = token.reveal_to(request.url())?.to_text();
        let mut bearer = zeroize::Zeroizing::new(String::with_capacity(7 + text.len()));
        bearer.push_str("Bearer ");
        bearer.push_str(&text);
        let value = sensitive(&bearer).ok_or(ClientError::MalformedSecret("sender token"))?;
        request.headers_mut().insert(AUTHORIZATION, value);
        if let Some(proof) = &self.guest {
            let value = sensitive(&proof.to_text()).ok_or(ClientError::MalformedSecret("guest proof"))?;
            // The creation already has the digest.
            request.headers_mut().entry(GUEST).or_insert(value);
        }
        Ok(RequestBuilder::from_parts(client, request))
    }

    /// Resolves an address from a response. The address is a path relative to the base URL, or an absolute URL of the
    /// same origin.
    fn resolve(&self, address: &str) -> Result<Url, ClientError> {
        if address.starts_with('/') && !address.starts_with("//") {
            let (path, query) = address.split_once('?').map_or((address, None), |(path, query)| (path, Some(query)));
            let mut url = self.base_url.join(path);
            url.set_query(query);
            return Ok(url);
        }
        match Url::parse(address) {
            Ok(url) if Origin::of(&url) == self.origin => Ok(url),
            _ => Err(ClientError::Unsupported(format!(
                "{} names an upload or download address at another origin, which this version does not support",
                self.origin
            ))),
        }
    }
}

/// Adds JSON request bodies: this crate builds reqwest without its `json` feature.
pub(crate) trait JsonBody {
    /// Sets `body`, serialised as JSON, and its content type.
    fn json_body(self, body: &impl Serialize) -> Self;
}

impl JsonBody for RequestBuilder {
    fn json_body(self, body: &impl Serialize) -> Self {
        let json = serde_json::to_vec(body).expect("wire types have only string keys");
        self.header(CONTENT_TYPE, "application/json").body(json)
    }
}

/// Adds the query of a list page of up to 1,000 records, starting after the record `after`.
pub(crate) fn page_url(mut url: Url, after: Option<&str>) -> Url {
    url.query_pairs_mut().append_pair("limit", "1000").extend_pairs(after.map(|after| ("after", after)));
    url
}

pub(super) fn with_proof(request: RequestBuilder, proof: Option<&AccessProof>) -> RequestBuilder {
    let Some(proof) = proof else { return request };
    request.header(ACCESS, sensitive(&proof.to_text()).expect("hex digits are valid in a header"))
}

fn with_grant(request: RequestBuilder, grant: &Grant) -> RequestBuilder {
    request.header(GRANT, sensitive(&grant.to_text()).expect("base64url is valid in a header"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::client::OriginBound;
    use crate::domain::token::PlainToken;

    fn api(base_url: &str, token_of: &str) -> Api {
        let options = TransportOptions { insecure_http: true, ..TransportOptions::default() };
        let owner = Origin::of(&Url::parse(token_of).unwrap());
        let token = Arc::new(OriginBound::new(owner, PlainToken::random()));
        Api::new(base_url.parse().unwrap(), Some(token), &options).unwrap()
    }

    #[test]
    fn addresses_in_answers_are_appended_to_the_root() {
        let api = api("http://a.example/base/", "http://a.example");
        let resolved = |address| api.resolve(address).map(String::from).ok();
        assert_eq!(resolved("/t/x?a=b"), Some("http://a.example/base/t/x?a=b".into()));
        assert_eq!(resolved("http://a.example/other"), Some("http://a.example/other".into()));
        for foreign in ["//b.example/x", "http://b.example/", "https://a.example/", "t/x", ""] {
            assert_eq!(resolved(foreign), None, "{foreign}");
        }
    }

    #[test]
    fn a_token_of_another_origin_is_not_sent() {
        let request = |api: &Api| api.as_sender(api.get(api.base_url.join("/x")));
        let sent = request(&api("http://a.example", "http://a.example")).unwrap().build().unwrap();
        assert!(sent.headers()[AUTHORIZATION].is_sensitive());
        let result = request(&api("http://a.example:81", "http://a.example"));
        assert!(matches!(result, Err(ClientError::ForeignOrigin(_))));
    }
}
