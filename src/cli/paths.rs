//! Where this user's files are.

use std::path::PathBuf;

use directories::ProjectDirs;

fn directories() -> Option<ProjectDirs> {
    ProjectDirs::from("", "", "sgsend")
}

/// The directory of the configuration; `None` for a user without a home.
#[must_use]
pub fn config_directory() -> Option<PathBuf> {
    directories().map(|directories| directories.config_dir().to_owned())
}

/// The configuration that is read where none is named.
#[must_use]
pub fn config_file() -> Option<PathBuf> {
    config_directory().map(|directory| directory.join("config.toml"))
}

/// The file that an admin service keeps the key in that it made for itself: the key and a line feed, mode 0600.
#[must_use]
pub fn admin_key_file() -> Option<PathBuf> {
    config_directory().map(|directory| directory.join("admin-key"))
}

/// The directory of what commands remember; `None` for a user without a home.
#[must_use]
pub fn state_directory() -> Option<PathBuf> {
    let directories = directories()?;
    Some(directories.state_dir().unwrap_or_else(|| directories.data_local_dir()).to_owned())
}

/// The directory of unfinished uploads.
#[must_use]
pub fn uploads_directory() -> Option<PathBuf> {
    Some(state_directory()?.join("uploads"))
}

/// The directory of unfinished downloads.
#[must_use]
pub fn downloads_directory() -> Option<PathBuf> {
    Some(state_directory()?.join("downloads"))
}

/// The directory of what services store; `None` for a user without a home.
#[must_use]
pub fn data_directory() -> Option<PathBuf> {
    directories().map(|directories| directories.data_dir().to_owned())
}
