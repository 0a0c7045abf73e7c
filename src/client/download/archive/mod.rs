//! Reads an archive by its index: lists the entries, or downloads the chosen ones.
//!
//! All requests use one grant, so they count as one download. Beside the chosen entries and the index, only segment 0
//! is downloaded, which has the envelope.

mod segment_reader;

use std::collections::BTreeMap;
use std::future::Future;
use std::sync::Arc;

use tokio::task::spawn_blocking;

use self::segment_reader::SegmentReader;
use super::{
    Download, DownloadError, Downloaded, GrantFile, decryption_error, describe, differing, free_retry_until, report,
    within,
};
use crate::client::decrypt::{DecryptError, EntrySelection, IndexError, SelectionWriter};
use crate::client::pack::PathGlobs;
use crate::client::unpack::Watch;
use crate::client::{Api, FlowChoice, Interrupt, Progress, RetryPolicy};
use crate::domain::archive::IndexEntry;
use crate::domain::crypto::envelope;
use crate::domain::crypto::key::LinkSecret;
use crate::domain::people::sender_signature::RejectedSignature;
use crate::domain::wire::{ClientEventKind, TransferStatus};

/// Content of a transfer, as its index or the sender's description says.
#[derive(Clone, Debug)]
pub struct Listing {
    /// Unsanitised name of the file, or of the archive's directory.
    pub filename: String,
    /// Content size in bytes.
    pub size: u64,
    /// Modification time in milliseconds since 1970-01-01T00:00:00Z.
    pub modified_ms: Option<i64>,
    /// Entries of an archive; `None` for a single file.
    pub entries: Option<Vec<IndexEntry>>,
    /// Whether the transfer has a signature, which a listing does not verify.
    pub is_signed: bool,
}

/// Entries to download: those whose path, name or directory matches a glob.
#[derive(Debug)]
pub struct Selected(pub PathGlobs);

impl Selected {
    /// Returns the matching entries; an error names the globs that match nothing.
    fn choose(&self, entries: Vec<IndexEntry>) -> Result<Vec<IndexEntry>, IndexError> {
        let mut directories = BTreeMap::new();
        let mut matches = |path: &str| -> bool {
            let mut is_chosen = false;
            for (at, _) in path.match_indices('/') {
                let directory = &path[..at];
                if !directories.contains_key(directory) {
                    directories.insert(directory.to_owned(), self.0.matches(directory.as_ref()));
                }
                is_chosen |= directories[directory];
            }
            self.0.matches(path.as_ref()) || is_chosen
        };
        let chosen = entries.into_iter().filter(|entry| matches(entry.path.as_str())).collect();
        let unused = self.0.unused();
        if unused.is_empty() { Ok(chosen) } else { Err(IndexError::NoMatch(unused)) }
    }
}

/// Lists the content of a transfer after [`check`](super::check).
///
/// Counts a download for an archive, whose grant is kept for a later download; none for a single file that the sender
/// describes.
pub async fn list(
    api: &Api,
    (status, secret): (TransferStatus, LinkSecret),
    flow: FlowChoice,
    grant_file: &GrantFile,
    (retry, progress): (RetryPolicy, Arc<dyn Progress>),
    interrupt: Interrupt,
) -> Result<Listing, DownloadError> {
    let listing = async {
        let (described, key) = describe(api, &status, &secret, grant_file, (retry, &progress)).await?;
        let is_signed = described.signature.is_some();
        if let Some(info) = described.info.as_ref().filter(|info| info.archive.is_none()) {
            let (filename, size, modified_ms) = (info.filename.clone(), info.size, info.modified_ms);
            return Ok(Listing { filename, size, modified_ms, entries: None, is_signed });
        }
        let counted = described.count(api, &status, grant_file, &progress).await?;
        let mut reader = SegmentReader::new(api, &status, counted, (key, flow), progress.clone());
        let metadata = reader.envelope().await?.metadata;
        check_signed(is_signed, &metadata)?;
        let entries = if metadata.archive.is_some() { Some(reader.index().await?.entries) } else { None };
        let (filename, size, modified_ms) = (metadata.filename, metadata.size, metadata.modified_ms);
        Ok(Listing { filename, size, modified_ms, entries, is_signed })
    };
    let listing = or_interrupted(interrupt, listing).await;
    progress.end();
    listing.map_err(|error: DownloadError| error.or_unfinished(grant_file))
}

/// Downloads the chosen entries of an archive after [`check`](super::check).
///
/// Writes them like a smaller archive.
pub async fn run_selected(
    api: &Api,
    (download, selected): (Download, Selected),
    grant_file: &GrantFile,
    retry: RetryPolicy,
    progress: Arc<dyn Progress>,
    interrupt: Interrupt,
) -> Result<Downloaded, DownloadError> {
    let Download { status, secret, choose, flow, max_size, resume, .. } = download;
    let location = grant_file.part_record().map(|location| location.of_entries());
    let choose = within(max_size, choose);
    let (watch, stop) = Watch::new(progress.clone());
    let mut reader = None;
    let mut expires = None;
    let work = async {
        let (described, key) = describe(api, &status, &secret, grant_file, (retry, &progress)).await?;
        if described.info.as_ref().is_some_and(|info| info.archive.is_none()) {
            return Err(DecryptError::from(IndexError::NotAnArchive).into());
        }
        let is_signed = described.signature.is_some();
        let counted = described.count(api, &status, grant_file, &progress).await?;
        expires = free_retry_until(grant_file, &counted.response);
        let info = counted.info.clone();
        let reader = reader.insert(SegmentReader::new(api, &status, counted, (key, flow), progress.clone()));
        let metadata = reader.envelope().await?.metadata;
        check_signed(is_signed, &metadata)?;
        if metadata.archive.is_none() {
            return Err(DecryptError::from(IndexError::NotAnArchive).into());
        }
        let index = reader.index().await?;
        let selection = EntrySelection::new(selected.choose(index.entries).map_err(DecryptError::from)?);
        let wrong_info = differing(info, Some(&metadata));
        // Limits are on what is saved.
        let metadata = envelope::Metadata { size: selection.size(), ..metadata };
        let (chosen, origin) = (selection.clone(), reader.origin(location.clone()));
        let writer_metadata = metadata.clone();
        let open = move || {
            let output = choose(Some(&metadata)).map_err(DecryptError::from)?;
            SelectionWriter::open(chosen, writer_metadata, output, (origin, resume))
        };
        let opened = spawn_blocking(open).await.expect("choosing the output does not panic");
        let writer = opened.map_err(|error| decryption_error(error, grant_file, &reader.counted.response))?;
        let (decrypted, used) = reader.write(&selection, writer, watch).await?;
        Ok(Downloaded { decrypted, flow: used, wrong_info })
    };
    let outcome = or_interrupted(interrupt, work).await;
    drop(stop);
    if let Some(writing) = reader.as_mut().and_then(|reader| reader.writing.take()) {
        // Removes the unfinished output.
        let _ = writing.await;
    }
    progress.end();
    let resumable = location.is_some_and(|location| location.path.exists());
    let outcome = outcome.map_err(|error| match error {
        DownloadError::Interrupted { signal, .. } => {
            DownloadError::Interrupted { signal, resumable, free_retry_until: expires }
        }
        DownloadError::Client(error) if error.is_resumable() && resumable => DownloadError::Unfinished(error),
        DownloadError::Decrypt(DecryptError::Output(error)) => {
            DownloadError::OutputFailed { error, free_retry_until: expires }
        }
        other => other,
    });
    if let Some(reader) = &reader {
        let event = match &outcome {
            Ok(_) => Some(ClientEventKind::DecryptSucceeded),
            Err(error) => error.is_damage().then_some(ClientEventKind::DecryptFailed),
        };
        // An unfinished download of the whole archive keeps its grant.
        if outcome.is_ok() && !grant_file.has_partial() {
            grant_file.forget();
        }
        if let Some(event) = event {
            report(api, status.transfer_id, event, &reader.counted.grant).await;
        }
    }
    outcome
}

/// Checks that the server has not removed the signature. The signature itself covers the whole payload.
fn check_signed(is_signed: bool, metadata: &envelope::Metadata) -> Result<(), DownloadError> {
    match (metadata.signed, is_signed) {
        (true, false) => Err(DecryptError::from(RejectedSignature::Missing).into()),
        (false, true) => Err(DecryptError::from(RejectedSignature::Unexpected).into()),
        _ => Ok(()),
    }
}

/// Runs `work` until a signal interrupts it.
async fn or_interrupted<T>(
    mut interrupt: Interrupt,
    work: impl Future<Output = Result<T, DownloadError>>,
) -> Result<T, DownloadError> {
    tokio::select! {
        biased;
        signal = interrupt.raised() => {
            Err(DownloadError::Interrupted { signal, resumable: false, free_retry_until: None })
        }
        outcome = Box::pin(work) => outcome,
    }
}
