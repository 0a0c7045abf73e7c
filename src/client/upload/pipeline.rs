//! The pipeline: segments are sealed a few ahead on several cores, recorded, and handed on in their order.

use std::sync::{Arc, Mutex};

use bytes::Bytes;
use futures_util::{StreamExt, TryStreamExt, stream};
use tokio::sync::mpsc;
use tokio::task::spawn_blocking;

use super::UploadError;
use super::ledger::Ledger;
use super::segments::{Segment, Segments};
use crate::domain::sealed::SEGMENT_SIZE;

/// How many segments are sealed ahead. With those being recorded, waiting and being sent it bounds what is in memory.
const SEAL_AHEAD: usize = 2;

/// Seals the payload from byte `offset` on and hands it to `groups`, each segment once its tag is recorded.
///
/// Returns early, and without an error, when nobody receives any more.
pub(super) async fn produce(
    segments: Arc<Segments>,
    ledger: Arc<Mutex<Ledger>>,
    offset: u64,
    groups: mpsc::Sender<Vec<Bytes>>,
) -> Result<(), UploadError> {
    let first = u32::try_from(offset / SEGMENT_SIZE as u64).expect("a payload has at most 2^32 segments");
    let mut skip = usize::try_from(offset % SEGMENT_SIZE as u64).expect("less than a segment");
    let mut next = first;
    let sealed = stream::iter(first..=segments.layout().last_index()).map(|index| {
        let segments = segments.clone();
        async move { spawn_blocking(move || segments.seal(index)).await.expect("sealing does not panic") }
    });
    let mut sealed = sealed.buffered(SEAL_AHEAD).try_ready_chunks(SEAL_AHEAD);
    while let Some(group) = sealed.next().await {
        let group = group.map_err(|failed| UploadError::Source(failed.1))?;
        record(&ledger, next, &group).await?;
        next = next.wrapping_add(u32::try_from(group.len()).expect("a group has a few segments"));
        let bytes = group.into_iter().map(|segment| segment.bytes.slice(std::mem::take(&mut skip)..)).collect();
        if groups.send(bytes).await.is_err() {
            break;
        }
    }
    Ok(())
}

async fn record(ledger: &Arc<Mutex<Ledger>>, first: u32, group: &[Segment]) -> Result<(), UploadError> {
    let tags: Vec<_> = group.iter().map(|segment| segment.tag).collect();
    let ledger = ledger.clone();
    let write = move || ledger.lock().expect("nothing panics while it holds this lock").record(first, &tags);
    Ok(spawn_blocking(write).await.expect("recording does not panic")?)
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;
    use crate::client::upload::source::Source;
    use crate::domain::envelope::Metadata;
    use crate::domain::key::PayloadKey;

    fn segments(content: &[u8]) -> (Arc<Segments>, std::fs::File) {
        let mut file = tempfile::tempfile().unwrap();
        file.write_all(content).unwrap();
        let metadata = Metadata {
            filename: "name".into(),
            size: content.len() as u64,
            content_type: None,
            modified_ms: None,
            archive: None,
        };
        let source = Source::of(file.try_clone().unwrap()).unwrap();
        (Arc::new(Segments::new(source, &metadata, &PayloadKey::random()).unwrap()), file)
    }

    async fn collect(
        segments: &Arc<Segments>,
        ledger: &Arc<Mutex<Ledger>>,
        offset: u64,
    ) -> Result<Vec<u8>, UploadError> {
        let (sender, mut receiver) = mpsc::channel(1);
        let task = tokio::spawn(produce(segments.clone(), ledger.clone(), offset, sender));
        let mut payload = Vec::new();
        while let Some(group) = receiver.recv().await {
            payload.extend(group.concat());
        }
        task.await.unwrap().map(|()| payload)
    }

    #[tokio::test]
    async fn a_payload_goes_on_at_any_byte() {
        let (segments, _file) = segments(&vec![7; 5_000_000]);
        let ledger = Arc::new(Mutex::new(Ledger::new(None)));
        let whole = collect(&segments, &ledger, 0).await.unwrap();
        assert_eq!(whole.len() as u64, segments.layout().sealed_size());
        for offset in [1, 40, 1_048_576, 1_048_577, 3_000_000, whole.len() - 1] {
            assert!(collect(&segments, &ledger, offset as u64).await.unwrap() == whole[offset..], "{offset}");
        }
    }

    #[tokio::test]
    async fn a_segment_with_other_content_is_not_sent_again() {
        use std::io::{Seek, SeekFrom};
        let (segments, mut file) = segments(&vec![7; 5_000_000]);
        let ledger = Arc::new(Mutex::new(Ledger::new(None)));
        collect(&segments, &ledger, 0).await.unwrap();
        file.seek(SeekFrom::Start(2_000_000)).unwrap();
        file.write_all(b"other").unwrap();
        let outcome = collect(&segments, &ledger, 1_500_000).await;
        assert!(outcome.is_err_and(|error| error.is_changed()));
    }
}
