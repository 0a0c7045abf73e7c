//! Records of unfinished downloads, which let another process resume them.
//!
//! The part file contains authenticated content only. Before resuming, its segments are encrypted again and their
//! tags are compared with the recorded ones, so resuming does not depend on what the disk has kept.

use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::{Deserialize, Serialize};

use super::part_file::claim;
use crate::client::tag_file::{self, TagFile};
use crate::domain::crypto::envelope;
use crate::domain::crypto::key::PayloadKey;
use crate::domain::crypto::sealed::{Header, Layout, Opener, SEGMENT_SIZE, Sealer, Tag, header_bytes};
use crate::domain::people::sender_signature::LeafHash;

/// Location of the record of a part file, `downloads/{id}.part`.
#[derive(Clone, Debug)]
pub struct PartRecordLocation {
    /// Path of the record.
    pub path: PathBuf,
    /// Base URL of the service; a download from another service is not resumed.
    pub server: String,
}

impl PartRecordLocation {
    /// Removes the record and the part file, unless another process uses them.
    pub(crate) fn discard(&self) {
        self.discard_unless(None);
    }

    /// Removes the record, and its part file unless the file is `part`.
    fn discard_unless(&self, part: Option<&Path>) {
        let Ok(Some((file, (front, _)))) = TagFile::open::<RecordHeader>(self.path.clone()) else { return };
        if Some(&*front.part) != part
            && let Some(_locked) = claim(&front.part)
        {
            // Best effort: the file may be inaccessible by now.
            let _ = std::fs::remove_file(&front.part);
        }
        file.remove();
    }
}

/// Maximum number of tags for which a new record has room: 1 MiB, for an encrypted size of 64 GiB.
///
/// A server can claim any size. Beyond this number the record grows with the segments that have arrived.
const MAX_PREALLOCATED_TAGS: u64 = 65_536;

/// Header of the record, before the tags.
#[derive(Serialize, Deserialize)]
pub(super) struct RecordHeader {
    pub(super) v: u8,
    pub(super) server: String,
    /// Encrypted size of the payload in bytes.
    pub(super) size_bytes: u64,
    /// Absolute path of the part file.
    pub(super) part: PathBuf,
    /// Header of the payload, in base64url.
    pub(super) header: String,
    /// Envelope before the content, in base64url; for chosen entries, the digest of their places.
    pub(super) envelope: String,
}

/// Returns the part file and the service in the record at `path`; `None` if the record is invalid.
pub(crate) fn part_of(path: &Path) -> Option<(PathBuf, String)> {
    let front: RecordHeader = tag_file::read_front(&File::open(path).ok()?).ok()?;
    Some((front.part, front.server))
}

/// Record of a part file.
pub(super) struct PartRecord {
    file: TagFile,
    /// Number of segments in the part file whose tags are recorded.
    segments: u64,
    /// Whether a tag could not be recorded; the segments before stay resumable.
    has_failed: bool,
}

/// Record that an earlier process has written.
pub(super) struct EarlierPart {
    record: PartRecord,
    pub(super) part: PathBuf,
    pub(super) envelope: envelope::Envelope,
    header: Header,
    tags: Vec<Option<Tag>>,
    envelope_bytes: Vec<u8>,
}

impl PartRecord {
    /// Creates the record of `part`, and removes an earlier record of the payload.
    pub(super) fn create(
        location: &PartRecordLocation,
        layout: Layout,
        part: &Path,
        (header, envelope): (&Header, &[u8]),
    ) -> io::Result<Self> {
        let front = RecordHeader {
            v: 1,
            server: location.server.clone(),
            size_bytes: layout.sealed_size(),
            part: std::path::absolute(part)?,
            header: URL_SAFE_NO_PAD.encode(header.as_bytes()),
            envelope: URL_SAFE_NO_PAD.encode(envelope),
        };
        location.discard_unless(Some(&front.part));
        Ok(Self {
            file: TagFile::create(location.path.clone(), &front, layout.segments().min(MAX_PREALLOCATED_TAGS))?,
            segments: 0,
            has_failed: false,
        })
    }

    /// Continues a record after its first `segments` segments.
    pub(super) const fn resume(file: TagFile, segments: u64) -> Self {
        Self { file, segments, has_failed: false }
    }

    /// Records the tag of the next segment in the file. After a failure, later segments are not recorded.
    pub(super) fn add(&mut self, tag: Tag) {
        self.has_failed |= self.file.write(self.segments, &[tag]).is_err();
        if !self.has_failed {
            self.segments += 1;
        }
    }

    /// Returns whether at least one segment is recorded.
    pub(super) const fn has_segments(&self) -> bool {
        self.segments > 0
    }

    /// Removes the record.
    pub(super) fn remove(self) {
        self.file.remove();
    }
}

impl EarlierPart {
    /// Reads the record of an earlier process for this payload. Returns `None` if it is missing, invalid or of another
    /// payload.
    pub(super) fn find(location: &PartRecordLocation, layout: Layout) -> Option<Self> {
        let (file, (front, tags)) = TagFile::open::<RecordHeader>(location.path.clone()).ok()??;
        let fits = front.v == 1
            && front.server == location.server
            && front.size_bytes == layout.sealed_size()
            && tags.len() as u64 <= layout.segments();
        let decode = |text: &str| URL_SAFE_NO_PAD.decode(text).ok();
        let envelope_bytes = decode(&front.envelope).filter(|_| fits)?;
        let envelope = envelope::decode(&envelope_bytes).ok()??;
        let header = Header::parse(&decode(&front.header)?).ok()?;
        envelope.check_plaintext_size(layout.plaintext_size()).ok()?;
        if envelope.length != envelope_bytes.len() {
            return None;
        }
        Some(Self {
            record: PartRecord { file, segments: 0, has_failed: false },
            part: front.part,
            envelope,
            header,
            tags,
            envelope_bytes,
        })
    }

    /// Counts the intact segments of `part` from its start, by encrypting them and comparing tags.
    ///
    /// Adds the hashes of these segments to `leaves`, if they are wanted.
    pub(super) fn verified(
        &self,
        part: &mut File,
        key: &PayloadKey,
        layout: Layout,
        mut leaves: Option<&mut Vec<LeafHash>>,
    ) -> io::Result<u64> {
        let sealer = Sealer::from_header(key, self.header.clone());
        let envelope_length = self.envelope_bytes.len() as u64;
        let mut segment = Vec::with_capacity(SEGMENT_SIZE);
        for (index, tag) in (0..).zip(&self.tags) {
            let (Some(tag), false) = (tag, layout.is_last(index)) else { return Ok(index.into()) };
            let plaintext = layout.plaintext_range(index);
            segment.clear();
            segment.resize(header_bytes(index), 0);
            let whole = segment.len() + usize::try_from(plaintext.end - plaintext.start).unwrap_or_default();
            if index == 0 {
                segment.extend_from_slice(&self.envelope_bytes);
            }
            let content = |at: u64| at.saturating_sub(envelope_length).min(self.envelope.metadata.size);
            let (start, length) = (content(plaintext.start), content(plaintext.end) - content(plaintext.start));
            part.seek(SeekFrom::Start(start))?;
            if (&mut *part).take(length).read_to_end(&mut segment)? as u64 != length {
                return Ok(index.into());
            }
            // Padding follows the content.
            segment.resize(whole, 0);
            if sealer.seal(index, false, &mut segment) != *tag {
                return Ok(index.into());
            }
            if let Some(leaves) = &mut leaves {
                leaves.push(LeafHash::of(&segment));
            }
        }
        Ok(self.tags.len() as u64)
    }

    /// Continues the record after its first `segments` segments. Returns it with the opener for the remaining ones.
    pub(super) fn resume(self, segments: u64, key: &PayloadKey) -> (PartRecord, Opener) {
        let record = PartRecord { segments, ..self.record };
        (record, Opener::new(key, self.header))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::crypto::envelope::{Metadata, encode};

    fn record(size: u64) -> (tempfile::TempDir, PartRecordLocation, Layout, PartRecord) {
        let folder = tempfile::tempdir().unwrap();
        let location = PartRecordLocation { path: folder.path().join("record"), server: "http://server".to_owned() };
        let metadata = Metadata {
            filename: "a".to_owned(),
            size,
            content_type: None,
            modified_ms: None,
            archive: None,
            mode: None,
            signed: false,
        };
        let envelope = encode(&metadata).unwrap();
        let layout = Layout::of_plaintext(envelope.len() as u64 + size).unwrap();
        let sealer = Sealer::new(&PayloadKey::random());
        let record = PartRecord::create(&location, layout, &folder.path().join("part"), (sealer.header(), &envelope));
        (folder, location, layout, record.unwrap())
    }

    #[test]
    fn a_claimed_size_reserves_little() {
        let (_folder, location, layout, mut record) = record(1 << 50);
        let length = || std::fs::metadata(&location.path).unwrap().len();
        assert!(length() < (2 << 20), "{} bytes for a claimed size", length());
        record.add(Tag::from_bytes([7; 16]));
        assert!(record.has_segments());
        assert_eq!(part_of(&location.path).unwrap().1, "http://server");
        drop(record);
        let earlier = EarlierPart::find(&location, layout).unwrap();
        assert_eq!(earlier.tags.len(), 65_536);
        assert_eq!(earlier.tags.iter().flatten().count(), 1);
    }

    #[test]
    fn a_record_grows_beyond_its_reserved_tags() {
        let (_folder, location, layout, mut record) = record(1 << 50);
        record.segments = MAX_PREALLOCATED_TAGS;
        record.add(Tag::from_bytes([8; 16]));
        drop(record);
        let earlier = EarlierPart::find(&location, layout).unwrap();
        assert_eq!(earlier.tags.len(), 65_537);
        assert_eq!(earlier.tags.last().unwrap().as_ref().map(Tag::as_bytes), Some(&[8; 16]));
    }
}
