//! Stalls of the server while it warms up, as a busy machine brings them about now and then.

use std::process::{Command, ExitStatus};
use std::time::Duration;

use tokio::time::sleep;

/// How many there are, a twentieth of the load's time apart.
const STALLS: u32 = 3;
/// The longest that one lasts; less where the load is short.
const LONGEST: Duration = Duration::from_secs(3);

/// Stops process `pid` for a while, again and again, within the first quarter of the load's time.
///
/// What is asked for meanwhile is worked on all at once, and an allocator keeps some of the memory that this takes. So
/// that a stall which the machine brings about later is not taken for a leak, there are some before memory is compared.
pub(crate) async fn stall(pid: u32, load_lasts: Duration) -> Option<String> {
    let seconds = LONGEST.min(load_lasts / 40).as_secs_f64();
    for _ in 0..STALLS {
        sleep(load_lasts / 20).await;
        // A process of its own, so that the server goes on even if this one ends meanwhile.
        let script = format!("kill -STOP {pid} && sleep {seconds}; kill -CONT {pid}");
        let ended = tokio::task::spawn_blocking(move || Command::new("sh").args(["-c", &script]).status()).await;
        if !matches!(ended, Ok(Ok(status)) if ExitStatus::success(&status)) {
            return Some("the server could not be stopped for a while".to_owned());
        }
    }
    None
}
