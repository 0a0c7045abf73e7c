//! Errors of packing files into an archive.

use std::fmt;
use std::io;
use std::path::PathBuf;

use bytesize::ByteSize;

use super::SkippedEntry;
use crate::domain::archive::MAX_ENTRIES;

/// Maximum number of paths that an error message names per reason.
const MAX_NAMED: usize = 5;

/// Reason why files cannot be packed; nothing was sent.
#[derive(Debug, thiserror::Error)]
pub enum PackError {
    /// Some entries cannot be read.
    #[error("{entries}")]
    Unreadable {
        /// The entries and their errors.
        entries: Named,
        /// Error of the first unreadable entry.
        #[source]
        source: io::Error,
    },
    /// Some symbolic links point, or may point, outside the archive.
    #[error("{0}")]
    Link(Named),
    /// Some names are rejected by every recipient.
    #[error("{0}")]
    Name(Named),
    /// A given path is neither a file nor a directory.
    #[error("{0} is neither a file nor a directory")]
    Special(String),
    /// The archive would have more than [`MAX_ENTRIES`] entries.
    #[error("there are more than {MAX_ENTRIES} files and directories")]
    TooMany,
    /// All given paths are excluded.
    #[error("everything is excluded, and nothing is left to send")]
    Nothing,
    /// None of the entries can be sent.
    #[error("nothing is left to send: {}", first_of(.0))]
    NothingSendable(Vec<SkippedEntry>),
    /// The temporary copy of files with unknown size cannot be written.
    #[error("cannot buffer files of unknown size in {}: {source}", folder.display())]
    Spool {
        /// The folder of temporary files.
        folder: PathBuf,
        /// The I/O error.
        #[source]
        source: io::Error,
    },
    /// A file of unknown size exceeds the limit.
    #[error("{name} is larger than {}, the server's limit", ByteSize(*limit))]
    TooLarge {
        /// Path within the archive.
        name: String,
        /// The limit in bytes.
        limit: u64,
    },
}

/// Describes the first of several skipped entries.
fn first_of(skipped: &[SkippedEntry]) -> String {
    let first = skipped.first().map(|entry| format!("{} {}", entry.path, entry.reason)).unwrap_or_default();
    let other_paths = skipped.len().saturating_sub(1);
    if other_paths == 0 { first } else { format!("{first}, and {other_paths} more entries cannot be sent") }
}

/// Rejected entries, grouped by reason; a few paths of each group are listed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Named(Vec<Group>);

/// Entries that are rejected for the same reason.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Group {
    reason: String,
    names: Vec<String>,
    unlisted: usize,
}

impl Named {
    /// Adds an entry with the reason for its rejection.
    pub(super) fn add(&mut self, name: String, reason: &dyn fmt::Display) {
        let reason = reason.to_string();
        let index = self.0.iter().position(|group| group.reason == reason).unwrap_or_else(|| {
            self.0.push(Group { reason, names: Vec::new(), unlisted: 0 });
            self.0.len() - 1
        });
        let group = &mut self.0[index];
        if group.names.len() < MAX_NAMED { group.names.push(name) } else { group.unlisted += 1 }
    }

    /// Returns whether no entry was added.
    pub(super) const fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl fmt::Display for Named {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, Group { reason, names, unlisted }) in self.0.iter().enumerate() {
            let first = names.first().map_or("", String::as_str);
            write!(f, "{}{first} {reason}", if index == 0 { "" } else { "; " })?;
            if let Some(other_paths @ [_, ..]) = names.get(1..) {
                let rest = if *unlisted > 0 { format!(" and {unlisted} more") } else { String::new() };
                write!(f, " (like {}{rest})", other_paths.join(", "))?;
            }
        }
        Ok(())
    }
}
