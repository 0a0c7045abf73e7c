//! `sgsend store copy`: copies a complete storage to a new one.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use anyhow::Result;
use clap::Args;
use serde::Serialize;

use super::location::{check_holds_store, newer_layout, storage};
use crate::cli::commands::serve::start_failure;
use crate::cli::context::Context;
use crate::cli::failure::Failure;
use crate::cli::failure::exit::Exit;
use crate::cli::output::meter::Meter;
use crate::client::Progress;
use crate::domain::error::chain;
use crate::domain::maintenance::copy::{Copied, CopyError, CopyObserver};
use crate::domain::store::StoreError;
use crate::server::{CopyStoreError, StorageLocation};

/// Hint for an unfinished copy.
const RESUME: &str = "resume: run the same command again; nothing is copied twice";

/// Copy a complete storage to a new one, to migrate its services; stop the services first
///
/// Copies transfers with their links, states and counters, payloads, tokens, audit records and statistics; FROM stays
/// unchanged. No service may use either storage during the copy: a folder in use is rejected; for a bucket, only
/// changes are detected. TO must be empty, or contain an unfinished copy of the same storage, which is resumed; no
/// service starts on TO before the copy is complete. Every record is read back and compared, every payload is read
/// back and compared by its SHA-256.
///
/// Unfinished uploads are not copied: their transfers stay pending, and `sgsend upload --resume` starts from the
/// beginning.
///
/// Bucket options belong in the URLs; SGSEND_S3_ENDPOINT is ignored. If TO is not empty, a folder is in use, or the
/// storage has changed during the copy, the exit status is 9, for folders and buckets alike.
#[derive(Args)]
#[expect(clippy::doc_markdown, reason = "help texts are not Markdown")]
pub(super) struct Arguments {
    /// Storage to copy: file:FOLDER or s3://BUCKET/PREFIX?endpoint=URL&path_style=1&region=NAME
    #[arg(value_parser = storage)]
    from: StorageLocation,
    /// Target: a new folder or prefix
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
    /// Bytes copied by this run, without those of an earlier unfinished run.
    bytes_sent: u64,
    pending: u64,
}

/// Shows the progress and records whether the copy has begun.
struct CopyProgress {
    meter: Arc<Meter>,
    has_begun: AtomicBool,
}

impl CopyObserver for CopyProgress {
    fn begin(&self, total: u64) {
        self.has_begun.store(true, Ordering::Relaxed);
        self.meter.begin(total);
    }

    fn transferred(&self, bytes: u64) {
        self.meter.transferred(bytes);
    }

    fn compares(&self) {
        self.meter.step(format_args!("copied; comparing the copy with the original"));
    }
}

/// Runs `sgsend store copy`.
pub(super) async fn run(arguments: Arguments, context: &Context) -> Result<Exit> {
    let Arguments { from, to } = arguments;
    for storage in [&from, &to] {
        super::check_persistent(storage)?;
        check_supported(storage)?;
    }
    check_holds_store(&from)?;
    let is_remote = from.is_remote() || to.is_remote();
    let progress = CopyProgress { meter: context.meter("copy"), has_begun: AtomicBool::new(false) };
    let mut interrupt = context.interrupt.clone();
    let outcome = tokio::select! {
        outcome = Box::pin(from.copy_to(&to, &progress)) => outcome.map_err(|error| copy_store_failure(&error, is_remote)),
        signal = interrupt.raised() => Err(interrupted(signal, progress.has_begun.load(Ordering::Relaxed))),
    };
    progress.meter.end();
    print(&outcome?, context)?;
    Ok(Exit::Done)
}

fn interrupted(signal: crate::client::Signal, has_begun: bool) -> Failure {
    let failure = Failure { resumable: Some(has_begun), ..Failure::interrupted(signal) };
    failure.hint(if has_begun { RESUME } else { "nothing was copied" })
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
        printer.warning(&format!(
            "{pending} unfinished uploads were not copied: their senders restart them with `upload --resume`"
        ));
    }
    printer.note("start the services on the copy, then remove the original: it still contains all payloads");
    Ok(())
}

fn check_supported(storage: &StorageLocation) -> Result<(), Failure> {
    if storage.is_supported() {
        return Ok(());
    }
    Err(Failure::usage("this sgsend was built without S3").hint("use folders: file:FOLDER"))
}

/// Converts an error of opening or copying the storages to a failure.
fn copy_store_failure(error: &CopyStoreError, is_remote: bool) -> Failure {
    if let Some(newer) = newer_layout(error) {
        return newer;
    }
    let local = |code, hint: &str| Failure::new(Exit::LocalFile, code, chain(error)).hint(hint);
    match error {
        CopyStoreError::OverlappingLocations(_) => Failure::usage(chain(error)).hint("use a new folder or prefix"),
        CopyStoreError::InUse { .. } => {
            local("in_use", "stop the services on this storage, and other programs that use it")
        }
        CopyStoreError::NotEmpty | CopyStoreError::Copy(CopyError::NotEmpty) => {
            local("not_empty", "use an empty folder or prefix")
        }
        CopyStoreError::Copy(error) => copy_failure(error, is_remote),
        CopyStoreError::Open(error) => {
            start_failure(error, is_remote).hint("check that the storage exists, and that this user has access to it")
        }
    }
}

/// Converts an error during the copy to a failure.
fn copy_failure(error: &CopyError, is_remote: bool) -> Failure {
    let message = chain(error);
    let local = |code, hint: &str| Failure::new(Exit::LocalFile, code, message.clone()).hint(hint);
    match error {
        CopyError::NotEmpty => local("not_empty", "use an empty folder or prefix"),
        CopyError::OtherCopy { .. } => local("not_empty", "finish the other copy first, or use another target"),
        CopyError::Overtaken => local("in_use", "run only one copy at a time; the other one continues"),
        CopyError::Differs { .. } => local("changed", "stop the services, and run the same command again"),
        CopyError::NoStore => {
            Failure::new(Exit::Other, "storage_unavailable", message).hint("check that this is the intended storage")
        }
        CopyError::NoPayload { .. } | CopyError::From(StoreError::Corrupt { .. }) => {
            let hint =
                "run `sgsend store check`, repair the storage or delete the transfer, and run the same command again";
            Failure::new(Exit::Other, "unsound", message).hint(hint)
        }
        CopyError::Damaged { .. } => {
            local("damaged", "check the disk or bucket of the copy, and run the same command again")
        }
        CopyError::From(StoreError::IncompleteCopy { .. }) => local("unfinished", "finish the other copy first"),
        CopyError::To(StoreError::Full) => {
            local("disk_full", "free disk space, and run the same command again to resume")
        }
        CopyError::From(_) | CopyError::To(_) if is_remote => {
            let failure = Failure::new(Exit::Resumable, "storage_unavailable", message);
            Failure { resumable: Some(true), ..failure.retryable().hint(RESUME) }
        }
        CopyError::From(_) | CopyError::To(_) => local("storage_unavailable", RESUME),
    }
}
