//! `kill -9` of servers and sweepers, at random times.

use std::time::Instant;

use crate::home::Home;
use crate::ld_preload;
use crate::random::{Random, rounds};
use crate::reconcile::Survived;
use crate::users::{Users, explain, files};

/// Seconds after which a one-minute transfer and its grants have ended.
pub(crate) const MINUTES_LATER_S: u64 = 130;
/// Seconds after which all transfers and audit records have expired.
const YEARS_LATER_S: u64 = 400 * 24 * 60 * 60;

/// Number of kills before all transfers are swept away.
const ERA: usize = 60;

/// Default number of kills, to keep `cargo test` short.
const USUALLY: usize = 30;

#[tokio::test(flavor = "multi_thread")]
async fn acknowledged_changes_survive_a_kill_at_any_time() {
    let home = Home::new();
    let Some(clock) = ld_preload::compiled("clock_offset.c", &home.path()) else { return };
    let kills = rounds("SGSEND_KILLS", USUALLY);
    let mut random = Random::of_this_run("kills");
    let mut users = Users::new(&mut random, 5, 1_500_000);
    let (started, mut sweeps, mut seen) = (Instant::now(), 0, 0);
    let mut killed = 0;
    while killed < kills {
        let server = home.serve();
        explain(&home, users.reconcile(&server, Survived::Kill, false).await);
        let kill_after = random.millis_below(150);
        let sweeping = random.percent(10).then(|| home.sweep(&clock, MINUTES_LATER_S));
        explain(&home, users.use_until_killed(server, kill_after).await);
        killed += 1;
        drop(sweeping);
        if random.percent(15) {
            // Kills the server before or soon after it listens.
            let starting = home.begin_to_serve();
            tokio::time::sleep(random.millis_below(120)).await;
            starting.kill();
            killed += 1;
        }
        if random.percent(25) {
            let sweeping = home.sweep(&clock, MINUTES_LATER_S);
            tokio::time::sleep(random.millis_below(150)).await;
            sweeping.kill();
            (killed, sweeps) = (killed + 1, sweeps + 1);
        }
        if killed / ERA > seen / ERA || killed >= kills {
            sweep_all(&home, &clock, &mut users, &mut random).await;
        }
        seen = killed;
    }
    println!("{killed} kills, {sweeps} of them of sweepers alone, in {:.1} s", started.elapsed().as_secs_f64());
}

/// Sweeps all transfers away, with a few interruptions.
async fn sweep_all(home: &Home, clock: &std::path::Path, users: &mut Users, random: &mut Random) {
    let server = home.serve();
    explain(home, users.reconcile(&server, Survived::Kill, false).await);
    server.kill();
    assert!(home.sweep(clock, MINUTES_LATER_S).ends_well(), "{}", home.output());
    let server = home.serve();
    explain(home, users.reconcile(&server, Survived::Kill, true).await);
    users.check_files(&home.store());
    drop(server);
    for _ in 0..3 {
        let sweeping = home.sweep(clock, YEARS_LATER_S);
        tokio::time::sleep(random.millis_below(400)).await;
        sweeping.kill();
    }
    assert!(home.sweep(clock, YEARS_LATER_S).ends_well(), "{}", home.output());
    users.forget();
    let remaining = files(&home.store().join("payloads"));
    assert!(remaining.is_empty(), "payloads remain after their transfers: {remaining:?}");
    let records = rusqlite::Connection::open(home.store().join("records.sqlite")).expect("a readable database");
    let checked: String =
        records.query_row("PRAGMA integrity_check", [], |row| row.get(0)).expect("the result of the integrity check");
    assert_eq!(checked, "ok");
    let query = "SELECT COUNT(*) FROM object WHERE key LIKE 'transfers/%' OR key LIKE 'creates/%' OR key LIKE 'due/%' \
                 OR key LIKE 'by-%'";
    let remaining: i64 = records.query_row(query, [], |row| row.get(0)).expect("a row count");
    assert_eq!(remaining, 0, "records remain after their transfers");
}
