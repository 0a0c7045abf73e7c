//! The measured work, on services over a store in memory.

use std::cell::Cell;
use std::fs::File;
use std::io::Write;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use sgsend::client::upload::{self, StateFileLocation, Upload, UploadSource};
use sgsend::client::{
    AdminApi, AdminSecret, Api, BoundAdminKey, FlowChoice, Interrupt, NoProgress, Origin, RetryPolicy, SenderToken,
    TransportOptions,
};
use sgsend::domain::audit::ServiceName;
use sgsend::domain::base_url::BaseUrl;
use sgsend::domain::clock::ManualClock;
use sgsend::domain::crypto::envelope::Metadata;
use sgsend::domain::crypto::key::PayloadKey;
use sgsend::domain::crypto::padding::Padding;
use sgsend::domain::crypto::sealed::{SEGMENT_PLAINTEXT_SIZE, Sealer};
use sgsend::domain::id::TransferId;
use sgsend::domain::timestamp::Timestamp;
use sgsend::domain::wire::{CreateToken, CreateTransfer, Health, OwnLinkChoice};
use sgsend::server::{AdminKey, Server, Settings, StorageLocation};
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

/// Admin key of the measured service.
const ADMIN_KEY: &str = "an admin key of at least 32 characters";
/// Content size of an upload, in bytes.
const UPLOAD_SIZE: usize = 1_000;
/// Number of sealed segments of 1 MiB.
const SEGMENTS: u32 = 4;
/// Time of the services: noon UTC on 1 January 2026. The clock stands still.
const NOW: Timestamp = Timestamp::from_millis(1_767_268_800_000);

/// Services with a sender, and what is measured on them.
pub(crate) struct Work {
    api: Api,
    health: Health,
    content: File,
    status_of: TransferId,
    created: Cell<usize>,
    plaintext: Vec<u8>,
    sealer: Sealer,
    _stop: CancellationToken,
}

impl Work {
    /// Starts both services, and creates a token and a transfer.
    pub(crate) async fn start() -> Self {
        let (public, public_url) = listen().await;
        let (admin, admin_url) = listen().await;
        let mut settings = Settings::new(StorageLocation::Memory);
        settings.admin_key = Some(AdminKey::new(ADMIN_KEY).expect("the key is long enough"));
        let server = Box::pin(Server::open(settings, Arc::new(ManualClock::at(NOW)))).await;
        let server = server.expect("a store in memory opens");
        let listeners = vec![(ServiceName::Public, public.into()), (ServiceName::Admin, admin.into())];
        let stop = CancellationToken::new();
        tokio::spawn(server.run(listeners, stop.clone()));
        // Under callgrind, everything takes a hundred times as long.
        let options = TransportOptions { call_timeout: Duration::from_hours(1), ..TransportOptions::default() };
        let token = create_token(&admin_url, Origin::from(&public_url), &options).await;
        let api = Api::new(public_url, Some(Arc::new(token)), &options).expect("loopback needs no TLS");
        let mut content = tempfile::tempfile().expect("the temporary folder is writable");
        content.write_all(&[7; UPLOAD_SIZE]).expect("the disk has space");
        let health = api.health().await.expect("the service runs");
        let status_of = api.create(&new_transfer()).await.expect("the token is valid").transfer_id;
        Self {
            api,
            health,
            content,
            status_of,
            created: Cell::new(0),
            plaintext: vec![7; SEGMENT_PLAINTEXT_SIZE],
            sealer: Sealer::new(&PayloadKey::random()),
            _stop: stop,
        }
    }

    /// Uploads a file of 1 kB, and returns when its transfer is complete.
    pub(crate) async fn upload(&self) {
        let source = UploadSource::of(self.content.try_clone().expect("the file is open")).expect("a regular file");
        let metadata = Metadata {
            filename: "measured.bin".to_owned(),
            size: source.size(),
            content_type: None,
            modified_ms: None,
            archive: None,
            mode: None,
            signed: false,
        };
        let upload = Upload {
            source,
            metadata,
            message: None,
            padding: Padding::Padme,
            passphrase: None,
            expires: None,
            max_downloads: None,
            links: Vec::new(),
            recipients: Vec::new(),
            signer: None,
            notify: None,
            request: None,
            state: StateFileLocation::Disabled,
            unfinished: None,
            flow: FlowChoice::Auto,
            link_server: None,
        };
        upload::check(&self.api, &upload, &self.health).expect("the upload is within the limits");
        let retry = RetryPolicy::new(Duration::from_hours(1));
        // Raised by nobody.
        let (_raise, interrupt) = Interrupt::new();
        let uploaded = Box::pin(upload::run(&self.api, upload, retry, Arc::new(NoProgress), interrupt)).await;
        assert_eq!(uploaded.expect("the upload succeeds").content_bytes, UPLOAD_SIZE as u64);
    }

    /// Seals 4 MiB in one thread.
    pub(crate) fn seal(&self) {
        for index in 0..SEGMENTS {
            let mut segment = Sealer::buffer(index);
            let length = SEGMENT_PLAINTEXT_SIZE - segment.len();
            segment.extend_from_slice(&self.plaintext[..length]);
            self.sealer.seal(index, index == SEGMENTS - 1, &mut segment);
        }
    }

    /// Requests the status of a transfer.
    pub(crate) async fn status(&self) {
        self.api.status(self.status_of, None).await.expect("the transfer exists");
    }

    /// Creates a transfer.
    pub(crate) async fn create(&self) {
        self.api.create(&new_transfer()).await.expect("the token is valid");
        self.created.set(self.created.get() + 1);
    }

    /// Returns the number of created transfers.
    pub(crate) fn created(&self) -> usize {
        self.created.get()
    }
}

/// Returns a listener on a free port of loopback, and its URL.
async fn listen() -> (TcpListener, BaseUrl) {
    let listener = TcpListener::bind(SocketAddr::from(([127, 0, 0, 1], 0))).await.expect("loopback has a free port");
    let url = format!("http://{}", listener.local_addr().expect("the listener is bound"));
    (listener, url.parse().expect("an address is a valid URL"))
}

/// Creates a token for the public service at `public`.
async fn create_token(admin: &BaseUrl, public: Origin, options: &TransportOptions) -> SenderToken {
    let header = "x-api-key".parse().expect("a valid header name");
    let key = BoundAdminKey::new(Origin::from(admin), AdminSecret { header, key: ADMIN_KEY.to_owned().into() });
    let api = AdminApi::new(admin.clone(), Arc::new(key), options).expect("loopback needs no TLS");
    let token = CreateToken {
        name: "measured".to_owned(),
        expires_in_s: None,
        max_transfers: None,
        max_total_bytes: None,
        notifications: None,
    };
    let created = api.create_token(&token).await.expect("the admin key is right");
    SenderToken::new(public, created.token.parse().expect("a created token is valid"))
}

fn new_transfer() -> CreateTransfer {
    CreateTransfer {
        size_bytes: 4_096,
        expires_in_s: None,
        max_downloads: None,
        access_sha256: None,
        access_from_passphrase: true,
        own_link: OwnLinkChoice::Open,
        idempotency_key: None,
        notify: None,
    }
}
