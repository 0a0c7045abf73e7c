use std::panic::catch_unwind;
use std::process::Command;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Instant;

use super::schedule::{ScheduleResult, run};
use super::world::FaultCounts;

/// Number of schedules, unless `SGSEND_SCHEDULES` sets it.
const SCHEDULES: u64 = 1_000;
/// Number of schedules that are compared with those of another process.
const OTHER_PROCESS: u64 = 100;
/// Number of failed schedules after which no other is started.
const MAX_FAILURES: usize = 8;
/// Number of last steps shown of a failed schedule.
const SHOWN_STEPS: usize = 400;

fn variable(name: &str, usually: u64) -> u64 {
    std::env::var(name).map_or(usually, |text| text.parse().expect("a number"))
}

/// Runs a schedule; a panic of the domain is a violation.
fn run_guarded(seed: u64, traces: bool) -> ScheduleResult {
    catch_unwind(|| run(seed, traces)).unwrap_or_else(|_| ScheduleResult {
        counts: FaultCounts::default(),
        digest: 0,
        violation: Some("a panic, see above".to_owned()),
        trace: None,
    })
}

/// Describes a failed schedule, with its last steps and the command that repeats it.
fn describe(seed: u64) -> String {
    let ScheduleResult { violation, trace, .. } = run_guarded(seed, true);
    let trace = trace.unwrap_or_default();
    let steps: Vec<_> = trace.lines().collect();
    let shown = steps[steps.len().saturating_sub(SHOWN_STEPS)..].join("\n");
    format!(
        "{shown}\n\nseed {seed}: {}\nto repeat: SGSEND_SEED={seed} SGSEND_SCHEDULES=1 \
         cargo test --lib simulation::tests::servers -- --nocapture",
        violation.as_deref().unwrap_or("no violation in a second run")
    )
}

#[test]
fn servers_over_one_store_keep_every_promise() {
    let (first, schedules) = (variable("SGSEND_SEED", 1), variable("SGSEND_SCHEDULES", SCHEDULES));
    let (next, stop) = (AtomicU64::new(0), AtomicBool::new(false));
    let (total, failed) = (Mutex::new((FaultCounts::default(), 0_u64, 0_u64)), Mutex::new(Vec::new()));
    let started = Instant::now();
    std::thread::scope(|scope| {
        for _ in 0..std::thread::available_parallelism().map_or(1, usize::from) {
            scope.spawn(|| {
                let (mut counts, mut digest, mut ran) = (FaultCounts::default(), 0_u64, 0);
                while !stop.load(Ordering::Relaxed) {
                    let index = next.fetch_add(1, Ordering::Relaxed);
                    if index >= schedules {
                        break;
                    }
                    let seed = first.wrapping_add(index);
                    let result = run_guarded(seed, false);
                    counts.add(&result.counts);
                    digest = digest.wrapping_add(result.digest);
                    ran += 1;
                    if let Some(violation) = result.violation {
                        let mut failed = failed.lock().unwrap();
                        failed.push((seed, violation));
                        stop.store(failed.len() >= MAX_FAILURES, Ordering::Relaxed);
                    }
                }
                let mut total = total.lock().unwrap();
                total.0.add(&counts);
                total.1 = total.1.wrapping_add(digest);
                total.2 += ran;
            });
        }
    });
    let (counts, digest, ran) = total.into_inner().unwrap();
    println!("simulation: {ran} schedules from SGSEND_SEED={first} in {:.1?}, digest {digest:016x}", started.elapsed());
    println!("simulation: {counts:?}");
    if ran >= SCHEDULES {
        assert!(counts.all_occurred(), "a kind of fault never occurred");
    }
    let mut failed = failed.into_inner().unwrap();
    failed.sort();
    if let Some((seed, _)) = failed.first() {
        let list: Vec<_> = failed.iter().map(|(seed, violation)| format!("seed {seed}: {violation}")).collect();
        panic!("{}\n\n{} of {ran} schedules failed:\n{}", describe(*seed), failed.len(), list.join("\n"));
    }
}

#[test]
fn a_seed_repeats_its_schedule_exactly() {
    for seed in 1..=20 {
        let first = run_guarded(seed, true);
        let second = std::thread::spawn(move || run_guarded(seed, true)).join().unwrap();
        assert!(first == second, "seed {seed} does not repeat its schedule");
        assert_eq!(run_guarded(seed, false).digest, first.digest, "a trace changes the schedule of seed {seed}");
    }
}

/// Runs the first schedules again in another process, whose hash maps have another order.
#[test]
fn a_seed_repeats_its_schedule_in_another_process() {
    let digest = (1..=OTHER_PROCESS).fold(0_u64, |sum, seed| sum.wrapping_add(run_guarded(seed, false).digest));
    let mut other = Command::new(std::env::current_exe().unwrap());
    other.args(["--exact", "domain::simulation::tests::servers_over_one_store_keep_every_promise", "--nocapture"]);
    let output = other.env("SGSEND_SEED", "1").env("SGSEND_SCHEDULES", OTHER_PROCESS.to_string()).output().unwrap();
    let output = String::from_utf8(output.stdout).unwrap();
    assert!(output.contains(&format!("digest {digest:016x}")), "not {digest:016x}: {output}");
}
