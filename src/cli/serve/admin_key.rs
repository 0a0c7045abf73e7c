//! Where the admin service gets its key.

use std::env;
use std::fs::{self, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use zeroize::Zeroizing;

use crate::cli::Printer;
use crate::cli::arguments::Global;
use crate::cli::exit::Exit;
use crate::cli::failure::Failure;
use crate::cli::paths;
use crate::domain::digest::Sha256;
use crate::domain::random;
use crate::server::AdminKey;

/// The key that is set; with none set, and only `for_this_user`, the one that this user's service has made for itself.
///
/// A setting that is there but empty, unreadable or weak is a refusal to start, never a reason to look further.
pub(super) fn obtain(global: &Global, for_this_user: bool, printer: &Printer) -> Result<AdminKey, Failure> {
    if let Some(file) = &global.admin_key_file {
        return from_file(file);
    }
    if let Some(key) = env::var_os("SGSEND_ADMIN_KEY") {
        return checked(&Zeroizing::new(key.to_string_lossy().into_owned()), "SGSEND_ADMIN_KEY");
    }
    if let Some(file) = env::var_os("SGSEND_ADMIN_KEY_FILE") {
        return from_file(Path::new(&file));
    }
    if !for_this_user {
        let failure = Failure::new(Exit::Usage, "admin_key_missing", "the admin service needs an admin key");
        return Err(failure.hint("set SGSEND_ADMIN_KEY_FILE to a file that holds 32 characters or more"));
    }
    let file = paths::admin_key_file().ok_or_else(|| {
        let failure = Failure::new(Exit::Usage, "admin_key_missing", "this user has no folder to keep an admin key in");
        failure.hint("set SGSEND_ADMIN_KEY_FILE to a file that holds 32 characters or more")
    })?;
    match make(&file) {
        Ok(true) => printer.note(&format!("made an admin key for this machine: {}", file.display())),
        Ok(false) => {}
        Err(error) => {
            let message = format!("cannot keep an admin key in {}: {error}", file.display());
            return Err(Failure::new(Exit::LocalFile, "admin_key_unwritable", message)
                .hint("set SGSEND_ADMIN_KEY_FILE to a file that holds 32 characters or more"));
        }
    }
    from_file(&file)
}

fn from_file(file: &Path) -> Result<AdminKey, Failure> {
    let text = fs::read_to_string(file).map(Zeroizing::new).map_err(|error| {
        let message = format!("cannot read the admin key from {}: {error}", file.display());
        Failure::new(Exit::Usage, "admin_key_unreadable", message).hint("name a file that this user can read")
    })?;
    checked(&text, &file.display().to_string())
}

fn checked(text: &str, place: &str) -> Result<AdminKey, Failure> {
    AdminKey::new(text).map_err(|weak| {
        let failure =
            Failure::new(Exit::Usage, "admin_key_weak", format!("the admin key in {place} is too short: {weak}"));
        failure.hint("make one with `openssl rand -hex 32`")
    })
}

/// Makes a key in `file`, whole or not at all; `false` where there is one already.
fn make(file: &Path) -> io::Result<bool> {
    if file.exists() {
        return Ok(false);
    }
    let folder = file.parent().unwrap_or(Path::new("."));
    fs::create_dir_all(folder)?;
    let draft = draft_beside(file);
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let mut written = options.open(&draft)?;
    // 256 random bits, as the hex digits of a digest.
    let key = Zeroizing::new(Sha256::of(&random::bytes::<32>()).to_string());
    let kept = writeln!(written, "{}", *key).and_then(|()| written.sync_all());
    // A link, unlike a rename, never replaces the key that another service has made meanwhile.
    let linked = kept.and_then(|()| fs::hard_link(&draft, file));
    fs::remove_file(&draft)?;
    match linked {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(false),
        other => other.map(|()| true),
    }
}

fn draft_beside(file: &Path) -> PathBuf {
    let number = u64::from_le_bytes(random::bytes());
    file.with_extension(format!("{number:016x}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_made_once_and_only_for_its_user() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("sgsend/admin-key");
        assert!(make(&file).unwrap());
        let key = fs::read_to_string(&file).unwrap();
        assert_eq!(key.trim().len(), 64);
        assert!(!make(&file).unwrap());
        assert_eq!(fs::read_to_string(&file).unwrap(), key);
        assert_eq!(fs::read_dir(file.parent().unwrap()).unwrap().count(), 1, "a draft was left");
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt;
            assert_eq!(fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600);
        }
    }
}
