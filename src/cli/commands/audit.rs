//! `sgsend audit`: shows the audit records of a transfer.

use anyhow::Result;
use clap::{Args, Subcommand};
use serde::Serialize;
use serde_json::Value;

use crate::cli::context::Context;
use crate::cli::input::link_arg::LinkArgument;
use crate::cli::input::secret::SecretText;
use crate::cli::output::records;

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
}

/// Runs `sgsend audit`.
pub(crate) async fn run(arguments: Arguments, context: &Context) -> Result<()> {
    let AuditCommand::Show { id } = arguments.command;
    let id = LinkArgument::read(Some(&id), context).await?.id;
    let api = context.admin_api().await?;
    let page = |after: Option<String>| {
        let api = &api;
        async move { context.first_call(|| api.audit(id, after.as_deref())).await }
    };
    let items = records::all(page).await?;
    if context.printer.is_json() {
        context.printer.json_of(&AuditItems { items, next: None })?;
        return Ok(());
    }
    if !items.is_empty() {
        context.printer.result(&records::timeline(&items))?;
    }
    Ok(())
}
