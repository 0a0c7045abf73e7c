//! Transfers that begin at a set rate, however long those before them take.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use tokio::task::JoinSet;
use tokio::time::{Instant, sleep_until};

use crate::course::Course;

/// The most transfers at once: 2 GiB of payloads. Beyond it none begins, and that is an error.
const AT_ONCE: usize = 2_048;
/// Errors that are told one by one.
const TOLD: usize = 5;

/// What became of the transfers.
pub(crate) struct Arrived {
    whole: u32,
    failed: Vec<String>,
    most_at_once: usize,
    not_begun: usize,
    took: Duration,
}

/// Lets transfers begin for so long, so many a second, and waits for the last of them.
pub(crate) async fn run(course: &Arc<Course>, lasts: Duration, per_second: f64) -> Arrived {
    let start = Instant::now();
    let mut under_way = JoinSet::new();
    let mut arrived = Arrived { whole: 0, failed: Vec::new(), most_at_once: 0, not_begun: 0, took: Duration::ZERO };
    let mut due = start;
    let mut number = 0_u32;
    while due < start + lasts {
        sleep_until(due).await;
        while let Some(ended) = under_way.try_join_next() {
            arrived.note(ended.expect("a course does not panic"));
        }
        if under_way.len() < AT_ONCE {
            let course = course.clone();
            under_way.spawn(async move { course.run(number, due).await });
        } else {
            arrived.not_begun += 1;
        }
        arrived.most_at_once = arrived.most_at_once.max(under_way.len());
        number += 1;
        due = start + Duration::from_secs(1).mul_f64(f64::from(number) / per_second);
    }
    while let Some(ended) = under_way.join_next().await {
        arrived.note(ended.expect("a course does not panic"));
    }
    arrived.took = start.elapsed();
    arrived
}

impl Arrived {
    fn note(&mut self, ended: Result<(), String>) {
        match ended {
            Ok(()) => self.whole += 1,
            Err(error) => self.failed.push(error),
        }
    }

    /// What was wrong.
    pub(crate) fn complaints(&self) -> Vec<String> {
        let mut complaints: Vec<String> = self.failed.iter().take(TOLD).cloned().collect();
        if self.failed.len() > TOLD {
            complaints.push(format!("{} transfers in all", self.failed.len()));
        }
        if self.not_begun > 0 {
            complaints.push(format!("{} transfers could not begin: {AT_ONCE} were under way", self.not_begun));
        }
        if self.whole == 0 {
            complaints.push("no transfer was made".to_owned());
        }
        complaints
    }
}

impl fmt::Display for Arrived {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { whole, failed, most_at_once, .. } = self;
        let seconds = self.took.as_secs_f64();
        let requests = f64::from(*whole) * f64::from(Course::REQUESTS);
        writeln!(f, "transfers  {whole} whole, {} failed, {most_at_once} at once at most", failed.len())?;
        write!(f, "requests   {requests} in {seconds:.1} s, {:.1} a second", requests / seconds)
    }
}
