//! The examination of a folder: whether a store can live in it, and whether it is its owner's only.

use std::fs;
use std::io;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use bytesize::ByteSize;

use super::folder::room_at;
use super::{Durability, FileStore};
use crate::domain::limits::free_space::MinFree;
use crate::domain::maintenance::finding::{Finding, Verdict};
use crate::domain::store::{StoreError, StoreHeader};

/// Examines the store in `folder`, and makes none where there is none.
pub async fn examine(folder: &Path) -> Vec<Finding> {
    let mut findings = vec![exists(folder)];
    if findings[0].verdict == Verdict::Ok {
        findings.extend([private(folder), writable(folder), room(folder), opens(folder).await]);
    }
    findings
}

fn exists(folder: &Path) -> Finding {
    const NAME: &str = "folder";
    match fs::metadata(folder) {
        Ok(found) if found.is_dir() => Finding::ok(NAME, folder.display().to_string()),
        Ok(_) => Finding::problem(NAME, format!("{} is no folder", folder.display()), "name another one"),
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            let detail = format!("{} is not there yet", folder.display());
            Finding::warning(NAME, detail, "check its name; `sgsend serve` makes it when it is first started")
        }
        Err(error) => {
            let detail = format!("{} cannot be looked at: {error}", folder.display());
            Finding::problem(NAME, detail, "run this as the user that the service runs as")
        }
    }
}

fn private(folder: &Path) -> Finding {
    const NAME: &str = "folder_private";
    match fs::metadata(folder) {
        Ok(found) => Finding::private(NAME, folder, found.permissions().mode()),
        Err(error) => Finding::cannot_tell(NAME, error.to_string(), "run this as the user that the service runs as"),
    }
}

fn writable(folder: &Path) -> Finding {
    const NAME: &str = "folder_writable";
    match tempfile::tempfile_in(folder) {
        Ok(_) => Finding::ok(NAME, "files can be made in it"),
        Err(error) => {
            let hint = "give it to the user that the service runs as, and run this as that user";
            Finding::problem(NAME, error.to_string(), hint)
        }
    }
}

fn room(folder: &Path) -> Finding {
    const NAME: &str = "room";
    let room = match room_at(folder) {
        Ok(room) => room,
        Err(error) => return Finding::cannot_tell(NAME, error.to_string(), "look at the disk with `df`"),
    };
    let detail = format!("{} of {} free", ByteSize(room.free), ByteSize(room.total));
    if !MinFree::default().leaves(room, 0) {
        let hint = "make room, or start services with a --min-free that is less: they refuse uploads now";
        return Finding::warning(NAME, detail, hint);
    }
    Finding::ok(NAME, detail)
}

/// The store opens, and is of a version that is known here.
async fn opens(folder: &Path) -> Finding {
    const NAME: &str = "store";
    let hint = "use the version of sgsend that made it, or restore it from a backup";
    if !folder.join("records.sqlite").exists() {
        return Finding::ok(NAME, "there is none yet; `sgsend serve` makes it when it is first started");
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
    match StoreHeader::of(&store).await {
        Ok(Some(_)) => Finding::ok(NAME, "it opens"),
        Ok(None) => Finding::ok(NAME, "it opens, and is empty"),
        Err(error @ StoreError::IncompleteCopy { .. }) => {
            Finding::problem(NAME, error.to_string(), "run `sgsend store copy` to its end")
        }
        Err(error) => {
            let cause = std::error::Error::source(&error).map(ToString::to_string).unwrap_or_default();
            Finding::problem(NAME, format!("{error}: {cause}"), hint)
        }
    }
}
