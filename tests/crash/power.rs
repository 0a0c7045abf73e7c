//! Power loss: unsynced data is on disk partially, torn, or not at all.

use std::fs;
use std::path::PathBuf;
use std::time::Instant;

use crate::disk::Disk;
use crate::home::Home;
use crate::journal;
use crate::kills::MINUTES_LATER_S;
use crate::ld_preload;
use crate::random::{Random, rounds};
use crate::reconcile::Survived;
use crate::users::{Users, explain};

/// Default number of power losses, to keep `cargo test` short.
const USUALLY: usize = 5;

/// Number of power losses per machine.
const MACHINE: usize = 10;

/// Maximum number of comparisons between state seen before and after a power loss.
const LOOKS: usize = 20;

/// Number of power losses that suffice to lose data without syncs.
const UNSYNCED: usize = 60;

/// A machine with a simulated disk.
struct Machine {
    home: Home,
    disk: PathBuf,
    journal: PathBuf,
    /// Preload library that advances the sweeper's clock.
    clock: PathBuf,
    sure: Disk,
}

impl Machine {
    fn new(arguments: &[&'static str]) -> Option<Self> {
        let mut home = Home::new().with_argument(arguments);
        let (disk, journal) = (home.path().join("disk"), home.path().join("journal"));
        let library = ld_preload::compiled("powerloss.c", &home.path())?;
        let clock = ld_preload::compiled("clock_offset.c", &home.path())?;
        fs::create_dir(&disk).unwrap();
        home.set("LD_PRELOAD", &library);
        home.set("SGSEND_TEST_DISK", &disk);
        home.set("SGSEND_TEST_JOURNAL", &journal);
        let sure = Disk::scan(&disk);
        let mut machine = Self { home, disk, journal, clock, sure };
        // A regular stop leaves nothing that the journal lacks. A change that it cannot see fails here, each time.
        machine.home.serve().terminate();
        machine.follow(0);
        Some(machine)
    }

    /// Uses the machine until the power loss; before, processes may be killed and restarted.
    async fn live(&mut self, users: &mut Users, random: &mut Random) -> Result<(), String> {
        let mut survived = Survived::PowerLoss;
        for _ in 0..random.within(1..4) {
            let server = self.home.serve();
            users.reconcile(&server, survived, false).await?;
            users.use_until_killed(server, random.millis_below(300)).await?;
            self.follow(1);
            if random.percent(40) {
                assert!(self.home.sweep(&self.clock, MINUTES_LATER_S).ends_well(), "{}", self.home.output());
                self.follow(0);
            }
            survived = Survived::Kill;
        }
        self.lose_power(random);
        Ok(())
    }

    /// Applies the journal, which may lack at most `unacknowledged` operations.
    fn follow(&mut self, unacknowledged: usize) {
        self.sure.follow(journal::read(&self.journal));
        fs::remove_file(&self.journal).unwrap();
        let found = self.sure.adopt();
        assert!(found <= unacknowledged, "the journal lacks {found} operations");
    }

    fn lose_power(&mut self, random: &mut Random) {
        let durable = self.home.path().join("left");
        self.sure.write_after_loss(&durable, random);
        fs::remove_dir_all(&self.disk).unwrap();
        fs::rename(durable, &self.disk).unwrap();
        // The boot ID changes with a reboot; here, the test overwrites the stored ID instead.
        let mark = self.home.store().join("last-boot");
        if mark.exists() {
            fs::write(mark, "an earlier run").unwrap();
        }
        self.sure = Disk::scan(&self.disk);
    }

    /// Checks that removed payloads don't reappear after all due entries are swept.
    async fn check_payloads(&self, users: &mut Users) {
        assert!(self.home.sweep(&self.clock, MINUTES_LATER_S).ends_well(), "{}", self.home.output());
        let server = self.home.serve();
        explain(&self.home, users.reconcile(&server, Survived::Kill, true).await);
        users.check_files(&self.home.store());
    }

    /// Checks the integrity of a copy of the database before a server opens the original.
    fn check_database(&self) {
        let copy = self.home.path().join("copy");
        fs::create_dir(&copy).unwrap();
        let store = self.home.store();
        for name in ["records.sqlite", "records.sqlite-wal"].into_iter().filter(|name| store.join(name).exists()) {
            fs::copy(store.join(name), copy.join(name)).unwrap();
        }
        let records = rusqlite::Connection::open(copy.join("records.sqlite")).unwrap();
        let checked: String = records.query_row("PRAGMA integrity_check", [], |row| row.get(0)).unwrap();
        assert_eq!(checked, "ok");
        fs::remove_dir_all(copy).unwrap();
    }
}

fn users(random: &mut Random) -> Users {
    let mut users = Users::new(random, 4, 1_000_000);
    // More than a power loss may lose.
    users.senders[0].largest = 24_000_000;
    users
}

#[tokio::test(flavor = "multi_thread")]
async fn acknowledged_changes_survive_power_loss() {
    let mut random = Random::of_this_run("power losses");
    let (started, losses) = (Instant::now(), rounds("SGSEND_POWER_LOSSES", USUALLY));
    let mut remaining = losses;
    while remaining > 0 {
        let Some(mut machine) = Machine::new(&[]) else { return };
        let mut users = users(&mut random);
        for _ in 0..remaining.min(MACHINE) {
            let lived = machine.live(&mut users, &mut random).await;
            explain(&machine.home, lived);
            if random.percent(50) {
                machine.check_database();
            }
        }
        let server = machine.home.serve();
        explain(&machine.home, users.reconcile(&server, Survived::PowerLoss, true).await);
        server.terminate();
        machine.follow(0);
        machine.check_payloads(&mut users).await;
        remaining = remaining.saturating_sub(MACHINE);
    }
    println!("{losses} power losses in {:.1} s", started.elapsed().as_secs_f64());
}

/// Checks that state seen after a kill is durable. The new process syncs the killed process's writes although it may
/// write nothing itself.
#[tokio::test(flavor = "multi_thread")]
async fn state_seen_after_a_kill_survives_power_loss() {
    let mut random = Random::of_this_run("power losses after a look");
    let Some(mut machine) = Machine::new(&[]) else { return };
    let mut users = Users::new(&mut random, 4, 10_000);
    for _ in 0..rounds("SGSEND_POWER_LOSSES", USUALLY).min(LOOKS) {
        let server = machine.home.serve();
        explain(&machine.home, users.reconcile(&server, Survived::PowerLoss, false).await);
        let used = users.use_until_killed(server, random.millis_below(300)).await;
        explain(&machine.home, used);
        machine.follow(1);
        let server = machine.home.serve();
        let facts = users.statuses(&server).await;
        server.kill();
        machine.follow(1);
        machine.lose_power(&mut random);
        let server = machine.home.serve();
        assert_eq!(users.statuses(&server).await, facts);
        server.kill();
        machine.follow(1);
    }
}

/// Proves that the first test can fail.
#[tokio::test(flavor = "multi_thread")]
async fn without_syncs_a_power_loss_loses_acknowledged_changes() {
    let mut random = Random::of_this_run("power losses without syncs");
    for loss in 0..UNSYNCED {
        let Some(mut machine) = Machine::new(&["--durability", "none"]) else { return };
        let mut users = users(&mut random);
        machine.live(&mut users, &mut random).await.expect("no loss before the power loss");
        let found = match machine.home.try_to_serve() {
            Some(server) => users.reconcile(&server, Survived::PowerLoss, true).await,
            None => Err("the store can't be opened".to_owned()),
        };
        if let Err(what) = found {
            println!("after {} losses: {}", loss + 1, &what[..what.len().min(200)]);
            return;
        }
    }
    panic!("nothing was lost in {UNSYNCED} power losses without a sync");
}
