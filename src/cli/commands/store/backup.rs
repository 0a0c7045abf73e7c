//! `sgsend store backup`: backs up a storage while services use it.

use std::path::PathBuf;
use std::sync::Arc;

use anyhow::Result;
use clap::Args;
use serde::Serialize;

use super::location::{check_holds_store, newer_layout, storage};
use crate::cli::commands::serve::start_failure;
use crate::cli::context::Context;
use crate::cli::failure::Failure;
use crate::cli::failure::exit::Exit;
use crate::cli::input::s3_options::S3Options;
use crate::cli::output::meter::Meter;
use crate::client::{Progress, Signal};
use crate::domain::error::chain;
use crate::domain::maintenance::copy::{CopyError, CopyObserver};
use crate::domain::store::StoreError;
use crate::server::{BackupError, BackupReport, BackupStoreError, StorageLocation};

/// Hint for an unfinished backup.
const CONTINUE: &str = "run the same command again: it copies only what is missing";

/// Back up a storage in a folder, while its services run
///
/// DIR is a storage of its own: `sgsend store check file:DIR` checks it, `sgsend store copy file:DIR STORAGE` restores
/// it. Each transfer that can be downloaded has its payload. All records of a storage in a folder are of one point in
/// time; of a storage in a bucket, each transfer is, and undelivered notifications are not copied.
///
/// Run again with the same DIR, the command copies only new payloads, and removes those that the storage no longer has;
/// an interrupted backup is continued. Until the new backup is complete, DIR contains the last one.
///
/// Unfinished uploads are not copied: after a restore, `sgsend upload --resume` starts from the beginning. If DIR
/// contains other files or a backup of another storage, has been used as a storage, or is in use, the exit status is 9.
#[derive(Args)]
#[expect(clippy::doc_markdown, reason = "help texts are not Markdown")]
pub(super) struct Arguments {
    /// Storage to back up: file:FOLDER or s3://BUCKET/PREFIX
    #[arg(value_parser = storage)]
    storage: StorageLocation,
    #[command(flatten)]
    s3: S3Options,
    /// Folder of the backup: a new one, or one with an earlier backup of the same storage
    dir: PathBuf,
    /// Move payloads that the storage no longer has to DIR/kept, instead of removing them
    #[arg(long)]
    keep: bool,
}

#[derive(Serialize)]
struct Output<'a> {
    v: u8,
    ok: bool,
    #[serde(flatten)]
    report: &'a BackupReport,
}

/// Shows the progress.
struct BackupProgress(Arc<Meter>);

impl CopyObserver for BackupProgress {
    fn begin(&self, total: u64) {
        self.0.begin(total);
    }

    fn transferred(&self, bytes: u64) {
        self.0.transferred(bytes);
    }

    fn compares(&self) {}
}

/// Runs `sgsend store backup`.
pub(super) async fn run(arguments: Arguments, context: &Context) -> Result<Exit> {
    let Arguments { storage, s3, dir, keep } = arguments;
    let storage = s3.apply(storage)?;
    super::check_persistent(&storage)?;
    check_holds_store(&storage)?;
    let meter = context.meter("backup");
    let watch = Arc::new(BackupProgress(Arc::clone(&meter)));
    let mut interrupt = context.interrupt.clone();
    let outcome = tokio::select! {
        outcome = storage.back_up_to(&dir, keep, watch) => outcome.map_err(|error| backup_failure(&error, storage.is_remote())),
        signal = interrupt.raised() => Err(interrupted(signal)),
    };
    meter.end();
    print(&outcome?, context)?;
    Ok(Exit::Done)
}

fn interrupted(signal: Signal) -> Failure {
    Failure { resumable: Some(true), ..Failure::interrupted(signal) }.hint(CONTINUE)
}

fn print(report: &BackupReport, context: &Context) -> Result<()> {
    let BackupReport { records, payloads, bytes, payloads_copied, bytes_copied, payloads_removed, .. } = *report;
    let BackupReport { pending, lost, findings, .. } = *report;
    let printer = &context.printer;
    if printer.is_json() {
        printer.json(&Output { v: 1, ok: true, report })?;
    } else {
        printer.result(&format!(
            "records   {records}\npayloads  {payloads}, {payloads_copied} of them new, {payloads_removed} older removed\n\
             bytes     {bytes}, {bytes_copied} of them new"
        ))?;
    }
    if pending > 0 {
        printer.warning(&format!("{pending} unfinished uploads are not in the backup"));
    }
    if lost > 0 {
        printer.warning(&format!("{lost} payloads are missing in the storage: run `sgsend store check`"));
    }
    if let Some(findings @ 1..) = findings {
        printer.warning(&format!("the backup has {findings} findings: check it with `sgsend store check`"));
    }
    Ok(())
}

/// Converts an error of reading a bucket or of writing its copy to a failure.
fn copy_failure(error: &CopyError, message: String, is_remote: bool) -> Failure {
    let unfinished = |exit, code| Failure { resumable: Some(true), ..Failure::new(exit, code, message).hint(CONTINUE) };
    match error {
        CopyError::To(StoreError::Full) => unfinished(Exit::LocalFile, "disk_full"),
        CopyError::From(_) if is_remote => unfinished(Exit::Resumable, "storage_unavailable").retryable(),
        CopyError::Differs { .. } => unfinished(Exit::LocalFile, "changed"),
        _ => unfinished(Exit::LocalFile, "storage_unavailable"),
    }
}

/// Converts an error of a backup to a failure.
fn backup_failure(error: &BackupStoreError, is_remote: bool) -> Failure {
    if let Some(newer) = newer_layout(error) {
        return newer;
    }
    let local = |code, hint: &str| Failure::new(Exit::LocalFile, code, chain(error)).hint(hint);
    match error {
        BackupStoreError::OverlappingFolders(_) => Failure::usage(chain(error)).hint("use another folder"),
        BackupStoreError::Open(error) => start_failure(error, is_remote),
        BackupStoreError::Copy(error) => copy_failure(error, chain(error), is_remote),
        BackupStoreError::Backup(error) => match error {
            BackupError::NotEmpty => local("not_empty", "use a new folder, or that of an earlier backup"),
            BackupError::OtherStore { .. } => local("not_empty", "use a new folder for each storage"),
            BackupError::Used => local("not_empty", "it may contain newer transfers: use a new folder"),
            BackupError::InUse(_) => local("in_use", "stop the service, or wait for the other backup"),
            BackupError::Busy => Failure { resumable: Some(true), ..local("changed", CONTINUE) },
            BackupError::Stopped => Failure { resumable: Some(true), ..local("interrupted", CONTINUE) },
            BackupError::Marker { .. } => local("not_empty", "use a new folder"),
            BackupError::Target(StoreError::Full) => {
                local("disk_full", "free disk space, and run the same command again")
            }
            BackupError::Source(_) => local("storage_unavailable", "check the storage with `sgsend store check`"),
            BackupError::Folder(_) | BackupError::Target(_) => {
                local("storage_unavailable", "check that the folder can be read and written by this user")
            }
        },
    }
}
