//! Archives from strangers.

#![no_main]

use std::fs;
use std::path::Path;

use libfuzzer_sys::fuzz_target;
use sgsend::client::unpack::{UnpackedFile, Watch, unpack};

const BLOCK: usize = 512;
/// Where in a header its sum stands.
const SUM: std::ops::Range<usize> = 148..156;

/// Makes every block that could be a header one whose sum is right, and ends the archive.
fn repaired(bytes: &[u8]) -> Vec<u8> {
    let mut tar = bytes.to_vec();
    tar.resize(tar.len().next_multiple_of(BLOCK), 0);
    for block in tar.chunks_mut(BLOCK).filter(|block| block[257..].starts_with(b"ustar")) {
        block[SUM].fill(b' ');
        let sum: u32 = block.iter().map(|byte| u32::from(*byte)).sum();
        block[SUM].copy_from_slice(format!("{sum:06o}\0 ").as_bytes());
    }
    tar.resize(tar.len() + 2 * BLOCK, 0);
    tar
}

/// Checks that everything below `folder` is a plain file, a directory, or a link that leads to within `root`.
fn check(folder: &Path, root: &Path) -> u64 {
    let mut bytes = 0;
    for entry in fs::read_dir(folder).expect("it was unpacked by us") {
        let path = entry.expect("it was unpacked by us").path();
        let metadata = path.symlink_metadata().expect("it is there");
        if metadata.is_symlink() {
            // Where it leads to something at all.
            if let Ok(leads_to) = path.canonicalize() {
                assert!(leads_to.starts_with(root), "{} leads to {}", path.display(), leads_to.display());
            }
        } else if metadata.is_dir() {
            open(&path);
            bytes += check(&path, root);
        } else {
            assert!(metadata.is_file(), "{} is special", path.display());
            bytes += metadata.len();
        }
        #[cfg(unix)]
        assert_eq!(std::os::unix::fs::PermissionsExt::mode(&metadata.permissions()) & 0o7000, 0);
    }
    bytes
}

/// Opens a directory that its sender has closed, so that it can be looked into and removed.
fn open(path: &Path) {
    let mut permissions = path.metadata().expect("it is there").permissions();
    #[cfg(unix)]
    std::os::unix::fs::PermissionsExt::set_mode(&mut permissions, 0o700);
    fs::set_permissions(path, permissions).expect("the directory is ours");
}

fn run(tar: &[u8]) {
    let folder = tempfile::tempdir().expect("there is a place for temporary files");
    let root = folder.path().canonicalize().expect("it was made").join("root");
    fs::create_dir(&root).expect("the folder is empty");
    let outcome = unpack(tar, &root, &Watch::default());
    assert_eq!(fs::read_dir(folder.path()).expect("it was made").count(), 1, "something was made outside");
    let bytes = check(&root, &root);
    assert!(bytes <= tar.len() as u64, "more came out than went in");
    if let Ok(files) = outcome {
        assert_eq!(files.iter().map(|file: &UnpackedFile| file.size).sum::<u64>(), bytes);
    }
}

fuzz_target!(|bytes: &[u8]| {
    run(bytes);
    run(&repaired(bytes));
});
