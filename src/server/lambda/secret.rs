//! The admin key from AWS Secrets Manager or Parameter Store, through Lambda's extension for both.
//!
//! The extension is a process beside the function, which responds on loopback and caches. Source: "Use Secrets Manager
//! secrets in Lambda functions", and "Using Parameter Store parameters in Lambda functions".

use std::fmt;
use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

use bytes::Bytes;
use http::header::HOST;
use http::{Request, StatusCode};
use http_body_util::{BodyExt, Empty, Limited};
use hyper_util::rt::TokioIo;
use serde::Deserialize;
use tokio::net::TcpStream;
use url::form_urlencoded;
use zeroize::Zeroizing;

use crate::server::{AdminKey, WeakAdminKey};

/// Default port of the extension.
pub const DEFAULT_EXTENSION_PORT: u16 = 2773;
/// Header with the session token of the function, which the extension requires.
const TOKEN_HEADER: &str = "x-aws-parameters-secrets-token";
/// Time in which the extension must respond with the secret. It rejects requests until it has started.
const TIMEOUT: Duration = Duration::from_secs(5);
/// Pause between two attempts.
const PAUSE: Duration = Duration::from_millis(50);
/// Largest response of the extension, in bytes. A secret has at most 64 KiB.
const MAX_BYTES: usize = 256 * 1024;

/// Location of the admin key, for the extension that reads it.
#[derive(Clone)]
pub struct KeySecret {
    /// Name or ARN of a secret, or the ARN of a parameter.
    id: String,
    /// Port of the extension.
    port: u16,
    /// Session token of the function.
    token: Zeroizing<String>,
}

/// The reasons why the extension yields no admin key.
#[derive(Debug, thiserror::Error)]
pub enum KeySecretError {
    /// The extension is not reachable: its layer may be missing.
    #[error(
        "the extension for parameters and secrets does not respond on port {0}: is its layer part of the function?"
    )]
    Unreachable(u16),
    /// The extension has rejected the request, for example without a permission.
    #[error("the extension for parameters and secrets responded with status {0} for {1}")]
    Rejected(StatusCode, String),
    /// The response has another form, such as a binary secret.
    #[error("{0} is no secret or parameter with a text")]
    NoText(String),
    /// The key is too short.
    #[error("the admin key in {0} is too short")]
    Weak(String, #[source] WeakAdminKey),
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct ExtensionResponse {
    secret_string: Option<String>,
    parameter: Option<ExtensionParameter>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct ExtensionParameter {
    value: String,
}

impl KeySecret {
    /// Creates a source of the admin key: the name or ARN of a secret, or the ARN of a parameter.
    #[must_use]
    pub fn new(id: String, port: u16, session_token: Zeroizing<String>) -> Self {
        Self { id, port, token: session_token }
    }

    /// Reads the admin key.
    ///
    /// # Errors
    /// [`KeySecretError`] if the extension does not respond with a key within 5 s.
    pub(super) async fn read(&self) -> Result<AdminKey, KeySecretError> {
        let deadline = tokio::time::Instant::now() + TIMEOUT;
        let body = loop {
            match tokio::time::timeout_at(deadline, self.request()).await {
                Ok(Ok((StatusCode::OK, body))) => break body,
                // 400 is also its response until it has started.
                Ok(Ok((status, _))) if status.is_client_error() && status != StatusCode::BAD_REQUEST => {
                    return Err(KeySecretError::Rejected(status, self.id.clone()));
                }
                Ok(last) if tokio::time::Instant::now() + PAUSE >= deadline => {
                    return Err(last.map_or(KeySecretError::Unreachable(self.port), |(status, _)| {
                        KeySecretError::Rejected(status, self.id.clone())
                    }));
                }
                Ok(_) => tokio::time::sleep(PAUSE).await,
                Err(_) => return Err(KeySecretError::Unreachable(self.port)),
            }
        };
        let text = text_of(&body).ok_or_else(|| KeySecretError::NoText(self.id.clone()))?;
        AdminKey::new(&text).map_err(|error| KeySecretError::Weak(self.id.clone(), error))
    }

    fn path(&self) -> String {
        let encoded = |name| form_urlencoded::Serializer::new(String::new()).append_pair(name, &self.id).finish();
        // An ARN is arn:PARTITION:SERVICE:…
        if self.id.split(':').nth(2) == Some("ssm") {
            format!("/systemsmanager/parameters/get?{}&withDecryption=true", encoded("name"))
        } else {
            format!("/secretsmanager/get?{}", encoded("secretId"))
        }
    }

    async fn request(&self) -> Result<(StatusCode, Zeroizing<Vec<u8>>), Box<dyn std::error::Error + Send + Sync>> {
        let stream = TcpStream::connect(SocketAddr::from((Ipv4Addr::LOCALHOST, self.port))).await?;
        let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream)).await?;
        let request = Request::get(self.path())
            .header(HOST, format!("localhost:{}", self.port))
            .header(TOKEN_HEADER, self.token.as_str())
            .body(Empty::<Bytes>::new())?;
        let response = async {
            let response = sender.send_request(request).await?;
            let status = response.status();
            let body = Limited::new(response.into_body(), MAX_BYTES).collect().await?.to_bytes();
            Ok::<_, Box<dyn std::error::Error + Send + Sync>>((status, Zeroizing::new(body.to_vec())))
        };
        tokio::select! {
            response = response => response,
            Err(error) = connection => Err(error.into()),
        }
    }
}

/// Returns the text of a secret or of a parameter.
fn text_of(body: &[u8]) -> Option<Zeroizing<String>> {
    let response: ExtensionResponse = serde_json::from_slice(body).ok()?;
    response.secret_string.or_else(|| response.parameter.map(|parameter| parameter.value)).map(Zeroizing::new)
}

impl fmt::Debug for KeySecret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("KeySecret").field("id", &self.id).field("port", &self.port).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn path(id: &str) -> String {
        KeySecret::new(id.to_owned(), DEFAULT_EXTENSION_PORT, Zeroizing::new(String::new())).path()
    }

    #[test]
    fn secrets_and_parameters_have_their_own_paths() {
        assert_eq!(path("sgsend/admin"), "/secretsmanager/get?secretId=sgsend%2Fadmin");
        assert_eq!(
            path("arn:aws:secretsmanager:eu-central-1:123456789012:secret:key-AbCdEf"),
            "/secretsmanager/get?secretId=arn%3Aaws%3Asecretsmanager%3Aeu-central-1%3A123456789012%3Asecret%3Akey-AbCdEf"
        );
        assert_eq!(
            path("arn:aws:ssm:eu-central-1:123456789012:parameter/key"),
            "/systemsmanager/parameters/get?name=arn%3Aaws%3Assm%3Aeu-central-1%3A123456789012%3Aparameter%2Fkey&withDecryption=true"
        );
    }

    #[test]
    fn responses_of_both_services_have_a_text() {
        let text = |body: &str| text_of(body.as_bytes()).map(|text| text.to_string());
        assert_eq!(text(r#"{"ARN":"a","SecretString":"key"}"#).as_deref(), Some("key"));
        assert_eq!(text(r#"{"Parameter":{"Name":"a","Value":"key"}}"#).as_deref(), Some("key"));
        for other in ["", "{}", "[]", r#"{"SecretBinary":"AAAA"}"#] {
            assert_eq!(text(other), None, "{other}");
        }
    }
}
