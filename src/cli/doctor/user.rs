//! What senders and recipients need: a server, the time, a token that it takes, and files that are theirs alone.

use std::fs;
use std::io;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use anyhow::Result;
use bytesize::ByteSize;

use crate::cli::context::Context;
use crate::cli::failure::Failure;
use crate::cli::{login, paths};
use crate::client::{Api, Origin};
use crate::domain::clock::{Clock, SystemClock};
use crate::domain::examination::{Finding, Verdict};
use crate::domain::wire::Flow;

/// Examines the server in use, and this user's files.
pub(super) async fn examine(context: &Context) -> Result<Vec<Finding>> {
    let root = context.settings.server();
    let anybody = context.api_as_anybody(root.clone());
    let mut findings = Vec::new();
    match anybody {
        Err(error) => findings.push(failed("server", &error)),
        Ok(api) => {
            let server = server(&api).await;
            let can_go_on = server.verdict == Verdict::Ok;
            findings.push(server);
            if can_go_on {
                findings.push(clock(&api).await);
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

async fn server(api: &Api) -> Finding {
    const NAME: &str = "server";
    match login::check_service(api).await {
        Err(error) => failed(NAME, &error),
        Ok(health) => {
            let way = match health.mode.upload {
                Flow::Bytes => "through it",
                Flow::Presigned => "straight to its bucket",
            };
            let most = ByteSize(health.limits.max_content_bytes);
            let detail = format!("{} is sgsend {}, takes up to {most}, {way}", api.root(), health.version);
            Finding::ok(NAME, detail)
        }
    }
}

async fn clock(api: &Api) -> Finding {
    match api.time().await {
        Ok(theirs) => Finding::clock(theirs, SystemClock.now()),
        Err(error) => failed("clock", &error.into()),
    }
}

/// The server takes the token that belongs to it.
async fn token(context: &Context) -> Finding {
    const NAME: &str = "token";
    let root = context.settings.server();
    if context.settings.token_of(&Origin::from(&root)).is_none() {
        if let Some((owner, hint)) = context.settings.token_elsewhere(&root) {
            let detail = format!("it is for {owner}, and there is none for this server: enough to download only");
            return Finding::warning(NAME, detail, hint);
        }
        return Finding::ok(NAME, "there is none for this server: enough to download, and not to upload");
    }
    let checked = async { login::check_token(&context.api_as_sender(root).await?).await };
    match checked.await {
        Ok(token) => Finding::ok(NAME, format!("the server takes it, {}", login::terms(&token))),
        Err(error) => failed(NAME, &error),
    }
}

/// What is this user's alone; `None` where it is not there.
fn private(name: &'static str, path: &Path) -> Option<Finding> {
    match fs::metadata(path) {
        Ok(found) => Some(Finding::private(name, path, found.permissions().mode())),
        Err(error) if error.kind() == io::ErrorKind::NotFound => None,
        Err(error) => {
            let detail = format!("{} cannot be looked at: {error}", path.display());
            Some(Finding::cannot_tell(name, detail, "check whose the folders above it are"))
        }
    }
}

/// What failed, as the other commands would say it.
fn failed(name: &'static str, error: &anyhow::Error) -> Finding {
    let failure = Failure::of(error);
    Finding::problem(name, failure.message, failure.hint.unwrap_or_default())
}
