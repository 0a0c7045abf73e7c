//! Index of an archive: found from the content's last bytes, and parsed.

#![no_main]

use libfuzzer_sys::fuzz_target;
use sgsend::domain::archive::{ArchiveIndex, INDEX_FRAME_BYTES, IndexPosition, MAX_INDEX_BYTES, TAR_END_BYTES};

/// Size of the tar before the index, in bytes.
const TAR: u64 = 1 << 20;

fuzz_target!(|bytes: &[u8]| {
    // The input as the end of a content.
    if let Some((_, last)) = bytes.split_last_chunk::<8>() {
        for size in [bytes.len() as u64, TAR + bytes.len() as u64] {
            if let Some(position) = IndexPosition::find(size, *last) {
                assert!(position.json_bytes <= MAX_INDEX_BYTES && position.start + position.bytes() == size);
                check(bytes, position);
            }
        }
    }
    // The input as the JSON of an index.
    if (2..=MAX_INDEX_BYTES).contains(&(bytes.len() as u64)) {
        let framed = [&b"SGINDEX\0"[..], bytes, &(bytes.len() as u64).to_be_bytes()].concat();
        let size = TAR + bytes.len() as u64 + INDEX_FRAME_BYTES;
        let last = framed[framed.len() - 8..].try_into().expect("the length has eight bytes");
        let position = IndexPosition::find(size, last).expect("the index lies after a tar of whole blocks");
        check(&framed, position);
    }
});

/// Checks that entries of an accepted index are disjoint, within the tar, and at safe paths.
fn check(bytes: &[u8], position: IndexPosition) {
    let Ok(Some(index)) = ArchiveIndex::parse(bytes, position) else { return };
    let mut free_from = 0;
    let mut paths = std::collections::BTreeSet::new();
    for entry in &index.entries {
        let end = entry.end().expect("an accepted entry ends within the tar");
        assert!(free_from <= entry.offset && entry.offset < entry.data && entry.data <= end);
        assert!(end <= index.tar_bytes - TAR_END_BYTES);
        free_from = end;
        let path = entry.path.as_str();
        assert!(std::path::Path::new(path).components().all(|part| matches!(part, std::path::Component::Normal(_))));
        assert!(paths.insert(path), "{path:?} was accepted twice");
    }
}
