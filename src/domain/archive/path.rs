//! Paths of archive entries.
//!
//! Names are accepted byte for byte or rejected, never changed: renaming one entry would break references to it.

use std::fmt;

use crate::domain::file_name::{MAX_NAME_BYTES, is_device, reverses_text};

/// Longest path in bytes that common operating systems support.
pub(super) const MAX_PATH_BYTES: usize = 4_096;
/// Maximum number of path components.
const MAX_DEPTH: usize = 256;

/// A validated relative path of an archive entry: slash-separated names without `.` and `..`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ArchivePath(Box<str>);

/// Reason for rejecting a path; the text continues a sentence that starts with the path.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidArchivePath {
    /// The name is empty.
    #[error("is an empty name")]
    Empty,
    /// The path begins with a slash or a drive letter.
    #[error("is an absolute path")]
    Absolute,
    /// A path component is empty, `.` or `..`.
    #[error("has an empty, `.` or `..` path component")]
    Dots,
    /// A name contains a backslash, the path separator of Windows.
    #[error("contains a backslash")]
    Backslash,
    /// A name contains a control character or line separator, which a terminal could interpret.
    #[error("contains a control character")]
    Control,
    /// A name contains a bidirectional control character, which makes it display as another text.
    #[error("contains a control character for text direction")]
    Direction,
    /// A name is longer than 255 bytes.
    #[error("has a file name longer than {MAX_NAME_BYTES} bytes")]
    NameTooLong,
    /// The path is longer than 4 096 bytes.
    #[error("is longer than {MAX_PATH_BYTES} bytes")]
    PathTooLong,
    /// The path has more than 256 components.
    #[error("has more than {MAX_DEPTH} directory levels")]
    TooDeep,
    /// This operating system does not support the name.
    #[error("is not a valid file name on this system")]
    ForThisSystem,
    /// The name is not valid UTF-8.
    #[error("is not valid UTF-8")]
    NotUnicode,
}

impl ArchivePath {
    /// Parses a path as stored in an archive, without a trailing slash.
    pub fn parse(text: &str) -> Result<Self, InvalidArchivePath> {
        Self::parse_for(text, cfg!(windows))
    }

    fn parse_for(text: &str, windows: bool) -> Result<Self, InvalidArchivePath> {
        if text.is_empty() {
            return Err(InvalidArchivePath::Empty);
        }
        if text.starts_with('/') || is_drive(text.split('/').next().unwrap_or_default()) {
            return Err(InvalidArchivePath::Absolute);
        }
        if text.len() > MAX_PATH_BYTES {
            return Err(InvalidArchivePath::PathTooLong);
        }
        if text.split('/').count() > MAX_DEPTH {
            return Err(InvalidArchivePath::TooDeep);
        }
        for name in text.split('/') {
            if matches!(name, "" | "." | "..") {
                return Err(InvalidArchivePath::Dots);
            }
            check_name(name, windows)?;
        }
        Ok(Self(text.into()))
    }

    /// Returns the path as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Returns the parent directory, or `None` for an entry at the archive's root.
    #[must_use]
    pub fn parent(&self) -> Option<Self> {
        self.0.rsplit_once('/').map(|(parent, _)| Self(parent.into()))
    }

    /// Returns the number of path components.
    pub(super) fn depth(&self) -> usize {
        self.0.split('/').count()
    }
}

impl fmt::Display for ArchivePath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Returns whether the first path component is a Windows drive letter, such as `C:`.
pub(super) fn is_drive(first: &str) -> bool {
    matches!(first.as_bytes(), [letter, b':'] if letter.is_ascii_alphabetic())
}

/// Checks one path component.
pub(super) fn check_name(name: &str, windows: bool) -> Result<(), InvalidArchivePath> {
    if name.contains('\\') {
        return Err(InvalidArchivePath::Backslash);
    }
    if name.contains(|c: char| c.is_control() || matches!(c, '\u{2028}' | '\u{2029}')) {
        return Err(InvalidArchivePath::Control);
    }
    if name.contains(reverses_text) {
        return Err(InvalidArchivePath::Direction);
    }
    if name.len() > MAX_NAME_BYTES {
        return Err(InvalidArchivePath::NameTooLong);
    }
    let invalid_on_windows = |name: &str| is_device(name) || name.contains(['<', '>', ':', '"', '|', '?', '*']);
    if windows && (invalid_on_windows(name) || name.ends_with(['.', ' '])) {
        return Err(InvalidArchivePath::ForThisSystem);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn path(text: &str) -> Result<ArchivePath, InvalidArchivePath> {
        ArchivePath::parse_for(text, false)
    }

    #[test]
    fn names_of_every_script_are_kept() {
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
    fn attacking_paths_are_rejected() {
        for (text, unfit) in [
            ("", InvalidArchivePath::Empty),
            ("/etc/passwd", InvalidArchivePath::Absolute),
            ("C:/x", InvalidArchivePath::Absolute),
            ("C:\\x", InvalidArchivePath::Backslash),
            ("\\\\server\\share", InvalidArchivePath::Backslash),
            ("..", InvalidArchivePath::Dots),
            ("a/../../b", InvalidArchivePath::Dots),
            ("./a", InvalidArchivePath::Dots),
            ("a//b", InvalidArchivePath::Dots),
            ("a/", InvalidArchivePath::Dots),
            ("a\0b", InvalidArchivePath::Control),
            ("a\nb", InvalidArchivePath::Control),
            ("\u{1b}[2J", InvalidArchivePath::Control),
            ("a\u{9b}b", InvalidArchivePath::Control),
            ("invoice\u{202e}fdp.exe", InvalidArchivePath::Direction),
            ("\u{2066}a", InvalidArchivePath::Direction),
        ] {
            assert_eq!(path(text), Err(unfit), "{text:?}");
        }
        assert_eq!(path(&"a".repeat(256)), Err(InvalidArchivePath::NameTooLong));
        assert_eq!(path(&vec!["d"; 257].join("/")), Err(InvalidArchivePath::TooDeep));
        assert_eq!(path(&vec!["d".repeat(200); 21].join("/")), Err(InvalidArchivePath::PathTooLong));
    }

    #[test]
    fn windows_rejects_devices_and_streams() {
        for name in ["con", "dir/NUL.txt", "a.txt:stream", "C:x", "a.", "a ", "what?"] {
            assert_eq!(ArchivePath::parse_for(name, true), Err(InvalidArchivePath::ForThisSystem), "{name:?}");
        }
        assert!(ArchivePath::parse_for("dir/.gitignore", true).is_ok());
    }

    proptest! {
        #[test]
        fn accepted_paths_have_normal_components_only(text in "(\\PC|[./\\\\:]){0,40}") {
            if let Ok(path) = path(&text) {
                let normal = |part| matches!(part, std::path::Component::Normal(_));
                prop_assert!(std::path::Path::new(path.as_str()).components().all(normal));
            }
        }
    }
}
