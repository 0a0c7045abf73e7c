//! Probe of the payload directory: writes a file without a name, syncs it, and reads it back.

use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom, Write};

use super::Durability;
use super::folder::Folder;
use crate::domain::crypto::random;
use crate::domain::store::PayloadProbeError;

/// Size of the probe in bytes: one block of most file systems, so that a full disk shows.
const PROBE_BYTES: usize = 4 << 10;

/// Probes a directory of payloads. A crash leaves nothing, since the file has no name.
pub(super) fn probe(folder: &Folder) -> Result<(), PayloadProbeError> {
    let bytes = random::bytes::<PROBE_BYTES>();
    let mut file = write(folder, &bytes).map_err(|error| PayloadProbeError::Write(error.into()))?;
    read_back(&mut file, &bytes).map_err(|error| PayloadProbeError::Read(error.into()))
}

fn write(folder: &Folder, bytes: &[u8]) -> io::Result<File> {
    let mut file = tempfile::tempfile_in(folder.path())?;
    file.write_all(bytes)?;
    if folder.durability() == Durability::Full {
        file.sync_data()?;
    }
    Ok(file)
}

fn read_back(file: &mut File, bytes: &[u8]) -> io::Result<()> {
    let mut read = Vec::with_capacity(PROBE_BYTES);
    file.seek(SeekFrom::Start(0))?;
    file.read_to_end(&mut read)?;
    if read == bytes { Ok(()) } else { Err(io::Error::other("the disk returned other bytes than were written")) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_probe_leaves_no_file_and_fails_without_its_directory() {
        let directory = tempfile::tempdir().unwrap();
        let folder = Folder::new(directory.path().join("payloads"), Durability::Full);
        assert!(matches!(probe(&folder), Err(PayloadProbeError::Write(_))));
        std::fs::create_dir(folder.path()).unwrap();
        probe(&folder).unwrap();
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0);
    }
}
