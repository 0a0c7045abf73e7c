//! Partial downloads: what is kept beside an unfinished file, so that another process can go on with it.
//!
//! The file itself holds nothing but authentic content. Whether it still does is not left to the disk: what is gone on
//! with is sealed again, and held against the tags of the segments that it came in.

use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::{Deserialize, Serialize};

use super::part::claim;
use crate::client::tag_file::{self, TagFile};
use crate::domain::crypto::envelope;
use crate::domain::crypto::key::PayloadKey;
use crate::domain::crypto::sealed::{Header, Layout, Opener, SEGMENT_SIZE, Sealer, Tag, header_room};

/// Where it is told which segments of a payload an unfinished file holds: `downloads/{id}.part`.
#[derive(Clone, Debug)]
pub struct PartialPlace {
    /// The file that tells.
    pub path: PathBuf,
    /// The service's address: what came from another one is not gone on with.
    pub server: String,
}

impl PartialPlace {
    /// Removes the record that is there, and the unfinished file with it, unless a process works with them.
    pub(crate) fn discard(&self) {
        self.discard_unless(None);
    }

    /// The same, but for an unfinished file that is this `part`.
    fn discard_unless(&self, part: Option<&Path>) {
        let Ok(Some((file, (front, _)))) = TagFile::open::<Front>(self.path.clone()) else { return };
        if Some(&*front.part) != part
            && let Some(_ours) = claim(&front.part)
        {
            // It may be out of reach by now, and stays then.
            let _ = std::fs::remove_file(&front.part);
        }
        file.remove();
    }
}

/// What stands in front of the tags.
#[derive(Serialize, Deserialize)]
struct Front {
    v: u8,
    server: String,
    /// Bytes in the sealed payload.
    size_bytes: u64,
    /// The unfinished file.
    part: PathBuf,
    /// The payload's header, in base64url.
    header: String,
    /// The envelope in front of the content, in base64url.
    envelope: String,
}

/// The unfinished file that the record at `path` tells of, and the service that it comes from; `None` if it is no record.
pub(crate) fn part_of(path: &Path) -> Option<(PathBuf, String)> {
    let (front, _) = tag_file::read::<Front>(&mut File::open(path).ok()?).ok()?;
    Some((front.part, front.server))
}

/// The record of an unfinished file.
pub(super) struct Partial {
    file: TagFile,
    /// How many segments it holds.
    segments: u64,
}

/// A record of an earlier process.
pub(super) struct Earlier {
    partial: Partial,
    pub(super) part: PathBuf,
    pub(super) envelope: envelope::Envelope,
    header: Header,
    tags: Vec<Option<Tag>>,
    envelope_bytes: Vec<u8>,
}

impl Partial {
    /// Begins the record of `part`. What was recorded before of this payload is forgotten.
    pub(super) fn begin(
        place: &PartialPlace,
        layout: Layout,
        part: &Path,
        (header, envelope): (&Header, &[u8]),
    ) -> io::Result<Self> {
        let front = Front {
            v: 1,
            server: place.server.clone(),
            size_bytes: layout.sealed_size(),
            part: std::path::absolute(part)?,
            header: URL_SAFE_NO_PAD.encode(header.as_bytes()),
            envelope: URL_SAFE_NO_PAD.encode(envelope),
        };
        place.discard_unless(Some(&front.part));
        Ok(Self { file: TagFile::create(place.path.clone(), &front, layout.segments())?, segments: 0 })
    }

    /// Records that the next segment is in the file.
    pub(super) fn add(&mut self, tag: Tag) -> io::Result<()> {
        self.file.write(self.segments, &[tag])?;
        self.segments += 1;
        Ok(())
    }

    /// Whether there is anything to go on with.
    pub(super) const fn holds_some(&self) -> bool {
        self.segments > 0
    }

    /// Removes the record.
    pub(super) fn remove(self) {
        self.file.remove();
    }
}

impl Earlier {
    /// Finds what an earlier process has recorded of this payload. What cannot be read is as good as nothing.
    pub(super) fn find(place: &PartialPlace, layout: Layout) -> Option<Self> {
        let (file, (front, tags)) = TagFile::open::<Front>(place.path.clone()).ok()??;
        let fits = front.v == 1
            && front.server == place.server
            && front.size_bytes == layout.sealed_size()
            && tags.len() as u64 == layout.segments();
        let decode = |text: &str| URL_SAFE_NO_PAD.decode(text).ok();
        let envelope_bytes = decode(&front.envelope).filter(|_| fits)?;
        let envelope = envelope::decode(&envelope_bytes).ok()??;
        let header = Header::parse(&decode(&front.header)?).ok()?;
        envelope.check_plaintext_size(layout.plaintext_size()).ok()?;
        if envelope.length != envelope_bytes.len() {
            return None;
        }
        Some(Self { partial: Partial { file, segments: 0 }, part: front.part, envelope, header, tags, envelope_bytes })
    }

    /// How many segments `part` holds from the first on, as sealing them again under `key` shows.
    pub(super) fn verified(&self, part: &mut File, key: &PayloadKey, layout: Layout) -> io::Result<u64> {
        let sealer = Sealer::from_header(key, self.header.clone());
        let before = self.envelope_bytes.len() as u64;
        let mut segment = Vec::with_capacity(SEGMENT_SIZE);
        for (index, tag) in (0..).zip(&self.tags) {
            let (Some(tag), false) = (tag, layout.is_last(index)) else { return Ok(index.into()) };
            let plaintext = layout.plaintext_range(index);
            segment.clear();
            segment.resize(header_room(index), 0);
            if index == 0 {
                segment.extend_from_slice(&self.envelope_bytes);
            }
            let start = plaintext.start.saturating_sub(before);
            let length = plaintext.end - before - start;
            part.seek(SeekFrom::Start(start))?;
            if (&mut *part).take(length).read_to_end(&mut segment)? as u64 != length
                || sealer.seal(index, false, &mut segment) != *tag
            {
                return Ok(index.into());
            }
        }
        Ok(self.tags.len() as u64)
    }

    /// Goes on with the record behind the first `segments` segments, and gives what opens the rest.
    pub(super) fn go_on(self, segments: u64, key: &PayloadKey) -> (Partial, Opener) {
        let partial = Partial { segments, ..self.partial };
        (partial, Opener::new(key, self.header))
    }
}
