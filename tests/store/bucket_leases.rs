//! Writers in a bucket whose lease another server takes early, because its clock is ahead.

use sgsend::domain::id::PayloadId;
use sgsend::domain::store::{Condition, Payloads, Records};
use sgsend::server::store::S3Store;

use crate::backends::{bucket, changing, content, key, pattern};

const MIB: u64 = 1 << 20;

/// Lets the lease of a payload's writer expire, as for a server whose clock is far ahead.
async fn expire_lease(store: &S3Store, id: PayloadId) {
    let path = format!("payloads/{id}/upload.json");
    let found = store.get(&key(&path)).await.unwrap().expect("an upload in progress");
    let mut manifest: serde_json::Value = serde_json::from_slice(&found.value).unwrap();
    let until = &mut manifest["lease"]["until"];
    assert!(until.is_u64(), "the writer has no lease: {manifest}");
    *until = 1.into();
    store.commit(changing(&path, Condition::Is(found.version), manifest.to_string())).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs an S3 server: tests/s3.sh"]
async fn s3_a_writer_whose_lease_ends_early_destroys_no_acknowledged_byte() {
    let location = bucket::fresh().await;
    let (slow, ahead) = (S3Store::open(&location).await, S3Store::open(&location).await);
    let id = PayloadId::random();
    let mut first = slow.writer(id, 0).await.unwrap();
    first.write(pattern(0..9 * MIB)).await.unwrap();

    expire_lease(&ahead, id).await;
    let start = ahead.received(id).await.unwrap();
    let mut second = ahead.writer(id, start).await.unwrap();
    second.write(pattern(start..12 * MIB)).await.unwrap();
    assert_eq!(second.close().await.unwrap(), 12 * MIB);

    // The first writer still has bytes in memory and on their way, with other content.
    let other = vec![0; usize::try_from(17 * MIB).unwrap()];
    let written = first.write(other.into()).await;
    assert!(written.is_err() || first.close().await.is_err(), "bytes of the first writer were acknowledged");
    assert_eq!(ahead.received(id).await.unwrap(), 12 * MIB);
    assert_eq!(ahead.finish(id, 12 * MIB).await.unwrap(), 12 * MIB);
    assert!(content(&ahead, id, 0..12 * MIB).await.unwrap() == pattern(0..12 * MIB), "acknowledged bytes have changed");
}
