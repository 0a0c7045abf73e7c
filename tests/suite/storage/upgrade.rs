//! Stores of earlier versions: opened, upgraded in place, used, and checked.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use serde_json::Value;
use sgsend::domain::timestamp::Timestamp;
use sgsend::server::StorageLocation;

use crate::api::links::TestLink;
use crate::support::{Home, Service, Started};

/// Content of every file in a fixture.
const CONTENT: &str = "content of the fixture\n";

/// Store of an earlier version, unpacked.
struct Fixture {
    folder: PathBuf,
    facts: Value,
}

impl Fixture {
    /// Unpacks the archive `name` into a new folder of `home`.
    fn unpack(home: &Home, name: &str) -> Self {
        let folder = home.path().join(name);
        std::fs::create_dir(&folder).unwrap();
        let archive = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("tests/suite/storage/fixtures/{name}.tar.gz"));
        let unpacked = Command::new("tar").arg("-xzf").arg(archive).arg("-C").arg(&folder).status().unwrap();
        assert!(unpacked.success());
        let facts = serde_json::from_slice(&std::fs::read(folder.join("fixture.json")).unwrap()).unwrap();
        std::fs::remove_file(folder.join("fixture.json")).unwrap();
        Self { folder, facts }
    }

    fn fact(&self, name: &str) -> &str {
        self.facts[name].as_str().unwrap()
    }

    /// Returns the id in the link `name`.
    fn id(&self, name: &str) -> String {
        self.fact(name).split_once("/d/").unwrap().1[..32].to_owned()
    }

    /// Returns the link `name` with the address of the running service.
    fn link(&self, name: &str, service: &Started) -> String {
        format!("http://{}/d/{}", service.public, self.fact(name).split_once("/d/").unwrap().1)
    }

    fn location(&self) -> StorageLocation {
        StorageLocation::File(self.folder.clone())
    }

    fn header(&self) -> Value {
        let records = rusqlite::Connection::open(self.folder.join("records.sqlite")).unwrap();
        let header: Vec<u8> =
            records.query_row("SELECT value FROM object WHERE key = 'store.json'", [], |row| row.get(0)).unwrap();
        serde_json::from_slice(&header).unwrap()
    }
}

async fn is_consistent(fixture: &Fixture) {
    let report = fixture.location().check().await.unwrap();
    assert_eq!(report.findings, [], "{}", fixture.folder.display());
}

/// Downloads the link `name` with the command; returns its content.
async fn download(home: &Home, link: String, arguments: &[&str]) -> String {
    let arguments: Vec<_> = ["download", &link, "--output", "-"].iter().chain(arguments).copied().collect();
    let mut command = home.sgsend(&arguments);
    let output = tokio::task::spawn_blocking(move || command.output().unwrap()).await.unwrap();
    assert!(output.status.success(), "{link}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

async fn upgrade_and_use(name: &str) {
    let home = Home::new();
    let fixture = Fixture::unpack(&home, name);
    is_consistent(&fixture).await;
    let made_at = Timestamp::from_millis(fixture.facts["made_at_ms"].as_u64().unwrap());
    let service = Service::at(fixture.location()).start_at(made_at.plus(Duration::from_mins(1))).await;
    let header = fixture.header();
    assert_eq!((&header["v"], &header["transfers_indexed"]), (&4.into(), &true.into()), "{header}");
    assert!(header["store_id"].is_string() && header["retain_reads_s"].is_number(), "{header}");
    let sender = service.public().with_header("authorization", &format!("Bearer {}", fixture.fact("token")));

    assert_eq!(download(&home, fixture.link("unlimited", &service), &[]).await, CONTENT);
    let passphrase = home.file("passphrase", b"a passphrase of the fixture");
    let secret = download(&home, fixture.link("secret", &service), &["--passphrase-file", &passphrase]).await;
    assert_eq!(secret, CONTENT);
    assert_eq!(sender.status(&fixture.id("two")).await.number("download_count"), 1);
    assert_eq!(download(&home, fixture.link("two", &service), &[]).await, CONTENT);
    for (name, status) in [("two", "exhausted"), ("once", "exhausted"), ("deleted", "deleted"), ("secret", "completed")]
    {
        assert_eq!(sender.status(&fixture.id(name)).await.text("status"), status, "{name}");
    }
    // A pending upload goes on, and a new transfer is possible. As after any restart of the system, bytes that may not
    // have been on disk are sent again.
    let pending = fixture.fact("pending");
    let upload = sender.post(&format!("/transfers/id/{pending}/payload/upload-bytes"));
    assert_eq!(upload.bytes(&[b'd'; 100]).send().await.status, 200);
    let completed = sender.post(&format!("/transfers/id/{pending}/upload/complete")).json("{}").send().await;
    assert_eq!(completed.status, 200, "{completed:?}");
    sender.send_payload(b"of today", "").await;
    // Transfers of then take further links.
    TestLink::of(&sender, &fixture.id("secret"), "").await;
    let audit = service.admin().get(&format!("/audit/transfers/id/{}/all", fixture.id("deleted"))).send().await;
    assert!(audit.items().len() > 4, "{audit:?}");
    // All transfers are listed, and the use of their tokens is counted.
    let admin = service.admin();
    let listed = admin.get("/transfers/list?limit=1000").send().await.items();
    for name in ["unlimited", "secret", "two", "once", "deleted"] {
        assert!(listed.iter().any(|item| item["transfer_id"] == fixture.id(name)), "{name} is not listed");
    }
    for token in admin.get("/tokens/list").send().await.items() {
        let of_token = |item: &&Value| item["token_id"] == token["token_id"];
        let own: Vec<_> = listed.iter().filter(of_token).collect();
        assert!(token["transfers_created"].as_u64().unwrap() >= own.len() as u64, "{token}");
        let held = own.iter().filter(|item| item["payload_stored"] == true);
        let held: u64 = held.map(|item| item["size_bytes"].as_u64().unwrap()).sum();
        assert_eq!(token["bytes_held"], held, "{token}");
    }
    drop(service.stop().await);
    is_consistent(&fixture).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_store_of_the_first_version_is_upgraded_in_place() {
    Box::pin(upgrade_and_use("layout-1-first")).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_store_of_the_last_version_of_layout_1_is_upgraded_in_place() {
    Box::pin(upgrade_and_use("layout-1-last")).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_store_of_layout_2_is_upgraded_in_place() {
    Box::pin(upgrade_and_use("layout-2")).await;
    Box::pin(upgrade_and_use("layout-2-last")).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_store_of_layout_3_is_upgraded_in_place() {
    Box::pin(upgrade_and_use("layout-3-last")).await;
}
