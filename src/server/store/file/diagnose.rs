//! `doctor` checks of a store folder: existence, permissions, free space and readability of the store.

use std::fs;
use std::io;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use bytesize::ByteSize;

use super::folder::free_space_at;
use super::space_monitor::FULL_BYTES;
use super::{Durability, FileStore};
use crate::domain::limits::free_space::MinFreeSpace;
use crate::domain::maintenance::finding::{Finding, Verdict};
use crate::domain::store::{Store, StoreError, StoreHeader};

/// Checks the store in `folder`; does not create a store.
pub(super) async fn diagnose(folder: &Path) -> Vec<Finding> {
    let mut findings = vec![exists(folder)];
    if findings[0].verdict == Verdict::Ok {
        findings.extend([private(folder), writable(folder), free_space(folder), opens(folder).await]);
    }
    findings
}

fn exists(folder: &Path) -> Finding {
    const NAME: &str = "folder";
    match fs::metadata(folder) {
        Ok(found) if found.is_dir() => Finding::ok(NAME, folder.display().to_string()),
        Ok(_) => Finding::problem(NAME, format!("{} is not a folder", folder.display()), "choose another path"),
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            let detail = format!("{} does not exist yet", folder.display());
            Finding::warning(NAME, detail, "check the path; `sgsend serve` creates the folder when it first starts")
        }
        Err(error) => {
            let detail = format!("cannot access {}: {error}", folder.display());
            Finding::problem(NAME, detail, "run this command as the user of the service")
        }
    }
}

fn private(folder: &Path) -> Finding {
    const NAME: &str = "folder_private";
    match fs::metadata(folder) {
        Ok(found) => Finding::private(NAME, folder, found.permissions().mode()),
        Err(error) => Finding::cannot_tell(NAME, error.to_string(), "run this command as the user of the service"),
    }
}

fn writable(folder: &Path) -> Finding {
    const NAME: &str = "folder_writable";
    match tempfile::tempfile_in(folder) {
        Ok(_) => Finding::ok(NAME, "files can be created in the folder"),
        Err(error) => {
            let hint = "make the user of the service the owner of the folder, and run this command as that user";
            Finding::problem(NAME, error.to_string(), hint)
        }
    }
}

fn free_space(folder: &Path) -> Finding {
    const NAME: &str = "room";
    let space = match free_space_at(folder) {
        Ok(space) => space,
        Err(error) => return Finding::cannot_tell(NAME, error.to_string(), "check the disk with `df`"),
    };
    let detail = format!("{} of {} free", ByteSize(space.free), ByteSize(space.total));
    if space.free < FULL_BYTES {
        let hint = "free space on the disk: the service only deletes until then";
        return Finding::problem(NAME, format!("{detail}: the disk is full"), hint);
    }
    if !MinFreeSpace::default().allows(space, 0) {
        let hint = "free space on the disk, or lower --min-free: the service rejects uploads now";
        return Finding::warning(NAME, detail, hint);
    }
    Finding::ok(NAME, detail)
}

/// Checks that the store opens and has a supported version.
async fn opens(folder: &Path) -> Finding {
    const NAME: &str = "store";
    let hint = "use the version of sgsend that created the store, or restore the store from a backup";
    if !folder.join("records.sqlite").exists() {
        return Finding::ok(NAME, "no store yet; `sgsend serve` creates it when it first starts");
    }
    let path = folder.to_owned();
    let opened = tokio::task::spawn_blocking(move || FileStore::open(&path, Durability::Full)).await;
    let store = match opened.expect("opening a store does not panic") {
        Ok(store) => store,
        Err(error) => {
            let cause = std::error::Error::source(&error).map(ToString::to_string).unwrap_or_default();
            return Finding::problem(NAME, format!("{error}: {cause}"), hint);
        }
    };
    let reserve = store.space().reserve.unwrap_or_default();
    let reserve = match ByteSize(reserve.held) {
        _ if reserve.target == 0 => "no reserve for a full disk: its file cannot be opened".to_owned(),
        held if reserve.held == reserve.target => format!("reserve for a full disk: {held}"),
        held => format!("reserve for a full disk: {held} of {}", ByteSize(reserve.target)),
    };
    match StoreHeader::of(&store).await {
        Ok(Some(_)) => Finding::ok(NAME, format!("opens; {reserve}")),
        Ok(None) => Finding::ok(NAME, format!("opens; empty; {reserve}")),
        Err(error @ StoreError::IncompleteCopy { .. }) => {
            Finding::problem(NAME, error.to_string(), "run `sgsend store copy` until it finishes")
        }
        Err(error) => {
            let cause = std::error::Error::source(&error).map(ToString::to_string).unwrap_or_default();
            Finding::problem(NAME, format!("{error}: {cause}"), hint)
        }
    }
}
