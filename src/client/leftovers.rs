//! Files of unfinished transfers: in directories of this user's own, and not for ever.

use std::fs::{self, DirBuilder};
use std::io;
use std::path::Path;
use std::time::Duration;

/// What is older has run out on the server, or nobody will ask for it any more.
pub(super) const OLDEST: Duration = Duration::from_hours(24 * 7);

/// Makes a directory, with its parents, that only this user can look into, and removes what is too old from it.
pub(super) fn prepare(folder: &Path) -> io::Result<()> {
    make_private(folder)?;
    remove_old(folder);
    Ok(())
}

/// Makes a directory, with its parents, that only this user can look into.
pub(super) fn make_private(folder: &Path) -> io::Result<()> {
    let mut builder = DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(folder)
}

pub(super) fn remove_old(folder: &Path) {
    let files = fs::read_dir(folder).into_iter().flatten().filter_map(Result::ok).map(|entry| entry.path());
    for file in files.filter(|file| age_of(file).is_some_and(|age| age > OLDEST)) {
        // Another process may have been faster.
        let _ = fs::remove_file(file);
    }
}

/// How long a file has not been written to.
pub(super) fn age_of(file: &Path) -> Option<Duration> {
    Some(fs::metadata(file).ok()?.modified().ok()?.elapsed().unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use std::time::SystemTime;

    use super::*;

    #[test]
    fn what_is_older_than_a_week_goes() {
        let folder = tempfile::tempdir().unwrap();
        for (name, days) in [("old", 8), ("young", 6)] {
            let file = fs::File::create(folder.path().join(name)).unwrap();
            file.set_modified(SystemTime::now() - Duration::from_hours(24 * days)).unwrap();
        }
        prepare(folder.path()).unwrap();
        let left: Vec<_> = fs::read_dir(folder.path()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
        assert_eq!(left, ["young"]);
    }
}
