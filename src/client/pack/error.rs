//! Files that cannot be packed.

use std::fmt;
use std::io;

use super::MAX_ENTRIES;
use crate::domain::archive_path::Unfit;

/// How many entries are named at most.
const NAMED: usize = 5;

/// Files that cannot be packed. Nothing was sent.
#[derive(Debug, thiserror::Error)]
pub enum PackError {
    /// Some cannot be read.
    #[error("{entries} cannot be read")]
    Unreadable {
        /// Which.
        entries: Named,
        /// Why the first cannot.
        #[source]
        source: io::Error,
    },
    /// Links lead to what is not sent, or may.
    #[error("{entries} {why}")]
    Link {
        /// Which.
        entries: Named,
        /// Why the first is not sent.
        why: Unfit,
    },
    /// Some have names that no recipient would unpack.
    #[error("{entries} {why}")]
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

/// Some entries by their names, and the number of the others.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Named {
    first: Vec<String>,
    others: usize,
}

impl Named {
    /// One more.
    pub(super) fn add(&mut self, name: String) {
        if self.first.len() < NAMED { self.first.push(name) } else { self.others += 1 }
    }
}

impl fmt::Display for Named {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.first.join(", "))?;
        if self.others > 0 { write!(f, " and {} more", self.others) } else { Ok(()) }
    }
}
