//! `POST /auth/prove`: proves that the service knows the admin key that it has generated.

use std::net::SocketAddr;

use axum::extract::State;
use axum::{Extension, Json as JsonResponse};
use http::header::HOST;
use http::request::Parts;
use url::{Host, Url};

use crate::domain::address::is_loopback;
use crate::domain::crypto::key_proof;
use crate::domain::error::Error;
use crate::domain::wire::{KeyProof, ProveKey};
use crate::server::api::error::ApiError;
use crate::server::api::extract::{Json, Scope};
use crate::server::net::connection_info::{IsTls, LocalAddress};
use crate::server::state::AppState;

/// Proves that this service knows the admin key, before a client on this machine sends the key.
///
/// Only a service that has generated its key responds, and only for the address of the connection: the `Host` header
/// must be that address, or `localhost`. So a program that listens on another address cannot pass on a proof.
#[utoipa::path(
    post, operation_id = "prove_admin_key", path = "/auth/prove", tag = "session",
    request_body = ProveKey,
    responses((status = 200, body = KeyProof))
)]
pub(super) async fn prove(
    State(app): State<AppState>,
    scope: Scope,
    local: Option<Extension<LocalAddress>>,
    Extension(IsTls(is_tls)): Extension<IsTls>,
    parts: Parts,
    Json(ProveKey { nonce }): Json<ProveKey>,
) -> Result<JsonResponse<KeyProof>, ApiError> {
    app.proof_limit.count_address(scope.request().rate_limit_key())?;
    if !key_proof::is_nonce(&nonce) {
        let text = "nonce must have 16 to 128 characters of base64, base64url or hex";
        return Err(Error::InvalidRequest(text.to_owned()).into());
    }
    // Neither a Unix socket nor a Lambda function has an address that the proof could be bound to.
    let local = local.and_then(|Extension(LocalAddress(local))| local);
    let origin = own_origin(&parts, is_tls, local.ok_or(Error::ProofUnavailable)?)?;
    let key = app.admin_key.as_ref().ok_or(Error::ProofUnavailable)?;
    let proof = key.prove(&nonce, &origin).ok_or(Error::ProofUnavailable)?;
    Ok(JsonResponse(KeyProof { origin, proof }))
}

/// Returns the origin of the address at which the request arrived.
///
/// # Errors
/// [`Error::OriginNotAllowed`] if the request names another host or port.
fn own_origin(parts: &Parts, is_tls: bool, local: SocketAddr) -> Result<String, Error> {
    let origin = key_proof::origin(is_tls, local);
    let header = || parts.headers.get(HOST).and_then(|host| host.to_str().ok());
    let host = parts.uri.authority().map(http::uri::Authority::as_str).or_else(header).unwrap_or_default();
    let not_allowed = || Error::OriginNotAllowed(format!("this service listens on {origin}, not on {host:?}"));
    let scheme = if is_tls { "https" } else { "http" };
    let url = Url::parse(&format!("{scheme}://{host}")).map_err(|_| not_allowed())?;
    let is_bare = url.username().is_empty() && url.password().is_none() && url.path() == "/";
    let is_own_host = match url.host() {
        Some(Host::Domain(name)) => name.trim_end_matches('.') == "localhost" && is_loopback(local.ip()),
        Some(Host::Ipv4(address)) => local.ip().to_canonical() == address,
        Some(Host::Ipv6(address)) => local.ip().to_canonical() == address,
        None => false,
    };
    let is_own = is_bare && is_own_host && url.port_or_known_default() == Some(local.port());
    if is_own { Ok(origin) } else { Err(not_allowed()) }
}

#[cfg(test)]
mod tests {
    use http::Request;

    use super::*;

    fn origin(host: &str, is_tls: bool, local: &str) -> Option<String> {
        let parts = Request::builder().header(HOST, host).body(()).unwrap().into_parts().0;
        own_origin(&parts, is_tls, local.parse().unwrap()).ok()
    }

    #[test]
    fn a_proof_is_for_the_address_of_the_connection_only() {
        for (host, local, expected) in [
            ("127.0.0.1:8081", "127.0.0.1:8081", Some("http://127.0.0.1:8081")),
            ("localhost:8081", "127.0.0.1:8081", Some("http://127.0.0.1:8081")),
            ("LOCALHOST.:8081", "[::1]:8081", Some("http://[::1]:8081")),
            ("[::1]:8081", "[::1]:8081", Some("http://[::1]:8081")),
            ("127.0.0.1:8081", "[::ffff:127.0.0.1]:8081", Some("http://127.0.0.1:8081")),
            ("127.0.0.1", "127.0.0.1:80", Some("http://127.0.0.1")),
            ("127.0.0.1:8082", "127.0.0.1:8081", None),
            ("127.0.0.1", "127.0.0.1:8081", None),
            ("[::1]:8081", "127.0.0.1:8081", None),
            ("127.0.0.2:8081", "127.0.0.1:8081", None),
            ("localhost:8081", "192.0.2.1:8081", None),
            ("localhost.example:8081", "127.0.0.1:8081", None),
            ("me@127.0.0.1:8081", "127.0.0.1:8081", None),
            ("127.0.0.1:8081/x", "127.0.0.1:8081", None),
            ("", "127.0.0.1:8081", None),
        ] {
            assert_eq!(origin(host, false, local).as_deref(), expected, "{host} at {local}");
        }
        assert_eq!(origin("127.0.0.1:8081", true, "127.0.0.1:8081").as_deref(), Some("https://127.0.0.1:8081"));
    }
}
