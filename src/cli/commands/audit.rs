//! `sgsend audit`: shows the audit records of a transfer.

use std::cell::Cell;

use anyhow::Result;
use clap::{Args, Subcommand};
use serde::Serialize;
use serde_json::Value;

use crate::cli::context::Context;
use crate::cli::input::link_arg::LinkArgument;
use crate::cli::input::secret::SecretText;
use crate::cli::output::{records, time};
use crate::domain::timestamp::Timestamp;

/// Arguments of `sgsend audit`.
#[derive(Args)]
pub(crate) struct Arguments {
    #[command(subcommand)]
    command: AuditCommand,
}

#[derive(Subcommand)]
enum AuditCommand {
    /// Show all requests, actions and events of a transfer
    Show {
        /// Id or link of the transfer
        #[arg(value_name = "ID")]
        id: SecretText,
    },
}

#[derive(Serialize)]
struct AuditItems {
    items: Vec<Value>,
    next: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    reads_since: Option<Timestamp>,
}

/// Runs `sgsend audit`.
pub(crate) async fn run(arguments: Arguments, context: &Context) -> Result<()> {
    let AuditCommand::Show { id } = arguments.command;
    let id = LinkArgument::read(Some(&id), context).await?.id;
    let api = context.admin_api().await?;
    let reads_since = Cell::new(None);
    let page = |after: Option<String>| {
        let (api, reads_since) = (&api, &reads_since);
        async move {
            let audit = context.first_call(|| api.audit(id, after.as_deref())).await?;
            reads_since.set(reads_since.get().or(audit.reads_since));
            Ok(audit.page)
        }
    };
    let items = records::all(page).await?;
    let reads_since = reads_since.get();
    if context.printer.is_json() {
        context.printer.json_of(&AuditItems { items, next: None, reads_since })?;
        return Ok(());
    }
    if !items.is_empty() {
        context.printer.result(&records::timeline(&items))?;
    }
    if let Some(since) = reads_since {
        let before = time::to_second(since);
        let text = format!(
            "records of reads, rejected requests, client events and unlimited downloads before {before} have been removed"
        );
        context.printer.note(&text);
    }
    Ok(())
}
