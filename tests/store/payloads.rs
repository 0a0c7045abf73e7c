//! Finished payloads: range reads and removal.

use futures_util::TryStreamExt;
use sgsend::domain::id::PayloadId;
use sgsend::domain::store::StoreError;

use crate::backends::{SharedStore, content, finished, pattern, upload};

pub(crate) async fn megabytes_come_back_byte_for_byte(store: SharedStore) {
    let size = (9 << 20) + 17;
    let id = finished(&*store, size).await;
    assert_eq!(store.received(id).await.unwrap(), size);
    assert!(content(&*store, id, 0..size).await.unwrap() == pattern(0..size));
}

pub(crate) async fn ranges_are_exact(store: SharedStore) {
    let size = (2 << 20) + 5;
    let id = finished(&*store, size).await;
    let block = 512 << 10;
    for range in [0..0, 0..1, 5..6, size - 1..size, size..size, block - 1..block + 1, block..2 * block, 3..size - 3] {
        assert!(content(&*store, id, range.clone()).await.unwrap() == pattern(range.clone()), "{range:?}");
    }
    for range in [0..size + 1, size..size + 1, size + 1..size + 1, size + 5..size] {
        assert!(matches!(content(&*store, id, range.clone()).await, Err(StoreError::NoPayload)), "{range:?}");
    }
}

pub(crate) async fn unfinished_payloads_are_not_readable(store: SharedStore) {
    let id = PayloadId::random();
    assert!(matches!(content(&*store, id, 0..0).await, Err(StoreError::NoPayload)));
    upload(&*store, id, 0..10).await.unwrap();
    assert!(matches!(content(&*store, id, 0..10).await, Err(StoreError::NoPayload)));
    store.finish(id, 10).await.unwrap();
    assert_eq!(content(&*store, id, 0..10).await.unwrap(), pattern(0..10));
}

pub(crate) async fn a_reader_of_a_removed_payload_reads_no_other_data(store: SharedStore) {
    let size = 5 << 20;
    let id = finished(&*store, size).await;
    let mut stream = store.read(id, 0..size).await.unwrap();
    let mut received = stream.try_next().await.unwrap().unwrap().to_vec();
    store.remove(id).await.unwrap();
    let whole = loop {
        match stream.try_next().await {
            Ok(Some(piece)) => received.extend_from_slice(&piece),
            Ok(None) => break true,
            Err(_) => break false,
        }
    };
    assert!(received == pattern(0..received.len() as u64) && (!whole || received.len() as u64 == size));
}

pub(crate) async fn removal_ends_readers_and_writers(store: SharedStore) {
    let (size, piece) = (5 << 20, 256 << 10);
    let id = PayloadId::random();
    let mut writer = store.writer(id, 0).await.unwrap();
    for start in (0..size).step_by(piece) {
        writer.write(pattern(start..start + piece as u64)).await.unwrap();
    }
    writer.close().await.unwrap();
    store.finish(id, size).await.unwrap();
    let mut stream = store.read(id, 0..size).await.unwrap();
    let mut received = stream.try_next().await.unwrap().unwrap().to_vec();
    store.remove(id).await.unwrap();
    assert!(matches!(content(&*store, id, 0..size).await, Err(StoreError::NoPayload)));
    let broken = loop {
        match stream.try_next().await {
            Ok(Some(piece)) => received.extend_from_slice(&piece),
            Ok(None) => panic!("a removed payload was read completely"),
            Err(error) => break error,
        }
    };
    assert_eq!(broken.kind(), std::io::ErrorKind::NotFound);
    // Data in flight: one block handed out, and one block read ahead.
    assert!(received.len() <= 2 << 20 && received == pattern(0..received.len() as u64), "{} bytes", received.len());

    let id = PayloadId::random();
    let mut writer = store.writer(id, 0).await.unwrap();
    writer.write(pattern(0..size)).await.unwrap();
    store.remove(id).await.unwrap();
    let mut written = Ok(());
    for _ in 0..3 {
        written = written.and(writer.write(pattern(0..size)).await);
    }
    assert!(matches!(written, Err(StoreError::NoPayload)), "{written:?}");
}

pub(crate) async fn removing_is_repeatable(store: SharedStore) {
    store.remove(PayloadId::random()).await.unwrap();
    let partial = PayloadId::random();
    upload(&*store, partial, 0..10).await.unwrap();
    let (whole, other) = (finished(&*store, 10).await, finished(&*store, 10).await);
    for id in [partial, whole] {
        store.remove(id).await.unwrap();
        store.remove(id).await.unwrap();
        assert_eq!(store.received(id).await.unwrap(), 0);
        assert_eq!(store.finish(id, 10).await.unwrap(), 0);
        assert!(matches!(content(&*store, id, 0..10).await, Err(StoreError::NoPayload)));
    }
    assert_eq!(content(&*store, other, 0..10).await.unwrap(), pattern(0..10));
}

pub(crate) async fn finishing_is_repeatable(store: SharedStore) {
    let id = finished(&*store, 10).await;
    assert_eq!(store.finish(id, 10).await.unwrap(), 10);
    // A finish with another size changes nothing, and returns the actual size.
    assert_eq!(store.finish(id, 11).await.unwrap(), 10);
    assert_eq!(content(&*store, id, 0..10).await.unwrap(), pattern(0..10));
}

pub(crate) async fn finishing_loses_against_removing(store: SharedStore) {
    for _ in 0..50 {
        let id = PayloadId::random();
        upload(&*store, id, 0..10).await.unwrap();
        let [one, other] = [store.clone(), store.clone()];
        let finishing = tokio::spawn(async move { one.finish(id, 10).await });
        let removing = tokio::spawn(async move { other.remove(id).await });
        assert!(matches!(finishing.await.unwrap(), Ok(0 | 10)));
        removing.await.unwrap().unwrap();
        assert_eq!(store.received(id).await.unwrap(), 0);
    }
}
