//! Loads the admin key of the service, or generates one.

use std::fs::{self, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use zeroize::Zeroizing;

use crate::cli::Printer;
use crate::cli::config::generated_key::GeneratedKey;
use crate::cli::config::variables::value_of;
use crate::cli::failure::Failure;
use crate::cli::failure::exit::Exit;
use crate::cli::input::global::GlobalOptions;
use crate::domain::crypto::digest::Sha256;
use crate::domain::crypto::random;
use crate::server::AdminKey;

/// Hint for a key that is too short.
pub(super) const GENERATE: &str = "generate a key with `openssl rand -hex 32`";

/// Admin key of a service.
pub(super) struct LoadedKey {
    pub(super) key: AdminKey,
    /// This user's generated key, if it is the key of the service.
    pub(super) generated: Option<GeneratedKey>,
}

/// Returns the configured admin key. If no key is configured and `may_generate`, returns this user's generated key.
///
/// # Errors
/// If the first configured key is unreadable or too short, or if no key is configured and none can be generated.
pub(super) fn load(global: &GlobalOptions, may_generate: bool, printer: &Printer) -> Result<LoadedKey, Failure> {
    let configured = |key| LoadedKey { key, generated: None };
    if let Some(file) = &global.admin_key_file {
        return from_file(file).map(configured);
    }
    if let Some(key) = value_of("SGSEND_ADMIN_KEY") {
        return parse(&Zeroizing::new(key.to_string_lossy().into_owned()), "SGSEND_ADMIN_KEY").map(configured);
    }
    if let Some(file) = value_of("SGSEND_ADMIN_KEY_FILE") {
        return from_file(Path::new(&file)).map(configured);
    }
    if !may_generate {
        let failure = Failure::new(Exit::Usage, "admin_key_missing", "the admin service needs an admin key");
        return Err(failure.hint("set SGSEND_ADMIN_KEY_FILE to a file that contains a key of at least 32 characters"));
    }
    let generated = GeneratedKey::of_user().ok_or_else(|| {
        let failure =
            Failure::new(Exit::Usage, "admin_key_missing", "this user has no config directory for an admin key");
        failure.hint("set SGSEND_ADMIN_KEY_FILE to a file that contains a key of at least 32 characters")
    })?;
    let file = generated.file();
    match generate(file) {
        Ok(true) => printer.note(&format!("generated an admin key for this user: {}", file.display())),
        Ok(false) => {}
        Err(error) => {
            let message = format!("cannot write an admin key to {}: {error}", file.display());
            return Err(Failure::new(Exit::LocalFile, "admin_key_unwritable", message)
                .hint("set SGSEND_ADMIN_KEY_FILE to a file that contains a key of at least 32 characters"));
        }
    }
    let key = from_file(file)?.generated();
    Ok(LoadedKey { key, generated: Some(generated) })
}

fn from_file(file: &Path) -> Result<AdminKey, Failure> {
    parse(&read(file, "admin key", "admin_key_unreadable")?, &file.display().to_string())
}

/// Reads the file of a key; `name` is the key's name in messages, and `code` that of a failure.
pub(super) fn read(file: &Path, name: &str, code: &'static str) -> Result<Zeroizing<String>, Failure> {
    fs::read_to_string(file).map(Zeroizing::new).map_err(|error| {
        let message = format!("cannot read the {name} from {}: {error}", file.display());
        Failure::new(Exit::Usage, code, message).hint("choose a file that this user can read")
    })
}

fn parse(text: &str, source: &str) -> Result<AdminKey, Failure> {
    AdminKey::new(text).map_err(|error| {
        let failure =
            Failure::new(Exit::Usage, "admin_key_weak", format!("the admin key in {source} is too short: {error}"));
        failure.hint(GENERATE)
    })
}

/// Generates a key and writes it to `file` atomically (mode 0600 on Unix). Returns `false` if the file exists.
fn generate(file: &Path) -> io::Result<bool> {
    if file.exists() {
        return Ok(false);
    }
    let folder = file.parent().unwrap_or(Path::new("."));
    fs::create_dir_all(folder)?;
    let temporary = temporary_path(file);
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let mut output = options.open(&temporary)?;
    // 256 random bits, as the hex digits of a digest.
    let key = Zeroizing::new(Sha256::of(&random::bytes::<32>()).to_string());
    let synced = writeln!(output, "{}", *key).and_then(|()| output.sync_all());
    // A hard link, unlike a rename, fails if another process has created the file since the check.
    let linked = synced.and_then(|()| fs::hard_link(&temporary, file));
    fs::remove_file(&temporary)?;
    match linked {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(false),
        other => other.map(|()| true),
    }
}

fn temporary_path(file: &Path) -> PathBuf {
    let number = u64::from_le_bytes(random::bytes());
    file.with_extension(format!("{number:016x}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_generated_once_and_readable_by_its_user_only() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("sgsend/admin-key");
        assert!(generate(&file).unwrap());
        let key = fs::read_to_string(&file).unwrap();
        assert_eq!(key.trim().len(), 64);
        assert!(!generate(&file).unwrap());
        assert_eq!(fs::read_to_string(&file).unwrap(), key);
        assert_eq!(fs::read_dir(file.parent().unwrap()).unwrap().count(), 1, "a temporary file remains");
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt;
            assert_eq!(fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600);
        }
    }
}
