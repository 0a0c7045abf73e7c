//! Code that Firefox compiles at the first start of a new profile.
//!
//! Compiling takes half of the processor time of the start.
//!
//! Kept between tests and runs: a Firefox of another version does not use it. It contains no data of pages.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use super::cache;

/// Files of a profile: the compiled code, and the version of Firefox that compiled it.
const FOLDER: &str = "startupCache";
const VERSION: &str = "compatibility.ini";

/// Returns whether code is kept; otherwise the next Firefox that ends in an orderly way provides some.
pub(super) fn is_kept() -> bool {
    kept().exists()
}

fn kept() -> PathBuf {
    cache().join("firefox-startup")
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
