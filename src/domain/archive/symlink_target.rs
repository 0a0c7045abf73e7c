//! Targets of an archive's symlinks.

use super::path::{ArchivePath, InvalidArchivePath, MAX_PATH_BYTES, check_name, is_drive};

/// A validated symlink target that resolves inside the archive, whatever its other symlinks are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SymlinkTarget(Box<str>);

/// Reason for rejecting a symlink target. The text continues a sentence that starts with the path of the symlink.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidSymlinkTarget {
    /// The target is absolute or resolves outside the archive.
    #[error("is a symlink that points outside the archive")]
    Outside,
    /// The target has `..` after a directory name, which resolves anywhere if that directory is a symlink.
    #[error("is a symlink with `..` after a directory name in its target")]
    ParentAfterName,
    /// The target is empty.
    #[error("is a symlink with an empty target")]
    Empty,
    /// The target is no valid path.
    #[error("is a symlink whose target {0}")]
    Path(InvalidArchivePath),
}

impl SymlinkTarget {
    /// Parses the target of the symlink at `path`.
    ///
    /// All `..` components must come first, and must not ascend above the archive's root. The ascent passes only
    /// directories, since no entry lies below a symlink. The descent may pass symlinks, but their targets resolve
    /// inside the archive by the same rule. So no chain of symlinks escapes, although each target is checked alone.
    pub fn parse(target: &[u8], path: &ArchivePath) -> Result<Self, InvalidSymlinkTarget> {
        Self::parse_for(target, path, cfg!(windows))
    }

    fn parse_for(target: &[u8], path: &ArchivePath, windows: bool) -> Result<Self, InvalidSymlinkTarget> {
        let text =
            std::str::from_utf8(target).map_err(|_| InvalidSymlinkTarget::Path(InvalidArchivePath::NotUnicode))?;
        if text.is_empty() {
            return Err(InvalidSymlinkTarget::Empty);
        }
        if text.len() > MAX_PATH_BYTES {
            return Err(InvalidSymlinkTarget::Path(InvalidArchivePath::PathTooLong));
        }
        if text.starts_with('/') || is_drive(text.split('/').next().unwrap_or_default()) {
            return Err(InvalidSymlinkTarget::Outside);
        }
        let mut levels_above = path.depth() - 1;
        let mut descending = false;
        for name in text.split('/') {
            match name {
                "" | "." => {}
                ".." if descending => return Err(InvalidSymlinkTarget::ParentAfterName),
                ".." => levels_above = levels_above.checked_sub(1).ok_or(InvalidSymlinkTarget::Outside)?,
                name => {
                    check_name(name, windows).map_err(InvalidSymlinkTarget::Path)?;
                    descending = true;
                }
            }
        }
        Ok(Self(text.into()))
    }

    /// Returns the target as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn symlinks_resolve_inside_the_archive() {
        let parse = |at: &str, target: &str| {
            SymlinkTarget::parse_for(target.as_bytes(), &ArchivePath::parse(at).expect("the path is valid"), false)
        };
        for (at, target) in [("a", "b"), ("a", "."), ("a/b", ".."), ("a/b/c", "../../x/y"), ("a", "./b//c/")] {
            assert!(parse(at, target).is_ok(), "{at} -> {target}");
        }
        for (at, target, reason) in [
            ("a", "", InvalidSymlinkTarget::Empty),
            ("a", "/etc/passwd", InvalidSymlinkTarget::Outside),
            ("a", "C:/x", InvalidSymlinkTarget::Outside),
            ("a", "..", InvalidSymlinkTarget::Outside),
            ("a/b", "../..", InvalidSymlinkTarget::Outside),
            // If `x` were a symlink to the archive's root, the target would resolve above the root.
            ("a", "d/e/x/../..", InvalidSymlinkTarget::ParentAfterName),
            ("a", "b\\c", InvalidSymlinkTarget::Path(InvalidArchivePath::Backslash)),
            ("a", "b\n", InvalidSymlinkTarget::Path(InvalidArchivePath::Control)),
        ] {
            assert_eq!(parse(at, target), Err(reason), "{at} -> {target}");
        }
        let long = "d/".repeat(MAX_PATH_BYTES);
        assert_eq!(parse("a", &long), Err(InvalidSymlinkTarget::Path(InvalidArchivePath::PathTooLong)));
        let not_text = SymlinkTarget::parse(b"\xff", &ArchivePath::parse("a").expect("the path is valid"));
        assert_eq!(not_text, Err(InvalidSymlinkTarget::Path(InvalidArchivePath::NotUnicode)));
    }
}
