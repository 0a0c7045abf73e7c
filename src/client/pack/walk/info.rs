//! Metadata of an entry, read by its path or relative to its open directory.

use std::fs::Metadata;
use std::time::SystemTime;

use crate::client::upload::{Fingerprint, has_doubtful_size};

/// Metadata of an entry.
#[derive(Clone, Debug)]
pub(super) struct Info {
    /// Kind of the entry.
    pub(super) kind: InfoKind,
    /// Size in bytes.
    pub(super) size: u64,
    /// Read, write and execute permissions, without the set-user-ID, set-group-ID and sticky bits.
    pub(super) mode: u32,
    /// Modification time, if the file system has one.
    pub(super) modified: Option<SystemTime>,
    /// Fingerprint of the entry's current version.
    pub(super) fingerprint: Fingerprint,
    /// Whether the content must be read to know its size.
    pub(super) has_doubtful_size: bool,
    /// Number of the device.
    #[cfg(target_os = "linux")]
    pub(super) device: u64,
}

/// Kind of an entry on disk.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum InfoKind {
    Directory,
    File,
    Link,
    /// A socket, FIFO or device, which archives do not contain, with its description.
    Special(&'static str),
}

impl Info {
    /// Returns the information in the metadata of a path.
    pub(super) fn of(metadata: &Metadata) -> Self {
        Self {
            kind: InfoKind::of(metadata.file_type()),
            size: metadata.len(),
            mode: mode(metadata),
            modified: metadata.modified().ok(),
            fingerprint: Fingerprint::of(metadata),
            has_doubtful_size: has_doubtful_size(metadata),
            #[cfg(target_os = "linux")]
            device: std::os::unix::fs::MetadataExt::dev(metadata),
        }
    }

    /// Returns the information in the metadata of a name in an open directory.
    #[cfg(unix)]
    #[allow(
        clippy::unnecessary_cast,
        clippy::cast_sign_loss,
        reason = "the types of the fields differ between systems"
    )]
    pub(super) fn of_stat(stat: &rustix::fs::Stat) -> Self {
        use rustix::fs::FileType;
        let kind = match FileType::from_raw_mode(stat.st_mode) {
            FileType::Directory => InfoKind::Directory,
            FileType::RegularFile => InfoKind::File,
            FileType::Symlink => InfoKind::Link,
            FileType::Socket => InfoKind::Special("a socket"),
            FileType::Fifo => InfoKind::Special("a fifo"),
            FileType::BlockDevice | FileType::CharacterDevice => InfoKind::Special("a device"),
            FileType::Unknown => InfoKind::Special("of an unknown kind"),
        };
        let fingerprint = Fingerprint::of_stat(stat);
        let size = stat.st_size as u64;
        Self {
            kind,
            size,
            mode: stat.st_mode as u32 & 0o777,
            modified: fingerprint.modified(),
            has_doubtful_size: kind == InfoKind::File && (size == 0 || stat.st_blocks == 0),
            fingerprint,
            #[cfg(target_os = "linux")]
            device: stat.st_dev as u64,
        }
    }
}

impl InfoKind {
    #[cfg(unix)]
    fn of(kind: std::fs::FileType) -> Self {
        use std::os::unix::fs::FileTypeExt;
        match kind {
            kind if kind.is_dir() => Self::Directory,
            kind if kind.is_symlink() => Self::Link,
            kind if kind.is_socket() => Self::Special("a socket"),
            kind if kind.is_fifo() => Self::Special("a fifo"),
            kind if kind.is_block_device() || kind.is_char_device() => Self::Special("a device"),
            _ => Self::File,
        }
    }

    #[cfg(not(unix))]
    fn of(kind: std::fs::FileType) -> Self {
        match kind {
            kind if kind.is_dir() => Self::Directory,
            kind if kind.is_symlink() => Self::Link,
            _ => Self::File,
        }
    }
}

#[cfg(unix)]
fn mode(metadata: &Metadata) -> u32 {
    std::os::unix::fs::PermissionsExt::mode(&metadata.permissions()) & 0o777
}

/// Returns the usual permissions, on systems without Unix permissions.
#[cfg(not(unix))]
fn mode(metadata: &Metadata) -> u32 {
    if metadata.is_file() { 0o644 } else { 0o755 }
}

#[cfg(all(test, unix))]
mod tests {
    use std::fs::{self, File};
    use std::os::unix::fs::symlink;
    use std::path::Path;
    use std::time::{Duration, UNIX_EPOCH};

    use rustix::fs::{AtFlags, CWD, statat};

    use super::*;

    #[test]
    fn both_ways_return_the_same_information() {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        fs::write(at("file"), b"content").unwrap();
        File::create(at("empty")).unwrap();
        for (name, since) in [("old", 1_500), ("older", 2_000)] {
            File::create(at(name)).unwrap().set_modified(UNIX_EPOCH - Duration::from_millis(since)).unwrap();
        }
        fs::create_dir(at("d")).unwrap();
        symlink("nowhere", at("link")).unwrap();
        let _listener = std::os::unix::net::UnixListener::bind(at("socket")).unwrap();
        let paths = ["file", "empty", "old", "older", "d", "link", "socket"].map(at);
        for path in paths.iter().map(AsRef::as_ref).chain([Path::new("/dev/null"), Path::new("/proc/version")]) {
            let by_path = Info::of(&path.symlink_metadata().unwrap());
            let by_name = Info::of_stat(&statat(CWD, path, AtFlags::SYMLINK_NOFOLLOW).unwrap());
            assert_eq!(format!("{by_name:?}"), format!("{by_path:?}"), "{}", path.display());
            assert_eq!((by_name.fingerprint, by_name.modified), (by_path.fingerprint, by_path.modified));
        }
    }
}
