//! Code that Firefox compiles at the first start of a new profile.
//!
//! Compiling takes half of the processor time of the start.
//!
//! Kept between tests and runs, for each version of Firefox. It contains no data of pages.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::time::UNIX_EPOCH;

use super::browser::FIREFOX;
use super::cache;
use super::driver::program;

/// Folder of a profile with the compiled code.
const FOLDER: &str = "startupCache";
/// File of a profile with the version of Firefox that compiled it.
const VERSION: &str = "compatibility.ini";

/// Returns whether code is kept. If not, it is kept of the next Firefox that exits regularly.
pub(super) fn is_kept() -> bool {
    kept().exists()
}

fn kept() -> PathBuf {
    // An upgrade changes the time of the program.
    let modified = program(&FIREFOX).and_then(|program| program.metadata().ok()?.modified().ok());
    let version = modified.and_then(|time| time.duration_since(UNIX_EPOCH).ok()).unwrap_or_default().as_secs();
    cache().join(format!("firefox-startup-{version}"))
}

/// Copies the kept code into a new profile, if there is some.
pub(super) fn copy_to(profile: &Path) {
    // Without the code, Firefox compiles it again.
    let _ = copy(&kept(), profile);
}

/// Keeps the code of a profile whose Firefox has ended, unless some is kept.
pub(super) fn keep(profile: &Path) {
    if is_kept() {
        return;
    }
    let copied = tempfile::tempdir_in(cache()).and_then(|folder| {
        copy(profile, folder.path())?;
        // Another test may have been faster.
        fs::rename(folder.path(), kept())
    });
    // Without the code, the next start takes longer.
    let _ = copied;
}

fn copy(from: &Path, to: &Path) -> io::Result<()> {
    let names = fs::read_dir(from.join(FOLDER))?.map(|entry| Ok(entry?.file_name())).collect::<io::Result<Vec<_>>>()?;
    fs::create_dir(to.join(FOLDER))?;
    for name in names {
        fs::copy(from.join(FOLDER).join(&name), to.join(FOLDER).join(&name))?;
    }
    fs::copy(from.join(VERSION), to.join(VERSION))?;
    Ok(())
}
