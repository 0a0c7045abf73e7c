//! `kill -9` of servers and sweepers, at random times.

use std::time::Instant;

use crate::crowd::{Crowd, explain, files};
use crate::dice::{Dice, rounds};
use crate::preload;
use crate::server::Home;
use crate::settle::Survived;

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
    let Some(clock) = preload::compiled("later.c", &home.path()) else { return };
    let kills = rounds("SGSEND_KILLS", USUALLY);
    let mut dice = Dice::of_this_run("kills");
    let mut crowd = Crowd::new(&mut dice, 5, 1_500_000);
    let (started, mut sweeps, mut seen) = (Instant::now(), 0, 0);
    let mut killed = 0;
    while killed < kills {
        let server = home.serve();
        explain(&home, crowd.settle(&server, Survived::Kill, false).await);
        let kill_after = dice.millis_below(150);
        let sweeping = dice.percent(10).then(|| home.sweep(&clock, MINUTES_LATER_S));
        explain(&home, crowd.use_until_killed(server, kill_after).await);
        killed += 1;
        drop(sweeping);
        if dice.percent(15) {
            // Kills the server before or soon after it listens.
            let starting = home.begin_to_serve();
            tokio::time::sleep(dice.millis_below(120)).await;
            starting.kill();
            killed += 1;
        }
        if dice.percent(25) {
            let sweeping = home.sweep(&clock, MINUTES_LATER_S);
            tokio::time::sleep(dice.millis_below(150)).await;
            sweeping.kill();
            (killed, sweeps) = (killed + 1, sweeps + 1);
        }
        if killed / ERA > seen / ERA || killed >= kills {
            sweep_all(&home, &clock, &mut crowd, &mut dice).await;
        }
        seen = killed;
    }
    println!("{killed} kills, {sweeps} of them of sweepers alone, in {:.1} s", started.elapsed().as_secs_f64());
}

/// Sweeps all transfers away, with a few interruptions.
async fn sweep_all(home: &Home, clock: &std::path::Path, crowd: &mut Crowd, dice: &mut Dice) {
    let server = home.serve();
    explain(home, crowd.settle(&server, Survived::Kill, false).await);
    server.kill();
    assert!(home.sweep(clock, MINUTES_LATER_S).ends_well(), "{}", home.said());
    let server = home.serve();
    explain(home, crowd.settle(&server, Survived::Kill, true).await);
    crowd.check_files(&home.store());
    drop(server);
    for _ in 0..3 {
        let sweeping = home.sweep(clock, YEARS_LATER_S);
        tokio::time::sleep(dice.millis_below(400)).await;
        sweeping.kill();
    }
    assert!(home.sweep(clock, YEARS_LATER_S).ends_well(), "{}", home.said());
    crowd.forget();
    let left = files(&home.store().join("payloads"));
    assert!(left.is_empty(), "payloads are left after their transfers: {left:?}");
    let records = rusqlite::Connection::open(home.store().join("records.sqlite")).expect("a readable database");
    let checked: String =
        records.query_row("PRAGMA integrity_check", [], |row| row.get(0)).expect("the result of the integrity check");
    assert_eq!(checked, "ok");
    let left = "SELECT COUNT(*) FROM object WHERE key LIKE 'transfers/%' OR key LIKE 'creates/%' OR key LIKE 'due/%'";
    let left: i64 = records.query_row(left, [], |row| row.get(0)).expect("a row count");
    assert_eq!(left, 0, "records are left after their transfers");
}
