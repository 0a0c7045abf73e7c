//! Folder with account keys and certificates, which survives restarts and can be shared by processes.
//!
//! ```text
//! CACHE/
//!   acme-v02.api.letsencrypt.org_directory/    one folder per ACME server, mode 0700
//!     account.json                             account key, mode 0600
//!     send.example.org.pem                     private key and certificate chain, mode 0600, named by the first domain
//!     .challenge-send.example.org              digest of a pending challenge, mode 0600
//!     lock                                     held during an order; its modification time is that of the last order
//! ```

use std::fs::{self, DirBuilder, File, OpenOptions, TryLockError};
use std::io::{self, Seek, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use instant_acme::AccountCredentials;
use serde::{Deserialize, Serialize};
use tempfile::NamedTempFile;
use url::Url;

use super::settings::{AcmeDomain, AcmeSettings};

/// Bytes reserved for a certificate before it is ordered, so that a full disk is noticed in time.
const RESERVED_BYTES: usize = 16 * 1024;
/// Prefix of unfinished files.
const UNFINISHED: &str = ".unfinished-";
/// Prefix of the files of pending challenges.
const CHALLENGE: &str = ".challenge-";

/// Files of one account and one certificate.
#[derive(Clone, Debug)]
pub(super) struct Cache {
    folder: PathBuf,
    certificate: PathBuf,
}

/// Content of `account.json`.
#[derive(Serialize, Deserialize)]
pub(super) struct AccountFile {
    pub(super) contact: Vec<String>,
    pub(super) credentials: AccountCredentials,
}

/// Right to order a certificate, of at most one process at a time.
pub(super) struct OrderLock {
    file: File,
    /// Time since the last order of any process.
    pub(super) since_last_order: Option<Duration>,
}

/// File whose blocks are allocated, and whose content follows.
pub(super) struct ReservedFile(NamedTempFile);

impl Cache {
    /// Names the files of these settings, without any access to them.
    pub(super) fn new(settings: &AcmeSettings) -> Self {
        let folder = settings.cache.join(folder_name(&settings.directory));
        let first = settings.domains.first().map_or("", |domain| domain.as_str());
        let certificate = folder.join(format!("{first}.pem"));
        Self { folder, certificate }
    }

    /// Returns the path of the file with the private key and the certificate chain.
    pub(super) fn certificate(&self) -> &Path {
        &self.certificate
    }

    /// Returns the path of the folder.
    pub(super) fn folder(&self) -> &Path {
        &self.folder
    }

    /// Takes the right to order a certificate; `None` if another process has it. Creates a missing folder.
    ///
    /// # Errors
    /// If this process cannot write in the folder.
    pub(super) fn lock(&self) -> io::Result<Option<OrderLock>> {
        DirBuilder::new().recursive(true).mode(0o700).create(&self.folder)?;
        let path = self.folder.join("lock");
        let last_order = fs::metadata(&path).and_then(|metadata| metadata.modified()).ok();
        let file = OpenOptions::new().write(true).create(true).truncate(false).mode(0o600).open(path)?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => return Ok(None),
            Err(TryLockError::Error(error)) => return Err(error),
        }
        let since_last_order = last_order.and_then(|at| SystemTime::now().duration_since(at).ok());
        self.remove_unfinished()?;
        Ok(Some(OrderLock { file, since_last_order }))
    }

    /// Removes the files of killed processes. The caller has the lock.
    fn remove_unfinished(&self) -> io::Result<()> {
        for entry in fs::read_dir(&self.folder)? {
            let entry = entry?;
            let name = entry.file_name();
            if [UNFINISHED, CHALLENGE].iter().any(|prefix| name.as_encoded_bytes().starts_with(prefix.as_bytes())) {
                fs::remove_file(entry.path())?;
            }
        }
        Ok(())
    }

    /// Lets all processes over the cache answer the validation of a domain. The caller has the lock.
    pub(super) fn save_challenge(&self, domain: &AcmeDomain, digest: &[u8]) -> io::Result<()> {
        let mut file = self.unfinished()?;
        file.write_all(digest)?;
        file.persist(self.challenge_path(domain)).map_err(|error| error.error)?;
        Ok(())
    }

    /// Returns the digest of a pending challenge; `None` if there is none.
    pub(super) fn pending_challenge(&self, domain: &AcmeDomain) -> Option<[u8; 32]> {
        fs::read(self.challenge_path(domain)).ok()?.try_into().ok()
    }

    /// Ends a challenge. A file that cannot be removed is removed with the next order.
    pub(super) fn remove_challenge(&self, domain: &AcmeDomain) {
        drop(fs::remove_file(self.challenge_path(domain)));
    }

    fn challenge_path(&self, domain: &AcmeDomain) -> PathBuf {
        self.folder.join(format!("{CHALLENGE}{}", domain.as_str()))
    }

    /// Reserves space for a certificate.
    pub(super) fn reserve(&self) -> io::Result<ReservedFile> {
        let mut file = self.unfinished()?;
        file.write_all(&[0; RESERVED_BYTES])?;
        file.as_file().sync_all()?;
        Ok(ReservedFile(file))
    }

    /// Replaces the certificate file.
    pub(super) fn save_certificate(&self, ReservedFile(mut file): ReservedFile, pem: &str) -> io::Result<()> {
        file.rewind()?;
        self.finish(file, pem.as_bytes(), &self.certificate)
    }

    /// Returns the account; `None` if there is none yet, or its file cannot be understood.
    pub(super) fn account(&self) -> io::Result<Option<AccountFile>> {
        match fs::read(self.account_path()) {
            Ok(text) => Ok(serde_json::from_slice(&text).ok()),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Replaces the account.
    pub(super) fn save_account(&self, account: &AccountFile) -> io::Result<()> {
        self.finish(self.unfinished()?, &serde_json::to_vec(account)?, &self.account_path())
    }

    /// Removes an account that the ACME server does not know any more.
    pub(super) fn remove_account(&self) -> io::Result<()> {
        fs::remove_file(self.account_path())
    }

    fn account_path(&self) -> PathBuf {
        self.folder.join("account.json")
    }

    /// Creates a temporary file, which only its owner can read.
    fn unfinished(&self) -> io::Result<NamedTempFile> {
        tempfile::Builder::new().prefix(UNFINISHED).tempfile_in(&self.folder)
    }

    /// Writes the content of a file, and gives it its name.
    fn finish(&self, mut file: NamedTempFile, content: &[u8], path: &Path) -> io::Result<()> {
        file.write_all(content)?;
        file.as_file().set_len(content.len() as u64)?;
        file.as_file().sync_all()?;
        file.persist(path).map_err(|error| error.error)?;
        File::open(&self.folder)?.sync_all()
    }
}

impl OrderLock {
    /// Notes that an order begins.
    pub(super) fn note_order(&self) -> io::Result<()> {
        self.file.set_modified(SystemTime::now())
    }
}

/// Returns a folder name for an ACME server: host, port and path of its directory.
fn folder_name(directory: &Url) -> String {
    let port = directory.port().map(|port| format!("_{port}")).unwrap_or_default();
    let name = format!("{}{port}{}", directory.host_str().unwrap_or_default(), directory.path().trim_end_matches('/'));
    name.chars().map(|char| if char.is_ascii_alphanumeric() || "-.".contains(char) { char } else { '_' }).collect()
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    fn cache(folder: &Path, directory: &str) -> Cache {
        Cache::new(&AcmeSettings {
            domains: vec!["send.example.org".parse().unwrap(), "other.example.org".parse().unwrap()],
            contact: Vec::new(),
            directory: directory.parse().unwrap(),
            cache: folder.to_owned(),
            extra_roots: None,
        })
    }

    #[test]
    fn each_acme_server_has_a_folder() {
        let name = |url: &str| folder_name(&url.parse().unwrap());
        assert_eq!(name(super::super::settings::LETS_ENCRYPT), "acme-v02.api.letsencrypt.org_directory");
        assert_eq!(name("https://localhost:14000/dir/"), "localhost_14000_dir");
        assert_eq!(name("https://[::1]:1/../a%2fb?c"), "___1__1_a_2fb");
    }

    #[test]
    fn only_their_owner_can_read_the_files() {
        let folder = tempfile::tempdir().unwrap();
        let cache = cache(&folder.path().join("acme"), "https://acme.example/dir");
        let lock = cache.lock().unwrap().unwrap();
        assert!(cache.lock().unwrap().is_none(), "the lock was given twice");
        let reserved = cache.reserve().unwrap();
        cache.save_certificate(reserved, "a key and a certificate").unwrap();
        assert_eq!(fs::read_to_string(cache.certificate()).unwrap(), "a key and a certificate");
        assert!(cache.certificate().ends_with("acme/acme.example_dir/send.example.org.pem"));
        let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
        assert_eq!((mode(cache.folder()), mode(cache.certificate())), (0o700, 0o600));
        drop(lock);
        assert!(cache.lock().unwrap().is_some_and(|lock| lock.since_last_order.is_some()));
    }

    #[test]
    fn files_of_killed_processes_are_removed() {
        let folder = tempfile::tempdir().unwrap();
        let cache = cache(folder.path(), "https://acme.example/dir");
        drop(cache.lock().unwrap());
        let unfinished = cache.reserve().unwrap().0.into_temp_path().keep().unwrap();
        assert_eq!(fs::metadata(&unfinished).unwrap().len(), RESERVED_BYTES as u64);
        drop(cache.lock().unwrap());
        assert!(!unfinished.exists());
    }

    #[test]
    fn a_damaged_account_is_none() {
        let folder = tempfile::tempdir().unwrap();
        let cache = cache(folder.path(), "https://acme.example/dir");
        drop(cache.lock().unwrap());
        assert!(cache.account().unwrap().is_none());
        fs::write(cache.account_path(), "{\"contact\":[").unwrap();
        assert!(cache.account().unwrap().is_none());
    }
}
