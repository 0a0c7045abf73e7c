//! Stalls the server during the warm-up, as a busy machine does occasionally.

use std::process::{Command, ExitStatus};
use std::time::Duration;

use tokio::time::sleep;

/// Number of stalls; 1/20 of the run passes before each stall.
const STALLS: u32 = 3;
/// Maximum duration of a stall; in a short run, a stall takes 1/40 of the run.
const MAX_STALL: Duration = Duration::from_secs(3);

/// Stops and continues process `pid` several times within the first quarter of a run of `duration`.
///
/// Returns an error message if a signal cannot be sent.
///
/// After a stall the server handles all waiting requests at once, and its allocator keeps some of the freed memory.
/// These stalls happen before memory is compared, so that a later stall of the machine is not mistaken for a leak.
pub(crate) async fn stall(pid: u32, duration: Duration) -> Option<String> {
    let seconds = MAX_STALL.min(duration / 40).as_secs_f64();
    for _ in 0..STALLS {
        sleep(duration / 20).await;
        // A separate process, so that the server continues even if this program ends meanwhile.
        let script = format!("kill -STOP {pid} && sleep {seconds}; kill -CONT {pid}");
        let status = tokio::task::spawn_blocking(move || Command::new("sh").args(["-c", &script]).status()).await;
        if !matches!(status, Ok(Ok(status)) if ExitStatus::success(&status)) {
            return Some("cannot stop and continue the server process".to_owned());
        }
    }
    None
}
