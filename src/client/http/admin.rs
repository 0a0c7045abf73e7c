//! Typed client of the admin service: one method per route.

use std::net::SocketAddr;
use std::sync::Arc;

use reqwest::{Method, RequestBuilder};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use url::Url;

use super::api::{JsonBody, RawRecordPage, page_url};
use super::response;
use super::secret::sensitive;
use crate::client::{BoundAdminKey, ClientError, Transport, TransportOptions};
use crate::domain::base_url::BaseUrl;
use crate::domain::crypto::{key_proof, random};
use crate::domain::id::{TokenId, TransferId, hex};
use crate::domain::timestamp::Timestamp;
use crate::domain::wire::{
    CreateToken, CreatedToken, Empty, KeyProof, Page, ProveKey, StatsOverview, TokenItem, TransferStatus,
};

/// Page of all audit records of a transfer, as sent by the server.
#[derive(Debug, Deserialize)]
pub struct AuditPage {
    /// The records, and the id after which the next page begins.
    #[serde(flatten)]
    pub page: RawRecordPage,
    /// Time before which records of reads are removed; `None` if the transfer is younger.
    pub reads_since: Option<Timestamp>,
}

/// Client of the admin service at one base URL, with its admin key.
#[derive(Clone)]
pub struct AdminApi {
    transport: Transport,
    base_url: BaseUrl,
    key: Arc<BoundAdminKey>,
    /// For the generated key of this machine: the service that has to prove that it knows the key.
    prover: Option<Arc<Prover>>,
}

/// Service on this machine that has generated the admin key.
struct Prover {
    address: SocketAddr,
    options: TransportOptions,
}

impl AdminApi {
    /// Builds a client for the service at `base_url`, without connecting yet.
    pub fn new(base_url: BaseUrl, key: Arc<BoundAdminKey>, options: &TransportOptions) -> Result<Self, ClientError> {
        let transport = Transport::to(&base_url, options)?;
        Ok(Self { transport, base_url, key, prover: None })
    }

    /// Builds a client for the service at `base_url` that has generated `key`.
    ///
    /// Connects to `address`, whatever the host name resolves to. Before each request, the service proves that it knows
    /// the key, on the same connection: another program on that port gets no key.
    pub fn with_generated_key(
        base_url: BaseUrl,
        address: SocketAddr,
        key: Arc<BoundAdminKey>,
        options: &TransportOptions,
    ) -> Result<Self, ClientError> {
        let this = Self::new(base_url, key, options)?;
        Ok(Self { prover: Some(Arc::new(Prover { address, options: options.clone() })), ..this })
    }

    /// Checks that the service proves that it knows a generated key. Succeeds for other keys, which need no proof.
    ///
    /// # Errors
    /// [`ClientError::KeyNotProven`] for another program, or an error of the connection.
    pub async fn check_proof(&self) -> Result<(), ClientError> {
        self.proven_transport().await.map(drop)
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
    pub async fn audit(&self, id: TransferId, after: Option<&str>) -> Result<AuditPage, ClientError> {
        let url = page_url(self.base_url.join(&format!("/audit/transfers/id/{id}/all")), after);
        self.call("audit", self.request(Method::GET, url)).await
    }

    /// Deletes a transfer of any sender.
    pub async fn delete(&self, id: TransferId) -> Result<TransferStatus, ClientError> {
        let url = self.base_url.join(&format!("/transfers/id/{id}/delete"));
        self.call("delete", self.request(Method::POST, url).json_body(&Empty {})).await
    }

    /// Returns the URL of a route.
    pub(super) fn url(&self, route: &str) -> Url {
        self.base_url.join(route)
    }

    pub(super) fn request(&self, method: Method, url: Url) -> RequestBuilder {
        self.transport.client.request(method, url).timeout(self.transport.call_timeout)
    }

    /// Adds the admin key, if it belongs to the request's origin, and sends the request.
    pub(super) async fn call<T: DeserializeOwned>(
        &self,
        name: &'static str,
        request: RequestBuilder,
    ) -> Result<T, ClientError> {
        let (_, request) = request.build_split();
        let mut request = request.map_err(ClientError::Setup)?;
        let transport = self.proven_transport().await?;
        let admin = self.key.reveal_to(request.url())?;
        let value = sensitive(&admin.key).ok_or(ClientError::MalformedSecret("admin key"))?;
        request.headers_mut().insert(admin.header.clone(), value);
        let request = RequestBuilder::from_parts(transport.client.clone(), request);
        response::call(&transport.destination, name, request).await
    }

    /// Returns the transport of the next request. With a generated key, this is a connection on which the service has
    /// proven that it knows the key.
    async fn proven_transport(&self) -> Result<Transport, ClientError> {
        let Some(prover) = &self.prover else { return Ok(self.transport.clone()) };
        let transport = Transport::to_address(&self.base_url, prover.address, &prover.options)?;
        let (url, nonce) = (self.base_url.join("/auth/prove"), hex(&random::bytes::<32>()));
        let key = &self.key.reveal_to(&url)?.key;
        let request = transport.client.post(url).timeout(transport.call_timeout);
        let request = request.json_body(&ProveKey { nonce: nonce.clone() });
        let outcome = response::call::<KeyProof>(&transport.destination, "auth/prove", request).await;
        let origin = key_proof::origin(self.base_url.is_encrypted(), prover.address);
        match outcome {
            Ok(proof) if key_proof::verify(key, &nonce, &origin, &proof.proof) => Ok(transport),
            Err(error) if is_of_connection(&error) => Err(error),
            _ => Err(ClientError::KeyNotProven { origin: transport.destination.origin().clone() }),
        }
    }
}

/// Returns whether a request for a proof failed for a reason that says nothing about the server.
fn is_of_connection(error: &ClientError) -> bool {
    !matches!(error, ClientError::Redirected { .. } | ClientError::InvalidResponse { .. } | ClientError::NotHttp { .. })
        && !matches!(error, ClientError::Api(error) if !error.is_transient() && error.status != 429)
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::net::TcpListener;

    use super::*;
    use crate::client::{AdminSecret, Origin, OriginBound};

    const KEY: &str = "the generated key";

    /// Reads one request; returns its head and the nonce in its body.
    async fn read(stream: &mut tokio::net::TcpStream) -> (String, String) {
        let mut request = String::new();
        while !request.ends_with('}') && !request.starts_with("GET") {
            let mut buffer = [0; 4096];
            let length = stream.read(&mut buffer).await.unwrap();
            request.push_str(str::from_utf8(&buffer[..length]).unwrap());
        }
        let nonce = request.split("\"nonce\":\"").nth(1).and_then(|rest| rest.split('"').next());
        (request.clone(), nonce.unwrap_or_default().to_owned())
    }

    /// Calls a service that proves its key and then closes the connection, or not.
    ///
    /// Returns the outcome, and the number of connections.
    async fn call(closes: bool) -> (Result<(), ClientError>, usize) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let (connections, counted) = tokio::sync::watch::channel(0);
        tokio::spawn(async move {
            loop {
                let (mut stream, _) = listener.accept().await.unwrap();
                connections.send_modify(|number| *number += 1);
                let (_, nonce) = read(&mut stream).await;
                let origin = format!("http://{address}");
                let proof = KeyProof { proof: key_proof::create(KEY, &nonce, &origin), origin };
                let body = serde_json::to_string(&proof).unwrap();
                let connection = if closes { "close" } else { "keep-alive" };
                let head =
                    format!("HTTP/1.1 200 OK\r\nconnection: {connection}\r\ncontent-length: {}\r\n\r\n", body.len());
                stream.write_all((head + body.as_str()).as_bytes()).await.unwrap();
                if !closes {
                    assert!(read(&mut stream).await.0.contains(KEY));
                    let page = "HTTP/1.1 200 OK\r\ncontent-length: 24\r\n\r\n{\"items\":[],\"next\":null}";
                    stream.write_all(page.as_bytes()).await.unwrap();
                }
            }
        });
        let base_url: BaseUrl = format!("http://localhost:{}", address.port()).parse().unwrap();
        let secret = AdminSecret { header: "x-api-key".parse().unwrap(), key: KEY.to_owned().into() };
        let key = Arc::new(OriginBound::new(Origin::from(&base_url), secret));
        let api = AdminApi::with_generated_key(base_url, address, key, &TransportOptions::default()).unwrap();
        let outcome = api.tokens(None).await.map(drop);
        (outcome, *counted.borrow())
    }

    #[tokio::test]
    async fn the_key_travels_on_the_connection_of_the_proof_only() {
        let (outcome, connections) = call(false).await;
        assert_eq!((outcome.is_ok(), connections), (true, 1));
        let (outcome, connections) = call(true).await;
        assert!(matches!(outcome, Err(ClientError::Unreachable { .. })), "{outcome:?}");
        assert_eq!(connections, 1, "the key was offered to another connection");
    }
}
