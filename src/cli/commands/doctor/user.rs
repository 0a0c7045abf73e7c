//! Checks for senders and recipients: server, clock, certificate, sender token, and private files.

use std::fs;
use std::io;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use anyhow::Result;
use bytesize::ByteSize;

use crate::cli::commands::login;
use crate::cli::config::paths;
use crate::cli::context::Context;
use crate::cli::failure::{Failure, RAISE_BODY_LIMIT};
use crate::client::upload::{FIRST_PIECE, MIN_PIECE, UploadError};
use crate::client::{Api, ClientError, Origin, ProxyChoice};
use crate::domain::base_url::BaseUrl;
use crate::domain::clock::{Clock, SystemClock};
use crate::domain::maintenance::finding::Finding;
use crate::domain::wire::{Flow, Health};

/// Checks the current server and this user's files.
pub(super) async fn diagnose(context: &Context) -> Result<Vec<Finding>> {
    let base_url = context.server();
    let mut findings: Vec<_> =
        base_url.as_ref().ok().and_then(|base_url| proxy(context, base_url)).into_iter().collect();
    let api = base_url.map_err(Into::into).and_then(|base_url| context.anonymous_api(base_url));
    match api {
        Err(error) => findings.push(failed("server", &error)),
        Ok(api) => {
            let health = login::check_service(&api).await;
            findings.push(server(&api, health.as_ref()));
            if let Ok(health) = health {
                findings.extend(untrusted_proxy(&health));
                if health.mode.upload == Flow::Bytes {
                    findings.push(request_body(&api).await);
                }
                findings.push(clock(&api).await);
                if api.base_url().is_encrypted() {
                    findings.push(certificate(&api).await);
                }
                findings.push(token(context).await);
            }
        }
    }
    let files = [
        ("config", context.config_file().map(Path::to_owned)),
        ("admin_key", paths::admin_key_file()),
        ("state", paths::state_directory()),
    ];
    findings.extend(files.into_iter().filter_map(|(name, path)| private(name, &path?)));
    Ok(findings)
}

/// Reports whether requests to `base_url` go through a proxy; `None` if no proxy variable is set.
fn proxy(context: &Context, base_url: &BaseUrl) -> Option<Finding> {
    const NAME: &str = "proxy";
    let proxies = context.proxies();
    proxies.is_set().then(|| match proxies.choose(base_url) {
        Ok(ProxyChoice::Proxy(proxy)) => Finding::ok(NAME, format!("requests to {base_url} go through {proxy}")),
        Ok(ProxyChoice::Exempt(reason)) => {
            Finding::ok(NAME, format!("requests to {base_url} bypass the proxy, because of {reason}"))
        }
        Ok(ProxyChoice::Unset) => Finding::ok(NAME, format!("no variable names a proxy for {base_url}")),
        Err(error) => failed(NAME, &ClientError::from(error).into()),
    })
}

fn server(api: &Api, health: Result<&Health, &anyhow::Error>) -> Finding {
    const NAME: &str = "server";
    let health = match health {
        Ok(health) => health,
        Err(error) => return failed(NAME, error),
    };
    let route = match health.mode.upload {
        Flow::Bytes => "payloads through the server",
        Flow::Presigned => "payloads directly to its bucket",
    };
    let limit = ByteSize(health.limits.max_content_bytes);
    let detail = format!("{} runs sgsend {}, maximum content size {limit}, {route}", api.base_url(), health.version);
    Finding::ok(NAME, detail)
}

/// Warns if the server does not trust the proxy in front of it.
fn untrusted_proxy(health: &Health) -> Option<Finding> {
    health.behind_untrusted_proxy.then(|| {
        Finding::warning(
            "trusted_proxy",
            "the server does not trust the proxy in front of it, so all clients share one rate limit",
            "the operator must name the proxy with --trusted-proxy; the log of the server has its address",
        )
    })
}

/// Checks that request bodies of the size of an upload's pieces reach the server.
async fn request_body(api: &Api) -> Finding {
    const NAME: &str = "request_body";
    let (usual, origin) = (ByteSize(FIRST_PIECE), api.origin());
    let probe = |bytes| api.probe_request_body(usize::try_from(bytes).unwrap_or(usize::MAX));
    let reached = || Finding::ok(NAME, format!("requests of {usual} reach the server"));
    let Err(first_error) = probe(FIRST_PIECE).await else { return reached() };
    match probe(MIN_PIECE).await {
        Ok(()) if first_error.is_body_limit_of_proxy() => Finding::warning(
            NAME,
            format!("a proxy in front of {origin} refuses requests of {usual}, so uploads are sent in smaller ones"),
            RAISE_BODY_LIMIT,
        ),
        // The connection may have been lost for another reason.
        Ok(()) => match probe(FIRST_PIECE).await {
            Ok(()) => reached(),
            Err(error) => {
                let detail = format!("requests of {usual} do not reach the server, but smaller ones do: {error}");
                Finding::warning(NAME, detail, format!("check the network, or {RAISE_BODY_LIMIT}"))
            }
        },
        Err(error) if error.is_body_limit_of_proxy() => {
            let error = UploadError::PieceTooLarge { origin: origin.clone(), piece_bytes: MIN_PIECE };
            failed(NAME, &error.into())
        }
        Err(error) => failed(NAME, &error.into()),
    }
}

async fn clock(api: &Api) -> Finding {
    match api.time().await {
        Ok(server_time) => Finding::clock(server_time, SystemClock.now()),
        Err(error) => failed("clock", &error.into()),
    }
}

async fn certificate(api: &Api) -> Finding {
    match api.certificate_validity().await {
        Ok(validity) => Finding::certificate_expiry(validity, SystemClock.now()),
        Err(error) => failed("certificate", &error.into()),
    }
}

/// Checks that the server accepts this user's sender token.
async fn token(context: &Context) -> Finding {
    const NAME: &str = "token";
    let base_url = context.settings.server();
    if context.settings.token_of(&Origin::from(&base_url)).is_none() {
        if let Some((owner, hint)) = context.settings.token_of_other_server(&base_url) {
            let detail =
                format!("the token is for {owner}; without a token for this server, only downloads are possible");
            return Finding::warning(NAME, detail, hint);
        }
        return Finding::ok(NAME, "no token for this server: downloads are possible, uploads are not");
    }
    let checked = async { login::check_token(&context.sender_api(base_url).await?).await };
    match checked.await {
        Ok(token) => Finding::ok(NAME, format!("the server accepts the token, {}", login::terms(&token))),
        Err(error) => failed(NAME, &error),
    }
}

/// Checks that a file or directory is private to this user; `None` if it does not exist.
fn private(name: &'static str, path: &Path) -> Option<Finding> {
    match fs::metadata(path) {
        Ok(metadata) => Some(Finding::private(name, path, metadata.permissions().mode())),
        Err(error) if error.kind() == io::ErrorKind::NotFound => None,
        Err(error) => {
            let detail = format!("cannot read {}: {error}", path.display());
            Some(Finding::cannot_tell(name, detail, "check the owner of its parent directories"))
        }
    }
}

/// Creates a problem with the message and hint that other commands print for this error.
fn failed(name: &'static str, error: &anyhow::Error) -> Finding {
    let failure = Failure::of(error);
    Finding::problem(name, failure.message, failure.hint.expect("each failure of an error has a hint"))
}
