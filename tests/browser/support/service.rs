//! A running service, with a sender who has a token for it.

use serde_json::Value;
use sgsend::domain::link::Link;

use super::bucket;
use super::open_bucket::open_bucket;
use super::process::{Home, Said, Serving};

/// Both services in a process of their own, and the home of its sender and operator.
pub(crate) struct Service {
    pub(crate) home: Home,
    pub(crate) serving: Serving,
    pub(crate) token: String,
}

impl Service {
    /// Over the store that this run is about.
    pub(crate) fn start() -> Self {
        Self::with(&[])
    }

    /// The same with these arguments besides.
    pub(crate) fn with(arguments: &[&str]) -> Self {
        let storage = if bucket::is_there() { open_bucket().to_string() } else { "memory:".to_owned() };
        Self::over(&storage, arguments)
    }

    /// Over this store.
    pub(crate) fn over(storage: &str, arguments: &[&str]) -> Self {
        let home = Home::new();
        let serving = home.serve(&[&["--storage", storage], arguments].concat());
        Self::of(home, serving)
    }

    /// Over a store in a folder, so that all goes through the service.
    pub(crate) fn on_disk() -> Self {
        let home = Home::new();
        let storage = format!("file:{}", home.path().join("store").display());
        let serving = home.serve(&["--storage", &storage]);
        Self::of(home, serving)
    }

    /// The folder of the store, where there is one.
    pub(crate) fn store(&self) -> std::path::PathBuf {
        self.home.path().join("store")
    }

    /// What already runs, with what its operator has in this home.
    pub(crate) fn of(home: Home, serving: Serving) -> Self {
        home.log_in(&serving);
        let token = home.run_at(&serving, &["token", "create", "browser"]).text();
        Self { home, serving, token }
    }

    /// Where its page for senders is.
    pub(crate) fn page(&self) -> String {
        format!("{}/", self.serving.public)
    }

    /// Where its page for operators is.
    pub(crate) fn admin_page(&self) -> String {
        format!("{}/", self.serving.admin)
    }

    /// The key that its operator has: given, or made at its first start.
    pub(crate) fn admin_key(&self) -> String {
        let made = || std::fs::read_to_string(self.home.path().join(".config/sgsend/admin-key")).unwrap();
        self.serving.admin_key().map_or_else(made, str::to_owned).trim().to_owned()
    }

    /// Runs the command against it, with the operator's key and a sender token, which is not that of the page.
    pub(crate) fn run(&self, arguments: &[&str]) -> Said {
        self.home.run_at(&self.serving, arguments)
    }

    /// Sends a file with the command; gives its link.
    pub(crate) fn upload(&self, name: &str, content: &[u8], arguments: &[&str]) -> String {
        let path = self.home.file(name, content);
        let link = self.run(&[&["upload", &path], arguments].concat()).text();
        std::fs::remove_file(path).unwrap();
        link
    }

    /// Fetches with the command what is behind a link.
    pub(crate) fn download(&self, link: &str, arguments: &[&str]) -> Vec<u8> {
        let said = self.home.run(&[&["download", link, "-o", "-"], arguments].concat());
        assert_eq!(said.exit, 0, "{}", said.stderr);
        said.stdout
    }

    /// What everybody can see of the transfer behind a link.
    pub(crate) async fn status(&self, link: &str) -> Value {
        let link: Link = link.parse().unwrap();
        let url = format!("{}/transfers/id/{}/status", self.serving.public, link.transfer_id);
        let client = reqwest::Client::builder().no_proxy().build().unwrap();
        serde_json::from_slice(&client.get(url).send().await.unwrap().bytes().await.unwrap()).unwrap()
    }

    /// How many downloads were counted.
    pub(crate) async fn downloads(&self, link: &str) -> u64 {
        self.status(link).await["download_count"].as_u64().unwrap()
    }
}
