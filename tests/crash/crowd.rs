//! Senders and an admin who use a server at once, until it is killed; and what they find when it is back.

use std::path::Path;
use std::time::Duration;

use futures_util::future::join_all;

use crate::dice::Dice;
use crate::known::{Fact, Known, Trouble};
use crate::sender::Sender;
use crate::server::{Home, Server};
use crate::settle::{Survived, settle};
use crate::tokens::Admin;
use crate::wire::Client;

/// How many old transfers are looked at again by each sender after each kill.
const OLD_LOOKED_AT: usize = 2;

/// Everybody who uses a store.
pub(crate) struct Crowd {
    pub(crate) senders: Vec<Sender>,
    admin: Admin,
    token: String,
    /// Downloads of transfers that are forgotten: they stay in the totals.
    past_downloads: usize,
}

impl Crowd {
    /// So many senders of payloads that are at most so large.
    pub(crate) fn new(dice: &mut Dice, senders: usize, largest: usize) -> Self {
        let senders = (0..senders).map(|_| Sender::new(dice.others(), largest)).collect();
        Self { senders, admin: Admin::new(dice.others()), token: String::new(), past_downloads: 0 }
    }

    /// Uses `server` for so long, then kills it in the middle of whatever it does.
    pub(crate) async fn use_until_killed(&mut self, server: Server, kill_after: Duration) -> Result<(), String> {
        let client = Client::of(&server, &self.token);
        if self.token.is_empty() {
            self.token = self.admin.make(&client).await.map_err(|trouble| format!("{trouble:?}"))?;
        }
        let client = client.with_token(&self.token);
        let kill = async {
            // When it happens is what this is about; nothing waits for it.
            tokio::time::sleep(kill_after).await;
            server.kill();
        };
        let working = join_all(self.senders.iter_mut().map(|sender| sender.work(&client)));
        let ((), worked, administered) = tokio::join!(kill, working, self.admin.work(&client));
        worked.into_iter().chain([administered]).collect()
    }

    /// Settles what is in doubt after a kill, of some transfers or of every one.
    pub(crate) async fn settle(&mut self, server: &Server, survived: Survived, every: bool) -> Result<(), String> {
        let client = Client::of(server, &self.token);
        let each = self.senders.iter_mut().map(async |sender| {
            let Sender { current, old, dice, .. } = sender;
            for known in current {
                settle(&client, known, survived).await?;
            }
            if every {
                for known in old {
                    settle(&client, known, survived).await?;
                }
            } else if !old.is_empty() {
                for _ in 0..OLD_LOOKED_AT {
                    let at = dice.within(0..old.len());
                    settle(&client, &mut old[at], survived).await?;
                }
            }
            Ok(())
        });
        let mut settled: Vec<Result<(), Trouble>> = join_all(each).await;
        settled.push(self.admin.settle(&client).await);
        settled.push(self.check_totals(&client).await);
        settled.into_iter().collect::<Result<(), _>>().map_err(|trouble| match trouble {
            Trouble::Wrong(what) => what,
            Trouble::Lost => "the server does not stay".to_owned(),
        })
    }

    /// The counters are of the same transaction as what they count.
    async fn check_totals(&self, client: &Client) -> Result<(), Trouble> {
        let overview = client.admin_get("/stats/overview").await?.json()?;
        let all = || self.all().filter(|known| known.created == Fact::Yes);
        let statuses = ["pending", "completed", "expired", "exhausted", "deleted"];
        let there: u64 = statuses.iter().filter_map(|status| overview["transfers"][status].as_u64()).sum();
        let deleted = overview["transfers"]["deleted"].as_u64();
        let downloads = self.past_downloads + all().map(Known::used).sum::<usize>();
        let known = (all().count() as u64, all().filter(|known| known.deleted == Fact::Yes).count() as u64);
        if (there, deleted, overview["downloads"].as_u64()) == (known.0, Some(known.1), Some(downloads as u64)) {
            return Ok(());
        }
        Err(Trouble::Wrong(format!("{known:?} transfers and {downloads} downloads are known, {overview} are told")))
    }

    /// Where each transfer stands that goes on, as the server says it.
    pub(crate) async fn look(&self, server: &Server) -> Vec<String> {
        let client = Client::of(server, &self.token);
        let current = self.senders.iter().flat_map(|sender| &sender.current);
        let look = async |known: &Known| {
            let status = client.get(&known.path("status")).await.and_then(|answer| answer.json());
            let status = status.expect("the server stays");
            format!("{} {} {}", known.id, status["status"], status["download_count"])
        };
        // Those whose expiry is near may end between two looks.
        let ids = current.filter(|known| known.created == Fact::Yes && !known.brief && known.limit.is_some());
        join_all(ids.map(look)).await
    }

    pub(crate) fn all(&self) -> impl Iterator<Item = &Known> {
        self.senders.iter().flat_map(|sender| sender.current.iter().chain(&sender.old))
    }

    /// Forgets every transfer: the store is to have forgotten them too.
    pub(crate) fn forget(&mut self) {
        self.past_downloads += self.all().map(Known::used).sum::<usize>();
        for sender in &mut self.senders {
            sender.current.clear();
            sender.old.clear();
        }
    }

    /// Checks, once everything was swept that was due, that no payload is left whose transfer has ended.
    pub(crate) fn check_files(&self, store: &Path) {
        for file in files(&store.join("payloads")) {
            let name = file.file_stem().unwrap_or_default().to_string_lossy().into_owned();
            let known = self.all().find(|known| known.id == name);
            let known = known.unwrap_or_else(|| panic!("{} belongs to nothing", file.display()));
            assert!(!known.ended(), "{} was to be removed", file.display());
        }
    }
}

/// Every file below a folder.
pub(crate) fn files(folder: &Path) -> Vec<std::path::PathBuf> {
    let entries =
        std::fs::read_dir(folder).expect("the folder is there").map(|entry| entry.expect("it is there").path());
    entries.flat_map(|path| if path.is_dir() { files(&path) } else { vec![path] }).collect()
}

/// Fails where a promise was broken, with what the servers said.
pub(crate) fn explain(home: &Home, result: Result<(), String>) {
    if let Err(what) = result {
        let said = home.said();
        let tail = said.char_indices().rev().nth(3_000).map_or(0, |(at, _)| at);
        panic!("{what}\n\nthe servers said, in the end: {}", &said[tail..]);
    }
}
