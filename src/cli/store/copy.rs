//! `sgsend store copy`: everything that a storage holds, into another one.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use anyhow::Result;
use clap::Args;
use serde::Serialize;

use super::location::{check_holds_store, storage};
use crate::cli::context::Context;
use crate::cli::exit::Exit;
use crate::cli::failure::Failure;
use crate::cli::meter::Meter;
use crate::cli::serve::why_not_started;
use crate::client::Progress;
use crate::domain::copying::{Copied, CopyError, Watch};
use crate::domain::error::chain;
use crate::domain::store::StoreError;
use crate::server::{CopyStoreError, StorageLocation, copy_store};

/// What to do where a copy has begun and not ended.
const GO_ON: &str = "run the same command again: it goes on, and sends nothing twice";

/// Copy everything in a storage into a new one, so that its services can go on there; stop them first
///
/// Transfers with their links, states and counts, payloads, tokens, audit records and statistics are in TO afterwards;
/// FROM stays as it is. Nothing must use either of them meanwhile: a folder in use is refused, of a bucket only what
/// changes meanwhile is noticed. TO must be empty, or what an earlier run has left of the same copy, which is gone on with;
/// until it is whole no service starts over it. Every record is read back and compared, every payload is read back and
/// compared by its SHA-256.
///
/// An upload that is under way is not moved: its transfer stays, and `sgsend upload --resume` sends it from the beginning.
///
/// Options of buckets stand in their URLs; SGSEND_S3_ENDPOINT has no say here. Where TO is not empty, a folder is in use, or
/// something has changed meanwhile, the exit status is 9, whichever kind of storage it is.
#[derive(Args)]
#[command(verbatim_doc_comment)]
#[expect(clippy::doc_markdown, reason = "help texts are no Markdown")]
pub(super) struct Arguments {
    /// What to copy: file:FOLDER or s3://BUCKET/PREFIX?endpoint=URL&path_style=1&region=NAME
    #[arg(value_parser = storage)]
    from: StorageLocation,
    /// Where to: a new folder or prefix
    #[arg(value_parser = storage)]
    to: StorageLocation,
}

#[derive(Serialize)]
struct Output {
    v: u8,
    ok: bool,
    records: u64,
    payloads: u64,
    bytes: u64,
    /// What of them was not there yet.
    bytes_sent: u64,
    pending: u64,
}

/// Shows how far it is, and knows whether it has begun.
struct Shown {
    meter: Arc<Meter>,
    begun: AtomicBool,
}

impl Watch for Shown {
    fn begin(&self, total: u64) {
        self.begun.store(true, Ordering::Relaxed);
        self.meter.begin(total);
    }

    fn moved_to(&self, bytes: u64) {
        self.meter.moved_to(bytes);
    }

    fn compares(&self) {
        self.meter.step(format_args!("everything is copied, and is now compared"));
    }
}

/// Runs the command.
pub(super) async fn run(arguments: Arguments, context: &Context) -> Result<Exit> {
    let Arguments { from, to } = arguments;
    for storage in [&from, &to] {
        super::check_lasting(storage)?;
        check_built(storage)?;
    }
    check_holds_store(&from)?;
    let in_bucket = [&from, &to].into_iter().any(|storage| matches!(storage, StorageLocation::S3(_)));
    let shown = Shown { meter: context.meter("copy"), begun: AtomicBool::new(false) };
    let mut interrupt = context.interrupt.clone();
    let outcome = tokio::select! {
        outcome = Box::pin(copy_store(from, to, &shown)) => outcome.map_err(|error| why_not_copied(&error, in_bucket)),
        signal = interrupt.raised() => Err(interrupted(signal, shown.begun.load(Ordering::Relaxed))),
    };
    shown.meter.end();
    print(&outcome?, context)?;
    Ok(Exit::Done)
}

fn interrupted(signal: crate::client::Signal, begun: bool) -> Failure {
    let failure = Failure { resumable: Some(begun), ..Failure::interrupted(signal) };
    failure.hint(if begun { GO_ON } else { "nothing was copied" })
}

fn print(copied: &Copied, context: &Context) -> Result<()> {
    let Copied { records, payloads, bytes, bytes_sent, pending } = *copied;
    let printer = &context.printer;
    if printer.is_json() {
        printer.json(&Output { v: 1, ok: true, records, payloads, bytes, bytes_sent, pending })?;
    } else {
        printer.result(&format!("records   {records}\npayloads  {payloads}\nbytes     {bytes}"))?;
    }
    if pending > 0 {
        printer.warning(&format!("{pending} uploads are not done: their senders begin anew, with `upload --resume`"));
    }
    printer.note("start the services over the copy, and then remove the original: it still holds every payload");
    Ok(())
}

fn check_built(storage: &StorageLocation) -> Result<(), Failure> {
    if cfg!(feature = "s3") || !matches!(storage, StorageLocation::S3(_)) {
        return Ok(());
    }
    Err(Failure::usage("this sgsend was built without S3").hint("name folders: file:FOLDER"))
}

/// Why a storage was not copied, with what to do about it.
fn why_not_copied(error: &CopyStoreError, in_bucket: bool) -> Failure {
    let local = |code, hint: &str| Failure::new(Exit::LocalFile, code, chain(error)).hint(hint);
    match error {
        CopyStoreError::SamePlace(_) => Failure::usage(chain(error)).hint("name a new folder or prefix"),
        CopyStoreError::InUse { .. } => {
            local("in_use", "stop the services that run over it, and whatever else has it open")
        }
        CopyStoreError::NotEmpty | CopyStoreError::Copy(CopyError::NotEmpty) => {
            local("not_empty", "name a folder or prefix with nothing in it")
        }
        CopyStoreError::Copy(error) => why_not_ended(error, in_bucket),
        CopyStoreError::Open(error) => {
            why_not_started(error, in_bucket).hint("check that the storage is there, and that this user may use it")
        }
    }
}

fn why_not_ended(error: &CopyError, in_bucket: bool) -> Failure {
    let message = chain(error);
    let local = |code, hint: &str| Failure::new(Exit::LocalFile, code, message.clone()).hint(hint);
    match error {
        CopyError::NotEmpty => local("not_empty", "name a folder or prefix with nothing in it"),
        CopyError::OtherCopy { .. } => local("not_empty", "end that one first, or name another place"),
        CopyError::Overtaken => local("in_use", "let only one of them run; the other one goes on"),
        CopyError::Differs { .. } => local("changed", "stop the services, and run the same command again"),
        CopyError::NoStore => Failure::new(Exit::Other, "storage_unavailable", message)
            .hint("check that this is the storage that is meant"),
        CopyError::NoPayload { .. } | CopyError::From(StoreError::Corrupt { .. }) => {
            let hint = "ask `sgsend store check`, mend it or delete the transfer, and run the same command again";
            Failure::new(Exit::Other, "unsound", message).hint(hint)
        }
        CopyError::Damaged { .. } => local("damaged", "look after the disk or bucket of the copy, and run it again"),
        CopyError::From(StoreError::UnfinishedCopy { .. }) => local("unfinished", "end that copy first"),
        CopyError::To(StoreError::Full) => local("disk_full", "make room, and run the same command again: it goes on"),
        CopyError::From(_) | CopyError::To(_) if in_bucket => {
            let failure = Failure::new(Exit::Resumable, "storage_unavailable", message);
            Failure { resumable: Some(true), ..failure.retryable().hint(GO_ON) }
        }
        CopyError::From(_) | CopyError::To(_) => local("storage_unavailable", GO_ON),
    }
}
