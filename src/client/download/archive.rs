//! Reads an archive by its index: lists the entries, or downloads only the segments with the chosen ones.
//!
//! All requests use one grant, so they count as one download. Beside the chosen entries and the index, only segment 0
//! is downloaded, which has the envelope.

use std::collections::BTreeMap;
use std::future::Future;
use std::ops::Range;
use std::sync::{Arc, OnceLock};

use bytes::Bytes;
use tokio::sync::mpsc;
use tokio::task::{JoinHandle, spawn_blocking};

use super::ranges::RANGE;
use super::receiving::Receiving;
use super::wanted::WantedRanges;
use super::{
    CountedDownload, Download, DownloadError, Downloaded, GrantFile, PIECES_AHEAD, decryption_error, describe,
    differing, free_retry_until, report, within,
};
use crate::client::decrypt::{DecryptError, Decrypted, IndexError, Selection, SelectionWriter};
use crate::client::pack::PathGlobs;
use crate::client::unpack::Watch;
use crate::client::{Api, FlowChoice, Interrupt, Progress, RetryPolicy};
use crate::domain::archive::{ArchiveIndex, INDEX_LENGTH_BYTES, IndexEntry, IndexPosition};
use crate::domain::crypto::envelope::{self, Envelope, EnvelopeError};
use crate::domain::crypto::key::PayloadKey;
use crate::domain::crypto::sealed::{HEADER_SIZE, Header, Layout, OpenError, Opener};
use crate::domain::wire::{ClientEventKind, Flow, TransferStatus};

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
    (status, key): (TransferStatus, PayloadKey),
    flow: FlowChoice,
    grant_file: &GrantFile,
    (retry, progress): (RetryPolicy, Arc<dyn Progress>),
    interrupt: Interrupt,
) -> Result<Listing, DownloadError> {
    let listing = async {
        let described = describe(api, &status, &key, grant_file, (retry, &progress)).await?;
        if let Some(info) = described.info.as_ref().filter(|info| info.archive.is_none()) {
            let (filename, size, modified_ms) = (info.filename.clone(), info.size, info.modified_ms);
            return Ok(Listing { filename, size, modified_ms, entries: None });
        }
        let counted = described.count(api, &status, grant_file, &progress).await?;
        let mut reader = PayloadReader::new(api, &status, counted, (key, flow), progress.clone());
        let metadata = reader.envelope().await?.metadata;
        let entries = if metadata.archive.is_some() { Some(reader.index().await?.entries) } else { None };
        let (filename, size, modified_ms) = (metadata.filename, metadata.size, metadata.modified_ms);
        Ok(Listing { filename, size, modified_ms, entries })
    };
    let listing = or_interrupted(interrupt, listing).await;
    progress.end();
    listing.map_err(|error: DownloadError| error.or_unfinished(grant_file))
}

/// Downloads the chosen entries of an archive after [`check`](super::check), and writes them like a smaller archive.
pub async fn run_selected(
    api: &Api,
    (download, selected): (Download, Selected),
    grant_file: &GrantFile,
    retry: RetryPolicy,
    progress: Arc<dyn Progress>,
    interrupt: Interrupt,
) -> Result<Downloaded, DownloadError> {
    let Download { status, key, choose, flow, max_size, .. } = download;
    let choose = within(max_size, choose);
    let (watch, stop) = Watch::new(progress.clone());
    let mut reader = None;
    let mut expires = None;
    let work = async {
        let described = describe(api, &status, &key, grant_file, (retry, &progress)).await?;
        if described.info.as_ref().is_some_and(|info| info.archive.is_none()) {
            return Err(DecryptError::from(IndexError::NotAnArchive).into());
        }
        let counted = described.count(api, &status, grant_file, &progress).await?;
        expires = free_retry_until(grant_file, &counted.response);
        let info = counted.info.clone();
        let reader = reader.insert(PayloadReader::new(api, &status, counted, (key, flow), progress.clone()));
        let metadata = reader.envelope().await?.metadata;
        if metadata.archive.is_none() {
            return Err(DecryptError::from(IndexError::NotAnArchive).into());
        }
        let index = reader.index().await?;
        let selection = Selection::new(selected.choose(index.entries).map_err(DecryptError::from)?);
        let wrong_info = differing(info, Some(&metadata));
        // Limits are on what is saved.
        let metadata = envelope::Metadata { size: selection.size(), ..metadata };
        let (chosen, total) = (selection.clone(), reader.sealed_bytes(&selection));
        let (chooser_progress, writer_metadata) = (progress.clone(), metadata.clone());
        let open = move || {
            let output = choose(Some(&metadata)).map_err(DecryptError::from)?;
            chooser_progress.begin(total);
            SelectionWriter::open(chosen, writer_metadata, output)
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
    let outcome = outcome.map_err(|error| match error {
        DownloadError::Interrupted { signal, .. } => {
            DownloadError::Interrupted { signal, resumable: false, free_retry_until: expires }
        }
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

/// Reads single segments of a counted download.
struct PayloadReader<'a> {
    counted: CountedDownload,
    receiving: Receiving<'a>,
    flow: FlowChoice,
    key: PayloadKey,
    opener: Option<Arc<Opener>>,
    envelope: Option<Envelope>,
    /// Plaintext of the segments that may contain chosen entries too.
    kept: BTreeMap<u32, Vec<u8>>,
    /// Task that writes the chosen entries.
    writing: Option<JoinHandle<Result<Decrypted, DecryptError>>>,
}

impl<'a> PayloadReader<'a> {
    fn new(
        api: &'a Api,
        status: &TransferStatus,
        counted: CountedDownload,
        (key, flow): (PayloadKey, FlowChoice),
        progress: Arc<dyn Progress>,
    ) -> Self {
        let receiving = Receiving {
            api,
            id: status.transfer_id,
            grant: counted.grant.clone(),
            proof: counted.proof.clone(),
            progress,
            step: RANGE,
            url: OnceLock::new(),
        };
        Self { counted, receiving, flow, key, opener: None, envelope: None, kept: BTreeMap::new(), writing: None }
    }

    const fn layout(&self) -> Layout {
        self.counted.layout
    }

    /// Downloads segment 0, and returns the envelope.
    async fn envelope(&mut self) -> Result<Envelope, DownloadError> {
        let sealed = self.download(self.layout().sealed_range(0)).await?;
        let header = sealed.get(..HEADER_SIZE).ok_or(OpenError::Truncated).map_err(DecryptError::from)?;
        let header = Header::parse(header).map_err(|error| DecryptError::from(OpenError::from(error)))?;
        self.opener = Some(Arc::new(Opener::new(&self.key, header)));
        let plaintext = self.open(0, sealed).await?;
        let decoded = envelope::decode(&plaintext).map_err(DecryptError::from)?;
        let envelope = decoded.ok_or(EnvelopeError::Truncated).map_err(DecryptError::from)?;
        envelope.check_plaintext_size(self.layout().plaintext_size()).map_err(DecryptError::from)?;
        self.kept.insert(0, plaintext);
        self.envelope = Some(envelope.clone());
        Ok(envelope)
    }

    /// Downloads the index: the segment with its end, then those before.
    async fn index(&mut self) -> Result<ArchiveIndex, DownloadError> {
        let size = self.content_size();
        let missing = || DownloadError::from(DecryptError::from(IndexError::Missing));
        let end = size.checked_sub(INDEX_LENGTH_BYTES).ok_or_else(missing)?;
        let last = self.content(end..size).await?;
        let last = last.try_into().map_err(|_| missing())?;
        let position = IndexPosition::find(size, last).ok_or_else(missing)?;
        let bytes = self.content(position.start..size).await?;
        // The segments with the index alone are not needed any more.
        let first = self.segment_at(position.start);
        self.kept.retain(|index, _| *index <= first);
        let parse = move || ArchiveIndex::parse(&bytes, position);
        let parsed = spawn_blocking(parse).await.expect("parsing an index does not panic");
        parsed.map_err(|error| DecryptError::from(IndexError::from(error)))?.ok_or_else(missing)
    }

    /// Returns `range` of the content, of at most the size of an index. Downloads missing segments in one request.
    async fn content(&mut self, range: Range<u64>) -> Result<Vec<u8>, DownloadError> {
        let segments = self.segment_at(range.start)..self.segment_at(range.end - 1) + 1;
        let missing: Vec<_> = segments.clone().filter(|index| !self.kept.contains_key(index)).collect();
        if let (Some(first), Some(last)) = (missing.first(), missing.last()) {
            let layout = self.layout();
            let start = layout.sealed_range(*first).start;
            let mut sealed = self.download(start..layout.sealed_range(*last).end).await?;
            for index in (*first..=*last).rev() {
                let at = usize::try_from(layout.sealed_range(index).start - start).expect("an index fits into memory");
                let segment = sealed.split_off(at);
                let plaintext = self.open(index, segment).await?;
                self.kept.insert(index, plaintext);
            }
        }
        let mut bytes = Vec::new();
        for index in segments {
            let plaintext = self.layout().plaintext_range(index);
            let (offset, kept) = (self.envelope_length(), &self.kept[&index]);
            let at = |content: u64| {
                let at = (content + offset).clamp(plaintext.start, plaintext.end) - plaintext.start;
                usize::try_from(at).expect("a segment fits into memory")
            };
            bytes.extend_from_slice(&kept[at(range.start)..at(range.end)]);
        }
        Ok(bytes)
    }

    /// Downloads a range of the payload into memory.
    async fn download(&mut self, range: Range<u64>) -> Result<Vec<u8>, DownloadError> {
        let (pieces, mut arriving) = mpsc::channel::<Bytes>(PIECES_AHEAD);
        let mut bytes = Vec::new();
        let limit = range.end - range.start;
        // One request, whatever the path.
        self.receiving.step = limit.max(1);
        let collect = async {
            while let Some(piece) = arriving.recv().await {
                bytes.extend_from_slice(&piece);
                if bytes.len() as u64 > limit {
                    break;
                }
            }
        };
        let wanted = WantedRanges::of([range]);
        let received = self.receiving.run(&self.counted.response, self.flow, wanted, pieces, self.counted.retry.renewed());
        let (flow, ()) = tokio::join!(received, collect);
        self.use_flow(flow?);
        self.receiving.step = RANGE;
        Ok(bytes)
    }

    /// Does not return to the store after it could not be used.
    fn use_flow(&mut self, flow: Flow) {
        if flow == Flow::Bytes && self.counted.response.mode == Flow::Presigned {
            self.flow = FlowChoice::Bytes;
        }
    }

    /// Decrypts a segment.
    async fn open(&self, index: u32, mut sealed: Vec<u8>) -> Result<Vec<u8>, DownloadError> {
        let (opener, is_last) = (self.opener(), self.layout().is_last(index));
        let open = move || opener.open(index, is_last, &mut sealed).map(|plaintext| plaintext.to_vec());
        let opened = spawn_blocking(open).await.expect("decryption does not panic");
        Ok(opened.map_err(DecryptError::from)?)
    }

    /// Downloads the segments of the selection, and passes them to `writer`.
    async fn write(
        &mut self,
        selection: &Selection,
        mut writer: SelectionWriter,
        watch: Watch,
    ) -> Result<(Decrypted, Flow), DownloadError> {
        let (layout, offset) = (self.layout(), self.envelope_length());
        let segments = self.segments(selection);
        let (mut kept, opener) = (std::mem::take(&mut self.kept), self.opener());
        let missing = self.runs(&segments, &kept);
        let (pieces, mut arriving) = mpsc::channel::<Bytes>(PIECES_AHEAD);
        let writing = self.writing.insert(spawn_blocking(move || {
            let mut buffer = Vec::new();
            for index in segments.into_iter().flatten() {
                let plaintext = layout.plaintext_range(index);
                let skipped = usize::try_from(offset.saturating_sub(plaintext.start)).expect("an envelope is short");
                let at = plaintext.start.saturating_sub(offset);
                if let Some(opened) = kept.remove(&index) {
                    writer.write(at, &opened[skipped.min(opened.len())..])?;
                    continue;
                }
                let sealed = layout.sealed_range(index);
                let length = usize::try_from(sealed.end - sealed.start).expect("a segment fits into memory");
                while buffer.len() < length {
                    let Some(piece) = arriving.blocking_recv() else { return Err(OpenError::Truncated.into()) };
                    buffer.extend_from_slice(&piece);
                }
                let rest = buffer.split_off(length);
                let opened = opener.open(index, layout.is_last(index), &mut buffer)?;
                writer.write(at, &opened[skipped.min(opened.len())..])?;
                buffer = rest;
            }
            writer.finish(&watch)
        }));
        let wanted = WantedRanges::of(missing);
        let retry = self.counted.retry.renewed();
        let received = self.receiving.run(&self.counted.response, self.flow, wanted, pieces, retry).await;
        let written = writing.await.expect("decryption does not panic");
        self.writing = None;
        match (received, written) {
            (Ok(flow), written) => Ok((written?, flow)),
            (Err(_), Ok(written)) => Ok((written, self.counted.response.mode)),
            (Err(error), Err(_)) => Err(error),
        }
    }

    /// Returns the runs of segments that contain the selection, in ascending order.
    fn segments(&self, selection: &Selection) -> Vec<Range<u32>> {
        let mut runs: Vec<Range<u32>> = Vec::new();
        for range in selection.ranges() {
            let run = self.segment_at(range.start)..self.segment_at(range.end - 1) + 1;
            match runs.last_mut().filter(|last| last.end >= run.start) {
                Some(last) => last.end = last.end.max(run.end),
                None => runs.push(run),
            }
        }
        runs
    }

    /// Returns the byte ranges in the payload of the segments that are not kept.
    fn runs(&self, segments: &[Range<u32>], kept: &BTreeMap<u32, Vec<u8>>) -> Vec<Range<u64>> {
        let mut ranges: Vec<Range<u64>> = Vec::new();
        for index in segments.iter().cloned().flatten().filter(|index| !kept.contains_key(index)) {
            let range = self.layout().sealed_range(index);
            match ranges.last_mut().filter(|last| last.end == range.start) {
                Some(last) => last.end = range.end,
                None => ranges.push(range),
            }
        }
        ranges
    }

    /// Returns the number of bytes that remain to be downloaded for the selection.
    fn sealed_bytes(&self, selection: &Selection) -> u64 {
        self.runs(&self.segments(selection), &self.kept).iter().map(|range| range.end - range.start).sum()
    }

    /// Returns the segment that contains the byte at `offset` of the content.
    fn segment_at(&self, offset: u64) -> u32 {
        self.layout().segment_of(offset + self.envelope_length())
    }

    fn opener(&self) -> Arc<Opener> {
        self.opener.clone().expect("segment 0 was opened first")
    }

    fn envelope_length(&self) -> u64 {
        self.envelope.as_ref().map_or(0, |envelope| envelope.length as u64)
    }

    fn content_size(&self) -> u64 {
        self.envelope.as_ref().map_or(0, |envelope| envelope.metadata.size)
    }
}
