//! `sgsend token list`: lists all sender tokens.

use anyhow::Result;
use serde::Serialize;

use super::{expiry_text, status_text, use_text};
use crate::cli::context::Context;
use crate::cli::output::{records, table, time};
use crate::domain::wire::TokenItem;

#[derive(Serialize)]
struct TokenItems {
    items: Vec<TokenItem>,
    next: Option<String>,
}

/// Runs `sgsend token list`.
pub(super) async fn run(context: &Context) -> Result<()> {
    let api = context.admin_api().await?;
    let page = |after: Option<String>| {
        let api = &api;
        async move { context.first_call(|| api.tokens(after.as_deref())).await }
    };
    let items = records::all(page).await?;
    let printer = &context.printer;
    if printer.is_json() {
        printer.json_of(&TokenItems { items, next: None })?;
        return Ok(());
    }
    let row = |item: &TokenItem| {
        let used =
            item.last_used_at.map_or_else(|| "never used".to_owned(), |at| format!("used {}", time::relative(at)));
        let (status, usage) = (status_text(item.status).to_owned(), use_text(item));
        let name = item.owner.map_or_else(|| item.name.clone(), |owner| format!("request of {owner}"));
        vec![item.token_id.to_string(), status, expiry_text(item.expires_at), used, usage, name]
    };
    let rows: Vec<_> = items.iter().map(row).collect();
    if !rows.is_empty() {
        printer.result(&table::lines(&["ID", "STATUS", "EXPIRES", "LAST USE", "USAGE", "NAME"], &rows))?;
    }
    if items.is_empty() && printer.is_interactive() {
        printer.note("no tokens; create one with: sgsend token create NAME");
    }
    Ok(())
}
