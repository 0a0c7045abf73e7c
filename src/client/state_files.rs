//! State files of unfinished transfers: private directories and removal of old files.

use std::fs::{self, DirBuilder};
use std::io;
use std::path::Path;
use std::time::Duration;

/// Maximum age of a state file. The transfer of an older file has expired, or is unlikely to be resumed.
pub(super) const MAX_AGE: Duration = Duration::from_hours(24 * 7);

/// Creates a directory and its parents with mode 0700.
pub(super) fn make_private(folder: &Path) -> io::Result<()> {
    let mut builder = DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(folder)
}

/// Removes files older than [`MAX_AGE`]. Ignores errors.
pub(super) fn remove_old(folder: &Path) {
    let files = fs::read_dir(folder).into_iter().flatten().filter_map(Result::ok).map(|entry| entry.path());
    for file in files.filter(|file| age_of(file).is_some_and(|age| age > MAX_AGE)) {
        // Another process may have removed the file already.
        let _ = fs::remove_file(file);
    }
}

/// Returns the time since a file's last modification.
pub(super) fn age_of(file: &Path) -> Option<Duration> {
    Some(fs::metadata(file).ok()?.modified().ok()?.elapsed().unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use std::time::SystemTime;

    use super::*;

    #[test]
    fn files_older_than_a_week_are_removed() {
        let folder = tempfile::tempdir().unwrap();
        for (name, days) in [("old", 8), ("young", 6)] {
            let file = fs::File::create(folder.path().join(name)).unwrap();
            file.set_modified(SystemTime::now() - Duration::from_hours(24 * days)).unwrap();
        }
        remove_old(folder.path());
        let remaining: Vec<_> = fs::read_dir(folder.path()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
        assert_eq!(remaining, ["young"]);
    }
}
