//! Paths within an archive, and where its links lead: only what can be unpacked anywhere without surprise.
//!
//! Names are kept byte for byte or refused, never changed: one changed name in a tree breaks what refers to it.

use std::fmt;

use super::file_name::{is_device, reverses_text};

/// The longest name in bytes that the usual file systems take.
const MAX_NAME_BYTES: usize = 255;
/// The longest path in bytes that the usual systems take.
const MAX_PATH_BYTES: usize = 4_096;
/// How many directories may lie within each other.
const MAX_DEPTH: usize = 256;

/// A relative path of an entry: names with slashes between them, none of which is `.` or `..`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ArchivePath(Box<str>);

/// The target of a link that leads to somewhere within the archive, whatever other links there are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LinkTarget(Box<str>);

/// Why a path or the target of a link is refused; reads on behind its name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Unfit {
    /// There is nothing.
    #[error("is an empty name")]
    Empty,
    /// It begins at the root, or with a drive.
    #[error("is an absolute path")]
    Absolute,
    /// It has an empty part, `.` or `..`.
    #[error("is not a plain path: it has an empty part, a dot or two")]
    Dots,
    /// It is a Windows path, or would be one.
    #[error("contains a backslash")]
    Backslash,
    /// It could command a terminal, or begin a new line.
    #[error("contains a control character")]
    Control,
    /// It shows as another text.
    #[error("contains a character that turns the direction of text")]
    Direction,
    /// A name takes too much room.
    #[error("has a name of more than {MAX_NAME_BYTES} bytes")]
    NameTooLong,
    /// The path takes too much room.
    #[error("is a path of more than {MAX_PATH_BYTES} bytes")]
    PathTooLong,
    /// It lies too deep.
    #[error("lies more than {MAX_DEPTH} directories deep")]
    TooDeep,
    /// This system cannot have such a name.
    #[error("is no name for a file on this system")]
    ForThisSystem,
    /// It is no text.
    #[error("is not a name in UTF-8")]
    NotUnicode,
    /// The link leads out.
    #[error("is a link that leads out of what is sent")]
    LeadsOut,
    /// The link goes up after it has gone down, which may lead anywhere when it went down through another link.
    #[error("is a link that goes down and up again")]
    Winding,
}

impl ArchivePath {
    /// Takes a path as it stands in an archive, without a slash at its end.
    pub fn parse(text: &str) -> Result<Self, Unfit> {
        Self::parse_for(text, cfg!(windows))
    }

    fn parse_for(text: &str, windows: bool) -> Result<Self, Unfit> {
        if text.is_empty() {
            return Err(Unfit::Empty);
        }
        if text.starts_with('/') || is_drive(text.split('/').next().unwrap_or_default()) {
            return Err(Unfit::Absolute);
        }
        if text.len() > MAX_PATH_BYTES {
            return Err(Unfit::PathTooLong);
        }
        if text.split('/').count() > MAX_DEPTH {
            return Err(Unfit::TooDeep);
        }
        for name in text.split('/') {
            if matches!(name, "" | "." | "..") {
                return Err(Unfit::Dots);
            }
            check_name(name, windows)?;
        }
        Ok(Self(text.into()))
    }

    /// The path.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The directory that the entry is in; `None` at the top.
    #[must_use]
    pub fn parent(&self) -> Option<Self> {
        self.0.rsplit_once('/').map(|(parent, _)| Self(parent.into()))
    }

    fn depth(&self) -> usize {
        self.0.split('/').count()
    }
}

impl fmt::Display for ArchivePath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl LinkTarget {
    /// Takes the target of the link at `path`.
    ///
    /// It may go up first, as far as the archive goes, and then down, but not up again. What it goes up through are
    /// directories, since nothing lies below a link. What it goes down through may be links, and those lead to within the
    /// archive themselves. So no chain of links leads out, which no reading of a single target could promise otherwise.
    pub fn parse(text: &str, path: &ArchivePath) -> Result<Self, Unfit> {
        Self::parse_for(text, path, cfg!(windows))
    }

    fn parse_for(text: &str, path: &ArchivePath, windows: bool) -> Result<Self, Unfit> {
        if text.is_empty() {
            return Err(Unfit::Empty);
        }
        if text.len() > MAX_PATH_BYTES {
            return Err(Unfit::PathTooLong);
        }
        if text.starts_with('/') || is_drive(text.split('/').next().unwrap_or_default()) {
            return Err(Unfit::LeadsOut);
        }
        let mut above = path.depth() - 1;
        let mut goes_down = false;
        for name in text.split('/') {
            match name {
                "" | "." => {}
                ".." if goes_down => return Err(Unfit::Winding),
                ".." => above = above.checked_sub(1).ok_or(Unfit::LeadsOut)?,
                name => {
                    check_name(name, windows)?;
                    goes_down = true;
                }
            }
        }
        Ok(Self(text.into()))
    }

    /// The target.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// Whether a path that begins so begins with a drive of Windows.
fn is_drive(first: &str) -> bool {
    matches!(first.as_bytes(), [letter, b':'] if letter.is_ascii_alphabetic())
}

fn check_name(name: &str, windows: bool) -> Result<(), Unfit> {
    if name.contains('\\') {
        return Err(Unfit::Backslash);
    }
    if name.contains(|c: char| c.is_control() || matches!(c, '\u{2028}' | '\u{2029}')) {
        return Err(Unfit::Control);
    }
    if name.contains(reverses_text) {
        return Err(Unfit::Direction);
    }
    if name.len() > MAX_NAME_BYTES {
        return Err(Unfit::NameTooLong);
    }
    let unfit_there = |name: &str| is_device(name) || name.contains(['<', '>', ':', '"', '|', '?', '*']);
    if windows && (unfit_there(name) || name.ends_with(['.', ' '])) {
        return Err(Unfit::ForThisSystem);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn path(text: &str) -> Result<ArchivePath, Unfit> {
        ArchivePath::parse_for(text, false)
    }

    #[test]
    fn names_of_every_script_stay_as_they_are() {
        for name in [
            "a/b/c.txt",
            ".git/config",
            "日本語/資料.txt",
            "résumé",
            "re\u{301}sume\u{301}",
            "می\u{200c}خواهم",
            "👨\u{200d}👩\u{200d}👧",
            "aux.c",
            "-rf",
            "what? <now> | \"it's\" *.txt",
            "...",
            "a:b",
        ] {
            assert_eq!(path(name).unwrap().as_str(), name);
        }
        assert!(path(&"ü".repeat(127)).is_ok() && path(&vec!["d"; 256].join("/")).is_ok());
    }

    #[test]
    fn what_attacks_is_refused() {
        for (text, unfit) in [
            ("", Unfit::Empty),
            ("/etc/passwd", Unfit::Absolute),
            ("C:/x", Unfit::Absolute),
            ("C:\\x", Unfit::Backslash),
            ("\\\\server\\share", Unfit::Backslash),
            ("..", Unfit::Dots),
            ("a/../../b", Unfit::Dots),
            ("./a", Unfit::Dots),
            ("a//b", Unfit::Dots),
            ("a/", Unfit::Dots),
            ("a\0b", Unfit::Control),
            ("a\nb", Unfit::Control),
            ("\u{1b}[2J", Unfit::Control),
            ("a\u{9b}b", Unfit::Control),
            ("invoice\u{202e}fdp.exe", Unfit::Direction),
            ("\u{2066}a", Unfit::Direction),
        ] {
            assert_eq!(path(text), Err(unfit), "{text:?}");
        }
        assert_eq!(path(&"a".repeat(256)), Err(Unfit::NameTooLong));
        assert_eq!(path(&vec!["d"; 257].join("/")), Err(Unfit::TooDeep));
        assert_eq!(path(&vec!["d".repeat(200); 21].join("/")), Err(Unfit::PathTooLong));
    }

    #[test]
    fn windows_gets_no_device_and_no_stream() {
        for name in ["con", "dir/NUL.txt", "a.txt:stream", "C:x", "a.", "a ", "what?"] {
            assert_eq!(ArchivePath::parse_for(name, true), Err(Unfit::ForThisSystem), "{name:?}");
        }
        assert!(ArchivePath::parse_for("dir/.gitignore", true).is_ok());
    }

    #[test]
    fn links_lead_to_within() {
        let link = |at: &str, target: &str| LinkTarget::parse_for(target, &path(at).unwrap(), false);
        for (at, target) in [("a", "b"), ("a", "."), ("a/b", ".."), ("a/b/c", "../../x/y"), ("a", "./b//c/")] {
            assert!(link(at, target).is_ok(), "{at} -> {target}");
        }
        for (at, target, unfit) in [
            ("a", "", Unfit::Empty),
            ("a", "/etc/passwd", Unfit::LeadsOut),
            ("a", "C:/x", Unfit::LeadsOut),
            ("a", "..", Unfit::LeadsOut),
            ("a/b", "../..", Unfit::LeadsOut),
            // If `x` were a link to the top, this would be above it.
            ("a", "d/e/x/../..", Unfit::Winding),
            ("a", "b\\c", Unfit::Backslash),
            ("a", "b\n", Unfit::Control),
        ] {
            assert_eq!(link(at, target), Err(unfit), "{at} -> {target}");
        }
    }

    proptest! {
        #[test]
        fn every_path_stays_below(text in "(\\PC|[./\\\\:]){0,40}") {
            if let Ok(path) = path(&text) {
                let normal = |part| matches!(part, std::path::Component::Normal(_));
                prop_assert!(std::path::Path::new(path.as_str()).components().all(normal));
            }
        }
    }
}
