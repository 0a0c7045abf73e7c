//! Reads single segments of a payload under one grant: envelope, index and chosen entries.

use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::{Arc, OnceLock};

use bytes::Bytes;
use tokio::sync::mpsc;
use tokio::task::{JoinHandle, spawn_blocking};

use crate::client::decrypt::{
    DecryptError, Decrypted, EntriesOrigin, EntrySelection, IndexError, PartRecordLocation, SelectionWriter,
};
use crate::client::download::ranges::RANGE;
use crate::client::download::receiving::Receiving;
use crate::client::download::wanted::WantedRanges;
use crate::client::download::{DownloadError, GrantedDownload, PIECES_AHEAD};
use crate::client::unpack::Watch;
use crate::client::{Api, FlowChoice, Progress};
use crate::domain::archive::{ArchiveIndex, INDEX_LENGTH_BYTES, IndexPosition};
use crate::domain::crypto::envelope::{self, Envelope, EnvelopeError};
use crate::domain::crypto::key::PayloadKey;
use crate::domain::crypto::sealed::{HEADER_SIZE, Header, Layout, OpenError, Opener};
use crate::domain::wire::{Flow, TransferStatus};

/// Reads single segments of a counted download.
pub(super) struct SegmentReader<'a> {
    pub(super) counted: GrantedDownload,
    receiving: Receiving<'a>,
    flow: FlowChoice,
    key: PayloadKey,
    opener: Option<Arc<Opener>>,
    envelope: Option<Envelope>,
    /// Plaintext of the segments that may contain chosen entries too.
    kept: BTreeMap<u32, Vec<u8>>,
    /// Task that writes the chosen entries.
    pub(super) writing: Option<JoinHandle<Result<Decrypted, DecryptError>>>,
}

impl<'a> SegmentReader<'a> {
    pub(super) fn new(
        api: &'a Api,
        status: &TransferStatus,
        counted: GrantedDownload,
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
    pub(super) async fn envelope(&mut self) -> Result<Envelope, DownloadError> {
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
    pub(super) async fn index(&mut self) -> Result<ArchiveIndex, DownloadError> {
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
        let received =
            self.receiving.run(&self.counted.response, self.flow, wanted, pieces, self.counted.retry.renewed());
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
        let plaintext = spawn_blocking(open).await.expect("decryption does not panic");
        Ok(plaintext.map_err(DecryptError::from)?)
    }

    /// Downloads the segments of the selection, and passes them to `writer`.
    pub(super) async fn write(
        &mut self,
        selection: &EntrySelection,
        mut writer: SelectionWriter,
        watch: Watch,
    ) -> Result<(Decrypted, Flow), DownloadError> {
        let (layout, offset) = (self.layout(), self.envelope_length());
        let segments = after(selection.segments(layout, offset), writer.resumed_segments());
        let (mut kept, opener) = (std::mem::take(&mut self.kept), self.opener());
        let missing = self.runs(&segments, &kept);
        self.receiving.progress.begin(missing.iter().map(|range| range.end - range.start).sum());
        let (pieces, mut arriving) = mpsc::channel::<Bytes>(PIECES_AHEAD);
        let write = move |writer: &mut SelectionWriter| -> Result<(), DecryptError> {
            let mut buffer = Vec::new();
            for index in segments.into_iter().flatten() {
                let plaintext = layout.plaintext_range(index);
                let skipped = usize::try_from(offset.saturating_sub(plaintext.start)).expect("an envelope is short");
                let at = plaintext.start.saturating_sub(offset);
                if let Some(content) = kept.remove(&index) {
                    writer.write(at, &content[skipped.min(content.len())..])?;
                    continue;
                }
                let sealed = layout.sealed_range(index);
                let length = usize::try_from(sealed.end - sealed.start).expect("a segment fits into memory");
                while buffer.len() < length {
                    let Some(piece) = arriving.blocking_recv() else { return Err(OpenError::Truncated.into()) };
                    buffer.extend_from_slice(&piece);
                }
                let rest = buffer.split_off(length);
                let content = opener.open(index, layout.is_last(index), &mut buffer)?;
                writer.write(at, &content[skipped.min(content.len())..])?;
                buffer = rest;
            }
            Ok(())
        };
        let writing = self.writing.insert(spawn_blocking(move || match write(&mut writer) {
            Ok(()) => writer.finish(&watch),
            Err(error) => {
                writer.give_up(&error);
                Err(error)
            }
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

    /// Describes the payload for a record of what was written; `None` without a state directory.
    pub(super) fn origin(&self, location: Option<PartRecordLocation>) -> Option<EntriesOrigin> {
        let (layout, header) = (self.layout(), self.opener().header().clone());
        let envelope_length = self.envelope_length();
        location.map(|location| EntriesOrigin { location, layout, header, envelope_length })
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

/// Returns the segments of `runs` after the first `count` ones.
fn after(runs: Vec<Range<u32>>, mut count: u64) -> Vec<Range<u32>> {
    let rest = runs.into_iter().map(|run| {
        let skipped = u32::try_from(count).unwrap_or(u32::MAX).min(run.end - run.start);
        count -= u64::from(skipped);
        run.start + skipped..run.end
    });
    rest.filter(|run| !run.is_empty()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn segments_that_were_written_are_skipped() {
        let runs = || vec![0..2, 5..6, 8..11];
        let last = |from| std::iter::once(from..11).collect::<Vec<_>>();
        for (count, expected) in
            [(0, runs()), (1, vec![1..2, 5..6, 8..11]), (3, last(8)), (5, last(10)), (6, vec![]), (9, vec![])]
        {
            assert_eq!(after(runs(), count), expected, "{count}");
        }
    }
}
