//! Concurrent senders and an admin on one server that is killed, and the checks after its restart.

use std::path::Path;
use std::time::Duration;

use futures_util::future::join_all;

use crate::home::{Home, ServerProcess};
use crate::http_client::Client;
use crate::random::Random;
use crate::reconcile::{Survived, reconcile};
use crate::sender::Sender;
use crate::tokens::Admin;
use crate::transfer_model::{Fact, TransferModel, Trouble};

/// Number of old transfers that each sender checks again after each kill.
const OLD_LOOKED_AT: usize = 2;

/// All users of a store.
pub(crate) struct Users {
    pub(crate) senders: Vec<Sender>,
    admin: Admin,
    token: String,
    /// Counted downloads of forgotten transfers, which stay in the totals.
    past_downloads: usize,
}

impl Users {
    /// Creates `senders` senders with payloads of at most `largest` bytes.
    pub(crate) fn new(random: &mut Random, senders: usize, largest: usize) -> Self {
        let senders = (0..senders).map(|_| Sender::new(random.others(), largest)).collect();
        Self { senders, admin: Admin::new(random.others()), token: String::new(), past_downloads: 0 }
    }

    /// Uses `server` until `kill_after` has passed, then kills it in the middle of its work.
    pub(crate) async fn use_until_killed(&mut self, server: ServerProcess, kill_after: Duration) -> Result<(), String> {
        let client = Client::of(&server, &self.token);
        if self.token.is_empty() {
            self.token = self.admin.make(&client).await.map_err(|trouble| format!("{trouble:?}"))?;
        }
        let client = client.with_token(&self.token);
        let kill = async {
            // The random kill time is the subject of the test; nothing is awaited.
            tokio::time::sleep(kill_after).await;
            server.kill();
        };
        let working = join_all(self.senders.iter_mut().map(|sender| sender.work(&client)));
        let ((), worked, administered) = tokio::join!(kill, working, self.admin.work(&client));
        worked.into_iter().chain([administered]).collect()
    }

    /// Resolves uncertain facts after a kill, for some transfers or for all of them.
    pub(crate) async fn reconcile(
        &mut self,
        server: &ServerProcess,
        survived: Survived,
        every: bool,
    ) -> Result<(), String> {
        let client = Client::of(server, &self.token);
        let each = self.senders.iter_mut().map(async |sender| {
            let Sender { current, old, random, .. } = sender;
            for model in current {
                reconcile(&client, model, survived).await?;
            }
            if every {
                for model in old {
                    reconcile(&client, model, survived).await?;
                }
            } else if !old.is_empty() {
                for _ in 0..OLD_LOOKED_AT {
                    let at = random.within(0..old.len());
                    reconcile(&client, &mut old[at], survived).await?;
                }
            }
            Ok(())
        });
        let mut settled: Vec<Result<(), Trouble>> = join_all(each).await;
        settled.push(self.admin.reconcile(&client).await);
        settled.push(self.check_totals(&client).await);
        settled.into_iter().collect::<Result<(), _>>().map_err(|trouble| match trouble {
            Trouble::Wrong(what) => what,
            Trouble::Lost => "the server exited unexpectedly".to_owned(),
        })
    }

    /// Compares the totals: counters change in the same transaction as the transfers that they count.
    async fn check_totals(&self, client: &Client) -> Result<(), Trouble> {
        let overview = client.admin_get("/stats/overview").await?.json()?;
        let all = || self.all().filter(|model| model.created == Fact::Yes);
        let statuses = ["pending", "completed", "expired", "exhausted", "deleted"];
        let there: u64 = statuses.iter().filter_map(|status| overview["transfers"][status].as_u64()).sum();
        let deleted = overview["transfers"]["deleted"].as_u64();
        let downloads = self.past_downloads + all().map(TransferModel::used).sum::<usize>();
        let model = (all().count() as u64, all().filter(|model| model.deleted == Fact::Yes).count() as u64);
        if (there, deleted, overview["downloads"].as_u64()) == (model.0, Some(model.1), Some(downloads as u64)) {
            return Ok(());
        }
        Err(Trouble::Wrong(format!(
            "expected {model:?} transfers and {downloads} downloads, the server reports {overview}"
        )))
    }

    /// Returns the status of each current transfer, as reported by the server.
    pub(crate) async fn statuses(&self, server: &ServerProcess) -> Vec<String> {
        let client = Client::of(server, &self.token);
        let current = self.senders.iter().flat_map(|sender| &sender.current);
        let look = async |model: &TransferModel| {
            let status = client.get(&model.path("status")).await.and_then(|response| response.json());
            let status = status.expect("a response of the running server");
            format!("{} {} {}", model.id, status["status"], status["download_count"])
        };
        // Transfers near their expiry may end between two checks.
        let ids = current.filter(|model| model.created == Fact::Yes && !model.brief && model.limit.is_some());
        join_all(ids.map(look)).await
    }

    pub(crate) fn all(&self) -> impl Iterator<Item = &TransferModel> {
        self.senders.iter().flat_map(|sender| sender.current.iter().chain(&sender.old))
    }

    /// Forgets all transfers; the store must have removed them too.
    pub(crate) fn forget(&mut self) {
        self.past_downloads += self.all().map(TransferModel::used).sum::<usize>();
        for sender in &mut self.senders {
            sender.current.clear();
            sender.old.clear();
        }
    }

    /// Checks, after all due entries are swept, that no payload of an ended transfer exists.
    pub(crate) fn check_files(&self, store: &Path) {
        let records = rusqlite::Connection::open(store.join("records.sqlite")).expect("a readable database");
        let transfer_of = |payload: &str| -> String {
            let entry = "SELECT key FROM object WHERE key LIKE 'by-payload/' || ?1 || '-%'";
            let key: String = records.query_row(entry, [payload], |row| row.get(0)).unwrap_or_default();
            key.rsplit('-').next().unwrap_or_default().to_owned()
        };
        for file in files(&store.join("payloads")) {
            let name = transfer_of(&file.file_stem().unwrap_or_default().to_string_lossy());
            let model = self.all().find(|model| model.id == name);
            let model = model.unwrap_or_else(|| panic!("{} belongs to no transfer", file.display()));
            assert!(!model.ended(), "{} should have been removed", file.display());
        }
    }
}

/// Returns all files below a folder.
pub(crate) fn files(folder: &Path) -> Vec<std::path::PathBuf> {
    let entries =
        std::fs::read_dir(folder).expect("the folder is there").map(|entry| entry.expect("it is there").path());
    entries.flat_map(|path| if path.is_dir() { files(&path) } else { vec![path] }).collect()
}

/// Panics if a guarantee was broken, with the output of the servers.
pub(crate) fn explain(home: &Home, result: Result<(), String>) {
    if let Err(what) = result {
        let output = home.output();
        let tail = output.char_indices().rev().nth(3_000).map_or(0, |(at, _)| at);
        panic!("{what}\n\nend of the servers' output: {}", &output[tail..]);
    }
}
