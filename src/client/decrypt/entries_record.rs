//! Records of unfinished downloads of chosen entries, which let another process resume them.
//!
//! The part file contains the chosen parts of each segment, one after the other. A part has no tag of its own, so the
//! record has the start of its SHA-256 in the place of the tag.

use std::path::{Path, PathBuf};

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use super::part_record::{PartRecord, PartRecordLocation, RecordHeader};
use crate::client::tag_file::TagFile;
use crate::domain::crypto::digest::Sha256;
use crate::domain::crypto::sealed::{Header, Layout, TAG_SIZE, Tag};

/// Record of an earlier process.
pub(super) struct EarlierEntries {
    file: TagFile,
    pub(super) part: PathBuf,
    pub(super) tags: Vec<Option<Tag>>,
}

/// Payload and chosen entries that a record belongs to.
#[derive(Clone)]
pub(in crate::client) struct EntriesOrigin {
    pub(in crate::client) location: PartRecordLocation,
    pub(in crate::client) layout: Layout,
    pub(in crate::client) header: Header,
    /// Size of the envelope in bytes.
    pub(in crate::client) envelope_length: u64,
}

impl PartRecordLocation {
    /// Returns the location of the record for chosen entries of the same payload.
    pub(in crate::client) fn of_entries(&self) -> Self {
        let name = self.path.file_stem().unwrap_or_default().to_string_lossy();
        Self { path: self.path.with_file_name(format!("{name}-only.part")), server: self.server.clone() }
    }
}

impl EntriesOrigin {
    /// Creates the record of `part`, and removes an earlier one. `None` if that fails, which only prevents resuming.
    pub(super) fn create(&self, part: &Path, places: Sha256) -> Option<PartRecord> {
        PartRecord::create(&self.location, self.layout, part, (&self.header, places.as_bytes())).ok()
    }

    /// Reads the record of an earlier process for the same entries of the same payload.
    pub(super) fn find(&self, places: Sha256) -> Option<EarlierEntries> {
        let (file, (front, tags)) = TagFile::open::<RecordHeader>(self.location.path.clone()).ok()??;
        let fits = front.v == 1
            && front.server == self.location.server
            && front.size_bytes == self.layout.sealed_size()
            && front.header == URL_SAFE_NO_PAD.encode(self.header.as_bytes())
            && front.envelope == URL_SAFE_NO_PAD.encode(places.as_bytes());
        fits.then_some(EarlierEntries { file, part: front.part, tags })
    }
}

impl EarlierEntries {
    /// Continues the record after its first `parts` parts.
    pub(super) fn resume(self, parts: u64) -> PartRecord {
        PartRecord::resume(self.file, parts)
    }
}

/// Returns what a record has of a part in the place of a tag.
pub(super) fn tag_of(part: &[u8]) -> Tag {
    let digest = Sha256::of(part);
    let start = digest.as_bytes().first_chunk::<TAG_SIZE>().expect("a digest is longer than a tag");
    Tag::from_bytes(*start)
}
