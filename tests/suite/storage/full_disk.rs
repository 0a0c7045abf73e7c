//! Disks that another program fills: deletion, expiry and the admin's changes work, and give room back.

use std::fs;
use std::path::Path;
use std::time::Duration;

use serde_json::Value;
use sgsend::server::{Server, Settings, StorageLocation};
use tokio::net::TcpStream;

use crate::support::{
    Api, Home, ReservedAddress, Service, SmallDisk, Started, eventually, start_partial_upload, wait_for_writer,
};

/// Size of each payload in bytes.
const SIZE: usize = 300_000;

/// The steps of a transfer's life.
const STEPS: [&str; 6] = ["pending", "uploading", "uploaded", "completed", "limited", "exhausted"];

/// Opens a service over a small disk; every record is written before its response.
async fn service(disk: &SmallDisk) -> Started {
    Service::at(StorageLocation::File(disk.path().join("store"))).start().await
}

/// Creates one transfer at each step. The connection stays open for the upload in progress.
async fn transfers(service: &Started, sender: &Api) -> (Vec<String>, TcpStream) {
    let payload = vec![7; SIZE];
    let life = r#""expires_in_s":600"#;
    let grant = async |id: &str| {
        let granted = sender.post(&format!("/transfers/id/{id}/download/create-presign-url")).json("{}").send().await;
        assert_eq!(granted.status, 200, "{granted:?}");
    };
    let (mut ids, mut open) = (Vec::new(), None);
    for step in STEPS {
        ids.push(match step {
            "pending" => sender.create(SIZE, life).await,
            "uploading" => {
                let id = sender.create(SIZE, life).await;
                open = Some(start_partial_upload(service, sender, &id, SIZE, &payload[..SIZE / 2]).await);
                wait_for_writer(sender, &id).await;
                id
            }
            "uploaded" => {
                let id = sender.create(SIZE, life).await;
                let path = format!("/transfers/id/{id}/payload/upload-bytes");
                assert_eq!(sender.post(&path).bytes(&payload).send().await.status, 200);
                id
            }
            "completed" => sender.send_payload(&payload, life).await,
            "limited" => sender.send_payload(&payload, &format!(r#"{life},"max_downloads":2"#)).await,
            _ => sender.send_payload(&payload, &format!(r#"{life},"max_downloads":1"#)).await,
        });
        if matches!(step, "completed" | "limited" | "exhausted") {
            grant(&ids[ids.len() - 1]).await;
        }
    }
    (ids, open.expect("an upload in progress"))
}

/// Returns the number of bytes of payload files, finished or not.
fn stored_bytes(disk: &SmallDisk) -> u64 {
    fn of(folder: &Path) -> u64 {
        fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).map(|path| size(&path)).sum()
    }
    fn size(path: &Path) -> u64 {
        if path.is_dir() { of(path) } else { fs::metadata(path).unwrap().len() }
    }
    of(&disk.path().join("store/payloads"))
}

/// Checks that both services say what is wrong, and that nothing can be stored.
async fn expect_full(service: &Started, sender: &Api) {
    for api in [sender.clone(), service.admin()] {
        eventually(|| async { (api.get("/health/ready").send().await.status == 503).then_some(()) }).await;
        let full = api.get("/health/ready").expect_error("storage_full").await;
        assert_eq!((full.status, full.header("retry-after").is_empty()), (503, false));
        assert_eq!(api.get("/health").send().await.status, 200);
    }
    sender.post("/transfers/create").json(r#"{"size_bytes":1}"#).expect_error("storage_full").await;
}

/// Frees the disk, and checks that the service recovers without a hand.
async fn expect_recovery(service: &Started, sender: &Api, disk: &SmallDisk) {
    disk.free();
    eventually(|| async { (sender.get("/health/ready").send().await.status == 200).then_some(()) }).await;
    sender.send_payload(b"abc", "").await;
    let storage = service.admin().get("/stats/overview").send().await.json()["storage"].clone();
    assert_eq!(storage["reserve_bytes"], storage["reserve_target_bytes"], "the reserve is not whole: {storage}");
}

/// Returns the actions of a transfer in the audit trail.
async fn actions(service: &Started, id: &str) -> Vec<String> {
    let all = service.admin().get(&format!("/audit/transfers/id/{id}/all?limit=1000")).send().await;
    let action = |item: &Value| Some(item["action"].as_str()?.to_owned());
    all.items().iter().filter_map(action).collect()
}

async fn sweep(settings: Settings, service: &Started) {
    let swept = Server::open(settings, service.clock.clone()).await.unwrap().sweep().await.unwrap();
    assert_eq!(swept.failed, 0, "{swept:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn transfers_are_deleted_from_a_full_disk_at_every_step() {
    for (by_admin, restarts) in [(false, false), (true, false), (false, true), (true, true)] {
        let Some(disk) = SmallDisk::mount("16m") else { return };
        let mut service = service(&disk).await;
        let sender = service.sender().await;
        let (ids, open) = transfers(&service, &sender).await;
        disk.fill();
        let mut sender = sender;
        expect_full(&service, &sender).await;
        if restarts {
            drop(open);
            service = service.restart().await;
            sender = service.public().like(&sender);
            disk.fill();
            expect_full(&service, &sender).await;
        }
        for (id, step) in ids.iter().zip(STEPS) {
            let before = stored_bytes(&disk);
            let api = if by_admin { service.admin() } else { sender.clone() };
            let deleted = api.post(&format!("/transfers/id/{id}/delete")).json("{}").send().await;
            assert_eq!((deleted.status, deleted.text("status").as_str()), (200, "deleted"), "{step}: {deleted:?}");
            assert_eq!(sender.status(id).await.text("status"), "deleted");
            // The bytes of the upload in progress may not have reached the disk.
            let has_bytes = !matches!(step, "pending" | "uploading");
            assert!(!has_bytes || stored_bytes(&disk) < before, "{step}: the payload is still there");
            assert!(actions(&service, id).await.contains(&"transfer.delete".to_owned()), "{step}: not recorded");
            // The other program takes what was freed.
            disk.fill();
        }
        assert_eq!(stored_bytes(&disk), 0);
        expect_recovery(&service, &sender, &disk).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn expiry_alone_frees_a_full_disk() {
    for restarts in [false, true] {
        let Some(disk) = SmallDisk::mount("16m") else { return };
        let mut service = service(&disk).await;
        let mut sender = service.sender().await;
        let settings = service.settings();
        let (ids, open) = transfers(&service, &sender).await;
        drop(open);
        disk.fill();
        expect_full(&service, &sender).await;
        if restarts {
            service = service.restart().await;
            sender = service.public().like(&sender);
            disk.fill();
        }
        service.advance_clock(Duration::from_hours(2));
        sweep(settings.clone(), &service).await;
        assert_eq!(stored_bytes(&disk), 0);
        for (id, step) in ids.iter().zip(STEPS) {
            let status = sender.status(id).await.text("status");
            assert_eq!(status, if step == "exhausted" { "exhausted" } else { "expired" });
            let all = service.admin().get(&format!("/audit/transfers/id/{id}/all?limit=1000")).send().await.items();
            assert!(all.iter().any(|item| item["kind"] == "payload_removed"), "{step}: not recorded");
        }
        // The records go as well, while the other program takes all that is freed.
        disk.fill();
        service.advance_clock(Duration::from_hours(100 * 24));
        sweep(settings, &service).await;
        for id in &ids {
            sender.get(&format!("/transfers/id/{id}/status")).expect_error("transfer_not_found").await;
        }
        expect_recovery(&service, &sender, &disk).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_admin_works_on_a_full_disk() {
    let Some(disk) = SmallDisk::mount("16m") else { return };
    let service = service(&disk).await;
    let (sender, admin) = (service.sender().await, service.admin());
    let id = sender.send_payload(&vec![7; SIZE], r#""max_downloads":2"#).await;
    disk.fill();
    expect_full(&service, &sender).await;

    let grant = async || sender.post(&format!("/transfers/id/{id}/download/create-presign-url")).json("{}");
    grant().await.expect_error("storage_full").await;
    assert_eq!(sender.status(&id).await.number("download_count"), 0);
    // Records of strangers do not use the reserve, those of the admin do.
    for _ in 0..50 {
        sender.status(&id).await;
        actions(&service, &id).await;
    }
    assert_eq!(actions(&service, &id).await.iter().filter(|action| *action == "audit.read").count(), 50);

    let created = admin.post("/tokens/create").json(r#"{"name":"second"}"#).send().await;
    assert_eq!(created.status, 201, "{created:?}");
    let tokens = admin.get("/tokens/list").send().await.items();
    for token in &tokens {
        let path = format!("/tokens/id/{}/revoke", token["token_id"].as_str().unwrap());
        assert_eq!(admin.post(&path).json("{}").send().await.status, 200);
    }
    assert_eq!(tokens.len(), 2);
    sender.post("/transfers/create").json(r#"{"size_bytes":1}"#).expect_error("token_revoked").await;
    let lines = ["sgsend_storage_full 1", "sgsend_storage_free_bytes 0", "sgsend_storage_reserve_target_bytes 2097152"];
    // The free space is measured once a second, and a failed write is known at once.
    eventually(|| async {
        let metrics = admin.get("/metrics").send().await;
        let metrics = String::from_utf8(metrics.body.to_vec()).unwrap();
        lines.iter().all(|line| metrics.contains(line)).then_some(())
    })
    .await;
    let storage = admin.get("/stats/overview").send().await.json()["storage"].clone();
    assert_eq!((storage["level"].as_str(), storage["total_bytes"].as_u64()), (Some("full"), Some(16 << 20)));

    disk.free();
    eventually(|| async { (service.public().get("/health/ready").send().await.status == 200).then_some(()) }).await;
    assert_eq!(service.public().get("/health/ready").send().await.text("free_space"), "ample");
}

#[test]
fn a_killed_service_starts_on_a_full_disk_and_deletes() {
    let home = Home::new();
    let Some(disk) = SmallDisk::mount("16m") else { return };
    let storage = format!("file:{}", disk.path().join("store").display());
    let address = ReservedAddress::new();
    let start = || home.server().storage(&storage).listen(&address.to_string()).start();
    let serving = start();
    home.log_in(&serving);
    let file = home.file("a.bin", &vec![1; SIZE]);
    let links: Vec<_> = (0..3).map(|_| home.run_at(&serving, &["upload", &file]).text()).collect();
    let brief = home.run_at(&serving, &["upload", &file, "--expires", "1m"]).text();
    disk.fill();
    home.run_at(&serving, &["upload", &file]).expect_failure(8, "full");
    home.run_at(&serving, &["delete", &links[0]]).text();
    disk.fill();
    let doctor = home.run(&["doctor", "--storage", &storage, "--json"]);
    let doctor = String::from_utf8_lossy(&doctor.stdout).into_owned();
    assert!(doctor.contains("the disk is full"), "{doctor}");
    serving.kill();
    disk.fill();
    let serving = start();
    disk.fill();
    home.run_at(&serving, &["delete", &links[1]]).text();
    disk.fill();
    // Without a hand: the sweep of another process, also on the full disk.
    serving.kill();
    home.run(&["sweep", "--storage", &storage]).text();
    disk.fill();
    let serving = start();
    home.run_at(&serving, &["delete", &links[2]]).text();
    home.run_at(&serving, &["delete", &brief]).text();
    assert_eq!(stored_bytes(&disk), 0);
    serving.kill();
    disk.free();
    let serving = start();
    home.run_at(&serving, &["upload", &file]).text();
}
