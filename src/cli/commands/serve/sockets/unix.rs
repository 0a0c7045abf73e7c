//! Unix sockets that a service creates: their permissions, stale ones, and their removal.

use std::fs::{self, File, Permissions};
use std::io::{self, ErrorKind};
use std::os::unix::fs::{FileTypeExt, MetadataExt, PermissionsExt};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};

use tokio::net::UnixListener;

use crate::cli::commands::serve::listen::SocketMode;
use crate::domain::crypto::random;

/// The file of a Unix socket, removed on drop if it is still the same file.
pub(in crate::cli::commands::serve) struct SocketFile {
    path: PathBuf,
    identity: (u64, u64),
}

/// Listens at `path`. Removes the socket of a process that has ended.
///
/// The socket has its permissions before it has its name, so nobody else can connect in between.
///
/// # Errors
/// [`ErrorKind::AddrInUse`] if a process listens there, [`ErrorKind::AlreadyExists`] if the file is no socket.
pub(super) fn bind(path: &Path, mode: SocketMode) -> io::Result<(UnixListener, SocketFile)> {
    let _lock = lock(path)?;
    match fs::symlink_metadata(path) {
        Ok(found) if !found.file_type().is_socket() => return Err(ErrorKind::AlreadyExists.into()),
        Ok(_) if is_used(path)? => return Err(ErrorKind::AddrInUse.into()),
        Ok(_) => {}
        Err(error) if error.kind() == ErrorKind::NotFound => {}
        Err(error) => return Err(error),
    }
    let mut temporary = path.as_os_str().to_owned();
    temporary.push(format!(".{:08x}", u32::from_le_bytes(random::bytes())));
    let temporary = PathBuf::from(temporary);
    let listener = UnixListener::bind(&temporary)?;
    let named = fs::set_permissions(&temporary, Permissions::from_mode(mode.0))
        .and_then(|()| fs::symlink_metadata(&temporary))
        .and_then(|found| fs::rename(&temporary, path).map(|()| identity(&found)));
    match named {
        Ok(identity) => Ok((listener, SocketFile { path: path.to_owned(), identity })),
        Err(error) => {
            // The first error matters more.
            let _ = fs::remove_file(&temporary);
            Err(error)
        }
    }
}

/// Locks the folder of a socket.
///
/// Two starting services can't take each other's socket for stale.
fn lock(path: &Path) -> io::Result<File> {
    let folder = File::open(path.parent().unwrap_or(Path::new("/")))?;
    folder.lock()?;
    Ok(folder)
}

/// Returns whether a process listens at a socket.
fn is_used(path: &Path) -> io::Result<bool> {
    match UnixStream::connect(path) {
        Ok(_) => Ok(true),
        Err(error) if error.kind() == ErrorKind::ConnectionRefused => Ok(false),
        // A full backlog: a process listens, and is busy.
        Err(error) if error.kind() == ErrorKind::WouldBlock => Ok(true),
        Err(error) => Err(error),
    }
}

fn identity(found: &fs::Metadata) -> (u64, u64) {
    (found.dev(), found.ino())
}

impl Drop for SocketFile {
    fn drop(&mut self) {
        let _lock = lock(&self.path);
        if fs::symlink_metadata(&self.path).is_ok_and(|found| identity(&found) == self.identity) {
            // A socket that stays is stale, and removed by the next start.
            let _ = fs::remove_file(&self.path);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mode_of(path: &Path) -> u32 {
        fs::metadata(path).unwrap().permissions().mode() & 0o777
    }

    #[tokio::test]
    async fn a_socket_has_its_permissions_and_is_removed_at_the_end() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.sock");
        for mode in [0o660, 0o600, 0o666] {
            let (listener, file) = bind(&path, SocketMode(mode)).unwrap();
            assert_eq!(mode_of(&path), mode);
            assert!(UnixStream::connect(&path).is_ok());
            drop(listener);
            drop(file);
            assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0);
        }
    }

    #[tokio::test]
    async fn only_a_socket_without_a_listener_is_replaced() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.sock");
        let mode = SocketMode::default();
        let (listener, file) = bind(&path, mode).unwrap();
        assert_eq!(bind(&path, mode).err().unwrap().kind(), ErrorKind::AddrInUse);
        // A killed process leaves its socket.
        drop(listener);
        let (_listener, _file) = bind(&path, mode).unwrap();
        drop(file);
        assert!(UnixStream::connect(&path).is_ok(), "the end of the first process removed the socket of the second");
        let other = folder.path().join("notes");
        fs::write(&other, "text").unwrap();
        let link = folder.path().join("link");
        std::os::unix::fs::symlink(&other, &link).unwrap();
        for path in [&other, &link] {
            assert_eq!(bind(path, mode).err().unwrap().kind(), ErrorKind::AlreadyExists);
        }
        assert_eq!(fs::read_to_string(&other).unwrap(), "text");
        assert_eq!(bind(Path::new("/no/such/a.sock"), mode).err().unwrap().kind(), ErrorKind::NotFound);
    }
}
