//! Sealed segments of the payload to send: envelope, content and padding.

use std::ops::Range;
use std::sync::Mutex;

use bytes::Bytes;

use super::source::{SourceError, UploadSource};
use crate::client::buffers::BufferPool;
use crate::domain::crypto::envelope;
use crate::domain::crypto::envelope::{EnvelopeError, Metadata};
use crate::domain::crypto::key::PayloadKey;
use crate::domain::crypto::padding::Padding;
use crate::domain::crypto::sealed::{Header, Layout, SEGMENT_SIZE, Sealer, Tag, TooLarge, header_bytes};
use crate::domain::people::sender_signature::LeafHash;

/// Seals the segments of one payload, in any order and repeatedly.
pub(super) struct Segments {
    source: UploadSource,
    envelope: Vec<u8>,
    layout: Layout,
    sealer: Sealer,
    buffers: BufferPool,
    /// Hashes of the segments sealed so far, for a payload that is to be signed.
    leaves: Option<Mutex<Vec<Option<LeafHash>>>>,
}

/// Sealed segment.
pub(super) struct Segment {
    /// The sealed bytes, including the tag.
    pub(super) bytes: Bytes,
    /// The segment's authentication tag.
    pub(super) tag: Tag,
}

/// Content that does not fit the payload format.
#[derive(Debug, thiserror::Error)]
pub enum SealError {
    /// The file name does not fit the envelope.
    #[error("the envelope cannot be written")]
    Envelope(#[from] EnvelopeError),
    /// The content exceeds the format's maximum size.
    #[error(transparent)]
    Size(#[from] TooLarge),
}

impl Segments {
    /// Prepares a new payload of `source`, sealed with `key` under a new header.
    pub(super) fn new(
        source: UploadSource,
        metadata: &Metadata,
        padding: Padding,
        key: &PayloadKey,
    ) -> Result<Self, SealError> {
        let envelope = envelope::encode(metadata)?;
        let layout = padded_layout(&source, &envelope, padding)?;
        Ok(Self {
            source,
            envelope,
            layout,
            sealer: Sealer::new(key),
            buffers: BufferPool::of(SEGMENT_SIZE),
            leaves: None,
        })
    }

    /// Prepares the payload of an earlier process, with the same envelope, padding and header.
    ///
    /// Does not check that the plaintext is the same: callers must compare the tag of each segment that is sealed again
    /// with the recorded tag.
    pub(super) fn resume(
        source: UploadSource,
        envelope: Vec<u8>,
        padding: Padding,
        (key, header): (&PayloadKey, Header),
    ) -> Result<Self, SealError> {
        let layout = padded_layout(&source, &envelope, padding)?;
        let sealer = Sealer::from_header(key, header);
        Ok(Self { source, envelope, layout, sealer, buffers: BufferPool::of(SEGMENT_SIZE), leaves: None })
    }

    /// Hashes each segment as it is sealed, for a signature.
    pub(super) fn hashed(self) -> Self {
        let segments = usize::try_from(self.layout.segments()).expect("a payload has at most 2^32 segments");
        Self { leaves: Some(Mutex::new(vec![None; segments])), ..self }
    }

    /// Returns the hashes of all segments; `None` unless each one was sealed and hashed.
    pub(super) fn leaf_hashes(&self) -> Option<Vec<LeafHash>> {
        let leaves = self.leaves.as_ref()?.lock().expect("no thread panics while holding this lock");
        leaves.iter().copied().collect()
    }

    /// Returns the payload's segment layout.
    #[must_use]
    pub(super) const fn layout(&self) -> Layout {
        self.layout
    }

    /// Returns the source of the content.
    #[must_use]
    pub(super) const fn source(&self) -> &UploadSource {
        &self.source
    }

    /// Returns the envelope, which precedes the content.
    #[must_use]
    pub(super) fn envelope(&self) -> &[u8] {
        &self.envelope
    }

    /// Returns the sealer.
    #[must_use]
    pub(super) const fn sealer(&self) -> &Sealer {
        &self.sealer
    }

    /// Returns the path of the archive's file near byte `sealed` of the payload.
    #[must_use]
    pub(super) fn name_at(&self, sealed: u64) -> Option<&str> {
        let index = u32::try_from(sealed / SEGMENT_SIZE as u64).ok()?.min(self.layout.last_index());
        let plaintext = self.layout.plaintext_range(index);
        let at = (plaintext.start + sealed % SEGMENT_SIZE as u64).min(plaintext.end);
        self.source.name_at(at.saturating_sub(self.envelope.len() as u64))
    }

    /// Returns the range of the content in segment `index`, without the envelope and the padding.
    pub(super) fn content_range(&self, index: u32) -> Range<u64> {
        let plaintext = self.layout.plaintext_range(index);
        let content = |at: u64| at.saturating_sub(self.envelope.len() as u64).min(self.source.size());
        content(plaintext.start)..content(plaintext.end)
    }

    /// Reads and seals segment `index`, which must exist. Blocks.
    pub(super) fn seal(&self, index: u32) -> Result<Segment, SourceError> {
        let plaintext = self.layout.plaintext_range(index);
        let mut buffer = self.buffers.take();
        buffer.resize(header_bytes(index), 0);
        buffer.extend_from_slice(&self.envelope[clip(&plaintext, self.envelope.len())]);

        let content = self.content_range(index);
        let filled = buffer.len();
        buffer.resize(filled + length(&content), 0);
        self.source.read_exact_at(&mut buffer[filled..], content.start)?;
        // Padding is all that can follow the content.
        buffer.resize(header_bytes(index) + length(&plaintext), 0);

        let tag = self.sealer.seal(index, self.layout.is_last(index), &mut buffer);
        if let Some(leaves) = &self.leaves {
            let leaf = LeafHash::of(&buffer);
            leaves.lock().expect("no thread panics while holding this lock")[index as usize] = Some(leaf);
        }
        Ok(Segment { bytes: self.buffers.freeze(buffer), tag })
    }
}

/// Divides envelope, content and padding into segments.
pub(super) fn padded_layout(source: &UploadSource, envelope: &[u8], padding: Padding) -> Result<Layout, TooLarge> {
    Layout::of_plaintext(padding.padded_size(source.size().saturating_add(envelope.len() as u64)))
}

fn clip(range: &Range<u64>, end: usize) -> Range<usize> {
    let clip = |at: u64| usize::try_from(at).map_or(end, |at| at.min(end));
    clip(range.start)..clip(range.end)
}

fn length(range: &Range<u64>) -> usize {
    usize::try_from(range.end - range.start).expect("a segment holds less than 1 MiB")
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;
    use crate::domain::crypto::sealed::OpenStream;

    #[test]
    fn sealed_segments_can_be_opened() {
        let sizes = [0, 1, 1_048_400, 1_048_520, 3_000_000, 16_777_000];
        for (size, padding) in sizes.into_iter().flat_map(|size| [(size, Padding::Padme), (size, Padding::None)]) {
            let content: Vec<u8> = (0..size).map(|at: u32| at.to_le_bytes()[at as usize % 3]).collect();
            let mut file = tempfile::tempfile().unwrap();
            file.write_all(&content).unwrap();
            let metadata = Metadata {
                filename: "name".into(),
                size: size.into(),
                content_type: None,
                modified_ms: None,
                archive: None,
                mode: None,
                signed: false,
            };
            let key = PayloadKey::random();
            let segments = Segments::new(UploadSource::of(file).unwrap(), &metadata, padding, &key).unwrap();
            let mut stream = OpenStream::with_layout(key, segments.layout());
            let mut plaintext = Vec::new();
            for index in 0..=segments.layout().last_index() {
                let segment = segments.seal(index).unwrap();
                assert!(segment.bytes.ends_with(segment.tag.as_bytes()));
                let mut bytes = &segment.bytes[..];
                while let Some(opened) = stream.push(&mut bytes).unwrap() {
                    plaintext.extend_from_slice(opened);
                }
            }
            stream.finish().unwrap();
            let mut expected = [segments.envelope(), &content].concat();
            expected.resize(usize::try_from(padding.padded_size(expected.len() as u64)).unwrap(), 0);
            assert!(plaintext == expected, "{size} bytes with {padding:?}");
        }
    }
}
