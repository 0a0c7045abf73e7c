//! `sgsend request create`: creates a request and prints its link.

use std::path::PathBuf;
use std::time::Duration;

use anyhow::Result;
use bytesize::ByteSize;
use clap::Args;
use serde::Serialize;

use super::identity;
use super::saved::SavedRequest;
use crate::cli::context::Context;
use crate::cli::failure::Failure;
use crate::cli::failure::exit::Exit;
use crate::cli::input::server_arg;
use crate::cli::input::values::{positive_duration, positive_number, positive_size};
use crate::cli::output::share::ShareOptions;
use crate::cli::output::{escape, time};
use crate::cli::streams::require_stdout;
use crate::domain::crypto::request_secret::RequestSecret;
use crate::domain::id::TokenId;
use crate::domain::link::{InvalidPurpose, RequestLink, RequestPurpose};
use crate::domain::wire::{CreateRequest, CreatedRequest, RequestItem};

/// Arguments of `sgsend request create`.
#[derive(Args)]
#[expect(clippy::doc_markdown, reason = "help texts are not Markdown")]
pub(super) struct Arguments {
    /// Purpose of the request, shown to guests; stays in the link, so the server cannot read it
    #[arg(long = "for", value_name = "TEXT", value_parser = purpose)]
    purpose: Option<RequestPurpose>,
    /// Maximum number of transfers that guests can send [default: the limit of the sender token]
    #[arg(long, visible_alias = "max", value_name = "N", value_parser = positive_number::<u64>)]
    max_transfers: Option<u64>,
    /// Maximum encrypted size of all stored transfers of guests, such as 2GiB
    /// [default: the limit of the sender token]
    #[arg(long, visible_alias = "max-bytes", value_name = "SIZE", value_parser = positive_size)]
    max_total_bytes: Option<ByteSize>,
    /// Time until the request expires, such as 12h or 30d [default: 7d]
    #[arg(short, long, value_name = "DURATION", value_parser = positive_duration)]
    expires: Option<Duration>,
    /// File with the age identity that opens what arrives
    /// [default: this user's identity, made if it is missing]
    #[arg(short, long, value_name = "FILE")]
    identity: Option<PathBuf>,
    /// URL of the server in the link, if guests use another address
    /// [default: --server] [env: SGSEND_LINK_SERVER]
    #[arg(long, value_name = "URL")]
    link_server: Option<String>,
    #[command(flatten)]
    share: ShareOptions,
}

fn purpose(text: &str) -> std::result::Result<RequestPurpose, InvalidPurpose> {
    text.parse()
}

/// A created request as JSON.
#[derive(Serialize)]
struct CreatedOutput<'a> {
    #[serde(flatten)]
    item: &'a RequestItem,
    link: &'a str,
    #[serde(rename = "for")]
    purpose: Option<&'a str>,
    recipient: &'a str,
    identity_file: String,
}

/// Runs `sgsend request create`.
pub(super) async fn run(arguments: Arguments, context: &Context) -> Result<()> {
    require_stdout("the link")?;
    let link_server = match &arguments.link_server {
        Some(url) => Some(server_arg::parse_url(url, "--link-server")?),
        None => context.settings.link_server().cloned(),
    };
    let api = context.sender_api(context.server()?).await?;
    let (recipient, identity_file) = identity::recipient(arguments.identity, context).await?;
    let secret = RequestSecret::random();
    let request = CreateRequest {
        // The digest does not depend on the id, which the server chooses.
        secret_sha256: secret.token(TokenId::random()).secret_sha256(),
        expires_in_s: arguments.expires.map(|expires| expires.as_secs()),
        max_transfers: arguments.max_transfers,
        max_total_bytes: arguments.max_total_bytes.map(|ByteSize(bytes)| bytes),
    };
    let CreatedRequest { request: item, .. } = context.first_call(|| api.create_request(&request)).await?;
    let base_url = link_server.unwrap_or_else(|| api.base_url().clone());
    let link = RequestLink { base_url, token_id: item.token_id, secret, recipient, purpose: arguments.purpose };
    let (text, printer) = (link.to_text(), &context.printer);
    let saved = SavedRequest::new(&link, item.created_at).write();
    let outcome = saved.and_then(|path| {
        let written = if printer.is_json() {
            printer.json_of(&CreatedOutput {
                item: &item,
                link: &text,
                purpose: link.purpose.as_ref().map(RequestPurpose::as_str),
                recipient: link.recipient.as_str(),
                identity_file: identity_file.display().to_string(),
            })
        } else {
            printer.result(&text)
        };
        written
            .map(|()| path)
            .map_err(|error| Failure::new(Exit::LocalFile, "link_unprinted", format!("cannot print the link: {error}")))
    });
    let path = match outcome {
        Ok(path) => path,
        Err(failure) => {
            // Nobody has the link, so the request is of no use.
            let is_revoked = api.revoke_request(item.token_id).await.is_ok();
            let state = if is_revoked { "the request was revoked" } else { "nobody has the link of the request" };
            return Err(Failure { message: format!("{}; {state}", failure.message), ..failure }.into());
        }
    };
    arguments.share.run(&text, printer);
    if printer.is_interactive() && !printer.is_json() {
        let limits = [
            item.max_transfers.map(|limit| format!("at most {limit} transfers")),
            item.max_total_bytes.map(|limit| format!("at most {} at a time", ByteSize(limit))),
        ];
        let facts = [format!("expires {}", time::with_distance(item.expires_at))];
        let facts: Vec<_> = facts.into_iter().chain(limits.into_iter().flatten()).collect();
        printer.note(&format!("guests open the link in a browser, or run: sgsend upload FILES --request {}", "LINK"));
        printer.note(&facts.join(", "));
        if let Some(purpose) = &link.purpose {
            printer.note(&format!("for: {}", escape::one_line(purpose.as_str())));
        }
        printer.note(&format!("download what arrives with: sgsend request download {}", item.token_id));
        printer.note(&format!(
            "only {} opens what arrives: keep a backup of it and of {}",
            identity_file.display(),
            path.display()
        ));
    }
    Ok(())
}
