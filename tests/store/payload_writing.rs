//! Payload writes: append-only, with one writer at a time.

use bytes::Bytes;
use sgsend::domain::id::PayloadId;
use sgsend::domain::store::StoreError;

use crate::backends::{SharedStore, content, finished, next_writer, pattern, upload};

const MIB: u64 = 1 << 20;

pub(crate) async fn an_upload_resumes_at_its_end(store: SharedStore) {
    let id = PayloadId::random();
    assert_eq!(store.received(id).await.unwrap(), 0);
    // Less than, exactly, and more than the buffer size; the rest in many small pieces.
    let ends = [0, 1, 1000, MIB, 2 * MIB, 2 * MIB + 1, 6 * MIB];
    for range in ends.windows(2).map(|ends| ends[0]..ends[1]) {
        assert_eq!(upload(&*store, id, range.clone()).await.unwrap(), range.end);
        assert_eq!(store.received(id).await.unwrap(), range.end);
    }
    let mut writer = store.writer(id, 6 * MIB).await.unwrap();
    for start in (6 * MIB..7 * MIB).step_by(64) {
        writer.write(pattern(start..start + 64)).await.unwrap();
    }
    assert_eq!(writer.close().await.unwrap(), 7 * MIB);
    assert_eq!(store.finish(id, 7 * MIB).await.unwrap(), 7 * MIB);
    assert!(content(&*store, id, 0..7 * MIB).await.unwrap() == pattern(0..7 * MIB));
}

pub(crate) async fn a_dropped_writer_keeps_its_bytes(store: SharedStore) {
    let id = PayloadId::random();
    let mut writer = store.writer(id, 0).await.unwrap();
    for start in (0..5 * MIB).step_by(100_000) {
        writer.write(pattern(start..start + 100_000)).await.unwrap();
    }
    drop(writer);
    let (end, mut writer) = next_writer(&*store, id).await;
    assert!(end >= 3 * MIB, "only {end} bytes remain");
    writer.write(pattern(end..6 * MIB)).await.unwrap();
    assert_eq!(writer.close().await.unwrap(), 6 * MIB);
    store.finish(id, 6 * MIB).await.unwrap();
    assert!(content(&*store, id, 0..6 * MIB).await.unwrap() == pattern(0..6 * MIB));
}

pub(crate) async fn a_discarded_write_leaves_nothing(store: SharedStore) {
    let id = PayloadId::random();
    upload(&*store, id, 0..1000).await.unwrap();
    let mut writer = store.writer(id, 1000).await.unwrap();
    for _ in 0..3 {
        writer.write(Bytes::from(vec![0; 900_000])).await.unwrap();
    }
    writer.discard().await.unwrap();
    assert_eq!(store.received(id).await.unwrap(), 1000);
    assert_eq!(upload(&*store, id, 1000..2000).await.unwrap(), 2000);
    store.finish(id, 2000).await.unwrap();
    assert_eq!(content(&*store, id, 0..2000).await.unwrap(), pattern(0..2000));
}

pub(crate) async fn a_write_at_another_offset_is_rejected(store: SharedStore) {
    let id = PayloadId::random();
    let nothing = store.writer(id, 5).await.err();
    assert!(matches!(nothing, Some(StoreError::OffsetMismatch { received_bytes: 0 })), "{nothing:?}");
    upload(&*store, id, 0..10).await.unwrap();
    for offset in [0, 9, 11] {
        let error = store.writer(id, offset).await.err();
        assert!(matches!(error, Some(StoreError::OffsetMismatch { received_bytes: 10 })), "{error:?}");
    }
    assert_eq!(upload(&*store, id, 10..20).await.unwrap(), 20);
}

pub(crate) async fn a_payload_has_one_writer(store: SharedStore) {
    let id = PayloadId::random();
    let writer = store.writer(id, 0).await.unwrap();
    assert!(matches!(store.writer(id, 0).await.err(), Some(StoreError::WriterBusy)));
    assert!(matches!(store.finish(id, 0).await, Err(StoreError::WriterBusy)));
    store.writer(PayloadId::random(), 0).await.unwrap().close().await.unwrap();
    writer.close().await.unwrap();
    store.writer(id, 0).await.unwrap().discard().await.unwrap();
    drop(store.writer(id, 0).await.unwrap());
    let (end, mut writer) = next_writer(&*store, id).await;
    writer.write(pattern(0..5)).await.unwrap();
    assert_eq!((end, writer.close().await.unwrap()), (0, 5));
}

pub(crate) async fn a_finished_payload_has_no_writer(store: SharedStore) {
    let id = finished(&*store, 100).await;
    for offset in [0, 100] {
        let error = store.writer(id, offset).await.err();
        assert!(matches!(error, Some(StoreError::OffsetMismatch { received_bytes: 100 })), "{error:?}");
    }
    assert_eq!(store.received(id).await.unwrap(), 100);
    assert_eq!(content(&*store, id, 0..100).await.unwrap(), pattern(0..100));
}

pub(crate) async fn a_writer_racing_with_finish_is_rejected_or_counted(store: SharedStore) {
    for _ in 0..100 {
        let id = PayloadId::random();
        upload(&*store, id, 0..10).await.unwrap();
        let [one, other] = [store.clone(), store.clone()];
        let finishing = tokio::spawn(async move { one.finish(id, 10).await });
        let writing = tokio::spawn(async move { upload(&*other, id, 10..15).await });
        let (finished, written) = (finishing.await.unwrap(), writing.await.unwrap());
        let length = store.received(id).await.unwrap();
        match (&finished, &written) {
            (Ok(10), Err(StoreError::WriterBusy | StoreError::OffsetMismatch { .. })) => assert_eq!(length, 10),
            (Ok(15) | Err(StoreError::WriterBusy), Ok(15)) => assert_eq!(length, 15),
            _ => panic!("{finished:?} and {written:?}"),
        }
    }
}

pub(crate) async fn a_size_mismatch_leaves_a_payload_unfinished(store: SharedStore) {
    let id = PayloadId::random();
    assert_eq!(store.finish(id, 10).await.unwrap(), 0);
    upload(&*store, id, 0..10).await.unwrap();
    for size in [0, 9, 11] {
        assert_eq!(store.finish(id, size).await.unwrap(), 10);
    }
    assert!(matches!(content(&*store, id, 0..10).await, Err(StoreError::NoPayload)));
    assert_eq!(upload(&*store, id, 10..20).await.unwrap(), 20);
    assert_eq!(store.finish(id, 20).await.unwrap(), 20);
}

pub(crate) async fn empty_writes_succeed(store: SharedStore) {
    let id = PayloadId::random();
    assert_eq!(store.writer(id, 0).await.unwrap().close().await.unwrap(), 0);
    let mut writer = store.writer(id, 0).await.unwrap();
    for piece in [Bytes::new(), pattern(0..3), Bytes::new(), Bytes::new(), pattern(3..5), Bytes::new()] {
        writer.write(piece).await.unwrap();
    }
    assert_eq!(writer.close().await.unwrap(), 5);
    assert_eq!(store.finish(id, 5).await.unwrap(), 5);
    assert_eq!(content(&*store, id, 0..5).await.unwrap(), pattern(0..5));
}

pub(crate) async fn writes_to_a_removed_payload_are_discarded(store: SharedStore) {
    let id = PayloadId::random();
    let mut closed = store.writer(id, 0).await.unwrap();
    closed.write(pattern(0..2 * MIB)).await.unwrap();
    store.remove(id).await.unwrap();
    // The writer may or may not notice the removal.
    for _ in 0..2 {
        let written = closed.write(pattern(0..2 * MIB)).await;
        assert!(matches!(written, Ok(()) | Err(StoreError::NoPayload)), "{written:?}");
    }
    // The old writer doesn't affect a new writer of the same payload.
    assert_eq!(upload(&*store, id, 0..7).await.unwrap(), 7);
    let mut other = store.writer(id, 7).await.unwrap();
    other.write(pattern(7..10)).await.unwrap();
    drop(closed);
    assert!(matches!(store.writer(id, 10).await.err(), Some(StoreError::WriterBusy)));
    assert_eq!(other.close().await.unwrap(), 10);

    let last = store.writer(id, 10).await.unwrap();
    store.remove(id).await.unwrap();
    assert_eq!(last.close().await.unwrap(), 0);
    assert_eq!(store.finish(id, 10).await.unwrap(), 0);
    assert_eq!(store.received(id).await.unwrap(), 0);
}
