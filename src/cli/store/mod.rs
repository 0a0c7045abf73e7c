//! `sgsend store`

mod check;
mod copy;
pub(super) mod location;

use anyhow::Result;
use clap::{Args, Subcommand};

use super::context::Context;
use super::exit::Exit;
use super::failure::Failure;
use super::serve::log;
use crate::server::StorageLocation;

/// What the command takes.
#[derive(Args)]
pub(super) struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    Copy(copy::Arguments),
    /// Read everything in a storage, and say what does not agree; changes nothing. Best while no service runs on it
    Check(check::Arguments),
}

/// Runs the command. Says itself what is left when it is interrupted.
pub(super) async fn run(arguments: Arguments, context: &Context) -> Result<Exit> {
    log::start(&context.printer)?;
    let mut interrupt = context.interrupt.clone();
    match arguments.command {
        Command::Copy(arguments) => copy::run(arguments, context).await,
        Command::Check(arguments) => tokio::select! {
            outcome = Box::pin(check::run(arguments, context)) => outcome,
            signal = interrupt.raised() => Err(Failure::interrupted(signal).into()),
        },
    }
}

/// Refuses a storage that goes with its process.
fn check_lasting(storage: &StorageLocation) -> Result<(), Failure> {
    if *storage != StorageLocation::Memory {
        return Ok(());
    }
    let failure = Failure::usage("memory: lives in one process only");
    Err(failure.hint("name a storage that outlives its services"))
}
