//! Both services over one store in the test process. All tests that start servers without a process use them.

use std::net::SocketAddr;
use std::sync::{Arc, Once};
use std::time::Duration;

use sgsend::domain::audit::{ServiceName, WriteMode};
use sgsend::domain::clock::ManualClock;
use sgsend::domain::limits::free_space::MinFreeSpace;
use sgsend::domain::timestamp::Timestamp;
use sgsend::server::{AdminKey, Server, Settings, StorageLocation};
use tempfile::TempDir;
use tokio::net::TcpListener;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use super::{ADMIN_KEY, Api, bucket};

/// Start time of every test: noon UTC.
pub(crate) const START: Timestamp = Timestamp::from_millis(1_767_268_800_000);

/// Configuration of services under test.
pub(crate) struct Service {
    pub(crate) settings: Settings,
    folder: Option<TempDir>,
}

/// Running services, stopped on drop.
pub(crate) struct Started {
    pub(crate) clock: Arc<ManualClock>,
    pub(crate) public: SocketAddr,
    pub(crate) admin: SocketAddr,
    folder: Option<TempDir>,
    settings: Settings,
    client: reqwest::Client,
    stop: CancellationToken,
    running: JoinHandle<()>,
}

impl Service {
    /// Uses the storage of this test run: a bucket if `tests/s3.sh` has started a server, memory otherwise.
    pub(crate) fn any() -> Self {
        Self::over(StorageLocation::Memory, None)
    }

    /// Returns whether [`Service::any`] uses the presigned flow.
    pub(crate) fn is_presigned() -> bool {
        bucket::is_there()
    }

    /// Uses this storage.
    pub(crate) fn at(storage: StorageLocation) -> Self {
        Self::over(storage, None)
    }

    /// Uses a file store in a temporary folder.
    pub(crate) fn on_disk() -> Self {
        let folder = tempfile::tempdir().unwrap();
        Self::over(StorageLocation::File(folder.path().to_owned()), Some(folder))
    }

    /// Returns services over memory and over a file store. With a configured S3 server, returns services over a bucket
    /// only.
    pub(crate) fn each() -> Vec<Self> {
        if bucket::is_there() { vec![Self::any()] } else { vec![Self::any(), Self::on_disk()] }
    }

    fn over(storage: StorageLocation, folder: Option<TempDir>) -> Self {
        let mut settings = Settings::new(storage);
        settings.audit = WriteMode::Immediate;
        // Test results must not depend on this machine's free disk space.
        settings.min_free = MinFreeSpace::Bytes(0);
        settings.admin_key = Some(AdminKey::new(ADMIN_KEY).unwrap());
        Self { settings, folder }
    }

    /// Changes the settings.
    pub(crate) fn with(mut self, change: impl FnOnce(&mut Settings)) -> Self {
        change(&mut self.settings);
        self
    }

    /// Starts both services.
    pub(crate) async fn start(self) -> Started {
        Box::pin(self.start_at(START)).await
    }

    /// Starts both services at this time.
    pub(crate) async fn start_at(mut self, now: Timestamp) -> Started {
        if bucket::is_there() && self.settings.storage == StorageLocation::Memory {
            self.settings.storage = StorageLocation::S3(bucket::fresh().await);
        }
        let clock = Arc::new(ManualClock::at(now));
        Box::pin(start(self.settings, self.folder, clock)).await
    }
}

async fn start(settings: Settings, folder: Option<TempDir>, clock: Arc<ManualClock>) -> Started {
    show_log();
    let public = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let admin = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let addresses = (public.local_addr().unwrap(), admin.local_addr().unwrap());
    let server = Box::pin(Server::open(settings.clone(), clock.clone())).await.unwrap();
    let stop = CancellationToken::new();
    let listeners = vec![(ServiceName::Public, public.into()), (ServiceName::Admin, admin.into())];
    let stopped = stop.clone();
    let running = tokio::spawn(async move { server.run(listeners, stopped).await.unwrap() });
    let client = reqwest::Client::builder().no_proxy().redirect(reqwest::redirect::Policy::none()).build().unwrap();
    Started { client, clock, public: addresses.0, admin: addresses.1, folder, settings, stop, running }
}

/// Adds warnings and errors of the services to the output of the test, which is shown if it fails.
///
/// A response does not say why the storage is unavailable; the log does.
fn show_log() {
    static SHOWN: Once = Once::new();
    SHOWN.call_once(|| {
        tracing_subscriber::fmt().with_max_level(tracing::Level::WARN).with_ansi(false).with_test_writer().init();
    });
}

impl Started {
    /// Returns a client of the public service, without a token.
    pub(crate) fn public(&self) -> Api {
        Api::new(ServiceName::Public, self.public, self.client.clone())
    }

    /// Returns a client of the admin service, with the admin key.
    pub(crate) fn admin(&self) -> Api {
        self.admin_without_key().with_header("x-api-key", ADMIN_KEY)
    }

    /// Returns a client of the admin service, without the admin key.
    pub(crate) fn admin_without_key(&self) -> Api {
        Api::new(ServiceName::Admin, self.admin, self.client.clone())
    }

    /// Creates a sender token, and returns a client of the public service with the token.
    pub(crate) async fn sender(&self) -> Api {
        let created = self.admin().post("/tokens/create").json(r#"{"name":"press office"}"#).send().await;
        assert_eq!(created.status, 201, "{created:?}");
        self.public().with_header("authorization", &format!("Bearer {}", created.text("token")))
    }

    /// Advances the clock.
    pub(crate) fn advance_clock(&self, by: Duration) {
        self.clock.advance(by);
    }

    /// Returns the folder of the file store.
    pub(crate) fn folder(&self) -> &std::path::Path {
        self.folder.as_ref().expect("a store on disk").path()
    }

    /// Returns the file of the finished payload of a transfer.
    #[allow(dead_code, reason = "not used by all test binaries that have this module")]
    pub(crate) fn payload_file(&self, transfer: &str) -> std::path::PathBuf {
        payload_file(self.folder(), transfer)
    }

    /// Returns the settings, for a second process over the same store.
    #[allow(dead_code, reason = "not used by all test binaries that have this module")]
    pub(crate) fn settings(&self) -> Settings {
        self.settings.clone()
    }

    /// Shuts the services down gracefully.
    pub(crate) async fn stop(mut self) -> (Settings, Option<TempDir>, Arc<ManualClock>) {
        self.stop.cancel();
        (&mut self.running).await.unwrap();
        (self.settings.clone(), self.folder.take(), self.clock.clone())
    }

    /// Stops the services and starts them again over the same store.
    pub(crate) async fn restart(self) -> Self {
        let (settings, folder, clock) = self.stop().await;
        start(settings, folder, clock).await
    }
}

impl Drop for Started {
    fn drop(&mut self) {
        self.stop.cancel();
    }
}

/// Returns the file of the finished payload of a transfer in the store at `folder`.
#[allow(dead_code, reason = "not used by all test binaries that have this module")]
pub(crate) fn payload_file(folder: &std::path::Path, transfer: &str) -> std::path::PathBuf {
    let records = rusqlite::Connection::open(folder.join("records.sqlite")).unwrap();
    let entry = "SELECT key FROM object WHERE key LIKE 'by-payload/%-' || ?1";
    let key: String = records.query_row(entry, [transfer], |row| row.get(0)).unwrap();
    let payload = key.split(['/', '-']).nth(2).unwrap();
    folder.join(format!("payloads/{}/{payload}.enc", &payload[1..3]))
}
