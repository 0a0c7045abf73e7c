//! Paths of this user's files.

use std::path::PathBuf;

use directories::ProjectDirs;

fn directories() -> Option<ProjectDirs> {
    ProjectDirs::from("", "", "sgsend")
}

/// Returns the configuration directory; `None` for a user without a home directory.
#[must_use]
pub fn config_directory() -> Option<PathBuf> {
    directories().map(|directories| directories.config_dir().to_owned())
}

/// Returns the path of the default configuration file.
#[must_use]
pub fn config_file() -> Option<PathBuf> {
    config_directory().map(|directory| directory.join("config.toml"))
}

/// Returns the path of the file with the generated admin key: one line, mode 0600.
#[must_use]
pub fn admin_key_file() -> Option<PathBuf> {
    config_directory().map(|directory| directory.join("admin-key"))
}

/// Returns the path of the file with the origins at which services have used the generated admin key.
#[must_use]
pub fn admin_key_origins_file() -> Option<PathBuf> {
    config_directory().map(|directory| directory.join("admin-key-origins"))
}

/// Returns the path of the file with this user's private key for transfers.
///
/// The file has the mode 0600 and the format of age.
#[must_use]
pub fn identity_file() -> Option<PathBuf> {
    config_directory().map(|directory| directory.join("identity"))
}

/// Returns the directory of this user's requests, with their secrets.
#[must_use]
pub fn requests_directory() -> Option<PathBuf> {
    config_directory().map(|directory| directory.join("requests"))
}

/// Returns the path of the file with this user's contacts.
#[must_use]
pub fn contacts_file() -> Option<PathBuf> {
    config_directory().map(|directory| directory.join("contacts.toml"))
}

/// Returns the path of the file with the keys of senders whose signatures were verified.
#[must_use]
pub fn known_senders_file() -> Option<PathBuf> {
    Some(state_directory()?.join("known-senders"))
}

/// Returns the directory of the history and of unfinished transfers.
///
/// Returns `None` for a user without a home directory.
#[must_use]
pub fn state_directory() -> Option<PathBuf> {
    let directories = directories()?;
    Some(directories.state_dir().unwrap_or_else(|| directories.data_local_dir()).to_owned())
}

/// Returns the directory of unfinished uploads.
#[must_use]
pub fn uploads_directory() -> Option<PathBuf> {
    Some(state_directory()?.join("uploads"))
}

/// Returns the directory of unfinished downloads.
#[must_use]
pub fn downloads_directory() -> Option<PathBuf> {
    Some(state_directory()?.join("downloads"))
}

/// Returns the directory with this user's uploads for requests of others.
#[must_use]
pub fn guest_uploads_directory() -> Option<PathBuf> {
    Some(state_directory()?.join("guest-uploads"))
}

/// Returns the parent directory of the default storage; `None` for a user without a home directory.
#[must_use]
pub fn data_directory() -> Option<PathBuf> {
    directories().map(|directories| directories.data_dir().to_owned())
}
