//! Compares the actual disk content with the simulated disk, and adopts the differences.

use std::ffi::OsString;
use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use crate::disk::{Disk, Node, is_kept};
use crate::journal::Done;

impl Disk {
    /// Adopts changes on the actual disk that the journal lacks. Returns their number. A process killed between a
    /// change and its journal record leaves at most one such change.
    pub(crate) fn adopt(&mut self) -> usize {
        let root = self.root.clone();
        self.adopt_below(&root)
    }

    fn adopt_below(&mut self, folder: &Path) -> usize {
        let entries = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
        let real: Vec<PathBuf> = entries.filter(|path| is_kept(path)).collect();
        let mut adopted = 0;
        for name in self.names(folder) {
            let path = folder.join(&name);
            let moved = real.iter().find(|real| self.node(real).is_none() && self.is_same(&path, real));
            match moved {
                _ if path.exists() => continue,
                Some(to) => self.follow_one(Done::Renamed { from: path, to: to.clone() }),
                None => self.follow_one(Done::Unlinked { path }),
            }
            adopted += 1;
        }
        for path in real {
            if path.is_dir() {
                if self.node(&path).is_none() {
                    self.follow_one(Done::MadeFolder { path: path.clone() });
                    adopted += 1;
                }
                adopted += self.adopt_below(&path);
                continue;
            }
            let inode = fs::metadata(&path).unwrap().ino();
            if self.node(&path).is_none() {
                self.follow_one(Done::Opened { path: path.clone(), inode });
                adopted += 1;
            }
            let (bytes, known) = (fs::read(&path).unwrap(), self.content(&path));
            if bytes != known {
                self.follow_one(Done::Truncated { inode, length: bytes.len() });
                let at = bytes.iter().zip(&known).take_while(|(one, other)| one == other).count();
                self.follow_one(Done::Wrote { inode, at, bytes: bytes[at..].to_vec() });
                adopted += 1;
            }
        }
        adopted
    }

    fn names(&self, folder: &Path) -> Vec<OsString> {
        match self.node(folder).map(|at| &self.nodes[at]) {
            Some(Node::Folder { now, .. }) => now.keys().cloned().collect(),
            _ => Vec::new(),
        }
    }

    fn is_same(&self, known: &Path, real: &Path) -> bool {
        let inode = fs::metadata(real).unwrap().ino();
        self.inodes.get(&inode).copied() == self.node(known)
    }

    /// Returns the current content of a file on the simulated disk.
    fn content(&self, path: &Path) -> Vec<u8> {
        match self.node(path).map(|at| &self.nodes[at]) {
            Some(Node::File { sure, since }) => {
                let mut content = sure.clone();
                for change in since {
                    change.clone().apply(&mut content);
                }
                content
            }
            _ => Vec::new(),
        }
    }
}
