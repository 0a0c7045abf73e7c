//! Findings of the `doctor` command about a server, a store or this machine.

use std::path::Path;
use std::time::Duration;

use serde::Serialize;

use crate::domain::timestamp::Timestamp;

/// Largest acceptable clock difference, since presigned URLs are valid for minutes.
const MAX_OK_SKEW: Duration = Duration::from_mins(1);
/// Clock difference at which servers reject signatures as too old.
const PROBLEM_SKEW: Duration = Duration::from_mins(15);

/// Result of one check.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// The check passed.
    Ok,
    /// One feature does not work, or privacy could be better; everything else works.
    Warning,
    /// A fault that needs fixing.
    Problem,
    /// The check could not be carried out.
    CannotTell,
}

/// One check and its result.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// Stable name of the check.
    pub name: &'static str,
    /// Result of the check.
    pub verdict: Verdict,
    /// Observed state.
    pub detail: String,
    /// Suggested fix; `None` for a passed check.
    pub hint: Option<String>,
}

impl Verdict {
    /// Returns the verdict as text for users.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Warning => "warning",
            Self::Problem => "problem",
            Self::CannotTell => "cannot tell",
        }
    }
}

impl Finding {
    /// Creates the finding of a passed check.
    pub fn ok(name: &'static str, detail: impl Into<String>) -> Self {
        Self { name, verdict: Verdict::Ok, detail: detail.into(), hint: None }
    }

    /// Creates a warning, with a suggested fix.
    pub fn warning(name: &'static str, detail: impl Into<String>, hint: impl Into<String>) -> Self {
        Self { name, verdict: Verdict::Warning, detail: detail.into(), hint: Some(hint.into()) }
    }

    /// Creates the finding of a fault, with a suggested fix.
    pub fn problem(name: &'static str, detail: impl Into<String>, hint: impl Into<String>) -> Self {
        Self { name, verdict: Verdict::Problem, detail: detail.into(), hint: Some(hint.into()) }
    }

    /// Creates the finding of a check that could not be carried out; the hint says what it requires.
    pub fn cannot_tell(name: &'static str, detail: impl Into<String>, hint: impl Into<String>) -> Self {
        Self { name, verdict: Verdict::CannotTell, detail: detail.into(), hint: Some(hint.into()) }
    }

    /// Checks that the permissions `mode` of a file or folder give no access to group and others.
    #[must_use]
    pub fn private(name: &'static str, path: &Path, mode: u32) -> Self {
        let path = path.display();
        let group_and_others = mode & 0o077;
        if group_and_others == 0 {
            return Self::ok(name, format!("only its owner can access {path}"));
        }
        let detail = format!("{path} is accessible to other users of this machine: mode {:o}", mode & 0o777);
        Self::warning(name, detail, format!("chmod go-rwx '{path}'"))
    }

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

    #[test]
    fn only_passed_checks_have_no_hint() {
        let json = serde_json::to_value(Finding::ok("x", "fine")).unwrap();
        assert_eq!(json, serde_json::json!({ "name": "x", "verdict": "ok", "detail": "fine", "hint": null }));
        let json = serde_json::to_value(Finding::cannot_tell("x", "dark", "a light")).unwrap();
        assert_eq!((json["verdict"].as_str(), json["hint"].as_str()), (Some("cannot_tell"), Some("a light")));
    }
}
