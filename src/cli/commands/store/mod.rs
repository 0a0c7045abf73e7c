//! `sgsend store`: backs up, copies, checks and repairs a storage.

mod backup;
mod check;
mod copy;
pub(crate) mod location;

use anyhow::Result;
use clap::{Args, Subcommand};

use super::serve::log::{self, LogFormat};
use crate::cli::context::Context;
use crate::cli::failure::Failure;
use crate::cli::failure::exit::Exit;
use crate::server::StorageLocation;

/// Arguments of `sgsend store`.
#[derive(Args)]
pub(crate) struct Arguments {
    #[command(subcommand)]
    command: StoreCommand,
}

#[derive(Subcommand)]
enum StoreCommand {
    Backup(backup::Arguments),
    Copy(copy::Arguments),
    Check(check::Arguments),
}

/// Runs `sgsend store`. Handles interruption itself.
pub(crate) async fn run(arguments: Arguments, context: &Context) -> Result<Exit> {
    log::start(LogFormat::Text, &context.printer)?;
    let mut interrupt = context.interrupt.clone();
    match arguments.command {
        StoreCommand::Backup(arguments) => backup::run(arguments, context).await,
        StoreCommand::Copy(arguments) => copy::run(arguments, context).await,
        StoreCommand::Check(arguments) => tokio::select! {
            outcome = Box::pin(check::run(arguments, context)) => outcome,
            signal = interrupt.raised() => Err(Failure::interrupted(signal).into()),
        },
    }
}

/// Rejects a storage that ends with its process.
fn check_persistent(storage: &StorageLocation) -> Result<(), Failure> {
    if storage.is_persistent() {
        return Ok(());
    }
    let failure = Failure::usage("a memory: storage exists in one process only");
    Err(failure.hint("use a persistent storage"))
}
