//! Properties of saved files that a file system does not support.

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

/// A property that saved files lack.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum LostProperty {
    /// The permissions of a file or directory.
    Permissions,
    /// A symbolic link of an archive.
    Symlink,
    /// The assurance that the content survives a power loss.
    Durability,
}

/// A property that the file system refused, with the first of the affected files.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{}{}: {cause}", describe(*property, path), and_more(*others))]
pub struct SaveWarning {
    /// The lost property.
    pub property: LostProperty,
    /// Path of the first affected file.
    pub path: PathBuf,
    /// Number of further affected files.
    pub others: usize,
    /// The error of the operating system.
    pub cause: String,
}

fn describe(property: LostProperty, path: &Path) -> String {
    let path = path.display();
    match property {
        LostProperty::Permissions => format!("cannot set the permissions of {path}"),
        LostProperty::Symlink => format!("cannot create the symbolic link {path}"),
        LostProperty::Durability => format!("cannot confirm that {path} is on the disk"),
    }
}

fn and_more(count: usize) -> String {
    match count {
        0 => String::new(),
        count => format!(" and {count} more"),
    }
}

/// Collects the warnings while content is saved.
#[derive(Clone, Debug, Default)]
pub(super) struct SaveWarnings(Arc<Mutex<BTreeMap<LostProperty, SaveWarning>>>);

impl SaveWarnings {
    /// Adds a file that lacks `property`.
    pub(super) fn add(&self, property: LostProperty, path: &Path, error: &io::Error) {
        let mut warnings = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let new = || SaveWarning { property, path: path.to_owned(), others: 0, cause: error.to_string() };
        warnings.entry(property).and_modify(|warning| warning.others += 1).or_insert_with(new);
    }

    /// Returns the warnings, and forgets them.
    pub(super) fn take(&self) -> Vec<SaveWarning> {
        std::mem::take(&mut *self.0.lock().unwrap_or_else(PoisonError::into_inner)).into_values().collect()
    }
}

/// Returns whether the file system does not support an operation, or does not permit it to this user.
///
/// Other errors, such as a full disk or a failing one, concern the content.
pub(super) fn is_unsupported(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::Unsupported
            | io::ErrorKind::InvalidInput
            | io::ErrorKind::PermissionDenied
            | io::ErrorKind::ReadOnlyFilesystem
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_warning_covers_all_files_with_the_same_loss() {
        let warnings = SaveWarnings::default();
        let denied = io::Error::from(io::ErrorKind::PermissionDenied);
        for path in ["a", "b", "c"] {
            warnings.add(LostProperty::Symlink, Path::new(path), &denied);
        }
        warnings.add(LostProperty::Permissions, Path::new("d"), &denied);
        let texts: Vec<_> = warnings.take().iter().map(ToString::to_string).collect();
        assert_eq!(
            texts,
            [
                format!("cannot set the permissions of d: {denied}"),
                format!("cannot create the symbolic link a and 2 more: {denied}"),
            ]
        );
        assert!(warnings.take().is_empty());
    }

    #[test]
    fn errors_of_the_disk_are_not_taken_for_unsupported_operations() {
        for kind in [io::ErrorKind::StorageFull, io::ErrorKind::QuotaExceeded, io::ErrorKind::Other] {
            assert!(!is_unsupported(&kind.into()), "{kind}");
        }
        assert!(!is_unsupported(&io::Error::from_raw_os_error(5)), "an input/output error was ignored");
    }
}
