//! Power loss: derives a possible disk state from the simulated disk.

use std::fs;
use std::path::Path;

use crate::disk::{Change, Disk, Node};
use crate::random::Random;

impl Disk {
    /// Writes a possible disk state after a power loss into a new folder.
    pub(crate) fn write_after_loss(&self, folder: &Path, random: &mut Random) {
        let mut names = random.others();
        let prefix = &mut |count: usize| if names.percent(30) { count } else { names.within(0..count + 1) };
        self.write(0, folder, prefix, random);
    }

    fn write(&self, at: usize, path: &Path, prefix: &mut impl FnMut(usize) -> usize, random: &mut Random) {
        match &self.nodes[at] {
            Node::File { sure, since } => {
                let mut bytes = sure.clone();
                lose(&mut bytes, since, random);
                fs::write(path, bytes).unwrap();
            }
            Node::Folder { sure, since, .. } => {
                fs::create_dir(path).unwrap();
                let (mut names, kept) = (sure.clone(), prefix(since.len()));
                for renaming in &since[..kept] {
                    renaming.apply(&mut names);
                }
                for (name, below) in names {
                    self.write(below, &path.join(name), prefix, random);
                }
            }
        }
    }
}

/// Applies a random subset of the unsynced changes.
fn lose(content: &mut Vec<u8>, since: &[Change], random: &mut Random) {
    let how = random.within(0..5);
    let prefix = random.within(0..since.len() + 1);
    for (number, change) in since.iter().enumerate() {
        let kept = match how {
            0 => true,
            1 => false,
            2 => number < prefix,
            _ => random.percent(50),
        };
        match change {
            Change::Write { at, bytes } if how == 4 => tear(content, *at, bytes, random),
            _ if kept => change.clone().apply(content),
            _ => {}
        }
    }
}

/// Keeps a random subset of the sectors of a write.
fn tear(content: &mut Vec<u8>, at: usize, bytes: &[u8], random: &mut Random) {
    let sector = if random.percent(50) { 512 } else { 4_096 };
    let mut start = 0;
    while start < bytes.len() {
        let end = ((at + start) / sector * sector + sector - at).min(bytes.len());
        if random.percent(50) {
            Change::Write { at: at + start, bytes: bytes[start..end].to_vec() }.apply(content);
        }
        start = end;
    }
}
