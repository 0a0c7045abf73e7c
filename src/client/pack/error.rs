//! Files that cannot be packed.

use std::io;

use super::MAX_ENTRIES;
use crate::domain::archive_path::Unfit;

/// How many entries are named at most.
const NAMED: usize = 5;

/// Files that cannot be packed. Nothing was sent.
#[derive(Debug, thiserror::Error)]
pub enum PackError {
    /// Some cannot be read.
    #[error("{} cannot be read{}", entries.first(), entries.others())]
    Unreadable {
        /// Which.
        entries: Named,
        /// Why the first cannot.
        #[source]
        source: io::Error,
    },
    /// Links lead to what is not sent, or may.
    #[error("{} {why}{}", entries.first(), entries.others())]
    Link {
        /// Which.
        entries: Named,
        /// Why the first is not sent.
        why: Unfit,
    },
    /// Some have names that no recipient would unpack.
    #[error("{} {why}{}", entries.first(), entries.others())]
    Name {
        /// Which.
        entries: Named,
        /// Why the first is not sent.
        why: Unfit,
    },
    /// A path that was named is neither a file nor a directory.
    #[error("{0} is neither a file nor a directory")]
    Special(String),
    /// There are too many entries.
    #[error("there are more than {MAX_ENTRIES} files and directories")]
    TooMany,
    /// Everything that was named is excluded.
    #[error("everything is excluded, and nothing is left to send")]
    Nothing,
}

/// Some entries, a few of them by their names.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Named {
    names: Vec<String>,
    unnamed: usize,
}

impl Named {
    /// One more.
    pub(super) fn add(&mut self, name: String) {
        if self.names.len() < NAMED { self.names.push(name) } else { self.unnamed += 1 }
    }

    /// The first, of which the error speaks.
    fn first(&self) -> &str {
        self.names.first().map_or("", String::as_str)
    }

    /// The others, as they stand behind it.
    fn others(&self) -> String {
        let more = if self.unnamed > 0 { format!(" and {} more", self.unnamed) } else { String::new() };
        match self.names.get(1..) {
            None | Some([]) => String::new(),
            Some(others) => format!(" (like {}{more})", others.join(", ")),
        }
    }
}
