//! Starts transfers at a fixed rate, regardless of the duration of earlier ones (open-loop load).
//!
//! Only so many run at once. On a machine that is slower than the rate, the others wait, and their latencies say so. So
//! the server's memory is measured under the same number of transfers during the whole run, and growth is a leak and not
//! a backlog.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::Semaphore;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep_until};

use crate::scenario::Scenario;

/// Maximum number of concurrent transfers.
const MAX_CONCURRENT: usize = 64;
/// Maximum number of transfers that run or wait. Further transfers are not started and count as errors.
const MAX_IN_FLIGHT: usize = 2_048;
/// Maximum number of errors in the report.
const MAX_REPORTED: usize = 5;

/// Results of the transfers.
pub(crate) struct Results {
    completed: u32,
    failed: Vec<String>,
    max_in_flight: usize,
    not_started: usize,
    elapsed: Duration,
}

/// Starts transfers at the rate `per_second` for the time `duration`, and waits until all have ended.
pub(crate) async fn run(scenario: &Arc<Scenario>, duration: Duration, per_second: f64) -> Results {
    let start = Instant::now();
    let mut in_flight = JoinSet::new();
    let slots = Arc::new(Semaphore::new(MAX_CONCURRENT));
    let mut results =
        Results { completed: 0, failed: Vec::new(), max_in_flight: 0, not_started: 0, elapsed: Duration::ZERO };
    let mut due = start;
    let mut number = 0_u32;
    while due < start + duration {
        sleep_until(due).await;
        while let Some(ended) = in_flight.try_join_next() {
            results.record(ended.expect("a scenario does not panic"));
        }
        if in_flight.len() < MAX_IN_FLIGHT {
            let (scenario, slots) = (scenario.clone(), slots.clone());
            in_flight.spawn(async move {
                let _slot = slots.acquire().await.expect("the semaphore is never closed");
                scenario.run(number, due).await
            });
        } else {
            results.not_started += 1;
        }
        results.max_in_flight = results.max_in_flight.max(in_flight.len());
        number += 1;
        due = start + Duration::from_secs(1).mul_f64(f64::from(number) / per_second);
    }
    while let Some(ended) = in_flight.join_next().await {
        results.record(ended.expect("a scenario does not panic"));
    }
    results.elapsed = start.elapsed();
    results
}

impl Results {
    fn record(&mut self, ended: Result<(), String>) {
        match ended {
            Ok(()) => self.completed += 1,
            Err(error) => self.failed.push(error),
        }
    }

    /// Returns a description of each failure; empty if the run passed.
    pub(crate) fn failures(&self) -> Vec<String> {
        let mut failures: Vec<String> = self.failed.iter().take(MAX_REPORTED).cloned().collect();
        if self.failed.len() > MAX_REPORTED {
            failures.push(format!("{} transfers failed in total", self.failed.len()));
        }
        if self.not_started > 0 {
            failures.push(format!(
                "{} transfers were not started: {MAX_IN_FLIGHT} were running or waiting",
                self.not_started
            ));
        }
        if self.completed == 0 {
            failures.push("no transfer was completed".to_owned());
        }
        failures
    }
}

impl fmt::Display for Results {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { completed, failed, max_in_flight, .. } = self;
        let seconds = self.elapsed.as_secs_f64();
        let requests = f64::from(*completed) * f64::from(Scenario::REQUESTS);
        writeln!(
            f,
            "transfers  {completed} completed, {} failed, at most {max_in_flight} running or waiting, {MAX_CONCURRENT} at once",
            failed.len()
        )?;
        write!(f, "requests   {requests} in {seconds:.1} s, {:.1} per second", requests / seconds)
    }
}
