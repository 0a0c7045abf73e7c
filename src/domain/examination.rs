//! What an examination finds, of whatever is examined: a server, a store, this machine.

use std::path::Path;
use std::time::Duration;

use serde::Serialize;

use super::timestamp::Timestamp;

/// What is fine between two clocks: URLs that clients are given live for minutes.
const FINE: Duration = Duration::from_mins(1);
/// What is too much between two clocks: signatures that are older are refused.
const TOO_MUCH: Duration = Duration::from_mins(15);

/// What became of one check.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// It is as it should be.
    Ok,
    /// Something does not work, or is not as private as it could be; the rest works.
    Warning,
    /// It must be mended.
    Problem,
    /// It could not be seen.
    CannotTell,
}

/// One check, and what came of it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// What was checked: a stable name.
    pub name: &'static str,
    /// What came of it.
    pub verdict: Verdict,
    /// What was seen.
    pub detail: String,
    /// How to mend it; `None` where it is as it should be.
    pub hint: Option<String>,
}

impl Verdict {
    /// The verdict in words.
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
    /// It is as it should be.
    pub fn ok(name: &'static str, detail: impl Into<String>) -> Self {
        Self { name, verdict: Verdict::Ok, detail: detail.into(), hint: None }
    }

    /// It could be better.
    pub fn warning(name: &'static str, detail: impl Into<String>, hint: impl Into<String>) -> Self {
        Self { name, verdict: Verdict::Warning, detail: detail.into(), hint: Some(hint.into()) }
    }

    /// It must be mended.
    pub fn problem(name: &'static str, detail: impl Into<String>, hint: impl Into<String>) -> Self {
        Self { name, verdict: Verdict::Problem, detail: detail.into(), hint: Some(hint.into()) }
    }

    /// It could not be seen; the hint says what it takes.
    pub fn cannot_tell(name: &'static str, detail: impl Into<String>, hint: impl Into<String>) -> Self {
        Self { name, verdict: Verdict::CannotTell, detail: detail.into(), hint: Some(hint.into()) }
    }

    /// A file or folder that is to be its owner's only, with its permissions.
    #[must_use]
    pub fn private(name: &'static str, path: &Path, mode: u32) -> Self {
        let path = path.display();
        let others = mode & 0o077;
        if others == 0 {
            return Self::ok(name, format!("{path} is this user's only"));
        }
        let detail = format!("{path} is open to other users of this machine: mode {:o}", mode & 0o777);
        Self::warning(name, detail, format!("chmod go-rwx '{path}'"))
    }

    /// The clock of this machine beside what a server answered at `now`.
    #[must_use]
    pub fn clock(theirs: Option<Timestamp>, now: Timestamp) -> Self {
        const NAME: &str = "clock";
        let Some(theirs) = theirs else {
            return Self::cannot_tell(
                NAME,
                "the server does not say what time it is",
                "compare the two clocks yourself",
            );
        };
        let (apart, which) = if now > theirs { (now.since(theirs), "ahead") } else { (theirs.since(now), "behind") };
        let detail = format!("this machine is {} {which}", humantime::format_duration(seconds(apart)));
        let hint = "set both clocks, such as with NTP: signatures and URLs hold for minutes";
        match apart {
            apart if apart <= FINE => Self::ok(NAME, "within a minute of the server's"),
            apart if apart < TOO_MUCH => Self::warning(NAME, detail, hint),
            _ => Self::problem(NAME, detail, hint),
        }
    }
}

fn seconds(duration: Duration) -> Duration {
    Duration::from_secs(duration.as_secs())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn clocks_may_be_a_little_apart() {
        let now = Timestamp::from_millis(1_800_000_000_000);
        let verdict = |theirs| Finding::clock(Some(theirs), now).verdict;
        assert_eq!(verdict(now.plus(FINE)), Verdict::Ok);
        assert_eq!(verdict(now.minus(FINE * 2)), Verdict::Warning);
        assert_eq!(verdict(now.minus(TOO_MUCH)), Verdict::Problem);
        assert_eq!(verdict(now.plus(TOO_MUCH)), Verdict::Problem);
        assert_eq!(Finding::clock(None, now).verdict, Verdict::CannotTell);
        let told = Finding::clock(Some(now.plus(Duration::from_millis(120_700))), now).detail;
        assert_eq!(told, "this machine is 2m behind");
    }

    #[test]
    fn only_what_is_fine_needs_no_hint() {
        let json = serde_json::to_value(Finding::ok("x", "fine")).unwrap();
        assert_eq!(json, serde_json::json!({ "name": "x", "verdict": "ok", "detail": "fine", "hint": null }));
        let json = serde_json::to_value(Finding::cannot_tell("x", "dark", "a light")).unwrap();
        assert_eq!((json["verdict"].as_str(), json["hint"].as_str()), (Some("cannot_tell"), Some("a light")));
    }
}
