//! Samples the server's resident memory and open files once per second.

use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

use tokio_util::sync::CancellationToken;

/// Maximum growth of memory from the second to the last quarter of the run, in KiB. The first quarter is the warm-up,
/// in which caches fill and the allocator reaches its peak, also through stalls.
const GROWTH: u64 = 16 * 1024;
/// Minimum number of samples for a verdict.
const MIN_SAMPLES: usize = 12;

/// Samples of one process.
#[derive(Debug, Default)]
pub(crate) struct Memory {
    resident_kib: Vec<u64>,
    files: Vec<usize>,
    missing: usize,
}

impl Memory {
    /// Samples process `pid` until `stop`.
    pub(crate) async fn watch(pid: u32, stop: CancellationToken) -> Self {
        let process = PathBuf::from(format!("/proc/{pid}"));
        let mut memory = Self::default();
        let mut ticks = tokio::time::interval(Duration::from_secs(1));
        loop {
            tokio::select! {
                () = stop.cancelled() => return memory,
                _ = ticks.tick() => {}
            }
            let status = std::fs::read_to_string(process.join("status")).unwrap_or_default();
            match (resident_kib(&status), std::fs::read_dir(process.join("fd"))) {
                (Some(resident), Ok(files)) => {
                    memory.resident_kib.push(resident);
                    memory.files.push(files.count());
                }
                _ => memory.missing += 1,
            }
        }
    }

    /// Returns the maximum of each quarter of the run, in KiB.
    fn quarters(&self) -> [u64; 4] {
        let samples = &self.resident_kib;
        let quarter = samples.len() / 4;
        std::array::from_fn(|number| {
            let end = if number == 3 { samples.len() } else { (number + 1) * quarter };
            samples[number * quarter..end].iter().copied().max().unwrap_or_default()
        })
    }

    /// Returns a description of each failure; empty if the run passed.
    pub(crate) fn failures(&self) -> Vec<String> {
        let mut failures = Vec::new();
        let [_, second, _, last] = self.quarters();
        if last > second + GROWTH {
            failures.push(format!("memory grew from {second} KiB in the second quarter to {last} KiB in the last"));
        }
        if self.missing > 0 || self.resident_kib.len() < MIN_SAMPLES {
            failures.push(format!(
                "too few memory samples: {} taken, {} failed",
                self.resident_kib.len(),
                self.missing
            ));
        }
        failures
    }
}

fn resident_kib(status: &str) -> Option<u64> {
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
    line.trim().strip_suffix(" kB")?.parse().ok()
}

impl fmt::Display for Memory {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let first = self.resident_kib.first().copied().unwrap_or_default();
        let end = self.resident_kib.last().copied().unwrap_or_default();
        let [warm, second, third, last] = self.quarters();
        writeln!(f, "memory     {first} KiB at the start, {end} KiB at the end")?;
        writeln!(f, "           at most {warm}, {second}, {third}, {last} KiB in the four quarters")?;
        write!(f, "files      at most {} open", self.files.iter().max().copied().unwrap_or_default())
    }
}
