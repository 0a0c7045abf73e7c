//! Findings of the `doctor` command about a server, a store or this machine.

use std::path::Path;

use serde::Serialize;

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
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_passed_checks_have_no_hint() {
        let json = serde_json::to_value(Finding::ok("x", "fine")).unwrap();
        assert_eq!(json, serde_json::json!({ "name": "x", "verdict": "ok", "detail": "fine", "hint": null }));
        let json = serde_json::to_value(Finding::cannot_tell("x", "dark", "a light")).unwrap();
        assert_eq!((json["verdict"].as_str(), json["hint"].as_str()), (Some("cannot_tell"), Some("a light")));
    }
}
