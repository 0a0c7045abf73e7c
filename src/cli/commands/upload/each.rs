//! `sgsend upload --each`: uploads each path as a transfer of its own, several at once.

use std::fmt;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use anyhow::Result;
use futures_util::{FutureExt, StreamExt, stream};
use serde::Serialize;
use tokio::sync::Semaphore;

use super::prepare::{self, SharedInput, UploadTerms};
use super::report::{self, Summary};
use super::{Arguments, dry_run, nothing_uploaded, unprinted};
use crate::cli::context::Context;
use crate::cli::failure::exit::Exit;
use crate::cli::failure::{Failure, FailureJson};
use crate::cli::input::content::check_paths_exist;
use crate::cli::input::link_arg::reject_link;
use crate::cli::output::meter::Meter;
use crate::cli::output::plural::with_number;
use crate::cli::streams::require_stdout;
use crate::client::Progress;
use crate::client::pack::{Plan, SkippedEntry};
use crate::client::upload::{self, Upload, Uploaded};
use crate::domain::id::TransferId;

/// Number of small uploads at once: below the limit of a service on open uploads per token, 16.
const MAX_PARALLEL: u32 = 12;
/// Share of the parallel uploads that a large one takes: its segments in memory are as many.
const LARGE_SHARE: u32 = 4;
/// Largest content of a small upload, in bytes: one segment.
const MAX_SMALL: u64 = 1 << 20;
/// Number of uploads whose output may wait for that of an earlier path.
const MAX_AHEAD: usize = 256;

/// Failure of one upload, as JSON.
#[derive(Serialize)]
struct FailedUpload<'a> {
    #[serde(flatten)]
    failure: FailureJson<'a>,
    path: &'a str,
}

/// Finished upload of one path.
struct SentPath {
    uploaded: Uploaded,
    summary: Summary,
}

/// Progress of one upload of several: passes on what concerns the user, but draws no bar.
struct QuietProgress(Arc<Meter>);

/// Uploads of one command.
struct EachUpload<'a> {
    arguments: &'a Arguments,
    shared: SharedInput,
    context: &'a Context,
    slots: Semaphore,
    /// Whether no further upload is to start, since no link can be printed.
    is_stopped: AtomicBool,
}

/// Runs `sgsend upload --each`.
pub(super) async fn run(arguments: Arguments, context: &Context) -> Result<()> {
    if !arguments.dry_run {
        require_stdout("the links")?;
    }
    let mut interrupt = context.interrupt.clone();
    let shared = tokio::select! {
        biased;
        signal = interrupt.raised() => return Err(nothing_uploaded(signal)),
        shared = Box::pin(share(&arguments, context)) => shared?,
    };
    let each = EachUpload {
        arguments: &arguments,
        shared,
        context,
        slots: Semaphore::new(MAX_PARALLEL as usize),
        is_stopped: AtomicBool::new(false),
    };
    if arguments.dry_run { each.list().await } else { each.upload().await }
}

/// Checks the paths, reads the secrets, and asks the server for its limits.
async fn share(arguments: &Arguments, context: &Context) -> Result<SharedInput> {
    arguments.paths.iter().try_for_each(|path| reject_link(path))?;
    if arguments.paths.iter().any(|path| path == Path::new("-")) {
        let failure = Failure::usage("- is stdin, which --each cannot send");
        return Err(failure.hint("write ./- for a file named -, or omit --each").into());
    }
    let terms = UploadTerms::of(arguments, context)?;
    if arguments.passphrase {
        check_paths_exist(&arguments.paths)?;
    }
    let api = prepare::api_of(arguments, None, context).await?;
    prepare::share(arguments, terms, (api, None), None, context).await
}

impl EachUpload<'_> {
    /// Lists the content of each path, without uploading.
    async fn list(&self) -> Result<()> {
        let mut failed = 0;
        for path in &self.arguments.paths {
            match self.open(path).await {
                Ok((upload, skipped)) => dry_run::print(&upload, &skipped, &self.context.printer)?,
                Err(error) => {
                    self.report(path, &error)?;
                    failed += 1;
                }
            }
        }
        self.result(failed, None)
    }

    /// Uploads all paths, and prints their links in the order of the paths.
    async fn upload(&self) -> Result<()> {
        let uploads = self.arguments.paths.iter().map(|path| self.send(path).map(move |outcome| (path, outcome)));
        let mut groups = stream::iter(uploads).buffered(MAX_AHEAD).ready_chunks(MAX_AHEAD);
        let (mut failed, mut interrupted, mut unprinted_link) = (0, None, None);
        while let Some(group) = groups.next().await {
            let mut printed = Vec::with_capacity(group.len());
            for (path, outcome) in &group {
                match outcome {
                    Ok(Some(sent)) => {
                        let error = if self.is_stopped.load(Ordering::Relaxed) {
                            Some(std::io::ErrorKind::BrokenPipe.into())
                        } else {
                            self.print(path, sent).err()
                        };
                        match error {
                            None => printed.push((&sent.uploaded, sent.summary.name.as_str())),
                            Some(error) => {
                                // Nobody has the key of the transfer, and no further link can be printed.
                                self.is_stopped.store(true, Ordering::Relaxed);
                                let failure = unprinted(&self.shared.api, &sent.uploaded, &error).await;
                                unprinted_link.get_or_insert(failure);
                            }
                        }
                    }
                    Ok(None) => {}
                    Err(error) => {
                        let failure = Failure::of(error);
                        if matches!(failure.exit, Exit::Interrupted | Exit::Terminated) {
                            self.is_stopped.store(true, Ordering::Relaxed);
                            interrupted.get_or_insert(failure);
                        } else {
                            self.report(path, error)?;
                            failed += 1;
                        }
                    }
                }
            }
            if let Err(error) = self.arguments.history.add(&printed) {
                let uploads = with_number(printed.len(), "upload");
                self.context.printer.warning(&format!("{uploads} could not be added to the history: {error}"));
            }
        }
        self.result(failed, unprinted_link.or(interrupted))
    }

    /// Returns the outcome of the command: why it ended early, or how many of its uploads failed.
    fn result(&self, failed: usize, ended: Option<Failure>) -> Result<()> {
        match (ended, failed) {
            (Some(failure), _) => Err(failure.into()),
            (None, 0) => Ok(()),
            (None, failed) => {
                let all = with_number(self.arguments.paths.len(), "upload");
                let failure = Failure::new(Exit::Other, "uploads_failed", format!("{failed} of {all} failed"));
                Err(failure.hint("run the command again for the paths that failed").into())
            }
        }
    }

    /// Uploads one path; `None` if the command has ended meanwhile.
    async fn send(&self, path: &Path) -> Result<Option<SentPath>> {
        let is_small = path.metadata().is_ok_and(|metadata| metadata.is_file() && metadata.len() <= MAX_SMALL);
        let slots = self.slots.acquire_many(if is_small { 1 } else { LARGE_SHARE }).await;
        let _slots = slots.expect("the semaphore is never closed");
        if let Some(signal) = self.context.interrupt.clone().raised().now_or_never() {
            return Err(Failure::interrupted(signal).into());
        }
        if self.is_stopped.load(Ordering::Relaxed) {
            return Ok(None);
        }
        let (upload, skipped) = Box::pin(self.open(path)).await?;
        let (name, files) = (upload.metadata.filename.clone(), upload.source.plan().map(Plan::files));
        let separate_key = self.arguments.separate_key;
        let summary = Summary { name, files, skipped, separate_key, transparency: false };
        let progress = Arc::new(QuietProgress(self.context.meter("upload")));
        let (api, retry) = (&self.shared.api, self.context.retry_policy());
        let uploaded = Box::pin(upload::run(api, upload, retry, progress, self.context.interrupt.clone())).await?;
        Ok(Some(SentPath { uploaded, summary }))
    }

    async fn open(&self, path: &Path) -> Result<(Upload, Vec<SkippedEntry>)> {
        let paths = vec![path.to_owned()];
        let earlier = prepare::earlier(self.arguments, &paths, None, &self.shared.api, self.context).await?;
        prepare::open(self.arguments, &self.shared, paths, earlier, self.context).await
    }

    fn print(&self, path: &Path, sent: &SentPath) -> std::io::Result<()> {
        report::print_each(&sent.uploaded, &sent.summary, &path.to_string_lossy(), &self.context.printer)
    }

    /// Prints why a path was not uploaded.
    fn report(&self, path: &Path, error: &anyhow::Error) -> Result<()> {
        let (printer, failure, path) = (&self.context.printer, Failure::of(error), path.to_string_lossy());
        if printer.is_json() {
            return Ok(printer.json(&FailedUpload { failure: failure.to_json(), path: &path })?);
        }
        let failure = Failure { message: format!("{path}: {}", failure.message), ..failure };
        printer.failure(&failure, error);
        Ok(())
    }
}

impl Progress for QuietProgress {
    fn begin(&self, _total: u64) {}
    fn transferred(&self, _bytes: u64) {}
    fn end(&self) {}

    fn waiting(&self, cause: &dyn std::error::Error, delay: Duration) {
        self.0.waiting(cause, delay);
    }

    fn rerouted(&self, cause: &dyn std::error::Error) {
        self.0.rerouted(cause);
    }

    fn step(&self, message: fmt::Arguments<'_>) {
        self.0.step(message);
    }

    fn restarting(&self, old_transfer: TransferId) {
        self.0.restarting(old_transfer);
    }

    fn unresumable(&self, cause: &dyn std::error::Error) {
        self.0.unresumable(cause);
    }
}
