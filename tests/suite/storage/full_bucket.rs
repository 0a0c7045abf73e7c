//! Buckets whose server reports a quota: deletion frees them, and its records are written later.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use sgsend::server::StorageLocation;

use crate::support::{Fault, FaultyBucket, Service, bucket, eventually};

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs an S3 server: tests/s3.sh"]
async fn s3_a_bucket_over_its_quota_can_be_freed() {
    for (status, code) in [(403, "QuotaExceeded"), (507, "XMinioStorageFull"), (400, "XMinioAdminBucketQuotaExceeded")]
    {
        let location = bucket::fresh().await;
        let full = Arc::<AtomicBool>::default();
        // Refused writes of schedule entries, with which deletions begin; records of requests are tried again and again.
        let refusals = Arc::<AtomicUsize>::default();
        let (is_full, refused) = (full.clone(), refusals.clone());
        let choose = move |request: &axum::extract::Request| {
            let removes = request.uri().query().is_some_and(|query| query.starts_with("delete"));
            let writes = request.method() == "PUT" || (request.method() == "POST" && !removes);
            if !(writes && is_full.load(Ordering::Relaxed)) {
                return Fault::None;
            }
            let path = request.uri().path();
            if path.contains("/due/") && !path.contains(".reads") {
                refused.fetch_add(1, Ordering::Relaxed);
            }
            Fault::Error(status, code)
        };
        let faulty = FaultyBucket::before(location.endpoint.as_ref().unwrap().as_str(), choose).await;
        let direct = Service::at(StorageLocation::S3(location.clone()));
        let mut through = location;
        through.endpoint = Some(faulty.url.clone());
        let service = Service::at(StorageLocation::S3(through)).start().await;
        let sender = service.sender().await;
        let id = sender.send_payload(b"abc", "").await;
        assert_eq!(sender.get("/health/ready").send().await.text("free_space"), "ample");

        full.store(true, Ordering::Relaxed);
        sender.post("/transfers/create").json(r#"{"size_bytes":3}"#).expect_error("storage_full").await;
        let ready = sender.get("/health/ready").expect_error("storage_full").await;
        assert_eq!(ready.status, 503);
        for _ in 0..2 {
            let deleted = sender.post(&format!("/transfers/id/{id}/delete")).json("{}").send().await;
            assert_eq!((deleted.status, deleted.text("status").as_str()), (200, "deleted"), "{deleted:?}");
        }
        let refusals = refusals.load(Ordering::Relaxed);
        // Two of each deletion, and one of a sweep that may begin meanwhile.
        assert!(refusals < 8, "refused writes are repeated: {refusals} refusals");
        assert_eq!(sender.status(&id).await.text("status"), "deleted");
        let download = sender.get(&format!("/transfers/id/{id}/payload/download-bytes"));
        download.expect_error("transfer_deleted").await;

        full.store(false, Ordering::Relaxed);
        eventually(|| async { (sender.get("/health/ready").send().await.status == 200).then_some(()) }).await;
        // At the latest, the records are written when the service stops.
        service.stop().await;
        let direct = direct.start().await;
        assert_eq!(direct.public().status(&id).await.text("status"), "deleted");
        let all = direct.admin().get(&format!("/audit/transfers/id/{id}/all?limit=1000")).send().await.items();
        let count = |member: &str, value: &str| all.iter().filter(|item| item[member] == value).count();
        assert_eq!((count("kind", "transfer_deleted"), count("action", "transfer.delete")), (1, 2), "{all:?}");
    }
}
