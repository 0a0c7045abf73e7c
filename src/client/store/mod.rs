//! Client of the payload store: sends presigned requests without the client's secrets.
//!
//! A request carries only what the service has signed: no token, proof or grant. A presigned URL is a secret while it
//! is valid, so errors and messages name only its origin.

mod error;

use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::Mutex;

use http::header::{CONNECTION, CONTENT_LENGTH, HOST, RANGE, TRANSFER_ENCODING};
use http::{HeaderMap, HeaderName, HeaderValue};
use reqwest::{Body, Client, Response};
use url::Url;

pub use self::error::StoreError;
#[cfg(fuzzing)]
pub(super) use self::error::code_in;
use super::{Api, ClientError, Destination, Origin, Transport};
use crate::domain::base_url::BaseUrl;
use crate::domain::wire::UploadRequest;

/// Headers that frame a request, which the service may not set.
const RESERVED_HEADERS: [HeaderName; 4] = [CONNECTION, CONTENT_LENGTH, HOST, TRANSFER_ENCODING];

/// Payload store of one service.
pub(super) struct StoreClient {
    service: BaseUrl,
    origin: Origin,
    transport: Transport,
    /// Connections to the origin of the last URL, reused while the origin stays the same.
    connections: Mutex<Option<(Client, Destination)>>,
}

/// Presigned URL. Has no `Debug` output, since the URL is a secret.
#[derive(Clone)]
pub(super) struct SignedUrl {
    url: Url,
    destination: Destination,
    client: Client,
}

/// Presigned request without its body. Has no `Debug` output, since its URL is a secret.
pub(super) struct SignedPut {
    url: SignedUrl,
    headers: HeaderMap,
}

impl StoreClient {
    /// Creates the client for the payload store of the service behind `api`.
    pub(super) fn of(api: &Api) -> Self {
        Self {
            service: api.base_url().clone(),
            origin: api.origin().clone(),
            transport: api.transport().clone(),
            connections: Mutex::default(),
        }
    }

    /// Validates a presigned URL from the response to `call`.
    pub(super) fn url(&self, text: &str, call: &'static str) -> Result<SignedUrl, ClientError> {
        let url = Url::parse(text).map_err(|_| self.invalid_response(call, "a URL is not valid"))?;
        let mut bare = url.clone();
        bare.set_path("");
        bare.set_query(None);
        bare.set_fragment(None);
        let base_url = BaseUrl::new(bare).map_err(|error| self.invalid_response(call, &error.to_string()))?;
        let origin = Origin::from(&base_url);
        // Prevents a remote service from directing requests to services on this machine.
        if base_url.is_loopback() && !self.service.is_loopback() {
            return Err(StoreError::Loopback { origin }.into());
        }
        let (client, destination) = self.connections(&base_url, &origin)?;
        Ok(SignedUrl { url, destination, client })
    }

    /// Validates a presigned PUT request from the response to `call`.
    pub(super) fn put(&self, request: &UploadRequest, call: &'static str) -> Result<SignedPut, ClientError> {
        if request.method != "PUT" {
            return Err(self.invalid_response(call, "a presigned upload does not use PUT"));
        }
        let headers = headers(&request.headers)
            .ok_or_else(|| self.invalid_response(call, "a header is not valid or not allowed"))?;
        Ok(SignedPut { url: self.url(&request.url, call)?, headers })
    }

    /// Creates the error for an invalid response to `call`.
    pub(super) fn invalid_response(&self, call: &'static str, reason: &str) -> ClientError {
        ClientError::InvalidResponse { origin: self.origin.clone(), call, source: reason.into() }
    }

    fn connections(&self, base_url: &BaseUrl, origin: &Origin) -> Result<(Client, Destination), ClientError> {
        let mut connections = self.connections.lock().expect("no thread panics while holding this lock");
        if let Some(current) = connections.as_ref().filter(|(_, destination)| destination.origin() == origin) {
            return Ok(current.clone());
        }
        Ok(connections.insert(self.transport.to_store(base_url)?).clone())
    }
}

impl SignedPut {
    /// Returns the store, and the proxy in front of it.
    pub(super) const fn destination(&self) -> &Destination {
        &self.url.destination
    }

    /// Sends the request. The length of `body` must be known: S3 requires a content length.
    pub(super) async fn send(&self, body: Body) -> Result<(), ClientError> {
        let SignedUrl { url, destination, client } = &self.url;
        let request = client.put(url.clone()).headers(self.headers.clone()).body(body);
        check_response(destination, request.send().await).await.map(|_| ())
    }
}

impl SignedUrl {
    /// Returns the store, and the proxy in front of it.
    pub(super) const fn destination(&self) -> &Destination {
        &self.destination
    }

    /// Converts an error of reading a response body.
    pub(super) fn lost(&self, error: reqwest::Error) -> ClientError {
        StoreError::Lost(ClientError::of_request(&self.destination, error)).into()
    }

    /// Requests the object, or a range of it in bytes.
    pub(super) async fn get(&self, range: Option<Range<u64>>) -> Result<Response, ClientError> {
        let mut request = self.client.get(self.url.clone());
        if let Some(range) = range {
            request = request.header(RANGE, format!("bytes={}-{}", range.start, range.end - 1));
        }
        check_response(&self.destination, request.send().await).await
    }
}

async fn check_response(
    destination: &Destination,
    outcome: reqwest::Result<Response>,
) -> Result<Response, ClientError> {
    match outcome {
        Err(error) => Err(StoreError::of_request(destination, error).into()),
        Ok(response) if response.status().is_success() => Ok(response),
        Ok(response) => Err(StoreError::of_response(destination.origin().clone(), response).await.into()),
    }
}

fn headers(named: &BTreeMap<String, String>) -> Option<HeaderMap> {
    let header = |(name, value): (&String, &String)| {
        let name: HeaderName = name.parse().ok()?;
        let mut value: HeaderValue = value.parse().ok()?;
        value.set_sensitive(true);
        (!RESERVED_HEADERS.contains(&name)).then_some((name, value))
    };
    named.iter().map(header).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::client::TransportOptions;

    fn store_of(service: &str) -> StoreClient {
        StoreClient::of(&Api::new(service.parse().unwrap(), None, &TransportOptions::default()).unwrap())
    }

    fn describe(error: &ClientError) -> String {
        format!("{error:?} {error}")
    }

    #[test]
    fn only_http_urls_without_credentials_are_accepted() {
        let store = store_of("https://send.example");
        assert_eq!(
            store.url("https://b.example/x?secret", "create").ok().unwrap().destination().to_string(),
            "https://b.example"
        );
        for invalid in
            ["file:///etc/passwd?secret", "/x?secret", "ftp://b.example/?secret", "https://me:secret@b.example/", ""]
        {
            let error = store.url(invalid, "create").err().unwrap();
            assert!(matches!(error, ClientError::InvalidResponse { .. }), "{invalid}");
            assert!(!describe(&error).contains("secret"), "{error:?}");
        }
        let unencrypted = store.url("http://b.example/?secret", "create").err().unwrap();
        assert!(matches!(unencrypted, ClientError::PlainHttp { .. }) && !describe(&unencrypted).contains("secret"));
    }

    #[test]
    fn a_remote_service_cannot_name_this_machine_as_store() {
        let at = |service: &str| store_of(service).url("http://127.0.0.1:9000/x?secret", "create").err();
        assert!(at("http://localhost:8080").is_none());
        let rejected = at("https://send.example").unwrap();
        assert!(!describe(&rejected).contains("secret"), "{rejected:?}");
    }

    #[test]
    fn a_service_cannot_set_framing_headers() {
        let store = store_of("https://send.example");
        let put = |method: &str, name: &str, value: &str| {
            let headers = BTreeMap::from([(name.to_owned(), value.to_owned())]);
            let request = UploadRequest { method: method.into(), url: "https://b.example/".into(), headers };
            store.put(&request, "create").is_ok()
        };
        assert!(put("PUT", "content-type", "application/octet-stream"));
        assert!(put("PUT", "If-None-Match", "*"));
        for (method, name, value) in [
            ("POST", "a", "b"),
            ("PUT", "Host", "c.example"),
            ("PUT", "content-length", "0"),
            ("PUT", "a", "b\r\nc: d"),
        ] {
            assert!(!put(method, name, value), "{method} {name} {value}");
        }
    }
}
