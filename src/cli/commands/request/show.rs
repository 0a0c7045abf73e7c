//! `sgsend request show`: prints the link of a request again, and lists what has arrived.

use anyhow::Result;
use bytesize::ByteSize;
use clap::Args;
use serde::Serialize;

use super::download::arrivals;
use super::saved::SavedRequest;
use super::{status_text, transfers_text};
use crate::cli::context::Context;
use crate::cli::failure::Failure;
use crate::cli::failure::exit::Exit;
use crate::cli::output::{escape, sender, table, time};
use crate::domain::id::TokenId;
use crate::domain::link::RequestPurpose;
use crate::domain::wire::{RequestItem, TransferItem};

/// Arguments of `sgsend request show`.
#[derive(Args)]
pub(super) struct Arguments {
    /// Id of the request, as `sgsend request list` shows it
    id: TokenId,
    /// Print the link too, which lets everybody who has it send files for the request
    #[arg(long)]
    link: bool,
}

/// A request with its transfers, as JSON.
#[derive(Serialize)]
struct RequestOutput<'a> {
    #[serde(flatten)]
    item: &'a RequestItem,
    #[serde(skip_serializing_if = "Option::is_none")]
    link: Option<&'a str>,
    #[serde(rename = "for")]
    purpose: Option<&'a str>,
    transfers: &'a [ArrivedTransfer],
}

/// A transfer that guests have sent.
#[derive(Serialize)]
struct ArrivedTransfer {
    #[serde(flatten)]
    item: TransferItem,
    /// Whether this machine has downloaded the transfer.
    downloaded: bool,
    /// Whether the transfer was not sent through the link, as far as this machine knows.
    set_aside: bool,
    /// Guest whose signature was verified by the download: name of a contact, or fingerprint.
    signed_by: Option<String>,
}

/// Runs `sgsend request show`.
pub(super) async fn run(arguments: &Arguments, context: &Context) -> Result<()> {
    let id = arguments.id;
    let api = context.sender_api(context.server()?).await?;
    let items = context.first_call(|| api.requests()).await?;
    let item = items.into_iter().find(|item| item.token_id == id).ok_or_else(|| {
        Failure::new(Exit::NotFound, "request_not_found", format!("no request {id} of this sender token"))
            .hint("`sgsend request list` shows the requests of this token")
    })?;
    let saved = if arguments.link { Some(SavedRequest::read(id)?) } else { SavedRequest::find(id)? };
    let link = saved.as_ref().map(SavedRequest::link).transpose()?;
    let transfers: Vec<_> = arrivals(&api, id, None, context)
        .await?
        .into_iter()
        .map(|item| {
            let has = |ids: &[_]| ids.contains(&item.transfer_id);
            let downloaded = saved.as_ref().is_some_and(|saved| has(&saved.received));
            let set_aside = saved.as_ref().is_some_and(|saved| has(&saved.set_aside));
            let sender = saved.as_ref().and_then(|saved| saved.sender_of(item.transfer_id));
            let signed_by = sender.map(|key| sender::short_name(&key));
            ArrivedTransfer { item, downloaded, set_aside, signed_by }
        })
        .collect();
    let printer = &context.printer;
    let text = link.as_ref().filter(|_| arguments.link).map(crate::domain::link::RequestLink::to_text);
    let purpose = link.as_ref().and_then(|link| link.purpose.as_ref()).map(RequestPurpose::as_str);
    if printer.is_json() {
        let link = text.as_ref().map(|text| text.as_str());
        return Ok(printer.json_of(&RequestOutput { item: &item, link, purpose, transfers: &transfers })?);
    }
    if let Some(text) = text {
        printer.result(&text)?;
    }
    let (status, expires) = (status_text(item.status), time::with_distance(item.expires_at));
    printer.note(&format!("request {id}: {status}, expires {expires}; transfers: {}", transfers_text(&item)));
    if let Some(purpose) = purpose {
        printer.note(&format!("for: {}", escape::one_line(purpose)));
    }
    let cells = |row: &ArrivedTransfer| {
        let state = match row {
            ArrivedTransfer { set_aside: true, .. } => "not sent through the link",
            ArrivedTransfer { downloaded: true, .. } => "downloaded",
            ArrivedTransfer { item, .. } => crate::cli::commands::status::state_text(item.status),
        };
        let (id, size) = (row.item.transfer_id.to_string(), ByteSize(row.item.size_bytes).to_string());
        let signed_by = row.signed_by.clone().unwrap_or_default();
        vec![id, state.to_owned(), size, time::relative(row.item.created_at), signed_by]
    };
    let rows: Vec<_> = transfers.iter().map(cells).collect();
    if !rows.is_empty() {
        printer.result(&table::lines(&["TRANSFER", "STATUS", "ENCRYPTED SIZE", "CREATED", "SIGNED BY"], &rows))?;
    }
    Ok(())
}
