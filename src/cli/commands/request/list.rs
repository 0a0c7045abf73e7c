//! `sgsend request list`: lists the requests of this user's token.

use anyhow::Result;
use serde::Serialize;

use super::saved::SavedRequest;
use super::{status_text, transfers_text};
use crate::cli::context::Context;
use crate::cli::output::{escape, sender, table, time};
use crate::domain::link::RequestPurpose;
use crate::domain::wire::RequestItem;

#[derive(Serialize)]
struct RequestItems {
    items: Vec<RequestRow>,
    next: Option<String>,
}

/// A request with what only this machine knows.
#[derive(Serialize)]
struct RequestRow {
    #[serde(flatten)]
    item: RequestItem,
    /// Purpose of the request; null without a purpose, or if the request was created elsewhere.
    #[serde(rename = "for")]
    purpose: Option<String>,
    /// Whether this machine has the secret of the request.
    saved: bool,
    /// Guests whose signatures a download on this machine has verified: contacts, or fingerprints.
    signed_by: Vec<String>,
}

/// Runs `sgsend request list`.
pub(super) async fn run(context: &Context) -> Result<()> {
    let api = context.sender_api(context.server()?).await?;
    let items = context.first_call(|| api.requests()).await?;
    let row = |item: RequestItem| {
        let saved = SavedRequest::find(item.token_id).ok().flatten();
        let signed_by = saved.iter().flat_map(SavedRequest::senders).map(|key| sender::short_name(&key)).collect();
        let link = saved.and_then(|saved| saved.link().ok());
        let purpose = link.as_ref().and_then(|link| link.purpose.as_ref()).map(RequestPurpose::as_str);
        RequestRow { purpose: purpose.map(ToOwned::to_owned), saved: link.is_some(), signed_by, item }
    };
    let items: Vec<_> = items.into_iter().map(row).collect();
    let printer = &context.printer;
    if printer.is_json() {
        return Ok(printer.json_of(&RequestItems { items, next: None })?);
    }
    let cells = |row: &RequestRow| {
        let RequestRow { item, purpose, saved, signed_by } = row;
        let purpose = match purpose {
            Some(purpose) => escape::one_line(purpose).into_owned(),
            None if *saved => String::new(),
            None => "(created on another machine)".to_owned(),
        };
        let (status, expires) = (status_text(item.status).to_owned(), time::relative(item.expires_at));
        vec![item.token_id.to_string(), status, transfers_text(item), expires, signed_by.join(", "), purpose]
    };
    let rows: Vec<_> = items.iter().map(cells).collect();
    if !rows.is_empty() {
        printer.result(&table::lines(&["ID", "STATUS", "TRANSFERS", "EXPIRES", "SIGNED BY", "FOR"], &rows))?;
    } else if printer.is_interactive() {
        printer.note("no requests; create one with: sgsend request create --for TEXT");
    }
    Ok(())
}
