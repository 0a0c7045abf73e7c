//! Files that cannot be packed.

use std::fmt;
use std::io;

use super::MAX_ENTRIES;

/// How many entries are named at most.
const NAMED: usize = 5;

/// Files that cannot be packed. Nothing was sent.
#[derive(Debug, thiserror::Error)]
pub enum PackError {
    /// Some cannot be read.
    #[error("{entries}")]
    Unreadable {
        /// Which, and why.
        entries: Named,
        /// Why the first cannot.
        #[source]
        source: io::Error,
    },
    /// Links lead to what is not sent, or may.
    #[error("{0}")]
    Link(Named),
    /// Some have names that no recipient would unpack.
    #[error("{0}")]
    Name(Named),
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

/// Some entries with what is wrong with them, a few of each kind by their names.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Named(Vec<Group>);

/// The entries with the same thing wrong.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Group {
    why: String,
    names: Vec<String>,
    unnamed: usize,
}

impl Named {
    /// One more.
    pub(super) fn add(&mut self, name: String, why: &dyn fmt::Display) {
        let why = why.to_string();
        let at = self.0.iter().position(|group| group.why == why).unwrap_or_else(|| {
            self.0.push(Group { why, names: Vec::new(), unnamed: 0 });
            self.0.len() - 1
        });
        let group = &mut self.0[at];
        if group.names.len() < NAMED { group.names.push(name) } else { group.unnamed += 1 }
    }

    /// Whether there are none.
    pub(super) const fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl fmt::Display for Named {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (at, Group { why, names, unnamed }) in self.0.iter().enumerate() {
            let first = names.first().map_or("", String::as_str);
            write!(f, "{}{first} {why}", if at == 0 { "" } else { "; " })?;
            if let Some(others @ [_, ..]) = names.get(1..) {
                let more = if *unnamed > 0 { format!(" and {unnamed} more") } else { String::new() };
                write!(f, " (like {}{more})", others.join(", "))?;
            }
        }
        Ok(())
    }
}
