//! Entries that cannot be sent: collected, so that users can fix all of them at once, or skipped.

use std::io;
use std::path::Path;

use super::super::error::{Named, PackError};
use super::SkippedEntry;
use crate::domain::archive::{InvalidArchivePath, InvalidSymlinkTarget};

/// Reason why an entry cannot be sent; the text continues a sentence that starts with the entry's path.
#[derive(Debug, thiserror::Error)]
pub(super) enum WalkProblem {
    /// The entry is a socket, FIFO or device.
    #[error("is {0}")]
    Special(&'static str),
    /// A path of the command line does not exist.
    #[error("cannot be read: {0}")]
    Missing(io::Error),
    /// The entry cannot be read.
    #[error("cannot be read: {0}")]
    Read(io::Error),
    /// The name is rejected by every recipient.
    #[error(transparent)]
    Name(InvalidArchivePath),
    /// The link is rejected by every recipient.
    #[error(transparent)]
    Link(InvalidSymlinkTarget),
    /// The link leads to a directory that contains the link.
    #[error("is a symlink to a directory that contains it")]
    Loop,
    /// The link leads nowhere.
    #[error("is a symlink to a file that does not exist")]
    BrokenLink,
}

/// Collects the problems of a walk, and what was skipped.
pub(super) struct Problems {
    skips: bool,
    skipped: Vec<SkippedEntry>,
    unreadable: Named,
    unreadable_source: Option<io::Error>,
    links: Named,
    names: Named,
}

impl Problems {
    /// Creates an empty collection, in which only missing paths are errors if `skips` is set.
    pub(super) fn new(skips: bool) -> Self {
        let (unreadable, links, names) = (Named::default(), Named::default(), Named::default());
        Self { skips, skipped: Vec::new(), unreadable, unreadable_source: None, links, names }
    }

    /// Adds an entry with its problem.
    pub(super) fn add(&mut self, path: String, problem: WalkProblem) {
        match problem {
            WalkProblem::Missing(source) => {
                self.unreadable.add(path, &format_args!("cannot be read: {source}"));
                self.unreadable_source.get_or_insert(source);
            }
            problem if self.skips || matches!(problem, WalkProblem::Special(_)) => {
                self.skipped.push(SkippedEntry { path, reason: problem.to_string() });
            }
            WalkProblem::Read(source) => {
                self.unreadable.add(path, &format_args!("cannot be read: {source}"));
                self.unreadable_source.get_or_insert(source);
            }
            WalkProblem::Name(_) => self.names.add(path, &problem),
            WalkProblem::Special(_) | WalkProblem::Link(_) | WalkProblem::Loop | WalkProblem::BrokenLink => {
                self.links.add(path, &problem);
            }
        }
    }

    /// Returns the skipped entries.
    ///
    /// # Errors
    /// Fails if an entry cannot be sent and was not to be skipped.
    pub(super) fn check(self) -> Result<Vec<SkippedEntry>, PackError> {
        if let Some(source) = self.unreadable_source {
            return Err(PackError::Unreadable { entries: self.unreadable, source });
        }
        if !self.names.is_empty() {
            return Err(PackError::Name(self.names));
        }
        if self.links.is_empty() { Ok(self.skipped) } else { Err(PackError::Link(self.links)) }
    }
}

/// Returns a path as slash-separated text, with `\xNN` for bytes that are not UTF-8.
pub(super) fn name_text(path: &Path) -> String {
    let mut text = String::new();
    for (number, component) in path.iter().enumerate() {
        text.push_str(if number == 0 { "" } else { "/" });
        for chunk in component.as_encoded_bytes().utf8_chunks() {
            text.push_str(chunk.valid());
            text.extend(chunk.invalid().iter().map(|byte| format!("\\x{byte:02x}")));
        }
    }
    text
}
