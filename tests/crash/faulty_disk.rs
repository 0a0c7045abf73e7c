//! A disk whose calls fail, or are slow, on demand: the preload library `fault.c`.

use std::fs;
use std::path::{Path, PathBuf};

use crate::home::Home;
use crate::ld_preload;

/// A home whose store is on a disk that fails, or is slow, on demand.
pub(crate) struct FaultyDisk {
    pub(crate) home: Home,
    pub(crate) fault: PathBuf,
}

impl FaultyDisk {
    /// Returns `None` if the fault library cannot be compiled.
    pub(crate) fn new(home: Home) -> Option<Self> {
        let disk = home.path().join("disk");
        Self::of_folder(home, &disk)
    }

    /// Lets calls on the hidden files of the home fail: configuration, keys, state of uploads, history.
    pub(crate) fn of_hidden_files(home: Home) -> Option<Self> {
        let hidden = format!("{}/.", home.path().display());
        Self::of_folder(home, Path::new(&hidden))
    }

    /// Lets calls on paths that start with `disk` fail.
    fn of_folder(mut home: Home, disk: &Path) -> Option<Self> {
        let library = ld_preload::compiled("fault.c", &home.path())?;
        let fault = home.path().join("fault");
        home.set("LD_PRELOAD", &library);
        home.set("SGSEND_TEST_FAULT", &fault);
        home.set("SGSEND_TEST_DISK", disk);
        Some(Self { home, fault })
    }

    pub(crate) fn fail(&self, error: u32) {
        fs::write(&self.fault, error.to_string()).unwrap();
    }

    pub(crate) fn heal(&self) {
        fs::remove_file(&self.fault).unwrap();
    }
}
