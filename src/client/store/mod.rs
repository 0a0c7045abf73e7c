//! Client of the payload store: sends presigned requests without the client's secrets.
//!
//! A request carries only what the service has signed: no token, proof or grant. A presigned URL is a secret while it
//! is valid, so errors and messages name only its origin.

mod error;

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::ops::Range;
use std::sync::Mutex;

use http::header::{CONTENT_LENGTH, CONTENT_TYPE, IF_MATCH, IF_NONE_MATCH, RANGE};
use http::{HeaderMap, HeaderName, HeaderValue};
use reqwest::{Body, Client, Response};
use url::Url;

pub use self::error::BucketError;
#[cfg(fuzzing)]
pub(super) use self::error::code_in;
use super::{Api, ClientError, Destination, Origin, Reach, Transport};
use crate::domain::base_url::BaseUrl;
use crate::domain::wire::UploadRequest;

/// Headers that a service may set in requests to its payload store.
///
/// It may also set those with [`STORE_PREFIX`]. Others could carry a session, claim another origin, or change the meaning of the request.
const SETTABLE_HEADERS: [HeaderName; 5] = [CONTENT_LENGTH, CONTENT_TYPE, IF_MATCH, IF_NONE_MATCH, RANGE];
/// Beginning of the names of S3's own headers.
const STORE_PREFIX: &str = "x-amz-";

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
        if self.service.is_encrypted() && !base_url.is_encrypted() {
            return Err(BucketError::Unencrypted { origin }.into());
        }
        // The resolver of the connections judges the addresses of names.
        let literal = origin.host().trim_matches(['[', ']']).parse::<IpAddr>().ok().map(Reach::of);
        if let Some(reach) = literal.filter(|reach| !self.transport.destination.reach().may_direct_to(*reach)) {
            return Err(BucketError::ForbiddenAddress { origin, reach }.into());
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
            .ok_or_else(|| self.invalid_response(call, "a header for the payload store is not valid or not allowed"))?;
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
        BucketError::Lost(ClientError::of_request(&self.destination, error)).into()
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
        Err(error) => Err(BucketError::of_request(destination, error).into()),
        Ok(response) if response.status().is_success() => Ok(response),
        Ok(response) => Err(BucketError::of_response(destination.origin().clone(), response).await.into()),
    }
}

/// Returns the headers of a presigned request; `None` if one is not valid or not allowed.
fn headers(named: &BTreeMap<String, String>) -> Option<HeaderMap> {
    let header = |(name, value): (&String, &String)| {
        let name: HeaderName = name.parse().ok()?;
        let mut value: HeaderValue = value.parse().ok()?;
        value.set_sensitive(true);
        let is_settable = SETTABLE_HEADERS.contains(&name) || name.as_str().starts_with(STORE_PREFIX);
        is_settable.then_some((name, value))
    };
    let mut headers: HeaderMap = named.iter().map(header).collect::<Option<_>>()?;
    // The body has its own length, and another one would break the framing of the request.
    if let Some(length) = headers.remove(CONTENT_LENGTH) {
        length.to_str().ok()?.parse::<u64>().ok()?;
    }
    Some(headers)
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
    }

    #[test]
    fn a_service_names_no_store_in_a_network_that_it_is_not_in() {
        let (public, private, loopback) = ("https://send.example", "http://10.0.0.1", "http://127.0.0.1:8080");
        for (store, allowed) in [
            ("https://192.0.2.1", &[public, private, loopback] as &[_]),
            ("https://10.9.9.9:9000", &[private, loopback]),
            ("https://[fd12::1]", &[private, loopback]),
            ("https://127.0.0.1:9000", &[loopback]),
            ("https://[::1]:9000", &[loopback]),
            ("https://[::ffff:127.0.0.1]:9000", &[loopback]),
            ("https://2130706433", &[loopback]),
            ("https://0x7f.1", &[loopback]),
            ("https://0.0.0.0:9000", &[]),
            ("https://[::]", &[]),
            ("https://169.254.169.254", &[]),
            ("https://[::ffff:a9fe:a9fe]", &[]),
            ("https://[64:ff9b::7f00:1]", &[]),
            ("https://[fe80::1]", &[]),
        ] {
            for service in [public, private, loopback] {
                let options = TransportOptions { insecure_http: true, ..TransportOptions::default() };
                let client = StoreClient::of(&Api::new(service.parse().unwrap(), None, &options).unwrap());
                let error = client.url(&format!("{store}/x?secret"), "create").err();
                assert_eq!(error.is_none(), allowed.contains(&service), "{service} names {store}: {error:?}");
                let Some(error) = error else { continue };
                assert!(!describe(&error).contains("secret"), "{error:?}");
                assert!(error.is_store_unreachable() && !error.is_transient());
            }
        }
    }

    #[test]
    fn a_service_with_https_names_no_store_without() {
        let options = TransportOptions { insecure_http: true, ..TransportOptions::default() };
        let url = |service: &str, store: &str| {
            StoreClient::of(&Api::new(service.parse().unwrap(), None, &options).unwrap()).url(store, "create").err()
        };
        assert!(url("http://send.example", "http://b.example/x").is_none());
        assert!(url("https://send.example", "https://b.example/x").is_none());
        for (service, store) in [
            ("https://send.example", "http://b.example/x?secret"),
            ("https://127.0.0.1:8443", "http://127.0.0.1:9000/x?secret"),
            ("https://localhost", "http://localhost:9000/x?secret"),
        ] {
            let error = url(service, store).unwrap();
            assert!(matches!(&error, ClientError::Store(error) if matches!(**error, BucketError::Unencrypted { .. })));
            assert!(!describe(&error).contains("secret"), "{error:?}");
        }
    }

    #[test]
    fn a_service_sets_only_headers_of_the_store() {
        let store = store_of("https://send.example");
        let put = |method: &str, name: &str, value: &str| {
            let headers = BTreeMap::from([(name.to_owned(), value.to_owned())]);
            let request = UploadRequest { method: method.into(), url: "https://b.example/".into(), headers };
            store.put(&request, "create").ok().map(|put| put.headers)
        };
        for (name, value) in [
            ("content-type", "application/octet-stream"),
            ("If-None-Match", "*"),
            ("if-match", "\"a\""),
            ("range", "bytes=0-"),
            ("X-Amz-Checksum-Sha256", "x"),
        ] {
            assert_eq!(put("PUT", name, value).unwrap()[name], value, "{name}");
        }
        assert_eq!(put("PUT", "Content-Length", "7").unwrap().len(), 0, "the body's own length is sent");
        for (method, name, value) in [
            ("POST", "content-type", "a/b"),
            ("PUT", "a", "b"),
            ("PUT", "Host", "c.example"),
            ("PUT", "content-length", "7, 8"),
            ("PUT", "transfer-encoding", "chunked"),
            ("PUT", "connection", "close"),
            ("PUT", "Authorization", "Bearer x"),
            ("PUT", "proxy-authorization", "Basic x"),
            ("PUT", "cookie", "a=b"),
            ("PUT", "origin", "https://b.example"),
            ("PUT", "referer", "https://b.example"),
            ("PUT", "x-api-key", "x"),
            ("PUT", "x-forwarded-for", "127.0.0.1"),
            ("PUT", "x-http-method-override", "DELETE"),
            ("PUT", "metadata-flavor", "Google"),
            ("PUT", "x-aws-ec2-metadata-token", "x"),
            ("PUT", "user-agent", "x"),
            ("PUT", "expect", "100-continue"),
            ("PUT", "x-amz-", "b\r\nc: d"),
            ("PUT", "x-amz-a b", "c"),
        ] {
            assert!(put(method, name, value).is_none(), "{method} {name} {value}");
        }
    }
}
