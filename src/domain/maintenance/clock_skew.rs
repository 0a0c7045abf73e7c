//! Check of `doctor`: the difference between this machine's clock and a server's.

use std::time::Duration;

use super::finding::Finding;
use crate::domain::timestamp::Timestamp;

/// Largest acceptable clock difference, since presigned URLs are valid for minutes.
const MAX_OK_SKEW: Duration = Duration::from_mins(1);
/// Clock difference at which servers reject signatures as too old.
const PROBLEM_SKEW: Duration = Duration::from_mins(15);

impl Finding {
    /// Compares this machine's clock, which shows `now`, with the time in a server's response.
    #[must_use]
    pub fn clock(server_time: Option<Timestamp>, now: Timestamp) -> Self {
        const NAME: &str = "clock";
        let Some(server_time) = server_time else {
            return Self::cannot_tell(
                NAME,
                "the server's response contains no valid date",
                "compare the two clocks manually",
            );
        };
        let (skew, direction) =
            if now > server_time { (now.since(server_time), "ahead") } else { (server_time.since(now), "behind") };
        let detail = format!("this machine's clock is {} {direction}", humantime::format_duration(seconds(skew)));
        let hint = "synchronise both clocks, for example with NTP: signatures and presigned URLs are valid for minutes";
        match skew {
            skew if skew <= MAX_OK_SKEW => Self::ok(NAME, "within 1 minute of the server's clock"),
            skew if skew < PROBLEM_SKEW => Self::warning(NAME, detail, hint),
            _ => Self::problem(NAME, detail, hint),
        }
    }
}

/// Truncates a duration to whole seconds.
fn seconds(duration: Duration) -> Duration {
    Duration::from_secs(duration.as_secs())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::maintenance::finding::Verdict;

    #[test]
    fn a_small_clock_difference_is_ok() {
        let now = Timestamp::from_millis(1_800_000_000_000);
        let verdict = |server_time| Finding::clock(Some(server_time), now).verdict;
        assert_eq!(verdict(now.plus(MAX_OK_SKEW)), Verdict::Ok);
        assert_eq!(verdict(now.minus(MAX_OK_SKEW * 2)), Verdict::Warning);
        assert_eq!(verdict(now.minus(PROBLEM_SKEW)), Verdict::Problem);
        assert_eq!(verdict(now.plus(PROBLEM_SKEW)), Verdict::Problem);
        assert_eq!(Finding::clock(None, now).verdict, Verdict::CannotTell);
        let detail = Finding::clock(Some(now.plus(Duration::from_millis(120_700))), now).detail;
        assert_eq!(detail, "this machine's clock is 2m behind");
    }
}
