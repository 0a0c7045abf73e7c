//! Unpacking of archives from strangers.

#![no_main]

use std::fs;
use std::path::Path;

use libfuzzer_sys::fuzz_target;
use sgsend::client::unpack::{UnpackedFile, Watch, unpack};

const BLOCK: usize = 512;
/// Position of the checksum in a header.
const CHECKSUM: std::ops::Range<usize> = 148..156;

/// Corrects the checksum of every possible header and adds an end-of-archive marker.
fn repaired(bytes: &[u8]) -> Vec<u8> {
    let mut tar = bytes.to_vec();
    tar.resize(tar.len().next_multiple_of(BLOCK), 0);
    for block in tar.chunks_mut(BLOCK).filter(|block| block[257..].starts_with(b"ustar")) {
        block[CHECKSUM].fill(b' ');
        let checksum: u32 = block.iter().map(|byte| u32::from(*byte)).sum();
        block[CHECKSUM].copy_from_slice(format!("{checksum:06o}\0 ").as_bytes());
    }
    tar.resize(tar.len() + 2 * BLOCK, 0);
    tar
}

/// Checks that `folder` contains only regular files, directories, and links to targets within `root`. Sums the sizes.
fn check(folder: &Path, root: &Path) -> u64 {
    let mut bytes = 0;
    for entry in fs::read_dir(folder).expect("the unpacked folder is readable") {
        let path = entry.expect("the unpacked folder is readable").path();
        let metadata = path.symlink_metadata().expect("the file exists");
        if metadata.is_symlink() {
            // Only for links whose target exists.
            if let Ok(target) = path.canonicalize() {
                assert!(target.starts_with(root), "{} points to {}", path.display(), target.display());
            }
        } else if metadata.is_dir() {
            grant_access(&path);
            bytes += check(&path, root);
        } else {
            assert!(metadata.is_file(), "{} is not a regular file", path.display());
            bytes += metadata.len();
        }
        #[cfg(unix)]
        assert_eq!(std::os::unix::fs::PermissionsExt::mode(&metadata.permissions()) & 0o7000, 0);
    }
    bytes
}

/// Makes a directory readable and removable whose sender has removed its permissions.
fn grant_access(path: &Path) {
    let mut permissions = path.metadata().expect("the directory exists").permissions();
    #[cfg(unix)]
    std::os::unix::fs::PermissionsExt::set_mode(&mut permissions, 0o700);
    fs::set_permissions(path, permissions).expect("the directory belongs to this user");
}

fn run(tar: &[u8]) {
    let folder = tempfile::tempdir().expect("a temporary folder can be created");
    let root = folder.path().canonicalize().expect("the folder exists").join("root");
    fs::create_dir(&root).expect("the folder is empty");
    let outcome = unpack(tar, &root, &Watch::default());
    assert_eq!(
        fs::read_dir(folder.path()).expect("the folder exists").count(),
        1,
        "a file was created outside of the target folder"
    );
    let bytes = check(&root, &root);
    assert!(bytes <= tar.len() as u64, "more bytes were unpacked than the archive has");
    if let Ok(files) = outcome {
        assert_eq!(files.iter().map(|file: &UnpackedFile| file.size).sum::<u64>(), bytes);
    }
}

fuzz_target!(|bytes: &[u8]| {
    run(bytes);
    run(&repaired(bytes));
});
