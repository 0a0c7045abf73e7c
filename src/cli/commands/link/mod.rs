//! `sgsend link`: adds, lists, changes and revokes further links of a transfer.

mod add;
pub(crate) mod edit;
mod list;
mod revoke;
mod transfer;

use anyhow::Result;
use clap::{Args, Subcommand};

pub(crate) use list::{LinkRow, named, rows};
pub(crate) use revoke::revoke;
pub(crate) use transfer::SentTransfer;

use crate::cli::context::Context;

/// Arguments of `sgsend link`.
#[derive(Args)]
pub(crate) struct Arguments {
    #[command(subcommand)]
    command: LinkCommand,
}

#[derive(Subcommand)]
enum LinkCommand {
    /// Create another link to a transfer, and print it
    Add(add::Arguments),
    /// List the links of a transfer
    List(list::Arguments),
    /// Change expiry or download limit of a link
    Edit(edit::EditOptions),
    /// Close a link; the transfer and its other links stay
    Revoke(revoke::Arguments),
}

/// Runs `sgsend link`.
pub(crate) async fn run(arguments: Arguments, context: &Context) -> Result<()> {
    match arguments.command {
        LinkCommand::Add(arguments) => Box::pin(add::run(arguments, context)).await,
        LinkCommand::List(arguments) => list::run(arguments, context).await,
        LinkCommand::Edit(arguments) => edit::run_link(arguments, context).await,
        LinkCommand::Revoke(arguments) => revoke::run(arguments, context).await,
    }
}
