//! `sgsend admin`: manages the transfers of all senders through the admin service.

mod delete;
mod list;

use anyhow::Result;
use clap::{Args, Subcommand};

pub(super) use delete::delete_of_token;

use crate::cli::context::Context;
use crate::cli::failure::exit::Exit;

/// Arguments of `sgsend admin`.
#[derive(Args)]
pub(crate) struct Arguments {
    #[command(subcommand)]
    command: AdminCommand,
}

#[derive(Subcommand)]
enum AdminCommand {
    /// List the transfers of all senders
    List(list::Arguments),
    /// Delete transfers of any sender
    Delete(delete::Arguments),
}

/// Runs `sgsend admin`.
pub(crate) async fn run(arguments: Arguments, context: &Context) -> Result<Exit> {
    match arguments.command {
        AdminCommand::List(arguments) => list::run(arguments, context).await.map(|()| Exit::Done),
        AdminCommand::Delete(arguments) => delete::run(arguments, context).await,
    }
}
