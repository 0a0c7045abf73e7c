//! `sgsend sweep`: one clean-up round, for storages without a permanently running server.

use std::sync::Arc;

use anyhow::Result;
use clap::Args;
use serde::Serialize;

use super::serve::log::{self, LogFormat};
use super::serve::start_failure;
use super::store::location::{check_holds_store, storage};
use crate::cli::context::Context;
use crate::cli::failure::Failure;
use crate::cli::failure::exit::Exit;
use crate::cli::input::s3_options::S3Options;
use crate::domain::clock::SystemClock;
use crate::server::{Server, Settings, StorageLocation};

/// Arguments of `sgsend sweep`.
#[derive(Args)]
#[expect(clippy::doc_markdown, reason = "help texts are not Markdown")]
pub(crate) struct Arguments {
    /// Storage to clean up: file:FOLDER or s3://BUCKET/PREFIX
    #[arg(long, env = "SGSEND_STORAGE", value_name = "URL", value_parser = storage)]
    storage: StorageLocation,
    #[command(flatten)]
    s3: S3Options,
    /// Accept the clock of this machine, if services removed nothing since theirs had jumped
    ///
    /// A service whose clock is set by more than a day removes nothing for an hour, in case the new time is wrong.
    #[arg(long)]
    accept_clock: bool,
}

#[derive(Serialize)]
struct Output {
    v: u8,
    ok: bool,
    processed: u64,
    payloads_removed: u64,
    forgotten: u64,
}

/// Runs `sgsend sweep`.
pub(crate) async fn run(arguments: Arguments, context: &Context) -> Result<()> {
    log::start(LogFormat::Text, &context.printer)?;
    let storage = arguments.s3.apply(arguments.storage)?;
    if !storage.is_persistent() {
        let failure = Failure::usage("a memory: storage exists in one process only, which cleans up itself");
        return Err(failure.hint("name the storage of a service that does not run permanently").into());
    }
    check_holds_store(&storage)?;
    let is_remote = storage.is_remote();
    let failed = |error| start_failure(&error, is_remote);
    let server = Server::open(Settings::new(storage), Arc::new(SystemClock)).await.map_err(failed)?;
    if arguments.accept_clock {
        server.accept_clock().await.map_err(failed)?;
    }
    let swept = server.sweep().await.map_err(failed)?;
    if swept.failed > 0 {
        let text = format!("{} of {} transfers could not be cleaned up", swept.failed, swept.processed);
        return Err(Failure::new(Exit::Network, "sweep_unfinished", text)
            .hint("run the command again in a minute")
            .into());
    }
    if context.printer.is_json() {
        let (processed, payloads_removed, forgotten) = (swept.processed, swept.payloads_removed, swept.removed);
        context.printer.json(&Output { v: 1, ok: true, processed, payloads_removed, forgotten })?;
    } else {
        let processed = format!("checked           {}", swept.processed);
        let removed = format!("payloads removed  {}", swept.payloads_removed);
        context.printer.result(&format!("{processed}\n{removed}\nrecords removed   {}", swept.removed))?;
    }
    Ok(())
}
