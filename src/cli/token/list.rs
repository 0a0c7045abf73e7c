//! `sgsend token list`

use anyhow::Result;
use serde::Serialize;

use super::super::context::Context;
use super::super::{escape, records};
use super::{quota_text, status_text, until};
use crate::domain::wire::TokenItem;

#[derive(Serialize)]
struct Items {
    items: Vec<TokenItem>,
    next: Option<String>,
}

/// Runs the command.
pub(super) async fn run(context: &Context) -> Result<()> {
    let api = context.admin_api().await?;
    let page = |after: Option<String>| {
        let api = &api;
        async move { api.tokens(after.as_deref()).await }
    };
    let items = records::all(page).await?;
    let printer = &context.printer;
    if printer.is_json() {
        printer.json_of(&Items { items, next: None })?;
        return Ok(());
    }
    for item in &items {
        let used = item.last_used_at.map_or_else(|| "never used".to_owned(), |at| format!("used {}", at.for_people()));
        let (id, name) = (item.token_id, escape::one_line(&item.name));
        let quota = quota_text(item).map(|quota| format!("  {quota}")).unwrap_or_default();
        printer.result(&format!(
            "{id}  {:<7}  {}  {used}{quota}  {name}",
            status_text(item.status),
            until(item.expires_at)
        ))?;
    }
    if items.is_empty() && printer.has_reader() {
        printer.note("there are no tokens; make one with: sgsend token create NAME");
    }
    Ok(())
}
