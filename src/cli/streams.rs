//! Standard streams that the parent process has closed.

use super::failure::Failure;
use super::failure::exit::Exit;

/// Fails if stdout is closed, so that `lost`, which exists nowhere else, is not written to nobody.
pub(crate) fn require_stdout(lost: &str) -> Result<(), Failure> {
    if is_closed(&std::io::stdout()) {
        let failure =
            Failure::new(Exit::LocalFile, "stdout_closed", format!("stdout is closed, so {lost} would be lost"));
        return Err(failure.hint("run the command with stdout open, or redirect it to a file"));
    }
    Ok(())
}

/// Fails if stdin is closed.
pub(crate) fn require_stdin() -> Result<(), Failure> {
    if is_closed(&std::io::stdin()) {
        let failure = Failure::new(Exit::LocalFile, "stdin_closed", "stdin is closed, so it has no content");
        return Err(failure.hint("redirect stdin from a file or a pipe; </dev/null is an empty input"));
    }
    Ok(())
}

/// Returns whether a standard stream was closed when this process started.
///
/// Rust's runtime then opens `/dev/null` in its place, for reading and writing. A shell opens it for one of the two.
#[cfg(unix)]
fn is_closed(stream: &impl std::os::fd::AsFd) -> bool {
    use rustix::fs::{OFlags, fcntl_getfl, fstat, stat};
    let is_read_write = fcntl_getfl(stream).is_ok_and(|flags| flags & OFlags::RWMODE == OFlags::RDWR);
    let is_null = || match (fstat(stream), stat("/dev/null")) {
        (Ok(stream), Ok(null)) => (stream.st_dev, stream.st_ino) == (null.st_dev, null.st_ino),
        _ => false,
    };
    is_read_write && is_null()
}

#[cfg(not(unix))]
fn is_closed<T>(_: &T) -> bool {
    false
}
