//! Simulated disk, built from a journal: durable content, and changes that may be lost.
//!
//! The rules are as strict as POSIX permits. File content is durable up to the last sync of the file; of later writes,
//! any subset may be on disk, complete or sector by sector. Names are durable once their folder was synced, which
//! syncing the file doesn't do; later changes of a folder's names reach the disk in order, and may stop at any point.

use std::collections::{BTreeMap, HashMap};
use std::ffi::OsString;
use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use crate::journal::Done;

/// A simulated disk below a root folder.
pub(crate) struct Disk {
    pub(crate) root: PathBuf,
    pub(crate) nodes: Vec<Node>,
    /// Nodes of files that may be open, by inode. Inode numbers are reused.
    pub(crate) inodes: HashMap<u64, usize>,
}

/// A file or folder: its durable state, and the changes since.
pub(crate) enum Node {
    File { sure: Vec<u8>, since: Vec<Change> },
    Folder { sure: Names, now: Names, since: Vec<Renaming> },
}

pub(crate) type Names = BTreeMap<OsString, usize>;

/// A change of file content.
#[derive(Clone)]
pub(crate) enum Change {
    Write { at: usize, bytes: Vec<u8> },
    Truncate(usize),
}

/// A change of the names in a folder.
#[derive(Clone)]
pub(crate) enum Renaming {
    Put(OsString, usize),
    Remove(OsString),
    /// Atomically replaces a name by another name.
    Move(OsString, OsString),
}

impl Disk {
    /// Builds a simulated disk from the files below `root`, all of them durable.
    pub(crate) fn scan(root: &Path) -> Self {
        let mut disk = Self { root: root.to_owned(), nodes: Vec::new(), inodes: HashMap::new() };
        disk.add(root);
        disk
    }

    fn add(&mut self, path: &Path) -> usize {
        let at = self.nodes.len();
        if path.is_dir() {
            self.nodes.push(Node::Folder { sure: Names::new(), now: Names::new(), since: Vec::new() });
            for entry in fs::read_dir(path).unwrap().map(Result::unwrap).filter(|entry| is_kept(&entry.path())) {
                let below = self.add(&entry.path());
                let Node::Folder { sure, now, .. } = &mut self.nodes[at] else { unreachable!("it was just made") };
                sure.insert(entry.file_name(), below);
                now.insert(entry.file_name(), below);
            }
        } else {
            self.nodes.push(Node::File { sure: fs::read(path).unwrap(), since: Vec::new() });
            self.inodes.insert(fs::metadata(path).unwrap().ino(), at);
        }
        at
    }

    /// Applies the journal records.
    pub(crate) fn follow(&mut self, done: Vec<Done>) {
        for done in done {
            self.follow_one(done);
        }
    }

    pub(crate) fn follow_one(&mut self, done: Done) {
        match done {
            Done::Opened { path, inode } => {
                if self.node(&path).is_none() {
                    let at = self.make(Node::File { sure: Vec::new(), since: Vec::new() });
                    self.inodes.insert(inode, at);
                    self.rename(&path, |name| Renaming::Put(name, at));
                }
            }
            Done::MadeFolder { path } => {
                let at = self.make(Node::Folder { sure: Names::new(), now: Names::new(), since: Vec::new() });
                self.rename(&path, |name| Renaming::Put(name, at));
            }
            Done::Linked { from, to } => {
                let at = self.node(&from).expect("an existing file to link");
                self.rename(&to, |name| Renaming::Put(name, at));
            }
            Done::Renamed { from, to } => {
                assert_eq!(from.parent(), to.parent(), "a rename across folders is not supported");
                self.rename(&to, |name| Renaming::Move(from.file_name().unwrap().to_owned(), name));
            }
            Done::Unlinked { path } => self.rename(&path, Renaming::Remove),
            Done::Wrote { inode, at, bytes } => self.changes(inode).push(Change::Write { at, bytes }),
            Done::Truncated { inode, length } => self.changes(inode).push(Change::Truncate(length)),
            Done::SyncedFile { inode } => {
                let Node::File { sure, since } = &mut self.nodes[self.inodes[&inode]] else { panic!("not a file") };
                for change in since.drain(..) {
                    change.apply(sure);
                }
            }
            Done::SyncedFolder { path } => {
                let at = self.node(&path).expect("an existing folder to sync");
                let Node::Folder { sure, now, since } = &mut self.nodes[at] else { panic!("not a folder") };
                sure.clone_from(now);
                since.clear();
            }
        }
    }

    fn make(&mut self, node: Node) -> usize {
        self.nodes.push(node);
        self.nodes.len() - 1
    }

    /// Returns the node that a path currently leads to.
    pub(crate) fn node(&self, path: &Path) -> Option<usize> {
        let below = path.strip_prefix(&self.root).expect("a path below the disk's root");
        below.components().try_fold(0, |at, part| match &self.nodes[at] {
            Node::Folder { now, .. } => now.get(part.as_os_str()).copied(),
            Node::File { .. } => None,
        })
    }

    fn changes(&mut self, inode: u64) -> &mut Vec<Change> {
        match &mut self.nodes[self.inodes[&inode]] {
            Node::File { since, .. } => since,
            Node::Folder { .. } => panic!("not a file"),
        }
    }

    fn rename(&mut self, path: &Path, how: impl FnOnce(OsString) -> Renaming) {
        let at = self.node(path.parent().unwrap()).expect("an existing folder");
        let Node::Folder { now, since, .. } = &mut self.nodes[at] else { panic!("not a folder") };
        let renaming = how(path.file_name().unwrap().to_owned());
        renaming.apply(now);
        since.push(renaming);
    }
}

/// Returns whether the simulated disk has a file.
///
/// `SQLite`'s WAL index (`-shm`) is shared memory and rebuilt on open, as is the reserve for a full disk.
pub(crate) fn is_kept(path: &Path) -> bool {
    !path.to_string_lossy().ends_with("-shm") && !path.ends_with("reserve")
}

impl Change {
    pub(crate) fn apply(self, content: &mut Vec<u8>) {
        match self {
            Self::Write { at, bytes } => {
                let end = at + bytes.len();
                content.resize(content.len().max(end), 0);
                content[at..end].copy_from_slice(&bytes);
            }
            Self::Truncate(length) => content.resize(length, 0),
        }
    }
}

impl Renaming {
    pub(crate) fn apply(&self, names: &mut Names) {
        match self {
            Self::Put(name, node) => drop(names.insert(name.clone(), *node)),
            Self::Remove(name) => drop(names.remove(name)),
            Self::Move(from, to) => {
                if let Some(node) = names.remove(from) {
                    names.insert(to.clone(), node);
                }
            }
        }
    }
}
