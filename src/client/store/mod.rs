//! The payload store: requests that the service has signed, to an origin that no secret of ours belongs to.
//!
//! They carry what was signed, and nothing else: no token, no proof, no grant. Their URLs are secrets while they work, so
//! that only their origin is ever named.

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
use super::{Api, ClientError, Origin, Transport};
use crate::domain::base_url::BaseUrl;
use crate::domain::wire::UploadRequest;

/// Headers that make a request what it is, and are not for a service to choose.
const OURS: [HeaderName; 4] = [CONNECTION, CONTENT_LENGTH, HOST, TRANSFER_ENCODING];

/// The payload store of one service.
pub(super) struct Store {
    service: BaseUrl,
    origin: Origin,
    transport: Transport,
    /// Connections to where the last URL led, which is where the next one leads.
    connections: Mutex<Option<(Origin, Client)>>,
}

/// A URL that the service has signed. Has no `Debug` output.
#[derive(Clone)]
pub(super) struct SignedUrl {
    url: Url,
    origin: Origin,
    client: Client,
}

/// A request that the service has signed, but for its body. Has no `Debug` output.
pub(super) struct SignedPut {
    url: SignedUrl,
    headers: HeaderMap,
}

impl Store {
    /// The store that the service of `api` signs URLs for.
    pub(super) fn of(api: &Api) -> Self {
        Self {
            service: api.root().clone(),
            origin: api.origin().clone(),
            transport: api.transport().clone(),
            connections: Mutex::default(),
        }
    }

    /// Takes a URL from an answer to `call`, if it leads where a payload may go.
    pub(super) fn url(&self, text: &str, call: &'static str) -> Result<SignedUrl, ClientError> {
        let url = Url::parse(text).map_err(|_| self.unsound(call, "a URL in it is none"))?;
        let mut bare = url.clone();
        bare.set_path("");
        bare.set_query(None);
        bare.set_fragment(None);
        let root = BaseUrl::new(bare).map_err(|error| self.unsound(call, &error.to_string()))?;
        let origin = Origin::from(&root);
        // Else a service far away could have requests made of what listens on this machine.
        if root.is_loopback() && !self.service.is_loopback() {
            return Err(StoreError::OnThisMachine { origin }.into());
        }
        let client = self.client(&root, &origin)?;
        Ok(SignedUrl { url, origin, client })
    }

    /// Takes a request from an answer to `call`.
    pub(super) fn put(&self, request: &UploadRequest, call: &'static str) -> Result<SignedPut, ClientError> {
        if request.method != "PUT" {
            return Err(self.unsound(call, "it asks for another method than PUT"));
        }
        let headers = headers(&request.headers).ok_or_else(|| self.unsound(call, "a header in it cannot be sent"))?;
        Ok(SignedPut { url: self.url(&request.url, call)?, headers })
    }

    /// The answer to `call` is not what it should be.
    pub(super) fn unsound(&self, call: &'static str, why: &str) -> ClientError {
        ClientError::Answer { origin: self.origin.clone(), call, source: why.into() }
    }

    fn client(&self, root: &BaseUrl, origin: &Origin) -> Result<Client, ClientError> {
        let mut connections = self.connections.lock().expect("nothing panics while it holds this lock");
        if let Some((_, client)) = connections.as_ref().filter(|(to, _)| to == origin) {
            return Ok(client.clone());
        }
        let client = self.transport.to_store(root)?;
        *connections = Some((origin.clone(), client.clone()));
        Ok(client)
    }
}

impl SignedPut {
    /// Where it goes.
    pub(super) const fn origin(&self) -> &Origin {
        &self.url.origin
    }

    /// Makes the request. `body` knows its length.
    pub(super) async fn send(&self, body: Body) -> Result<(), ClientError> {
        let SignedUrl { url, origin, client } = &self.url;
        let request = client.put(url.clone()).headers(self.headers.clone()).body(body);
        answered(origin, request.send().await).await.map(|_| ())
    }
}

impl SignedUrl {
    /// Where it leads.
    pub(super) const fn origin(&self) -> &Origin {
        &self.origin
    }

    /// What it means that the body of an answer broke off.
    pub(super) fn lost(&self, error: reqwest::Error) -> ClientError {
        StoreError::Lost(ClientError::of_request(self.origin.clone(), error)).into()
    }

    /// Fetches what is there, or a range of it.
    pub(super) async fn get(&self, range: Option<Range<u64>>) -> Result<Response, ClientError> {
        let mut request = self.client.get(self.url.clone());
        if let Some(range) = range {
            request = request.header(RANGE, format!("bytes={}-{}", range.start, range.end - 1));
        }
        answered(&self.origin, request.send().await).await
    }
}

async fn answered(origin: &Origin, outcome: reqwest::Result<Response>) -> Result<Response, ClientError> {
    match outcome {
        Err(error) => Err(StoreError::of_request(origin.clone(), error).into()),
        Ok(response) if response.status().is_success() => Ok(response),
        Ok(response) => Err(StoreError::of_answer(origin.clone(), response).await.into()),
    }
}

fn headers(named: &BTreeMap<String, String>) -> Option<HeaderMap> {
    let header = |(name, value): (&String, &String)| {
        let name: HeaderName = name.parse().ok()?;
        let mut value: HeaderValue = value.parse().ok()?;
        value.set_sensitive(true);
        (!OURS.contains(&name)).then_some((name, value))
    };
    named.iter().map(header).collect()
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::client::TransportOptions;

    fn store_of(service: &str) -> Store {
        let options =
            TransportOptions { extra_roots: None, insecure_http: false, call_timeout: Duration::from_secs(1) };
        Store::of(&Api::new(service.parse().unwrap(), None, &options).unwrap())
    }

    fn why(error: &ClientError) -> String {
        format!("{error:?} {error}")
    }

    #[test]
    fn only_urls_of_servers_are_taken() {
        let store = store_of("https://send.example");
        assert_eq!(
            store.url("https://b.example/x?secret", "create").ok().unwrap().origin().to_string(),
            "https://b.example"
        );
        for unsound in
            ["file:///etc/passwd?secret", "/x?secret", "ftp://b.example/?secret", "https://me:secret@b.example/", ""]
        {
            let error = store.url(unsound, "create").err().unwrap();
            assert!(matches!(error, ClientError::Answer { .. }), "{unsound}");
            assert!(!why(&error).contains("secret"), "{error:?}");
        }
        let readable = store.url("http://b.example/?secret", "create").err().unwrap();
        assert!(matches!(readable, ClientError::PlainHttp { .. }) && !why(&readable).contains("secret"));
    }

    #[test]
    fn a_service_elsewhere_sends_nothing_to_this_machine() {
        let at = |service: &str| store_of(service).url("http://127.0.0.1:9000/x?secret", "create").err();
        assert!(at("http://localhost:8080").is_none());
        let refused = at("https://send.example").unwrap();
        assert!(!why(&refused).contains("secret"), "{refused:?}");
    }

    #[test]
    fn a_service_chooses_no_header_that_frames_a_request() {
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
