//! Sealing pipeline. Seals segments ahead on several cores, records their tags, and passes them on in order.

use std::ops::Range;
use std::sync::Arc;

use bytes::Bytes;
use futures_util::{StreamExt, TryStreamExt, stream};
use tokio::sync::mpsc;
use tokio::task::spawn_blocking;

use super::UploadError;
use super::journal::Journal;
use super::segments::{Segment, Segments};
use super::verify;
use crate::domain::crypto::sealed::SEGMENT_SIZE;

/// Seals the segments of the non-empty byte `range`, `ahead` at once. Sends them to `groups` in order.
///
/// Covers the range up to the end of its last segment. A segment is sent once its tag is recorded.
///
/// Returns early, without an error, when the receiver is closed.
pub(super) async fn produce(
    segments: Arc<Segments>,
    journal: Arc<Journal>,
    range: Range<u64>,
    ahead: usize,
    groups: mpsc::Sender<Vec<Bytes>>,
) -> Result<(), UploadError> {
    let (first, last) = (segment_at(range.start), segment_at(range.end - 1));
    let mut skip = usize::try_from(range.start % SEGMENT_SIZE as u64).expect("less than a segment");
    let mut next = first;
    let sealed = stream::iter(first..=last).map(|index| {
        let segments = segments.clone();
        async move { spawn_blocking(move || segments.seal(index)).await.expect("sealing does not panic") }
    });
    let mut sealed = sealed.buffered(ahead).try_ready_chunks(ahead);
    while let Some(group) = sealed.next().await {
        let group = group.map_err(|failed| UploadError::Source(failed.1))?;
        record(&journal, next, &group).await?;
        if group.len() as u64 > u64::from(segments.layout().last_index() - next) {
            // Checked before the last segment is sent, so that a changed file is never complete on the server.
            check_unchanged(&segments, &journal).await?;
        }
        next = next.wrapping_add(u32::try_from(group.len()).expect("a group has a few segments"));
        let bytes = group.into_iter().map(|segment| segment.bytes.slice(std::mem::take(&mut skip)..)).collect();
        if groups.send(bytes).await.is_err() {
            break;
        }
    }
    Ok(())
}

/// Returns the number of the segment that contains byte `offset` of the payload.
fn segment_at(offset: u64) -> u32 {
    u32::try_from(offset / SEGMENT_SIZE as u64).expect("a payload has at most 2^32 segments")
}

async fn record(journal: &Arc<Journal>, first: u32, group: &[Segment]) -> Result<(), UploadError> {
    let tags: Vec<_> = group.iter().map(|segment| segment.tag).collect();
    let journal = journal.clone();
    Ok(spawn_blocking(move || journal.record(first, &tags)).await.expect("recording does not panic")?)
}

/// Checks that the content of the recorded segments is still that of their files.
pub(super) async fn check_unchanged(segments: &Arc<Segments>, journal: &Arc<Journal>) -> Result<(), UploadError> {
    let (segments, journal) = (segments.clone(), journal.clone());
    let check = move || verify::check_unchanged(&segments, &journal);
    spawn_blocking(check).await.expect("checking a file does not panic")
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;
    use crate::client::upload::source::UploadSource;
    use crate::domain::crypto::envelope::Metadata;
    use crate::domain::crypto::key::PayloadKey;
    use crate::domain::crypto::padding::Padding;

    fn segments(content: &[u8]) -> (Arc<Segments>, std::fs::File) {
        let mut file = tempfile::tempfile().unwrap();
        file.write_all(content).unwrap();
        let metadata = Metadata {
            filename: "name".into(),
            size: content.len() as u64,
            content_type: None,
            modified_ms: None,
            archive: None,
            mode: None,
            signed: false,
        };
        let source = UploadSource::of(file.try_clone().unwrap()).unwrap();
        (Arc::new(Segments::new(source, &metadata, Padding::Padme, &PayloadKey::random()).unwrap()), file)
    }

    async fn collect(
        segments: &Arc<Segments>,
        journal: &Arc<Journal>,
        range: Range<u64>,
    ) -> Result<Vec<u8>, UploadError> {
        let (sender, mut receiver) = mpsc::channel(1);
        let task = tokio::spawn(produce(segments.clone(), journal.clone(), range, 2, sender));
        let mut payload = Vec::new();
        while let Some(group) = receiver.recv().await {
            payload.extend(group.concat());
        }
        task.await.unwrap().map(|()| payload)
    }

    #[tokio::test]
    async fn a_payload_can_be_resumed_at_any_byte() {
        let (segments, _file) = segments(&vec![7; 5_000_000]);
        let journal = Arc::new(Journal::new(None));
        let size = segments.layout().sealed_size();
        let whole = collect(&segments, &journal, 0..size).await.unwrap();
        assert_eq!(whole.len() as u64, size);
        for offset in [1, 40, 1_048_576, 1_048_577, 3_000_000, whole.len() - 1] {
            assert!(collect(&segments, &journal, offset as u64..size).await.unwrap() == whole[offset..], "{offset}");
        }
    }

    #[tokio::test]
    async fn ranges_of_whole_segments_make_up_a_payload_in_any_order() {
        const PART: u64 = 2 << 20;
        let (segments, _file) = segments(&vec![7; 5_000_000]);
        let journal = Arc::new(Journal::new(None));
        let size = segments.layout().sealed_size();
        let mut parts = Vec::new();
        for start in [2 * PART, 0, PART] {
            let end = (start + PART).min(size);
            parts.push((start, collect(&segments, &journal, start..end).await.unwrap()));
        }
        assert_eq!(journal.recorded_bytes(), 5 << 20);
        parts.sort();
        let parts: Vec<_> = parts.into_iter().map(|(_, part)| part).collect();
        assert!(collect(&segments, &journal, 0..size).await.unwrap() == parts.concat());
    }

    #[tokio::test]
    async fn a_segment_with_other_content_is_not_sent_again() {
        use std::io::{Seek, SeekFrom};
        let (segments, mut file) = segments(&vec![7; 5_000_000]);
        let journal = Arc::new(Journal::new(None));
        let size = segments.layout().sealed_size();
        collect(&segments, &journal, 0..size).await.unwrap();
        file.seek(SeekFrom::Start(2_000_000)).unwrap();
        file.write_all(b"other").unwrap();
        let outcome = collect(&segments, &journal, 1_500_000..size).await;
        assert!(outcome.is_err_and(|error| error.is_changed()));
    }
}
