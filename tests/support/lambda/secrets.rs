//! The extension for parameters and secrets.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use axum::Router;
use axum::routing::get;
use http::{HeaderMap, StatusCode};
use serde_json::json;

use super::listen;

/// Emulates the extension for parameters and secrets, with one secret.
///
/// It rejects the first request, as while it starts.
pub(crate) struct SecretsExtension {
    pub(crate) port: u16,
    runtime: Option<tokio::runtime::Runtime>,
}

impl SecretsExtension {
    pub(crate) fn with(id: &'static str, secret: &'static str, token: &'static str) -> Self {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
        let listener = listen(&runtime);
        let port = listener.local_addr().unwrap().port();
        let is_ready = Arc::new(AtomicBool::new(false));
        let get_secret = async move |uri: http::Uri, headers: HeaderMap| {
            if !is_ready.swap(true, Ordering::SeqCst) {
                return (StatusCode::BAD_REQUEST, "not ready to serve traffic, please wait".to_owned());
            }
            let url: url::Url = format!("http://localhost{uri}").parse().unwrap();
            let asked = url.query_pairs().find(|(name, _)| name == "secretId").map(|(_, id)| id.into_owned());
            if headers.get("x-aws-parameters-secrets-token").is_none_or(|sent| sent != token)
                || asked.as_deref() != Some(id)
            {
                return (StatusCode::FORBIDDEN, String::new());
            }
            (StatusCode::OK, json!({ "ARN": id, "Name": "key", "SecretString": secret }).to_string())
        };
        let router = Router::new().route("/secretsmanager/get", get(get_secret));
        runtime.spawn(async move { axum::serve(listener, router).await.unwrap() });
        Self { port, runtime: Some(runtime) }
    }
}

impl Drop for SecretsExtension {
    fn drop(&mut self) {
        self.runtime.take().unwrap().shutdown_background();
    }
}
