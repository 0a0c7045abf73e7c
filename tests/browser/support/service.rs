//! A running service, with a sender token.

use serde_json::Value;
use sgsend::domain::link::Link;

use super::bucket;
use super::home::{FinishedCommand, Home};
use super::open_bucket::open_bucket;
use super::server_process::{ServerProcess, Serving};

/// Both services, and a home for sender and operator.
pub(crate) struct Service<S = ServerProcess> {
    pub(crate) home: Home,
    pub(crate) serving: S,
    pub(crate) token: String,
}

impl Service {
    /// Starts a service over the storage of this test run.
    pub(crate) fn start() -> Self {
        Self::with(&[])
    }

    /// Starts a service over the storage of this test run, with additional arguments.
    pub(crate) fn with(arguments: &[&str]) -> Self {
        let storage = if bucket::is_there() { open_bucket().to_string() } else { "memory:".to_owned() };
        Self::over(&storage, arguments)
    }

    /// Starts a service over this storage.
    pub(crate) fn over(storage: &str, arguments: &[&str]) -> Self {
        let home = Home::new();
        let serving = home.serve(&[&["--storage", storage], arguments].concat());
        Self::of(home, serving)
    }

    /// Starts a service over a file store, which uses the bytes flow only.
    pub(crate) fn on_disk() -> Self {
        Self::on_disk_with(&[])
    }

    /// Starts a service over a file store, with additional arguments.
    pub(crate) fn on_disk_with(arguments: &[&str]) -> Self {
        let home = Home::new();
        let storage = format!("file:{}", home.path().join("store").display());
        let serving = home.serve(&[&["--storage", &storage], arguments].concat());
        Self::of(home, serving)
    }

    /// Returns the folder of the file store.
    pub(crate) fn store(&self) -> std::path::PathBuf {
        self.home.path().join("store")
    }
}

impl<S: Serving> Service<S> {
    /// Wraps running services, and logs their operator in.
    pub(crate) fn of(home: Home, serving: S) -> Self {
        home.log_in(&serving);
        let token = home.run_at(&serving, &["token", "create", "browser"]).text();
        Self { home, serving, token }
    }

    /// Returns the URL of the send page.
    pub(crate) fn page(&self) -> String {
        format!("{}/", self.serving.public())
    }

    /// Returns the URL of the admin page.
    pub(crate) fn admin_page(&self) -> String {
        format!("{}/", self.serving.admin())
    }

    /// Returns the admin key: the configured key, or the generated key.
    pub(crate) fn admin_key(&self) -> String {
        let read_admin_key = || std::fs::read_to_string(self.home.path().join(".config/sgsend/admin-key")).unwrap();
        self.serving.admin_key().map_or_else(read_admin_key, str::to_owned).trim().to_owned()
    }

    /// Runs the command with the admin key and a sender token other than the page's.
    pub(crate) fn run(&self, arguments: &[&str]) -> FinishedCommand {
        self.home.run_at(&self.serving, arguments)
    }

    /// Uploads a file with the command; returns its link.
    pub(crate) fn upload(&self, name: &str, content: &[u8], arguments: &[&str]) -> String {
        let path = self.home.file(name, content);
        let link = self.run(&[&["upload", &path], arguments].concat()).text();
        std::fs::remove_file(path).unwrap();
        link
    }

    /// Downloads a link with the command.
    pub(crate) fn download(&self, link: &str, arguments: &[&str]) -> Vec<u8> {
        let finished = self.run(&[&["download", link, "-o", "-"], arguments].concat());
        assert_eq!(finished.exit, 0, "{}", finished.stderr);
        finished.stdout
    }

    /// Returns the public status of the transfer of a link.
    pub(crate) async fn status(&self, link: &str) -> Value {
        let link: Link = link.parse().unwrap();
        let url = format!("{}/transfers/id/{}/status", self.serving.public(), link.transfer_id);
        let client = reqwest::Client::builder().no_proxy().build().unwrap();
        serde_json::from_slice(&client.get(url).send().await.unwrap().bytes().await.unwrap()).unwrap()
    }

    /// Returns the download counter.
    pub(crate) async fn downloads(&self, link: &str) -> u64 {
        self.status(link).await["download_count"].as_u64().unwrap()
    }
}
