//! `sgsend serve`

use clap::Args;

use super::Printer;
use super::failure::Failure;

/// What the command takes.
#[derive(Args)]
pub(super) struct Arguments {}

/// Runs a service.
pub(super) fn run(_arguments: Arguments, _printer: &Printer) -> anyhow::Result<()> {
    Err(Failure::usage("this build has no service").into())
}
